// The budget of the adapters: the best way to spend it, rivals, and numbers as they are read.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  costScale,
  frontier,
  meanAccuracy,
  priced,
  rivals,
  short,
  vectors,
  within,
} from "../../../taskvec_demo/ui/web/adapters_figures.js";
import { Budget } from "../../../taskvec_demo/ui/web/adapters_study.js";

/** Numbers from 0 to 1, always the same. @param {number} seed */
function numbers(seed) {
  return () => (seed = (seed * 16807) % 2147483647) / 2147483647;
}

const KINDS = ["zero-shot", "multi-head", "adapter", "adapter", "single-task", "vector"];
const NAMES = ["zero-shot", "multi-head", "parameters 1", "open", "single-task", "vector"];

/** @param {number} n @param {number} seed @returns {import("../../../taskvec_demo/ui/web/adapters_figures.js").Task[]} */
function madeTasks(n, seed) {
  const next = numbers(seed);
  const share = () => ({ accuracy: Math.round(100 * next()) / 100, low: 0, high: 1 });
  return Array.from({ length: n }, (_, t) => ({
    name: `t${t}`,
    title: `T${t}`,
    n: { validation: 50, test: 100 },
    points: NAMES.map((name, i) => ({
      name,
      kind: KINDS[i],
      measure: i === 2 ? "parameters" : "",
      price: i === 2 ? 1 : null,
      parameters: Math.floor(90 * next()),
      flops: Math.floor(900 * next()),
      widths: [1],
      validation: share(),
      test: share(),
    })),
  }));
}

/** Every choice of one budgeted point a task. @param {ReturnType<typeof madeTasks>} tasks */
function everyWay(tasks) {
  return tasks.reduce(
    (ways, task) => ways.flatMap((way) => task.points.slice(0, 4).map((point) => [...way, point])),
    /** @type {import("../../../taskvec_demo/ui/web/adapters_figures.js").Point[][]} */ ([[]]),
  );
}

for (const measure of /** @type {const} */ (["parameters", "flops"])) {
  test(`a budget in ${measure} is spent in the best of all ways`, () => {
    for (const seed of [1, 2, 3]) {
      const tasks = madeTasks(4, seed);
      const sums = frontier(tasks, measure);
      const ways = everyWay(tasks).map((points) => ({
        cost: points.reduce((sum, point) => sum + point[measure], 0),
        mean: points.reduce((sum, { validation }) => sum + validation.accuracy, 0) / points.length,
      }));
      for (const budget of [sums[0].cost, 100, 200, 500, 2000]) {
        const best = Math.max(...ways.filter(({ cost }) => cost <= budget).map(({ mean }) => mean), 0);
        const found = sums[within(sums, budget)];
        if (!best) continue;
        assert.ok(found.cost <= budget);
        assert.ok(Math.abs(found.mean - best) < 1e-9, `${found.mean} is not ${best}`);
        assert.equal(found.points.length, 4);
      }
      sums.slice(1).forEach(({ cost, mean }, i) => assert.ok(cost > sums[i].cost && mean > sums[i].mean));
    }
  });
}

test("twenty tasks are no trouble", () => {
  const tasks = madeTasks(20, 5);
  const began = performance.now();
  const sums = frontier(tasks, "flops");
  assert.ok(sums.length > 20);
  assert.ok(performance.now() - began < 5000);
});

test("each further task vector costs one more pass of the tower, and so does the model of tasks without one", () => {
  const tasks = madeTasks(3, 7);
  const contents = { tasks, widths: [1], tower: { parameters: 1000, flops: 50_000 } };
  const heads = tasks.reduce((sum, { points }) => sum + points[5].flops, 0);
  assert.equal(vectors(contents, tasks, "flops")?.cost, heads + 2 * 50_000);
  assert.equal(vectors(contents, tasks.slice(0, 1), "flops")?.cost, tasks[0].points[5].flops);
  tasks[2].points.pop();
  const some = vectors(contents, tasks, "parameters");
  assert.equal(
    some?.cost,
    tasks[0].points[5].parameters + tasks[1].points[5].parameters + tasks[2].points[0].parameters,
  );
  const without = heads - madeTasks(3, 7)[2].points[5].flops + tasks[2].points[0].flops;
  assert.equal(vectors(contents, tasks, "flops")?.cost, without + 2 * 50_000);
  assert.equal(vectors(contents, tasks.slice(2), "flops"), null);
});

test("a rival that a ticked task lacks is not drawn", () => {
  const tasks = madeTasks(2, 8);
  const contents = { tasks, widths: [1], tower: { parameters: 1, flops: 1 } };
  const kinds = () => rivals(contents, tasks, "parameters").map(({ kind }) => kind);
  assert.deepEqual(kinds(), ["zero-shot", "multi-head", "open", "single-task", "vector"]);
  tasks[1].points = tasks[1].points.filter(({ name }) => name !== "single-task");
  assert.deepEqual(kinds(), ["zero-shot", "multi-head", "open", "vector"]);
  assert.deepEqual(
    priced(tasks, "parameters").map(({ price }) => price),
    [1],
  );
  assert.deepEqual(priced(tasks, "flops"), []);
  assert.deepEqual(priced([], "flops"), []);
});

test("the interval of a mean is that of its one task, stays within 0 and 1, and halves with four times the tasks", () => {
  const [task] = madeTasks(1, 9);
  const one = { accuracy: 0.97, low: 0.9, high: 0.99 };
  const of = (/** @type {number} */ tasks) => meanAccuracy(Array(tasks).fill({ ...task.points[0], test: one }), "test");
  const close = (/** @type {number} */ a, /** @type {number} */ b) => assert.ok(Math.abs(a - b) < 1e-12, `${a} ${b}`);
  close(of(1).mean, one.accuracy);
  close(of(1).low, one.low);
  close(of(1).high, one.high);
  close(of(4).mean - of(4).low, (one.accuracy - one.low) / 2);
  close(of(4).high - of(4).mean, (one.high - one.accuracy) / 2);
});

test("counts are read with three digits", () => {
  assert.deepEqual([0, 950, 12_345, 999_600, 4_560_000, 1.2e9].map(short), [
    "0",
    "950",
    "12.3 k",
    "1.00 M",
    "4.56 M",
    "1.20 G",
  ]);
});

test("the scale of costs goes from the least to the highest and back", () => {
  const scale = costScale([0, 10, 1000, 100]);
  [10, 100, 1000].forEach((cost, i) => assert.ok(Math.abs(scale.share(cost) - i / 2) < 1e-12));
  for (const share of [0, 0.3, 1]) assert.ok(Math.abs(scale.share(scale.cost(share)) - share) < 1e-12);
  assert.ok(Number.isFinite(costScale([]).share(costScale([]).cost(0.5))));
});

test("other tasks leave a budget of nothing at nothing", () => {
  /** @type {number[]} */
  const went = [];
  const budget = {
    dial: { value: "0", max: "100" },
    scaled: costScale([0, 10, 1000]),
    scale: costScale([0, 10, 1000]),
    budget: 0,
    ticked: [],
    draw() {},
    go: (/** @type {number} */ budget) => went.push(budget),
  };
  Budget.prototype.choose.call(/** @type {any} */ (budget));
  budget.scaled = costScale([0, 10, 1000]);
  budget.budget = 100;
  Budget.prototype.choose.call(/** @type {any} */ (budget));
  assert.equal(went[0], 0);
  assert.ok(Math.abs(went[1] - 100) < 1e-9);
});
