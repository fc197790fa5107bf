// The chart's gr.HTML runs this after the files that ui/live.py puts before it. Controls -> recipe -> bars, once a
// frame: a browser hands a pointer's steps over right before a frame's callbacks, where they are drawn; a script's first
// step in a frame is drawn at once, as it may come inside such a callback. When nothing has changed for 250 ms and no
// pointer holds a slider, the server is asked for the exact answers (event "settled") and the recipe goes into the
// address bar, so that it can be shared.

const SETTLE_MS = 250;
const NATIVE_MS = 100; // gradio hands values over later than the slider's own event: so long the slider itself is right
const PASS_MS = 120; // gradio learns of a slider's first step at once, of the others when it pauses: each costs 6 ms

const live = JSON.parse(JSON.stringify(props.live)); // a plain copy: props is a proxy
const sliderPositions = new Map([
  ...live.rows.map((name, i) => [`lambda-${name}`, rowPosition(i)]),
  ["lambda-_analogy", analogyPosition(live.rows)],
]);
// vectors: what each row is called in a recipe, "" for a row that waits for a vector of the visitor's
const state = { live, values: live.values, vectors: namesOfRows(""), axis: live.axis, recipe: {}, tasks: null };
const views = []; // other charts of the page: called with the state after every redraw
const root = element.querySelector(".tv-results");
let regions = null;
let pending = false; // something waits for the next frame
let frame = 0; // that frame
let timer = null;
let held = null; // the slider under a pressed pointer
let unsettled = false;
let lastNative = { slider: null, at: 0 };
let late = null; // the slider that gradio has not been told the value of yet, and the timer that will
let passing = false;

function namesOfRows(added) {
  const own = added.split(",");
  return live.rows.map((name, i) => (i < live.vectors.length ? name : own[i - live.vectors.length] ?? ""));
}

const nextFrame = () => {
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    if (pending) draw();
  });
};
const schedule = () => {
  pending = true;
  nextFrame();
};
const drawNow = () => {
  if (frame) return schedule(); // this frame has been drawn already
  nextFrame();
  draw();
};
const restart = () => {
  clearTimeout(timer);
  timer = setTimeout(settle, SETTLE_MS);
};
const changed = (drawing = schedule) => {
  if (!unsettled) root.setAttribute("aria-busy", "true");
  unsettled = true;
  root.classList.remove("tv-first"); // the opening animation must not lag behind a slider
  drawing();
  restart();
};

function draw() {
  pending = false;
  state.problem = null;
  try {
    state.recipe = compose(state.values, state.vectors, live.sliderMax);
  } catch (error) {
    if (!(error instanceof BadRecipeError)) throw error;
    state.problem = error.message;
  }
  drawFormula();
  if (state.problem || !state.tasks) return;
  drawBars();
  regions.update(state);
  for (const view of views) view(state);
}

function message(parent, text) {
  const place = parent.querySelector(".tv-message");
  hide(place, !text);
  write(place, text);
}

function drawFormula() {
  const formula = document.querySelector("#formula .tv-formula");
  if (!formula) return schedule(); // gradio may put it on the page after the chart
  hide(formula.querySelector(".tv-equation"), Boolean(state.problem));
  message(formula, state.problem ?? "");
  if (state.problem) return;
  formula.querySelectorAll(".tv-term").forEach((term, i) => {
    const name = state.vectors[i];
    const value = state.recipe[name];
    hide(term, !value);
    write(term.firstChild, value ? formulaNumber(value) : "");
    if (term.dataset.vector === name) return;
    term.dataset.vector = name;
    term.querySelector("sub").textContent = name;
  });
  hide(formula.querySelector(".tv-muted"), Object.keys(state.recipe).length > 0);
}

function drawBars() {
  const query = new URLSearchParams(recipePairs(live.checkpoint, state.recipe)).toString();
  if (root.dataset.query !== query) root.dataset.query = query; // others watch it
  const outside = state.tasks.some(({ surface }) => surface?.knows(state.recipe)
    && !surface.contains(state.recipe) && !surface.measured(state.recipe));
  hide(root.querySelector(".tv-figures"), outside);
  message(root, outside
    ? `Accuracies were measured for λ from ${live.low} to ${live.high} only; this recipe goes beyond: `
      + `${formulaText(state.recipe, Object.keys(state.recipe))}. The answers for your clip are still exact.`
    : "");
  if (outside || !state.tasks.length) return;
  const extra = live.extra.some((vector) => vector in state.recipe);
  const exact = window.taskvecExact?.query === root.dataset.query ? window.taskvecExact : null;
  const estimating = []; // the surfaces whose answer is an estimate
  let [unknown, now] = [0, 0]; // tasks without an estimate: those that nobody measured, those measured just now
  for (const { task, surface, bars } of state.tasks) {
    bars.show(extra || !task.aside);
    if (!bars.visible) continue;
    if (surface?.knows(state.recipe)) {
      const { predicted, measured } = surface.predict(state.recipe);
      bars.draw(bars.predicted(predicted));
      if (!measured) estimating.push(surface);
      continue;
    }
    const figures = exact?.tasks[task.name];
    bars.draw(figures ?? bars.unknown, figures ? exact.source : "");
    if (figures) now++;
    else unknown++;
  }
  showBadge(estimating, unknown, now);
  if (now && !unsettled) state.tasks.forEach(({ bars }) => bars.visible && bars.describe());
}

function showBadge(estimating, unknown, now) {
  const badge = root.querySelector(".tv-badge");
  const strangers = Object.keys(state.recipe).filter((vector) => !live.measured.includes(vector));
  const text = unknown || now ? gapText(estimating, unknown, now, strangers) : badgeText(estimating);
  write(badge, text);
  restyle(badge, `tv-badge ${unknown ? "tv-none" : estimating.length ? "tv-estimate" : "tv-exact"}`);
  restyle(badge.parentElement, unknown ? "tv-state tv-many-lines" : "tv-state");
}

function settle() {
  passOn();
  if (pending) draw(); // a page in the background gets no frames
  if (held || !unsettled) return;
  unsettled = false;
  root.removeAttribute("aria-busy");
  if (state.problem) return; // an analogy that is not complete yet is no recipe to ask for
  if (state.tasks?.length && !root.querySelector(".tv-figures").hidden) {
    const told = state.tasks.filter(({ bars }) => bars.visible).map(({ bars }) => bars.describe());
    root.querySelector(".tv-spoken").textContent = `${formulaText(state.recipe, state.vectors)}. ${told.join(", ")}.`;
  }
  trigger("settled");
  const url = new URL(window.location);
  for (const key of [...url.searchParams.keys()]) {
    if (!key.startsWith("__")) url.searchParams.delete(key); // gradio's own keys, such as __theme, stay
  }
  for (const [key, value] of recipePairs(live.checkpoint, state.recipe)) url.searchParams.set(key, value);
  history.replaceState(history.state, "", url);
}

// ---- what changes the controls --------------------------------------------------------------------------------------
addEventListener("input", (event) => { // a slider under way: gradio would tell later
  const slider = event.target;
  const id = slider.type === "range" && slider.closest("[id^=lambda-]")?.id;
  if (!sliderPositions.has(id) || passing) return;
  const at = sliderPositions.get(id);
  const now = performance.now();
  if (slider !== lastNative.slider) passOn();
  else if (now - lastNative.at < PASS_MS) holdBack(event);
  lastNative = { slider, at: now };
  state.values = [...state.values];
  state.values[at] = Number(slider.value);
  if (id !== "lambda-_analogy") state.values[at - 2] = true; // moving a slider switches its vector on
  changed(event.isTrusted ? schedule : drawNow);
}, true);

// On this page we tell gradio later, and show in its stead what it would show.
function holdBack(event) {
  event.stopPropagation();
  const slider = event.target;
  const share = (slider.value - slider.min) / (slider.max - slider.min);
  slider.style.setProperty("--range_progress", `${100 * share}%`);
  slider.closest("[id^=lambda-]").querySelector("input[type=number]").value = slider.value;
  clearTimeout(late?.timer);
  late = { slider, timer: setTimeout(passOn, PASS_MS) };
}

function passOn() {
  if (!late) return;
  clearTimeout(late.timer);
  const { slider } = late;
  late = null;
  passing = true;
  slider.dispatchEvent(new Event("input", { bubbles: true }));
  passing = false;
}
addEventListener("change", passOn, true);
addEventListener("keydown", ({ key, target }) => { // gradio cuts a number to the slider's range when its box is left
  if (key === "Enter" && target.matches("[id^=lambda-] input[type=number]")) target.dispatchEvent(new Event("blur"));
}, true);

function handedOver() { // presets, undo, number boxes, boxes to tick, the address
  const [axis, added, ...values] = window.taskvecValues;
  const fresh = held ?? (performance.now() - lastNative.at < NATIVE_MS ? lastNative.slider : null);
  if (fresh?.isConnected) values[sliderPositions.get(fresh.closest("[id^=lambda-]").id)] = Number(fresh.value);
  if (axis !== state.axis) {
    state.axis = axis;
    schedule();
  }
  const vectors = namesOfRows(added);
  if (vectors.join() !== state.vectors.join()) {
    state.vectors = vectors;
    schedule();
  }
  if (values.every((value, i) => value === state.values[i])) return;
  state.values = values;
  changed();
}
addEventListener("taskvec-values", handedOver);
addEventListener("taskvec-exact", schedule); // figures of tasks that have no estimate

addEventListener("pointerdown", (event) => {
  held = event.target.type === "range" && event.target.closest("[id^=lambda-]") ? event.target : null;
}, true);
for (const end of ["pointerup", "pointercancel"]) {
  addEventListener(end, () => {
    passOn();
    held = null;
    if (unsettled) restart();
  }, true);
}

// ---- the surfaces ---------------------------------------------------------------------------------------------------
async function load(task) {
  const named = { ...task, controlKept: live.controlKept };
  if (!task.file) return { task: named, surface: null, bars: new TaskBars(root, named, null) };
  const { root: base, api_prefix: prefix } = window.gradio_config;
  const file = task.file.split("/").map(encodeURIComponent).join("/");
  const answer = await fetch(`${base}${prefix}/file=${file}?v=${task.version}`);
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  const surface = new LogitSurface(await answer.arrayBuffer(), live.low, live.high);
  return { task: named, surface, bars: new TaskBars(root, named, surface) };
}

Promise.all(live.tasks.map(load)).then((tasks) => {
  state.tasks = tasks;
  regions = new SafeRegions(live, tasks.filter(({ task, surface }) => surface && task.role === "control"));
  if (window.taskvecValues) handedOver();
  schedule();
}).catch((error) => {
  message(root, `The logit surfaces did not arrive (${error.message}), so the bars stay as they are; reload the page to `
    + "try again. The answers for your clip are still exact.");
});

window.taskvec = { state, follow: (view) => { views.push(view); schedule(); } }; // curve.js joins when its tab opens
schedule();
