// What the study of related tasks measured: its matrices cell by cell, in numbers and in words.

import { numberText, points } from "./figures.js";

/**
 * A task and its partner. A matrix of gains has `gain` with the accuracy `alone`; one of errors has `error`, of which the
 * task's own clips give the share `own`.
 * @typedef {{task: string, partner: string, low: number, high: number, n_clips: number, n_sources: number, drawn: string, gain?: number,
 *   alone?: number, p?: number, significant?: boolean, error?: number, own?: number}} Cell
 */
/** Validation accuracy along a training: of the seeds the mean, the lowest, the highest. @typedef {{mean: number[], low: number[], high: number[]}} Curve */
/**
 * @typedef {{name: string, title: string, fraction: number, measure: "gain" | "error", tasks: {name: string, title: string}[],
 *   cells: Cell[], alone?: Record<string, {accuracy: number, n: number, curve: Curve}>, curves?: Curve[]}} Matrix
 */
/** @typedef {{seeds: number, matrices: Matrix[]}} Contents */
/** A place of a matrix: row and column. @typedef {[number, number]} Place */

const STEPS = /** @type {Record<string, Place>} */ ({
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
});
const HEAD = [
  "matrix",
  "data",
  "task",
  "partner",
  "alone",
  "value",
  "low",
  "high",
  "p",
  "beyond chance",
  "n",
  "sources",
  "drawn",
];

/** The shares of the data that a matrix was measured with. @param {Contents} contents @param {string} name */
export const fractionsOf = ({ matrices }, name) =>
  matrices.filter((one) => one.name === name).map(({ fraction }) => fraction);

/**
 * A matrix by name and share of the data; with another share where it was not measured with this one.
 * @param {Contents} contents
 * @param {string} name
 * @param {number} fraction
 * @returns {Matrix | undefined}
 */
export function matrixOf({ matrices }, name, fraction) {
  const own = matrices.filter((one) => one.name === name);
  return own.find((one) => one.fraction === fraction) ?? own[0];
}

/** The cell of a task and a partner. @param {Matrix} matrix @param {string} task @param {string} partner */
export const cellOf = ({ cells }, task, partner) => cells.find((c) => c.task === task && c.partner === partner);

/** @param {Cell} cell */
export const valueOf = ({ gain, error }) => gain ?? error ?? 0;

/** Whether the interval of a gain holds 0. An error is none of chance. @param {Cell} cell */
export const isPale = ({ gain, low, high }) => gain !== undefined && low <= 0 && high >= 0;

/** The largest value of all matrices of a measure: every switch keeps the colours. @param {Contents} contents @param {Matrix["measure"]} measure */
export function largest({ matrices }, measure) {
  const cells = matrices.filter((one) => one.measure === measure).flatMap((one) => one.cells);
  return Math.max(...cells.map((cell) => Math.abs(valueOf(cell))), 1e-9);
}

/** Points with a sign, "+2.8"; an error of 0 to 2 as it is, "0.31". @param {Cell} cell @param {number} [digits] of points */
export function cellText(cell, digits = 1) {
  return cell.gain === undefined ? numberText(valueOf(cell), 2) : signed(cell.gain, digits);
}

/** @param {number} gain share of 1 @param {number} [digits] */
function signed(gain, digits = 1) {
  const text = numberText(100 * gain, digits);
  return Number(gain.toFixed(digits + 2)) > 0 ? `+${text}` : text;
}

/** Where an arrow key leads: past the diagonal, which is no pair. @param {Place} from @param {string} key @param {number} n @returns {Place} */
export function moved(from, key, n) {
  const step = STEPS[key];
  if (!step) return from;
  let to = from;
  do to = [to[0] + step[0], to[1] + step[1]];
  while (to[0] === to[1]);
  return to.every((at) => at >= 0 && at < n) ? to : from;
}

/** The names of the tasks as they are read. @param {Matrix} matrix */
const titlesOf = ({ tasks }) => Object.fromEntries(tasks.map(({ name, title }) => [name, title]));

/** What a pairing is called. @param {Matrix} matrix @param {Cell} cell */
export function heading(matrix, { task, partner }) {
  const titles = titlesOf(matrix);
  return `${titles[task]} with ${titles[partner]}`;
}

/** The figures of a cell, as a sentence. @param {Matrix} matrix @param {Cell} cell @param {number} seeds */
export function sentence(matrix, cell, seeds) {
  const { low, high, n_clips: clips, n_sources: sources } = cell;
  const counted = `n = ${clips} test clips of ${sources} ${sources === 1 ? "source" : "sources"}`;
  const few = cell.drawn === "clips" ? " So few sources are no sample: the interval draws single clips." : "";
  if (cell.gain === undefined) {
    return (
      `ξ(1, 1) = ${cellText(cell)} (95 % ${numberText(low, 2)} to ${numberText(high, 2)}, ${counted} for the row’s task). ` +
      `${points(cell.own ?? 0)} % of its clips are answered otherwise once the partner’s vector is added; the rest of ξ is ` +
      `the partner’s own share.${few}`
    );
  }
  const alone = cell.alone ?? 0;
  const trained = matrix.curves ? `, ${seeds} seeds` : "";
  return (
    `Test accuracy ${points(alone)} % alone, ${points(alone + cell.gain)} % together: ${signed(cell.gain)} points ` +
    `(95 % ${signed(low)} to ${signed(high)}, ${counted}${trained}). ${verdict(cell)}${few}`
  );
}

/** @param {Cell} cell */
function verdict(cell) {
  if (isPale(cell)) return "The interval holds 0: this may be chance.";
  if (!cell.significant) return "By itself it is beyond chance, among so many pairings it is not.";
  return `The partner ${valueOf(cell) > 0 ? "helps" : "hurts"} beyond chance, on these clips.`;
}

/** What is said of a cell without seeing it. @param {Matrix} matrix @param {Cell} cell */
export function spoken(matrix, cell) {
  const value = cell.gain === undefined ? `error ${cellText(cell)}` : `${cellText(cell)} points`;
  const chance =
    cell.gain === undefined ? "" : cell.significant ? ", beyond chance" : isPale(cell) ? ", may be chance" : "";
  return `${heading(matrix, cell)}: ${value}${chance}`;
}

/** All cells of all matrices, as rows of a table. @param {Contents} contents @returns {(string | number)[][]} */
export function rowsOf({ matrices }) {
  const cells = matrices.flatMap((matrix) => {
    const titles = titlesOf(matrix);
    return matrix.cells.map((c) => [
      matrix.title, matrix.fraction, titles[c.task], titles[c.partner], c.alone ?? "", valueOf(c), c.low, c.high,
      c.p ?? "", c.significant === undefined ? "" : c.significant ? "yes" : "no", c.n_clips, c.n_sources,
      c.drawn,
    ]); // prettier-ignore
  });
  return [HEAD, ...cells];
}
