// Writes numbers and widths into the elements of ui/html/bars.py. While a slider moves, nothing is built or removed.

import { find, hide, restyle, write } from "./dom.js";
import { MINUS, percent, sum, wilson } from "./figures.js";

/** @typedef {import("./surface.js").LogitSurface} LogitSurface */
/**
 * A task as the server describes it; `controlKept` is the share of its accuracy that a control has to keep.
 * @typedef {{name: string, title: string, role: string, classes: string[], finetuned: number | null, aside: boolean,
 *   file: string | null, version: string, controlKept: number}} Task
 */
/**
 * Clips of each class: how many (n), and how many the pre-trained and the edited model have right. `after` is null if
 * nothing is known of this recipe.
 * @typedef {{n: ArrayLike<number> & Iterable<number>, before: ArrayLike<number> & Iterable<number>,
 *   after: (ArrayLike<number> & Iterable<number>) | null}} Figures
 */
/**
 * The elements of one class. `bar` is null where the set has no clip of it.
 * @typedef {{row: HTMLElement, clips: HTMLElement, before: HTMLElement, bar: HTMLElement | null, whisker: HTMLElement,
 *   number: HTMLElement, delta: HTMLElement, drawn: (number | null)[]}} Row
 */

/** @param {HTMLElement} element @param {number} change */
function showDelta(element, change) {
  const whole = percent(change);
  write(element, whole ? `${whole > 0 ? "+" : MINUS}${Math.abs(whole)}` : "±0");
  restyle(element, `tv-delta ${whole ? (whole > 0 ? "tv-up" : "tv-down") : "tv-same"}`);
}

/** The tile and the class bars of one task. */
export class TaskBars {
  /** @param {ParentNode} root @param {Task} task @param {LogitSurface | null} surface */
  constructor(root, task, surface) {
    const own = `[data-task="${CSS.escape(task.name)}"]`;
    this.task = task;
    this.surface = surface;
    this.tile = find(root, `.tv-tile${own}`);
    this.panel = find(root, `.tv-panel${own}`);
    const none = task.classes.map(() => 0);
    /** @type {Figures} */
    this.unknown = surface
      ? { n: surface.clipsPerClass, before: surface.count(surface.pretrained), after: null }
      : { n: none, before: none, after: null };
    this.accuracyBefore = surface ? surface.accuracy(surface.pretrained) : 0;
    this.interval = find(this.tile, ".tv-tile-note > :first-child");
    this.note = find(this.tile, ".tv-tile-note > :last-child");
    this.value = find(this.tile, "b");
    this.delta = find(this.tile, ".tv-delta");
    this.from = find(this.tile, "s");
    this.source = find(this.panel, ".tv-source");
    /** @type {Row[]} */
    this.rows = [...this.panel.querySelectorAll(".tv-row")].map((element) => {
      const row = /** @type {HTMLElement} */ (element);
      /** @param {string} selector */
      const part = (selector) => /** @type {HTMLElement} */ (row.querySelector(selector));
      return {
        row,
        clips: part("small"),
        before: part(".tv-pre"),
        bar: part(".tv-ed"),
        whisker: part(".tv-ci"),
        number: part(".tv-num"),
        delta: part(".tv-delta"),
        drawn: [],
      };
    });
    this.shown = this.unknown;
    /** @type {number | null} */
    this.n = null; // of the tile as it is drawn
    /** @type {number | null} */
    this.correctBefore = null;
    /** @type {number | null} */
    this.correct = null;
  }

  get visible() {
    return !this.tile.hidden;
  }

  /** @param {boolean} visible */
  show(visible) {
    hide(this.tile, !visible);
    hide(this.panel, !visible);
  }

  /** @param {Figures} figures @param {string} source what they were measured on, if just now */
  draw(figures, source = "") {
    const { n, before, after } = figures;
    this.rows.forEach((parts, c) => {
      if (parts.bar) this.drawRow(parts, parts.bar, n[c], before[c], after ? after[c] : null);
    });
    this.shown = figures;
    this.drawTile(sum(n), sum(before), after && sum(after));
    this.panel.classList.toggle("tv-unknown", !after);
    write(this.source, source);
  }

  /**
   * @param {Row} parts
   * @param {HTMLElement} bar
   * @param {number} n
   * @param {number} before
   * @param {number | null} after
   */
  drawRow(parts, bar, n, before, after) {
    const [drawnN, drawnBefore, drawnAfter] = parts.drawn;
    if (drawnN === n && drawnBefore === before && drawnAfter === after) return;
    if (drawnN !== n || drawnBefore !== before) {
      write(parts.clips, n ? String(n) : "");
      parts.before.style.width = `${n ? ((100 * before) / n).toFixed(1) : 0}%`;
    }
    parts.drawn = [n, before, after];
    const known = n > 0 && after !== null ? after : null;
    const [low, high] = known !== null ? wilson(known, n) : [0, 0];
    bar.style.width = `${known !== null ? ((100 * known) / n).toFixed(1) : 0}%`;
    parts.whisker.style.left = `${(100 * low).toFixed(1)}%`;
    parts.whisker.style.width = `${(100 * (high - low)).toFixed(1)}%`;
    write(parts.number, known !== null ? `${percent(known / n)}\u200a%` : "—");
    if (known !== null) showDelta(parts.delta, (known - before) / n);
    else write(parts.delta, "");
  }

  /** @param {number} n @param {number} before @param {number | null} after */
  drawTile(n, before, after) {
    if (this.n === n && this.correctBefore === before && this.correct === after) return;
    this.n = n;
    this.correctBefore = before;
    this.correct = after;
    write(this.from, n ? String(percent(before / n)) : "—");
    if (after === null || !n) {
      write(this.value, "—");
      write(this.interval, "no estimate");
      write(this.delta, "");
      write(this.note, "");
      return;
    }
    const [low, high] = wilson(after, n);
    write(this.value, `${percent(after / n)} %`);
    showDelta(this.delta, (after - before) / n);
    write(this.interval, `${percent(low)}–${percent(high)} %, n = ${n}`);
    if (this.task.role === "control" && before) {
      const kept = after / before;
      write(this.note, `control keeps ${percent(kept)}\u00a0%`);
      restyle(this.note, kept >= this.task.controlKept ? "tv-ok" : "tv-bad");
      return;
    }
    const measuredNow = this.shown.n !== this.unknown.n; // not on the clips that the fine-tuned model was measured on
    restyle(this.note, "");
    const { finetuned } = this.task;
    write(
      this.note,
      measuredNow ? "measured now" : finetuned ? `normalized ${(after / n / finetuned).toFixed(2)}` : "",
    );
  }

  /** Texts for a pointer at rest and for screen readers, which are not needed while a slider moves. */
  describe() {
    const { n, before, after } = this.shown;
    this.rows.forEach(({ row, bar }, c) => {
      if (!bar) return;
      const text = this.sentence(c, n[c], before[c], after && after[c]);
      row.title = text;
      row.setAttribute("aria-label", text);
    });
    return `${this.task.title} ${this.value.textContent}`;
  }

  /** @param {number} c class @param {number} n @param {number} before @param {number | null} after */
  sentence(c, n, before, after) {
    const name = this.task.classes[c];
    if (!n) return `${name}: not measured`;
    const was = `${name}: pre-trained ${percent(before / n)} %, edited`;
    if (after === null) return `${was}: no estimate, n = ${n}`;
    const [low, high] = wilson(after, n);
    const interval = `95 % interval ${percent(low)} to ${percent(high)} %`;
    return `${was} ${percent(after / n)} % (${interval}), n = ${n}`;
  }
}
