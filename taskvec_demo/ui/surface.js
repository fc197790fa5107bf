// Logit surfaces in the browser: the same file and the same polynomial as taskvec_demo/surface.py.

const DECODERS = {
  F32: (bytes) => new Float32Array(bytes),
  F64: (bytes) => new Float64Array(bytes),
  U8: (bytes) => new Uint8Array(bytes),
  I8: (bytes) => new Int8Array(bytes),
  I32: (bytes) => new Int32Array(bytes),
  I64: (bytes) => Float64Array.from(new BigInt64Array(bytes), Number),
};

// ArrayBuffer of a .safetensors file -> {tensors: {name: {shape, data}}, metadata}.
function readSafetensors(buffer) {
  const length = Number(new DataView(buffer).getBigUint64(0, true)); // of the JSON header that follows, in bytes
  const { __metadata__: metadata = {}, ...entries } = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  const tensors = {};
  for (const [name, { dtype, shape, data_offsets: [begin, end] }] of Object.entries(entries)) {
    if (!DECODERS[dtype]) throw new Error(`tensor ${name} has dtype ${dtype}`);
    tensors[name] = { shape, data: DECODERS[dtype](buffer.slice(8 + length + begin, 8 + length + end)) }; // slice aligns
  }
  return { tensors, metadata };
}

// 95 % score interval of k successes of n, as statistics.wilson.
function wilson(k, n) {
  const z = 1.959964;
  const [centre, scale] = [k + z * z / 2, n + z * z];
  const half = z * Math.sqrt(k * (n - k) / Math.max(n, 1) + z * z / 4);
  return [k === 0 ? 0 : (centre - half) / scale, k === n ? 1 : (centre + half) / scale];
}

// Rows (size,) times their weights, in `out` (size,).
function weightedSum(rows, weights, out) {
  out.fill(0);
  rows.forEach((row, r) => {
    const weight = weights[r];
    for (let i = 0; i < out.length; i++) out[i] += weight * row[i];
  });
  return out;
}

// Logits of n labelled clips over the λ of `vectors`. A recipe is an object {vector: λ}; no entry is 0.
class LogitSurface {
  constructor(buffer, low, high) {
    const { tensors, metadata } = readSafetensors(buffer);
    const [terms, n, nClasses] = tensors.coefficients.shape;
    Object.assign(this, { terms, n, nClasses, low, high, size: n * nClasses });
    this.vectors = metadata.vectors.split(",");
    this.error = Number(metadata.error); // mean absolute held-out error of the accuracy
    this.classError = Number(metadata.class_error); // that of the per-class accuracies
    this.coefficients = tensors.coefficients.data; // (terms, n, nClasses), in units of
    this.steps = tensors.steps.data; // (terms,)
    this.labels = tensors.labels.data;
    this.points = tensors.points.data; // (p, vectors), where every clip was measured
    this.measuredPredictions = tensors.predictions.data; // (p, n)
    const k = this.vectors.length;
    this.powers = tensors.powers.data; // (terms, vectors)
    this.maxPower = Math.max(...this.powers); // of one vector
    this.all = Array.from({ length: terms }, (_, t) => t);
    this.degree = 0; // of a whole term, at most
    for (let i = 0; i < terms * k; i += k) {
      this.degree = Math.max(this.degree, this.powers.subarray(i, i + k).reduce((sum, power) => sum + power, 0));
    }
    this.scratch = new Float64Array(this.size); // a drag would else leave 50 MB a second for the browser to collect
    this.clipsPerClass = this.count(this.labels);
    this.pretrained = this.measured({});
    if (!this.pretrained) throw new Error(`${metadata.task} has no measurement of the pre-trained model`);
  }

  // Whether all its vectors were measured.
  knows(recipe) {
    return Object.keys(recipe).every((vector) => this.vectors.includes(vector));
  }

  contains(recipe) {
    return this.knows(recipe) && this.inside(this.point(recipe));
  }

  // Whether a point (vectors,) lies in the measured box.
  inside(point) {
    return point.every((x) => x >= this.low && x <= this.high);
  }

  point(recipe) {
    return Float64Array.from(this.vectors, (vector) => recipe[vector] ?? 0);
  }

  // T_0 … T_maxPower at one λ.
  chebyshev(lambda) {
    const z = (2 * lambda - this.low - this.high) / (this.high - this.low);
    const values = new Float64Array(this.maxPower + 1).fill(1);
    for (let d = 1; d <= this.maxPower; d++) values[d] = d === 1 ? z : 2 * z * values[d - 1] - values[d - 2];
    return values;
  }

  // What each coefficient of a term counts for at a point (vectors,), the factor of coordinate `without` left out.
  factors(point, without = -1) {
    const k = this.vectors.length;
    const along = Array.from(point, (lambda, v) => (v === without ? null : this.chebyshev(lambda)));
    const values = Float64Array.from(this.steps);
    for (let t = 0, i = 0; t < this.terms; t++) {
      for (let v = 0; v < k; v++, i++) if (along[v]) values[t] *= along[v][this.powers[i]];
    }
    return values;
  }

  // Sum of `terms` (size,). Term after term, four at a time: memory is read in order, once.
  sum(terms, factors) {
    const { size, coefficients: c } = this;
    const used = terms.filter((t) => factors[t] !== 0);
    const out = new Float64Array(size);
    let u = 0;
    for (; u + 4 <= used.length; u += 4) {
      const [p, q, r, s] = [used[u], used[u + 1], used[u + 2], used[u + 3]];
      const [bp, bq, br, bs] = [factors[p], factors[q], factors[r], factors[s]];
      const [op, oq, or, os] = [p * size, q * size, r * size, s * size];
      for (let i = 0; i < size; i++) out[i] += bp * c[op + i] + bq * c[oq + i] + br * c[or + i] + bs * c[os + i];
    }
    for (; u < used.length; u++) {
      const [b, offset] = [factors[used[u]], used[u] * size];
      for (let i = 0; i < size; i++) out[i] += b * c[offset + i];
    }
    return out;
  }

  // The line through a point on which coordinate v moves: {v, point, logits: λ -> (size,)}, overwritten by the next λ.
  // Drawn up in one pass over all terms; every λ on it then costs next to nothing.
  line(v, point) {
    const factors = this.factors(point, v);
    const terms = Array.from({ length: this.maxPower + 1 }, () => []); // by their power of the coordinate
    for (let t = 0; t < this.terms; t++) terms[this.powers[t * this.vectors.length + v]].push(t);
    const parts = terms.map((some) => this.sum(some, factors));
    return { v, point, logits: (lambda) => weightedSum(parts, this.chebyshev(lambda), this.scratch) };
  }

  // Estimated logits (size,) at a point, good until the next call. As long as one λ alone moves, its line is kept: that is a drag.
  logits(point) {
    const moved = (from) => [...point.keys()].filter((v) => point[v] !== from[v]);
    if (!this.drag || moved(this.drag.point).some((v) => v !== this.drag.v)) {
      const [v, ...others] = this.last ? moved(this.last) : [];
      this.drag = v !== undefined && !others.length ? this.line(v, point) : null;
    }
    this.last = point;
    return this.drag ? this.drag.logits(point[this.drag.v]) : this.sum(this.all, this.factors(point));
  }

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

  // Predictions (n,) measured at exactly this recipe, or null.
  measured(recipe) {
    return this.knows(recipe) ? this.measuredAt(this.point(recipe)) : null;
  }

  measuredAt(point) {
    const k = point.length;
    for (let row = 0; row * k < this.points.length; row++) {
      let v = 0;
      while (v < k && Math.abs(point[v] - this.points[row * k + v]) < 1e-6) v++;
      if (v === k) return this.measuredPredictions.subarray(row * this.n, (row + 1) * this.n);
    }
    return null;
  }

  // {predicted (n,), measured: whether this very recipe was run}; the caller has asked `contains`.
  predict(recipe) {
    const measured = this.measured(recipe);
    return { predicted: measured ?? this.argmax(this.logits(this.point(recipe))), measured: measured !== null };
  }

  // Clips a class; with predictions only those that are right.
  count(predicted) {
    const counts = new Uint32Array(this.nClasses);
    for (let i = 0; i < this.n; i++) if (predicted[i] === this.labels[i]) counts[this.labels[i]]++;
    return counts;
  }

  accuracy(predicted) {
    let correct = 0;
    for (let i = 0; i < this.n; i++) if (predicted[i] === this.labels[i]) correct++;
    return correct / this.n;
  }

  // t in 0…1 -> estimated predictions on the way between two recipes.
  between(from, to) {
    const [a, b] = [this.point(from), this.point(to)];
    const [v, ...others] = [...a.keys()].filter((i) => a[i] !== b[i]);
    if (v !== undefined && !others.length) {
      const line = this.line(v, a);
      return (t) => this.argmax(line.logits(a[v] + t * (b[v] - a[v])));
    }
    // Along any other line a surface is a polynomial of one variable too: degree + 1 evaluations fix it.
    const count = this.degree + 1;
    const nodes = Array.from({ length: count }, (_, j) => (1 - Math.cos(Math.PI * (j + 0.5) / count)) / 2); // Chebyshev's
    const known = nodes.map((t) => this.sum(this.all, this.factors(a.map((x, i) => x + t * (b[i] - x)))));
    const weights = (t) => nodes.map((own, j) => nodes.reduce((w, node, m) => (m === j ? w : w * (t - node) / (own - node)), 1));
    return (t) => this.argmax(weightedSum(known, weights(t), this.scratch));
  }
}
