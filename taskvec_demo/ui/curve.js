// Runs in the gr.HTML of the tab "Along λ" when it opens: accuracy of every task along one vector, the other λ as set.

const SAMPLES = 41;
const MARGIN = { left: 46, right: 14, top: 10, bottom: 44 };
const place = element.querySelector(".tv-curve");
const { state, follow } = window.taskvec;
const { live } = state;
let chart = null; // what is on the page, for one width and one set of tasks
let dirty = []; // lines that wait to be drawn: one a frame, so that the bars stay fast
let frame = 0;
let hovered = null; // λ under the pointer

const svg = (name, attributes, parent, text = "") => {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.textContent = text;
  parent.append(node);
  return node;
};
const html = (name, className, parent, text = "") => {
  const node = Object.assign(document.createElement(name), { className, textContent: text });
  parent.append(node);
  return node;
};
const lambdaAt = (i) => live.low + (live.high - live.low) * i / (SAMPLES - 1);

function build(tasks, width) {
  const height = width < 500 ? 270 : 340;
  const x = (lambda) => MARGIN.left + (width - MARGIN.left - MARGIN.right) * (lambda - live.low) / (live.high - live.low);
  const y = (accuracy) => height - MARGIN.bottom - (height - MARGIN.top - MARGIN.bottom) * accuracy;
  place.replaceChildren();
  const legend = html("div", "tv-curve-legend", place);
  const at = html("span", "tv-curve-at", legend);
  const picture = svg("svg", { width, height, role: "img" }, place);
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    svg("line", { class: "tv-grid", x1: x(live.low), x2: x(live.high), y1: y(share), y2: y(share) }, picture);
    svg("text", { x: MARGIN.left - 8, y: y(share) + 4, "text-anchor": "end" }, picture, String(100 * share));
  }
  for (let i = 0; i < 5; i++) {
    const lambda = live.low + (live.high - live.low) * i / 4;
    svg("line", { class: lambda ? "tv-grid" : "tv-zero", x1: x(lambda), x2: x(lambda), y1: y(0), y2: y(1) }, picture);
    const label = lambda.toString().replace("-", "\u2212");
    svg("text", { x: x(lambda), y: y(0) + 17, "text-anchor": "middle" }, picture, label);
  }
  svg("text", { x: 13, y: y(0.5), transform: `rotate(-90 13 ${y(0.5)})`, "text-anchor": "middle" }, picture, "accuracy, %");
  const title = svg("text", { x: x((live.low + live.high) / 2), y: height - 8, "text-anchor": "middle" }, picture);
  const operating = svg("line", { class: "tv-operating", y1: y(0), y2: y(1) }, picture);
  const pointer = svg("line", { class: "tv-pointer", y1: y(0), y2: y(1), visibility: "hidden" }, picture);
  let series = 0;
  const lines = tasks.map(({ task, surface, bars }) => {
    const control = task.role === "control";
    const group = svg("g", { class: control ? "tv-series-control" : `tv-series-${series++}` }, picture);
    if (control) {
      const least = y(live.controlKept * bars.accuracyBefore);
      svg("line", { class: "tv-least", x1: x(live.low), x2: x(live.high), y1: least, y2: least }, group);
    }
    const entry = html("span", `tv-curve-entry ${group.getAttribute("class")}`, legend);
    html("i", "", entry);
    html("span", "", entry, control ? `${task.title} (control) ` : `${task.title} `);
    return {
      surface, bars, drawn: null, accuracies: null, value: html("b", "", entry),
      path: svg("path", {}, group), circles: svg("g", {}, group), dot: svg("circle", { class: "tv-dot", r: 5 }, group),
    };
  });
  picture.addEventListener("pointermove", (event) => {
    const share = (event.offsetX - x(live.low)) / (x(live.high) - x(live.low));
    hovered = Math.min(Math.max(Math.round(share * (SAMPLES - 1)), 0), SAMPLES - 1);
    mark();
  });
  picture.addEventListener("pointerleave", () => { hovered = null; mark(); });
  return { tasks, width, x, y, at, picture, title, operating, pointer, lines };
}

function drawLine(line) {
  const { axis, recipe } = state;
  const others = Object.fromEntries(Object.entries(recipe).filter(([vector]) => vector !== axis));
  const key = JSON.stringify([axis, others]);
  if (line.drawn === key) return false;
  line.drawn = key;
  const { surface } = line;
  const predict = surface.between({ ...others, [axis]: live.low }, { ...others, [axis]: live.high });
  line.accuracies = Array.from({ length: SAMPLES }, (_, i) => surface.accuracy(predict(i / (SAMPLES - 1))));
  const points = line.accuracies.map((accuracy, i) => `${chart.x(lambdaAt(i)).toFixed(1)},${chart.y(accuracy).toFixed(1)}`);
  line.path.setAttribute("d", `M${points.join("L")}`);
  line.circles.replaceChildren();
  if (Object.keys(others).length === 0) drawMeasured(line, axis);
  return true;
}

function drawMeasured({ surface, circles }, axis) {
  const column = surface.vectors.indexOf(axis);
  const k = surface.vectors.length;
  for (let row = 0; row * k < surface.points.length; row++) {
    const point = surface.points.subarray(row * k, (row + 1) * k);
    if (point.some((value, v) => v !== column && Math.abs(value) > 1e-9)) continue;
    const accuracy = surface.accuracy(surface.measuredPredictions.subarray(row * surface.n, (row + 1) * surface.n));
    const circle = svg("circle", { class: "tv-measured", cx: chart.x(point[column]), cy: chart.y(accuracy), r: 3.5 }, circles);
    svg("title", {}, circle, `λ = ${point[column].toFixed(2)}: ${(100 * accuracy).toFixed(0)} % (measured, n = ${surface.n})`);
  }
}

// The operating point, and the figures there or under the pointer.
function mark() {
  const lambda = state.recipe[state.axis] ?? 0;
  const inside = lambda >= live.low && lambda <= live.high;
  for (const end of ["x1", "x2"]) {
    chart.operating.setAttribute(end, chart.x(lambda));
    if (hovered !== null) chart.pointer.setAttribute(end, chart.x(lambdaAt(hovered)));
  }
  chart.operating.setAttribute("visibility", inside ? "visible" : "hidden");
  chart.pointer.setAttribute("visibility", hovered === null ? "hidden" : "visible");
  const shown = hovered === null ? lambda : lambdaAt(hovered);
  chart.at.textContent = `λ = ${shown.toFixed(2).replace("-", "\u2212")}${hovered === null ? ", as set" : ""}`;
  const nearest = Math.round((lambda - live.low) / (live.high - live.low) * (SAMPLES - 1));
  for (const { surface, bars, dot, value, accuracies } of chart.lines) {
    if (!accuracies) continue;
    const here = bars.visible && inside ? bars.correct / surface.n : accuracies[nearest] ?? NaN;
    dot.setAttribute("visibility", inside ? "visible" : "hidden");
    if (inside) {
      dot.setAttribute("cx", chart.x(lambda));
      dot.setAttribute("cy", chart.y(here));
    }
    const share = hovered === null ? here : accuracies[hovered];
    value.textContent = Number.isNaN(share) ? "–" : `${(100 * share).toFixed(0)} %`;
  }
}

function work() {
  frame = 0;
  if (!chart) return; // taken away in the meantime
  let drawn = false;
  while (!drawn && dirty.length) drawn = drawLine(dirty.shift());
  mark();
  if (dirty.length) frame = requestAnimationFrame(work);
}

function say(sentence) {
  chart = null;
  dirty = [];
  place.replaceChildren();
  html("p", "tv-muted", place, sentence);
}

function update() {
  const width = Math.floor(place.clientWidth);
  if (!state.tasks || !width) return; // not there yet, or another tab is open
  const extra = live.extra.includes(state.axis);
  const known = state.tasks.filter(({ surface }) => surface?.knows(state.recipe));
  const tasks = known.filter(({ task, bars }) => bars.visible || (extra && task.aside));
  if (!tasks.length) {
    const strangers = Object.keys(state.recipe).filter((vector) => !live.measured.includes(vector)).map((v) => `τ_${v}`);
    return say(`No accuracy was ever measured for ${strangers.join(", ")}: there is no curve while it is on.`);
  }
  const beyond = Object.entries(state.recipe).filter(([vector, value]) => vector !== state.axis
    && (value < live.low || value > live.high));
  if (beyond.length) {
    const named = beyond.map(([vector]) => `τ_${vector}`).join(", ");
    return say(`Accuracies were measured for λ from ${live.low} to ${live.high} only: there is no curve while ${named} goes beyond.`);
  }
  if (chart?.width !== width || chart.tasks.length !== tasks.length) {
    chart = build(tasks, width);
    dirty = [];
  }
  const title = `λ of τ ${state.axis}`;
  chart.title.textContent = title;
  chart.picture.setAttribute("aria-label", `Validation accuracy of ${tasks.length} tasks along ${title}`);
  dirty.push(...chart.lines.filter((line) => !dirty.includes(line)));
  mark();
  frame ||= requestAnimationFrame(work);
}

new ResizeObserver(update).observe(place);
follow(update);
