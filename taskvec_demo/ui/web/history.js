// The recipes at which the controls came to rest: steps for undo and redo, and a list of all that were tried.

/** @typedef {import("./recipe.js").Recipe} Recipe */
/**
 * The controls at rest: their recipe, their values, and the vector of each row.
 * @typedef {{recipe: Recipe, values: any[], vectors: string[]}} Step
 */

const KEPT = 100; // steps, and recipes of the list

/** The same text for recipes that mean the same edit. @param {Recipe} recipe */
export const keyOf = (recipe) => JSON.stringify([...recipe]);

export class History {
  constructor() {
    /** @type {Step[]} */
    this.steps = [];
    this.at = -1; // the step that the controls show
    /** @type {Set<string>} */
    this.left = new Set(); // recipes that undo or redo has just left: the page may still tell of one of them
    /** @type {Map<string, Step>} */
    this.tried = new Map(); // every recipe once, the last tried one at the end
  }

  /** @returns {Step | null} */
  get present() {
    return this.steps[this.at] ?? null;
  }

  /**
   * The controls rest at this step. Two steps in a row that mean the same recipe are one, with the newer values. Any
   * other step takes the place of those that redo would have gone to.
   * @param {Step} step
   */
  settle(step) {
    const key = keyOf(step.recipe);
    const here = this.present && keyOf(this.present.recipe);
    if (key !== here && this.left.has(key)) return;
    this.left.clear();
    if (key === here) this.steps[this.at] = step;
    else this.steps = [...this.steps.slice(0, this.at + 1), step].slice(-KEPT);
    this.at = Math.min(key === here ? this.at : this.at + 1, this.steps.length - 1);
    this.tried.delete(key);
    this.tried.set(key, step);
    if (this.tried.size > KEPT) this.tried.delete([...this.tried.keys()][0]);
  }

  /** @param {number} by −1: undo, 1: redo */
  canMove(by) {
    return this.at + by in this.steps;
  }

  /**
   * Goes one step back or on.
   * @param {number} by −1: undo, 1: redo
   * @returns {Step | null} the step that the controls shall show; null where there is none
   */
  move(by) {
    if (!this.present || !this.canMove(by)) return null;
    this.left.add(keyOf(this.present.recipe));
    this.at += by;
    this.left.delete(keyOf(this.present.recipe));
    return this.present;
  }
}
