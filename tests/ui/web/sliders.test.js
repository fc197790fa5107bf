import assert from "node:assert/strict";
import { test } from "node:test";

import { mostMoved, slidersOf } from "../../../taskvec_demo/ui/web/sliders.js";

test("the slider that is on and farthest from 0 is the most moved", () => {
  const sliders = slidersOf(["music", "urban"]);
  const [music, urban, analogy] = sliders;
  const values = Array(Math.max(...sliders.map(({ at }) => at)) + 1).fill(0);
  /** @param {import("../../../taskvec_demo/ui/web/sliders.js").Slider} slider @param {boolean} on @param {number} lambda */
  const set = (slider, on, lambda) => Object.assign(values, { [slider.on]: on, [slider.at]: lambda });
  assert.equal(mostMoved(sliders, values), undefined);
  set(music, true, 0.2);
  set(urban, true, -0.5);
  assert.equal(mostMoved(sliders, values), "urban");
  set(urban, false, -0.5);
  assert.equal(mostMoved(sliders, values), "music");
  set(analogy, true, 0.4);
  assert.equal(mostMoved(sliders, values), analogy.name);
  set(music, true, 0);
  set(analogy, true, 0);
  assert.equal(mostMoved(sliders, values), undefined);
});
