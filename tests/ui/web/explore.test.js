// The panels of the tab "Explore" count as Python does.

import assert from "node:assert/strict";
import { test } from "node:test";
import { busiest, confusion, flips, movers } from "../../../taskvec_demo/ui/web/flips.js";
import { mcnemar, verdict } from "../../../taskvec_demo/ui/web/mcnemar.js";
import { AccuracyGrid, SIDE } from "../../../taskvec_demo/ui/web/plane.js";
import { load, python } from "./vectors.js";

test("McNemar's p", () => {
  for (const [lost, gained, p] of python.mcnemar) {
    const found = mcnemar(lost, gained);
    assert.ok(Math.abs(found - p) <= 1e-9 * p + 1e-300, `${lost} lost, ${gained} gained: ${found}, not ${p}`);
  }
});

test("McNemar in words", () => {
  assert.match(verdict({ lost: 0, gained: 0, n: 9 }), /very same clips/);
  assert.match(verdict({ lost: 3, gained: 4, n: 400 }), /^Not distinguishable/);
  assert.match(verdict({ lost: 2, gained: 12, n: 400 }), /^Probably better/);
  assert.match(verdict({ lost: 80, gained: 4, n: 400 }), /^Clearly worse/);
});

test("confusion, recalls and flips", () => {
  for (const { classes, labels, before, after, confusion: counts, recalls, p } of python.answers) {
    assert.deepEqual([...confusion(labels, after, classes)], counts);
    const moved = movers(labels, before, after, classes);
    for (const one of moved) assert.deepEqual([one.n, one.before, one.after], recalls[one.index]);
    assert.equal(moved.length, recalls.filter((/** @type {number[]} */ [, b, a]) => a !== b).length);
    const gains = moved.map((one) => one.after - one.before);
    assert.deepEqual(
      gains,
      gains.toSorted((a, b) => b - a),
    );
    const { lost, gained, strayed, n } = flips(labels, before, after);
    assert.ok(lost && gained && strayed && n === labels.length);
    assert.ok(Math.abs(mcnemar(lost, gained) - p) < 1e-9);
  }
});

test("a matrix that has no room shows the classes that changed", () => {
  const { classes, labels, before, after } = python.answers[0];
  const tables = [before, after].map((answers) => confusion(labels, answers, classes));
  assert.deepEqual(busiest(tables[0], tables[1], classes, classes), [0, 1, 2, 3, 4, 5, 6]);
  const some = busiest(tables[0], tables[1], classes, 3);
  assert.equal(some.length, 3);
  assert.deepEqual(busiest(new Uint32Array(9), Uint32Array.of(0, 0, 0, 0, 0, 0, 0, 0, 1), 3, 1), [2]);
});

for (const { task, file, plane } of python.surfaces) {
  test(`${task}: the map's accuracies`, () => {
    const surface = load(file);
    const grid = new AccuracyGrid(surface, plane.axes, new Map(plane.others));
    assert.ok(Number.isNaN(grid.at(0, 0)));
    const finer = [];
    for (const whole of grid.work) if (whole) finer.push(grid.values.filter((value) => !Number.isNaN(value)).length);
    assert.deepEqual(finer, [11 ** 2, 21 ** 2, SIDE ** 2]);
    for (const { at, accuracy, ties } of plane.at) {
      const [column, row] = at.map((/** @type {number} */ lambda) => Math.round(((lambda + 1) / 2) * (SIDE - 1)));
      assert.ok(Math.abs(grid.at(column, row) - accuracy) <= ties + 1e-6);
    }
    assert.ok(new Set(grid.values).size > 1); // vectors of other tasks hardly move one
  });
}

test("a coarse map answers with the nearest point that is known", () => {
  const { file, plane } = python.surfaces[0];
  const grid = new AccuracyGrid(load(file), plane.axes, new Map());
  grid.values[0] = 0.25;
  assert.deepEqual([grid.at(0, 0), grid.at(1, 1), grid.at(1, 0)], [0.25, 0.25, 0.25]);
  assert.ok(Number.isNaN(grid.at(2, 2)));
});
