// Plays the clip, and draws its waveform.

const COLUMN = 3; // px of the waveform's bars, with the gap

export class Player {
  /** @param {HTMLElement} button @param {HTMLCanvasElement} canvas */
  constructor(button, canvas) {
    this.button = button;
    this.canvas = canvas;
    this.audio = new Audio();
    this.url = "";
    /** @type {Float32Array | null} */
    this.samples = null;
    button.addEventListener("click", () => this.toggle());
    for (const event of ["play", "pause", "ended"]) this.audio.addEventListener(event, () => this.show());
    this.audio.addEventListener("timeupdate", () => this.draw());
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  /** @param {string} url */
  async load(url) {
    this.url = url;
    this.audio.pause();
    this.samples = null;
    this.draw();
    /** @type {HTMLButtonElement} */ (this.button).disabled = !url;
    if (!url) return this.audio.removeAttribute("src");
    this.audio.src = url;
    try {
      const bytes = await (await fetch(url)).arrayBuffer();
      const sound = await new OfflineAudioContext(1, 1, 16_000).decodeAudioData(bytes);
      if (this.url === url) this.samples = sound.getChannelData(0);
    } catch {
      return; // a sound that this browser cannot decode has no picture
    }
    this.draw();
  }

  toggle() {
    if (this.audio.paused) this.audio.play().catch(() => this.show());
    else this.audio.pause();
  }

  show() {
    const { paused } = this.audio;
    this.button.textContent = paused ? "▶" : "❚❚";
    this.button.setAttribute("aria-label", paused ? "Play the clip" : "Pause the clip");
    this.draw();
  }

  draw() {
    const { canvas, samples } = this;
    const { clientWidth: width, clientHeight: height } = canvas;
    const density = window.devicePixelRatio || 1;
    canvas.width = width * density;
    canvas.height = height * density;
    const context = canvas.getContext("2d");
    if (!context || !samples || !width) return;
    context.scale(density, density);
    const style = getComputedStyle(canvas);
    const played = this.audio.duration ? this.audio.currentTime / this.audio.duration : 0;
    const columns = Math.floor(width / COLUMN);
    const peaks = peaksOf(samples, columns);
    const highest = Math.max(...peaks, 1e-6);
    peaks.forEach((peak, i) => {
      const half = Math.max((peak / highest) * (height / 2 - 1), 0.75);
      context.fillStyle = style.getPropertyValue(i / columns < played ? "--tv-ed" : "--tv-pre");
      context.fillRect(i * COLUMN, height / 2 - half, COLUMN - 1, 2 * half);
    });
  }
}

/** The largest amplitude in each of `columns` parts. @param {Float32Array} samples @param {number} columns */
function peaksOf(samples, columns) {
  return Array.from({ length: columns }, (_, i) => {
    const part = samples.subarray(
      Math.floor((i * samples.length) / columns),
      Math.floor(((i + 1) * samples.length) / columns),
    );
    return part.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  });
}
