// The meaning of the controls: the same recipe, sentences and formula as core/recipe.py and ui/controls.py.

import { MINUS } from "./figures.js";

/** @typedef {Map<string, number>} Recipe λ of each vector; one that is not in it has λ = 0 */

const ROW_FIELDS = 2; // on, λ
const FIRST_ROW = 3; // after addition, negation, analogy

export class BadRecipeError extends Error {}

/** Where a row's λ stands among the values of all controls. @param {number} index */
export const rowPosition = (index) => FIRST_ROW + ROW_FIELDS * index + 1;

/** Where the analogy's λ stands: it is the last. @param {string[]} rows */
export const analogyPosition = (rows) => FIRST_ROW + ROW_FIELDS * rows.length + 3;

/** A finite number as Python writes a float. @param {number} x */
const pythonFloat = (x) => (Number.isInteger(x) ? x.toFixed(1) : String(x));

/** @param {number} value @param {string} what @param {number} min @param {number} max */
function checkCoefficient(value, what, min, max) {
  if (value >= min && value <= max) return;
  throw new BadRecipeError(
    `The scaling coefficient of ${what} is ${pythonFloat(value)}; it must be from ${min} to ${max}.`,
  );
}

/**
 * The least and the largest λ that a row's slider offers: addition opens those above 0, negation those below.
 * @param {any[]} values of all controls
 * @param {number} sliderMax
 * @returns {[number, number]}
 */
export const sliderRange = ([addition, negation], sliderMax) => [negation ? -sliderMax : 0, addition ? sliderMax : 0];

/**
 * Values of all controls -> recipe, sorted by name, to 4 decimals, without zeros. Throws BadRecipeError.
 * @param {any[]} values
 * @param {string[]} vectors those of the rows, "" for a row that nobody has added a vector to
 * @param {number} sliderMax
 * @returns {Recipe}
 */
export function compose(values, vectors, sliderMax) {
  const [low, high] = sliderRange(values, sliderMax);
  /** @type {Recipe} */
  const total = new Map();
  /** @param {string} name @param {number} value */
  const add = (name, value) => total.set(name, (total.get(name) ?? 0) + value);
  vectors.forEach((name, i) => {
    if (!name) return;
    const [on, coef] = values.slice(FIRST_ROW + ROW_FIELDS * i);
    const value = Number(coef || 0);
    checkCoefficient(value, "a row", -sliderMax, sliderMax);
    if (on) add(name, Math.min(Math.max(value, low), high));
  });
  if (values[2]) {
    const [a, b, c, coef] = values.slice(FIRST_ROW + ROW_FIELDS * vectors.length);
    const value = Number(coef || 0);
    if (new Set([a, b, c]).size < 3) {
      throw new BadRecipeError(
        `An analogy needs three different task vectors, not A = '${a}', B = '${b}', C = '${c}'.`,
      );
    }
    checkCoefficient(value, "an analogy", 0, sliderMax);
    add(a, -value);
    add(b, value);
    add(c, value);
  }
  const rounded = [...total.keys()].sort().map((name) => [name, Number((total.get(name) ?? 0).toFixed(4))]);
  return new Map(/** @type {[string, number][]} */ (rounded.filter(([, value]) => value !== 0)));
}

/**
 * The values of all controls with other λ for some vectors. Every other row keeps its λ, and an analogy stays as it is:
 * the rows make up the difference to it, as far as a slider goes.
 * @param {any[]} values
 * @param {string[]} vectors those of the rows
 * @param {Recipe} wanted
 * @param {number} sliderMax
 */
export function withLambdas(values, vectors, wanted, sliderMax) {
  const [low, high] = sliderRange(values, sliderMax);
  const [a, b, c, coef] = values.slice(FIRST_ROW + ROW_FIELDS * vectors.length);
  /** @type {Recipe} */
  const inAnalogy = new Map();
  if (values[2]) inAnalogy.set(a, -coef).set(b, coef).set(c, coef);
  const changed = [...values];
  vectors.forEach((name, i) => {
    const at = rowPosition(i);
    const value = wanted.get(name);
    if (value === undefined) {
      changed[at] = Math.min(Math.max(Number(values[at] || 0), low), high); // what is closed must not come back
      return;
    }
    const own = Math.min(Math.max(value - (inAnalogy.get(name) ?? 0), -sliderMax), sliderMax);
    changed[at] = Number(own.toFixed(4));
    changed[at - 1] = own !== 0;
    if (own > 0) changed[0] = true;
    if (own < 0) changed[1] = true;
  });
  return changed;
}

/**
 * The number before τ in the formula, e.g. " + 0.80 ": two decimals, up to four where two are not the value applied.
 * @param {number} value
 */
export function formulaNumber(value) {
  const size = Math.abs(value);
  const short = size.toFixed(2);
  return ` ${value < 0 ? MINUS : "+"} ${Number(short) === size ? short : size.toFixed(4).replace(/0+$/, "")} `;
}

/** @param {Recipe} recipe @param {string[]} order of the vectors */
export function formulaText(recipe, order) {
  const terms = order.filter((v) => recipe.get(v)).map((v) => `${formulaNumber(recipe.get(v) ?? 0)}τ_${v}`);
  return `θ_new = θ_pt${terms.join("")}`;
}

/**
 * The recipe as `key=value` pairs of the address.
 * @param {string} checkpoint
 * @param {Recipe} recipe
 * @returns {[string, string][]}
 */
export const recipePairs = (checkpoint, recipe) => [
  ["ckpt", checkpoint],
  ...[...recipe].map(([name, value]) => /** @type {[string, string]} */ ([name, String(value)])),
];

const FIRST_COEF = 0.5; // of a vector that is switched on at λ = 0

/**
 * gradio calls this when a vector's box is ticked: its λ, or a first one if that is 0.
 * @param {boolean} on
 * @param {number} coef
 * @param {boolean} addition
 */
export const switchedOn = (on, coef, addition) => (on && !coef ? (addition ? FIRST_COEF : -FIRST_COEF) : coef);
