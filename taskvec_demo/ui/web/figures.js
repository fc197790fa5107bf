// Numbers as the page writes them, and their intervals: the same as taskvec_demo/core/evaluation.py and intervals.py.

export const MINUS = "\u2212";

/**
 * A number with a minus sign, which is no hyphen: "−0.90".
 * @param {number} value
 * @param {number} [decimals] as many as it needs, up to two, where this is left out
 */
export function numberText(value, decimals) {
  const rounded = Number(value.toFixed(decimals ?? 2)) + 0; // no negative zero
  return (decimals === undefined ? String(rounded) : rounded.toFixed(decimals)).replace("-", MINUS);
}

/** A change with its sign: "+3", "−3", "±0". @param {number} change whole points or clips */
export const changeText = (change) => (change > 0 ? "+" : change < 0 ? "" : "±") + numberText(change);

/** @param {number} share of 1 @returns {number} whole percent, halves upwards */
export const percent = (share) => Math.floor(100 * share + 0.5);

/** @param {number} share of 1 @returns {string} points to one decimal, halves upwards */
export const points = (share) => (Math.floor(1000 * share + 0.5) / 10).toFixed(1);

/** @param {Iterable<number>} counts @returns {number} */
export function sum(counts) {
  let total = 0;
  for (const count of counts) total += count;
  return total;
}

/**
 * 95 % score interval of k successes of n.
 * @param {number} k
 * @param {number} n
 * @returns {[number, number]}
 */
export function wilson(k, n) {
  const z = 1.959964;
  const [centre, scale] = [k + (z * z) / 2, n + z * z];
  const half = z * Math.sqrt((k * (n - k)) / Math.max(n, 1) + (z * z) / 4);
  return [k === 0 ? 0 : (centre - half) / scale, k === n ? 1 : (centre + half) / scale];
}
