// The dial between two vectors: measured figures stay as they are, and what lies between them is a straight line.

import assert from "node:assert/strict";
import { test } from "node:test";
import { DialFigures, cosinesAt, largest } from "../../../taskvec_demo/ui/web/dial_figures.js";

const AXIS = [0, 0.5, 1];
const figures = new DialFigures({
  tasks: [
    { name: "digits", domain: "speech" },
    { name: "speaker", domain: "speech" },
    { name: "drums", domain: "music" },
  ],
  dial: { speech: AXIS, accuracy: { digits: [0.2, 0.4, 0.9], speaker: [0, 0.2, 0.1], drums: [0.8, 0.6, 0.5] } },
  // rows are λ of music, columns λ of speech
  plane: { axis: AXIS, accuracy: { digits: [0.1, 0.5, 0.9, 0.1, 0.4, 0.8, 0.2, 0.3, 0.7], speaker: [], drums: [] } },
  fixed: {},
  chosen: {},
});

test("a measured point is shown as it was measured", () => {
  AXIS.forEach((at, i) => assert.equal(figures.along("digits", at), [0.2, 0.4, 0.9][i]));
  assert.equal(figures.over("digits", [1, 0]), 0.9);
  assert.equal(figures.over("digits", [0, 1]), 0.2);
  assert.equal(figures.over("digits", [1, 1]), 0.7);
});

test("between measured points lies a straight line, and beyond the last one nothing new", () => {
  assert.ok(Math.abs(figures.along("digits", 0.75) - 0.65) < 1e-12);
  assert.ok(Math.abs(figures.over("digits", [0.25, 0.25]) - (0.1 + 0.5 + 0.1 + 0.4) / 4) < 1e-12);
  assert.equal(figures.along("digits", 3), 0.9);
  assert.equal(figures.along("digits", -1), 0.2);
});

test("a domain is the mean of its own tasks", () => {
  const mean = figures.mean("speech", (task) => figures.accuracy(task, [1, 0], false));
  assert.ok(Math.abs(mean - 0.5) < 1e-12);
  assert.deepEqual(figures.domains, ["speech", "music"]);
});

test("the dial rests on measured points, where both λ add up to 1", () => {
  assert.deepEqual(figures.measured([0.3, 0.7], false), [0.5, 0.5]);
  assert.deepEqual(figures.measured([0.2, 0.9], true), [0, 1]);
  assert.equal(figures.step(0.5, 1, false), 1);
  assert.equal(figures.step(1, 1, false), 1);
});

test("cosines are known between answers, and nowhere else", () => {
  /** @type {[[number, number], number[]][]} */
  const known = [
    [
      [1, 0],
      [0.9, 0.1],
    ],
    [
      [0, 1],
      [0.1, 0.5],
    ],
  ];
  assert.deepEqual(cosinesAt(known, 0), [0.1, 0.5]);
  assert.deepEqual(cosinesAt(known, 0.5), [0.5, 0.3]);
  assert.equal(cosinesAt(known, 1.05), null);
  assert.equal(cosinesAt(known, -0.05), null);
  assert.equal(cosinesAt([], 0.5), null);
  assert.deepEqual(largest([0.1, 0.9, 0.5], 2), [1, 2]);
});
