// The list of figures and tables in view, each with buttons that save it as a file.

import { asPng, standalone } from "./figure_files.js";
import { formulaText } from "./recipe.js";
import { saveBlob, saveText } from "./save.js";
import { barPicture, barRows, cellsOf, classBars, csv, taskBars } from "./sheets.js";
import { saveInteractive } from "./trace_figure.js";

/** @typedef {import("./chart.js").State} State */
/** @typedef {import("./figure_files.js").About} About */
/** Something to save: its title, and for each kind of file what makes it. @typedef {{title: string, kinds: Record<string, () => unknown>}} Item */

/** Draws the list anew. @param {HTMLElement} list @param {State} state */
export function listFiles(list, state) {
  const items = [...barItems(state), ...figureItems(state), ...tableItems()];
  list.replaceChildren(
    ...items.map(({ title, kinds }) => {
      const row = document.createElement("li");
      row.append(Object.assign(document.createElement("span"), { textContent: title }));
      for (const [kind, save] of Object.entries(kinds)) {
        const label = `Save as ${kind}: ${title}`;
        const button = Object.assign(document.createElement("button"), { type: "button", textContent: kind });
        button.setAttribute("aria-label", label);
        button.addEventListener("click", save);
        row.append(button);
      }
      return row;
    }),
  );
}

/** @param {State} state @returns {Item[]} */
function barItems(state) {
  const sheets = /** @type {const} */ ([
    ["Accuracy of every task", () => taskBars(state)],
    ["Accuracy of every class", () => classBars(state)],
  ]);
  return sheets
    .filter(([, bars]) => bars().length)
    .map(([title, bars]) => ({
      title,
      kinds: {
        ...pictureKinds(title, () =>
          drawnOnce(barPicture(bars()), (picture) => standalone(picture, about(state, title, barLegend()))),
        ),
        CSV: () => saveText(nameOf(title, "csv"), csv(barRows(bars(), formulaOf(state), state.live.checkpoint))),
      },
    }));
}

/** @returns {[string, string][]} */
function barLegend() {
  const style = getComputedStyle(document.body);
  return [
    [style.getPropertyValue("--tv-pre").trim(), "before (pre-trained)"],
    [style.getPropertyValue("--tv-ed").trim(), "after (edited); line: 95 % Wilson interval"],
  ];
}

/** Every picture in view. @param {State} state @returns {Item[]} */
function figureItems(state) {
  const pictures = /** @type {NodeListOf<SVGSVGElement>} */ (document.querySelectorAll("svg[role=img][aria-label]"));
  return [...pictures]
    .filter((picture) => picture.checkVisibility())
    .map((picture) => {
      const spoken = picture.getAttribute("aria-label") ?? "";
      const figure = /** @type {HTMLElement | null} */ (picture.closest("figure[data-figure]"));
      const title = figure ? nameOfFigure(figure) : spoken;
      const study = /** @type {HTMLElement | null} */ (picture.closest("[data-about]"))?.dataset.about;
      const says = () => {
        if (study) return { title, edit: study, description: `${spoken}; ${study}`, legend: [] };
        return figure ? aboutTables(title, spoken, state) : about(state, title, legendOf(picture, state));
      };
      const file = () => standalone(picture, says());
      /** @type {Item["kinds"]} */
      const kinds = pictureKinds(title, file);
      if (picture.closest(".tv-trace")) kinds.HTML = () => saveInteractive();
      return { title, kinds };
    });
}

/** Every table in view. @returns {Item[]} */
function tableItems() {
  /** @type {Map<string, number>} */
  const named = new Map(); // how many tables have a name
  return [...document.querySelectorAll("table")]
    .filter((table) => table.checkVisibility() && table.rows.length > 1)
    .map((table) => {
      const name = nameOfTable(table);
      const nth = (named.get(name) ?? 0) + 1;
      named.set(name, nth);
      const title = nth > 1 ? `${name} (${nth})` : name;
      return { title, kinds: { CSV: () => saveText(nameOf(title, "csv"), csv(cellsOf(table))) } };
    });
}

/** Its caption, or the heading above it with the first words of what labels it. @param {HTMLTableElement} table */
function nameOfTable(table) {
  const label = document.getElementById(table.getAttribute("aria-labelledby") ?? "")?.innerText ?? "";
  const [words] = label.split(/[.:] | \(/);
  return table.caption?.innerText || [headingBefore(table), words].filter(Boolean).join(": ") || "Table";
}

/** @param {string} title @param {() => string} file */
const pictureKinds = (title, file) => ({
  SVG: () => saveBlob(nameOf(title, "svg"), new Blob([file()], { type: "image/svg+xml" })),
  PNG: async () => saveBlob(nameOf(title, "png"), await asPng(file())),
});

/** What a file says of itself. @param {State} state @param {string} title @param {[string, string][]} legend @returns {About} */
function about(state, title, legend) {
  const kind = document.querySelector("#chart .tv-badge")?.textContent ?? "";
  const edit = `${formulaOf(state)}, checkpoint ${state.live.checkpoint}`;
  const said = `validation clips, ${kind}`;
  return { title, kind: said, edit, description: `${title}; ${edit}; accuracies: ${said}`, legend };
}

/**
 * Figures drawn from the tables show recipes of their own, on test clips; what is spoken of them has every number and n.
 * @param {string} title
 * @param {string} spoken
 * @param {State} state
 * @returns {About}
 */
const aboutTables = (title, spoken, { live }) => {
  const edit = `checkpoint ${live.checkpoint}, test clips`;
  return { title, edit, description: `${spoken}; ${edit}`, legend: [] };
};

/** @param {HTMLElement} figure */
const nameOfFigure = (figure) => figure.querySelector("figcaption b")?.textContent || headingBefore(figure) || "Figure";

/** @param {State} state */
const formulaOf = ({ recipe, vectors }) => formulaText(recipe, vectors);

/** Colours and names that stand beside a picture and not in it. @param {Element} picture @param {State} state */
function legendOf(picture, { tasks }) {
  /** @type {[string, string][]} */
  const found = [];
  for (const entry of picture.closest(".tv-figure")?.querySelectorAll(".tv-trace-legend span") ?? []) {
    const swatch = entry.querySelector("i");
    if (swatch) found.push([getComputedStyle(swatch).borderTopColor, entry.textContent ?? ""]);
  }
  for (const { task, bars } of (picture.closest(".tv-curve") && tasks) || []) {
    const dot = document.querySelector(`.tv-task[data-task="${CSS.escape(task.name)}"] .tv-dot`);
    if (dot && bars.visible) found.push([getComputedStyle(dot).backgroundColor, task.title]);
  }
  return found;
}

/** The nearest heading above, and in a disclosure what that is called. @param {Element} element */
function headingBefore(element) {
  const headings = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("h2, h3, h4"));
  const before = [...headings].filter((h) => h.compareDocumentPosition(element) & Node.DOCUMENT_POSITION_FOLLOWING);
  const inside = element.closest("details")?.querySelector("summary")?.innerText;
  return [before.at(-1)?.innerText, inside].filter(Boolean).join(": ");
}

/** @param {string} title @param {string} suffix */
const nameOf = (title, suffix) =>
  `${title
    .replace(/[^\p{L}\p{N}]+/gu, "-")
    .replace(/^-|-$/g, "")
    .slice(0, 60)}.${suffix}`;

/** Puts a picture on the page for as long as it is read. @param {string} content @param {(picture: SVGSVGElement) => string} read */
function drawnOnce(content, read) {
  const place = document.createElement("div");
  place.innerHTML = content;
  document.body.append(place);
  const text = read(/** @type {SVGSVGElement} */ (place.firstElementChild));
  place.remove();
  return text;
}
