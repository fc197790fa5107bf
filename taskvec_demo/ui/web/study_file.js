// Fetches the figures of a study, as they lie in its artifacts.

import { message } from "./dom.js";

/**
 * Hands over the figures in the file that `place` names. If they do not arrive, `place` says so.
 * @param {HTMLElement} place
 * @param {(contents: any) => void} use
 */
export async function withStudy(place, use) {
  const { root, api_prefix: prefix } = window.gradio_config;
  const file = (place.dataset.file ?? "").split("/").map(encodeURIComponent).join("/");
  try {
    const answer = await fetch(`${root}${prefix}/file=${file}?v=${place.dataset.version}`);
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    use(await answer.json());
  } catch (error) {
    const reason = error instanceof Error ? error.message : error;
    message(place, `The figures did not arrive (${reason}): load the page again.`);
  }
}
