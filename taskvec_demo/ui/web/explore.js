// The tab "Explore": panels that follow the recipe, each only while it is in view.

import { Changed } from "./changed.js";
import { drawn } from "./latest.js";
import { LambdaMap } from "./map.js";
import { Verdicts } from "./verdicts.js";

/** @typedef {import("./chart.js").State} State */
/** @typedef {import("./heard.js").Server} Server */
/**
 * `move` is called in each frame that the chart draws and must be quick; `rest` when the recipe has been the same for a
 * moment.
 * @typedef {{place: HTMLElement, move?: (state: State) => void, rest: (state: State) => void}} Panel
 */

const REST_MS = 120;
/** @type {[string, new (place: HTMLElement, server: Server) => Panel][]} */
const PANELS = [
  ["#explore-map", LambdaMap],
  ["#explore-changed", Changed],
  ["#explore-verdicts", Verdicts],
];

/** The gr.HTML of the tab calls this when the tab opens. @param {HTMLElement} element @param {Server} server */
export function startExplore(element, server) {
  for (const [selector, Kind] of PANELS) {
    const place = /** @type {HTMLElement | null} */ (element.querySelector(selector));
    if (place) follow(new Kind(place, server)); // a checkpoint with one vector has no map
  }
}

/** @param {Panel} panel */
function follow(panel) {
  let visible = false;
  let timer = 0;
  /** @type {State | null} */
  let state = null;
  const rest = () => {
    if (visible && state) panel.rest(state);
  };
  drawn.follow((now) => {
    state = now;
    if (!visible) return;
    panel.move?.(now);
    clearTimeout(timer);
    timer = window.setTimeout(rest, REST_MS);
  });
  new IntersectionObserver((entries) => {
    visible = entries.at(-1)?.isIntersecting ?? false;
    if (!visible || !state) return;
    panel.move?.(state);
    rest();
  }).observe(panel.place);
}
