// The clip along λ, in the elements of ui/html/trace_svg.py: the line at the λ that is set follows the slider, and the
// legend says the probabilities there, or where the pointer is.

import { find, write } from "./dom.js";
import { numberText } from "./figures.js";
import { drawn } from "./latest.js";

/**
 * `values`: probabilities (label, λ); `frame`: where the axes lie, in the picture's own units.
 * @typedef {{vector: string, lambdas: number[], values: number[][],
 *   frame: {left: number, right: number, top: number, bottom: number}}} Data
 */

/** Saves the figure as a web page of Plotly. */
export let saveInteractive = () => {};

/**
 * The figure's gr.HTML calls this once; its content is another figure from time to time.
 * @param {HTMLElement} element
 * @param {() => void} interactive asks the server for the figure as a web page
 */
export function startTrace(element, interactive) {
  saveInteractive = interactive;
  /** @type {number | null} */
  let hovered = null;
  /** @type {import("./chart.js").State | null} */
  let state = null;

  function draw() {
    const data = dataOf(element);
    if (!data || !state) return;
    const figure = find(element, ".tv-trace");
    const set = state.recipe.get(data.vector) ?? 0;
    mark(figure, data, hovered ?? set, hovered === null ? ", as set" : "");
    const operating = find(figure, ".tv-operating");
    for (const key of ["x1", "x2"]) operating.setAttribute(key, String(xOf(data, set)));
  }

  element.addEventListener("pointermove", ({ target, clientX }) => {
    const picture = /** @type {SVGSVGElement | null} */ (target instanceof Element ? target.closest("svg") : null);
    const data = dataOf(element);
    if (!picture || !data) return;
    const { left, width } = picture.getBoundingClientRect();
    const { frame, lambdas } = data;
    const x = (picture.viewBox.baseVal.width * (clientX - left)) / width;
    const share = Math.min(Math.max((x - frame.left) / (frame.right - frame.left), 0), 1);
    hovered = lambdas[0] + share * (lambdas[lambdas.length - 1] - lambdas[0]);
    draw();
  });
  element.addEventListener("pointerleave", () => {
    hovered = null;
    draw();
  });
  new MutationObserver((changes) => {
    if (changes.some(({ target }) => !(/** @type {Element} */ (target).closest(".tv-trace")))) draw();
  }).observe(element, { childList: true, subtree: true });
  drawn.follow((given) => {
    state = given;
    draw();
  });
}

/** @param {HTMLElement} element @returns {Data | null} */
function dataOf(element) {
  const figure = /** @type {HTMLElement | null} */ (element.querySelector(".tv-trace"));
  return figure?.dataset.trace ? JSON.parse(figure.dataset.trace) : null;
}

/** @param {Data} data @param {number} lambda */
function xOf({ lambdas, frame }, lambda) {
  const [low, high] = [lambdas[0], lambdas[lambdas.length - 1]];
  return frame.left + (frame.right - frame.left) * Math.min(Math.max((lambda - low) / (high - low), 0), 1);
}

/** Writes the legend and moves the dots. @param {HTMLElement} figure @param {Data} data @param {number} lambda @param {string} note */
function mark(figure, data, lambda, note) {
  const { lambdas, values, frame } = data;
  const step = (lambdas[lambdas.length - 1] - lambdas[0]) / (lambdas.length - 1);
  const at = Math.min(Math.max((lambda - lambdas[0]) / step, 0), lambdas.length - 1);
  const below = Math.min(Math.floor(at), lambdas.length - 2);
  const about = Math.abs(at - Math.round(at)) > 1e-6 ? "≈ " : ""; // read between two exact answers
  write(find(figure, ".tv-at"), `λ = ${numberText(lambda, 2)}${note}`);
  const numbers = figure.querySelectorAll(".tv-trace-legend span b");
  const dots = figure.querySelectorAll(".tv-dot-at");
  values.forEach((row, i) => {
    const now = row[below] + (at - below) * (row[below + 1] - row[below]);
    write(numbers[i], `${about}${Math.round(100 * now)} %`);
    dots[i].setAttribute("cx", String(xOf(data, lambda)));
    dots[i].setAttribute("cy", String(frame.bottom - (frame.bottom - frame.top) * now));
  });
}
