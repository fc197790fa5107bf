// The exact figures. Gradio writes new ones into the same elements. Figures of another recipe than that of the controls
// are grey until the controls rest at their recipe again. Parts that a visitor opened stay open. The chart is told of
// the figures, because it draws them for tasks that have no estimate.

import { find } from "./dom.js";
import { exactFigures } from "./latest.js";

/** The gr.HTML of the exact figures calls this once. @param {HTMLElement} element */
export function startExact(element) {
  const chart = find(document, "#chart .tv-results");
  /** @type {Set<string>} */
  const opened = new Set(); // tasks

  function mark() {
    const figures = find(element, ".tv-measured");
    // Not each time that a drag crosses their λ, because this lays out the page again.
    const stale = chart.hasAttribute("aria-busy") || figures.dataset.query !== chart.dataset.query;
    figures.classList.toggle("tv-stale", stale);
    for (const task of opened) figures.querySelector(`[data-task="${CSS.escape(task)}"]`)?.setAttribute("open", "");
  }

  function tellChart() {
    const { query = "", source = "", figures = "{}" } = find(element, ".tv-measured").dataset;
    exactFigures.give({ query, source, tasks: new Map(Object.entries(JSON.parse(figures))) });
    mark();
  }

  element.addEventListener(
    "toggle",
    ({ target }) => {
      const { open, dataset } = /** @type {HTMLDetailsElement} */ (target);
      if (open) opened.add(dataset.task ?? "");
      else opened.delete(dataset.task ?? "");
    },
    true,
  );
  new MutationObserver(mark).observe(chart, { attributeFilter: ["data-query", "aria-busy"] });
  new MutationObserver(tellChart).observe(element, { attributeFilter: ["data-query", "data-done"], subtree: true });
  tellChart();
}
