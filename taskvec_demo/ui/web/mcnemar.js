// McNemar's exact test, as core/intervals.py has it, and what it says in words.

/** @typedef {{lost: number, gained: number, n: number}} Flips clips that one model alone has right, of n */

const CHANCE = 0.05; // a smaller p is called a difference
const CLEAR = 0.001;

/**
 * Two-sided p that two models are equally often right: k or fewer of all clips that only one of them has right, by fair
 * coin. Without such clips p = 1.
 * @param {number} onlyA
 * @param {number} onlyB
 */
export function mcnemar(onlyA, onlyB) {
  const [n, k] = [onlyA + onlyB, Math.min(onlyA, onlyB)];
  if (2 * k === n) return 1;
  let log = -n * Math.LN2;
  let total = 0;
  for (let i = 0; i <= k; i++) {
    if (i) log += Math.log((n - i + 1) / i);
    total += Math.exp(log);
  }
  return Math.min(2 * total, 1);
}

/** @param {number} p */
export const pText = (p) => (p < 0.001 ? "p < 0.001" : `p = ${p.toFixed(3)}`);

/** @param {Flips} flips */
export function verdict({ lost, gained }) {
  if (!lost && !gained) return "Right on the very same clips as the pre-trained model";
  const p = mcnemar(lost, gained);
  if (p >= CHANCE) return "Not distinguishable from the pre-trained model";
  return `${p < CLEAR ? "Clearly" : "Probably"} ${gained > lost ? "better" : "worse"} than the pre-trained model`;
}
