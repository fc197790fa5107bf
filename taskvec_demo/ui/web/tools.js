// The tools that keep and share an edit: undo, redo, the recipes tried so far, a link, files.

import { copyRecipeLink } from "./chart.js";
import { find, write } from "./dom.js";
import { percent } from "./figures.js";
import { History, keyOf } from "./history.js";
import { modelProgress, settled, wanted } from "./latest.js";
import { markLate, togglePin } from "./pin.js";
import { formulaText, recipePairs } from "./recipe.js";
import { saveText } from "./save.js";
import { listFiles } from "./saving.js";

/** @typedef {import("./chart.js").State} State */
/** @typedef {import("./history.js").Step} Step */
/**
 * Functions of ui/tools.py. `controls_of` reads a recipe, `recipe_file` writes one; `error` is a sentence.
 * @typedef {{controls_of: (asked: {text: string, added: string}) => Promise<{values?: any[], error?: string}>,
 *   recipe_file: (asked: {query: string, kind: string}) => Promise<{name: string, text: string, error?: string}>}} Server
 */

/**
 * What gradio does when told: set the chosen values, ask what is pinned, build the model.
 * @typedef {{show: () => void, pin: () => void, build: () => void}} Events
 */

const SHOWN_TASKS = 4; // accuracies beside a recipe of the list

/** @type {any[]} */
let chosen = []; // values of all controls that gradio is about to set

/** Gradio asks for them. @returns {any[]} */
export const chosenValues = () => chosen;

/**
 * The tools' gr.HTML calls this once.
 * @param {HTMLElement} element
 * @param {Events} events
 * @param {Server} server
 */
export function startTools(element, events, server) {
  new Tools(element, events, server);
}

class Tools {
  /** @param {HTMLElement} element @param {Events} events @param {Server} server */
  constructor(element, events, server) {
    this.element = element;
    this.events = events;
    this.server = server;
    this.history = new History();
    /** @type {Map<string, string>} */
    this.figures = new Map(); // of each recipe of the list
    /** @type {State | null} */
    this.state = null;
    this.moving = Promise.resolve(); // undo and redo, one after the other: the server may have to be asked
    const file = /** @type {HTMLInputElement} */ (find(element, "#recipe-file"));
    this.onClick("#undo", () => this.move(-1));
    this.onClick("#redo", () => this.move(1));
    this.onClick("#pin", () => this.pin());
    this.onClick("#copy-link", copyRecipeLink);
    this.onClick("#save-json", () => this.saveRecipe("json"));
    this.onClick("#save-yaml", () => this.saveRecipe("yaml"));
    this.onClick("#open-recipe", () => file.click());
    this.onClick("#save-model", () => this.saveModel());
    file.addEventListener("change", () => this.openRecipe(file));
    for (const panel of element.querySelectorAll(".tv-popover")) {
      panel.addEventListener("beforetoggle", (event) => {
        if (/** @type {ToggleEvent} */ (event).newState === "open") this.open();
      });
      panel.addEventListener("toggle", () => placeBelow(/** @type {HTMLElement} */ (panel), element));
    }
    addEventListener("keydown", (event) => this.shortcut(event));
    settled.follow((state) => this.settle(state));
    wanted.follow((values) => this.show(values));
    modelProgress.follow((sentence) => this.say(sentence));
  }

  /** @param {string} selector @param {() => unknown} act */
  onClick(selector, act) {
    find(this.element, selector).addEventListener("click", act);
  }

  // ---- undo and redo ------------------------------------------------------------------------------------------------
  /** @param {State} state */
  settle(state) {
    const { present } = this.history;
    if (present && keyOf(present.recipe) !== keyOf(state.recipe)) this.refuse("");
    this.state = state;
    this.history.settle(stepOf(state));
    this.mark();
    this.drawPanels();
    markLate();
  }

  /** @param {number} by −1: undo, 1: redo */
  move(by) {
    this.moving = this.moving.then(() => this.step(by));
  }

  /** @param {number} by −1: undo, 1: redo */
  async step(by) {
    const { state, history } = this;
    if (by < 0 && state?.problem && history.present) return void (await this.travel(history.present)); // not a step
    if (state && !state.problem) history.settle(stepOf(state)); // what has changed since it rested counts as a step
    const step = history.move(by);
    this.mark();
    if (!step || (await this.travel(step))) return;
    if (history.present === step) history.move(-by); // else the controls have come to rest elsewhere by now
    this.mark();
  }

  /** Ctrl+Z and Ctrl+Shift+Z, but not where they undo what was typed. @param {KeyboardEvent} event */
  shortcut(event) {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || isText(event.target)) return;
    const key = event.key.toLowerCase();
    if (key !== "z" && key !== "y") return;
    event.preventDefault();
    this.move(key === "y" || event.shiftKey ? 1 : -1);
  }

  mark() {
    for (const [selector, by] of /** @type {const} */ ([
      ["#undo", -1],
      ["#redo", 1],
    ])) {
      find(this.element, selector).setAttribute("aria-disabled", String(!this.history.canMove(by)));
    }
  }

  /** @param {Step} step @returns {Promise<boolean>} whether the controls were set to it */
  async travel({ values, vectors, recipe }) {
    const { state } = this;
    if (!state) return false;
    this.refuse("");
    if (vectors.join() === state.vectors.join()) {
      this.show(values);
      return true;
    }
    // A vector was added or removed since: the server knows which rows the recipe needs now
    const { checkpoint } = state.live;
    const text = JSON.stringify({ format: 1, checkpoint, coefficients: Object.fromEntries(recipe) });
    const error = await this.showText(text);
    if (error) this.refuse(`The sliders stay as they are. ${error}`);
    return !error;
  }

  /** Says above the page why it did not go to a recipe; "" takes the sentence away. @param {string} sentence */
  refuse(sentence) {
    const place = find(this.element, ".tv-refused");
    place.togglePopover(Boolean(sentence));
    place.textContent = sentence;
  }

  /** @param {any[]} values */
  show(values) {
    chosen = values;
    this.events.show();
  }

  pin() {
    const { state } = this;
    if (!state) return;
    find(this.element, "#pin").setAttribute("aria-pressed", String(togglePin(state)));
    this.events.pin();
  }

  /** A panel is about to open. */
  open() {
    this.drawPanels();
    if (this.state) listFiles(find(this.element, ".tv-files"), this.state);
  }

  // ---- the list of recipes ------------------------------------------------------------------------------------------
  drawPanels() {
    const { state } = this;
    if (!state) return;
    this.figures.set(keyOf(state.recipe), figuresOf(state));
    write(find(this.element, ".tv-exported"), formulaText(state.recipe, state.vectors));
    const list = find(this.element, ".tv-tried");
    const focused = list.contains(document.activeElement);
    const here = this.history.present && keyOf(this.history.present.recipe);
    const rows = [...this.history.tried].reverse().map(([key, step]) => {
      const button = Object.assign(document.createElement("button"), { type: "button" });
      const name = state.live.presets.find(({ query }) => query === queryOf(state, step.recipe))?.title ?? "";
      for (const [tag, text] of [
        ["b", name],
        ["span", formulaText(step.recipe, step.vectors)],
        ["small", this.figures.get(key) ?? ""],
      ]) {
        if (text) button.append(Object.assign(document.createElement(tag), { textContent: text }));
      }
      if (key === here) button.setAttribute("aria-current", "true");
      button.addEventListener("click", () => this.travel(step));
      const row = document.createElement("li");
      row.append(button);
      return row;
    });
    list.replaceChildren(...rows);
    if (focused) /** @type {HTMLElement | null} */ (list.querySelector("[aria-current]"))?.focus();
  }

  // ---- files --------------------------------------------------------------------------------------------------------
  /** @param {string} text in the panel of files */
  say(text) {
    find(this.element, ".tv-said").textContent = text;
  }

  /** @param {"json" | "yaml"} kind */
  async saveRecipe(kind) {
    const { state } = this;
    if (!state) return;
    const unanswered = { name: "", text: "", error: "The server did not answer." };
    const asked = this.server.recipe_file({ query: queryOf(state, state.recipe), kind });
    const { name, text, error } = await asked.catch(() => unanswered);
    if (!error) saveText(name, text);
    this.say(error ?? `${name} is saved.`);
  }

  /** @param {HTMLInputElement} input */
  async openRecipe(input) {
    const file = input.files?.[0];
    input.value = ""; // the same file may be opened again
    if (!file) return;
    const error = await this.showText(await file.text());
    this.say(error || `${file.name} is on the sliders.`);
  }

  /** Sets the controls to the recipe of a text. @param {string} text @returns {Promise<string>} why not, or "" */
  async showText(text) {
    const { state } = this;
    const added = state?.vectors.slice(state.live.vectors.length).join() ?? "";
    const unanswered = { values: undefined, error: "The server did not answer." };
    const { values, error = "" } = await this.server.controls_of({ text, added }).catch(() => unanswered);
    if (values) this.show(values);
    return error;
  }

  saveModel() {
    this.say("The edited model is being built …");
    this.events.build();
  }
}

/** @param {State} state @returns {Step} */
const stepOf = ({ recipe, values, vectors }) => ({ recipe, values, vectors });

/** @param {State} state @param {import("./recipe.js").Recipe} recipe */
const queryOf = ({ live }, recipe) => new URLSearchParams(recipePairs(live.checkpoint, recipe)).toString();

/** Accuracies of the control and of the tasks that the recipe is about, as the bars have them. @param {State} state */
function figuresOf({ tasks, recipe }) {
  return (tasks ?? [])
    .filter(({ task, surface }) => surface?.contains(recipe) && (task.role === "control" || recipe.has(task.name)))
    .slice(0, SHOWN_TASKS)
    .map(({ task, surface }) => `${task.title} ${percent(surface?.accuracy(surface.predict(recipe).predicted) ?? 0)} %`)
    .join(" · ");
}

/** @param {EventTarget | null} target */
function isText(target) {
  if (target instanceof HTMLInputElement) {
    return !["range", "checkbox", "radio", "button", "file"].includes(target.type);
  }
  return target instanceof HTMLElement && (target.isContentEditable || target instanceof HTMLTextAreaElement);
}

/** Puts an open panel under its button, as far as the window allows. @param {HTMLElement} panel @param {HTMLElement} element */
function placeBelow(panel, element) {
  const button = find(element, `[popovertarget="${panel.id}"]`).getBoundingClientRect();
  const left = Math.max(8, Math.min(button.left, innerWidth - panel.offsetWidth - 8));
  panel.style.left = `${left}px`;
  panel.style.top = `${Math.max(8, Math.min(button.bottom + 6, innerHeight - panel.offsetHeight - 8))}px`;
}
