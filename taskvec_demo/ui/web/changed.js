// What the recipe changed in one task: which clips flipped, which classes they are of, and what they are heard as.

import { find, write } from "./dom.js";
import { html } from "./elements.js";
import { busiest, confusion, flips, movers } from "./flips.js";
import { Heard } from "./heard.js";
import { drawMatrix, room } from "./matrix.js";

/** @typedef {import("./chart.js").State} State */

const MOST = 16; // classes in a matrix
const MOVERS = 5; // classes in each list
const GAP = 24; // px between two matrices
const BESIDE = 700; // px from which they stand side by side

export class Changed {
  /** @param {HTMLElement} place @param {import("./heard.js").Server} server */
  constructor(place, server) {
    this.place = place;
    this.task = /** @type {HTMLSelectElement} */ (find(place, "select[name=task]"));
    this.summary = find(place, ".tv-flips");
    this.matrices = find(place, ".tv-matrices");
    this.lists = find(place, ".tv-movers");
    this.heard = new Heard(find(place, ".tv-heard"), server);
    this.badge = find(place, ".tv-badge");
    this.drawn = "";
    this.chosen = false; // by hand; until then it is the task of the recipe's largest λ
    /** @type {State | null} */
    this.state = null;
    this.task.addEventListener("change", () => {
      this.chosen = true;
      this.rest();
    });
    new ResizeObserver(() => this.rest()).observe(this.matrices);
  }

  rest(state = this.state) {
    this.state = state;
    const width = Math.floor(this.matrices.clientWidth);
    if (!state?.tasks || !width) return;
    if (!this.chosen) this.follow(state);
    const loaded = state.tasks.find(({ task }) => task.name === this.task.value);
    const key = JSON.stringify([this.task.value, [...state.recipe], width]);
    if (!loaded?.surface || this.drawn === key) return;
    this.drawn = key;
    this.heard.show(state, loaded.task);
    this.matrices.replaceChildren();
    this.lists.replaceChildren();
    if (!loaded.surface.contains(state.recipe)) {
      return write(this.summary, "No clip of this task was measured with such an edit: λ or vector lie outside.");
    }
    this.draw(loaded.task, loaded.surface, state, width);
  }

  /** @param {State} state */
  follow({ recipe }) {
    const known = [...this.task.options];
    const on = [...recipe].sort(([, a], [, b]) => Math.abs(b) - Math.abs(a)).map(([name]) => name);
    const own = on.flatMap((name) => known.filter(({ dataset }) => dataset.vectors?.split(" ").includes(name)));
    if (own.length) this.task.value = own[0].value;
  }

  /**
   * @param {import("./bars.js").Task} task
   * @param {import("./surface.js").LogitSurface} surface
   * @param {State} state
   * @param {number} width
   */
  draw(task, surface, { recipe }, width) {
    const { labels, pretrained: before, nClasses } = surface;
    const { predicted: after, measured } = surface.predict(recipe);
    write(this.badge, measured ? "measured · validation" : "estimate · validation");
    this.badge.className = `tv-badge ${measured ? "tv-exact" : "tv-estimate"}`;
    const { lost, gained, strayed, n } = flips(labels, before, after);
    write(
      this.summary,
      lost + gained + strayed
        ? `Of ${n} clips, ${lost} went from right to wrong, ${gained} from wrong to right, and ${strayed} from one wrong answer to another.`
        : `The answer is the same for each of the ${n} clips.`,
    );
    const moved = movers(labels, before, after, nClasses);
    const helped = moved.filter((one) => one.after > one.before);
    const hurt = moved.filter((one) => one.after < one.before).reverse();
    this.list("Helped most", helped, task.classes);
    this.list("Hurt most", hurt, task.classes);
    this.drawMatrices(task.classes, confusion(labels, before, nClasses), confusion(labels, after, nClasses), width);
  }

  /** @param {string} title @param {ReturnType<typeof movers>} moved @param {string[]} names */
  list(title, moved, names) {
    const part = html("div", "", this.lists);
    html("h4", "", part, title);
    if (!moved.length) html("p", "tv-muted", part, "no class");
    const list = html("ol", "", part);
    for (const { index, n, before, after } of moved.slice(0, MOVERS)) {
      html("li", "", list, `${names[index]}: ${before} → ${after} of ${n} right`);
    }
    if (moved.length > MOVERS) html("p", "tv-muted", part, `and ${moved.length - MOVERS} more`);
  }

  /**
   * @param {string[]} names
   * @param {Uint32Array} before
   * @param {Uint32Array} after
   * @param {number} width
   */
  drawMatrices(names, before, after, width) {
    const each = width < BESIDE ? width : Math.floor((width - GAP) / 2);
    const shown = busiest(before, after, names.length, Math.min(MOST, room(each, names)));
    drawMatrix(this.matrices, each, { title: "Pre-trained", names, shown, counts: before, before });
    drawMatrix(this.matrices, each, { title: "Edited", names, shown, counts: after, before });
    const left = names.length - shown.length;
    const which = left ? `The ${shown.length} of ${names.length} classes that changed most. ` : "";
    html(
      "p",
      "tv-legend",
      this.matrices,
      `${which}Rows: what it is. Columns: what the model hears. Blue: right. Grey: wrong. Outlined: changed.`,
    );
  }
}
