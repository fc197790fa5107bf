// A green band under each slider: the λ at which every control task keeps its accuracy, the other controls as they are.

const SAFE_SAMPLES = 41;
const BAND_MS = 50; // between two bands

class SafeRegions {
  constructor(live, controls) { // controls: [{task, surface}] of the tasks that should hold and have a surface
    this.live = live;
    this.controls = controls.map(({ surface }) => ({ surface, least: live.controlKept * surface.accuracy(surface.pretrained) }));
    this.dirty = [];
    // One style rule a slider: gradio makes its elements anew when a group opens, a rule stays.
    const sheet = new CSSStyleSheet();
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
    const names = [...live.rows, "_analogy"];
    this.sliders = names.map((name, i) => {
      const analogy = i === live.rows.length;
      const selector = `#lambda-${CSS.escape(name)} input[type=range]`;
      const { style } = sheet.cssRules[sheet.insertRule(`${selector} {}`, i)];
      return { style, analogy, at: analogy ? analogyPosition(live.rows) : rowPosition(i), drawn: null };
    });
  }

  update({ values, vectors }) {
    Object.assign(this, { values, vectors });
    const waiting = new Set(this.dirty);
    this.dirty.push(...this.sliders.filter((slider) => !waiting.has(slider))); // in turn: none starves during a drag
    this.next();
  }

  next() { // one slider at a time, 2 ms with its style and paint: the bars come first
    if (this.timer || !this.dirty.length) return;
    let drawn = false;
    while (!drawn && this.dirty.length) drawn = this.draw(this.dirty.shift());
    this.timer = setTimeout(() => {
      this.timer = null;
      this.next();
    }, BAND_MS);
  }

  // The recipe with this slider at `value` and switched on.
  recipe(slider, value) {
    const values = [...this.values];
    values[slider.at] = value;
    if (slider.analogy) values[2] = true;
    else values[slider.at - 2] = true;
    return compose(values, this.vectors, this.live.sliderMax);
  }

  // False where nothing has changed.
  draw(slider) {
    let [from, to] = [];
    try {
      [from, to] = [this.recipe(slider, 0), this.recipe(slider, this.live.sliderMax)];
    } catch (error) {
      if (!(error instanceof BadRecipeError)) throw error;
      this.paint(slider, "none");
      slider.drawn = null;
      return false;
    }
    if (!this.controls.length || !this.controls.every(({ surface }) => surface.knows(from) && surface.knows(to))) {
      this.paint(slider, "none"); // nobody measured what such a vector does to the control
      slider.drawn = null;
      return false;
    }
    const line = JSON.stringify([from, to]);
    if (slider.drawn === line) return false;
    slider.drawn = line;
    this.paint(slider, safeGradient(this.safe(from, to)));
    return true;
  }

  paint(slider, band) { // a rule that is set, even to what it was, costs the browser the styles of the whole page
    if (slider.band !== band) slider.style.setProperty("--tv-safe", band);
    slider.band = band;
  }

  // Whether the controls hold at each of SAFE_SAMPLES λ on the way between two recipes.
  safe(from, to) {
    const ways = this.controls.map(({ surface, least }) => {
      const [a, b, estimate] = [surface.point(from), surface.point(to), surface.between(from, to)];
      return (t) => { // the recipe is linear in λ, analogies too
        const point = a.map((x, v) => x + t * (b[v] - x));
        return surface.inside(point) && surface.accuracy(surface.measuredAt(point) ?? estimate(t)) >= least;
      };
    });
    return Array.from({ length: SAFE_SAMPLES }, (_, i) => ways.every((holds) => holds(i / (SAFE_SAMPLES - 1))));
  }
}

// A band is as wide as the samples that hold, each standing for the stretch half-way to its neighbours.
function safeGradient(safe) {
  const edge = (i) => `${(100 * Math.min(Math.max((i - 0.5) / (safe.length - 1), 0), 1)).toFixed(1)}%`;
  const stops = [];
  safe.forEach((holds, i) => {
    if (i && holds === safe[i - 1]) return;
    const next = safe.indexOf(!holds, i);
    stops.push(`${holds ? "var(--tv-safe-ink)" : "var(--tv-line)"} ${edge(i)} ${edge(next < 0 ? safe.length : next)}`);
  });
  return `linear-gradient(to right, ${stops.join(", ")})`;
}
