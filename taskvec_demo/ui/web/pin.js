// A pinned edit: its accuracies stay on the bars as a third mark, beside before and after, whatever the sliders do.

import { find, hide } from "./dom.js";
import { percent, sum } from "./figures.js";
import { formulaText, recipePairs } from "./recipe.js";

/** @typedef {import("./chart.js").State} State */
/** @typedef {ArrayLike<number> & Iterable<number>} Counts */
/**
 * `correct`: for each task, the clips of each class that the pinned edit has right; `n`: of how many.
 * @typedef {{query: string, formula: string, tasks: Map<string, {correct: Counts, n: Counts}>}} Pinned
 */

/** @type {Pinned | null} */
let pinned = null;

/** Gradio asks for it: the query of the pinned recipe, "" for none. @returns {string[]} */
export const pinnedQuery = () => [pinned?.query ?? ""];

/**
 * Pins the recipe of the controls, or takes the pin away if there is one.
 * @param {State} state
 * @returns {boolean} whether something is pinned now
 */
export function togglePin(state) {
  pinned = pinned ? null : pinOf(state);
  for (const mark of document.querySelectorAll("i.tv-pin")) mark.remove();
  if (pinned) markBars(pinned);
  drawKey(pinned);
  return pinned !== null;
}

/** Marks bars that were not on the page when the edit was pinned. */
export function markLate() {
  if (pinned) markBars(pinned);
}

/** @param {State} state @returns {Pinned} */
function pinOf({ tasks, recipe, vectors, live }) {
  const known = (tasks ?? []).flatMap(({ task, surface, bars }) => {
    const { n, after } = bars.classes.figures; // measured now, where there is no estimate
    const [correct, of] = surface?.contains(recipe)
      ? [surface.count(surface.predict(recipe).predicted), surface.clipsPerClass]
      : [after, n];
    return correct ? [/** @type {const} */ ([task.name, { correct, n: of }])] : [];
  });
  const query = new URLSearchParams(recipePairs(live.checkpoint, recipe)).toString();
  return { query, formula: formulaText(recipe, vectors), tasks: new Map(known) };
}

/** @param {Pinned} pin */
function markBars({ tasks }) {
  for (const [name, { correct, n }] of tasks) {
    const own = `[data-task="${CSS.escape(name)}"]`;
    const total = document.querySelector(`.tv-task${own} .tv-track`);
    if (total) mark(total, sum(correct) / sum(n));
    document.querySelectorAll(`.tv-panel${own} .tv-row`).forEach((row, c) => {
      const track = row.querySelector(".tv-track");
      if (track && n[c]) mark(track, correct[c] / n[c]);
    });
  }
}

/** @param {Element} track @param {number} share */
function mark(track, share) {
  const bar = track.querySelector(".tv-pin") ?? track.appendChild(document.createElement("i"));
  bar.className = "tv-pin";
  bar.setAttribute("style", `width: ${(100 * share).toFixed(1)}%`);
  bar.setAttribute("title", `pinned: ${percent(share)} %`);
}

/** The entry of the legend. @param {Pinned | null} pin */
function drawKey(pin) {
  const legend = find(document, "#chart .tv-legend");
  const key = /** @type {HTMLElement} */ (legend.querySelector(".tv-pin-key") ?? legend.appendChild(newKey()));
  hide(key, !pin);
  key.title = pin?.formula ?? "";
}

function newKey() {
  const key = Object.assign(document.createElement("span"), { className: "tv-pin-key" });
  key.innerHTML = "<i class='tv-key tv-pin-colour'></i>pinned";
  return key;
}
