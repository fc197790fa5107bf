// The visitor's own labels: they are asked for when typing pauses, at Enter, and when the box is left.

import { find } from "./dom.js";

const PAUSE_MS = 700;
const BOX = "#labels textarea";

/**
 * The gr.HTML beside the box calls this once. It shows what is wrong with the labels.
 * @param {HTMLElement} element
 * @param {() => void} ask lets the server read the labels
 */
export function startLabels(element, ask) {
  let timer = 0;
  let changed = false;
  const tab = /** @type {HTMLElement} */ (element.closest(".tabitem") ?? document.body);

  function now() {
    clearTimeout(timer);
    if (changed) ask();
    changed = false;
  }

  tab.addEventListener("input", ({ target }) => {
    if (!(target instanceof HTMLElement) || !target.matches(BOX)) return;
    changed = true;
    clearTimeout(timer);
    timer = window.setTimeout(now, PAUSE_MS);
  });
  tab.addEventListener("keyup", ({ key, target }) => {
    if (key === "Enter" && target === find(tab, BOX)) now();
  });
  tab.addEventListener("focusout", ({ target }) => {
    if (target === tab.querySelector(BOX)) now();
  });
}
