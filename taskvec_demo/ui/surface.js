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
    this.degree = 0; // of a whole term, at most
    for (let i = 0; i < terms * k; i += k) {
      this.degree = Math.max(this.degree, this.powers.subarray(i, i + k).reduce((sum, power) => sum + power, 0));
    }
    this.clipsPerClass = this.count(this.labels);
    this.pretrained = this.measured({});
    if (!this.pretrained) throw new Error(`${metadata.task} has no measurement of the pre-trained model`);
  }

  // Whether all its vectors were measured.
  knows(recipe) {
    return Object.keys(recipe).every((vector) => this.vectors.includes(vector));
  }

  contains(recipe) {
    return this.knows(recipe) && Object.values(recipe).every((x) => x >= this.low && x <= this.high);
  }

  point(recipe) {
    return Float64Array.from(this.vectors, (vector) => recipe[vector] ?? 0);
  }

  // Products of Chebyshev polynomials (terms,) at a point (vectors,).
  basis(point) {
    const k = this.vectors.length;
    const order = this.maxPower + 1;
    const table = new Float64Array(k * order); // T_0 … T_maxPower of each coordinate
    for (let v = 0; v < k; v++) {
      const z = (2 * point[v] - this.low - this.high) / (this.high - this.low);
      table[v * order] = 1;
      if (order > 1) table[v * order + 1] = z;
      for (let d = 2; d < order; d++) table[v * order + d] = 2 * z * table[v * order + d - 1] - table[v * order + d - 2];
    }
    const values = new Float64Array(this.terms).fill(1);
    for (let t = 0, i = 0; t < this.terms; t++) {
      for (let v = 0; v < k; v++, i++) values[t] *= table[v * order + this.powers[i]];
    }
    return values;
  }

  // Estimated logits (n * nClasses,) at a point. Term after term, four at a time: memory is read in order, once.
  logits(point) {
    const basis = this.basis(point).map((value, t) => value * this.steps[t]);
    const used = [];
    for (let t = 0; t < this.terms; t++) if (basis[t] !== 0) used.push(t);
    const { size, coefficients: c } = this;
    const out = new Float64Array(size);
    let u = 0;
    for (; u + 4 <= used.length; u += 4) {
      const [p, q, r, s] = [used[u], used[u + 1], used[u + 2], used[u + 3]];
      const [bp, bq, br, bs] = [basis[p], basis[q], basis[r], basis[s]];
      const [op, oq, or, os] = [p * size, q * size, r * size, s * size];
      for (let i = 0; i < size; i++) out[i] += bp * c[op + i] + bq * c[oq + i] + br * c[or + i] + bs * c[os + i];
    }
    for (; u < used.length; u++) {
      const [b, offset] = [basis[used[u]], used[u] * size];
      for (let i = 0; i < size; i++) out[i] += b * c[offset + i];
    }
    return out;
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
    if (!this.knows(recipe)) return null;
    const point = this.point(recipe);
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

  // t in 0…1 -> estimated predictions on the way between two recipes. Along a line a surface is a polynomial of one
  // variable: degree + 1 evaluations fix it, and every further t costs no more than adding those up.
  between(from, to) {
    const [a, b] = [this.point(from), this.point(to)];
    const count = this.degree + 1;
    const nodes = Array.from({ length: count }, (_, j) => (1 - Math.cos(Math.PI * (j + 0.5) / count)) / 2); // Chebyshev's
    const known = nodes.map((t) => this.logits(a.map((x, v) => x + t * (b[v] - x))));
    return (t) => {
      const out = new Float64Array(this.size);
      known.forEach((logits, j) => {
        const weight = nodes.reduce((w, node, m) => (m === j ? w : w * (t - node) / (nodes[j] - node)), 1);
        for (let i = 0; i < out.length; i++) out[i] += weight * logits[i];
      });
      return this.argmax(out);
    };
  }
}
