// The matrices of related tasks: cells in numbers and words, and the way of the arrow keys.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  cellOf,
  cellText,
  fractionsOf,
  isPale,
  largest,
  matrixOf,
  moved,
  rowsOf,
  sentence,
  spoken,
} from "../../../taskvec_demo/ui/web/relations_figures.js";

const TASKS = ["a", "b", "c"].map((name) => ({ name, title: name.toUpperCase() }));
const COUNTS = { n_clips: 60, n_sources: 20, drawn: "sources" };

/** @param {number} gain @param {Partial<import("../../../taskvec_demo/ui/web/relations_figures.js").Cell>} more */
const gained = (gain, more = {}) => ({
  task: "a", partner: "b", alone: 0.5, gain, low: gain - 0.02, high: gain + 0.02, p: 0.2, significant: false, ...COUNTS,
  ...more,
}); // prettier-ignore
const error = { task: "a", partner: "b", error: 0.314, low: 0.2, high: 0.4, own: 0.1, ...COUNTS };

/**
 * @param {string} name
 * @param {number} fraction
 * @param {import("../../../taskvec_demo/ui/web/relations_figures.js").Cell[]} cells
 */
const made = (name, fraction, cells) => ({
  name, title: name, fraction, measure: /** @type {"gain" | "error"} */ (cells[0].error === undefined ? "gain" : "error"),
  tasks: TASKS, cells, curves: name === "mlp" ? [] : undefined,
}); // prettier-ignore
const CONTENTS = {
  seeds: 4,
  matrices: [made("mlp", 0.1, [gained(0.03)]), made("mlp", 1, [gained(-0.08)]), made("ξ", 1, [error])],
};

test("a matrix that was not measured with a share of the data is shown with another one", () => {
  assert.deepEqual(fractionsOf(CONTENTS, "mlp"), [0.1, 1]);
  assert.equal(matrixOf(CONTENTS, "mlp", 1), CONTENTS.matrices[1]);
  assert.equal(matrixOf(CONTENTS, "ξ", 0.1), CONTENTS.matrices[2]);
  assert.equal(matrixOf(CONTENTS, "none", 1), undefined);
  assert.equal(cellOf(CONTENTS.matrices[0], "b", "a"), undefined);
});

test("colours have one scale for all matrices of a measure", () => {
  assert.equal(largest(CONTENTS, "gain"), 0.08);
  assert.equal(largest(CONTENTS, "error"), 0.314);
});

test("a cell has a sign, and none where it rounds to nothing", () => {
  const texts = [0.0284, -0.0284, 0.0001, -0.0001, 0].map((gain) => cellText(gained(gain)));
  assert.deepEqual(texts, ["+2.8", "−2.8", "0.0", "0.0", "0.0"]);
  assert.deepEqual([cellText(gained(0.028), 0), cellText(gained(0.004), 0), cellText(error)], ["+3", "0", "0.31"]);
});

test("a cell is pale where its interval holds 0, its ends included; an error never is", () => {
  const at = (/** @type {number} */ low, /** @type {number} */ high) => isPale(gained(0.01, { low, high }));
  assert.deepEqual(
    [at(-0.01, 0.02), at(0, 0.02), at(-0.02, 0), at(0.001, 0.02), at(-0.02, -0.001)],
    [true, true, true, false, false],
  );
  assert.equal(isPale({ ...error, low: 0 }), false);
});

test("arrow keys go around the diagonal and stay inside", () => {
  assert.deepEqual(moved([0, 1], "ArrowRight", 3), [0, 2]);
  assert.deepEqual(moved([0, 1], "ArrowDown", 3), [2, 1]);
  assert.deepEqual(moved([2, 1], "ArrowUp", 3), [0, 1]);
  assert.deepEqual(moved([1, 2], "ArrowLeft", 3), [1, 0]);
  for (const [from, key] of /** @type {[[number, number], string][]} */ ([
    [[0, 1], "ArrowUp"],
    [[0, 1], "ArrowLeft"],
    [[0, 2], "ArrowRight"],
    [[2, 1], "ArrowRight"],
    [[1, 2], "a"],
  ])) assert.deepEqual(moved(from, key, 3), from); // prettier-ignore
});

test("a sentence says as much as its interval carries", () => {
  const [matrix] = CONTENTS.matrices;
  const told = (/** @type {Parameters<typeof gained>[1]} */ more) => sentence(matrix, gained(0.03, more), 4);
  assert.equal(
    told({}),
    "Test accuracy 50.0 % alone, 53.0 % together: +3.0 points (95 % +1.0 to +5.0, n = 60 test clips of 20 sources, " +
      "4 seeds). By itself it is beyond chance, among so many pairings it is not.",
  );
  assert.match(
    told({ drawn: "clips" }),
    /it is not\. So few sources are no sample: the interval draws single clips\.$/,
  );
  assert.match(told({ low: -0.01 }), /holds 0: this may be chance\.$/);
  assert.match(told({ significant: true }), /The partner helps beyond chance, on these clips\.$/);
  assert.match(sentence(matrix, gained(-0.03, { significant: true }), 4), /hurts beyond chance, on these clips\.$/);
  assert.match(
    sentence(CONTENTS.matrices[2], error, 4),
    /^ξ\(1, 1\) = 0\.31 \(95 % 0\.20 to 0\.40, .* 10\.0 % of its clips/,
  );
  assert.equal(spoken(matrix, gained(0.03, { low: -0.01 })), "A with B: +3.0 points, may be chance");
  assert.equal(spoken(CONTENTS.matrices[2], error), "A with B: error 0.31");
});

test("the table has every cell of every matrix", () => {
  const rows = rowsOf(CONTENTS);
  assert.equal(rows.length, 4);
  assert.ok(rows.every((row) => row.length === rows[0].length));
  assert.deepEqual(rows[3].slice(0, 6), ["ξ", 1, "A", "B", "", 0.314]);
});
