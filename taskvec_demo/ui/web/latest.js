// Values that one part of the page hands to others. Either side may come first.

/** @template T */
export class Latest {
  constructor() {
    this.value = /** @type {T | null} */ (null);
    this.followers = /** @type {((value: T) => void)[]} */ ([]);
  }

  /** @param {T} value */
  give(value) {
    this.value = value;
    for (const follower of this.followers) follower(value);
  }

  /** @param {(value: T) => void} follower is called with every value from now on, and with the present one if any */
  follow(follower) {
    this.followers.push(follower);
    if (this.value !== null) follower(this.value);
  }
}

/**
 * What gradio says of the controls: the curve's axis, the names of added vectors, the values of all controls. It tells
 * of presets, undo, number boxes, boxes to tick and the address; while a slider moves the chart itself knows first.
 * @type {Latest<any[]>}
 */
export const controls = new Latest();

/**
 * Figures that the server measured just now, by task: clips a class and how many of them each model has right.
 * @typedef {{n: number[], before: number[], after: number[]}} Counts
 * @typedef {{query: string, source: string, tasks: Map<string, Counts>}} ExactFigures
 * @type {Latest<ExactFigures>}
 */
export const exactFigures = new Latest();

/**
 * The chart's state after every redraw: other charts follow it.
 * @type {Latest<import("./chart.js").State>}
 */
export const drawn = new Latest();

/** gradio's event handlers call this. @param {...any} values @returns {never[]} no output */
export function handOver(...values) {
  controls.give(values);
  return [];
}
