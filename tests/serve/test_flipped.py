"""Clips that flipped: those of the exact figures, told by their place in the list, heard as the model hears them."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from taskvec_demo.core.recipe import Recipe
from taskvec_demo.errors import BadRecipeError
from taskvec_demo.recordings.audio import load_clip
from taskvec_demo.serve.flipped import SHOWN, clip_sound, flipped_clips
from taskvec_demo.serve.workbench import Workbench

EDIT = Recipe("tiny-clap", {"urban": 1.0, "instruments": -0.8})


@pytest.fixture(scope="module")
def measured(workbench):
    """A workbench that has measured EDIT, and its results."""
    own = Workbench(workbench.artifacts, checkpoint=workbench.checkpoint)
    assert own.answered(EDIT)[0].shape == (len(own.labelled.tasks), 0)
    *_, last = own.exact(EDIT)
    return own, {r.task.name: r for r in last.results}


def test_flipped_clips_are_those_of_the_exact_figures(measured) -> None:
    bench, results = measured
    flips = 0
    for task, result in results.items():
        clips = flipped_clips(bench, EDIT, task)
        assert len(clips) <= SHOWN
        lost, gained = (
            int(((a == result.labels) & (b != result.labels)).sum())
            for a, b in (
                (result.predicted_pretrained, result.predicted_edited),
                (result.predicted_edited, result.predicted_pretrained),
            )
        )
        assert len(clips) == min(SHOWN, lost + gained)
        for clip in clips:
            own = bench.labelled.clips[clip.index]
            assert clip.label == result.task.class_names[own.classes[task]]
            assert clip.before != clip.after
            assert clip.label in (clip.before, clip.after)
        flips += len(clips)
    assert flips > 0


def test_nothing_is_told_of_what_was_not_measured(measured) -> None:
    bench, results = measured
    task = next(iter(results))
    assert flipped_clips(bench, Recipe("tiny-clap", {"urban": 0.123}), task) == []
    assert flipped_clips(bench, Recipe("tiny-clap"), task) == []  # measured, and nothing flips
    assert flipped_clips(bench, EDIT, "no such task") == []
    with pytest.raises(BadRecipeError):
        flipped_clips(bench, Recipe("tiny-clap", {"nobody": 1.0}), task)


def test_a_clip_sounds_as_the_model_hears_it(measured) -> None:
    bench, _ = measured
    samples, rate = soundfile.read(io.BytesIO(clip_sound(bench, 3)), dtype="float32")
    heard = load_clip(bench.labelled.clips[3].path, rate).samples
    assert rate == bench.checkpoint.features.sample_rate
    assert np.abs(samples - heard[: len(samples)]).max() < 1e-3


@pytest.mark.parametrize("index", [-1, 10**6, "3", "../../etc/passwd", None, 1.0])
def test_only_a_place_in_the_list_names_a_clip(measured, index) -> None:
    with pytest.raises(BadRecipeError, match="There is no labelled clip"):
        clip_sound(measured[0], index)
