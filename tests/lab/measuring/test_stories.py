"""Every story keeps its promise: the answer for its clip flips on the way of its slider."""

from __future__ import annotations

import shutil

import pytest

from taskvec_demo.core.recipe import MEASURED_HIGH, MEASURED_LOW
from taskvec_demo.lab.measuring.stories import STORIES, answer_at, story_of, write_stories
from taskvec_demo.serve.artifacts import Artifacts
from taskvec_demo.serve.workbench import Workbench
from tests.support.paths import ARTIFACTS

SHIPPED = Artifacts(ARTIFACTS, verify=False)


@pytest.fixture(scope="module")
def shipped():
    return Workbench(SHIPPED)


def flips(workbench, preset):
    """Both answers of the story's clip: at λ = 0 of its vector, and at the preset's λ."""
    clip = next(path for path in workbench.artifacts.examples if path.stem == preset.story.clip)
    trace = workbench.trace(clip, preset.recipe, preset.story.vector)
    return [answer_at(trace, x)[0] for x in (0.0, preset.recipe.coefficients[preset.story.vector])]


@pytest.mark.parametrize("name", SHIPPED.presets)
def test_the_clip_of_a_shipped_story_flips_on_the_way_of_its_slider(shipped, name):
    preset = SHIPPED.presets[name]
    story = preset.story
    assert len(story.sentence.split()) <= 24
    if not story.vector:  # the λ of the analogy is dragged
        return
    assert MEASURED_LOW <= preset.recipe.coefficients[story.vector] <= MEASURED_HIGH
    assert story.vector in story.sentence
    if story.clip:
        before, after = flips(shipped, preset)
        assert before != after
        assert f"“{before}”" in story.sentence
        assert f"“{after}”" in story.sentence


def test_some_shipped_story_has_a_clip():
    assert sum(bool(preset.story.clip) for preset in SHIPPED.presets.values()) >= 2


def test_stories_are_written_into_the_folder_and_read_with_the_presets(artifacts_folder, tmp_path, monkeypatch):
    folder = tmp_path / "tiny-clap"
    shutil.copytree(artifacts_folder, folder)
    plain = Artifacts(folder).presets
    assert all(p.story.sentence == p.explanation and not p.story.clip for p in plain.values())  # none was chosen
    few = Artifacts.examples.fget(Artifacts(folder))[:3]  # type: ignore[attr-defined]
    monkeypatch.setattr(Artifacts, "examples", property(lambda self: few))
    stories = write_stories(folder)
    told = Artifacts(folder)  # which verifies the manifest
    assert f"tables/{STORIES}" in told.files
    assert {name: preset.story for name, preset in told.presets.items()} == stories
    workbench = Workbench(told)
    for preset in told.presets.values():
        if preset.story.clip:
            assert len(set(flips(workbench, preset))) == 2
    assert story_of(workbench, told.presets["analogy"]).vector == ""
