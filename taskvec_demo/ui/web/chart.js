// Draws what the controls mean: formula, bars and bands. It draws once a frame, in the frame's callback, because the
// browser hands over a pointer's steps right before it. The first step of a script is drawn at once, because it may come
// inside such a callback. When nothing has changed for 250 ms and no pointer holds a slider, the server is asked for
// exact answers (event "settled"), and the recipe is written into the address, so that it can be shared.

import { addressOf, copyLink, showInAddress } from "./address.js";
import { showBadge } from "./badge.js";
import { find, hide, message } from "./dom.js";
import { Drag } from "./drag.js";
import { drawFormula } from "./formula.js";
import { controls, drawn, exactFigures, opened, previewed, settled } from "./latest.js";
import { loadTasks } from "./loading.js";
import { BadRecipeError, analogyPosition, compose, formulaText, recipePairs, rowPosition } from "./recipe.js";
import { SafeRegions } from "./safe_region.js";

/** @typedef {import("./loading.js").LoadedTask} LoadedTask */
/**
 * The page as ui/live.py describes it.
 * @typedef {{checkpoint: string, vectors: string[], rows: string[], measured: string[], extra: string[], values: any[],
 *   axis: string, sliderMax: number, sliderStep: number, low: number, high: number, controlKept: number,
 *   presets: {title: string, query: string}[],
 *   tasks: import("./bars.js").Task[]}} Live
 */
/**
 * `vectors`: the name of each row in a recipe, "" for a row that is free for a vector of the visitor's. `problem`: why
 * the controls do not mean a recipe.
 * @typedef {{live: Live, values: any[], vectors: string[], axis: string, recipe: import("./recipe.js").Recipe,
 *   tasks: LoadedTask[] | null, problem: string | null}} State
 */

const SETTLE_MS = 250;

class Chart {
  /** @param {HTMLElement} root @param {Live} live @param {() => void} settled tells gradio */
  constructor(root, live, settled) {
    this.root = root;
    this.live = live;
    this.settled = settled;
    /** @type {State} */
    this.state = {
      live,
      values: live.values,
      vectors: namesOfRows(live, ""),
      axis: live.axis,
      recipe: new Map(),
      tasks: null,
      problem: null,
    };
    /** @type {SafeRegions | null} */
    this.regions = null;
    this.pending = false; // something waits for the next frame
    this.frame = 0; // that frame
    this.timer = 0;
    this.unsettled = false;
    const positions = new Map(live.rows.map((name, i) => [`lambda-${name}`, rowPosition(i)]));
    positions.set("lambda-_analogy", analogyPosition(live.rows));
    this.drag = new Drag(positions, this);
  }

  async start() {
    controls.follow((values) => this.handedOver(values));
    previewed.follow((values) => this.preview(values));
    exactFigures.follow(() => this.schedule()); // of tasks that have no estimate
    opened.follow((values) => this.begin(values));
    this.schedule();
    try {
      const tasks = await loadTasks(this.live, this.root);
      this.regions = new SafeRegions(this.live, tasks);
      this.state.tasks = tasks;
      this.schedule();
    } catch (error) {
      const reason = error instanceof Error ? error.message : error;
      message(
        this.root,
        `The logit surfaces did not arrive (${reason}), so the bars stay as they are; reload the page to try again. ` +
          "The answers for your clip are still exact.",
      );
    }
  }

  // ---- when to draw -------------------------------------------------------------------------------------------------
  nextFrame() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      if (this.pending) this.draw();
    });
  }

  schedule() {
    this.pending = true;
    this.nextFrame();
  }

  drawNow() {
    if (this.frame) return this.schedule(); // this frame has been drawn already
    this.nextFrame();
    this.draw();
  }

  /** @param {boolean} atOnce */
  changed(atOnce = false) {
    if (!this.unsettled) this.root.setAttribute("aria-busy", "true");
    this.unsettled = true;
    this.root.classList.remove("tv-first"); // the opening animation must not lag behind a slider
    if (atOnce) this.drawNow();
    else this.schedule();
    this.restart();
  }

  restart() {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.settle(), SETTLE_MS);
  }

  // ---- what changes -------------------------------------------------------------------------------------------------
  /** A slider's step. @param {number} at @param {number} value @param {boolean} byHand */
  moved(at, value, byHand) {
    this.state.values = this.state.values.with(at, value);
    // moving a slider switches its vector on
    if (at !== analogyPosition(this.live.rows)) this.state.values[at - 2] = true;
    this.changed(!byHand);
  }

  /** Values that gradio will be told of later. @param {any[]} values of all controls */
  preview(values) {
    this.state.values = values;
    this.drag.show(values);
    this.changed();
  }

  released() {
    if (this.unsettled) this.restart();
  }

  /** Presets, undo, number boxes, boxes to tick, the address. @param {any[]} given */
  handedOver([axis, added, ...told]) {
    const { state } = this;
    const values = this.drag.corrected(told);
    const vectors = namesOfRows(this.live, added);
    if (axis !== state.axis || vectors.join() !== state.vectors.join()) {
      state.axis = axis;
      state.vectors = vectors;
      this.schedule();
    }
    if (values.every((value, i) => value === state.values[i])) return;
    state.values = values;
    this.changed();
  }

  /** The first state that undo can go back to. @param {any[]} values */
  begin(values) {
    this.handedOver([this.state.axis, ...values]);
    this.draw();
    if (!this.state.problem) settled.give(this.state);
  }

  // ---- what is drawn ------------------------------------------------------------------------------------------------
  draw() {
    this.pending = false;
    const { state } = this;
    state.problem = null;
    try {
      state.recipe = compose(state.values, state.vectors, this.live.sliderMax);
    } catch (error) {
      if (!(error instanceof BadRecipeError)) throw error;
      state.problem = error.message;
    }
    if (!drawFormula(state)) this.schedule(); // gradio may put it on the page after the chart
    if (state.problem || !state.tasks) return;
    this.drawFigures(state.tasks);
    this.regions?.update(state);
    drawn.give(state);
  }

  /** @param {LoadedTask[]} tasks */
  drawFigures(tasks) {
    const { root, live } = this;
    const { recipe } = this.state;
    const query = new URLSearchParams(recipePairs(live.checkpoint, recipe)).toString();
    if (root.dataset.query !== query) root.dataset.query = query; // others watch it
    const outside = tasks.some(
      ({ surface }) => surface?.knows(recipe) && !surface.contains(recipe) && !surface.measured(recipe),
    );
    hide(find(root, ".tv-figures"), outside);
    message(
      root,
      outside
        ? `Accuracies were measured for λ from ${live.low} to ${live.high} only; this recipe goes beyond: ` +
            `${formulaText(recipe, [...recipe.keys()])}. The answers for your clip are still exact.`
        : "",
    );
    if (!outside && tasks.length) this.drawBars(tasks);
  }

  /** @param {LoadedTask[]} tasks */
  drawBars(tasks) {
    const { recipe } = this.state;
    const extra = this.live.extra.some((vector) => recipe.has(vector));
    const exact = exactFigures.value?.query === this.root.dataset.query ? exactFigures.value : null;
    const estimating = []; // the surfaces whose answer is an estimate
    let [unknown, now] = [0, 0]; // tasks without an estimate: those that nobody measured, those measured just now
    for (const { task, surface, bars } of tasks) {
      bars.show(extra || !task.aside);
      if (!bars.visible) continue;
      if (surface?.knows(recipe)) {
        const { predicted, measured } = surface.predict(recipe);
        bars.draw({ ...bars.unknown, after: surface.count(predicted) });
        if (!measured) estimating.push(surface);
        continue;
      }
      const figures = exact?.tasks.get(task.name);
      bars.draw(figures ?? bars.unknown, figures ? exact?.source : "");
      if (figures) now++;
      else unknown++;
    }
    const strangers = [...recipe.keys()].filter((vector) => !this.live.measured.includes(vector));
    showBadge(this.root, estimating, unknown, now, strangers);
    if (now && !this.unsettled) tasks.forEach(({ bars }) => bars.visible && bars.describe());
  }

  // ---- at rest ------------------------------------------------------------------------------------------------------
  settle() {
    this.drag.passOn();
    if (this.pending) this.draw(); // a page in the background gets no frames
    if (this.drag.held || !this.unsettled) return;
    this.unsettled = false;
    this.root.removeAttribute("aria-busy");
    if (this.state.problem) return; // an analogy that is not complete yet is no recipe to ask for
    this.speak();
    this.settled();
    settled.give(this.state);
    showInAddress(recipePairs(this.live.checkpoint, this.state.recipe));
  }

  /** What screen readers say. */
  speak() {
    const { tasks, recipe, vectors } = this.state;
    if (!tasks?.length || find(this.root, ".tv-figures").hidden) return;
    const told = tasks.filter(({ bars }) => bars.visible).map(({ bars }) => bars.describe());
    find(this.root, ".tv-spoken").textContent = `${formulaText(recipe, vectors)}. ${told.join(", ")}.`;
  }

  /** An address of the page with the recipe as the controls have it now. */
  get link() {
    return addressOf(window.location.href, recipePairs(this.live.checkpoint, this.state.recipe)).href;
  }
}

/** @param {Live} live @param {string} added names of the visitor's own vectors, separated by commas */
function namesOfRows(live, added) {
  const own = added.split(",");
  return live.rows.map((name, i) => (i < live.vectors.length ? name : (own[i - live.vectors.length] ?? "")));
}

/** @type {Chart | null} */
let chart = null;

/**
 * The chart's gr.HTML calls this once.
 * @param {HTMLElement} element
 * @param {{live: Live}} props
 * @param {() => void} settled
 */
export function startChart(element, props, settled) {
  const live = JSON.parse(JSON.stringify(props.live)); // a plain copy: props is a proxy
  chart = new Chart(find(element, ".tv-results"), live, settled);
  const { state } = chart;
  window.taskvec = { state, controls, follow: (follower) => drawn.follow(follower) };
  return chart.start();
}

/** The button "Copy link" calls this. */
export function copyRecipeLink() {
  if (chart) copyLink(chart.link, find(document, "#copy-link"));
}
