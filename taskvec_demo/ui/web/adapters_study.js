// The budget of the adapters: what it buys each ticked task follows the dial; at rest the visitor's clip is answered by the
// very adapters that were bought.

import { costScale, frontier, meanAccuracy, priced, rivals, short, within } from "./adapters_figures.js";
import { BudgetPicture, drawGates, drawKey } from "./adapters_picture.js";
import { find, write } from "./dom.js";
import { percent, points } from "./figures.js";
import { isCommand } from "./keys.js";
import { Latest } from "./latest.js";
import { dragIn } from "./picture_drag.js";
import { saveText } from "./save.js";
import { cellsOf, csv } from "./sheets.js";
import { withStudy } from "./study_file.js";

/** @typedef {import("./adapters_figures.js").Contents} Contents */
/** @typedef {import("./adapters_figures.js").Measure} Measure */
/** @typedef {import("./adapters_figures.js").Point} Point */
/** @typedef {import("./adapters_figures.js").Sum} Sum */
/**
 * What the server says of the clip: answers by task, and the operations that they took.
 * @typedef {{serial: number, error?: string, answers: {task: string, label: string, probability: number}[],
 *   windows: number, tower_flops: number, flops: number, seconds: number}} Told
 */

const REST_MS = 300; // without a change
const UNITS = { parameters: "parameters", flops: "operations for one window" };

/** @type {Latest<Told>} */
const told = new Latest();
/** @type {Latest<number>} */
const clips = new Latest(); // a number for each clip

/** gradio's event handlers call these two. @param {string} json @returns {never[]} no output */
export function handAdapters(json) {
  if (json) told.give(JSON.parse(json));
  return [];
}

/** @returns {never[]} no output */
export function tellAdaptersClip() {
  clips.give((clips.value ?? 0) + 1);
  return [];
}

/**
 * The gr.HTML of the study calls this once.
 * @param {HTMLElement} element
 * @param {(chosen: Record<string, string>, serial: number) => void} asked asks for the clip's answers
 */
export function startAdapters(element, asked) {
  const place = find(element, ".tv-adapters");
  return withStudy(place, (contents) => new Budget(place, contents, asked));
}

export class Budget {
  /** @param {HTMLElement} place @param {Contents} contents @param {(chosen: Record<string, string>, serial: number) => void} asked */
  constructor(place, contents, asked) {
    this.place = place;
    this.contents = contents;
    this.asked = asked;
    this.dial = /** @type {HTMLInputElement} */ (find(place, "input[name=budget]"));
    this.drawn = find(place, ".tv-budget-picture");
    this.rows = contents.tasks.map((task) => {
      const row = find(place, `tr[data-task="${CSS.escape(task.name)}"]`);
      const tick = /** @type {HTMLInputElement} */ (find(row, "input[type=checkbox]"));
      return { task, row, tick, cell: (/** @type {string} */ name) => find(row, `[data-cell=${name}]`) };
    });
    /** @type {Sum[]} */
    this.sums = [];
    /** @type {ReturnType<typeof costScale> | null} */
    this.scaled = null; // of what the dial may buy; none while no task is ticked
    /** @type {BudgetPicture | null} */
    this.picture = null;
    this.budget = 0;
    this.frame = 0;
    this.timer = 0;
    this.serial = 0; // of the question that was asked last
    this.question = "";
    this.visible = false;
    drawKey(place);
    this.listen();
    this.choose();
  }

  get measure() {
    return /** @type {Measure} */ (
      /** @type {HTMLInputElement} */ (find(this.place, "input[name=measure]:checked")).value
    );
  }

  get ticked() {
    return this.rows.filter(({ tick }) => tick.checked).map(({ task }) => task);
  }

  listen() {
    this.place.addEventListener("change", ({ target }) => {
      if (target instanceof HTMLInputElement && target.name !== "budget") this.choose();
    });
    this.dial.addEventListener("input", () => this.slid());
    this.dial.addEventListener("keydown", (event) => this.pressed(event));
    dragIn(this.drawn, (event) => this.point(event));
    find(this.place, "[data-save=csv]").addEventListener("click", () => this.save());
    new ResizeObserver(() => this.draw()).observe(this.drawn);
    new IntersectionObserver((entries) => {
      this.visible = entries.at(-1)?.isIntersecting ?? false;
      this.ask();
    }).observe(find(this.place, ".tv-adapter-tasks"));
    told.follow((answer) => this.hear(answer));
    clips.follow(() => {
      this.question = "";
      this.ask();
    });
  }

  // ---- the budget ---------------------------------------------------------------------------------------------------
  /** Other tasks, or another measure: the dial keeps its place among the ways there are. */
  choose() {
    const first = Number(this.dial.value) / Number(this.dial.max);
    const share = this.scaled ? this.scaled.share(Math.max(this.budget, this.scaled.low)) : first;
    this.sums = this.ticked.length ? frontier(this.ticked, this.measure) : [];
    this.scaled = this.sums.length ? scaleOf(this.sums) : null;
    this.draw(true);
    this.go(share ? this.scale.cost(share) : 0);
  }

  get scale() {
    return this.scaled ?? scaleOf([]);
  }

  slid() {
    const share = Number(this.dial.value) / Number(this.dial.max);
    this.go(share ? this.scale.cost(share) : 0);
  }

  /** Arrow keys go from way to way. @param {KeyboardEvent} event */
  pressed(event) {
    const way = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (!way || !this.sums.length || isCommand(event)) return;
    event.preventDefault();
    const next = Math.min(Math.max(within(this.sums, this.budget) + way, 0), this.sums.length - 1);
    this.go(this.sums[next].cost);
  }

  /** @param {MouseEvent} event */
  point({ clientX }) {
    if (this.picture) this.go(this.picture.costAt(clientX - this.picture.svg.getBoundingClientRect().left));
  }

  /** @param {number} budget that of the cheapest way at least */
  go(budget) {
    this.budget = Math.max(budget, this.sums[0]?.cost ?? 0);
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.show();
    });
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.ask(), REST_MS);
  }

  // ---- what is shown ------------------------------------------------------------------------------------------------
  /** The picture, anew. @param {boolean} other ways, or another measure */
  draw(other = false) {
    const width = Math.floor(this.drawn.clientWidth);
    const { contents, ticked, measure } = this;
    if (other) this.picture = null;
    if (!width || this.picture?.width === width) return;
    this.drawn.replaceChildren();
    if (!this.sums.length) return;
    const marks = [...priced(ticked, measure), ...rivals(contents, ticked, measure)];
    this.picture = new BudgetPicture(this.drawn, this.sums, marks, UNITS[measure], width);
    this.show();
  }

  show() {
    const { sums, budget, measure, ticked } = this;
    const sum = sums.length ? sums[within(sums, budget)] : null;
    const share = this.scale.share(Math.max(budget, this.scale.low));
    this.dial.value = String(Math.round(Number(this.dial.max) * Math.min(Math.max(share, 0), 1)));
    const words = `${short(budget)} ${measure === "flops" ? "FLOP" : "parameters"}`;
    this.dial.setAttribute("aria-valuetext", sum ? `${words}: ${points(sum.mean)} % on average` : words);
    write(find(this.place, "output"), words);
    const said = find(this.place, ".tv-budget-said");
    if (sum) {
      const test = meanAccuracy(sum.points, "test");
      write(
        said,
        `${short(sum.cost)} spent: ${points(sum.mean)} % mean validation accuracy of ${ticked.length} ` +
          `${ticked.length === 1 ? "task" : "tasks"}; test ${points(test.mean)} % [${points(test.low)}, ${points(test.high)}].`,
      );
      this.picture?.mark(budget, sum.mean);
    } else write(said, "Tick a task to spend the budget on.");
    this.rows.forEach(({ task, row, cell }) => {
      const point = sum?.points[ticked.indexOf(task)];
      row.classList.toggle("tv-off", !point);
      this.fill(cell, point);
    });
  }

  /** @param {(name: string) => HTMLElement} cell @param {Point | undefined} point */
  fill(cell, point) {
    drawGates(cell("gates"), this.contents.widths, point?.widths ?? []);
    write(cell("way"), point ? wayOf(point) : "–");
    write(cell("cost"), point ? short(point[this.measure]) : "–");
    write(cell("validation"), point ? `${percent(point.validation.accuracy)} %` : "–");
    const test = point?.test;
    write(cell("test"), test ? `${percent(test.accuracy)} % [${percent(test.low)}, ${percent(test.high)}]` : "–");
  }

  // ---- the visitor's clip -------------------------------------------------------------------------------------------
  /** Once for each choice and clip, and only while the table is in view. */
  ask() {
    const { sums, ticked, visible } = this;
    if (!visible || !sums.length) return;
    const way = sums[within(sums, this.budget)];
    const chosen = Object.fromEntries(ticked.map((task, i) => [task.name, way.points[i].name]));
    const question = JSON.stringify(chosen);
    if (question === this.question) return;
    this.question = question;
    find(this.place, ".tv-adapter-tasks").setAttribute("aria-busy", "true");
    this.asked(chosen, ++this.serial);
  }

  /** @param {Told} answer */
  hear({ serial, error, answers = [], windows, tower_flops: tower, flops, seconds }) {
    if (serial !== this.serial) return;
    find(this.place, ".tv-adapter-tasks").removeAttribute("aria-busy");
    const line = find(this.place, ".tv-budget-clip");
    const heard = new Map(
      answers.map(({ task, label, probability }) => [task, `${label} (${percent(probability)} %)`]),
    );
    for (const { task, cell } of this.rows) write(cell("clip"), heard.get(task.name) ?? "–");
    if (error) return write(line, error);
    const added = `${short(flops - tower)} FLOP for what was bought (${(1000 * seconds).toFixed(0)} ms here)`;
    write(
      line,
      `Your clip, ${windows} ${windows === 1 ? "window" : "windows"}: ${short(tower)} FLOP for the tower, once for all tasks, and ${added}.`,
    );
  }

  save() {
    const table = /** @type {HTMLTableElement} */ (find(this.place, "table[data-table=adapters]"));
    const rows = cellsOf(table).map((cells, i) => (i ? [cells[0], this.widthsOf(i - 1), ...cells.slice(2)] : cells));
    saveText("adapters.csv", csv(rows));
  }

  /** Squares are read as numbers. @param {number} row */
  widthsOf(row) {
    const open = (this.rows[row].cell("gates").dataset.open ?? "").split(",").map(Number);
    return this.contents.widths.map((all, layer) => `${open[layer] || 0}/${all}`).join(" ");
  }
}

/** @param {Point} point */
function wayOf({ kind, name, price, measure }) {
  if (kind === "zero-shot") return "zero-shot";
  if (kind === "multi-head") return "linear head";
  return name === "open" ? "adapter, all open" : `adapter, λ = ${price} on ${measure === "flops" ? "FLOP" : measure}`;
}

/** @param {Sum[]} sums */
const scaleOf = (sums) => costScale(sums.map(({ cost }) => cost));
