// What McNemar's test says of each task, in words.

import { find } from "./dom.js";
import { html } from "./elements.js";
import { flips } from "./flips.js";
import { mcnemar, pText, verdict } from "./mcnemar.js";

/** @typedef {import("./chart.js").State} State */

export class Verdicts {
  /** @param {HTMLElement} place */
  constructor(place) {
    this.place = place;
    this.rows = find(place, "tbody");
    this.drawn = "";
  }

  /** @param {State} state */
  rest({ tasks, recipe }) {
    const shown = (tasks ?? []).filter(({ bars }) => bars.visible);
    const key = JSON.stringify([[...recipe], shown.map(({ task }) => task.name)]);
    if (this.drawn === key) return;
    this.drawn = key;
    this.rows.replaceChildren();
    for (const { task, surface } of shown) {
      const row = html("tr", "", this.rows);
      html("th", "", row, task.title).setAttribute("scope", "row");
      if (!surface?.contains(recipe)) {
        html("td", "tv-muted", row, "No estimate for this recipe").setAttribute("colspan", "3");
        continue;
      }
      const { predicted, measured } = surface.predict(recipe);
      const found = flips(surface.labels, surface.pretrained, predicted);
      this.cell(row, "Verdict", `${verdict(found)}, n\u00a0=\u00a0${found.n}`);
      this.cell(row, "Clips that flipped", `${found.lost} lost, ${found.gained} gained`);
      this.cell(row, "Test", `${pText(mcnemar(found.lost, found.gained))}, ${measured ? "measured" : "estimated"}`);
    }
  }

  /** @param {Element} row @param {string} label on a phone @param {string} text */
  cell(row, label, text) {
    html("td", "", row, text).dataset.label = label;
  }
}
