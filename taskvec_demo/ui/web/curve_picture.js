// The picture of the curves: axes, lines with their names at the right end, and points, as SVG.

import { setTo } from "./dom.js";
import { html, svg } from "./elements.js";
import { numberText, percent } from "./figures.js";
import { spread } from "./spread.js";

/** @typedef {import("./bars.js").TaskBars} TaskBars */
/** @typedef {import("./loading.js").LoadedTask} LoadedTask */
/** @typedef {import("./surface.js").LogitSurface} LogitSurface */
/**
 * The line of one task. `drawn`: the way that it shows. `end`: where it ends, px. `span`: by how much the accuracy
 * differs along it.
 * @typedef {{surface: LogitSurface, bars: TaskBars, drawn: string | null, path: SVGElement, circles: SVGElement,
 *   dot: SVGElement, name: SVGElement, leader: SVGElement, end: number, span: number}} Line
 */

const MARGIN = { left: 48, right: 12, top: 8, bottom: 20 };
const CLEAR = 11; // px from the axes to what is written beside them, so that the handle covers none of it at an end
const TICKS = 4;
const NAME_GAP = 13; // px from one name to the next
const LEADER = 14; // px from the end of a line to its name
const WIDEST_NAME = 0.3; // of the picture

export class CurvePicture {
  /**
   * @param {HTMLElement} place
   * @param {string} kind what makes another picture necessary when it changes
   * @param {LoadedTask[]} tasks that have a surface
   * @param {{low: number, high: number}} range of λ
   * @param {{width: number, height: number}} size of the place
   */
  constructor(place, kind, tasks, { low, high }, { width, height }) {
    this.kind = kind;
    this.low = low;
    this.high = high;
    this.width = width;
    place.replaceChildren();
    this.heading = html("h3", "", place);
    this.moving = html("span", "", this.heading);
    html("small", "", this.heading, "○ measured");
    this.height = Math.max(height - 26, 90);
    this.svg = svg("svg", { width, height: this.height, role: "img" }, place);
    const names = svg("g", { class: "tv-names" }, this.svg);
    const widths = tasks.map(({ task }) => this.addName(names, task));
    this.right = width - MARGIN.right - LEADER - Math.max(...widths); // where the lines end
    this.drawAxes();
    this.operating = this.vertical("tv-operating");
    this.lines = tasks.map((loaded, i) => this.addLine(loaded, names.children[i]));
    this.handle = svg("circle", { class: "tv-handle", r: 7, cy: this.y(0) }, this.svg);
  }

  /** @param {number} lambda */
  x(lambda) {
    return MARGIN.left + ((this.right - MARGIN.left) * (lambda - this.low)) / (this.high - this.low);
  }

  /** The λ at a place of the picture. @param {number} x px */
  lambdaAt(x) {
    const share = (x - MARGIN.left) / (this.right - MARGIN.left);
    return this.low + (this.high - this.low) * Math.min(Math.max(share, 0), 1);
  }

  /** @param {number} accuracy */
  y(accuracy) {
    return this.height - MARGIN.bottom - (this.height - MARGIN.top - MARGIN.bottom) * accuracy;
  }

  drawAxes() {
    const { low, high } = this;
    for (const share of [0, 0.5, 1]) {
      this.horizontal("tv-grid", share, this.svg);
      const at = { x: MARGIN.left - CLEAR, y: this.y(share) + 4, "text-anchor": "end" };
      svg("text", at, this.svg, share === 1 ? "100 %" : String(100 * share));
    }
    for (let i = 0; i <= TICKS; i++) {
      const lambda = low + ((high - low) * i) / TICKS;
      moveTo(this.vertical(lambda ? "tv-grid" : "tv-zero"), this.x(lambda));
      if (i % 2 && lambda) continue;
      svg("text", { x: this.x(lambda), y: this.height - 1, "text-anchor": "middle" }, this.svg, numberText(lambda));
    }
  }

  /** A line at one accuracy. @param {string} className @param {number} accuracy @param {Element} parent */
  horizontal(className, accuracy, parent) {
    const [x1, x2, y] = [this.x(this.low), this.x(this.high), this.y(accuracy)];
    svg("line", { class: className, x1, x2, y1: y, y2: y }, parent);
  }

  /** A line that `moveTo` puts at a λ. @param {string} className */
  vertical(className) {
    return svg("line", { class: className, y1: this.y(0), y2: this.y(1) }, this.svg);
  }

  /** Returns the width of the name in px. @param {Element} names @param {import("./bars.js").Task} task */
  addName(names, { name: task, role, series }) {
    const group = svg("g", { class: `tv-series-${series}` }, names);
    svg("line", { class: "tv-leader", visibility: "hidden" }, group);
    const text = role === "control" ? role : task.replaceAll("_", " ");
    const name = /** @type {SVGTextElement} */ (svg("text", { visibility: "hidden" }, group, text));
    const most = WIDEST_NAME * this.width;
    for (let n = text.length - 1; n && name.getComputedTextLength() > most; n--) {
      name.textContent = `${text.slice(0, n)}…`;
    }
    return name.getComputedTextLength();
  }

  /** @param {LoadedTask} loaded @param {Element} named @returns {Line} */
  addLine({ task, surface, bars }, named) {
    const control = task.role === "control";
    const group = svg("g", { class: `tv-line tv-series-${task.series}${control ? " tv-control-line" : ""}` }, this.svg);
    if (control) this.horizontal("tv-least", task.controlKept * bars.accuracyBefore, group);
    return {
      surface: /** @type {LogitSurface} */ (surface),
      bars,
      drawn: null,
      path: svg("path", {}, group),
      circles: svg("g", {}, group),
      dot: svg("circle", { class: "tv-dot-at", r: 4 }, group),
      leader: /** @type {SVGElement} */ (named.firstChild),
      name: /** @type {SVGElement} */ (named.lastChild),
      end: NaN,
      span: 0,
    };
  }

  /** @param {string} what moves */
  entitle(what) {
    if (this.moving.dataset.what === what) return;
    this.moving.dataset.what = what;
    this.moving.textContent = `Along λ: ${what}`;
    this.heading.title = "Drag in the picture to move the slider";
    this.svg.setAttribute("aria-label", `Validation accuracy of ${this.lines.length} tasks along λ of ${what}`);
  }

  /** @param {Line} line @param {[number, number][]} points λ and accuracy */
  draw(line, points) {
    const written = points.map(([lambda, accuracy]) => `${this.x(lambda).toFixed(1)},${this.y(accuracy).toFixed(1)}`);
    line.path.setAttribute("d", `M${written.join("L")}`);
    const accuracies = points.map(([, accuracy]) => accuracy);
    line.end = this.y(accuracies[accuracies.length - 1]);
    line.span = Math.max(...accuracies) - Math.min(...accuracies);
  }

  /** Names at the ends of the lines; where not all find room, of those along which the accuracy differs most. */
  nameEnds() {
    const room = Math.floor((this.height - NAME_GAP) / NAME_GAP) + 1;
    const ended = this.lines.filter(({ end }) => !Number.isNaN(end)).sort((a, b) => b.span - a.span);
    ended.forEach(({ name, leader }, i) => {
      for (const part of [name, leader]) part.setAttribute("visibility", i < room ? "visible" : "hidden");
    });
    const named = ended.slice(0, room).sort((a, b) => a.end - b.end);
    const places = spread(
      named.map(({ end }) => end),
      NAME_GAP,
      NAME_GAP / 2,
      this.height - NAME_GAP / 2,
    );
    named.forEach(({ name, leader, end }, i) => {
      const [x, y] = [this.right + LEADER, places[i]];
      name.setAttribute("x", String(x));
      name.setAttribute("y", (y + 4).toFixed(1));
      const way = { x1: this.right + 2, y1: end, x2: x - 3, y2: y };
      for (const [key, value] of Object.entries(way)) leader.setAttribute(key, value.toFixed(1));
    });
  }

  /** Circles where this vector alone was measured. @param {Line} line @param {string | null} vector null: none */
  drawMeasured({ surface, circles }, vector) {
    circles.replaceChildren();
    if (vector === null) return;
    const column = surface.vectors.indexOf(vector);
    const k = surface.vectors.length;
    for (let row = 0; row * k < surface.points.length; row++) {
      const point = /** @type {Float64Array} */ (surface.points.subarray(row * k, (row + 1) * k));
      const lambda = point[column];
      if (lambda < this.low || lambda > this.high) continue;
      if (point.some((value, v) => v !== column && Math.abs(value) > 1e-9)) continue;
      const accuracy = surface.accuracy(surface.measuredPredictions.subarray(row * surface.n, (row + 1) * surface.n));
      const circle = svg("circle", { class: "tv-measured", cx: this.x(lambda), cy: this.y(accuracy), r: 2.5 }, circles);
      const text = `λ = ${numberText(lambda, 2)}: ${percent(accuracy)} % (measured, n = ${surface.n})`;
      svg("title", {}, circle, text);
    }
  }

  /** @param {number} lambda as set */
  mark(lambda) {
    moveTo(this.operating, this.x(lambda));
    setTo(this.handle, "cx", String(this.x(lambda)));
  }

  /** @param {Line} line @param {number} lambda where its dot is @param {number} accuracy NaN where there is none */
  markLine({ dot }, lambda, accuracy) {
    setTo(dot, "visibility", Number.isNaN(accuracy) ? "hidden" : "visible");
    if (Number.isNaN(accuracy)) return;
    setTo(dot, "cx", String(this.x(lambda)));
    setTo(dot, "cy", String(this.y(accuracy)));
  }
}

/** @param {Element} line @param {number} x */
function moveTo(line, x) {
  setTo(line, "x1", String(x));
  setTo(line, "x2", String(x));
}
