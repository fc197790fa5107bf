// Numbers and widths in the elements that ui/bars.py wrote: nothing is built or removed while a slider moves.

const percent = (share) => Math.floor(100 * share + 0.5); // halves upwards, as in bars.py

const points = (share) => (Math.floor(1000 * share + 0.5) / 10).toFixed(1);

// What the figures are: measured, or estimated by these surfaces with the largest held-out errors among them.
function badgeText(estimating) {
  if (!estimating.length) return "measured at exactly this λ";
  const byClass = estimating.map(({ classError }) => classError).filter(Number.isFinite);
  return `estimate ± ${points(Math.max(...estimating.map(({ error }) => error)))} points`
    + (byClass.length ? ` (single classes ± ${points(Math.max(...byClass))})` : "");
}

function showDelta(element, change) {
  const whole = percent(change);
  element.textContent = whole ? `${whole > 0 ? "+" : MINUS}${Math.abs(whole)}` : "±0";
  element.className = `tv-delta ${whole ? (whole > 0 ? "tv-up" : "tv-down") : "tv-same"}`;
}

class TaskBars {
  constructor(root, task, surface) {
    const own = `[data-task="${CSS.escape(task.name)}"]`;
    Object.assign(this, { task, surface, tile: root.querySelector(`.tv-tile${own}`), panel: root.querySelector(`.tv-panel${own}`) });
    this.before = surface.count(surface.pretrained);
    this.accuracyBefore = surface.accuracy(surface.pretrained);
    const [interval, note] = this.tile.querySelectorAll(".tv-tile-note > span");
    Object.assign(this, { interval, note, value: this.tile.querySelector("b"), delta: this.tile.querySelector(".tv-delta") });
    this.rows = [...this.panel.querySelectorAll(".tv-row")].map((row) => ({
      row,
      bar: row.querySelector(".tv-ed"),
      whisker: row.querySelector(".tv-ci"),
      number: row.querySelector(".tv-num"),
      delta: row.querySelector(".tv-delta"),
    }));
    this.shown = null; // right answers a class, as drawn
  }

  get visible() { return !this.tile.hidden; }

  show(visible) {
    this.tile.hidden = this.panel.hidden = !visible;
  }

  draw(predicted) {
    const correct = this.surface.count(predicted);
    const n = this.surface.clipsPerClass;
    this.rows.forEach((parts, c) => {
      if (!n[c] || this.shown?.[c] === correct[c]) return;
      const [low, high] = wilson(correct[c], n[c]);
      parts.bar.style.width = `${(100 * correct[c] / n[c]).toFixed(1)}%`;
      parts.whisker.style.left = `${(100 * low).toFixed(1)}%`;
      parts.whisker.style.width = `${(100 * (high - low)).toFixed(1)}%`;
      parts.number.textContent = `${percent(correct[c] / n[c])}\u200a%`;
      showDelta(parts.delta, (correct[c] - this.before[c]) / n[c]);
    });
    this.shown = correct;
    this.drawTile(correct.reduce((sum, k) => sum + k, 0));
  }

  drawTile(correct) {
    if (this.correct === correct) return;
    this.correct = correct;
    const { n } = this.surface;
    const [low, high] = wilson(correct, n);
    this.value.textContent = `${percent(correct / n)} %`;
    showDelta(this.delta, correct / n - this.accuracyBefore);
    this.interval.textContent = `${percent(low)}–${percent(high)} %, n = ${n}`;
    if (this.task.role === "control" && this.accuracyBefore) {
      const kept = correct / n / this.accuracyBefore;
      this.note.textContent = `control keeps ${percent(kept)} %`;
      this.note.className = kept >= this.task.controlKept ? "tv-ok" : "tv-bad";
    } else if (this.task.finetuned) {
      this.note.textContent = `normalized ${(correct / n / this.task.finetuned).toFixed(2)}`;
    }
  }

  // Texts for pointers at rest and for screen readers; nobody reads them while a slider moves.
  describe() {
    const n = this.surface.clipsPerClass;
    this.rows.forEach(({ row }, c) => {
      if (!n[c]) return;
      const [low, high] = wilson(this.shown[c], n[c]);
      const text = `${this.task.classes[c]}: pre-trained ${percent(this.before[c] / n[c])} %, `
        + `edited ${percent(this.shown[c] / n[c])} % (95 % interval ${percent(low)} to ${percent(high)} %), n = ${n[c]}`;
      row.title = text;
      row.setAttribute("aria-label", text);
    });
    return `${this.task.title} ${this.value.textContent}`;
  }
}
