// Figures of the page as files that stand alone: SVG with its styles, its meaning and its legend inside, or PNG.

const NAMESPACE = "http://www.w3.org/2000/svg";
const SHARPNESS = 2; // pixels of a PNG for each of the figure's own
const FONT = "system-ui, sans-serif";
const STYLES = [
  "fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray", "stroke-linecap", "paint-order",
  "opacity", "font-size", "font-weight", "text-anchor", "visibility", "display",
]; // prettier-ignore
const [LINE, MARGIN, SWATCH] = [18, 12, 16]; // pixels of title and legend

/**
 * What a file says of itself; `edit`: formula and checkpoint, `kind`: whether its figures are measured or an estimate,
 * `legend`: colour and text of each entry.
 * @typedef {{title: string, kind?: string, edit: string, description: string, legend: [string, string][]}} About
 */

/**
 * @param {SVGSVGElement} picture on the page
 * @param {About} about
 * @returns {string} the text of an SVG file
 */
export function standalone(picture, about) {
  const [width, height] = sizeOf(picture);
  const above = 2 * LINE + MARGIN;
  const below = about.legend.length ? LINE * about.legend.length + MARGIN : 0;
  const file = document.createElementNS(NAMESPACE, "svg");
  const size = {
    viewBox: `0 0 ${width} ${above + height + below}`,
    width,
    height: above + height + below,
    "font-family": FONT,
  };
  for (const [key, value] of Object.entries(size)) file.setAttribute(key, String(value));
  add(file, "title", {}, about.title);
  add(file, "desc", {}, about.description);
  const { color, backgroundColor } = groundOf(picture);
  add(file, "rect", { width: "100%", height: "100%", fill: backgroundColor });
  add(
    file,
    "text",
    { x: MARGIN, y: LINE, "font-size": 13, "font-weight": 650, fill: color },
    about.kind ? `${about.title} · ${about.kind}` : about.title,
  );
  add(file, "text", { x: MARGIN, y: 2 * LINE, "font-size": 11.5, fill: color, opacity: 0.75 }, about.edit);
  const copy = /** @type {SVGSVGElement} */ (picture.cloneNode(true));
  inline(picture, copy);
  for (const key of ["role", "aria-label"]) copy.removeAttribute(key);
  copy.setAttribute("y", String(above));
  copy.setAttribute("width", String(width));
  copy.setAttribute("height", String(height));
  file.append(copy);
  about.legend.forEach(([swatch, text], i) => {
    const y = above + height + LINE * (i + 0.5);
    add(file, "rect", { x: MARGIN, y: y - 2, width: SWATCH, height: 4, fill: swatch });
    add(file, "text", { x: MARGIN + SWATCH + 6, y: y + 4, "font-size": 12, fill: color }, text);
  });
  return new XMLSerializer().serializeToString(file);
}

/**
 * @param {string} file the text of an SVG file
 * @returns {Promise<Blob>} the same as PNG
 */
export async function asPng(file) {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(file)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = SHARPNESS * image.naturalWidth;
  canvas.height = SHARPNESS * image.naturalHeight;
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) =>
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("the browser made no picture")))),
  );
}

/** @param {SVGSVGElement} picture @returns {[number, number]} in its own units */
function sizeOf(picture) {
  const box = picture.viewBox.baseVal;
  if (box?.width) return [box.width, box.height];
  return [picture.width.baseVal.value, picture.height.baseVal.value];
}

/** Colours of the text and of what lies behind the figure. @param {Element} picture */
function groundOf(picture) {
  const { color } = getComputedStyle(picture);
  for (let element = picture.parentElement; element; element = element.parentElement) {
    const { backgroundColor } = getComputedStyle(element);
    if (!/^(transparent|rgba\(.*, 0\))$/.test(backgroundColor)) return { color, backgroundColor };
  }
  return { color, backgroundColor: "white" };
}

/** Writes the styles that the page gives an element, and those within it, into its copy. @param {Element} from @param {Element} to */
function inline(from, to) {
  const style = getComputedStyle(from);
  for (const name of STYLES) {
    const value = style.getPropertyValue(name);
    if (value && from.tagName !== "svg") to.setAttribute(name, plain(value));
  }
  for (const name of ["class", "style"]) to.removeAttribute(name); // they name rules and colours of the page
  [...from.children].forEach((child, i) => inline(child, to.children[i]));
}

/** `color(srgb …)`, as browsers give a mixture of colours, in the form that other programs read too. @param {string} value */
function plain(value) {
  const shares = /^color\(srgb ([\d.]+) ([\d.]+) ([\d.]+)\)$/.exec(value)?.slice(1);
  return shares ? `rgb(${shares.map((share) => Math.round(255 * Number(share))).join(", ")})` : value;
}

/** @param {Element} parent @param {string} name @param {Record<string, string | number>} attributes @param {string} text */
function add(parent, name, attributes, text = "") {
  const node = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, String(value));
  node.textContent = text;
  parent.append(node);
}
