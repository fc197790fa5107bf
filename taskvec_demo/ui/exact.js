// The gr.HTML of the exact figures runs this once; gradio then patches new figures into the same elements. Figures of
// another recipe than the controls' are greyed, and what a visitor opened stays open. The chart is told of them: it draws
// them for tasks that have no estimate.

const chart = document.querySelector("#chart .tv-results");
const opened = new Set();

function mark() {
  const figures = element.querySelector(".tv-measured");
  figures.classList.toggle("tv-stale", figures.dataset.query !== chart.dataset.query);
  window.taskvecExact = { query: figures.dataset.query, source: figures.dataset.source, tasks: JSON.parse(figures.dataset.figures) };
  dispatchEvent(new Event("taskvec-exact"));
  for (const task of opened) figures.querySelector(`[data-task="${CSS.escape(task)}"]`)?.setAttribute("open", "");
}
element.addEventListener("toggle", ({ target }) => {
  if (target.open) opened.add(target.dataset.task);
  else opened.delete(target.dataset.task);
}, true);

const observer = new MutationObserver(mark);
observer.observe(chart, { attributeFilter: ["data-query"] });
observer.observe(element, { attributeFilter: ["data-query", "data-done"], subtree: true });
mark();
