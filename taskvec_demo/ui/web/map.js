// The map of the tab "Explore": accuracy over any two λ, the others as set. Its marker is where the sliders are, and
// takes them along.

import { find, write } from "./dom.js";
import { html } from "./elements.js";
import { numberText, percent, wilson } from "./figures.js";
import { isCommand } from "./keys.js";
import { previewed, settled, wanted } from "./latest.js";
import { MapPicture } from "./map_picture.js";
import { AccuracyGrid } from "./plane.js";
import { withLambdas } from "./recipe.js";

/** @typedef {import("./chart.js").State} State */
/** @typedef {import("./loading.js").LoadedTask} LoadedTask */
/** @typedef {import("./surface.js").LogitSurface} LogitSurface */
/** @typedef {LoadedTask & {surface: LogitSurface, grid: AccuracyGrid}} Sheet */

const SLICE_MS = 6; // of a frame, for the grids
const PASS_MS = 120; // a pause of the arrow keys, after which gradio hears where the marker is
const KEPT = 60; // grids, of 7 kB each
const KEY_STEP = 0.05; // with Shift a step of the sliders
/** @type {Map<string, [number, number]>} */
const ARROWS = new Map([
  ["ArrowLeft", [-1, 0]],
  ["ArrowRight", [1, 0]],
  ["ArrowDown", [0, -1]],
  ["ArrowUp", [0, 1]],
]);

export class LambdaMap {
  /** @param {HTMLElement} place */
  constructor(place) {
    this.place = place;
    this.figure = find(place, ".tv-map");
    this.readout = find(place, ".tv-readout");
    const [x, y, shown] = ["x", "y", "shown"].map((name) => find(place, `select[name=${name}]`));
    this.x = /** @type {HTMLSelectElement} */ (x);
    this.y = /** @type {HTMLSelectElement} */ (y);
    this.shown = /** @type {HTMLSelectElement} */ (shown);
    /** @type {State | null} */
    this.state = null;
    /** @type {MapPicture | null} */
    this.picture = null;
    /** @type {Map<string, AccuracyGrid>} */
    this.grids = new Map(); // by task, axes and the other λ
    /** @type {Sheet[]} */
    this.sheets = []; // of the tasks that are shown
    /** @type {Sheet[]} */
    this.controls = [];
    /** @type {AccuracyGrid[]} */
    this.waiting = [];
    this.drawn = ""; // axes and other λ of the picture
    this.frame = 0;
    this.timer = 0;
    /** @type {any[] | null} */
    this.values = null; // of the controls, that gradio has not been told yet
    /** @type {[number, number] | null} */
    this.at = null; // where the marker was taken, until the sliders have come to rest: until then `here` may be older
    this.begun = false;
    /** @type {[number, number] | null} */
    this.pointer = null; // λ under it
    for (const select of [this.x, this.y, this.shown]) select.addEventListener("change", () => this.chosen(select));
    this.figure.addEventListener("keydown", (event) => this.pressed(event));
    this.figure.addEventListener("blur", () => (this.at = null)); // something else may move the sliders now
    settled.follow(() => (this.at = null));
    new ResizeObserver(() => this.rest()).observe(this.figure);
    new MutationObserver(() => this.paint()).observe(document.body, { attributeFilter: ["class"] }); // light or dark
  }

  /** @returns {[string, string]} */
  get axes() {
    return [this.x.value, this.y.value];
  }

  // ---- what is chosen -----------------------------------------------------------------------------------------------
  /** Opens on the vectors that are on: the largest λ first. @param {State} state */
  begin({ recipe }) {
    this.begun = true;
    const known = [...this.x.options].map(({ value }) => value);
    const on = [...recipe.keys()].filter((name) => known.includes(name));
    on.sort((a, b) => Math.abs(recipe.get(b) ?? 0) - Math.abs(recipe.get(a) ?? 0));
    const [x, y] = new Set([...on, ...known]);
    this.x.value = x;
    this.y.value = y;
    this.showTaskOf(this.x);
  }

  /** @param {HTMLSelectElement} axis */
  showTaskOf(axis) {
    const { task } = axis.selectedOptions[0].dataset;
    if ([...this.shown.options].some(({ value }) => value === task)) this.shown.value = task ?? "";
  }

  /** @param {HTMLSelectElement} select */
  chosen(select) {
    const [x, y] = this.axes;
    if (x === y) {
      const other = select === this.x ? this.y : this.x;
      other.value = [...other.options].map(({ value }) => value).find((name) => name !== x) ?? "";
    }
    if (select !== this.shown) this.showTaskOf(select);
    this.rest();
  }

  // ---- what is drawn ------------------------------------------------------------------------------------------------
  /** Axes, and the λ that stay. @param {State} state */
  keyOf({ recipe }) {
    const axes = this.axes;
    return JSON.stringify([axes, [...recipe].filter(([name]) => !axes.includes(name))]);
  }

  /** Each frame: the marker follows the sliders. @param {State} state */
  move(state) {
    this.state = state;
    if (!this.begun) this.begin(state);
    if (!this.picture) return;
    const stale = this.keyOf(state) !== this.drawn;
    if (stale) this.waiting = []; // the frames belong to the bars until the sliders rest
    this.picture.stale(stale);
    this.mark();
  }

  /** The sliders rest: the picture is of their λ. */
  rest(state = this.state) {
    this.state = state;
    const width = Math.floor(this.figure.clientWidth);
    if (!state?.tasks || !this.begun || !width) return;
    const problem = this.problem(state);
    if (problem) return this.say(problem);
    const { live } = state;
    if (this.picture?.width !== width) this.picture = new MapPicture(this.figure, live, width, this);
    this.drawn = this.keyOf(state);
    const sheets = this.known(state.tasks).map((loaded) => ({ ...loaded, grid: this.grid(loaded, state) }));
    this.sheets = sheets.filter(({ task }) => this.shows(task));
    this.controls = sheets.filter(({ task }) => task.role === "control");
    this.waiting = [...new Set([...this.sheets, ...this.controls])].map(({ grid }) => grid);
    this.picture.entitle(this.axes, this.title);
    this.picture.stale(false);
    this.figure.setAttribute("aria-busy", "true"); // until the finest grid is whole
    this.paint();
    this.mark();
    this.frame ||= requestAnimationFrame(() => this.work());
  }

  /** Why there is no map, or "". @param {State} state */
  problem({ live, recipe }) {
    const others = [...recipe].filter(([name]) => !this.axes.includes(name));
    const strangers = others.filter(([name]) => !live.measured.includes(name)).map(([name]) => `τ_${name}`);
    if (strangers.length) return `No accuracy was measured for ${strangers.join(", ")}: no map while it is on.`;
    const beyond = others.filter(([, value]) => value < live.low || value > live.high).map(([name]) => `τ_${name}`);
    if (!beyond.length) return "";
    const measured = `Accuracies were measured for λ from ${numberText(live.low)} to ${numberText(live.high)} only`;
    return `${measured}: there is no map while ${beyond.join(", ")} goes beyond.`;
  }

  /**
   * Tasks with a surface that knows both axes.
   * @param {LoadedTask[]} tasks
   * @returns {(LoadedTask & {surface: LogitSurface})[]}
   */
  known(tasks) {
    const axes = new Map(this.axes.map((name) => [name, 1]));
    return /** @type {any} */ (tasks.filter(({ surface }) => surface?.knows(axes)));
  }

  /** @param {import("./bars.js").Task} task */
  shows(task) {
    const { value } = this.shown;
    return value ? task.name === value : task.role === "target" && !task.aside;
  }

  /** @param {LoadedTask & {surface: LogitSurface}} loaded @param {State} state */
  grid({ task, surface }, { recipe }) {
    const key = `${task.name} ${this.drawn}`;
    const others = new Map([...recipe].filter(([name]) => !this.axes.includes(name)));
    const grid = this.grids.get(key) ?? new AccuracyGrid(surface, this.axes, others);
    this.grids.delete(key); // and to the end: the least recently used goes first
    this.grids.set(key, grid);
    const [oldest] = this.grids.keys();
    if (this.grids.size > KEPT) this.grids.delete(oldest);
    return grid;
  }

  work() {
    this.frame = 0;
    const end = performance.now() + SLICE_MS;
    let finer = false;
    while (this.waiting.length && performance.now() < end) {
      const { done, value } = this.waiting[0].work.next();
      finer ||= Boolean(done || value);
      if (done) this.waiting.shift();
    }
    if (finer) {
      this.paint();
      this.mark();
    }
    if (this.waiting.length) this.frame = requestAnimationFrame(() => this.work());
    else if (!this.picture?.isStale) this.figure.setAttribute("aria-busy", "false");
  }

  get title() {
    return this.shown.selectedOptions[0].textContent ?? "";
  }

  /** The mean accuracy of the tasks that are shown. @param {number} column @param {number} row */
  accuracy(column, row) {
    return this.sheets.reduce((total, { grid }) => total + grid.at(column, row), 0) / this.sheets.length;
  }

  /** The smallest share of its accuracy that a control keeps. @param {number} column @param {number} row */
  kept(column, row) {
    const shares = this.controls.map(
      ({ surface, grid }) => grid.at(column, row) / surface.accuracy(surface.pretrained),
    );
    return Math.min(...shares);
  }

  paint() {
    const least = (this.state?.live.controlKept ?? 1) - 1e-6; // grids are float32
    this.picture?.paint(
      (column, row) => this.accuracy(column, row),
      (column, row) => !(this.kept(column, row) < least), // what is not known yet (NaN) is not hatched
    );
  }

  // ---- where it is --------------------------------------------------------------------------------------------------
  /** @returns {[number, number]} */
  get here() {
    const { recipe } = /** @type {State} */ (this.state);
    return /** @type {[number, number]} */ (this.axes.map((name) => recipe.get(name) ?? 0));
  }

  mark() {
    this.picture?.mark(this.here);
    const { pointer, picture } = this;
    if (!pointer || !picture) {
      write(this.readout, `You are here: ${this.sentence(this.here, this.accuracyHere, this.keptHere)}`);
      return;
    }
    const cell = /** @type {[number, number]} */ (pointer.map((lambda) => picture.nearest(lambda)));
    const [accuracy, kept] = picture.isStale ? [NaN, NaN] : [this.accuracy(...cell), this.kept(...cell)];
    const at = /** @type {[number, number]} */ (cell.map((place) => picture.lambdaOf(place)));
    write(this.readout, `Under the pointer: ${this.sentence(at, accuracy, kept)}`);
  }

  /** The accuracy of the recipe itself, as the bars have it; NaN where there is no estimate. @param {Sheet} sheet */
  atRecipe({ surface, bars }) {
    const recipe = this.state?.recipe ?? new Map();
    if (!surface.contains(recipe)) return NaN;
    if (bars.visible && bars.n === surface.n && bars.correct !== null) return bars.correct / bars.n;
    return surface.accuracy(surface.predict(recipe).predicted);
  }

  get accuracyHere() {
    return this.sheets.reduce((total, sheet) => total + this.atRecipe(sheet), 0) / this.sheets.length;
  }

  get keptHere() {
    const shares = this.controls.map(
      (control) => this.atRecipe(control) / control.surface.accuracy(control.surface.pretrained),
    );
    return Math.min(...shares);
  }

  /** @param {[number, number]} at @param {number} accuracy NaN: not known @param {number} kept of the control's accuracy */
  sentence(at, accuracy, kept) {
    const where = this.axes.map((name, i) => `λ ${name} ${numberText(at[i], 2)}`).join(", ");
    if (Number.isNaN(accuracy)) return `${where}.`;
    const n = this.sheets.reduce((total, { surface }) => total + surface.n, 0);
    const [low, high] = wilson(Math.round(accuracy * n), n);
    const uncertain =
      this.sheets.length > 1
        ? `mean of ${this.sheets.length} tasks, n = ${n} in all`
        : `${percent(low)}–${percent(high)} %, n = ${n}`;
    const control = this.controls.length && !Number.isNaN(kept) ? `; control keeps ${percent(kept)} %` : "";
    return `${where} → ${this.title} ${percent(accuracy)} % (${uncertain})${control}.`;
  }

  /** @param {[number, number] | null} at λ, null when the pointer is gone */
  hover(at) {
    this.pointer = at;
    if (this.state) this.mark();
  }

  /** Goes to a point: the bars at once, gradio when the pointer is released. @param {[number, number]} at */
  go(at) {
    const { state } = this;
    if (!state || state.problem) return;
    this.pointer = null;
    const lambdas = new Map(this.axes.map((name, i) => [name, at[i]]));
    const values = withLambdas(state.values, state.vectors, lambdas, state.live.sliderMax);
    previewed.give(values);
    this.values = values;
    this.at = at;
  }

  release() {
    clearTimeout(this.timer);
    if (this.values) wanted.give(this.values);
    this.values = null;
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    const { state } = this;
    const way = ARROWS.get(event.key);
    if (!state || isCommand(event) || (!way && event.key !== "Home")) return;
    event.preventDefault();
    const { low, high, sliderStep } = state.live;
    const step = event.shiftKey ? sliderStep : KEY_STEP;
    const to = (this.at ?? this.here).map((lambda, i) =>
      Math.min(Math.max(lambda + step * (way?.[i] ?? 0), low), high),
    );
    this.go(way ? [to[0], to[1]] : [0, 0]);
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.release(), PASS_MS);
  }

  /** @param {string} sentence */
  say(sentence) {
    this.picture = null;
    this.waiting = [];
    this.drawn = "";
    this.figure.setAttribute("aria-busy", "false");
    write(this.readout, "");
    this.figure.replaceChildren();
    html("p", "tv-muted", this.figure, sentence);
  }
}
