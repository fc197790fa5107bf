// The bar of one task, in the elements of ui/html/bars.py: numbers and widths are written, nothing is built or removed.

import { ClassRows, showDelta } from "./classes.js";
import { find, hide, restyle, write } from "./dom.js";
import { percent, sum, wilson } from "./figures.js";
import { aimOf, verdict } from "./verdict.js";

/** @typedef {import("./surface.js").LogitSurface} LogitSurface */
/** @typedef {import("./recipe.js").Recipe} Recipe */
/**
 * A task as the server describes it; `series` is the number of its colour, `controlKept` the share of its accuracy that a
 * control has to keep.
 * @typedef {{name: string, title: string, role: string, series: number, classes: string[], finetuned: number | null,
 *   aside: boolean, file: string | null, version: string, controlKept: number}} Task
 */
/**
 * Clips of each class: how many (n), and how many the pre-trained and the edited model have right. `after` is null if
 * nothing is known of this recipe.
 * @typedef {{n: ArrayLike<number> & Iterable<number>, before: ArrayLike<number> & Iterable<number>,
 *   after: (ArrayLike<number> & Iterable<number>) | null}} Figures
 */

/** @param {number} share */
const width = (share) => `${(100 * share).toFixed(1)}%`;

export class TaskBars {
  /** @param {ParentNode} root @param {Task} task @param {LogitSurface | null} surface @param {Record<string, string>} vectorTasks */
  constructor(root, task, surface, vectorTasks) {
    this.task = task;
    this.surface = surface;
    this.vectorTasks = vectorTasks;
    this.row = find(root, `.tv-task[data-task="${CSS.escape(task.name)}"]`);
    const none = task.classes.map(() => 0);
    /** @type {Figures} */
    this.unknown = surface
      ? { n: surface.clipsPerClass, before: surface.count(surface.pretrained), after: null }
      : { n: none, before: none, after: null };
    this.accuracyBefore = surface ? surface.accuracy(surface.pretrained) : 0;
    this.name = find(this.row, ".tv-task-name");
    this.track = find(this.row, ".tv-track");
    this.pre = find(this.row, ".tv-pre");
    this.bar = find(this.row, ".tv-ed");
    this.change = find(this.row, ".tv-change");
    this.whisker = find(this.row, ".tv-ci");
    this.from = find(this.row, "s");
    this.value = find(this.row, "b");
    this.delta = find(this.row, ".tv-delta");
    this.word = find(this.row, ".tv-verdict");
    this.classes = new ClassRows(task, this.unknown);
    this.drawn = "";
    this.kind = ""; // whether the figures are measured or an estimate, as the badge says it
    /** @type {number | null} */
    this.correct = null; // clips that the edited model has right
    this.n = 0;
    this.correctBefore = 0;
    /** @type {number | null} */
    this.finetuned = task.finetuned; // on the clips that are counted now, null where nobody measured it on them
    this.name.addEventListener("click", () => this.openClasses());
  }

  /** The accuracies before and after, as they stand beside the bar. */
  get fromTo() {
    return `${this.from.textContent} → ${this.value.textContent}`;
  }

  get visible() {
    return !this.row.hidden;
  }

  /** @param {boolean} visible */
  show(visible) {
    hide(this.row, !visible);
    this.classes.show(visible);
  }

  /** @param {Figures} figures @param {Recipe} recipe @param {string} source what they were measured on, if just now */
  draw(figures, recipe, source = "") {
    const aim = aimOf(this.task, recipe, this.vectorTasks);
    this.classes.update(figures, aim === "forget", source);
    this.n = sum(figures.n);
    this.correctBefore = sum(figures.before);
    this.correct = figures.after && sum(figures.after);
    this.finetuned = figures.n === this.unknown.n ? this.task.finetuned : null;
    const drawn = `${this.n} ${this.correctBefore} ${this.correct} ${aim} ${recipe.size}`;
    if (this.drawn === drawn) return;
    this.drawn = drawn;
    const before = this.n ? this.correctBefore / this.n : 0;
    write(this.from, this.n ? String(percent(before)) : "—");
    this.pre.style.width = width(before);
    if (this.correct === null || !this.n) return this.drawUnknown();
    const after = this.correct / this.n;
    const [low, high] = wilson(this.correct, this.n);
    const { word, state } = recipe.size ? this.verdict(aim, before, after, [low, high]) : { word: "", state: "plain" };
    restyle(this.row, `tv-task tv-${state}`);
    restyle(this.track, `tv-track ${after > before ? "tv-gain" : "tv-loss"}`);
    this.bar.style.width = width(after);
    this.change.style.left = width(Math.min(before, after));
    this.change.style.width = width(Math.abs(after - before));
    this.whisker.style.left = width(low);
    this.whisker.style.width = width(high - low);
    write(this.value, `${percent(after)} %`);
    showDelta(this.delta, percent(after) - percent(before));
    write(this.word, word);
  }

  /**
   * @param {import("./verdict.js").Aim} aim
   * @param {number} before
   * @param {number} after
   * @param {[number, number]} interval
   */
  verdict(aim, before, after, interval) {
    return verdict(aim, { ...this.task, finetuned: this.finetuned }, before, after, interval);
  }

  drawUnknown() {
    restyle(this.row, "tv-task tv-plain tv-unknown");
    for (const part of [this.bar, this.change, this.whisker]) part.style.width = width(0);
    write(this.value, "—");
    write(this.delta, "");
    write(this.word, "no estimate");
  }

  /** Texts for a pointer at rest and for screen readers, which are not needed while a slider moves. */
  describe() {
    this.classes.settle();
    const text = this.sentence();
    this.row.title = text;
    const control = this.task.role === "control" ? " control" : "";
    this.name.setAttribute("aria-label", `${this.task.title}${control}: ${text}. Show its classes.`);
    return `${this.task.title} ${this.value.textContent} ${this.word.textContent}`.trim();
  }

  sentence() {
    const { n, correct, correctBefore, finetuned } = this;
    if (correct === null || !n) return "no estimate";
    const target = this.task.role !== "control";
    const normalized = finetuned && target ? `, normalized ${(correct / n / finetuned).toFixed(2)}` : "";
    const word = this.word.textContent;
    return (
      `${percent(correctBefore / n)} % before, ${percent(correct / n)} % after (95 % interval ${this.interval}, ` +
      `n = ${n}${normalized})${word ? `: ${word}` : ""}`
    );
  }

  /** The interval of the accuracy after; only where there is one. */
  get interval() {
    const [low, high] = wilson(this.correct ?? 0, this.n);
    return `${percent(low)} to ${percent(high)} %`;
  }

  /** What the explanation of "interval" says of this bar. */
  get told() {
    const known = this.correct !== null && this.n;
    const figures = known ? `${this.interval}, n\u00a0=\u00a0${this.n}` : "no estimate";
    return `${this.task.title}: ${figures}; guessing has ${percent(1 / this.task.classes.length)}\u00a0%`;
  }

  /** Opens the tab of the classes where this task's are. */
  openClasses() {
    const { panel } = this.classes;
    /** @type {HTMLElement | null} */ (document.querySelector("#further [role=tab]"))?.click();
    if (!panel) return;
    requestAnimationFrame(() => {
      // the tab is open now
      panel.scrollIntoView({ block: "center" });
      find(panel, "h4").focus({ preventScroll: true });
    });
  }
}
