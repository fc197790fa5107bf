// The dial between two task vectors: pictures, bars and neighbours follow it. While it turns, figures between measured
// points are interpolated; at rest it stands on a measured point.

import { DialFigures, rounded } from "./dial_figures.js";
import { Neighbours } from "./dial_near.js";
import { DialPicture } from "./dial_picture.js";
import { find, hide, restyle, write } from "./dom.js";
import { MINUS, percent } from "./figures.js";
import { isCommand } from "./keys.js";
import { dragIn } from "./picture_drag.js";
import { saveText } from "./save.js";
import { cellsOf, csv } from "./sheets.js";
import { withStudy } from "./study_file.js";

/** @typedef {import("./dial_figures.js").Point} Point */
/** @typedef {import("./dial_near.js").Server} Server */

const REST_MS = 250; // without a change

/**
 * The gr.HTML of the study calls this once.
 * @param {HTMLElement} element
 * @param {Server} server
 * @param {(point: Point, serial: number) => void} asked asks how alike the visitor's clip and the labelled ones are
 */
export function startDial(element, server, asked) {
  const place = find(element, ".tv-dial");
  return withStudy(place, (contents) => {
    new Dial(place, new DialFigures(contents), new Neighbours(find(element, "#explore-near"), server, asked));
  });
}

/** The gr.HTML of the results calls this once. @param {HTMLElement} element */
export function startDialTable(element) {
  const table = /** @type {HTMLTableElement} */ (find(element, "table[data-table=speech-music]"));
  find(element, "[data-save=csv]").addEventListener("click", () => saveText("speech-music.csv", csv(cellsOf(table))));
}

class Dial {
  /** @param {HTMLElement} place @param {DialFigures} figures @param {Neighbours} neighbours */
  constructor(place, figures, neighbours) {
    this.place = place;
    this.figures = figures;
    this.neighbours = neighbours;
    this.sliders = /** @type {HTMLInputElement[]} */ (
      ["speech", "music"].map((name) => find(place, `input[name=${name}]`))
    );
    this.unlock = /** @type {HTMLInputElement} */ (find(place, "input[name=unlock]"));
    this.formula = find(place, ".tv-dial-formula");
    this.badge = find(place, ".tv-badge");
    this.rows = figures.tasks.map(({ name }) => {
      const row = find(place, `.tv-dial-task[data-task="${CSS.escape(name)}"]`);
      return { name, bar: find(row, ".tv-ed"), number: find(row, ".tv-num"), row };
    });
    this.panels = figures.domains.map((domain) => {
      const figure = find(place, `figure[data-domain="${CSS.escape(domain)}"]`);
      const title = find(figure, "figcaption b").textContent ?? domain;
      const now = find(figure, ".tv-dial-now");
      const picture = /** @type {DialPicture | null} */ (null);
      return { domain, title, now, drawn: find(figure, "div"), picture };
    });
    this.at = /** @type {Point} */ (this.sliders.map((slider) => Number(slider.value)));
    this.frame = 0;
    this.timer = 0;
    this.drags = this.panels.map(({ drawn }) =>
      dragIn(drawn, (event) => this.point(event, drawn), { everyWay: () => this.free }),
    );
    this.markFixed();
    this.listen();
    new ResizeObserver(() => this.draw()).observe(find(place, ".tv-dial-figures"));
    this.rest();
  }

  get free() {
    return this.unlock.checked;
  }

  listen() {
    this.sliders.forEach((slider, i) => {
      slider.addEventListener("input", () => this.slid(i));
      slider.addEventListener("keydown", (event) => this.pressed(event, i));
    });
    this.unlock.addEventListener("change", () => this.unlocked());
    for (const button of this.place.querySelectorAll("button[data-speech]")) {
      const share = Number(/** @type {HTMLElement} */ (button).dataset.speech);
      button.addEventListener("click", () => this.go([share, rounded(1 - share)]));
    }
  }

  // ---- where it is --------------------------------------------------------------------------------------------------
  /** @param {number} i of the slider that was moved */
  slid(i) {
    const value = Number(this.sliders[i].value);
    const at = /** @type {Point} */ ([...this.at]);
    at[i] = value;
    if (!this.free) at[1] = rounded(1 - value);
    this.go(at);
  }

  /** Arrow keys go from measured point to measured point. @param {KeyboardEvent} event @param {number} i */
  pressed(event, i) {
    const way = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (!way || isCommand(event)) return;
    event.preventDefault();
    this.sliders[i].value = String(this.figures.step(this.at[i], way, this.free));
    this.slid(i);
  }

  /** @param {MouseEvent} event @param {HTMLElement} drawn */
  point({ clientX, clientY }, drawn) {
    const picture = this.panels.find((panel) => panel.drawn === drawn)?.picture;
    if (!picture) return;
    const { left, top } = picture.svg.getBoundingClientRect();
    const [speech, music] = picture.lambdasAt(clientX - left, clientY - top);
    this.go(this.free ? this.inside([speech, music]) : [speech, rounded(1 - speech)]);
  }

  /** The point of the plane next to this one. @param {Point} at @returns {Point} */
  inside([speech, music]) {
    const { axis } = this.figures;
    const [x, y] = [speech, music].map((value) => Math.min(Math.max(value, axis[0]), axis[axis.length - 1]));
    return [x, y];
  }

  unlocked() {
    const { free, figures } = this;
    const rows = /** @type {NodeListOf<HTMLElement>} */ (this.place.querySelectorAll(".tv-dial-row"));
    hide(rows[1], !free);
    this.place.classList.toggle("tv-dial-free", free);
    write(/** @type {Element} */ (rows[0].firstElementChild), free ? "0" : "music");
    const axis = free ? figures.axis : figures.dial;
    for (const slider of this.sliders) {
      [slider.min, slider.max] = [String(axis[0]), String(axis[axis.length - 1])];
    }
    this.draw();
    this.go(free ? this.inside(this.at) : [this.at[0], rounded(1 - this.at[0])]);
  }

  /** @param {Point} at */
  go(at) {
    this.at = at;
    this.place.dataset.rest = "false";
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.show(false);
    });
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.rest(), REST_MS);
  }

  /** The dial goes to the measured point next to it, unless it is still held. */
  rest() {
    if (this.drags.some(({ held }) => held)) return this.go(this.at);
    this.at = this.figures.measured(this.at, this.free);
    this.show(true);
    this.neighbours.rest(this.at, this.free);
  }

  // ---- what is shown ------------------------------------------------------------------------------------------------
  /** The pictures, anew: another size, or maps instead of curves. */
  draw() {
    for (const panel of this.panels) {
      const width = Math.floor(panel.drawn.clientWidth);
      if (!width || (panel.picture?.width === width && panel.picture.free === this.free)) continue;
      const { drawn, domain, title } = panel;
      panel.picture = new DialPicture(drawn, domain, title, this.figures, this.free, width);
    }
    this.show(this.place.dataset.rest === "true");
  }

  /** @param {boolean} atRest whether the dial stands on a measured point */
  show(atRest) {
    const { at, free, figures } = this;
    this.sliders.forEach((slider, i) => {
      slider.value = String(at[i]);
      slider.setAttribute("aria-valuetext", `${rounded(at[0])} speech, ${rounded(at[1])} music`);
    });
    const [speech, music] = at.map((value) => `${value < 0 ? MINUS : "+"} ${Math.abs(value).toFixed(2)}`);
    write(this.formula, `θ = θ₀ ${speech} τ speech ${music} τ music`);
    this.place.dataset.rest = String(atRest);
    write(this.badge, atRest ? "measured · validation" : "between measured points");
    restyle(this.badge, `tv-badge ${atRest ? "tv-exact" : "tv-estimate"}`);
    for (const { name, bar, number } of this.rows) {
      const accuracy = figures.accuracy(name, at, free);
      bar.style.width = `${(100 * accuracy).toFixed(2)}%`;
      write(number, `${percent(accuracy)} %`);
    }
    for (const { domain, picture, now } of this.panels) {
      const accuracy = figures.mean(domain, (task) => figures.accuracy(task, at, free));
      write(now, `${(100 * accuracy).toFixed(1)} %`);
      picture?.mark(at, accuracy);
    }
    if (!atRest) this.neighbours.move(at, free);
  }

  /** Marks of what stands still, on every task's bar. */
  markFixed() {
    for (const { name, row } of this.rows) {
      for (const mark of /** @type {NodeListOf<HTMLElement>} */ (row.querySelectorAll("[data-fixed]"))) {
        const accuracy = this.figures.contents.fixed[mark.dataset.fixed ?? ""][name];
        mark.style.left = `${(100 * accuracy).toFixed(2)}%`;
        mark.title = `${(mark.dataset.fixed ?? "").replace("_", " ")} ${percent(accuracy)} %`;
      }
    }
  }
}
