// Changes to elements that are there already. A value that stays the same is not written again, and a text keeps its
// node, because the browser computes the layout again around everything that is written.

/** @param {HTMLElement} part @param {boolean} hidden */
export function hide(part, hidden) {
  if (part.hidden !== hidden) part.hidden = hidden;
}

/** @param {Element} element @param {string} text */
export function write(element, text) {
  const node = /** @type {Text | null} */ (element.firstChild);
  if (!node) element.textContent = text;
  else if (node.data !== text) node.data = text;
}

/** @param {HTMLElement} element @param {string} className */
export function restyle(element, className) {
  if (element.className !== className) element.className = className;
}

/** @param {Element} element @param {string} name @param {string} value */
export function setTo(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/**
 * The element with this selector, which must be there.
 * @param {ParentNode} parent
 * @param {string} selector
 * @returns {HTMLElement}
 */
export function find(parent, selector) {
  const element = parent.querySelector(selector);
  if (!element) throw new Error(`the page has no ${selector}`);
  return /** @type {HTMLElement} */ (element);
}

/**
 * Writes a sentence into the place that `parent` has for one. An empty sentence hides the place.
 * @param {ParentNode} parent
 * @param {string} text
 */
export function message(parent, text) {
  const place = find(parent, ".tv-message");
  hide(place, !text);
  write(place, text);
}
