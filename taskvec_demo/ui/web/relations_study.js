// Which tasks help each other: switches choose a matrix, a cell of it opens the two learning curves of its pairing.

import { find, hide, write } from "./dom.js";
import { cellOf, fractionsOf, heading, largest, matrixOf, moved, rowsOf, sentence } from "./relations_figures.js";
import { isCommand } from "./keys.js";
import { drawCurves, drawGrid } from "./relations_picture.js";
import { saveText } from "./save.js";
import { csv } from "./sheets.js";
import { withStudy } from "./study_file.js";

/** @typedef {import("./relations_figures.js").Contents} Contents */
/** @typedef {import("./relations_figures.js").Matrix} Matrix */
/** @typedef {import("./relations_figures.js").Place} Place */

/** The gr.HTML of the study calls this once. @param {HTMLElement} element */
export function startRelations(element) {
  const place = find(element, ".tv-relations");
  return withStudy(place, (contents) => new Relations(place, contents));
}

class Relations {
  /** @param {HTMLElement} place @param {Contents} contents */
  constructor(place, contents) {
    this.place = place;
    this.contents = contents;
    this.table = /** @type {HTMLTableElement} */ (find(place, ".tv-relations-grid"));
    this.pairing = find(place, ".tv-pairing");
    this.drawn = find(place, ".tv-pairing-curves");
    this.matrix = contents.matrices[0];
    /** @type {[string, string]} */
    this.pair = firstPair(this.matrix); // tasks stay chosen in another matrix, whose rows may be others
    /** @type {Map<string, HTMLElement>} */
    this.cells = new Map();
    this.width = 0; // of the curves that are drawn, px
    this.listen();
    this.choose();
  }

  listen() {
    for (const name of ["matrix", "fraction"]) {
      for (const input of this.inputs(name)) input.addEventListener("change", () => this.choose());
    }
    this.table.addEventListener("click", ({ target }) => {
      const at = this.placeOf(target instanceof Element ? target.closest("td") : null);
      if (at) this.go(at);
    });
    this.table.addEventListener("keydown", (event) => this.pressed(event));
    find(this.place, ".tv-turn").addEventListener("click", () => this.go([...this.at].reverse()));
    find(this.place, "[data-save=csv]").addEventListener("click", () =>
      saveText("relations.csv", csv(rowsOf(this.contents))),
    );
    new ResizeObserver(() => this.drawn.clientWidth !== this.width && this.drawCurves()).observe(this.drawn);
  }

  // ---- which matrix -------------------------------------------------------------------------------------------------
  /** @param {string} name */
  inputs(name) {
    return /** @type {HTMLInputElement[]} */ ([...this.place.querySelectorAll(`input[name=${name}]`)]);
  }

  /** @param {string} name */
  chosen(name) {
    return this.inputs(name).find(({ checked }) => checked)?.value ?? "";
  }

  /** Another matrix or share of the data. What was not measured cannot be chosen. */
  choose() {
    const name = this.chosen("matrix");
    const matrix = matrixOf(this.contents, name, Number(this.chosen("fraction")));
    if (!matrix) return;
    this.matrix = matrix;
    const measured = fractionsOf(this.contents, name);
    for (const input of this.inputs("fraction")) {
      input.disabled = !measured.includes(Number(input.value));
      input.checked = Number(input.value) === matrix.fraction;
    }
    if (!cellOf(matrix, ...this.pair)) this.pair = firstPair(matrix);
    for (const part of /** @type {NodeListOf<HTMLElement>} */ (
      this.place.querySelectorAll("[data-matrix], [data-measure]")
    )) {
      hide(part, !(part.dataset.matrix === matrix.name || part.dataset.measure === matrix.measure));
    }
    this.cells = drawGrid(this.table, matrix, largest(this.contents, matrix.measure));
    this.show();
  }

  // ---- which cell ---------------------------------------------------------------------------------------------------
  /** Row and column of the pairing that is open. @returns {Place} */
  get at() {
    const names = this.matrix.tasks.map(({ name }) => name);
    return [names.indexOf(this.pair[0]), names.indexOf(this.pair[1])];
  }

  /** @param {Element | null} cell @returns {Place | null} */
  placeOf(cell) {
    const found = [...this.cells].find(([, drawn]) => drawn === cell);
    return found ? /** @type {Place} */ (found[0].split(",").map(Number)) : null;
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    const to = moved(this.at, event.key, this.matrix.tasks.length);
    if (!event.key.startsWith("Arrow") || isCommand(event)) return;
    event.preventDefault();
    this.go(to);
    this.cells.get(to.join())?.focus();
  }

  /** @param {number[]} place */
  go([row, column]) {
    const { tasks } = this.matrix;
    this.pair = [tasks[row].name, tasks[column].name];
    this.show();
  }

  show() {
    const cell = cellOf(this.matrix, ...this.pair);
    if (!cell) return;
    const open = this.at.join();
    for (const [at, drawn] of this.cells) {
      drawn.setAttribute("aria-selected", String(at === open));
      drawn.tabIndex = at === open ? 0 : -1;
    }
    write(find(this.pairing, "h4"), heading(this.matrix, cell));
    write(find(this.pairing, ".tv-pairing-said"), sentence(this.matrix, cell, this.contents.seeds));
    this.drawCurves();
  }

  /** Matrices of task vectors have no curves. */
  drawCurves() {
    const { matrix, pair } = this;
    const together = matrix.curves?.[matrix.cells.findIndex((c) => c.task === pair[0] && c.partner === pair[1])];
    const alone = matrix.alone?.[pair[0]]?.curve;
    hide(find(this.pairing, ".tv-pairing-key"), !together);
    hide(find(this.pairing, ".tv-pairing-none"), Boolean(together));
    this.width = this.drawn.clientWidth;
    this.drawn.replaceChildren();
    if (!together || !alone || !this.width) return;
    const label = `Validation accuracy while training, ${find(this.pairing, "h4").textContent}, alone and together`;
    drawCurves(this.drawn, this.width, label, { alone, together });
  }
}

/** The pairing that stands out most. @param {Matrix} matrix @returns {[string, string]} */
function firstPair({ cells }) {
  const size = (/** @type {Matrix["cells"][0]} */ c) => (c.significant ? 10 : 0) + Math.abs(c.gain ?? c.error ?? 0);
  const { task, partner } = cells.reduce((best, cell) => (size(cell) > size(best) ? cell : best));
  return [task, partner];
}
