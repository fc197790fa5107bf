// The formula line above the tabs, in the elements that ui/html/bars.py wrote.

import { find, hide, message, write } from "./dom.js";
import { formulaNumber } from "./recipe.js";

/**
 * @param {import("./chart.js").State} state
 * @returns {boolean} false where gradio has not put the formula on the page yet
 */
export function drawFormula({ problem, recipe, vectors }) {
  const formula = document.querySelector("#formula .tv-formula");
  if (!formula) return false;
  hide(find(formula, ".tv-equation"), Boolean(problem));
  message(formula, problem ?? "");
  if (problem) return true;
  formula.querySelectorAll(".tv-term").forEach((element, i) => {
    const term = /** @type {HTMLElement} */ (element);
    const name = vectors[i];
    const value = recipe.get(name);
    hide(term, !value);
    write(find(term, "span"), value ? formulaNumber(value) : "");
    if (term.dataset.vector === name) return;
    term.dataset.vector = name;
    find(term, "sub").textContent = name;
  });
  hide(find(formula, ".tv-muted"), recipe.size > 0);
  return true;
}
