// The recipe in the address: it survives a reload and can be sent to others. In a Space the page lies in a frame, whose
// address nobody sees: the page around it is told, and a button copies the link anywhere.

const OUTER_PAGE = "https://huggingface.co"; // what Spaces are shown in listens for messages of this form
const SAID_MS = 2000;

/**
 * An address with these pairs in place of the recipe that it holds; gradio's own keys, such as __theme, stay.
 * @param {string} address
 * @param {[string, string][]} pairs
 */
export function addressOf(address, pairs) {
  const url = new URL(address);
  for (const key of [...url.searchParams.keys()]) {
    if (!key.startsWith("__")) url.searchParams.delete(key);
  }
  for (const [key, value] of pairs) url.searchParams.set(key, value);
  return url;
}

/** @param {[string, string][]} pairs of the recipe */
export function showInAddress(pairs) {
  const url = addressOf(window.location.href, pairs);
  history.replaceState(history.state, "", url);
  if (window.parent !== window) {
    window.parent.postMessage({ queryString: url.searchParams.toString() }, OUTER_PAGE);
  }
}

/**
 * Copies a link to the recipe and says so on the button.
 * @param {string} link
 * @param {HTMLElement} button
 */
export async function copyLink(link, button) {
  const copied = await copy(link);
  if (!copied) window.prompt("Your browser lets no page copy: take the link from here.", link);
  say(button, copied ? "✓ Copied" : "Link shown");
}

/** @param {string} text */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyOldWay(text); // http:// of another machine, or a frame that may not use the clipboard
  }
}

/** @param {string} text */
function copyOldWay(text) {
  const field = Object.assign(document.createElement("textarea"), { value: text, readOnly: true });
  field.style.cssText = "position: fixed; top: 0; opacity: 0";
  const before = /** @type {HTMLElement | null} */ (document.activeElement);
  document.body.append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  before?.focus();
  return copied;
}

/** @type {WeakMap<Text, {text: string, timer: number}>} */
const speaking = new WeakMap();

/**
 * In the button's own text node, which gradio goes on using.
 * @param {HTMLElement} button
 * @param {string} sentence that stands on it for a moment
 */
export function say(button, sentence) {
  const nodes = /** @type {Text[]} */ ([...button.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE));
  const label = nodes.find(({ data }) => data.trim());
  if (!label) return;
  const text = speaking.get(label)?.text ?? label.data;
  clearTimeout(speaking.get(label)?.timer);
  button.setAttribute("aria-live", "polite");
  label.data = sentence;
  const timer = window.setTimeout(() => {
    label.data = text;
    speaking.delete(label);
  }, SAID_MS);
  speaking.set(label, { text, timer });
}
