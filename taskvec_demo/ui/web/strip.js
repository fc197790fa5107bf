// The strip of the clip. At rest it shows the exact answers of both models; while a slider moves it reads the answer of the
// edited model from a trace: the clip's probabilities at 41 λ of that slider, which it asks for when the slider is touched.

import { chart } from "./chart.js";
import { find, restyle, setTo, write } from "./dom.js";
import { percent } from "./figures.js";
import { Latest, drawn, settled } from "./latest.js";
import { Player } from "./player.js";
import { recipePairs } from "./recipe.js";
import { ANALOGY, vectorOf, wayOf } from "./sliders.js";
import { answerAt } from "./trace.js";
import { aimOf } from "./verdict.js";

const MOST_TASKS = 2; // in the summary

/** @typedef {import("./chart.js").State} State */
/** @typedef {[string, number]} Top a label and its probability */
/** @typedef {{clip: string, query: string, labels: string, before: Top, after: Top, right: string[]}} Answer exact ones of a
 * clip (its path on the server), a recipe, and the text of the labels' box; `right` are the labels that are right for the
 * clip, none where that is not known */
/** @typedef {import("./trace.js").Trace} Trace */

/** @type {Latest<{url: string, orig_name?: string, path: string}>} */
const clip = new Latest();
/** @type {Latest<Answer | null>} */
const answer = new Latest();
/** @type {Latest<Trace | null>} */
const trace = new Latest();

/** The text of the labels' box. @type {Latest<string>} */
const labels = new Latest();

/** gradio's event handlers call these four. @param {any} file @returns {never[]} no output */
export function handClip(file) {
  clip.give(file ?? { url: "", path: "" });
  return [];
}

/** @param {string} json @returns {never[]} no output */
export function handAnswer(json) {
  answer.give(json ? JSON.parse(json) : null);
  return [];
}

/** @param {string} json @returns {never[]} no output */
export function handTrace(json) {
  trace.give(json ? JSON.parse(json) : null);
  return [];
}

/** @param {string} text @returns {never[]} no output */
export function handLabels(text) {
  labels.give(text);
  return [];
}

/**
 * The gr.HTML of the strip calls this once.
 * @param {HTMLElement} element
 * @param {(row: string, serial: number) => void} touched asks for a trace; the answer has the serial number
 */
export function startStrip(element, touched) {
  const strip = new Strip(find(element, ".tv-strip"), touched);
  clip.follow((file) => strip.heard(file));
  answer.follow(() => strip.draw());
  trace.follow(() => strip.draw());
  drawn.follow((state) => strip.follow(state));
  settled.follow((state) => strip.ask(state));
  labels.follow(() => strip.relabelled());
}

class Strip {
  /** @param {HTMLElement} root @param {(row: string, serial: number) => void} touched */
  constructor(root, touched) {
    this.root = root;
    this.touched = touched;
    this.player = new Player(find(root, ".tv-play"), /** @type {HTMLCanvasElement} */ (find(root, ".tv-wave")));
    /** @type {State | null} */
    this.state = null;
    this.clips = 0; // a number for each clip, because a trace is of one
    this.asked = "";
    this.serial = 0; // of the trace that was asked for last
    stayInFlow();
    addEventListener("resize", stayInFlow); // a Space's page sizes the frame later
    this.change = find(root, ".tv-clip-button");
    this.change.addEventListener("click", ({ detail }) => {
      this.toggle();
      if (!detail) this.enter(); // by a key
    });
    addEventListener("keydown", ({ key }) => key === "Escape" && this.close(), true);
    addEventListener("pointerdown", ({ target }) => this.leave(target), true);
  }

  /** @param {{url: string, orig_name?: string, path: string}} file */
  heard({ url, orig_name: given, path }) {
    this.clips++;
    this.forget();
    const name = (given || path.split(/[/\\]/).pop() || "No clip").replace(/\.\w+$/, "").replaceAll("_", " ");
    write(find(this.root, ".tv-clip-name"), name);
    this.player.load(url);
    if (path) this.toggle(false); // who takes a clip away is about to choose another one
    if (this.state) this.follow(this.state);
  }

  /** The next trace is asked for anew, and one that is under way is dropped. */
  forget() {
    this.asked = "";
    this.serial++;
  }

  /** A trace that was asked for is of no use, and neither is the answer: the labels are others. */
  relabelled() {
    this.forget();
    this.draw();
  }

  /** @param {State} state */
  follow(state) {
    this.state = state;
    this.ask(state);
    this.draw();
  }

  /** A trace for the slider that was touched, unless it was asked for already. @param {State} state */
  ask(state) {
    if (chart?.ahead) return; // the server does not know these values yet, and they change in every frame
    const slider = chart?.sliders.get(`lambda-${state.axis}`);
    const way = slider && wayOf(slider, state);
    if (!way || !this.clips) return; // no slider yet, or one that cannot move
    const row = slider.analogy ? ANALOGY : vectorOf(slider, state);
    const ends = [way.from, way.to].map((recipe) => [...recipe].filter(([name]) => name !== row));
    const key = JSON.stringify([row, ends, this.clips]);
    if (this.asked === key) return;
    this.asked = key;
    this.touched(row, ++this.serial);
  }

  get trace() {
    return trace.value?.serial === this.serial ? trace.value : null; // an older one may be of another clip
  }

  /** Where the bars are out of view, on a phone: the control, and what the edit is about. @param {State} state */
  summarize({ tasks, recipe, live }) {
    const visible = (tasks ?? []).filter(({ bars }) => bars.visible);
    const controls = visible.filter(({ task }) => task.role === "control");
    const about = visible.filter(
      ({ task }) => task.role !== "control" && aimOf(task, recipe, live.vectorTasks) !== "hold",
    );
    const told = [...controls, ...about].map(
      ({ task, bars }) => `${task.role === "control" ? "control" : task.name} ${bars.fromTo}`, // as stories say it
    );
    const more = told.splice(MOST_TASKS).length;
    const text = told.length ? `validation: ${told.join(" · ")}${more ? ` · and ${more} more` : ""}` : "";
    write(find(this.root, ".tv-summary"), text);
  }

  draw() {
    const { state, root } = this;
    if (state) this.summarize(state);
    if (!state || (!answer.value && clip.value?.path !== "")) return; // nothing has been answered yet
    const last = answer.value?.clip === clip.value?.path ? answer.value : null; // not an answer for the clip before
    const heard = last?.labels === (labels.value ?? last?.labels) ? last : null; // nor one among the labels before
    const query = new URLSearchParams(recipePairs(state.live.checkpoint, state.recipe)).toString();
    const exact = heard?.query === query;
    const estimate = heard && !exact ? answerAt(this.trace, state.recipe) : null;
    const right = last?.right ?? [];
    show(root, "before", last?.before, right);
    show(root, "after", estimate ?? last?.after, right);
    const kind = exact ? "exact" : estimate ? "estimate" : "waiting";
    root.classList.toggle("tv-stale", kind === "waiting");
    root.classList.toggle("tv-ahead", Boolean(answer.value) && !exact); // of the answers in the tab "Your sound"
    root.classList.toggle("tv-flipped", find(root, ".tv-before").textContent !== find(root, ".tv-after").textContent);
    if (exact || clip.value?.path === "") root.removeAttribute("aria-busy");
    const badge = find(root, ".tv-badge");
    const part = estimate && this.trace?.first_seconds;
    write(badge, kind === "waiting" ? "…" : part ? `${kind} · first ${Math.round(part)} s` : kind);
    restyle(badge, `tv-badge ${kind === "exact" ? "tv-exact" : kind === "estimate" ? "tv-estimate" : "tv-none"}`);
  }

  toggle(open = this.change.getAttribute("aria-expanded") !== "true") {
    this.change.setAttribute("aria-expanded", String(open));
    document.getElementById("clip-panel")?.classList.toggle("tv-open", open);
  }

  /** The panel lies before its button, so whoever opens it by a key is taken there. */
  enter() {
    if (this.change.getAttribute("aria-expanded") !== "true") return;
    const controls = /** @type {NodeListOf<HTMLElement>} */ (
      document.querySelectorAll("#clip-panel :is(button, input)")
    );
    [...controls].find((control) => control.offsetParent)?.focus();
  }

  close() {
    const inside = document.activeElement?.closest("#clip-panel.tv-open");
    this.toggle(false);
    if (inside) this.change.focus();
  }

  /** @param {EventTarget | null} target */
  leave(target) {
    if (target instanceof Element && !target.closest("#clip-panel, #strip")) this.toggle(false);
  }
}

/** In a frame that is as high as the page, as a Space may be, there is no lower edge to stay at. */
function stayInFlow() {
  const whole = window.parent !== window && innerHeight >= document.documentElement.scrollHeight;
  document.body.classList.toggle("tv-flow", whole);
}

/** @param {HTMLElement} root @param {"before" | "after"} side @param {Top | undefined} top @param {string[]} right */
function show(root, side, top, right) {
  const [label, probability] = top ?? ["…", null];
  const place = find(root, `.tv-${side}`);
  const [share, mark] = /** @type {HTMLElement[]} */ ([...(place.parentElement?.children ?? [])].slice(-2));
  write(place, label);
  write(share, probability === null ? "" : `${percent(probability)} %`);
  const isRight = right.includes(label);
  write(mark, right.length ? (isRight ? "✓" : "✗") : "");
  setTo(mark, "title", right.length ? `${isRight ? "right" : "wrong"}: the example is “${right[0]}”` : "");
  restyle(mark, isRight ? "tv-right" : "");
}
