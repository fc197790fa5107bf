// Shows one λ slider going through its range and back: the one that was touched last. Only the page's own picture follows;
// the controls keep their values, so that there is nothing to restore but the picture.

import { chart, sweeping } from "./chart.js";
import { rangeOf, shownValue } from "./sliders.js";

const SWEEP_MS = 6000;

/** The button "Sweep" calls this. A press of any key or pointer ends it, as does another tab. @returns {never[]} no output */
export function sweep() {
  sweeping.end();
  if (chart) move(chart);
  return [];
}

/** @param {import("./chart.js").Chart} shown */
function move(shown) {
  const { state } = shown;
  const slider = shown.sliders.get(`lambda-${state.axis}`);
  const row = document.getElementById(`lambda-${state.axis}`);
  if (!slider || !row?.offsetParent) return;
  const before = state.values;
  const [low, high] = rangeOf(slider, before, state.live.sliderMax);
  const start = shownValue(slider, before, state.live.sliderMax);
  const began = performance.now();
  let running = true;

  function end() {
    if (!running) return;
    running = sweeping.running = false;
    sweeping.end = () => {};
    for (const event of ["pointerdown", "keydown", "visibilitychange"]) removeEventListener(event, stop, true);
    shown.glimpse(before);
  }
  /** @param {Event} event */
  function stop(event) {
    if (event.isTrusted) end();
  }
  /** @param {number} now */
  function frame(now) {
    if (!running) return;
    const t = (now - began) / SWEEP_MS;
    if (t >= 1) return end();
    const value = along(t, start, low, high);
    shown.glimpse(before.with(slider?.at ?? 0, value).with(slider?.on ?? 0, true));
    requestAnimationFrame(frame);
  }

  sweeping.end = end;
  sweeping.running = true;
  for (const event of ["pointerdown", "keydown", "visibilitychange"]) addEventListener(event, stop, true);
  requestAnimationFrame(frame);
}

/**
 * From where the slider is to its low end, to its high end, and back.
 * @param {number} t 0…1
 * @param {number} start @param {number} low @param {number} high
 */
function along(t, start, low, high) {
  const way = t * 2 * (high - low);
  const [down, up] = [start - low, high - low];
  const value = way < down ? start - way : way < down + up ? low + way - down : high - (way - down - up);
  return Number(value.toFixed(2));
}
