// What an edit changed, clip by clip: pure functions of true classes and of both models' answers, each (n,).

/** @typedef {ArrayLike<number>} Classes */

/**
 * Counts (classes, classes), row after row: rows are true classes, columns answers.
 * @param {Classes} labels
 * @param {Classes} answers
 * @param {number} classes
 */
export function confusion(labels, answers, classes) {
  const counts = new Uint32Array(classes * classes);
  for (let i = 0; i < labels.length; i++) counts[classes * labels[i] + answers[i]]++;
  return counts;
}

/**
 * How many clips went from right to wrong, from wrong to right, and from one wrong answer to another.
 * @param {Classes} labels
 * @param {Classes} before
 * @param {Classes} after
 */
export function flips(labels, before, after) {
  const found = { lost: 0, gained: 0, strayed: 0, n: labels.length };
  for (let i = 0; i < labels.length; i++) {
    if (before[i] === after[i]) continue;
    if (before[i] === labels[i]) found.lost++;
    else if (after[i] === labels[i]) found.gained++;
    else found.strayed++;
  }
  return found;
}

/**
 * Classes whose recall changed, those that gained most first.
 * @param {Classes} labels
 * @param {Classes} before
 * @param {Classes} after
 * @param {number} classes
 */
export function movers(labels, before, after, classes) {
  const found = Array.from({ length: classes }, (_, index) => ({ index, n: 0, before: 0, after: 0 }));
  for (let i = 0; i < labels.length; i++) {
    const own = found[labels[i]];
    own.n++;
    own.before += Number(before[i] === labels[i]);
    own.after += Number(after[i] === labels[i]);
  }
  const moved = found.filter((one) => one.before !== one.after);
  return moved.sort((a, b) => b.after - b.before - (a.after - a.before));
}

/**
 * The classes with the most changed cells in their row and column, at most `limit`, in the order of the classes.
 * @param {Classes} before counts of `confusion`
 * @param {Classes} after
 * @param {number} classes
 * @param {number} limit
 */
export function busiest(before, after, classes, limit) {
  const all = Array.from({ length: classes }, (_, i) => i);
  const changes = new Float64Array(classes);
  for (const row of all) {
    for (const column of all) {
      const change = Math.abs(after[classes * row + column] - before[classes * row + column]);
      changes[row] += change;
      if (column !== row) changes[column] += change;
    }
  }
  const first = all.toSorted((a, b) => changes[b] - changes[a]).slice(0, limit);
  return first.sort((a, b) => a - b);
}
