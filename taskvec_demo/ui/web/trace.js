// Reading the answer of the edited model from a trace: probabilities of one clip at points along λ of one vector.

/**
 * `others`: λ of the other vectors. `probabilities`: for each label that is on top somewhere, one at each λ.
 * @typedef {{serial?: number, vector: string, others: Record<string, number>, lambdas: number[], labels: string[],
 *   probabilities: number[][]}} Trace
 */

/**
 * The most probable label of a recipe, between the points of the trace around its λ; null where the trace is of other
 * recipes.
 * @param {Trace | null} trace
 * @param {import("./recipe.js").Recipe} recipe
 * @returns {[string, number] | null}
 */
export function answerAt(trace, recipe) {
  if (!trace) return null;
  const { vector, others, lambdas, labels, probabilities } = trace;
  const rest = [...recipe].filter(([name]) => name !== vector);
  const same = rest.length === Object.keys(others).length && rest.every(([name, value]) => others[name] === value);
  const lambda = recipe.get(vector) ?? 0;
  if (!same || lambda < lambdas[0] || lambda > lambdas[lambdas.length - 1]) return null;
  const above = Math.max(
    lambdas.findIndex((value) => value >= lambda),
    1,
  );
  const share = (lambda - lambdas[above - 1]) / (lambdas[above] - lambdas[above - 1]);
  const now = probabilities.map((p) => p[above - 1] + share * (p[above] - p[above - 1]));
  const best = now.indexOf(Math.max(...now));
  return [labels[best], now[best]];
}
