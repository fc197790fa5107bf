// Sweeps the last touched visible λ slider (else the first) from 0 to its end and back to where it was.
// A press of any key or pointer hands the slider back.
() => {
  const SWEEP_MS = 4000;
  const sliders = [...document.querySelectorAll("#controls input[type=range]")].filter((s) => s.offsetParent);
  const slider = sliders.includes(window.tvLastSlider) ? window.tvLastSlider : sliders[0];
  if (!slider) return [];
  const start = Number(slider.value);
  const [low, high] = [Number(slider.min), Number(slider.max)];
  let stopped = false;
  const stop = (event) => { if (event.isTrusted) stopped = true; };
  addEventListener("pointerdown", stop);
  addEventListener("keydown", stop);
  const set = (value) => {
    slider.value = value.toFixed(2);
    slider.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const began = performance.now();
  const frame = (now) => {
    const t = Math.min((now - began) / SWEEP_MS, 1);
    if (!stopped) set(t < 1 ? low + (high - low) * (1 - Math.abs(1 - 2 * t)) : start);
    if (t < 1 && !stopped) return requestAnimationFrame(frame);
    removeEventListener("pointerdown", stop);
    removeEventListener("keydown", stop);
  };
  requestAnimationFrame(frame);
  return [];
}
