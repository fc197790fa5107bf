// A green band under each slider: the λ at which every control task keeps its accuracy, the other controls as they are.

const SAFE_SAMPLES = 41;

class SafeRegions {
  constructor(live, controls) { // controls: [{task, surface}] of the tasks that should hold and have a surface
    this.live = live;
    this.controls = controls.map(({ surface }) => ({ surface, least: live.controlKept * surface.accuracy(surface.pretrained) }));
    this.dirty = [];
    // One style rule a slider: gradio makes its elements anew when a group opens, a rule stays.
    const sheet = new CSSStyleSheet();
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
    const names = [...live.rows, "analogy"];
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

  next() { // one slider a frame, about half a millisecond: the bars come first
    if (this.frame || !this.dirty.length) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      let drawn = false;
      while (!drawn && this.dirty.length) drawn = this.draw(this.dirty.shift());
      this.next();
    });
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
    this.paint(slider, safeGradient(this.safe(slider, from, to)));
    return true;
  }

  paint(slider, band) { // a rule that is set, even to what it was, costs the browser the styles of the whole page
    if (slider.band !== band) slider.style.setProperty("--tv-safe", band);
    slider.band = band;
  }

  // Whether the controls hold at each of SAFE_SAMPLES values of λ.
  safe(slider, from, to) {
    const lines = this.controls.map(({ surface }) => surface.between(from, to));
    return Array.from({ length: SAFE_SAMPLES }, (_, i) => {
      const t = i / (SAFE_SAMPLES - 1);
      const recipe = this.recipe(slider, t * this.live.sliderMax);
      return this.controls.every(({ surface, least }, c) => surface.contains(recipe)
        && surface.accuracy(surface.measured(recipe) ?? lines[c](t)) >= least);
    });
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
