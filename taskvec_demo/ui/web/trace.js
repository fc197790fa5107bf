// Reading the answer of the edited model from a trace: probabilities of one clip at points along λ of a slider.

/**
 * The trace is of the recipe `rest` plus λ, with its sign, of each vector in `signs`. `probabilities`: for each label that
 * is on top somewhere, one at each λ. Of a long clip only the `first_seconds` were heard.
 * @typedef {{serial?: number, signs: Record<string, number>, rest: Record<string, number>, lambdas: number[],
 *   labels: string[], probabilities: number[][], first_seconds?: number | null}} Trace
 */

const SAME = 1e-4; // between two λ: recipes are rounded to 4 decimals

/**
 * The most probable label of a recipe, between the points of the trace around its λ; null where the trace is of other
 * recipes.
 * @param {Trace | null} trace
 * @param {import("./recipe.js").Recipe} recipe
 * @returns {[string, number] | null}
 */
export function answerAt(trace, recipe) {
  if (!trace) return null;
  const { signs, rest, lambdas, labels, probabilities } = trace;
  /** @param {string} name */
  const beyondRest = (name) => (recipe.get(name) ?? 0) - (rest[name] ?? 0);
  const [[first, sign]] = Object.entries(signs);
  const lambda = beyondRest(first) / sign;
  const names = new Set([...recipe.keys(), ...Object.keys(rest), ...Object.keys(signs)]);
  const same = [...names].every((name) => Math.abs(beyondRest(name) - lambda * (signs[name] ?? 0)) < SAME);
  if (!same || lambda < lambdas[0] - SAME || lambda > lambdas[lambdas.length - 1] + SAME) return null;
  const found = lambdas.findIndex((value) => value >= lambda);
  const above = Math.max(found < 0 ? lambdas.length - 1 : found, 1);
  const share = (lambda - lambdas[above - 1]) / (lambdas[above] - lambdas[above - 1]);
  const now = probabilities.map((p) => p[above - 1] + share * (p[above] - p[above - 1]));
  const best = now.indexOf(Math.max(...now));
  return [labels[best], now[best]];
}
