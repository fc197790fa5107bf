// Moves one λ slider from 0 to its end and back to where it was: the last one that was touched, else the first in view.

const SWEEP_MS = 4000;

/** @type {HTMLInputElement | null} */
let touched = null;

addEventListener(
  "input",
  ({ isTrusted, target }) => {
    if (isTrusted && target instanceof HTMLInputElement && target.type === "range") touched = target;
  },
  true,
);

/** The button "Sweep" calls this. A press of any key or pointer hands the slider back. @returns {never[]} no output */
export function sweep() {
  const all = /** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll("#controls input[type=range]"));
  const sliders = [...all].filter((slider) => slider.offsetParent);
  const slider = touched && sliders.includes(touched) ? touched : sliders[0];
  if (slider) move(slider);
  return [];
}

/** @param {HTMLInputElement} slider */
function move(slider) {
  const [start, low, high] = [slider.value, slider.min, slider.max].map(Number);
  let stopped = false;
  /** @param {Event} event */
  const stop = (event) => {
    if (event.isTrusted) stopped = true;
  };
  addEventListener("pointerdown", stop);
  addEventListener("keydown", stop);
  const began = performance.now();
  /** @param {number} now */
  const frame = (now) => {
    const t = Math.min((now - began) / SWEEP_MS, 1);
    if (!stopped) {
      const value = t < 1 ? low + (high - low) * (1 - Math.abs(1 - 2 * t)) : start;
      slider.value = value.toFixed(2);
      slider.dispatchEvent(new Event("input", { bubbles: true }));
    }
    if (t < 1 && !stopped) return requestAnimationFrame(frame);
    removeEventListener("pointerdown", stop);
    removeEventListener("keydown", stop);
  };
  requestAnimationFrame(frame);
}
