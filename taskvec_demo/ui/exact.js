// The gr.HTML of the exact figures runs this once; gradio then patches new figures into the same elements. Figures of
// another recipe than the controls' are greyed, until the controls rest at theirs again; what a visitor opened stays
// open. The chart is told of the figures: it draws them for tasks that have no estimate.

const chart = document.querySelector("#chart .tv-results");
const opened = new Set();

function mark() {
  const figures = element.querySelector(".tv-measured");
  // Not at each crossing of their λ: the page would be laid out in the middle of a drag.
  const stale = chart.hasAttribute("aria-busy") || figures.dataset.query !== chart.dataset.query;
  figures.classList.toggle("tv-stale", stale);
  for (const task of opened) figures.querySelector(`[data-task="${CSS.escape(task)}"]`)?.setAttribute("open", "");
}

function handOver() {
  const { query, source, figures } = element.querySelector(".tv-measured").dataset;
  window.taskvecExact = { query, source, tasks: JSON.parse(figures) };
  dispatchEvent(new Event("taskvec-exact"));
  mark();
}
element.addEventListener("toggle", ({ target }) => {
  if (target.open) opened.add(target.dataset.task);
  else opened.delete(target.dataset.task);
}, true);

new MutationObserver(mark).observe(chart, { attributeFilter: ["data-query", "aria-busy"] });
new MutationObserver(handOver).observe(element, { attributeFilter: ["data-query", "data-done"], subtree: true });
handOver();
