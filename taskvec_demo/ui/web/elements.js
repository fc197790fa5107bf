// New elements of pictures.

/**
 * @param {string} name
 * @param {[string, string | number][] | Record<string, string | number>} attributes
 * @param {Element} parent
 * @param {string} text
 */
export function svg(name, attributes, parent, text = "") {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  const pairs = Array.isArray(attributes) ? attributes : Object.entries(attributes);
  for (const [key, value] of pairs) node.setAttribute(key, String(value));
  node.textContent = text;
  parent.append(node);
  return node;
}

/** @param {string} name @param {string} className @param {Element} parent @param {string} text */
export function html(name, className, parent, text = "") {
  const node = Object.assign(document.createElement(name), { className, textContent: text });
  parent.append(node);
  return node;
}
