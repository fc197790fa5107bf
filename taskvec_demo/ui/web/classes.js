// The classes of one task as bars, in the elements of ui/html/classes.py. While a slider moves, nothing is built or removed,
// and what is out of view waits until it is in view or the slider rests.

import { hide, restyle, write } from "./dom.js";
import { changeText, percent, wilson } from "./figures.js";
import { Latest } from "./latest.js";

/** @typedef {import("./bars.js").Task} Task */
/** @typedef {import("./bars.js").Figures} Figures */
/**
 * The elements of one class. `bar` is null where the set has no clip of it.
 * @typedef {{row: HTMLElement, clips: HTMLElement, before: HTMLElement, bar: HTMLElement | null, whisker: HTMLElement,
 *   number: HTMLElement, delta: HTMLElement, drawn: (number | null)[]}} Row
 */

/** The element with the panels of all tasks. @type {Latest<HTMLElement>} */
const place = new Latest();

/** The gr.HTML of the classes calls this once. @param {HTMLElement} element */
export function startClasses(element) {
  place.give(element);
}

/** @param {HTMLElement} element @param {number} points whole ones */
export function showDelta(element, points) {
  write(element, changeText(points));
  restyle(element, `tv-delta ${points ? (points > 0 ? "tv-up" : "tv-down") : "tv-same"}`);
}

export class ClassRows {
  /** @param {Task} task @param {Figures} figures */
  constructor(task, figures) {
    this.task = task;
    this.figures = figures;
    this.source = "";
    this.toForget = false; // whether the recipe means the model to forget this task
    this.shown = true;
    this.inView = false;
    /** @type {HTMLElement | null} */
    this.panel = null;
    /** @type {Row[]} */
    this.rows = [];
    place.follow((element) => this.attach(element));
  }

  /** @param {HTMLElement} element */
  attach(element) {
    this.panel = element.querySelector(`.tv-panel[data-task="${CSS.escape(this.task.name)}"]`);
    if (!this.panel) return;
    this.rows = [...this.panel.querySelectorAll(".tv-row")].map((found) => {
      const row = /** @type {HTMLElement} */ (found);
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
    this.show(this.shown);
    new IntersectionObserver(([{ isIntersecting }]) => {
      this.inView = isIntersecting;
      if (isIntersecting) this.draw();
    }).observe(this.panel);
  }

  /** @param {boolean} shown */
  show(shown) {
    this.shown = shown;
    if (this.panel) hide(this.panel, !shown);
  }

  /** @param {Figures} figures @param {boolean} toForget @param {string} source what they were measured on, if just now */
  update(figures, toForget, source) {
    this.figures = figures;
    this.toForget = toForget;
    this.source = source;
    if (this.inView) this.draw();
  }

  draw() {
    const { n, before, after } = this.figures;
    this.rows.forEach((parts, c) => {
      if (parts.bar) this.drawRow(parts, parts.bar, n[c], before[c], after ? after[c] : null);
    });
    this.panel?.classList.toggle("tv-unknown", !after);
    this.panel?.classList.toggle("tv-to-forget", this.toForget);
    const source = this.panel?.querySelector(".tv-source");
    if (source) write(source, this.source);
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
    if (known !== null) showDelta(parts.delta, percent(known / n) - percent(before / n));
    else write(parts.delta, "");
  }

  /** At rest: texts for a pointer and for screen readers, and the classes that changed most come first. */
  settle() {
    const { n, before, after } = this.figures;
    this.draw();
    this.rows.forEach(({ row, bar }, c) => {
      const change = after && n[c] ? Math.abs(after[c] - before[c]) / n[c] : 0;
      row.style.order = String(-Math.round(1000 * change));
      if (!bar) return;
      const text = this.sentence(c, n[c], before[c], after && after[c]);
      row.title = text;
      row.setAttribute("aria-label", text);
    });
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
