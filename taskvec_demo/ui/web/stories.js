// The stories: the chosen one is marked, and its sentence is shown.

import { drawn } from "./latest.js";

/** @typedef {import("./chart.js").State} State */
/** @typedef {import("./chart.js").Story} Story */

/**
 * The story whose recipe this is; else the one chosen before, as long as the recipe still uses its vectors and no others.
 * @param {State} state
 * @returns {Story | undefined}
 */
export function storyOf({ live, recipe, story }) {
  /** @param {Story} of */
  const same = ({ recipe: own }) =>
    Object.keys(own).length === recipe.size && Object.entries(own).every(([name, value]) => recipe.get(name) === value);
  const exact = live.stories.find(same);
  if (exact) return exact;
  const kept = live.stories.find(({ name }) => name === story);
  return kept && [...recipe.keys()].every((name) => Object.hasOwn(kept.recipe, name)) ? kept : undefined;
}

/** The gr.HTML of the sentences calls this once. @param {HTMLElement} element */
export function startStories(element) {
  let chosen = "";
  drawn.follow(({ live, story }) => {
    if (story === chosen) return;
    chosen = story;
    for (const { name } of live.stories) {
      document.getElementById(`story-${name}`)?.setAttribute("aria-pressed", String(name === story));
    }
    for (const sentence of /** @type {NodeListOf<HTMLElement>} */ (element.querySelectorAll(".tv-sentence"))) {
      sentence.hidden = sentence.dataset.story !== story;
    }
  });
}
