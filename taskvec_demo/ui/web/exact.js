// The figures measured now. Gradio patches new ones into the same elements. Figures of another recipe than the controls'
// are greyed, until the controls rest at theirs again; what a visitor opened stays open. The chart is told of the
// figures: it draws them for tasks that have no estimate.

import { find } from "./dom.js";
import { exactFigures } from "./latest.js";

/** The gr.HTML of the exact figures calls this once. @param {HTMLElement} element */
export function startExact(element) {
  const chart = find(document, "#chart .tv-results");
  /** @type {Set<string>} */
  const opened = new Set(); // tasks

  function mark() {
    const figures = find(element, ".tv-measured");
    // Not at each crossing of their λ: the page would be laid out in the middle of a drag.
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
