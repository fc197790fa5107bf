// Tables as CSV, and the accuracies that the bars show as a table and as a picture.

import { percent, sum, wilson } from "./figures.js";

/** @typedef {import("./chart.js").State} State */
/** A bar: shares of 1; `kind`: whether they are measured or an estimate.
 * @typedef {{label: string, n: number, before: number, after: number, low: number, high: number, kind: string}} Bar */

const [LEFT, RIGHT, ROW, WIDTH] = [190, 150, 24, 640]; // pixels of the picture

/** @param {(string | number)[][]} rows @returns {string} CSV as RFC 4180 has it */
export function csv(rows) {
  /** @param {string | number} cell */
  const quoted = (cell) => (/[",\r\n]/.test(String(cell)) ? `"${String(cell).replaceAll('"', '""')}"` : String(cell));
  return rows.map((row) => row.map(quoted).join(",")).join("\r\n") + "\r\n";
}

/** The cells of a table as they read on the page. @param {HTMLTableElement} table @returns {string[][]} */
export function cellsOf(table) {
  return [...table.rows].map((row) => [...row.cells].map((cell) => cell.innerText.replace(/\s+/g, " ").trim()));
}

/** One bar for each task in view. @param {State} state @returns {Bar[]} */
export function taskBars({ tasks }) {
  return shown(tasks).map(({ task, bars }) => {
    const { n, before, after } = bars.classes.figures;
    return barOf(task.title, bars.kind, sum(n), sum(before), after ? sum(after) : NaN);
  });
}

/** One bar for each class of these tasks. @param {State} state @returns {Bar[]} */
export function classBars({ tasks }) {
  return shown(tasks).flatMap(({ task, bars }) => {
    const { n, before, after } = bars.classes.figures;
    const [kind] = bars.kind.split(" ± "); // the error is that of the whole task
    return task.classes.map((name, c) =>
      barOf(`${task.title}: ${name}`, kind, n[c], before[c], after ? after[c] : NaN),
    );
  });
}

/** @param {Bar[]} bars @param {string} formula @param {string} checkpoint @returns {(string | number)[][]} */
export function barRows(bars, formula, checkpoint) {
  /** @param {number} share */
  const number = (share) => (Number.isFinite(share) ? share.toFixed(4) : "");
  const head = ["name", "n", "before", "after", "low", "high", "kind", "recipe", "checkpoint"];
  return [
    head,
    ...bars.map(({ label, n, before, after, low, high, kind }) => [
      label, n, ...[before, after, low, high].map(number), kind, formula, checkpoint,
    ]), // prettier-ignore
  ];
}

/** A picture of the bars, not on the page. @param {Bar[]} bars @returns {string} the content of an SVG */
export function barPicture(bars) {
  const span = WIDTH - LEFT - RIGHT;
  /** @param {string} name */
  const colour = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();
  const ink = getComputedStyle(document.body).color;
  const rows = bars.map(({ label, n, before, after, low, high }, i) => {
    const y = ROW * i + 4;
    const known = Number.isFinite(after);
    const text = known
      ? `${percent(before)} → ${percent(after)} %, n = ${n}`
      : `${n ? percent(before) : "–"} → –, n = ${n}`;
    return (
      `<text x="${LEFT - 8}" y="${y + 13}" text-anchor="end" font-size="12" fill="${ink}">${escaped(label)}</text>` +
      `<rect x="${LEFT}" y="${y}" width="${span}" height="16" fill="${ink}" fill-opacity=".08"/>` +
      `<rect x="${LEFT}" y="${y}" width="${span * (before || 0)}" height="5" fill="${colour("--tv-pre")}"/>` +
      (known
        ? `<rect x="${LEFT}" y="${y + 6}" width="${span * after}" height="10" fill="${colour("--tv-ed")}"/>` +
          `<path d="M${LEFT + span * low} ${y + 11}H${LEFT + span * high}" stroke="${ink}" stroke-width="1.5"/>`
        : "") +
      `<text x="${WIDTH - RIGHT + 8}" y="${y + 13}" font-size="12" fill="${ink}">${text}</text>`
    );
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${ROW * bars.length + 8}">${rows.join("")}</svg>`;
}

/** @param {State["tasks"]} tasks */
const shown = (tasks) => (tasks ?? []).filter(({ bars }) => bars.visible);

/**
 * @param {string} label @param {string} kind @param {number} n @param {number} before @param {number} after
 * @returns {Bar}
 */
function barOf(label, kind, n, before, after) {
  const [low, high] = n && Number.isFinite(after) ? wilson(after, n) : [NaN, NaN];
  return { label, n, before: n ? before / n : NaN, after: n ? after / n : NaN, low, high, kind };
}

/** @param {string} text */
const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
