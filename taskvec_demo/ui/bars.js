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

// The badge where some tasks have no estimate: `unknown` of them have no figures at all, `now` were measured just now.
// `strangers`: vectors of the recipe that no surface knows.
function gapText(estimating, unknown, now, strangers) {
  if (!unknown) return estimating.length ? `${badgeText(estimating)}; others measured now` : "measured now with these very weights";
  const gap = strangers.length ? `no estimate for ${strangers.map((v) => `τ_${v}`).join(", ")}` : "not measured yet";
  return gap + (now ? `; ${now} of ${unknown + now + estimating.length} tasks measured now` : "");
}

// What stays as it was is not written again, and a text keeps its node: a browser lays out anew around what is written.
function hide(part, hidden) {
  if (part.hidden !== hidden) part.hidden = hidden;
}

function write(element, text) {
  const node = element.firstChild;
  if (!node) element.textContent = text;
  else if (node.data !== text) node.data = text;
}

function restyle(element, className) {
  if (element.className !== className) element.className = className;
}

function showDelta(element, change) {
  const whole = percent(change);
  write(element, whole ? `${whole > 0 ? "+" : MINUS}${Math.abs(whole)}` : "±0");
  restyle(element, `tv-delta ${whole ? (whole > 0 ? "tv-up" : "tv-down") : "tv-same"}`);
}

const sum = (counts) => counts.reduce((total, k) => total + k, 0);

// Figures are clips a class: {n, before, after}; n of them, right under the pre-trained and under the edited model.
// `after` null: nothing is known of this recipe.
class TaskBars {
  constructor(root, task, surface) {
    const own = `[data-task="${CSS.escape(task.name)}"]`;
    Object.assign(this, { task, surface, tile: root.querySelector(`.tv-tile${own}`), panel: root.querySelector(`.tv-panel${own}`) });
    const none = task.classes.map(() => 0);
    this.unknown = surface ? { n: surface.clipsPerClass, before: surface.count(surface.pretrained), after: null }
      : { n: none, before: none, after: null };
    this.accuracyBefore = surface ? surface.accuracy(surface.pretrained) : 0;
    const [interval, note] = this.tile.querySelectorAll(".tv-tile-note > span");
    Object.assign(this, { interval, note, value: this.tile.querySelector("b"), delta: this.tile.querySelector(".tv-delta"),
      from: this.tile.querySelector("s"), source: this.panel.querySelector(".tv-source") });
    this.rows = [...this.panel.querySelectorAll(".tv-row")].map((row) => ({
      row,
      clips: row.querySelector("small"),
      before: row.querySelector(".tv-pre"),
      bar: row.querySelector(".tv-ed"), // none where the set has no clip of this class
      whisker: row.querySelector(".tv-ci"),
      number: row.querySelector(".tv-num"),
      delta: row.querySelector(".tv-delta"),
      drawn: [],
    }));
    this.shown = this.unknown;
  }

  get visible() { return !this.tile.hidden; }

  show(visible) {
    hide(this.tile, !visible);
    hide(this.panel, !visible);
  }

  // The figures of predictions on the clips that the surface is about.
  predicted(classes) {
    return { ...this.unknown, after: this.surface.count(classes) };
  }

  draw(figures, source = "") {
    const { n, before, after } = figures;
    this.rows.forEach((parts, c) => {
      if (parts.bar) this.drawRow(parts, n[c], before[c], after ? after[c] : null);
    });
    this.shown = figures;
    this.drawTile(sum(n), sum(before), after && sum(after));
    this.panel.classList.toggle("tv-unknown", !after);
    write(this.source, source);
  }

  drawRow(parts, n, before, after) {
    const [drawnN, drawnBefore, drawnAfter] = parts.drawn;
    if (drawnN === n && drawnBefore === before && drawnAfter === after) return;
    if (drawnN !== n || drawnBefore !== before) {
      write(parts.clips, n ? String(n) : "");
      parts.before.style.width = `${n ? (100 * before / n).toFixed(1) : 0}%`;
    }
    parts.drawn = [n, before, after];
    const known = n > 0 && after !== null;
    const [low, high] = known ? wilson(after, n) : [0, 0];
    parts.bar.style.width = `${known ? (100 * after / n).toFixed(1) : 0}%`;
    parts.whisker.style.left = `${(100 * low).toFixed(1)}%`;
    parts.whisker.style.width = `${(100 * (high - low)).toFixed(1)}%`;
    write(parts.number, known ? `${percent(after / n)}\u200a%` : "—");
    if (known) showDelta(parts.delta, (after - before) / n);
    else write(parts.delta, "");
  }

  drawTile(n, before, after) {
    if (this.n === n && this.correctBefore === before && this.correct === after) return;
    Object.assign(this, { n, correctBefore: before, correct: after });
    write(this.from, n ? String(percent(before / n)) : "—");
    if (after === null || !n) {
      write(this.value, "—");
      write(this.interval, "no estimate");
      write(this.delta, "");
      write(this.note, "");
      return;
    }
    const [low, high] = wilson(after, n);
    write(this.value, `${percent(after / n)} %`);
    showDelta(this.delta, (after - before) / n);
    write(this.interval, `${percent(low)}–${percent(high)} %, n = ${n}`);
    if (this.task.role === "control" && before) {
      const kept = after / before;
      write(this.note, `control keeps ${percent(kept)}\u00a0%`);
      restyle(this.note, kept >= this.task.controlKept ? "tv-ok" : "tv-bad");
      return;
    }
    const measuredNow = this.shown.n !== this.unknown.n; // not on the clips that the fine-tuned model was measured on
    restyle(this.note, "");
    write(this.note, measuredNow ? "measured now"
      : this.task.finetuned ? `normalized ${(after / n / this.task.finetuned).toFixed(2)}` : "");
  }

  // Texts for pointers at rest and for screen readers; nobody reads them while a slider moves.
  describe() {
    const { n, before, after } = this.shown;
    this.rows.forEach(({ row, bar }, c) => {
      if (!bar) return;
      const [low, high] = after && n[c] ? wilson(after[c], n[c]) : [];
      const text = !n[c] ? `${this.task.classes[c]}: not measured`
        : `${this.task.classes[c]}: pre-trained ${percent(before[c] / n[c])} %, `
          + (after ? `edited ${percent(after[c] / n[c])} % (95 % interval ${percent(low)} to ${percent(high)} %), n = ${n[c]}`
            : `edited: no estimate, n = ${n[c]}`);
      row.title = text;
      row.setAttribute("aria-label", text);
    });
    return `${this.task.title} ${this.value.textContent}`;
  }
}
