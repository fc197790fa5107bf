// The measured figures of a dial between two vectors, and what lies between the measured points.

/**
 * @typedef {{name: string, domain: string}} DialTask
 * @typedef {{tasks: DialTask[], dial: {speech: number[], accuracy: Record<string, number[]>},
 *   plane: {axis: number[], accuracy: Record<string, number[]>}, fixed: Record<string, Record<string, number>>,
 *   chosen: Record<string, [number, number]>}} Contents of study.json
 * λ of speech and λ of music.
 * @typedef {[number, number]} Point
 */

/**
 * The place of a value on an axis: the point below, and the share of the way to the next one.
 * @param {number[]} axis in order
 * @param {number} value
 * @returns {[number, number]}
 */
function placeOn(axis, value) {
  const last = axis.length - 1;
  const inside = Math.min(Math.max(value, axis[0]), axis[last]);
  const above = axis.findIndex((at) => at >= inside);
  const below = Math.max(above - 1, 0);
  return [below, last ? (inside - axis[below]) / (axis[below + 1] - axis[below]) : 0];
}

/** @param {number[]} axis @param {number} value @returns {number} */
const nearestOn = (axis, value) => axis.reduce((a, b) => (Math.abs(b - value) < Math.abs(a - value) ? b : a));

export class DialFigures {
  /** @param {Contents} contents */
  constructor(contents) {
    this.contents = contents;
    this.tasks = contents.tasks;
    this.dial = contents.dial.speech;
    this.axis = contents.plane.axis;
    this.domains = [...new Set(this.tasks.map(({ domain }) => domain))];
  }

  /** Accuracy of a task on the dial, linear between measured points. @param {string} task @param {number} speech λ */
  along(task, speech) {
    const values = this.contents.dial.accuracy[task];
    const [i, share] = placeOn(this.dial, speech);
    return share ? values[i] + share * (values[i + 1] - values[i]) : values[i];
  }

  /** The same over the plane, linear in both λ. @param {string} task @param {Point} at */
  over(task, [speech, music]) {
    const values = this.contents.plane.accuracy[task];
    const n = this.axis.length;
    const [[i, x], [j, y]] = [placeOn(this.axis, speech), placeOn(this.axis, music)];
    /** @param {number} row @param {number} column */
    const value = (row, column) => values[Math.min(row, n - 1) * n + Math.min(column, n - 1)];
    const low = value(j, i) + x * (value(j, i + 1) - value(j, i));
    const high = value(j + 1, i) + x * (value(j + 1, i + 1) - value(j + 1, i));
    return low + y * (high - low);
  }

  /** @param {string} task @param {Point} at @param {boolean} free whether both λ are set by themselves */
  accuracy(task, at, free) {
    return free ? this.over(task, at) : this.along(task, at[0]);
  }

  /** The mean over the tasks of a domain. @param {string} domain @param {(task: string) => number} accuracy */
  mean(domain, accuracy) {
    const own = this.tasks.filter((task) => task.domain === domain);
    return own.reduce((total, { name }) => total + accuracy(name), 0) / own.length;
  }

  /** The measured point next to this one. @param {Point} at @param {boolean} free @returns {Point} */
  measured([speech, music], free) {
    if (free) return [nearestOn(this.axis, speech), nearestOn(this.axis, music)];
    const nearest = nearestOn(this.dial, speech);
    return [nearest, rounded(1 - nearest)];
  }

  /** The measured point one step away. @param {number} value λ @param {number} way 1 or −1 @param {boolean} free */
  step(value, way, free) {
    const axis = free ? this.axis : this.dial;
    const at = axis.indexOf(nearestOn(axis, value)) + way;
    return axis[Math.min(Math.max(at, 0), axis.length - 1)];
  }
}

/** λ without the rounding errors of sums. @param {number} value */
export const rounded = (value) => Math.round(value * 1e4) / 1e4;

/**
 * Cosines between two points of the dial, or null where the known points do not enclose it.
 * @param {[Point, number[]][]} known answers on the dial
 * @param {number} speech λ
 * @returns {number[] | null}
 */
export function cosinesAt(known, speech) {
  const sorted = known.toSorted(([a], [b]) => a[0] - b[0]);
  const above = sorted.findIndex(([[at]]) => at >= speech);
  if (above < 0 || (above === 0 && sorted[0][0][0] !== speech)) return null;
  const [[high], after] = sorted[above];
  if (high === speech) return after;
  const [[low], before] = sorted[above - 1];
  const share = (speech - low) / (high - low);
  return before.map((value, i) => value + share * (after[i] - value));
}

/** Indices of the `n` largest values, the largest first. @param {number[]} values @param {number} n */
export function largest(values, n) {
  return values
    .map((_, i) => i)
    .sort((a, b) => values[b] - values[a])
    .slice(0, n);
}
