// The explanation of "interval" goes on with the interval and the number of clips of every bar in view. They are written
// when it opens, so that a slider on its way has nothing to do with them.

import { find } from "./dom.js";
import { html } from "./elements.js";

/** @param {ParentNode} root @param {import("./loading.js").LoadedTask[]} tasks */
export function listIntervals(root, tasks) {
  const place = find(root, ".tv-intervals");
  place.parentElement?.addEventListener("beforetoggle", () => {
    place.replaceChildren();
    for (const { bars } of tasks) if (bars.visible) html("span", "", place, bars.told);
  });
}
