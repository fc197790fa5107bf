// Logit surfaces in the browser: the same file and the same polynomial as taskvec_demo/core/surface.py.

import { readSafetensors } from "./safetensors.js";

/** @typedef {import("./recipe.js").Recipe} Recipe */
/** @typedef {{v: number, point: Float64Array, logits: (lambda: number) => Float64Array}} Line `logits` (size,) at λ of
 * coordinate v are good until the next call */

/**
 * Rows (size,) times their weights, in `out` (size,).
 * @param {Float64Array[]} rows
 * @param {ArrayLike<number>} weights
 * @param {Float64Array} out
 */
function weightedSum(rows, weights, out) {
  out.fill(0);
  rows.forEach((row, r) => {
    const weight = weights[r];
    for (let i = 0; i < out.length; i++) out[i] += weight * row[i];
  });
  return out;
}

/**
 * What a generator returns, without a pause.
 * @template T
 * @param {Generator<boolean, T>} steps
 * @returns {T}
 */
function finished(steps) {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** Logits of n labelled clips over the λ of `vectors`. */
export class LogitSurface {
  /**
   * @param {ArrayBuffer} buffer of the file
   * @param {number} low λ at which the measured box begins
   * @param {number} high λ at which it ends
   */
  constructor(buffer, low, high) {
    const { has, tensor, metadata } = readSafetensors(buffer);
    this.steps = tensor("steps").data; // (terms,)
    this.terms = this.steps.length;
    // An older format has one direction for each term, and then nothing to mix
    /** @type {Int16Array | null} */
    this.mixing = has("mixing") ? tensor("mixing").data : null; // (terms, rank), in units of the steps
    const { shape, data } = tensor(this.mixing ? "directions" : "coefficients");
    const [rank, n, nClasses] = shape;
    this.rank = rank;
    this.directions = data; // (rank, n, nClasses)
    this.n = n;
    this.nClasses = nClasses;
    this.size = n * nClasses;
    this.low = low;
    this.high = high;
    this.vectors = (metadata("vectors") ?? "").split(",");
    this.error = Number(metadata("error")); // mean absolute held-out error of the accuracy
    this.classError = Number(metadata("class_error")); // that of the per-class accuracies
    /** @type {Uint8Array} */
    this.labels = tensor("labels").data;
    this.points = tensor("points").data; // (p, vectors), where every clip was measured
    /** @type {Uint8Array} */
    this.measuredPredictions = tensor("predictions").data; // (p, n)
    const k = this.vectors.length;
    /** @type {Uint8Array} */
    this.powers = tensor("powers").data; // (terms, vectors)
    this.maxPower = Math.max(...this.powers); // of one vector
    this.all = Array.from({ length: this.terms }, (_, t) => t);
    /** @type {Line | null} */
    this.drag = null; // the line on which one λ moves
    /** @type {Float64Array | null} */
    this.last = null; // the point of the last evaluation
    this.degree = 0; // of a whole term, at most
    for (let i = 0; i < this.terms * k; i += k) {
      this.degree = Math.max(
        this.degree,
        this.powers.subarray(i, i + k).reduce((sum, power) => sum + power, 0),
      );
    }
    this.scratch = new Float64Array(this.size); // reused, because a drag would need 50 MB of new memory a second
    this.clipsPerClass = this.count(this.labels);
    const pretrained = this.measured(new Map());
    if (!pretrained) throw new Error(`${metadata("task")} has no measurement of the pre-trained model`);
    this.pretrained = pretrained;
  }

  /** Whether all its vectors were measured. @param {Recipe} recipe */
  knows(recipe) {
    return [...recipe.keys()].every((vector) => this.vectors.includes(vector));
  }

  /** @param {Recipe} recipe */
  contains(recipe) {
    return this.knows(recipe) && this.inside(this.point(recipe));
  }

  /** Whether it lies in the measured box. @param {Float64Array} point (vectors,) */
  inside(point) {
    return point.every((x) => x >= this.low && x <= this.high);
  }

  /** @param {Recipe} recipe */
  point(recipe) {
    return Float64Array.from(this.vectors, (vector) => recipe.get(vector) ?? 0);
  }

  /** T_0 … T_maxPower. @param {number} lambda */
  chebyshev(lambda) {
    const z = (2 * lambda - this.low - this.high) / (this.high - this.low);
    const values = new Float64Array(this.maxPower + 1).fill(1);
    for (let d = 1; d <= this.maxPower; d++) values[d] = d === 1 ? z : 2 * z * values[d - 1] - values[d - 2];
    return values;
  }

  /**
   * The weight of each term's coefficients at a point, without the factors of the coordinates `without`.
   * @param {Float64Array} point (vectors,)
   * @param {...number} without
   */
  factors(point, ...without) {
    const k = this.vectors.length;
    const along = Array.from(point, (lambda, v) => (without.includes(v) ? null : this.chebyshev(lambda)));
    const values = Float64Array.from(this.steps);
    for (let t = 0, i = 0; t < this.terms; t++) {
      for (let v = 0; v < k; v++, i++) values[t] *= along[v]?.[this.powers[i]] ?? 1;
    }
    return values;
  }

  /**
   * How much of each direction is in the sum of `terms`: (rank,).
   * @param {number[]} terms
   * @param {Float64Array} factors
   */
  mixed(terms, factors) {
    const { mixing, rank } = this;
    const weights = new Float64Array(rank);
    for (const t of terms) {
      if (!mixing) weights[t] = factors[t];
      else for (let r = 0, i = t * rank; r < rank; r++, i++) weights[r] += factors[t] * mixing[i];
    }
    return weights;
  }

  /**
   * Sum of `terms` (size,). Direction after direction, four at a time: memory is read in order, once.
   * @param {number[]} terms
   * @param {Float64Array} factors
   */
  sum(terms, factors) {
    const { size, directions: c } = this;
    const weights = this.mixed(terms, factors);
    const used = [...weights.keys()].filter((r) => weights[r] !== 0);
    const out = new Float64Array(size);
    let u = 0;
    for (; u + 4 <= used.length; u += 4) {
      const [p, q, r, s] = [used[u], used[u + 1], used[u + 2], used[u + 3]];
      const [bp, bq, br, bs] = [weights[p], weights[q], weights[r], weights[s]];
      const [op, oq, or, os] = [p * size, q * size, r * size, s * size];
      for (let i = 0; i < size; i++) out[i] += bp * c[op + i] + bq * c[oq + i] + br * c[or + i] + bs * c[os + i];
    }
    for (; u < used.length; u++) {
      const [b, offset] = [weights[used[u]], used[u] * size];
      for (let i = 0; i < size; i++) out[i] += b * c[offset + i];
    }
    return out;
  }

  /**
   * The line through a point on which coordinate v moves. Drawn up in one pass over all terms; every λ on it then costs
   * next to nothing.
   * @param {number} v
   * @param {Float64Array} point (vectors,)
   */
  line(v, point) {
    return finished(this.lineInSteps(v, point));
  }

  /**
   * The same, with a yield after each part of the pass.
   * @param {number} v
   * @param {Float64Array} point (vectors,)
   * @returns {Generator<boolean, Line>}
   */
  *lineInSteps(v, point) {
    const factors = this.factors(point, v);
    /** @type {number[][]} */
    const terms = Array.from({ length: this.maxPower + 1 }, () => []); // by their power of the coordinate
    for (let t = 0; t < this.terms; t++) terms[this.powers[t * this.vectors.length + v]].push(t);
    /** @type {Float64Array[]} */
    const parts = [];
    for (const some of terms) {
      parts.push(this.sum(some, factors));
      yield false;
    }
    return { v, point, logits: (lambda) => weightedSum(parts, this.chebyshev(lambda), this.scratch) };
  }

  /**
   * The plane through a point on which coordinates v and w move: λ of w -> the line of v there, good until the next
   * call. Drawing it up takes a pass over the file for each pair of powers, so it yields after each.
   * @param {number} v
   * @param {number} w
   * @param {Float64Array} point (vectors,)
   * @returns {Generator<boolean, (lambda: number) => Line>}
   */
  *plane(v, w, point) {
    const [factors, powers] = [this.factors(point, v, w), this.maxPower + 1];
    /** @type {number[][][]} */
    const terms = Array.from({ length: powers }, () => Array.from({ length: powers }, () => []));
    for (let t = 0, i = 0; t < this.terms; t++, i += this.vectors.length) {
      terms[this.powers[i + v]][this.powers[i + w]].push(t);
    }
    /** @type {{used: number[], rows: Float64Array[], along: Float64Array}[]} */
    const parts = [];
    for (const ofV of terms) {
      const used = [...ofV.keys()].filter((power) => ofV[power].length);
      const rows = [];
      for (const power of used) {
        rows.push(this.sum(ofV[power], factors));
        yield false;
      }
      parts.push({ used, rows, along: new Float64Array(this.size) });
    }
    const along = parts.map((part) => part.along);
    return (mu) => {
      const weights = this.chebyshev(mu);
      for (const { used, rows, along: out } of parts) {
        weightedSum(
          rows,
          used.map((power) => weights[power]),
          out,
        );
      }
      return { v, point, logits: (lambda) => weightedSum(along, this.chebyshev(lambda), this.scratch) };
    };
  }

  /**
   * Estimated logits (size,) at a point, good until the next call. As long as one λ alone moves, its line is kept: that
   * is a drag.
   * @param {Float64Array} point (vectors,)
   */
  logits(point) {
    /** @param {Float64Array} from */
    const moved = (from) => [...point.keys()].filter((v) => point[v] !== from[v]);
    const kept = this.drag;
    if (!kept || moved(kept.point).some((v) => v !== kept.v)) {
      const [v, ...others] = this.last ? moved(this.last) : [];
      this.drag = v !== undefined && !others.length ? this.line(v, point) : null;
    }
    this.last = point;
    const { drag } = this;
    return drag ? drag.logits(point[drag.v]) : this.sum(this.all, this.factors(point));
  }

  /** @param {Float64Array} logits (size,) */
  argmax(logits) {
    const { n, nClasses } = this;
    const classes = new Uint8Array(n);
    for (let clip = 0, i = 0; clip < n; clip++, i += nClasses) {
      let best = 0;
      for (let c = 1; c < nClasses; c++) if (logits[i + c] > logits[i + best]) best = c;
      classes[clip] = best;
    }
    return classes;
  }

  /** Predictions (n,) measured at exactly this recipe, or null. @param {Recipe} recipe */
  measured(recipe) {
    return this.knows(recipe) ? this.measuredAt(this.point(recipe)) : null;
  }

  /** @param {Float64Array} point (vectors,) */
  measuredAt(point) {
    const k = point.length;
    for (let row = 0; row * k < this.points.length; row++) {
      let v = 0;
      while (v < k && Math.abs(point[v] - this.points[row * k + v]) < 1e-6) v++;
      if (v === k) return this.measuredPredictions.subarray(row * this.n, (row + 1) * this.n);
    }
    return null;
  }

  /**
   * Predictions (n,), and whether exactly this recipe was measured. The caller must have asked `contains` before.
   * @param {Recipe} recipe
   */
  predict(recipe) {
    const measured = this.measured(recipe);
    return { predicted: measured ?? this.argmax(this.logits(this.point(recipe))), measured: measured !== null };
  }

  /**
   * For each class, the number of clips that these predictions have right. With the labels as predictions: all clips.
   * @param {Uint8Array} predicted (n,)
   */
  count(predicted) {
    const counts = new Uint32Array(this.nClasses);
    for (let i = 0; i < this.n; i++) if (predicted[i] === this.labels[i]) counts[this.labels[i]]++;
    return counts;
  }

  /** @param {Uint8Array} predicted (n,) */
  accuracy(predicted) {
    let correct = 0;
    for (let i = 0; i < this.n; i++) if (predicted[i] === this.labels[i]) correct++;
    return correct / this.n;
  }

  /**
   * t in 0…1 -> estimated predictions on the way between two recipes.
   * @param {Recipe} from
   * @param {Recipe} to
   */
  between(from, to) {
    return finished(this.betweenInSteps(from, to));
  }

  /**
   * The same, with a yield after each pass over the file or part of one.
   * @param {Recipe} from
   * @param {Recipe} to
   * @returns {Generator<boolean, (t: number) => Uint8Array>}
   */
  *betweenInSteps(from, to) {
    const [a, b] = [this.point(from), this.point(to)];
    const [v, ...others] = [...a.keys()].filter((i) => a[i] !== b[i]);
    if (v !== undefined && !others.length) {
      const line = yield* this.lineInSteps(v, a);
      return (t) => this.argmax(line.logits(a[v] + t * (b[v] - a[v])));
    }
    // Along any other line a surface is a polynomial of one variable too: degree + 1 evaluations fix it.
    const count = this.degree + 1;
    const nodes = Array.from({ length: count }, (_, j) => (1 - Math.cos((Math.PI * (j + 0.5)) / count)) / 2); // Chebyshev's
    /** @type {Float64Array[]} */
    const known = [];
    for (const t of nodes) {
      known.push(this.sum(this.all, this.factors(a.map((x, i) => x + t * (b[i] - x)))));
      yield false;
    }
    /** @param {number} t */
    const weights = (t) =>
      nodes.map((own, j) =>
        nodes.reduce((weight, node, m) => (m === j ? weight : (weight * (t - node)) / (own - node)), 1),
      );
    return (t) => this.argmax(weightedSum(known, weights(t), this.scratch));
  }
}
