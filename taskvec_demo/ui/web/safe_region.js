// A green band under each slider: the λ at which every control task keeps its accuracy while all other λ stay.

import { BadRecipeError, analogyPosition, compose, rowPosition } from "./recipe.js";

/** @typedef {import("./recipe.js").Recipe} Recipe */
/** @typedef {import("./chart.js").Live} Live */
/** @typedef {import("./loading.js").LoadedTask} LoadedTask */
/**
 * @typedef {{style: CSSStyleDeclaration, analogy: boolean, at: number, drawn: string | null, band: string}} Slider
 * `at`: where its λ stands among the values of all controls; `drawn`: the line of its band
 */

const SAFE_SAMPLES = 41;
const BAND_MS = 50; // between two bands

export class SafeRegions {
  /** @param {Live} live @param {LoadedTask[]} tasks */
  constructor(live, tasks) {
    this.live = live;
    this.controls = tasks.flatMap(({ task, surface }) =>
      surface && task.role === "control"
        ? [{ surface, least: live.controlKept * surface.accuracy(surface.pretrained) }]
        : [],
    );
    /** @type {any[]} */
    this.values = [];
    /** @type {string[]} */
    this.vectors = [];
    /** @type {Slider[]} */
    this.dirty = [];
    /** @type {number | null} */
    this.timer = null;
    // One style rule for each slider, because a rule stays when gradio makes its elements anew (a group is opened).
    const sheet = new CSSStyleSheet();
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
    const names = [...live.rows, "_analogy"];
    /** @type {Slider[]} */
    this.sliders = names.map((name, i) => {
      const analogy = i === live.rows.length;
      const selector = `#lambda-${CSS.escape(name)} input[type=range]`;
      const { style } = /** @type {CSSStyleRule} */ (sheet.cssRules[sheet.insertRule(`${selector} {}`, i)]);
      return { style, analogy, at: analogy ? analogyPosition(live.rows) : rowPosition(i), drawn: null, band: "" };
    });
  }

  /** @param {{values: any[], vectors: string[]}} controls values of all of them, vectors of the rows */
  update({ values, vectors }) {
    this.values = values;
    this.vectors = vectors;
    const waiting = new Set(this.dirty);
    this.dirty.push(...this.sliders.filter((slider) => !waiting.has(slider))); // in turn, so that each gets its band during a drag
    this.next();
  }

  /** One slider at a time, 2 ms with its style and paint: the bars come first. */
  next() {
    if (this.timer || !this.dirty.length) return;
    for (let slider = this.dirty.shift(); slider && !this.draw(slider);) slider = this.dirty.shift();
    this.timer = window.setTimeout(() => {
      this.timer = null;
      this.next();
    }, BAND_MS);
  }

  /** The recipe with this slider at `value` and switched on. @param {Slider} slider @param {number} value */
  recipe(slider, value) {
    const values = [...this.values];
    values[slider.at] = value;
    if (slider.analogy) values[2] = true;
    else values[slider.at - 2] = true;
    return compose(values, this.vectors, this.live.sliderMax);
  }

  /** False where nothing has changed. @param {Slider} slider */
  draw(slider) {
    const ends = this.ends(slider);
    if (!ends) {
      this.paint(slider, "none");
      slider.drawn = null;
      return false;
    }
    const [from, to] = ends;
    const line = JSON.stringify([[...from], [...to]]);
    if (slider.drawn === line) return false;
    slider.drawn = line;
    this.paint(slider, safeGradient(this.safe(from, to)));
    return true;
  }

  /**
   * The recipes at both ends of a slider; null where they are none, or where nobody measured what such a vector does to
   * the controls.
   * @param {Slider} slider
   * @returns {[Recipe, Recipe] | null}
   */
  ends(slider) {
    try {
      const [from, to] = [this.recipe(slider, 0), this.recipe(slider, this.live.sliderMax)];
      const known = this.controls.every(({ surface }) => surface.knows(from) && surface.knows(to));
      return this.controls.length && known ? [from, to] : null;
    } catch (error) {
      if (!(error instanceof BadRecipeError)) throw error;
      return null;
    }
  }

  /**
   * To set a rule, even to its old value, makes the browser compute the styles of the whole page.
   * @param {Slider} slider
   * @param {string} band
   */
  paint(slider, band) {
    if (slider.band !== band) slider.style.setProperty("--tv-safe", band);
    slider.band = band;
  }

  /**
   * Whether the controls hold at each of SAFE_SAMPLES λ on the way between two recipes.
   * @param {Recipe} from
   * @param {Recipe} to
   */
  safe(from, to) {
    const ways = this.controls.map(({ surface, least }) => {
      const [a, b, estimate] = [surface.point(from), surface.point(to), surface.between(from, to)];
      return (/** @type {number} */ t) => {
        // the recipe is linear in λ, analogies too
        const point = a.map((x, v) => x + t * (b[v] - x));
        return surface.inside(point) && surface.accuracy(surface.measuredAt(point) ?? estimate(t)) >= least;
      };
    });
    return Array.from({ length: SAFE_SAMPLES }, (_, i) => ways.every((holds) => holds(i / (SAFE_SAMPLES - 1))));
  }
}

/**
 * A band is as wide as the samples that hold; each sample stands for the part half-way to its neighbours.
 * @param {boolean[]} safe
 */
function safeGradient(safe) {
  /** @param {number} i */
  const edge = (i) => `${(100 * Math.min(Math.max((i - 0.5) / (safe.length - 1), 0), 1)).toFixed(1)}%`;
  /** @type {string[]} */
  const stops = [];
  safe.forEach((holds, i) => {
    if (i && holds === safe[i - 1]) return;
    const next = safe.indexOf(!holds, i);
    stops.push(`${holds ? "var(--tv-safe-ink)" : "var(--tv-line)"} ${edge(i)} ${edge(next < 0 ? safe.length : next)}`);
  });
  return `linear-gradient(to right, ${stops.join(", ")})`;
}
