// Ways of the keyboard. Rows of buttons, and lists of tabs, are one stop of the Tab key each: inside, the arrow keys go from
// one to the next. The skip link leads to the first slider.

import { isCommand } from "./keys.js";
import { drawn } from "./latest.js";

const ROWS = "#toolbar, #stories, #build-head, [role=tablist]";

/** The gr.HTML of the help calls this once. */
export function startToolbar() {
  addEventListener("keydown", step, true);
  addEventListener("click", skip, true);
  addEventListener("focusin", ({ target }) => arrange(rowOf(target), target), true);
  let story = "none yet";
  drawn.follow((state) => {
    if (state.story === story) return;
    story = state.story;
    setTimeout(() => document.querySelectorAll(ROWS).forEach((row) => arrange(row))); // after the story was marked
  });
}

/** By itself the link would load the page anew, without the recipe of the address, because gradio's page has a <base>. @param {Event} event */
function skip(event) {
  if (!(event.target instanceof Element && event.target.closest(".tv-skip"))) return;
  event.preventDefault();
  const sliders = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("#controls input[type=range]"));
  const inView = [...sliders].filter((slider) => slider.offsetParent);
  inView.sort((a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top)[0]?.focus(); // what is on comes first
}

/** @param {EventTarget | null} target */
const rowOf = (target) => (target instanceof HTMLElement ? target.closest(ROWS) : null);

/** @param {Element} row @returns {HTMLButtonElement[]} the buttons of a row that are in view */
function buttonsOf(row) {
  const found = /** @type {NodeListOf<HTMLButtonElement>} */ (row.querySelectorAll("button"));
  return [...found].filter((button) => button.offsetParent && !button.closest("[popover]"));
}

/**
 * One button of a row can be reached by Tab: the one that has the focus, else the one that is chosen, else the first.
 * @param {Element | null} row
 * @param {EventTarget | null} focused
 */
function arrange(row, focused = document.activeElement) {
  const buttons = row ? buttonsOf(row) : [];
  const stop =
    buttons.find((button) => button === focused) ??
    buttons.find((button) => button.ariaPressed === "true" || button.ariaSelected === "true") ??
    buttons[0];
  for (const button of buttons) button.tabIndex = button === stop ? 0 : -1;
}

/** @param {KeyboardEvent} event */
function step(event) {
  const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  const row = rowOf(event.target);
  if (!by || !row || isCommand(event)) return;
  const buttons = buttonsOf(row);
  const at = buttons.indexOf(/** @type {HTMLButtonElement} */ (event.target));
  if (at < 0) return;
  event.preventDefault();
  const next = buttons[(at + by + buttons.length) % buttons.length];
  next.focus();
  if (next.getAttribute("role") === "tab") next.click();
}
