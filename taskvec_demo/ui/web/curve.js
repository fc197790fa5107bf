// The tab "Along λ": accuracy of every task along one vector, the other λ as set.

import { CurvePicture } from "./curve_picture.js";
import { find } from "./dom.js";
import { html } from "./elements.js";
import { drawn } from "./latest.js";

/** @typedef {import("./chart.js").State} State */
/** @typedef {import("./curve_picture.js").Line} Line */

const SAMPLES = 41;

/** The gr.HTML of the tab calls this when the tab opens. @param {HTMLElement} element */
export function startCurve(element) {
  const curve = new Curve(find(element, ".tv-curve"));
  new ResizeObserver(() => curve.update()).observe(curve.place);
  drawn.follow((state) => curve.update(state));
}

class Curve {
  /** @param {HTMLElement} place */
  constructor(place) {
    this.place = place;
    /** @type {State | null} */
    this.state = null;
    /** @type {CurvePicture | null} */
    this.picture = null; // what is on the page, for one width and one set of tasks
    /** @type {Line[]} */
    this.dirty = []; // lines that wait to be drawn: one a frame, so that the bars stay fast
    this.frame = 0;
    /** @type {number | null} */
    this.hovered = null; // the sample under the pointer
  }

  /** @param {number} i */
  lambdaAt(i) {
    const { low, high } = /** @type {State} */ (this.state).live;
    return low + ((high - low) * i) / (SAMPLES - 1);
  }

  update(state = this.state) {
    this.state = state;
    const width = Math.floor(this.place.clientWidth);
    if (!state?.tasks || !width) return; // not there yet, or another tab is open
    const { live, axis, recipe } = state;
    const extra = live.extra.includes(axis);
    const known = state.tasks.filter(({ surface }) => surface?.knows(recipe));
    const tasks = known.filter(({ task, bars }) => bars.visible || (extra && task.aside));
    if (!tasks.length) {
      const strangers = [...recipe.keys()].filter((vector) => !live.measured.includes(vector)).map((v) => `τ_${v}`);
      return this.say(`No accuracy was ever measured for ${strangers.join(", ")}: there is no curve while it is on.`);
    }
    const beyond = [...recipe].filter(([vector, value]) => vector !== axis && (value < live.low || value > live.high));
    if (beyond.length) {
      const named = beyond.map(([vector]) => `τ_${vector}`).join(", ");
      return this.say(
        `Accuracies were measured for λ from ${live.low} to ${live.high} only: there is no curve while ${named} goes beyond.`,
      );
    }
    if (this.picture?.width !== width || this.picture.tasks.length !== tasks.length) {
      this.picture = new CurvePicture(this.place, tasks, live, width, (share) => this.hover(share));
      this.dirty = [];
    }
    const { picture } = this;
    picture.entitle(`λ of τ ${axis}`);
    this.dirty.push(...picture.lines.filter((line) => !this.dirty.includes(line)));
    this.mark();
    this.frame ||= requestAnimationFrame(() => this.work());
  }

  /** @param {number | null} share of the way from the lowest to the highest λ, null when the pointer is gone */
  hover(share) {
    this.hovered = share === null ? null : Math.min(Math.max(Math.round(share * (SAMPLES - 1)), 0), SAMPLES - 1);
    this.mark();
  }

  /** Draw the next line that has changed. */
  work() {
    this.frame = 0;
    if (!this.picture) return; // taken away in the meantime
    for (let line = this.dirty.shift(); line && !this.draw(line, this.picture);) line = this.dirty.shift();
    this.mark();
    if (this.dirty.length) this.frame = requestAnimationFrame(() => this.work());
  }

  /** False where nothing has changed. @param {Line} line @param {CurvePicture} picture */
  draw(line, picture) {
    const { axis, recipe, live } = /** @type {State} */ (this.state);
    const others = [...recipe].filter(([vector]) => vector !== axis);
    const key = JSON.stringify([axis, others]);
    if (line.drawn === key) return false;
    line.drawn = key;
    const { surface } = line;
    const predict = surface.between(new Map([...others, [axis, live.low]]), new Map([...others, [axis, live.high]]));
    const shares = Array.from({ length: SAMPLES }, (_, i) => i / (SAMPLES - 1));
    line.accuracies = shares.map((share) => surface.accuracy(predict(share)));
    picture.draw(
      line,
      line.accuracies.map((accuracy, i) => [this.lambdaAt(i), accuracy]),
    );
    picture.drawMeasured(line, others.length ? null : axis);
    return true;
  }

  /** The operating point, and the figures there or under the pointer. */
  mark() {
    const { picture, state, hovered } = this;
    if (!picture || !state) return;
    const { low, high } = state.live;
    const lambda = state.recipe.get(state.axis) ?? 0;
    const inside = lambda >= low && lambda <= high;
    picture.mark(lambda, inside, hovered === null ? null : this.lambdaAt(hovered));
    const nearest = Math.round(((lambda - low) / (high - low)) * (SAMPLES - 1));
    for (const line of picture.lines) {
      const { surface, bars, accuracies } = line;
      if (!accuracies) continue;
      const here = bars.visible && inside ? (bars.correct ?? NaN) / surface.n : (accuracies[nearest] ?? NaN);
      picture.markLine(line, inside ? [lambda, here] : null, hovered === null ? here : accuracies[hovered]);
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
