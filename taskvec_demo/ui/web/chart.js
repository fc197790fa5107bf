// Draws what the controls mean: rows, formula, bars and bands. It draws once a frame, in the frame's callback, because the
// browser hands over a pointer's steps right before it. The first step of a script is drawn at once, because it may come
// inside such a callback. When nothing has changed for 250 ms and no pointer holds a slider, the server is asked for
// exact answers (event "settled"), and the recipe is written into the address, so that it can be shared.

import { addressOf, copyLink, showInAddress } from "./address.js";
import { badgeText, showBadge } from "./badge.js";
import { find, hide, message } from "./dom.js";
import { Drag } from "./drag.js";
import { numberText } from "./figures.js";
import { drawFormula } from "./formula.js";
import { listIntervals } from "./intervals.js";
import { controls, drawn, exactFigures, opened, previewed, settled, wanted } from "./latest.js";
import { loadTasks } from "./loading.js";
import { BadRecipeError, compose, formulaText, recipePairs } from "./recipe.js";
import { Rows } from "./rows.js";
import { SafeRegions } from "./safe_region.js";
import { mostMoved, slidersOf, vectorOf } from "./sliders.js";
import { storyOf } from "./stories.js";

/** @typedef {import("./loading.js").LoadedTask} LoadedTask */
/**
 * The page as ui/live.py describes it. A story's `vector` is the name of the slider that it is about.
 * @typedef {{name: string, recipe: Record<string, number>, vector: string}} Story
 * @typedef {{checkpoint: string, vectors: string[], rows: string[], measured: string[], extra: string[], values: any[],
 *   vectorTasks: Record<string, string>, stories: Story[], synthesized: boolean, sliderMax: number, sliderStep: number, presets: {title: string, query: string}[], low: number,
 *   high: number, controlKept: number, tasks: import("./bars.js").Task[]}} Live
 */
/**
 * `vectors`: the name of each row in a recipe, "" for a row that is free for a vector of the visitor's. `axis`: the name of
 * the slider that was touched last. `story`: the name of the chosen story, "" for none. `problem`: why the controls do not
 * mean a recipe.
 * @typedef {{live: Live, values: any[], vectors: string[], axis: string, story: string,
 *   recipe: import("./recipe.js").Recipe, tasks: LoadedTask[] | null, problem: string | null}} State
 */

const SETTLE_MS = 250;

export class Chart {
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
      axis: live.stories[0]?.vector ?? live.rows[0] ?? "",
      story: "",
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
    this.ahead = false; // what is drawn is a preview
    this.sliders = new Map(slidersOf(live.rows).map((slider) => [`lambda-${slider.name}`, slider]));
    this.rows = new Rows(live);
    this.byHand = false; // a slider was moved since the last frame
    this.touched = false; // a slider was moved at all
    this.drag = new Drag(this.sliders, this);
  }

  async start() {
    controls.follow((values) => this.handedOver(values));
    previewed.follow((values) => this.preview(values));
    wanted.follow(() => this.caughtUp());
    exactFigures.follow(() => this.schedule()); // of tasks that have no estimate
    opened.follow((values) => this.begin(values));
    this.schedule();
    try {
      const tasks = await loadTasks(this.live, this.root);
      this.regions = new SafeRegions(this.live, tasks);
      this.state.tasks = tasks;
      listIntervals(this.root, tasks);
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
    this.endOpening();
    if (atOnce) this.drawNow();
    else this.schedule();
    this.restart();
  }

  /** The opening animation must not lag behind a slider. A class is not taken away twice: styles would be computed anew. */
  endOpening() {
    if (this.root.classList.contains("tv-first")) this.root.classList.remove("tv-first");
  }

  restart() {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.settle(), SETTLE_MS);
  }

  // ---- what changes -------------------------------------------------------------------------------------------------
  /** A slider's step. @param {import("./sliders.js").Slider} slider @param {number} value @param {boolean} byHand */
  moved(slider, value, byHand) {
    const { state } = this;
    state.values = state.values.with(slider.at, value);
    if (!slider.analogy) state.values[slider.on] = true; // moving a slider switches its vector on
    state.axis = slider.name;
    this.byHand = this.touched = true;
    this.changed(!byHand);
  }

  /** Values that gradio will be told of later: until then nothing settles. @param {any[]} values of all controls */
  preview(values) {
    this.ahead = true;
    this.state.values = values;
    this.byHand = true;
    this.changed();
  }

  caughtUp() {
    this.ahead = false;
    this.released();
  }

  /** Values that are only shown for a moment, of which neither gradio nor the address learns. @param {any[]} values */
  glimpse(values) {
    this.state.values = values;
    this.byHand = true;
    this.endOpening();
    this.draw();
  }

  released() {
    if (this.unsettled) this.restart();
  }

  /** Stories, undo, number boxes, boxes to tick, the address. @param {any[]} given */
  handedOver([added, ...told]) {
    const { state } = this;
    sweeping.end();
    const values = this.drag.corrected(told);
    const vectors = namesOfRows(this.live, added);
    if (vectors.join() !== state.vectors.join()) {
      state.vectors = vectors;
      this.schedule();
    }
    if (values.every((value, i) => value === state.values[i])) return;
    state.values = values;
    this.changed();
  }

  /** The first state that undo can go back to. @param {any[]} values added vectors, and all controls */
  begin(values) {
    this.handedOver(values);
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
    this.followStory();
    this.rows.update(state, this.byHand);
    this.byHand = false;
    if (!drawFormula(state)) this.schedule(); // gradio may put it on the page after the chart
    if (state.problem) return;
    if (state.tasks) {
      this.drawFigures(state.tasks);
      this.regions?.update(state);
    }
    drawn.give(state);
  }

  /** A recipe that is a story's chooses the story, and the slider that it is about; until one is touched, any recipe does. */
  followStory() {
    const { state } = this;
    const story = storyOf(state);
    if (story && story.name !== state.story) state.axis = story.vector;
    else if (!story && !(this.touched && this.hasWay)) {
      state.axis = mostMoved(this.sliders.values(), state.values) ?? (this.hasWay ? state.axis : this.live.rows[0]);
    }
    state.story = story?.name ?? "";
  }

  /** Whether the slider of the curves can move: the analogy is on, or its row has a vector. */
  get hasWay() {
    const { state } = this;
    const slider = this.sliders.get(`lambda-${state.axis}`);
    return Boolean(slider && (slider.analogy ? state.values[slider.on] : vectorOf(slider, state)));
  }

  /** @param {LoadedTask[]} tasks */
  drawFigures(tasks) {
    const { root, live } = this;
    const { recipe } = this.state;
    const query = new URLSearchParams(recipePairs(live.checkpoint, recipe)).toString();
    if (root.dataset.query !== query) root.dataset.query = query; // others watch it
    const outside = tasks.some(({ surface }) => surface?.knows(recipe) && !estimates(surface, recipe));
    hide(find(root, ".tv-figures"), outside);
    message(root, outside ? this.beyond() : this.unmeasured(tasks));
    if (tasks.length) this.drawBars(tasks); // hidden bars too: classes, saved figures and the phone's line read them
  }

  beyond() {
    const { live } = this;
    const { recipe } = this.state;
    const range = `${numberText(live.low)} to ${numberText(live.high)}`;
    return (
      `Accuracies were measured for λ from ${range} only; this recipe goes beyond: ` +
      `${formulaText(recipe, [...recipe.keys()])}. The answers for your clip are still exact.`
    );
  }

  /** A sentence where estimates are missing because of an added vector. @param {LoadedTask[]} tasks */
  unmeasured(tasks) {
    if (!tasks.some(({ surface }) => surface && !surface.knows(this.state.recipe))) return "";
    const named = this.strangers.map((vector) => `τ_${vector}`).join(", ");
    const other = this.live.synthesized ? "" : " The bars count other recordings now: those of this machine.";
    return (
      `Nobody has measured ${named}, so the bars show only what was known before it.${other} ` +
      "The answers for your clip are exact."
    );
  }

  /** Vectors of the recipe that no surface knows. */
  get strangers() {
    return [...this.state.recipe.keys()].filter((vector) => !this.live.measured.includes(vector));
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
      if (surface && estimates(surface, recipe)) {
        const { predicted, measured } = surface.predict(recipe);
        bars.kind = badgeText(measured ? [] : [surface]);
        bars.draw({ ...bars.unknown, after: surface.count(predicted) }, recipe);
        if (!measured) estimating.push(surface);
        continue;
      }
      // Synthesized sounds are other sounds than those that the accuracy before was measured on: they do not stand in.
      const figures = this.live.synthesized ? null : exact?.tasks.get(task.name);
      bars.kind = figures ? (exact?.source ?? "") : "no estimate";
      bars.draw(figures ?? bars.unknown, recipe, figures ? exact?.source : "");
      if (figures) now++;
      else unknown++;
    }
    showBadge(this.root, estimating, unknown, now, this.strangers);
    if (!this.unsettled && !sweeping.running) tasks.forEach(({ bars }) => bars.visible && bars.describe());
  }

  // ---- at rest ------------------------------------------------------------------------------------------------------
  settle() {
    this.drag.passOn();
    if (this.pending) this.draw(); // a page in the background gets no frames
    if (this.drag.held || this.ahead || !this.unsettled) return;
    if (sweeping.running) return this.restart();
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

/** Whether the surface has an answer. @param {import("./surface.js").LogitSurface} surface @param {State["recipe"]} recipe */
const estimates = (surface, recipe) => surface.contains(recipe) || surface.measured(recipe) !== null;

/** @param {Live} live @param {string} added names of the visitor's own vectors, separated by commas */
function namesOfRows(live, added) {
  const own = added.split(",");
  return live.rows.map((name, i) => (i < live.vectors.length ? name : (own[i - live.vectors.length] ?? "")));
}

/** @type {Chart | null} */
export let chart = null;

/** Whether a slider is being swept; `end` puts everything back. @type {{running: boolean, end: () => void}} */
export const sweeping = { running: false, end: () => {} };

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
