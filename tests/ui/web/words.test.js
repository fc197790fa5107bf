// Figures and the badge are worded as in Python.

import assert from "node:assert/strict";
import { test } from "node:test";
import { badgeText, gapText } from "../../../taskvec_demo/ui/web/badge.js";
import { changeText, numberText, percent, wilson } from "../../../taskvec_demo/ui/web/figures.js";
import { Latest } from "../../../taskvec_demo/ui/web/latest.js";
import { spread } from "../../../taskvec_demo/ui/web/spread.js";
import { answerAt } from "../../../taskvec_demo/ui/web/trace.js";
import { aimOf, verdict } from "../../../taskvec_demo/ui/web/verdict.js";
import { python } from "./vectors.js";

test("intervals and percentages", () => {
  for (const [k, n, low, high] of python.wilson) {
    const found = wilson(k, n);
    assert.ok(Math.abs(found[0] - low) < 1e-9 && Math.abs(found[1] - high) < 1e-9, `${k} of ${n}`);
  }
  for (const [share, whole] of python.percent) assert.equal(String(percent(share)), whole);
});

test("a minus sign is no hyphen, and nothing is below zero by nothing", () => {
  assert.deepEqual(
    [numberText(-0.9, 2), numberText(-0.9), numberText(1, 2), numberText(1)],
    ["−0.90", "−0.9", "1.00", "1"],
  );
  assert.deepEqual([numberText(-0.001, 2), numberText(-0), numberText(-1.5e-9)], ["0.00", "0", "0"]);
  assert.deepEqual([3, -3, 0].map(changeText), ["+3", "−3", "±0"]);
});

test("names keep their order and their distance, and stay near to where they belong", () => {
  assert.deepEqual(spread([], 13, 0, 100), []);
  assert.deepEqual(spread([10, 40, 90], 13, 0, 100), [10, 40, 90]);
  assert.deepEqual(spread([50, 50], 12, 0, 100), [44, 56]);
  assert.deepEqual(spread([1, 2, 99, 99], 10, 0, 100), [0, 10, 90, 100]);
  assert.deepEqual(spread([30, 32, 46], 10, 0, 100), [26, 36, 46]);
  const many = spread([5, 6, 6, 7, 50, 51, 70, 98], 13, 0, 100);
  assert.ok(many.every((x, i) => (i === 0 ? x >= 0 : x - many[i - 1] >= 13 - 1e-9)) && many[7] <= 100, many.join());
});

test("the badge", () => {
  for (const { errors, text } of python.badges) {
    assert.equal(badgeText(errors), text);
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

test("the verdicts are Python's", () => {
  for (const { aim, role, before, after, interval, finetuned, word, state } of python.verdicts) {
    const task = { name: "t", role, finetuned, controlKept: python.controlKept };
    assert.deepEqual(verdict(aim, task, before, after, interval), { word, state }, `${aim} ${role} ${before} ${after}`);
  }
  const words = new Set(python.verdicts.map((/** @type {any} */ { word }) => word));
  assert.ok(words.size > 8, [...words].join());
});

test("an edit is about the tasks that its vectors were trained on, and never about the control", () => {
  const tasks = { urban: "urban", sad: "voices", constructor: "urban" };
  /** @param {string} name @param {[string, number][]} recipe */
  const aim = (name, recipe, role = "target") =>
    aimOf({ name, role, finetuned: null, controlKept: 0.95 }, new Map(recipe), tasks);
  assert.equal(aim("urban", [["urban", -0.5]]), "forget");
  assert.equal(aim("urban", [["urban", 0.5]], "control"), "hold");
  assert.equal(
    aim("urban", [
      ["sad", 0.5],
      ["toString", 1],
    ]),
    "hold",
  );
  assert.equal(
    aim("urban", [
      ["urban", -0.2],
      ["constructor", 0.7],
    ]),
    "learn",
  );
});

test("a trace is read between its points, and for no other recipe", () => {
  const trace = {
    signs: { urban: 1 },
    rest: { music: 0.5 },
    lambdas: [-1, 0, 1],
    labels: ["a siren", "rain"],
    probabilities: [
      [0.2, 0.4, 0.9],
      [0.6, 0.5, 0.1],
    ],
  };
  /** @param {[string, number][]} recipe */
  const at = (...recipe) => answerAt(trace, new Map(recipe))?.map((x) => (typeof x === "number" ? x.toFixed(3) : x));
  assert.deepEqual(at(["urban", -1], ["music", 0.5]), ["rain", "0.600"]);
  assert.deepEqual(at(["music", 0.5]), ["rain", "0.500"]); // λ = 0
  assert.deepEqual(at(["urban", 0.5], ["music", 0.5]), ["a siren", "0.650"]);
  assert.equal(at(["urban", 0.5]), undefined);
  assert.equal(at(["urban", 0.5], ["music", 0.4]), undefined);
  assert.equal(at(["urban", 1.2], ["music", 0.5]), undefined);
  assert.equal(answerAt(null, new Map()), null);
});

test("a trace along an analogy is of three vectors that move together, on top of the others", () => {
  const trace = {
    signs: { a: -1, b: 1, c: 1 },
    rest: { b: 0.25, music: 0.5 },
    lambdas: [0, 0.5, 1],
    labels: ["a siren", "rain"],
    probabilities: [
      [0.2, 0.4, 0.9],
      [0.6, 0.5, 0.1],
    ],
  };
  /** @param {Record<string, number>} recipe */
  const at = (recipe) => answerAt(trace, new Map(Object.entries(recipe)))?.[0];
  assert.equal(at({ b: 0.25, music: 0.5 }), "rain"); // λ = 0
  assert.equal(at({ a: -1, b: 1.25, c: 1, music: 0.5 }), "a siren");
  assert.equal(at({ a: -0.5, b: 0.75, c: 0.5 }), undefined); // without the music
  assert.equal(at({ a: -1, b: 1.25, c: 0.9, music: 0.5 }), undefined);
  assert.equal(at({ a: 0.5, b: -0.25, c: -0.5, music: 0.5 }), undefined); // λ below 0
});
