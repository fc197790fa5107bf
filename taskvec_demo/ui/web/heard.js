// Clips of this machine that flipped, to be heard. They come with the exact figures, which are measured on them.

import { html } from "./elements.js";
import { exactFigures } from "./latest.js";
import { recipePairs } from "./recipe.js";

/** @typedef {{index: number, label: string, before: string, after: string}} Clip */
/**
 * Functions of ui/explore.py; `error` is a sentence.
 * @typedef {{flipped: (asked: {query: string, task: string}) => Promise<{clips?: Clip[], error?: string}>,
 *   sound: (asked: {index: number}) => Promise<{source?: string, error?: string}>}} Server
 */

const PAUSE_MS = 400; // after the last exact figures, which come batch by batch

/** @param {string} name of a class */
const words = (name) => name.replaceAll("_", " ");

export class Heard {
  /** @param {HTMLElement} place @param {Server} server */
  constructor(place, server) {
    this.place = place;
    this.server = server;
    this.query = "";
    this.task = "";
    this.timer = 0;
    this.player = new Audio();
    exactFigures.follow(() => this.wait());
  }

  /** @param {import("./chart.js").State} state @param {import("./bars.js").Task} task */
  show({ live, recipe }, task) {
    this.query = new URLSearchParams(recipePairs(live.checkpoint, recipe)).toString();
    this.task = task.name;
    this.draw([]);
    this.wait();
  }

  wait() {
    clearTimeout(this.timer);
    if (!this.task || exactFigures.value?.query !== this.query) return;
    this.timer = window.setTimeout(() => this.ask(), PAUSE_MS);
  }

  async ask() {
    const { query, task } = this;
    const { clips = [] } = await this.server.flipped({ query, task });
    if (query === this.query && task === this.task) this.draw(clips);
  }

  /** @param {Clip[]} clips */
  draw(clips) {
    this.place.hidden = !clips.length;
    this.place.replaceChildren();
    if (!clips.length) return;
    html("h4", "", this.place, "Hear clips that flipped");
    html(
      "p",
      "tv-legend",
      this.place,
      `Measured now, ${exactFigures.value?.source.replace("measured now", "").trim() || "on recordings of this machine"}: what it is, then what the model hears before → after.`,
    );
    const list = html("div", "tv-heard-clips", this.place);
    for (const { index, label, before, after } of clips) {
      const text = `▶ ${words(label)}: ${words(before)} → ${words(after)}`;
      const button = html("button", "tv-load", list, text);
      button.addEventListener("click", () => this.play(index, button));
    }
  }

  /** @param {number} index @param {HTMLElement} button */
  async play(index, button) {
    const { source, error } = await this.server.sound({ index });
    if (error) return void (button.textContent = error);
    this.player.src = source ?? "";
    await this.player.play();
  }
}
