// Places for texts that would lie over each other: as near as possible to where they belong, in the same order.

/**
 * Places at least `gap` apart between `low` and `high`, with the smallest sum of squared ways from the wanted ones.
 * Neighbours that would be too close form a block, which lies at the mean of what its members want.
 * @param {number[]} wanted in rising order; all of them must find room
 * @param {number} gap
 * @param {number} low
 * @param {number} high
 * @returns {number[]}
 */
export function spread(wanted, gap, low, high) {
  /** @type {{sum: number, n: number}[]} */
  const blocks = []; // of the wanted places, each less the gaps before it
  const mean = (/** @type {{sum: number, n: number}} */ { sum, n }) => sum / n;
  wanted.forEach((place, i) => {
    let block = { sum: place - gap * i, n: 1 };
    for (let before = blocks.at(-1); before && mean(before) >= mean(block); before = blocks.at(-1)) {
      block = { sum: before.sum + block.sum, n: before.n + block.n };
      blocks.pop();
    }
    blocks.push(block);
  });
  const last = high - gap * (wanted.length - 1);
  const starts = blocks.flatMap((block) => Array(block.n).fill(Math.min(Math.max(mean(block), low), last)));
  return starts.map((start, i) => start + gap * i);
}
