// The sliders while they are moved. The chart is told of every step at once. Gradio is told of a slider's first step at
// once, and of the others when the slider pauses, because each costs 6 ms. Until then this shows what gradio would show.

const NATIVE_MS = 100; // gradio hands values over later than the slider's own event: so long the slider itself is right
const PASS_MS = 120; // a pause
const SLIDERS = "[id^=lambda-]";

/** @typedef {import("./sliders.js").Slider} Slider */

export class Drag {
  /**
   * @param {Map<string, Slider>} sliders id of each slider's block -> what it is
   * @param {{moved: (slider: Slider, value: number, byHand: boolean) => void, released: () => void}} chart
   */
  constructor(sliders, chart) {
    this.sliders = sliders;
    this.chart = chart;
    /** @type {HTMLInputElement | null} */
    this.held = null; // the slider under a pressed pointer
    /** @type {{slider: HTMLInputElement | null, at: number}} */
    this.lastStep = { slider: null, at: 0 };
    /** @type {{slider: HTMLInputElement, timer: number} | null} */
    this.late = null; // the slider that gradio has not been told the value of yet
    this.passing = false;
    addEventListener("input", (event) => this.step(event), true);
    addEventListener("input", keepFromEmptying, true);
    addEventListener("focusout", refill, true);
    addEventListener("change", () => this.passOn(), true);
    addEventListener("keydown", leaveOnEnter, true);
    addEventListener("pointerdown", ({ target, button }) => (this.held = button ? null : sliderOf(target)), true);
    for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => this.release(), true);
  }

  /** @param {Event} event */
  step(event) {
    const slider = sliderOf(event.target);
    const known = slider ? this.sliders.get(blockOf(slider).id) : undefined;
    if (!slider || !known || this.passing) return;
    const now = performance.now();
    if (slider !== this.lastStep.slider) this.passOn();
    else if (now - this.lastStep.at < PASS_MS) this.holdBack(event, slider);
    this.lastStep = { slider, at: now };
    this.chart.moved(known, Number(slider.value), event.isTrusted);
  }

  /** @param {Event} event @param {HTMLInputElement} slider */
  holdBack(event, slider) {
    event.stopPropagation();
    const box = /** @type {HTMLInputElement} */ (blockOf(slider).querySelector("input[type=number]"));
    box.value = slider.value;
    clearTimeout(this.late?.timer);
    this.late = { slider, timer: window.setTimeout(() => this.passOn(), PASS_MS) };
  }

  /** Tell gradio what was held back. */
  passOn() {
    if (!this.late) return;
    clearTimeout(this.late.timer);
    const { slider } = this.late;
    this.late = null;
    this.passing = true;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    this.passing = false;
  }

  release() {
    this.passOn();
    this.held = null;
    this.chart.released();
  }

  /** The values that gradio hands over, with that of a slider under way as the slider has it. @param {any[]} values */
  corrected(values) {
    const slider = this.held ?? (performance.now() - this.lastStep.at < NATIVE_MS ? this.lastStep.slider : null);
    const known = slider?.isConnected ? this.sliders.get(blockOf(slider).id) : undefined;
    return known ? values.with(known.at, Number(slider?.value)) : values;
  }

  /** Another part of the page moves a slider as a pointer would, until `release`. @param {string} name @param {number} value */
  grip(name, value) {
    const slider = /** @type {HTMLInputElement | null} */ (
      document.querySelector(`#lambda-${CSS.escape(name)} input[type=range]`)
    );
    if (!slider) return;
    this.held = slider;
    slider.value = value.toFixed(2);
    slider.dispatchEvent(new Event("input", { bubbles: true }));
  }
}

/** @param {EventTarget | null} target @returns {HTMLInputElement | null} */
function sliderOf(target) {
  return target instanceof HTMLInputElement && target.type === "range" && target.closest(SLIDERS) ? target : null;
}

/** @param {HTMLInputElement} slider @returns {HTMLElement} */
const blockOf = (slider) => /** @type {HTMLElement} */ (slider.closest(SLIDERS));

// ---- the number boxes -----------------------------------------------------------------------------------------------
/** @param {EventTarget | null} target @returns {HTMLInputElement | null} */
function boxOf(target) {
  return target instanceof HTMLInputElement && target.type === "number" && target.closest(SLIDERS) ? target : null;
}

/** An empty box on the way to another number is no λ: gradio hears of it when there is a number. @param {Event} event */
function keepFromEmptying(event) {
  if (boxOf(event.target)?.value === "") event.stopPropagation();
}

/** A number beyond the slider's present range is cut to it. @param {HTMLInputElement} box */
function cut(box) {
  const value = Math.min(Math.max(Number(box.value), Number(box.min)), Number(box.max));
  if (value === Number(box.value)) return;
  box.value = String(value);
  box.dispatchEvent(new Event("input", { bubbles: true }));
}

/** A box that is left empty shows the value of its slider again. @param {{target: EventTarget | null}} event */
function refill({ target }) {
  const box = boxOf(target);
  if (box?.value) cut(box);
  if (box?.value !== "") return;
  const slider = /** @type {HTMLInputElement} */ (blockOf(box).querySelector("input[type=range]"));
  box.value = slider.value;
}

/** Gradio cuts a number to the slider's range when its box is left. @param {KeyboardEvent} event */
function leaveOnEnter({ key, target }) {
  const box = boxOf(target);
  if (key !== "Enter" || !box) return;
  refill({ target });
  box.dispatchEvent(new Event("blur"));
}
