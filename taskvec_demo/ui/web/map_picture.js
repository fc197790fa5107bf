// The picture of the map: accuracies as colours, axes, the outline of what the control allows, and the marker, as SVG.

import { html, svg } from "./elements.js";
import { numberText, percent } from "./figures.js";
import { SIDE } from "./plane.js";

/** @typedef {import("./chart.js").Live} Live */
/** @typedef {(column: number, row: number) => any} OfCell */
/**
 * What the pointer does, at λ.
 * @typedef {{hover: (at: [number, number] | null) => void, go: (at: [number, number]) => void, release: () => void}} Pointed
 */

const MARGIN = { left: 56, right: 10, top: 8, bottom: 46 };
const MAX_SIDE = 400; // px of the square
const COLOURS = ["--tv-map-low", "--tv-map-mid", "--tv-map-high"];

export class MapPicture {
  /**
   * @param {HTMLElement} place
   * @param {Live} live
   * @param {number} width
   * @param {Pointed} map is told of the pointer
   */
  constructor(place, live, width, map) {
    this.place = place;
    this.live = live;
    this.width = width;
    this.side = Math.min(width - MARGIN.left - MARGIN.right, MAX_SIDE);
    this.isStale = false;
    place.replaceChildren();
    const size = { width: MARGIN.left + this.side + MARGIN.right, height: MARGIN.top + this.side + MARGIN.bottom };
    this.svg = svg("svg", [...Object.entries(size), ["role", "img"]], place);
    const square = Object.entries({ x: MARGIN.left, y: MARGIN.top, width: this.side, height: this.side });
    this.image = svg("image", [...square, ["preserveAspectRatio", "none"], ["class", "tv-map-image"]], this.svg);
    this.canvas = Object.assign(document.createElement("canvas"), { width: SIDE, height: SIDE });
    this.unsafe = svg("path", Object.entries({ class: "tv-map-unsafe", fill: `url(#${this.hatch()})` }), this.svg);
    this.outline = svg("path", [["class", "tv-map-outline"]], this.svg);
    this.drawAxes();
    this.titles = this.axisTitles();
    this.marker = svg("g", [["class", "tv-map-marker"]], this.svg);
    svg("circle", Object.entries({ r: 8 }), this.marker);
    svg("circle", Object.entries({ r: 2 }), this.marker);
    const area = svg("rect", [...square, ["class", "tv-map-area"]], this.svg);
    this.legend = this.legendOf(place);
    this.listen(/** @type {SVGElement} */ (area), map);
  }

  /** The pattern over points at which the control does not hold. Returns its id. */
  hatch() {
    const id = "tv-map-hatch";
    const size = { width: 7, height: 7, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" };
    const pattern = svg("pattern", Object.entries({ id, ...size }), svg("defs", [], this.svg));
    svg("line", Object.entries({ y2: 7, class: "tv-map-hatch" }), pattern);
    return id;
  }

  // ---- axes ---------------------------------------------------------------------------------------------------------
  /** The centre of the cell of a λ. @param {number} lambda */
  share(lambda) {
    const { low, high } = this.live;
    return (((lambda - low) / (high - low)) * (SIDE - 1) + 0.5) / SIDE;
  }

  /** @param {number} lambda */
  px(lambda) {
    return MARGIN.left + this.side * this.share(lambda);
  }

  /** @param {number} lambda */
  py(lambda) {
    return MARGIN.top + this.side * (1 - this.share(lambda));
  }

  /** The point of the grid next to a λ. @param {number} lambda */
  nearest(lambda) {
    const { low, high } = this.live;
    return Math.min(Math.max(Math.round(((lambda - low) / (high - low)) * (SIDE - 1)), 0), SIDE - 1);
  }

  /** @param {number} place of a point of the grid */
  lambdaOf(place) {
    const { low, high } = this.live;
    return low + ((high - low) * place) / (SIDE - 1);
  }

  drawAxes() {
    const { low, high } = this.live;
    for (let i = 0; i < 5; i++) {
      const lambda = low + ((high - low) * i) / 4;
      const text = numberText(lambda);
      const across = Object.entries({ x: this.px(lambda), y: MARGIN.top + this.side + 16, "text-anchor": "middle" });
      svg("text", across, this.svg, text);
      svg("text", Object.entries({ x: MARGIN.left - 8, y: this.py(lambda) + 4, "text-anchor": "end" }), this.svg, text);
      if (lambda) continue;
      const [x, y] = [this.px(0), this.py(0)];
      const d = `M${x},${MARGIN.top}v${this.side}M${MARGIN.left},${y}h${this.side}`;
      svg("path", Object.entries({ d, class: "tv-map-zero" }), this.svg);
    }
  }

  axisTitles() {
    const middle = this.side / 2;
    const below = { x: MARGIN.left + middle, y: MARGIN.top + this.side + 38, "text-anchor": "middle" };
    const beside = { "text-anchor": "middle", transform: `translate(13 ${MARGIN.top + middle}) rotate(-90)` };
    return [below, beside].map((at) => svg("text", Object.entries({ ...at, class: "tv-map-title" }), this.svg));
  }

  /** @param {[string, string]} axes @param {string} shown */
  entitle(axes, shown) {
    axes.forEach((name, i) => (this.titles[i].textContent = `λ of τ ${name}`));
    this.legend.title.textContent = shown;
    this.svg.setAttribute("aria-label", `${shown}: validation accuracy over λ of ${axes[0]} and λ of ${axes[1]}`);
  }

  /** @param {HTMLElement} place */
  legendOf(place) {
    const legend = html("div", "tv-map-legend", place);
    const title = html("b", "", legend);
    const low = html("span", "", legend);
    html("i", "tv-map-ramp", legend);
    return { title, low, high: html("span", "", legend) };
  }

  // ---- what changes -------------------------------------------------------------------------------------------------
  /** @param {OfCell} accuracy @param {OfCell} safe */
  paint(accuracy, safe) {
    const cells = Float32Array.from({ length: SIDE * SIDE }, (_, i) => accuracy(i % SIDE, Math.floor(i / SIDE)));
    const known = cells.filter((value) => !Number.isNaN(value));
    if (!known.length) return this.image.removeAttribute("href");
    const [lowest, highest] = [known.reduce((a, b) => Math.min(a, b)), known.reduce((a, b) => Math.max(a, b))];
    const pixels = new ImageData(SIDE, SIDE);
    const ramp = this.ramp();
    cells.forEach((value, i) => {
      if (Number.isNaN(value)) return;
      const [row, column] = [SIDE - 1 - Math.floor(i / SIDE), i % SIDE]; // the largest λ lies at the top
      pixels.data.set(ramp((value - lowest) / (highest - lowest || 1)), 4 * (row * SIDE + column));
    });
    this.canvas.getContext("2d")?.putImageData(pixels, 0, 0);
    this.image.setAttribute("href", this.canvas.toDataURL());
    const [area, border] = this.outside(safe);
    this.unsafe.setAttribute("d", area);
    this.outline.setAttribute("d", border);
    this.legend.low.textContent = `${percent(lowest)} %`;
    this.legend.high.textContent = `${percent(highest)} %`;
  }

  /** Share 0…1 -> colour, between the theme's three. */
  ramp() {
    const style = getComputedStyle(this.place);
    const stops = COLOURS.map((name) => {
      const hex = style.getPropertyValue(name).trim().slice(1);
      return [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16));
    });
    return (/** @type {number} */ share) => {
      const part = share * (stops.length - 1);
      const i = Math.min(Math.floor(part), stops.length - 2);
      return [...stops[i].map((from, channel) => from + (part - i) * (stops[i + 1][channel] - from)), 255];
    };
  }

  /** Paths of the cells that are not safe, and of the border between them and the others. @param {OfCell} safe */
  outside(safe) {
    const cell = this.side / SIDE;
    let [area, border] = ["", ""];
    for (let row = 0; row < SIDE; row++) {
      for (let column = 0; column < SIDE; column++) {
        const [x, y] = [MARGIN.left + cell * column, MARGIN.top + cell * (SIDE - 1 - row)];
        const holds = safe(column, row);
        if (!holds) area += `M${x},${y}h${cell}v${cell}h${-cell}z`;
        if (column + 1 < SIDE && holds !== safe(column + 1, row)) border += `M${x + cell},${y}v${cell}`;
        if (row + 1 < SIDE && holds !== safe(column, row + 1)) border += `M${x},${y}h${cell}`;
      }
    }
    return [area, border];
  }

  /** @param {boolean} stale whether the other λ have moved on */
  stale(stale) {
    if (this.isStale === stale) return;
    this.isStale = stale;
    this.svg.classList.toggle("tv-stale", stale);
  }

  /** @param {[number, number]} at λ */
  mark(at) {
    const [x, y] = at.map((lambda) => Math.min(Math.max(lambda, this.live.low), this.live.high));
    this.marker.setAttribute("transform", `translate(${this.px(x).toFixed(1)} ${this.py(y).toFixed(1)})`);
  }

  // ---- the pointer --------------------------------------------------------------------------------------------------
  /**
   * @param {SVGElement} area
   * @param {Pointed} map
   */
  listen(area, map) {
    area.addEventListener("pointerdown", (event) => {
      if (event.button || !event.isPrimary) return; // a menu
      area.setPointerCapture(event.pointerId);
      map.go(this.lambdas(event));
    });
    area.addEventListener("pointermove", (event) => {
      const at = this.lambdas(event);
      if (area.hasPointerCapture(event.pointerId)) map.go(at);
      else map.hover(at);
    });
    area.addEventListener("lostpointercapture", () => map.release());
    area.addEventListener("pointerleave", () => map.hover(null));
  }

  /** @param {PointerEvent} event @returns {[number, number]} λ that a slider can reach */
  lambdas({ clientX, clientY }) {
    const { left, top } = this.svg.getBoundingClientRect();
    const { low, high, sliderStep } = this.live;
    const shares = [(clientX - left - MARGIN.left) / this.side, 1 - (clientY - top - MARGIN.top) / this.side];
    const [x, y] = shares.map((share) => {
      const lambda = low + ((high - low) * (share * SIDE - 0.5)) / (SIDE - 1);
      return Math.min(Math.max(sliderStep * Math.round(lambda / sliderStep), low), high);
    });
    return [x, y];
  }
}
