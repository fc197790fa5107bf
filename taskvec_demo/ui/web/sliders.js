// The sliders of λ: where each stands among the values of all controls, its range, and the recipes on its way.

import { BadRecipeError, analogyPosition, compose, rowPosition, sliderRange } from "./recipe.js";

/** @typedef {import("./recipe.js").Recipe} Recipe */
/** @typedef {import("./chart.js").Live} Live */
/** @typedef {import("./chart.js").State} State */
/**
 * `name` of its row, "_analogy" for the analogy's; `at`: where its λ stands among the values of all controls, `on`: where
 * the box stands that switches it on.
 * @typedef {{name: string, at: number, on: number, analogy: boolean}} Slider
 */

export const ANALOGY = "_analogy";

/** All sliders of the page, the analogy's last. @param {string[]} rows @returns {Slider[]} */
export function slidersOf(rows) {
  const ofRows = rows.map((name, i) => ({ name, at: rowPosition(i), on: rowPosition(i) - 1, analogy: false }));
  return [...ofRows, { name: ANALOGY, at: analogyPosition(rows), on: 2, analogy: true }];
}

/**
 * The least and the largest λ of a slider.
 * @param {Slider} slider
 * @param {any[]} values
 * @param {number} sliderMax
 * @returns {[number, number]}
 */
export const rangeOf = (slider, values, sliderMax) =>
  slider.analogy ? [0, sliderMax] : sliderRange(values, sliderMax);

/** The λ that a slider shows: its value, within its range. @param {Slider} slider @param {any[]} values @param {number} sliderMax */
export function shownValue(slider, values, sliderMax) {
  const [low, high] = rangeOf(slider, values, sliderMax);
  return Math.min(Math.max(Number(values[slider.at] || 0), low), high);
}

/**
 * The recipes at both ends of a slider, all other controls as they are and the slider's own box on; null where they are
 * none.
 * @param {Slider} slider
 * @param {{values: any[], vectors: string[], live: Live}} state
 * @returns {{low: number, high: number, from: Recipe, to: Recipe} | null}
 */
export function wayOf(slider, { values, vectors, live }) {
  const [low, high] = rangeOf(slider, values, live.sliderMax);
  if (low === high || !(slider.analogy || vectors[live.rows.indexOf(slider.name)])) return null; // a free row
  try {
    /** @param {number} lambda */
    const at = (lambda) => compose(values.with(slider.at, lambda).with(slider.on, true), vectors, live.sliderMax);
    return { low, high, from: at(low), to: at(high) };
  } catch (error) {
    if (!(error instanceof BadRecipeError)) throw error;
    return null;
  }
}

/** The name of the vector that a slider moves. @param {Slider} slider @param {State} state */
export const vectorOf = (slider, { live, vectors }) => (slider.analogy ? "" : vectors[live.rows.indexOf(slider.name)]);

/**
 * The name of the slider with the largest |λ| of those that are on; undefined where all are off or 0.
 * @param {Iterable<Slider>} sliders
 * @param {any[]} values
 * @returns {string | undefined}
 */
export function mostMoved(sliders, values) {
  const size = (/** @type {Slider} */ slider) => (values[slider.on] ? Math.abs(Number(values[slider.at] || 0)) : 0);
  const [most] = [...sliders].sort((a, b) => size(b) - size(a));
  return most && size(most) > 0 ? most.name : undefined;
}
