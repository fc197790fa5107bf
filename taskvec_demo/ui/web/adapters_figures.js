// What the adapters' study measured, and the best way to spend a budget on some of its tasks.

/**
 * A measured way to solve a task: `price` is λ, `widths` are the open channels of each layer.
 * @typedef {{accuracy: number, low: number, high: number}} Accuracy
 * @typedef {{name: string, kind: string, measure: string, price: number | null, parameters: number, flops: number,
 *   widths: number[], validation: Accuracy, test: Accuracy}} Point
 * @typedef {{name: string, title: string, n: {validation: number, test: number}, points: Point[]}} Task
 * @typedef {{tasks: Task[], widths: number[], tower: {parameters: number, flops: number}}} Contents
 * @typedef {"parameters" | "flops"} Measure
 */
/** A way for each of some tasks: what it costs, its mean validation accuracy. @typedef {{cost: number, mean: number, points: Point[]}} Sum */

const BUDGETED = ["zero-shot", "multi-head", "adapter"]; // what shares one pass of the frozen tower
const RIVALS = ["zero-shot", "multi-head", "open", "single-task", "vector"];
const EPSILON = 1e-12;

/**
 * Every sum that no cheaper one matches, by cost. Tasks are added one by one, and what another sum beats at no higher cost
 * is dropped, so that it is exact (a multiple-choice knapsack); the same as lab/studies/adapters/budget.py.
 * @param {Task[]} tasks
 * @param {Measure} measure
 * @returns {Sum[]}
 */
export function frontier(tasks, measure) {
  /** @type {Sum[]} */
  let sums = [{ cost: 0, mean: 0, points: [] }];
  for (const task of tasks) {
    const offers = task.points.filter(({ kind }) => BUDGETED.includes(kind));
    const added = sums.flatMap(({ cost, mean, points }) =>
      offers.map((point) => ({
        cost: cost + point[measure],
        mean: mean + point.validation.accuracy / tasks.length,
        points: [...points, point],
      })),
    );
    sums = undominated(added);
  }
  return sums;
}

/** @param {Sum[]} sums @returns {Sum[]} */
function undominated(sums) {
  /** @type {Sum[]} */
  const kept = [];
  for (const sum of sums.sort((a, b) => a.cost - b.cost || b.mean - a.mean)) {
    if (!kept.length || sum.mean > kept[kept.length - 1].mean + EPSILON) kept.push(sum);
  }
  return kept;
}

/** The place of the best sum within a budget; the cheapest one where nothing else fits. @param {Sum[]} sums @param {number} budget */
export function within(sums, budget) {
  let found = 0;
  while (found + 1 < sums.length && sums[found + 1].cost <= budget * (1 + EPSILON)) found++; // a dial rounds
  return found;
}

/**
 * Tasks that all take the point of one name, as a sum.
 * @param {Task[]} tasks
 * @param {string} name
 * @param {Measure} measure
 * @returns {Sum | null} null where a task has no such point
 */
export function together(tasks, name, measure) {
  const points = tasks.flatMap((task) => task.points.filter((point) => point.name === name));
  if (!points.length || points.length < tasks.length) return null;
  const total = points.reduce((cost, point) => cost + point[measure], 0);
  return { cost: total, mean: mean(points.map(({ validation }) => validation.accuracy)), points };
}

/**
 * Every task under its own vector; one without a vector, as the control is, stays zero-shot. A vector changes the tower, so
 * that every model but the first needs one more pass of it.
 * @param {Contents} contents
 * @param {Task[]} tasks
 * @param {Measure} measure
 * @returns {Sum | null} null where no task has a vector
 */
export function vectors({ tower }, tasks, measure) {
  const own = tasks.filter(({ points }) => points.some(({ name }) => name === "vector"));
  const chosen = tasks.map((task) => ({
    ...task,
    points: task.points
      .filter(({ name }) => name === (own.includes(task) ? "vector" : "zero-shot"))
      .map((point) => ({ ...point, name: "vector" })),
  }));
  const sum = own.length ? together(chosen, "vector", measure) : null;
  if (!sum) return null;
  const models = own.length + Number(own.length < tasks.length);
  return measure === "flops" ? { ...sum, cost: sum.cost + tower.flops * (models - 1) } : sum;
}

/** The rivals that all of these tasks have, by kind. @param {Contents} contents @param {Task[]} tasks @param {Measure} measure */
export function rivals(contents, tasks, measure) {
  return RIVALS.flatMap((kind) => {
    const sum = kind === "vector" ? vectors(contents, tasks, measure) : together(tasks, kind, measure);
    return sum ? [{ kind, ...sum }] : [];
  });
}

/** What one price for all tasks gives, price by price. @param {Task[]} tasks @param {Measure} measure */
export function priced(tasks, measure) {
  const names = tasks[0]?.points.filter((point) => point.measure === measure).map(({ name }) => name) ?? [];
  return names.flatMap((name) => {
    const sum = together(tasks, name, measure);
    return sum ? [{ kind: "priced", price: sum.points[0].price, ...sum }] : [];
  });
}

/**
 * The mean over tasks of a split's accuracy, with its 95 % interval: tasks are given, clips are drawn. It is made of the
 * intervals of the single tasks (MOVER, Zou & Donner 2008), so of one task it is that task's own.
 * @param {Point[]} points
 * @param {"validation" | "test"} split
 */
export function meanAccuracy(points, split) {
  const own = points.map((point) => point[split]);
  const middle = mean(own.map(({ accuracy }) => accuracy));
  const below = Math.hypot(...own.map(({ accuracy, low }) => accuracy - low)) / own.length;
  const above = Math.hypot(...own.map(({ accuracy, high }) => high - accuracy)) / own.length;
  return { mean: middle, low: middle - below, high: middle + above };
}

/** @param {number[]} values */
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** A count as it is read: 950, 12.3 k, 4.56 M, 1.2 G. @param {number} count */
export function short(count) {
  const sizes = /** @type {[number, string][]} */ ([
    [1e9, " G"],
    [1e6, " M"],
    [1e3, " k"],
  ]);
  const [unit, name] = sizes.find(([size]) => count >= 0.9995 * size) ?? [1, ""];
  const value = count / unit;
  return `${unit === 1 ? Math.round(value) : value.toPrecision(3)}${name}`;
}

/**
 * The scale of costs: logarithmic from the least cost that is not 0; what costs nothing lies at 0, apart.
 * @param {number[]} costs
 */
export function costScale(costs) {
  const positive = costs.filter((cost) => cost > 0);
  const [low, high] = positive.length ? [Math.min(...positive), Math.max(...positive)] : [1, 10];
  const [from, to] = [Math.log(low), Math.log(Math.max(high, 1.01 * low))];
  return {
    low,
    high: Math.exp(to),
    /** @param {number} cost above 0 @returns {number} 0 at the least cost, 1 at the highest */
    share: (cost) => (Math.log(cost) - from) / (to - from),
    /** @param {number} share @returns {number} */
    cost: (share) => Math.exp(from + share * (to - from)),
  };
}
