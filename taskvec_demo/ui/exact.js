// The gr.HTML of the exact figures runs this once; gradio then patches new figures into the same elements. Figures of
// another recipe than the controls' are greyed, and what a visitor opened stays open. The chart is told of them: it draws
// them for tasks that have no estimate.

const chart = document.querySelector("#chart .tv-results");
const opened = new Set();

function mark() {
  const figures = element.querySelector(".tv-measured");
  figures.classList.toggle("tv-stale", figures.dataset.query !== chart.dataset.query);
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

new MutationObserver(mark).observe(chart, { attributeFilter: ["data-query"] });
new MutationObserver(handOver).observe(element, { attributeFilter: ["data-query", "data-done"], subtree: true });
handOver();
