// Figures and the badge are worded as in Python.

import assert from "node:assert/strict";
import { test } from "node:test";
import { badgeText, gapText } from "../../../taskvec_demo/ui/web/badge.js";
import { percent, wilson } from "../../../taskvec_demo/ui/web/figures.js";
import { Latest } from "../../../taskvec_demo/ui/web/latest.js";
import { python } from "./vectors.js";

test("intervals and percentages", () => {
  for (const [k, n, low, high] of python.wilson) {
    const found = wilson(k, n);
    assert.ok(Math.abs(found[0] - low) < 1e-9 && Math.abs(found[1] - high) < 1e-9, `${k} of ${n}`);
  }
  for (const [share, whole] of python.percent) assert.equal(String(percent(share)), whole);
});

test("the badge", () => {
  for (const { errors, text } of python.badges) {
    assert.equal(badgeText(errors.map((/** @type {any} */ e) => ({ ...e, classError: e.classError ?? NaN }))), text);
  }
  assert.equal(new Set(python.badges.map((/** @type {any} */ { text }) => text)).size, python.badges.length);
});

test("the badge where tasks have no estimate", () => {
  assert.equal(gapText([], 2, 0, ["mine"]), "no estimate for τ_mine");
  assert.equal(gapText([], 1, 2, []), "not measured yet; 2 of 3 tasks measured now");
  assert.equal(gapText([], 0, 3, []), "measured now with these very weights");
});

test("a follower hears the latest value, whether it comes first or last", () => {
  /** @type {Latest<number>} */
  const latest = new Latest();
  /** @type {number[][]} */
  const [early, late] = [[], []];
  latest.follow((value) => early.push(value));
  latest.give(1);
  latest.follow((value) => late.push(value));
  latest.give(2);
  assert.deepEqual(
    [early, late],
    [
      [1, 2],
      [1, 2],
    ],
  );
});
