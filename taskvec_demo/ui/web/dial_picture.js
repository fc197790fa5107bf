// The picture of one domain: a curve along the dial with lines for what stands still, or a map of both λ.

import { html, svg } from "./elements.js";
import { numberText, percent } from "./figures.js";
import { spread } from "./spread.js";

/** @typedef {import("./dial_figures.js").DialFigures} DialFigures */
/** @typedef {import("./dial_figures.js").Point} Point */

const MARGIN = { left: 38, right: 112, top: 10, bottom: 34 };
const [HEIGHT, MAP_HEIGHT, APART] = [210, 250, 14]; // px; from label to label
/** @type {[string, string, string][]} entry of the figures, words, class */
const FIXED = [
  ["initial", "initialisation", "tv-fixed-initial"],
  ["ensemble", "ensemble", "tv-fixed-ensemble"],
  ["speech_teacher", "speech teacher", "tv-fixed-teacher"],
  ["music_teacher", "music teacher", "tv-fixed-teacher"],
];

export class DialPicture {
  /**
   * @param {HTMLElement} place
   * @param {string} domain
   * @param {string} title
   * @param {DialFigures} figures
   * @param {boolean} free a map of both λ instead of a curve
   * @param {number} width px
   */
  constructor(place, domain, title, figures, free, width) {
    this.figures = figures;
    this.domain = domain;
    this.free = free;
    this.width = width;
    this.height = free ? MAP_HEIGHT : HEIGHT;
    this.right = free ? 12 : MARGIN.right;
    place.replaceChildren();
    const size = { width, height: this.height, role: "img" };
    this.svg = svg("svg", { ...size, "aria-label": `${title}: validation accuracy along the dial` }, place);
    const axis = free ? figures.axis : figures.dial;
    this.low = axis[0];
    this.high = axis[axis.length - 1];
    this.range = [0, 1]; // of the accuracies of a curve
    if (free) this.drawMap(title, place);
    else this.drawCurve();
    this.operating = svg("line", { class: "tv-operating", y1: MARGIN.top, y2: this.height - MARGIN.bottom }, this.svg);
    this.dot = svg("circle", { class: free ? "tv-dial-ring" : "tv-dot-at", r: free ? 7 : 5 }, this.svg);
    if (free) this.operating.setAttribute("visibility", "hidden");
  }

  /** @param {number} lambda */
  x(lambda) {
    return MARGIN.left + ((this.width - MARGIN.left - this.right) * (lambda - this.low)) / (this.high - this.low);
  }

  /** Height of an accuracy, or on a map of a λ. @param {number} value */
  y(value) {
    const [low, high] = this.free ? [this.low, this.high] : this.range;
    return this.height - MARGIN.bottom - ((this.height - MARGIN.top - MARGIN.bottom) * (value - low)) / (high - low);
  }

  /** The λ at a place of the picture. @param {number} x @param {number} y px @returns {Point} */
  lambdasAt(x, y) {
    const across = (x - MARGIN.left) / (this.width - MARGIN.left - this.right);
    const up = (this.height - MARGIN.bottom - y) / (this.height - MARGIN.top - MARGIN.bottom);
    const [speech, music] = [across, up].map(
      (share) => this.low + (this.high - this.low) * Math.min(Math.max(share, 0), 1),
    );
    return [speech, music];
  }

  /** @param {number} lambda */
  tick(lambda) {
    const at = { x: this.x(lambda), y: this.height - MARGIN.bottom + 15, "text-anchor": "middle" };
    svg("text", at, this.svg, numberText(lambda));
  }

  /** @param {string} text */
  entitleAxis(text) {
    const middle = (MARGIN.left + this.width - this.right) / 2;
    svg("text", { x: middle, y: this.height - 4, "text-anchor": "middle" }, this.svg, text);
  }

  // ---- the curve ----------------------------------------------------------------------------------------------------
  drawCurve() {
    const { figures, domain } = this;
    const values = figures.dial.map((at) => figures.mean(domain, (task) => figures.along(task, at)));
    const still = FIXED.map(([name]) => figures.mean(domain, (task) => figures.contents.fixed[name][task]));
    const all = [...values, ...still];
    const margin = Math.max(0.02, 0.08 * (Math.max(...all) - Math.min(...all)));
    this.range = [Math.max(0, Math.min(...all) - margin), Math.min(1, Math.max(...all) + margin)];
    this.drawAxes();
    this.drawFixed(still);
    const points = figures.dial.map((at, i) => `${this.x(at).toFixed(1)},${this.y(values[i]).toFixed(1)}`);
    svg("path", { d: `M${points.join("L")}` }, this.svg);
    figures.dial.forEach((at, i) => {
      const circle = svg("circle", { class: "tv-measured", cx: this.x(at), cy: this.y(values[i]), r: 2 }, this.svg);
      svg("title", {}, circle, `λ of speech ${numberText(at)}: ${(100 * values[i]).toFixed(1)} %`);
    });
  }

  drawAxes() {
    const [low, high] = this.range;
    for (const share of [0, 0.5, 1]) {
      const value = low + share * (high - low);
      this.horizontal("tv-grid", value);
      const at = { x: MARGIN.left - 6, y: this.y(value) + 4, "text-anchor": "end" };
      svg("text", at, this.svg, `${percent(value)}${share === 1 ? " %" : ""}`);
    }
    for (const lambda of [0, 0.5, 1]) this.tick(lambda);
    this.entitleAxis("λ of speech");
  }

  /** Lines of what stands still, with their names at the right. @param {number[]} still accuracies in the order of FIXED */
  drawFixed(still) {
    FIXED.forEach(([, , kind], i) => this.horizontal(`tv-fixed-line ${kind}`, still[i]));
    const named = FIXED.map(([, text], i) => ({ text, value: still[i] })).sort((a, b) => b.value - a.value);
    const wanted = named.map(({ value }) => this.y(value));
    const places = spread(wanted, APART, MARGIN.top + 4, this.height - MARGIN.bottom);
    named.forEach(({ text, value }, i) => {
      svg("text", { x: this.width - this.right + 5, y: places[i] + 4 }, this.svg, `${percent(value)} ${text}`);
    });
  }

  /** A line at one accuracy. @param {string} className @param {number} accuracy */
  horizontal(className, accuracy) {
    const y = this.y(accuracy);
    svg("line", { class: className, x1: MARGIN.left, x2: this.width - this.right, y1: y, y2: y }, this.svg);
  }

  // ---- the map ------------------------------------------------------------------------------------------------------
  /** @param {string} title @param {HTMLElement} place */
  drawMap(title, place) {
    const { figures, domain } = this;
    const { axis } = figures;
    const values = axis.flatMap((music) =>
      axis.map((speech) => figures.mean(domain, (task) => figures.over(task, [speech, music]))),
    );
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const half = (axis[1] - axis[0]) / 2;
    this.low -= half; // a cell lies around its point
    this.high += half;
    values.forEach((value, i) => {
      const [speech, music] = [axis[i % axis.length], axis[Math.floor(i / axis.length)]];
      const [x, y] = [this.x(speech - half), this.y(music + half)];
      const size = { width: this.x(speech + half) - x, height: this.y(music - half) - y };
      const cell = svg(
        "rect",
        { x, y, ...size, style: `fill: ${colour((value - low) / (high - low || 1))}` },
        this.svg,
      );
      svg(
        "title",
        {},
        cell,
        `λ of speech ${numberText(speech)}, of music ${numberText(music)}: ${(100 * value).toFixed(1)} %`,
      );
    });
    for (const lambda of [axis[0], axis[axis.length - 1]]) {
      this.tick(lambda);
      const at = { x: MARGIN.left - 6, y: this.y(lambda) + 4, "text-anchor": "end" };
      svg("text", at, this.svg, numberText(lambda));
    }
    this.entitleAxis("λ of speech");
    const middle = (MARGIN.top + this.height - MARGIN.bottom) / 2;
    svg("text", { "text-anchor": "middle", transform: `translate(12 ${middle}) rotate(-90)` }, this.svg, "λ of music");
    svg("path", { class: "tv-dial-way", d: `M${this.x(0)},${this.y(1)}L${this.x(1)},${this.y(0)}` }, this.svg);
    const legend = html("div", "tv-map-legend", place);
    html("span", "", legend, `${percent(low)} %`);
    html("i", "tv-map-ramp", legend);
    html("span", "", legend, `${percent(high)} %`);
    this.svg.setAttribute("aria-label", `${title}: validation accuracy over λ of speech and λ of music`);
  }

  // ---- what changes -------------------------------------------------------------------------------------------------
  /** @param {Point} at @param {number} accuracy */
  mark([speech, music], accuracy) {
    const x = this.x(speech).toFixed(1);
    for (const end of ["x1", "x2"]) this.operating.setAttribute(end, x);
    this.dot.setAttribute("cx", x);
    this.dot.setAttribute("cy", this.y(this.free ? music : accuracy).toFixed(1));
  }
}

/** A colour of the map for a share from 0 to 1, between the theme's three. @param {number} share */
function colour(share) {
  const [from, to] = share < 0.5 ? ["low", "mid"] : ["mid", "high"];
  const part = 200 * (share < 0.5 ? share : share - 0.5);
  return `color-mix(in srgb, var(--tv-map-${to}) ${part.toFixed(0)}%, var(--tv-map-${from}))`;
}
