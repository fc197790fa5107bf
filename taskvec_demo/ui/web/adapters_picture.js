// Accuracy against cost: the best ways to spend a budget, what one price for all tasks gives, and the rivals.

import { costScale, short } from "./adapters_figures.js";
import { html, svg } from "./elements.js";
import { percent, points } from "./figures.js";

/** @typedef {import("./adapters_figures.js").Sum} Sum */
/** @typedef {Sum & {kind: string, price?: number | null}} Mark */

const MARGIN = { left: 46, right: 16, top: 12, bottom: 36 };
const [HEIGHT, FREE, LEAST_TICK] = [280, 34, 46]; // px; between what costs nothing and the least cost; between ticks
const WORDS = {
  "zero-shot": "zero-shot",
  "multi-head": "linear heads",
  open: "all gates open",
  "single-task": "full width",
  vector: "task vectors",
};
/** Shapes about their middle, by the kind of a point. @type {Record<string, string>} */
const SHAPES = {
  priced: "M-3,0a3,3 0 1,0 6,0a3,3 0 1,0 -6,0z",
  "zero-shot": "M-5,-5L5,5M-5,5L5,-5",
  "multi-head": "M0,-6L6,5L-6,5z",
  open: "M-5.5,0a5.5,5.5 0 1,0 11,0a5.5,5.5 0 1,0 -11,0z",
  "single-task": "M0,-6.5L6.5,0L0,6.5L-6.5,0z",
  vector: "M-5,-5h10v10h-10z",
};

/** Puts the shapes into the key below the picture. @param {ParentNode} root */
export function drawKey(root) {
  for (const [kind, d] of Object.entries(SHAPES)) {
    const place = root.querySelector(`.tv-budget-key .tv-rival-${kind}`);
    if (place && !place.firstChild) svg("path", { d }, place);
  }
}

export class BudgetPicture {
  /**
   * @param {HTMLElement} place
   * @param {Sum[]} sums the frontier
   * @param {Mark[]} marks
   * @param {string} unit
   * @param {number} width px
   */
  constructor(place, sums, marks, unit, width) {
    this.width = width;
    this.scale = costScale([...sums, ...marks].map(({ cost }) => cost));
    this.left = MARGIN.left + ([...sums, ...marks].some(({ cost }) => cost <= 0) ? FREE : 0);
    const means = [...sums, ...marks].map((one) => one.mean);
    this.range = [Math.floor(10 * Math.min(...means) - 0.3) / 10, Math.ceil(10 * Math.max(...means) + 0.3) / 10].map(
      (v) => Math.min(Math.max(v, 0), 1),
    );
    place.replaceChildren();
    const label = `Mean validation accuracy against ${unit}: ${sums.length} ways to spend a budget and ${marks.length} rivals`;
    this.svg = svg("svg", { width, height: HEIGHT, role: "img", "aria-label": label }, place);
    this.drawAxes(unit);
    this.drawWays(sums);
    this.operating = svg("line", { class: "tv-operating", y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom }, this.svg);
    for (const mark of marks) this.drawMark(mark);
    this.dot = svg("circle", { class: "tv-handle", r: 7 }, this.svg);
  }

  /** @param {number} cost */
  x(cost) {
    if (cost <= 0) return MARGIN.left;
    return this.left + (this.width - MARGIN.right - this.left) * this.scale.share(cost);
  }

  /** The cost at a place of the picture. @param {number} x px */
  costAt(x) {
    if (x < (MARGIN.left + this.left) / 2) return 0;
    const share = (x - this.left) / (this.width - MARGIN.right - this.left);
    return this.scale.cost(Math.min(Math.max(share, 0), 1));
  }

  /** @param {number} accuracy */
  y(accuracy) {
    const [low, high] = this.range;
    return HEIGHT - MARGIN.bottom - ((HEIGHT - MARGIN.top - MARGIN.bottom) * (accuracy - low)) / (high - low || 1);
  }

  /** @param {string} unit */
  drawAxes(unit) {
    const [x1, x2] = [MARGIN.left, this.width - MARGIN.right];
    const [low, high] = this.range;
    const rows = Math.max(Math.round((high - low) * 10), 1);
    for (let i = 0; i <= rows; i++) {
      const accuracy = low + ((high - low) * i) / rows;
      const y = this.y(accuracy);
      svg("line", { class: "tv-grid", x1, x2, y1: y, y2: y }, this.svg);
      const text = `${percent(accuracy)}${i === rows ? " %" : ""}`;
      svg("text", { x: x1 - 6, y: y + 4, "text-anchor": "end" }, this.svg, text);
    }
    let last = -LEAST_TICK;
    if (this.left > MARGIN.left) {
      this.tick(0, "0");
      last = this.x(0);
    }
    for (let power = Math.ceil(Math.log10(this.scale.low) - 1e-9); 10 ** power <= this.scale.high; power++) {
      const cost = 10 ** power;
      const room = this.x(cost) - last >= LEAST_TICK;
      this.tick(cost, room ? short(cost).replace(".00", "").replace(".0", "") : "");
      if (room) last = this.x(cost);
    }
    svg(
      "text",
      { x: (x1 + x2) / 2, y: HEIGHT - 4, "text-anchor": "middle" },
      this.svg,
      `${unit}, all ticked tasks together`,
    );
  }

  /** @param {number} cost @param {string} text */
  tick(cost, text) {
    const x = this.x(cost);
    svg("line", { class: "tv-grid", x1: x, x2: x, y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom }, this.svg);
    svg("text", { x, y: HEIGHT - MARGIN.bottom + 15, "text-anchor": "middle" }, this.svg, text);
  }

  /** Steps: a way is the best one until the next one can be paid. @param {Sum[]} sums */
  drawWays(sums) {
    const steps = sums.map(({ cost, mean }, i) => {
      const [x, y] = [this.x(cost).toFixed(1), this.y(mean).toFixed(1)];
      return i ? `H${x}V${y}` : `M${x},${y}`;
    });
    svg("path", { class: "tv-budget-ways", d: `${steps.join("")}H${this.width - MARGIN.right}` }, this.svg);
  }

  /** @param {Mark} mark */
  drawMark({ kind, cost, mean, price }) {
    const at = `translate(${this.x(cost).toFixed(1)} ${this.y(mean).toFixed(1)})`;
    const mark = svg("path", { class: `tv-rival tv-rival-${kind}`, d: SHAPES[kind], transform: at }, this.svg);
    const words = kind === "priced" ? `λ = ${price}` : WORDS[/** @type {keyof typeof WORDS} */ (kind)];
    svg("title", {}, mark, `${words}: ${points(mean)} % for ${short(cost)}`);
  }

  /** @param {number} budget @param {number} mean of the way that it buys */
  mark(budget, mean) {
    const x = this.x(budget).toFixed(1);
    for (const end of ["x1", "x2"]) this.operating.setAttribute(end, x);
    this.dot.setAttribute("cx", x);
    this.dot.setAttribute("cy", this.y(mean).toFixed(1));
  }
}

const [CELL, GAP, COLUMNS] = [5, 1, 13]; // px; channels in a row

/**
 * The channels of one task, layer by layer: a square each, lit where its gate is open.
 * @param {HTMLElement} place
 * @param {number[]} all channels of each layer
 * @param {number[]} open of them
 */
export function drawGates(place, all, open) {
  const key = open.join();
  if (place.dataset.open === key) return;
  place.dataset.open = key;
  const lights = place.querySelector("div") ?? html("div", "tv-gates", place);
  const said = all.map((n, layer) => `layer ${layer + 1}: ${open[layer] ?? 0} of ${n}`);
  lights.setAttribute("role", "img");
  lights.setAttribute("aria-label", `Open channels: ${said.join(", ")}`);
  lights.replaceChildren();
  all.forEach((n, layer) => {
    const lit = open[layer] ?? 0;
    const rows = Math.ceil(n / COLUMNS);
    const size = { width: (CELL + GAP) * Math.min(n, COLUMNS), height: (CELL + GAP) * rows };
    const block = svg("svg", { ...size, "aria-hidden": "true" }, lights);
    svg("title", {}, block, said[layer]);
    svg("path", { class: "tv-gate-closed", d: squares(lit, n) }, block);
    svg("path", { class: "tv-gate-open", d: squares(0, lit) }, block);
  });
}

/** @param {number} from @param {number} to */
function squares(from, to) {
  let d = "";
  for (let i = from; i < to; i++) {
    d += `M${(i % COLUMNS) * (CELL + GAP)} ${Math.floor(i / COLUMNS) * (CELL + GAP)}h${CELL}v${CELL}h-${CELL}z`;
  }
  return d;
}
