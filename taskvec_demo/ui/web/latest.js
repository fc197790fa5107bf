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
 * What gradio says of the controls: the names of added vectors, the values of all controls. It tells of
 * stories, undo, number boxes, boxes to tick and the address; while a slider moves the chart itself knows first.
 * @type {Latest<any[]>}
 */
export const controls = new Latest();

/**
 * Values of all controls that a part of the page shows before gradio knows them: while the marker of a map is dragged.
 * @type {Latest<any[]>}
 */
export const previewed = new Latest();

/**
 * Values that gradio is to set all controls to: a recipe of a table, or where the marker of a map came to rest.
 * @type {Latest<any[]>}
 */
export const wanted = new Latest();

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

/**
 * The chart's state whenever the controls have come to rest at a recipe, the first time when the page opens.
 * @type {Latest<import("./chart.js").State>}
 */
export const settled = new Latest();

/**
 * What gradio says once the recipe of the address, if there is one, is on the controls: added vectors and all values.
 * @type {Latest<any[]>}
 */
export const opened = new Latest();

/** What the server says while it builds the edited model. @type {Latest<string>} */
export const modelProgress = new Latest();

// Gradio's event handlers call these.

/** @param {...any} values @returns {never[]} no output */
export const handOver = (...values) => give(controls, values);

/** @param {...any} values @returns {never[]} no output */
export const handOpened = (...values) => give(opened, values);

/** @param {string} sentence @returns {never[]} no output */
export const tellProgress = (sentence) => give(modelProgress, sentence);

/** @template T @param {Latest<T>} to @param {T} value @returns {never[]} */
function give(to, value) {
  to.give(value);
  return [];
}
