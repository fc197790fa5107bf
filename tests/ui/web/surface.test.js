// The browser evaluates a logit surface as Python does.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { load, python } from "./vectors.js";

/** @typedef {import("../../../taskvec_demo/ui/web/surface.js").LogitSurface} LogitSurface */

/**
 * @param {LogitSurface} surface
 * @param {any} said by Python of one recipe
 * @param {number} every which clips' logits were written
 */
function check(surface, said, every) {
  const recipe = new Map(said.recipe);
  const logits = surface.logits(surface.point(recipe));
  const tolerance = 1e-4 * Math.max(1, said.largest);
  said.logits.forEach((/** @type {number} */ logit, /** @type {number} */ i) => {
    const [clip, c] = [every * Math.floor(i / surface.nClasses), i % surface.nClasses];
    assert.ok(Math.abs(logits[clip * surface.nClasses + c] - logit) <= tolerance);
  });
  const clear = said.predicted.filter((/** @type {number} */ c) => c >= 0).length;
  assert.ok(clear > 0.9 * surface.n);
  surface.argmax(logits).forEach((c, i) => assert.ok(said.predicted[i] === -1 || said.predicted[i] === c));
  assert.equal(surface.contains(recipe), said.contains);
  const measured = surface.measured(recipe);
  assert.deepEqual(measured && [...measured], said.measured);
}

describe("surfaces", () => {
  for (const { task, file, every, recipes, drag, beyond } of python.surfaces) {
    test(`${task}: at recipes of any kind`, () => {
      const surface = load(file);
      for (const said of recipes) check(surface, said, every);
      assert.ok(recipes[0].measured);
      assert.notDeepEqual(recipes[0].logits, recipes[1].logits);
    });

    test(`${task}: along a drag, whose line is kept`, () => {
      const surface = load(file);
      for (const said of drag) check(surface, said, every);
      assert.notDeepEqual(drag[1].logits, drag[2].logits);
    });

    test(`${task}: knows where it ends`, () => {
      const surface = load(file);
      for (const { recipe, contains } of beyond) assert.equal(surface.contains(new Map(recipe)), contains);
      assert.deepEqual(
        beyond.map((/** @type {any} */ { contains }) => contains),
        [true, true, false, false, false, false],
      );
    });
  }

  test("between two recipes few evaluations say as much as many", () => {
    const { file, recipes } = python.surfaces.find((/** @type {any} */ { task }) => task === "urban");
    const surface = load(file);
    const [a, b] = recipes.slice(4, 6).map((/** @type {any} */ { recipe }) => new Map(recipe));
    const one = new Map([...a, ["urban", (a.get("urban") ?? 0) > 0 ? -0.6 : 0.8]]);
    for (const end of [b, one]) {
      const [p, q] = [surface.point(a), surface.point(end)];
      const at = surface.between(a, end);
      const answers = [0, 0.13, 0.5, 0.77, 1].map((t) => {
        const quick = at(t);
        const point = p.map((x, v) => x + t * (q[v] - x));
        const full = surface.argmax(surface.sum(surface.all, surface.factors(point)));
        assert.ok(quick.filter((c, i) => c === full[i]).length > 0.98 * surface.n);
        return full;
      });
      assert.notDeepEqual(answers[0], answers[4]);
    }
  });

  test("a file may choose its terms", () => {
    const { file, recipe, logits } = python.chosenTerms;
    const surface = load(file, -1, 1);
    assert.deepEqual([surface.degree, surface.maxPower], [3, 2]);
    assert.deepEqual([...surface.logits(surface.point(new Map(recipe)))], logits);
  });
});
