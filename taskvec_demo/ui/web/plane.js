// The accuracy of one task over two λ, on a grid that is filled coarse points first, a row at a time.

/** @typedef {import("./recipe.js").Recipe} Recipe */
/** @typedef {import("./surface.js").LogitSurface} LogitSurface */

export const SIDE = 41; // points on each axis: every 0.05 of the measured box
const STRIDES = [4, 2, 1]; // 11 by 11 points, then 21 by 21, then all: SIDE − 1 is a multiple of each
const FINEST_FIRST = STRIDES.toReversed();

export class AccuracyGrid {
  /**
   * @param {LogitSurface} surface
   * @param {[string, string]} axes vectors whose λ run along a row, and from row to row
   * @param {Recipe} others λ that stay
   */
  constructor(surface, axes, others) {
    this.surface = surface;
    this.axes = axes;
    this.others = others;
    this.values = new Float32Array(SIDE * SIDE).fill(NaN);
    this.work = this.fill();
  }

  /** @param {number} i */
  lambda(i) {
    const { low, high } = this.surface;
    return low + ((high - low) * i) / (SIDE - 1);
  }

  /**
   * Yields after each row, so that it can be done in slices between frames: true when a finer picture is whole.
   * @returns {Generator<boolean>}
   */
  *fill() {
    const { surface } = this;
    const [v, w] = this.axes.map((name) => surface.vectors.indexOf(name));
    const point = surface.point(this.others);
    const plane = yield* surface.plane(v, w, point);
    for (const stride of STRIDES) {
      for (let row = 0; row < SIDE; row += stride) {
        point[w] = this.lambda(row);
        const line = plane(point[w]);
        for (let column = 0; column < SIDE; column += stride) {
          const at = row * SIDE + column;
          if (!Number.isNaN(this.values[at])) continue;
          point[v] = this.lambda(column);
          const predicted = surface.measuredAt(point) ?? surface.argmax(line.logits(point[v]));
          this.values[at] = surface.accuracy(predicted);
        }
        yield false;
      }
      yield true;
    }
  }

  /**
   * The accuracy at a point, or at the nearest one that is known already; NaN where nothing is.
   * @param {number} column
   * @param {number} row
   */
  at(column, row) {
    for (const stride of FINEST_FIRST) {
      const [i, j] = [column, row].map((index) => stride * Math.round(index / stride));
      const value = this.values[j * SIDE + i];
      if (!Number.isNaN(value)) return value;
    }
    return NaN;
  }
}
