// The rows of the sliders: what is off is grey and empty, the track has a sign, and of many vectors those that are on come
// first while the others wait behind a filter.

import { write } from "./dom.js";
import { numberText } from "./figures.js";
import { analogyPosition } from "./recipe.js";
import { rangeOf, shownValue, slidersOf } from "./sliders.js";

/** @typedef {import("./chart.js").State} State */
/** @typedef {import("./sliders.js").Slider} Slider */
/** @typedef {{slider: Slider, row: HTMLElement | null, drawn: string, shown: string}} Row */

const SHOWN = 6; // rows in view without the filter, as in html/rows.py

export class Rows {
  /** @param {import("./chart.js").Live} live */
  constructor(live) {
    this.live = live;
    /** @type {Row[]} */
    this.rows = slidersOf(live.rows).map((slider) => ({ slider, row: null, drawn: "", shown: "" }));
    this.asked = ""; // what the filter's field holds
    this.all = false; // every row is asked for
    /** @type {State | null} */
    this.state = null;
    addEventListener("input", ({ target }) => this.typed(target), true);
    addEventListener("click", ({ target }) => this.pressed(target), true);
  }

  /** @param {State} state @param {boolean} byHand a row must not move away under the pointer */
  update(state, byHand) {
    this.state = state;
    const [addition, negation, analogy] = state.values;
    conceal("#vector-rows", !(addition || negation));
    conceal("#analogy-panel", !analogy);
    if (analogy) nameCorners(state);
    for (const row of this.rows) this.draw(row, state);
    if (!byHand) this.arrange();
  }

  /** @param {Row} row @param {State} state */
  draw(row, { values, live }) {
    const { slider } = row;
    if (!row.row?.isConnected) {
      row.row = document.getElementById(`row-${slider.name}`); // gradio may make it anew
      row.drawn = "";
    }
    const [low, high] = rangeOf(slider, values, live.sliderMax);
    const value = shownValue(slider, values, live.sliderMax);
    const on = Boolean(values[slider.on]);
    const written = `${low} ${high} ${value} ${on}`;
    if (!row.row || row.drawn === written) return;
    row.drawn = written;
    row.row.classList.toggle("tv-off", !on);
    if (low === high) return;
    for (const input of /** @type {NodeListOf<HTMLInputElement>} */ (row.row.querySelectorAll("[id^=lambda-] input"))) {
      if (input.min !== String(low)) input.min = String(low);
      if (input.max !== String(high)) input.max = String(high);
      if (Number(input.value) !== value && input !== document.activeElement) input.value = String(value);
    }
    /** @param {number} lambda */
    const share = (lambda) => `${((100 * (lambda - low)) / (high - low)).toFixed(1)}%`;
    row.row.style.setProperty("--tv-at", share(value));
    row.row.style.setProperty("--tv-lambda", `"${numberText(value, 2)}"`);
    row.row.style.setProperty("--tv-zero", share(Math.min(Math.max(0, low), high)));
  }

  // ---- which rows are in view -------------------------------------------------------------------------------------------
  /** Rows that are on come first. Of the others so many are in view that there are SHOWN in all, or those asked for. */
  arrange() {
    const { live, state } = this;
    if (!state || live.vectors.length <= SHOWN) return;
    const own = this.rows.slice(0, live.vectors.length);
    const on = own.filter(({ slider }) => state.values[slider.on]);
    const off = own.filter(({ slider }) => !state.values[slider.on]);
    const found = off.filter(({ slider }) => asWritten(slider.name).includes(this.asked));
    const room = this.all || this.asked ? found.length : Math.max(SHOWN - on.length, 0);
    const inView = new Set([...on, ...found.slice(0, room)]);
    [...on, ...off].forEach((row, order) => {
      const shown = `${order} ${inView.has(row)}`;
      if (!row.row || row.shown === shown) return;
      row.shown = shown;
      row.row.style.order = String(order);
      row.row.classList.toggle("tv-gone", !inView.has(row));
    });
  }

  /** @param {EventTarget | null} target */
  typed(target) {
    if (!(target instanceof HTMLInputElement) || !target.closest(".tv-filter")) return;
    this.asked = asWritten(target.value.trim());
    this.arrange();
  }

  /** @param {EventTarget | null} target */
  pressed(target) {
    const button = target instanceof HTMLElement ? target.closest(".tv-filter button") : null;
    if (!button) return;
    this.all = !this.all;
    button.setAttribute("aria-expanded", String(this.all));
    button.textContent = this.all ? "Fewer" : "All";
    this.arrange();
  }
}

/** The picture of the analogy: A, B and C as they are chosen. @param {State} state */
function nameCorners({ values, live }) {
  const first = analogyPosition(live.rows) - 3;
  document.querySelectorAll("#analogy-panel [data-corner]").forEach((corner, i) => {
    write(corner, String(values[first + i] ?? "").replaceAll("_", " "));
  });
}

/** @param {string} selector @param {boolean} gone */
function conceal(selector, gone) {
  document.querySelector(selector)?.classList.toggle("tv-gone", gone);
}

/** As a row writes the name of a vector, whatever its case. @param {string} name */
const asWritten = (name) => name.toLowerCase().replaceAll("_", " ");
