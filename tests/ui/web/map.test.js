// The map over two λ.

import assert from "node:assert/strict";
import { test } from "node:test";
import { LambdaMap } from "../../../taskvec_demo/ui/web/map.js";

/** Which of these shares of the control's accuracy the map hatches. @param {number[]} kept */
function hatched(kept) {
  /** @type {number[]} */
  let found = [];
  const picture = {
    /** @param {unknown} _ @param {(column: number, row: number) => boolean} safe */
    paint: (_, safe) => (found = kept.filter((_, column) => !safe(column, 0))),
  };
  const map = { state: { live: { controlKept: 0.9 } }, picture, kept: (/** @type {number} */ column) => kept[column] };
  LambdaMap.prototype.paint.call(/** @type {any} */ (map));
  return found;
}

test("only points at which the control is known to fall too far are hatched", () => {
  assert.deepEqual(hatched([0.5, 0.89, 0.9, 1, NaN, Infinity]), [0.5, 0.89]); // NaN: its grid is still being filled
});
