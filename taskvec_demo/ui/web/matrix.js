// A confusion matrix as SVG: how often each class was heard as which.

import { svg } from "./elements.js";
import { changeText } from "./figures.js";

const LETTER = 6.6; // px of one letter of a label, about
const LONGEST = 16; // letters of a label; the whole name is in the cells' titles
const CELL = { least: 19, most: 30 }; // px

/** @param {string} name */
const short = (name) => (name.length > LONGEST ? `${name.slice(0, LONGEST - 1)}…` : name);

/** @param {string[]} names */
const labelWidth = (names) => Math.ceil(LETTER * Math.max(...names.map((name) => short(name).length))) + 8;

/** How many classes a matrix of this width has room for. @param {number} width px @param {string[]} names */
export const room = (width, names) => Math.max(Math.floor((width - labelWidth(names)) / CELL.least), 2);

/**
 * `counts` and `before` are those of flips.js; cells that differ from `before` are outlined.
 * @param {HTMLElement} place
 * @param {number} width px
 * @param {{title: string, names: string[], shown: number[], counts: ArrayLike<number>, before: ArrayLike<number>}} data
 */
export function drawMatrix(place, width, { title, names, shown, counts, before }) {
  const some = shown.map((c) => names[c]);
  const [left, top] = [labelWidth(some), labelWidth(some) + 18];
  const cell = Math.min(Math.max(Math.floor((width - left) / shown.length), CELL.least), CELL.most);
  const side = cell * shown.length;
  const size = Object.entries({ width: left + side + 1, height: top + side + 1 });
  const changed = shown.flatMap((row) => shown.filter((c) => at(counts, row, c) !== at(before, row, c))).length;
  const label = `${title}: ${shown.length} classes${changed ? `, ${changed} cells changed` : ""}`;
  const picture = svg("svg", [...size, ["role", "img"], ["class", "tv-matrix"], ["aria-label", label]], place);
  svg("text", Object.entries({ x: 0, y: 12, class: "tv-matrix-title" }), picture, title);
  svg("rect", Object.entries({ x: left, y: top, width: side, height: side, class: "tv-matrix-ground" }), picture);
  some.forEach((name, i) => {
    const middle = cell * (i + 0.5) + 4;
    svg("text", Object.entries({ x: left - 6, y: top + middle, "text-anchor": "end" }), picture, short(name));
    svg("text", [["transform", `translate(${left + middle} ${top - 6}) rotate(-90)`]], picture, short(name));
  });
  shown.forEach((row, i) => {
    const total = names.reduce((sum, _, c) => sum + at(counts, row, c), 0);
    shown.forEach((column, j) => {
      const [count, was] = [at(counts, row, column), at(before, row, column)];
      if (!count && !was) return;
      drawCell(picture, [left + cell * j, top + cell * i, cell], {
        count,
        was,
        share: total ? count / total : 0,
        right: row === column,
        text: `${names[row]} heard as ${names[column]}`,
      });
    });
  });

  /** @param {ArrayLike<number>} table @param {number} row @param {number} column */
  function at(table, row, column) {
    return table[names.length * row + column];
  }
}

/**
 * @param {Element} picture
 * @param {[number, number, number]} square left, top, side
 * @param {{count: number, was: number, share: number, right: boolean, text: string}} cell
 */
function drawCell(picture, [x, y, side], { count, was, share, right, text }) {
  const change = count - was;
  const kind = `${right ? "tv-cell-right" : "tv-cell-wrong"}${change ? " tv-cell-changed" : ""}`;
  const group = svg("g", [["class", kind]], picture);
  svg("title", [], group, `${text}: ${count}${change ? ` (before ${was}, ${changeText(change)})` : ""}`);
  const area = { x: x + 1, y: y + 1, width: side - 2, height: side - 2 };
  svg("rect", Object.entries({ ...area, "fill-opacity": (0.12 + 0.88 * share).toFixed(2) }), group);
  const limit = document.body.classList.contains("dark") ? 0.5 : 0.73; // where the lighter ink has the better contrast
  const dark = share > limit ? "tv-on-dark" : "";
  const centre = Object.entries({ x: x + side / 2, y: y + side / 2 + 4, "text-anchor": "middle", class: dark });
  svg("text", centre, group, String(count));
}
