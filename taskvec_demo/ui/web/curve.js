// The curves below the bars: accuracy of every task on the way of the slider that was touched last, the other λ as set.
// Dragging in the picture is dragging the slider.

import { chart } from "./chart.js";
import { CurvePicture } from "./curve_picture.js";
import { find } from "./dom.js";
import { html } from "./elements.js";
import { numberText } from "./figures.js";
import { drawn } from "./latest.js";
import { dragIn } from "./picture_drag.js";
import { shownValue, vectorOf, wayOf } from "./sliders.js";

/** @typedef {import("./chart.js").State} State */
/** @typedef {import("./curve_picture.js").Line} Line */

const SAMPLES = 41;

/** The gr.HTML of the curves calls this once. @param {HTMLElement} element */
export function startCurve(element) {
  const curve = new Curve(find(element, ".tv-curve"));
  new ResizeObserver(() => curve.resize()).observe(curve.place);
  drawn.follow((state) => curve.update(state));
}

class Curve {
  /** @param {HTMLElement} place */
  constructor(place) {
    this.place = place;
    this.size = { width: 0, height: 0 }; // asked for where it changes: in a drag it would lay the page out each frame
    /** @type {State | null} */
    this.state = null;
    /** @type {CurvePicture | null} */
    this.picture = null; // what is on the page, for one size, one range of λ and one set of tasks
    /** @type {Line[]} */
    this.dirty = []; // lines that wait to be drawn: one a frame, so that the bars stay fast
    this.frame = 0;
    dragIn(place, (event) => this.move(event), { tapped: () => chart?.drag.release() });
  }

  get slider() {
    return chart?.sliders.get(`lambda-${this.state?.axis}`);
  }

  resize() {
    this.size = { width: Math.floor(this.place.clientWidth), height: Math.floor(this.place.clientHeight) };
    this.update();
  }

  update(state = this.state) {
    this.state = state;
    const { slider } = this;
    const { width, height } = this.size;
    if (!state?.tasks || !width || !slider) return; // not there yet
    const way = wayOf(slider, state);
    if (!way) return this.say("Tick a box above the sliders: the curves follow the slider that you move.");
    const { live } = state;
    const known = state.tasks.filter(({ surface }) => surface?.knows(way.from) && surface.knows(way.to));
    const extra = live.extra.some((vector) => way.to.has(vector));
    const tasks = known.filter(({ task, bars }) => bars.visible || (extra && task.aside));
    if (!tasks.length) {
      const on = new Set([...way.from.keys(), ...way.to.keys()]);
      const strangers = [...on].filter((vector) => !live.measured.includes(vector)).map((v) => `τ_${v}`);
      return this.say(`No accuracy was ever measured for ${strangers.join(", ")}: there is no curve while it is on.`);
    }
    if (!tasks.every(({ surface }) => surface?.contains(way.from) && surface.contains(way.to))) {
      return this.say(
        `Accuracies were measured for λ from ${numberText(live.low)} to ${numberText(live.high)} only: this way goes beyond.`,
      );
    }
    const kind = JSON.stringify([width, height, way.low, way.high, tasks.map(({ task }) => task.name)]);
    if (this.picture?.kind !== kind) {
      this.picture = new CurvePicture(this.place, kind, tasks, way, { width, height });
      this.dirty = [];
    }
    const { picture } = this;
    picture.entitle(slider.analogy ? "the analogy" : `τ ${vectorOf(slider, state)}`);
    this.dirty.push(...picture.lines.filter((line) => !this.dirty.includes(line)));
    this.mark();
    this.frame ||= requestAnimationFrame(() => this.work());
  }

  /** @param {MouseEvent} event */
  move({ clientX }) {
    const { picture, state } = this;
    if (!picture || !state) return;
    chart?.drag.grip(state.axis, picture.lambdaAt(clientX - picture.svg.getBoundingClientRect().left));
  }

  /** Draw the next line that has changed. */
  work() {
    this.frame = 0;
    if (!this.picture) return; // taken away in the meantime
    let line = this.dirty.shift();
    while (line && !this.draw(line, this.picture)) line = this.dirty.shift();
    if (line) this.picture.nameEnds();
    this.mark();
    if (this.dirty.length) this.frame = requestAnimationFrame(() => this.work());
  }

  /** False where nothing has changed. @param {Line} line @param {CurvePicture} picture */
  draw(line, picture) {
    const { slider, state } = this;
    const way = slider && state && wayOf(slider, state);
    if (!way) return false;
    const key = JSON.stringify([[...way.from], [...way.to]]);
    if (line.drawn === key) return false;
    line.drawn = key;
    const { surface } = line;
    const predict = surface.between(way.from, way.to);
    const shares = Array.from({ length: SAMPLES }, (_, i) => i / (SAMPLES - 1));
    const accuracies = shares.map((share) => surface.accuracy(predict(share)));
    picture.draw(
      line,
      accuracies.map((accuracy, i) => [way.low + (way.high - way.low) * shares[i], accuracy]),
    );
    const alone = way.from.size <= 1 && way.to.size <= 1 && !slider.analogy;
    picture.drawMeasured(line, alone ? vectorOf(slider, state) : null);
    return true;
  }

  /** The operating point, and the figures there. */
  mark() {
    const { picture, state, slider } = this;
    if (!picture || !state || !slider) return;
    const isOn = state.values[slider.on];
    const lambda = isOn ? shownValue(slider, state.values, state.live.sliderMax) : 0; // as the dots are
    picture.mark(lambda);
    for (const line of picture.lines) {
      const { surface, bars } = line;
      picture.markLine(line, lambda, bars.visible ? (bars.correct ?? NaN) / surface.n : NaN);
    }
  }

  /** @param {string} sentence */
  say(sentence) {
    this.picture = null;
    this.dirty = [];
    this.place.replaceChildren();
    html("p", "tv-muted", this.place, sentence);
  }
}
