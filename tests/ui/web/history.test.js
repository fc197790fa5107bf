// Undo and redo: steps are recipes, however fast the buttons are clicked.

import assert from "node:assert/strict";
import test from "node:test";

import { History } from "../../../taskvec_demo/ui/web/history.js";

/** @param {number} lambda @param {string} [mark] distinguishes values that mean the same recipe */
const step = (lambda, mark = "") => ({
  recipe: new Map(lambda ? [["a", lambda]] : []),
  values: [lambda, mark],
  vectors: ["a"],
});
/** @param {History} history */
const steps = (history) => history.steps.map(({ values }) => values[0]);
/** @param {...number} lambdas */
function settled(...lambdas) {
  const history = new History();
  for (const lambda of lambdas) history.settle(step(lambda));
  return history;
}

test("values that mean the recipe of the last step replace it", () => {
  const history = settled(0.1, 0.2);
  history.settle(step(0.2, "newer"));
  assert.deepEqual(steps(history), [0.1, 0.2]);
  assert.equal(history.present?.values[1], "newer");
});

test("undo and redo go through all steps and stop at both ends", () => {
  const history = settled(0.1, 0.2, 0.3);
  const shown = [-1, -1, -1, 1, 1, 1].map((by) => history.move(by)?.values[0]);
  assert.deepEqual(shown, [0.2, 0.1, undefined, 0.2, 0.3, undefined]);
  assert.equal(new History().move(-1), null);
});

test("a new step takes the place of those that redo would go to", () => {
  const history = settled(0.1, 0.2, 0.3);
  history.move(-1);
  history.settle(step(0.9));
  assert.deepEqual(steps(history), [0.1, 0.2, 0.9]);
  assert.equal(history.canMove(1), false);
});

test("the page may tell late of a step that undo has left", () => {
  const history = settled(0.1, 0.2, 0.3);
  history.move(-1);
  history.move(-1); // before 0.2 could settle
  history.settle(step(0.3));
  history.settle(step(0.2));
  assert.equal(history.present?.values[0], 0.1);
  history.settle(step(0.1)); // it has arrived
  history.settle(step(0.2)); // so this is the visitor's own choice
  assert.deepEqual(steps(history), [0.1, 0.2]);
});

test("the list has every recipe once, the last tried one at its end", () => {
  const history = settled(0.1, 0.2, 0, 0.1);
  history.move(-1);
  history.settle(step(0));
  history.settle(step(0.4));
  assert.deepEqual(
    [...history.tried.values()].map(({ values }) => values[0]),
    [0.2, 0.1, 0, 0.4],
  );
});

test("the oldest steps are forgotten", () => {
  const history = settled(...Array.from({ length: 130 }, (_, i) => i / 200));
  assert.equal(history.steps.length, 100);
  assert.equal(history.tried.size, 100);
  assert.equal(history.present?.values[0], 129 / 200);
  assert.equal(history.steps[0].values[0], 30 / 200);
});
