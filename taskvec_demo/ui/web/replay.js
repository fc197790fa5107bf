// "The paper, replayed": buttons that load a recipe.

import { say } from "./address.js";
import { wanted } from "./latest.js";

/** The gr.HTML of the tab calls this when the tab opens. @param {HTMLElement} element */
export function startPaper(element) {
  element.addEventListener("click", ({ target }) => {
    const button = target instanceof Element ? target.closest("button[data-values]") : null;
    if (!(button instanceof HTMLElement)) return;
    wanted.give(JSON.parse(button.dataset.values ?? ""));
    say(button, "✓ Loaded");
  });
}
