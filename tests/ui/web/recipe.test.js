// The controls mean the same recipe, formula, address and sentence as in Python.

import assert from "node:assert/strict";
import { test } from "node:test";
import { addressOf } from "../../../taskvec_demo/ui/web/address.js";
import { BadRecipeError, compose, formulaText, recipePairs, withLambdas } from "../../../taskvec_demo/ui/web/recipe.js";
import { python } from "./vectors.js";

const { controls, rows, sliderMax } = python;

/** @param {any[]} values @returns {any} */
function meaning(values) {
  try {
    const recipe = compose(values, rows, sliderMax);
    const query = new URLSearchParams(recipePairs("tiny", recipe)).toString();
    return { values, recipe: [...recipe], formula: formulaText(recipe, rows), query };
  } catch (error) {
    assert.ok(error instanceof BadRecipeError, `${error}`);
    return { values, problem: error.message };
  }
}

test("controls mean the same in both languages", () => {
  for (const said of controls) assert.deepEqual(meaning(said.values), said);
  const problems = controls.filter((/** @type {any} */ { problem }) => problem).length;
  assert.ok(problems > 20 && problems < 200, `${problems} of ${controls.length} are no recipe`);
  assert.ok(new Set(controls.map((/** @type {any} */ { query }) => query)).size > 200);
});

test("a vector may be called like a property of every object", () => {
  for (const name of ["constructor", "toString", "valueOf", "hasOwnProperty", "__proto__"]) {
    const recipe = compose([true, false, false, true, 0.5, "", "", "", 0], [name], sliderMax);
    assert.deepEqual([...recipe], [[name, 0.5]]);
    assert.equal(formulaText(recipe, [name]), `θ_new = θ_pt + 0.50 τ_${name}`);
    assert.equal(formulaText(new Map(), [name]), "θ_new = θ_pt");
  }
});

test("the map changes the λ of its two vectors and of no other", () => {
  const [a, b] = rows;
  let signs = 0;
  for (const { values, recipe } of controls.filter((/** @type {any} */ one) => one.recipe)) {
    const [, , withAnalogy, ...rest] = values;
    const reach = sliderMax - (withAnalogy ? rest.at(-1) : 0); // rows make up for the analogy, as far as sliders go
    for (const [x, y] of [
      [reach, -reach],
      [-reach / 2, 0],
      [0, 0],
    ]) {
      const wanted = new Map([
        [a, x],
        [b, y],
      ]);
      const changed = withLambdas(values, rows, wanted, sliderMax);
      const found = compose(changed, rows, sliderMax);
      const expected = new Map([...recipe, ...wanted].map(([name, value]) => [name, Number(value.toFixed(4))]));
      for (const name of rows) {
        assert.ok(Math.abs((found.get(name) ?? 0) - (expected.get(name) ?? 0)) < 2e-4, `${name} of ${values}`);
      }
      if (changed[0] !== values[0] || changed[1] !== values[1]) signs++;
    }
  }
  assert.ok(signs > 50);
});

test("an address holds this recipe, no other one, and what gradio put there", () => {
  const pairs = recipePairs("tiny", new Map([["urban", -0.5]]));
  const url = addressOf("https://host/app/?ckpt=old&music=1&__theme=dark#top", pairs);
  assert.equal(url.href, "https://host/app/?__theme=dark&ckpt=tiny&urban=-0.5#top");
});
