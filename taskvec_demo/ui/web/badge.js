// The badge above the bars says whether the figures are measured, estimated or missing, in the words of html/bars.py.

import { find, restyle, write } from "./dom.js";
import { points } from "./figures.js";

/** @typedef {{error: number}} Errors mean held-out error of a surface's accuracy */

/**
 * The words for figures that are measured, or estimated by these surfaces; the largest of their held-out errors counts.
 * @param {Errors[]} estimating
 */
export function badgeText(estimating) {
  if (!estimating.length) return "measured";
  return `estimate ± ${points(Math.max(...estimating.map(({ error }) => error)))} points`;
}

/**
 * The words if some tasks have no estimate.
 * @param {Errors[]} estimating
 * @param {number} unknown how many tasks have no figures at all
 * @param {number} now how many were measured just now
 * @param {string[]} strangers vectors of the recipe that no surface knows
 */
export function gapText(estimating, unknown, now, strangers) {
  if (!unknown) {
    return estimating.length ? `${badgeText(estimating)}; others measured now` : "measured now with these very weights";
  }
  const gap = strangers.length ? `no estimate for ${strangers.map((v) => `τ_${v}`).join(", ")}` : "not measured yet";
  return gap + (now ? `; ${now} of ${unknown + now + estimating.length} tasks measured now` : "");
}

/**
 * @param {ParentNode} root
 * @param {Errors[]} estimating
 * @param {number} unknown
 * @param {number} now
 * @param {string[]} strangers
 */
export function showBadge(root, estimating, unknown, now, strangers) {
  const badge = find(root, ".tv-badge");
  write(badge, unknown || now ? gapText(estimating, unknown, now, strangers) : badgeText(estimating));
  restyle(badge, `tv-badge ${unknown ? "tv-none" : estimating.length ? "tv-estimate" : "tv-exact"}`);
  const line = /** @type {HTMLElement} */ (badge.parentElement);
  restyle(line, unknown ? "tv-state tv-many-lines" : "tv-state");
}
