// The matrix as a heat map of cells to pick, and the two learning curves of a pairing.

import { html, svg } from "./elements.js";
import { percent } from "./figures.js";
import { cellOf, cellText, isPale, spoken, valueOf } from "./relations_figures.js";

/** @typedef {import("./relations_figures.js").Matrix} Matrix */
/** @typedef {import("./relations_figures.js").Curve} Curve */
/** @typedef {import("./relations_figures.js").Place} Place */

const TINT = { full: 45, pale: 9 }; // percent of the colour at most: texts keep their contrast
const MARGIN = { left: 42, right: 12, top: 10, bottom: 34 };
const HEIGHT = 230; // px

/**
 * Fills a table with the cells of a matrix: rows are tasks, columns their partners. One cell can have the focus.
 * @param {HTMLTableElement} table
 * @param {Matrix} matrix
 * @param {number} top the value with the full colour
 * @returns {Map<string, HTMLElement>} the cells, by "row,column"
 */
export function drawGrid(table, matrix, top) {
  const { tasks } = matrix;
  table.replaceChildren();
  table.style.setProperty("--tasks", String(tasks.length));
  table.setAttribute("aria-label", `${matrix.title}: ${tasks.length} tasks by ${tasks.length} partners`);
  const head = html("tr", "", html("thead", "", table));
  html("td", "", head);
  for (const { title } of tasks) header("col", head, title);
  const body = html("tbody", "", table);
  /** @type {Map<string, HTMLElement>} */
  const drawn = new Map();
  tasks.forEach((task, i) => {
    const row = html("tr", "", body);
    header("row", row, task.title);
    tasks.forEach((partner, j) => {
      const cell = cellOf(matrix, task.name, partner.name);
      if (cell) drawn.set(`${i},${j}`, drawCell(row, matrix, cell, top));
      else drawOwn(row, matrix, task.name);
    });
  });
  return drawn;
}

/** @param {"row" | "col"} scope @param {Element} row @param {string} title */
function header(scope, row, title) {
  const cell = html("th", "", row, scope === "row" ? title : "");
  cell.setAttribute("scope", scope);
  if (scope === "col") html("span", "", cell, title); // it is turned
}

/** The diagonal: how well a task does by itself. @param {Element} row @param {Matrix} matrix @param {string} task */
function drawOwn(row, matrix, task) {
  const accuracy = matrix.alone?.[task]?.accuracy ?? matrix.cells.find((cell) => cell.task === task)?.alone;
  const cell = html("td", "tv-own", row);
  if (accuracy === undefined) return;
  cell.title = "test accuracy alone, %";
  html("span", "", cell, String(percent(accuracy)));
  html("span", "tv-tenths", cell, " %");
}

/**
 * @param {Element} row
 * @param {Matrix} matrix
 * @param {import("./relations_figures.js").Cell} cell
 * @param {number} top
 */
function drawCell(row, matrix, cell, top) {
  const [value, pale] = [valueOf(cell), isPale(cell)];
  const place = html("td", `${pale ? "tv-pale" : ""}${cell.significant ? " tv-sure" : ""}`, row);
  const colour = matrix.measure === "error" ? "--tv-ed" : value > 0 ? "--tv-up" : "--tv-down";
  const tint = Math.round((pale ? TINT.pale : TINT.full) * Math.min(Math.abs(value) / top, 1));
  place.style.background = `color-mix(in srgb, var(${colour}) ${tint}%, var(--tv-card))`;
  html("span", "tv-tenths", place, cellText(cell));
  html("span", "tv-whole", place, cellText(cell, 0));
  place.tabIndex = -1;
  place.setAttribute("aria-label", spoken(matrix, cell));
  return place;
}

/**
 * Both learning curves: dashed alone, solid together, each with the band of its seeds.
 * @param {HTMLElement} place
 * @param {number} width px
 * @param {string} label
 * @param {{alone: Curve, together: Curve}} curves
 */
export function drawCurves(place, width, label, curves) {
  const picture = svg("svg", { width, height: HEIGHT, role: "img", "aria-label": label }, place);
  const every = Object.values(curves);
  const low = Math.floor(10 * Math.min(...every.flatMap((curve) => curve.low))) / 10;
  const high = Math.max(Math.ceil(10 * Math.max(...every.flatMap((curve) => curve.high))) / 10, low + 0.1);
  const [right, bottom] = [width - MARGIN.right, HEIGHT - MARGIN.bottom];
  const n = curves.alone.mean.length;
  const x = (/** @type {number} */ i) => MARGIN.left + ((right - MARGIN.left) * (i + 1)) / n;
  const y = (/** @type {number} */ share) => bottom - ((bottom - MARGIN.top) * (share - low)) / (high - low);
  for (let row = 0; row <= 4; row++) {
    const share = low + ((high - low) * row) / 4;
    svg("line", { class: "tv-grid", x1: MARGIN.left, x2: right, y1: y(share), y2: y(share) }, picture);
    const text = `${percent(share)}${row === 4 ? " %" : ""}`;
    svg("text", { x: MARGIN.left - 6, y: y(share) + 4, "text-anchor": "end" }, picture, text);
  }
  for (const part of [0, 0.5, 1]) {
    const at = { x: MARGIN.left + (right - MARGIN.left) * part, y: bottom + 15 };
    svg("text", { ...at, "text-anchor": part === 1 ? "end" : "middle" }, picture, `${100 * part}${part ? " %" : ""}`);
  }
  const middle = { x: (MARGIN.left + right) / 2, y: HEIGHT - 3, "text-anchor": "middle" };
  svg("text", middle, picture, "of the training");
  for (const [kind, { mean, low: lowest, high: highest }] of Object.entries(curves)) {
    const back = [...lowest.keys()].reverse().map((i) => [x(i), y(lowest[i])]);
    const band = [...highest.map((share, i) => [x(i), y(share)]), ...back];
    svg("path", { class: `tv-band tv-${kind}`, d: `${path(band)}Z` }, picture);
    svg("path", { class: `tv-mean tv-${kind}`, d: path(mean.map((share, i) => [x(i), y(share)])) }, picture);
  }
}

/** @param {number[][]} at */
const path = (at) => `M${at.map((point) => point.map((v) => v.toFixed(1)).join(",")).join("L")}`;
