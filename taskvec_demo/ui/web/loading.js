// Fetches the logit surfaces of all tasks, as they lie in the artifacts.

import { TaskBars } from "./bars.js";
import { LogitSurface } from "./surface.js";

/** @typedef {import("./bars.js").Task} Task */
/** @typedef {import("./chart.js").Live} Live */
/** @typedef {{task: Task, surface: LogitSurface | null, bars: TaskBars}} LoadedTask */

/**
 * @param {Live} live
 * @param {ParentNode} root where the bars are
 * @returns {Promise<LoadedTask[]>} rejects when a surface does not arrive
 */
export function loadTasks(live, root) {
  return Promise.all(
    live.tasks.map(async (entry) => {
      const task = { ...entry, controlKept: live.controlKept };
      const surface = task.file ? await loadSurface(task.file, task.version, live) : null;
      return { task, surface, bars: new TaskBars(root, task, surface, live.vectorTasks) };
    }),
  );
}

/** @param {string} path @param {string} version @param {Live} live */
async function loadSurface(path, version, { low, high }) {
  const { root, api_prefix: prefix } = window.gradio_config;
  const file = path.split("/").map(encodeURIComponent).join("/");
  const answer = await fetch(`${root}${prefix}/file=${file}?v=${version}`);
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  return new LogitSurface(await answer.arrayBuffer(), low, high);
}
