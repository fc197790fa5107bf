"""The shipped `precomputed/tiny-clap` has the figures of its tables, and understands other wordings."""

from __future__ import annotations

import json

import numpy as np
import pytest

from taskvec_demo.core.evaluation import percent
from taskvec_demo.core.intervals import wilson
from taskvec_demo.core.zero_shot import ZeroShotHead
from taskvec_demo.serve.artifacts import Artifacts
from taskvec_demo.serve.workbench import Workbench
from tests.support.paths import ARTIFACTS as FOLDER


@pytest.fixture(scope="module")
def shipped() -> Workbench:
    return Workbench(Artifacts(FOLDER))


@pytest.mark.parametrize(
    ("wording", "label"),
    [("puppy", "dog"), ("downpour", "rain"), ("bonfire", "crackling_fire"), ("infant", "crying_baby")],
)
def test_a_wording_lands_on_its_label(shipped: Workbench, wording: str, label: str) -> None:
    head = shipped.artifacts.heads["esc50"]
    text = ZeroShotHead.from_prompts(
        shipped.checkpoint.embed_text, [wording], [wording], shipped.artifacts.templates
    ).matrix
    assert head.labels[int(head.logits(text, 1.0).argmax())] == label


def test_heads_are_those_of_the_text_tower(shipped: Workbench) -> None:
    for name, task in shipped.tasks.items():
        again = ZeroShotHead.from_prompts(shipped.checkpoint.embed_text, task.class_names, task.prompts, task.templates)
        np.testing.assert_allclose(again.matrix, shipped.artifacts.heads[name].matrix, atol=1e-5)


def test_every_table_entry_is_a_share_of_n_with_its_wilson_interval() -> None:
    presets = [e for p in json.loads((FOLDER / "tables/presets.json").read_text()) for e in p["test"]]
    assert len(presets) >= 20
    for entry in presets:
        assert entry["split"] == "test"
        assert entry["kind"] == "exact"
        for model in ("pretrained", "edited"):
            successes = entry[model]["accuracy"] * entry["n"]
            assert successes == pytest.approx(round(successes), abs=0.05)
            low, high = wilson(round(successes), entry["n"])
            assert (entry[model]["low"], entry[model]["high"]) == pytest.approx((low, high), abs=1e-3)
            right = sum((c[model]["accuracy"] or 0) * c["n"] for c in entry["per_class"])
            assert right == pytest.approx(successes, abs=0.1)


def test_a_presets_sentence_reads_like_the_table_below_it() -> None:
    for preset in json.loads((FOLDER / "tables/presets.json").read_text()):
        control = next(e for e in preset["test"] if e["role"] == "control")
        before, after = (percent(control[model]["accuracy"]) for model in ("pretrained", "edited"))
        assert f"from {before} % to {after} %" in preset["explanation"]


def test_a_surface_estimates_what_was_measured(shipped: Workbench) -> None:
    for surface in shipped.artifacts.surfaces.values():
        estimated = (surface.curve(surface.points).argmax(-1) == surface.labels).mean(1)
        measured = (surface.predictions == surface.labels).mean(1)
        assert np.abs(estimated - measured).mean() <= surface.error + 0.005
        assert measured.max() - measured.min() > 0.05  # there was something to estimate


def test_every_vector_helps_its_own_task(shipped: Workbench) -> None:
    for name in ("urban", "instruments", "emotion"):
        surface = shipped.artifacts.surfaces[name]
        before, after = surface.measured({}), surface.measured({name: 1.0})
        assert (after == surface.labels).mean() > (before == surface.labels).mean() + 0.1


def test_an_example_is_heard_as_what_it_is(shipped: Workbench) -> None:
    clips = {p.stem: p for p in shipped.artifacts.examples}
    answer = shipped.classify(clips["dog_bark"], shipped.recipe(None))
    assert max(answer.pretrained, key=lambda k: answer.pretrained[k]) == "a dog barking"
