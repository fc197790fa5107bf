// Rows of buttons are one stop of the Tab key each: inside, the arrow keys go from button to button.

import { drawn } from "./latest.js";

const ROWS = ["toolbar", "stories"];

/** The gr.HTML of the help calls this once. */
export function startToolbar() {
  addEventListener("keydown", step, true);
  addEventListener("focusin", ({ target }) => enter(target), true);
  let story = "none yet";
  drawn.follow((state) => {
    if (state.story === story) return;
    story = state.story;
    setTimeout(arrange); // after the story was marked
  });
}

/** @param {string} id @returns {HTMLButtonElement[]} the buttons of a row that are in view */
function buttonsOf(id) {
  const found = /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll(`#${id} button`));
  return [...found].filter((button) => button.offsetParent && !button.closest("[popover]"));
}

/** One button of each row can be reached by Tab: the pressed story, else the first. */
function arrange() {
  for (const id of ROWS) {
    const buttons = buttonsOf(id);
    const first = buttons.find((button) => button.ariaPressed === "true") ?? buttons[0];
    if (buttons.includes(/** @type {any} */ (document.activeElement))) continue;
    for (const button of buttons) button.tabIndex = button === first ? 0 : -1;
  }
}

/** @param {EventTarget | null} target */
function enter(target) {
  const id = ROWS.find((row) => target instanceof HTMLElement && target.closest(`#${row}`));
  if (!id) return;
  for (const button of buttonsOf(id)) button.tabIndex = button === target ? 0 : -1;
}

/** @param {KeyboardEvent} event */
function step(event) {
  const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  const { target } = event;
  const id = ROWS.find((row) => target instanceof HTMLButtonElement && target.closest(`#${row}`));
  if (!by || !id) return;
  const buttons = buttonsOf(id);
  const at = buttons.indexOf(/** @type {HTMLButtonElement} */ (target));
  if (at < 0) return;
  event.preventDefault();
  buttons[(at + by + buttons.length) % buttons.length].focus();
}
