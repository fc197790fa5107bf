// The labelled clips that sound most like the visitor's clip to the encoder at the dial. At rest the server has built
// this very encoder; while the dial turns, cosines are interpolated between points that it has answered for.

import { cosinesAt, largest } from "./dial_figures.js";
import { find, message, restyle, write } from "./dom.js";
import { html } from "./elements.js";
import { numberText } from "./figures.js";
import { Latest } from "./latest.js";

/** @typedef {import("./dial_figures.js").Point} Point */
/**
 * `serial`: of the visitor's clip; `clips`: index in the server's list, class and task; `cosines`: one for each clip.
 * @typedef {{serial: number, point: Point, clips: [number, string, string][], cosines: number[], error?: string}} Told
 * @typedef {{sound: (asked: {index: number}) => Promise<{source?: string, error?: string}>}} Server
 */

const SHOWN = 6;
/** @type {Point[]} */
const WAY = [
  [0, 1],
  [0.25, 0.75],
  [0.5, 0.5],
  [0.75, 0.25],
  [1, 0],
];

/** @type {Latest<Told>} */
const likeness = new Latest();
/** @type {Latest<number>} */
const otherClip = new Latest();

/** gradio's event handlers call these two. @param {string} json @returns {never[]} no output */
export function handLikeness(json) {
  if (json) likeness.give(JSON.parse(json));
  return [];
}

/** @returns {never[]} no output */
export function tellOtherClip() {
  otherClip.give((otherClip.value ?? 0) + 1);
  return [];
}

export class Neighbours {
  /** @param {HTMLElement} place @param {Server} server @param {(point: Point, serial: number) => void} asked */
  constructor(place, server, asked) {
    this.place = place;
    this.server = server;
    this.asked = asked;
    this.list = find(place, ".tv-near");
    this.badge = find(place, ".tv-badge");
    this.player = new Audio();
    /** @type {[Point, number[]][]} */
    this.known = []; // of this clip
    /** @type {Told["clips"]} */
    this.clips = [];
    /** @type {Point | null} */
    this.at = null;
    this.free = false;
    this.serial = 0; // of the clip, because an answer may be of the clip before
    /** @type {Point | null} */
    this.waiting = null; // for the answer at this point
    this.visible = false;
    otherClip.follow(() => this.forget());
    likeness.follow((told) => this.hear(told));
    new IntersectionObserver((entries) => {
      this.visible = entries.at(-1)?.isIntersecting ?? false;
      if (this.visible && this.at) this.rest(this.at, this.free);
    }).observe(place);
  }

  /** Another clip: nothing is known of it. */
  forget() {
    this.known = [];
    this.waiting = null;
    this.serial++;
    this.list.setAttribute("aria-busy", "true");
    if (this.at) this.rest(this.at, this.free);
  }

  /** The dial turns. @param {Point} at @param {boolean} free */
  move(at, free) {
    this.at = at;
    this.free = free;
    const cosines = free ? null : cosinesAt(this.known.filter(onTheDial), at[0]);
    if (cosines) this.draw(cosines);
    this.mark(cosines ? "estimate" : "…");
  }

  /** The dial rests. @param {Point} at @param {boolean} free */
  rest(at, free) {
    this.at = at;
    this.free = free;
    if (!this.visible) return;
    if (this.exact()) return this.showExact();
    this.move(at, free);
    if (!this.waiting || !same(this.waiting, at)) this.ask(at);
  }

  /** @param {Point} point */
  ask(point) {
    this.waiting = point;
    this.asked(point, this.serial);
  }

  /** @returns {number[] | null} the server's own answer at the dial */
  exact() {
    return this.known.find(([point]) => this.at && same(point, this.at))?.[1] ?? null;
  }

  /** After the answer at the dial come those along it, one by one. @param {Told} told */
  hear({ serial, point, clips, cosines, error }) {
    if (serial !== this.serial) return;
    message(this.place, error ?? "");
    if (error) {
      this.waiting = null;
      this.list.replaceChildren();
      this.list.setAttribute("aria-busy", "false");
      return this.mark("");
    }
    this.clips = clips;
    if (!this.knows(point)) this.known.push([point, cosines]);
    if (this.at && same(point, this.at)) this.showExact();
    if (this.waiting && !same(point, this.waiting)) return; // a newer question is under way
    this.waiting = null;
    const next = [this.at ?? point, ...WAY].find((one) => !this.knows(one));
    if (next) this.ask(next);
  }

  /** @param {Point} point */
  knows(point) {
    return this.known.some(([known]) => same(known, point));
  }

  showExact() {
    this.draw(this.exact() ?? []);
    this.mark("exact");
    this.list.setAttribute("aria-busy", "false");
  }

  /** @param {string} kind "exact", "estimate", "…" or "" */
  mark(kind) {
    write(this.badge, kind);
    restyle(this.badge, `tv-badge ${kind === "exact" ? "tv-exact" : kind === "estimate" ? "tv-estimate" : "tv-none"}`);
    this.list.classList.toggle("tv-stale", kind === "…");
  }

  /** @param {number[]} cosines one for each clip */
  draw(cosines) {
    const near = largest(cosines, SHOWN);
    while (this.list.children.length > near.length) this.list.lastElementChild?.remove();
    while (this.list.children.length < near.length) this.addRow();
    near.forEach((i, rank) => {
      const row = /** @type {HTMLElement} */ (this.list.children[rank]);
      const [index, label, task] = this.clips[i];
      if (row.dataset.index !== String(index)) {
        row.dataset.index = String(index);
        write(find(row, "b"), label);
        write(find(row, "small"), task);
        find(row, "button").setAttribute("aria-label", `Play ${label}, number ${rank + 1}`);
      }
      find(row, ".tv-ed").style.width = `${Math.max(100 * cosines[i], 0).toFixed(1)}%`;
      write(find(row, ".tv-num"), numberText(cosines[i], 2));
    });
  }

  addRow() {
    const row = html("li", "tv-near-row", this.list);
    const button = html("button", "tv-load", row, "▶");
    button.addEventListener("click", () => this.play(row, button));
    const name = html("span", "", row);
    html("b", "", name);
    name.append(" ");
    html("small", "", name);
    html("i", "tv-ed", html("div", "tv-track", row));
    html("span", "tv-num", row);
  }

  /** @param {HTMLElement} row @param {HTMLElement} button */
  async play(row, button) {
    const { source, error } = await this.server.sound({ index: Number(row.dataset.index) });
    if (error) return void (button.title = error);
    this.player.src = source ?? "";
    await this.player.play();
  }
}

/** @param {Point} a @param {Point} b */
const same = (a, b) => Math.abs(a[0] - b[0]) < 1e-6 && Math.abs(a[1] - b[1]) < 1e-6;

/** @param {[Point, number[]]} answer */
const onTheDial = ([[speech, music]]) => Math.abs(speech + music - 1) < 1e-6;
