// What an edit wants of a task, and whether it got it: one word, the same as in ui/html/verdict.py.

/** @typedef {"hold" | "forget" | "learn"} Aim */
/** @typedef {{word: string, state: "good" | "held" | "bad" | "plain"}} Verdict
 * `good` is what was meant, `held` a control that holds, `bad` an unwanted loss */
/** @typedef {{name: string, role: string, finetuned: number | null, controlKept: number}} Judged a task */

const FORGOTTEN = 0.5; // of the accuracy before, at most
const LEARNED = 0.9; // of the fine-tuned accuracy, at least

/**
 * What the recipe wants of a task: the sign of the λ of all vectors that were trained on it. A control holds.
 * @param {Judged} task
 * @param {import("./recipe.js").Recipe} recipe
 * @param {Record<string, string>} vectorTasks
 * @returns {Aim}
 */
export function aimOf({ name, role }, recipe, vectorTasks) {
  let total = 0;
  for (const [vector, value] of recipe) {
    if (Object.hasOwn(vectorTasks, vector) && vectorTasks[vector] === name) total += value;
  }
  if (role === "control" || Math.abs(total) < 5e-5) return "hold";
  return total > 0 ? "learn" : "forget";
}

/**
 * A control is held by what it keeps. Any other task has changed only where `before` lies outside the interval of `after`.
 * @param {Aim} aim
 * @param {Judged} task
 * @param {number} before accuracy, 0…1
 * @param {number} after
 * @param {[number, number]} interval of `after`
 * @returns {Verdict}
 */
export function verdict(aim, { role, finetuned, controlKept }, before, after, [low, high]) {
  const fell = before > high;
  const rose = before < low;
  if (role === "control") {
    return after >= controlKept * before ? { word: "held", state: "held" } : { word: "lost", state: "bad" };
  }
  if (!fell && !rose) return { word: "≈", state: "plain" };
  if (aim === "forget") {
    if (rose) return { word: "not forgotten", state: "plain" };
    return { word: after <= FORGOTTEN * before ? "forgotten" : "weakened", state: "good" };
  }
  if (fell) return { word: "lost", state: "bad" };
  if (aim === "learn") {
    return { word: finetuned && after >= LEARNED * finetuned ? "learned" : "improved", state: "good" };
  }
  return { word: "gained", state: "plain" };
}
