// A green band under each slider: the λ at which every control task keeps its accuracy while all other λ stay.

import { slidersOf, wayOf } from "./sliders.js";

/** @typedef {import("./recipe.js").Recipe} Recipe */
/** @typedef {import("./chart.js").Live} Live */
/** @typedef {import("./loading.js").LoadedTask} LoadedTask */
/** @typedef {import("./sliders.js").Slider} Slider */
/**
 * `drawn`: the way that its band is of
 * @typedef {{slider: Slider, style: CSSStyleDeclaration, drawn: string | null, band: string}} Banded
 */

const SAFE_SAMPLES = 41;
const BAND_MS = 50; // between two bands
const STEP_MS = 4; // between two steps of one, in which frames are drawn
const SAMPLES_A_STEP = 8;

export class SafeRegions {
  /** @param {Live} live @param {LoadedTask[]} tasks */
  constructor(live, tasks) {
    this.live = live;
    this.controls = tasks.flatMap(({ task, surface }) =>
      surface && task.role === "control"
        ? [{ surface, least: live.controlKept * surface.accuracy(surface.pretrained) }]
        : [],
    );
    /** @type {import("./chart.js").State | null} */
    this.state = null;
    /** @type {Banded[]} */
    this.dirty = [];
    /** @type {number | null} */
    this.timer = null;
    /** @type {Generator<boolean, void> | null} */
    this.work = null; // on one band
    // One style rule for each slider, because a rule stays when gradio makes its elements anew (a group is opened).
    const sheet = new CSSStyleSheet();
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
    /** @type {Banded[]} */
    this.sliders = slidersOf(live.rows).map((slider, i) => {
      const selector = `#lambda-${CSS.escape(slider.name)} input[type=range]`;
      const { style } = /** @type {CSSStyleRule} */ (sheet.cssRules[sheet.insertRule(`${selector} {}`, i)]);
      return { slider, style, drawn: null, band: "" };
    });
  }

  /** @param {import("./chart.js").State} state */
  update(state) {
    this.state = state;
    const waiting = new Set(this.dirty);
    this.dirty.push(...this.sliders.filter((slider) => !waiting.has(slider))); // in turn, so that each gets its band during a drag
    this.next();
  }

  /** One slider at a time, in steps of a millisecond: the bars come first. */
  next() {
    if (this.timer || !(this.work || this.dirty.length)) return;
    this.work ??= this.drawOne();
    if (this.work.next().done) this.work = null;
    this.timer = window.setTimeout(
      () => {
        this.timer = null;
        this.next();
      },
      this.work ? STEP_MS : BAND_MS,
    );
  }

  /** The next band that has changed. @returns {Generator<boolean, void>} */
  *drawOne() {
    for (let slider = this.dirty.shift(); slider; slider = this.dirty.shift()) {
      if (yield* this.draw(slider)) return;
    }
  }

  /** False where nothing has changed. @param {Banded} banded @returns {Generator<boolean, boolean>} */
  *draw(banded) {
    const way = this.state && wayOf(banded.slider, this.state);
    const known = way && this.controls.every(({ surface }) => surface.knows(way.from) && surface.knows(way.to));
    if (!way || !known || !this.controls.length) {
      this.paint(banded, "none"); // nobody measured what such a vector does to the controls
      banded.drawn = null;
      return false;
    }
    const line = JSON.stringify([[...way.from], [...way.to]]);
    if (banded.drawn === line) return false;
    banded.drawn = line;
    this.paint(banded, safeGradient(yield* this.safe(way.from, way.to)));
    return true;
  }

  /**
   * To set a rule, even to its old value, makes the browser compute the styles of the whole page.
   * @param {Banded} banded
   * @param {string} band
   */
  paint(banded, band) {
    if (banded.band !== band) banded.style.setProperty("--tv-safe", band);
    banded.band = band;
  }

  /**
   * Whether the controls hold at each of SAFE_SAMPLES λ on the way between two recipes.
   * @param {Recipe} from
   * @param {Recipe} to
   * @returns {Generator<boolean, boolean[]>}
   */
  *safe(from, to) {
    const holds = Array(SAFE_SAMPLES).fill(true);
    for (const { surface, least } of this.controls) {
      const [a, b] = [surface.point(from), surface.point(to)];
      const estimate = yield* surface.betweenInSteps(from, to);
      for (let i = 0; i < SAFE_SAMPLES; i++) {
        const t = i / (SAFE_SAMPLES - 1);
        const point = a.map((x, v) => x + t * (b[v] - x)); // the recipe is linear in λ, analogies too
        holds[i] &&= surface.inside(point) && surface.accuracy(surface.measuredAt(point) ?? estimate(t)) >= least;
        if (i % SAMPLES_A_STEP === SAMPLES_A_STEP - 1) yield false;
      }
    }
    return holds;
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
    stops.push(`${holds ? "var(--tv-safe-ink)" : "transparent"} ${edge(i)} ${edge(next < 0 ? safe.length : next)}`);
  });
  return `linear-gradient(to right, ${stops.join(", ")})`;
}
