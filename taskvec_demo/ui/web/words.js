// The explanations of words: each stands beside its word while that is pointed at, tapped or focused. It is in front of all
// else and within the window, wherever its word is: a popover of its own, which no part of the page cuts off.

const WORD = ".tv-word";
const GAP = 6; // px between a word and its explanation
const EDGE = 8; // px from the edges of the window

/** The word whose explanation is in view. @type {HTMLElement | null} */
let explained = null;

/** The gr.HTML of the help calls this once. */
export function startWords() {
  for (const event of ["mouseover", "focusin", "click"]) addEventListener(event, follow, true);
  for (const event of ["pointerdown", "focusout"]) addEventListener(event, leave, true);
  for (const event of ["scroll", "resize"]) addEventListener(event, place, true);
  addEventListener("keydown", ({ key }) => key === "Escape" && explain(null), true);
}

/** @param {EventTarget | null} target */
const wordOf = (target) => (target instanceof Element ? /** @type {HTMLElement?} */ (target.closest(WORD)) : null);

/** A word with the focus keeps its explanation while the pointer is elsewhere. @param {Event} event */
function follow({ type, target }) {
  const word = wordOf(target) ?? (type === "mouseover" ? wordOf(document.activeElement) : null);
  if (word !== explained) explain(word);
}

/** @param {Event} event */
function leave({ type, target }) {
  if (type === "focusout" || !wordOf(target)) explain(null);
}

/** @param {HTMLElement | null} word */
function explain(word) {
  if (explained) tipOf(explained)?.hidePopover();
  explained = word;
  if (!word) return;
  tipOf(word)?.showPopover();
  place();
}

/** Below the word, or above it where there is no room below. */
function place() {
  const tip = explained && tipOf(explained);
  if (!explained || !tip) return;
  const [at, size] = [explained.getBoundingClientRect(), tip.getBoundingClientRect()];
  const left = Math.min(at.left + (at.width - size.width) / 2, innerWidth - size.width - EDGE);
  const below = at.bottom + GAP;
  const top = below + size.height <= innerHeight - EDGE ? below : at.top - GAP - size.height;
  tip.style.left = `${Math.max(left, EDGE)}px`;
  tip.style.top = `${Math.max(top, EDGE)}px`;
}

/** @param {HTMLElement} word */
const tipOf = (word) => /** @type {HTMLElement?} */ (word.querySelector(".tv-tip"));
