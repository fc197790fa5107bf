// The picture of the curves: axes, lines, points and legend, as SVG.

import { html, svg } from "./elements.js";
import { MINUS } from "./figures.js";

/** @typedef {import("./bars.js").TaskBars} TaskBars */
/** @typedef {import("./chart.js").Live} Live */
/** @typedef {import("./loading.js").LoadedTask} LoadedTask */
/** @typedef {import("./surface.js").LogitSurface} LogitSurface */
/**
 * The line of one task. `drawn`: the recipe that it shows; `value`: its figure in the legend.
 * @typedef {{surface: LogitSurface, bars: TaskBars, drawn: string | null, accuracies: number[] | null,
 *   value: HTMLElement, path: SVGElement, circles: SVGElement, dot: SVGElement}} Line
 */

const MARGIN = { left: 46, right: 14, top: 10, bottom: 44 };

export class CurvePicture {
  /**
   * @param {HTMLElement} place
   * @param {LoadedTask[]} tasks that have a surface
   * @param {Live} live
   * @param {number} width
   * @param {(share: number | null) => void} hover is told where on the λ axis the pointer is, 0…1
   */
  constructor(place, tasks, live, width, hover) {
    this.tasks = tasks;
    this.live = live;
    this.width = width;
    this.height = width < 500 ? 270 : 340;
    place.replaceChildren();
    this.legend = html("div", "tv-curve-legend", place);
    this.at = html("span", "tv-curve-at", this.legend);
    const size = { width, height: this.height };
    this.svg = svg("svg", [...Object.entries(size), ["role", "img"]], place);
    this.drawAxes();
    const middle = this.x((live.low + live.high) / 2);
    this.title = svg(
      "text",
      [
        ["x", middle],
        ["y", this.height - 8],
        ["text-anchor", "middle"],
      ],
      this.svg,
    );
    this.operating = this.vertical("tv-operating");
    this.pointer = this.vertical("tv-pointer");
    this.pointer.setAttribute("visibility", "hidden");
    let series = 0;
    this.lines = tasks.map((loaded) =>
      this.addLine(loaded, loaded.task.role === "control" ? "tv-series-control" : `tv-series-${series++}`),
    );
    this.svg.addEventListener("pointermove", ({ offsetX }) => {
      const [low, high] = [this.x(live.low), this.x(live.high)];
      hover((offsetX - low) / (high - low));
    });
    this.svg.addEventListener("pointerleave", () => hover(null));
  }

  /** @param {number} lambda */
  x(lambda) {
    const { low, high } = this.live;
    return MARGIN.left + ((this.width - MARGIN.left - MARGIN.right) * (lambda - low)) / (high - low);
  }

  /** @param {number} accuracy */
  y(accuracy) {
    return this.height - MARGIN.bottom - (this.height - MARGIN.top - MARGIN.bottom) * accuracy;
  }

  drawAxes() {
    const { low, high } = this.live;
    for (const share of [0, 0.25, 0.5, 0.75, 1]) {
      this.horizontal("tv-grid", share, this.svg);
      const at = /** @type {[string, string | number][]} */ (
        Object.entries({ x: MARGIN.left - 8, y: this.y(share) + 4 })
      );
      svg("text", [...at, ["text-anchor", "end"]], this.svg, String(100 * share));
    }
    for (let i = 0; i < 5; i++) {
      const lambda = low + ((high - low) * i) / 4;
      const line = this.vertical(lambda ? "tv-grid" : "tv-zero");
      moveTo(line, this.x(lambda));
      const label = lambda.toString().replace("-", MINUS);
      svg(
        "text",
        [
          ["x", this.x(lambda)],
          ["y", this.y(0) + 17],
          ["text-anchor", "middle"],
        ],
        this.svg,
        label,
      );
    }
    const turned = `rotate(-90 13 ${this.y(0.5)})`;
    const attributes = Object.entries({ x: 13, y: this.y(0.5), transform: turned, "text-anchor": "middle" });
    svg("text", attributes, this.svg, "accuracy, %");
  }

  /** A line at one accuracy. @param {string} className @param {number} accuracy @param {Element} parent */
  horizontal(className, accuracy, parent) {
    const [x1, x2, y] = [this.x(this.live.low), this.x(this.live.high), this.y(accuracy)];
    svg("line", Object.entries({ class: className, x1, x2, y1: y, y2: y }), parent);
  }

  /** A line that `moveTo` puts at a λ. @param {string} className */
  vertical(className) {
    return svg("line", Object.entries({ class: className, y1: this.y(0), y2: this.y(1) }), this.svg);
  }

  /** @param {LoadedTask} loaded @param {string} className @returns {Line} */
  addLine({ task, surface, bars }, className) {
    const control = task.role === "control";
    const group = svg("g", [["class", className]], this.svg);
    if (control) this.horizontal("tv-least", this.live.controlKept * bars.accuracyBefore, group);
    const entry = html("span", `tv-curve-entry ${className}`, this.legend);
    html("i", "", entry);
    html("span", "", entry, control ? `${task.title} (control) ` : `${task.title} `);
    return {
      surface: /** @type {LogitSurface} */ (surface),
      bars,
      drawn: null,
      accuracies: null,
      value: html("b", "", entry),
      path: svg("path", [], group),
      circles: svg("g", [], group),
      dot: svg("circle", Object.entries({ class: "tv-dot", r: 5 }), group),
    };
  }

  /** @param {string} title of the λ axis */
  entitle(title) {
    this.title.textContent = title;
    this.svg.setAttribute("aria-label", `Validation accuracy of ${this.tasks.length} tasks along ${title}`);
  }

  /** @param {Line} line @param {[number, number][]} points λ and accuracy */
  draw({ path }, points) {
    const written = points.map(([lambda, accuracy]) => `${this.x(lambda).toFixed(1)},${this.y(accuracy).toFixed(1)}`);
    path.setAttribute("d", `M${written.join("L")}`);
  }

  /** Circles where this vector alone was measured. @param {Line} line @param {string | null} axis null: none */
  drawMeasured({ surface, circles }, axis) {
    circles.replaceChildren();
    if (axis === null) return;
    const column = surface.vectors.indexOf(axis);
    const k = surface.vectors.length;
    for (let row = 0; row * k < surface.points.length; row++) {
      const point = /** @type {Float64Array} */ (surface.points.subarray(row * k, (row + 1) * k));
      if (point.some((value, v) => v !== column && Math.abs(value) > 1e-9)) continue;
      const accuracy = surface.accuracy(surface.measuredPredictions.subarray(row * surface.n, (row + 1) * surface.n));
      const [cx, cy] = [this.x(point[column]), this.y(accuracy)];
      const circle = svg("circle", Object.entries({ class: "tv-measured", cx, cy, r: 3.5 }), circles);
      const text = `λ = ${point[column].toFixed(2)}: ${(100 * accuracy).toFixed(0)} % (measured, n = ${surface.n})`;
      svg("title", [], circle, text);
    }
  }

  /** @param {number} lambda as set @param {boolean} inside the axis @param {number | null} hovered λ under the pointer */
  mark(lambda, inside, hovered) {
    moveTo(this.operating, this.x(lambda));
    if (hovered !== null) moveTo(this.pointer, this.x(hovered));
    this.operating.setAttribute("visibility", inside ? "visible" : "hidden");
    this.pointer.setAttribute("visibility", hovered === null ? "hidden" : "visible");
    const shown = (hovered ?? lambda).toFixed(2).replace("-", MINUS);
    this.at.textContent = `λ = ${shown}${hovered === null ? ", as set" : ""}`;
  }

  /**
   * @param {Line} line
   * @param {[number, number] | null} point where its dot is: λ and accuracy
   * @param {number} accuracy that its legend says, NaN where there is none
   */
  markLine({ dot, value }, point, accuracy) {
    dot.setAttribute("visibility", point ? "visible" : "hidden");
    if (point) {
      dot.setAttribute("cx", String(this.x(point[0])));
      dot.setAttribute("cy", String(this.y(point[1])));
    }
    value.textContent = Number.isNaN(accuracy) ? "–" : `${(100 * accuracy).toFixed(0)} %`;
  }
}

/** @param {Element} line @param {number} x */
function moveTo(line, x) {
  line.setAttribute("x1", String(x));
  line.setAttribute("x2", String(x));
}
