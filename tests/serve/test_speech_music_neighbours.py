"""Which labelled clips sound most like a clip to the students of the speech and music study."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch

from taskvec_demo.errors import BadArtifactError, BadAudioError, BadRecipeError
from taskvec_demo.serve.studies.speech_music import SpeechMusic, point_of
from taskvec_demo.serve.workbench import Workbench


@pytest.fixture(scope="module")
def study(quick_speech_music, workbench) -> SpeechMusic:
    return SpeechMusic(quick_speech_music / "out", workbench)


def test_a_labelled_clip_is_its_own_nearest_neighbour_at_every_point(study):
    place = 3
    clip = study.workbench.labelled.clips[study.neighbours[place].index].path
    for point in ((1.0, 0.0), (0.0, 1.0), (0.5, 0.5)):
        cosines = study.likeness(clip, point).cosines
        assert len(cosines) == len(study.neighbours)
        assert int(np.argmax(cosines)) == place
        assert cosines[place] == pytest.approx(1, abs=1e-3)


def test_the_order_depends_on_the_dial_and_an_answer_is_that_of_the_sum_itself(study):
    clip = study.workbench.artifacts.examples[0]
    ends = [study.likeness(clip, point).cosines for point in ((1.0, 0.0), (0.0, 1.0))]
    assert ends[0] != ends[1]
    again = SpeechMusic(study.folder, study.workbench)
    assert again.likeness(clip, (1.0, 0.0)).cosines == ends[0]  # whatever was asked before
    assert torch.equal(study.encoder.initial.buffer, again.encoder.initial.buffer)


def test_what_is_no_clip_and_what_is_no_point_is_refused(study, tmp_path):
    (tmp_path / "text.wav").write_text("no sound", encoding="utf-8")
    with pytest.raises(BadAudioError):
        study.likeness(tmp_path / "text.wav", (0.5, 0.5))
    assert point_of([0.5, 1]) == (0.5, 1.0)
    for asked in ("xy", [0.5], ["a", 0], [9, 0], [float("nan"), 0], [0, 0, 0], None):
        with pytest.raises(BadRecipeError):
            point_of(asked)


def test_a_study_of_another_format_is_refused(quick_speech_music, workbench, tmp_path):
    folder = shutil.copytree(quick_speech_music / "out", tmp_path / "out")
    contents = json.loads((folder / "study.json").read_text(encoding="utf-8"))
    (folder / "study.json").write_text(json.dumps(contents | {"format": 99}), encoding="utf-8")
    with pytest.raises(BadArtifactError, match="format 99"):
        SpeechMusic(folder, workbench)


def test_the_names_of_neighbours_are_those_of_the_workbench(study, workbench: Workbench):
    for neighbour in study.neighbours:
        classes = workbench.labelled.clips[neighbour.index].classes
        known = {
            (workbench.tasks[t].class_names[c].replace("_", " "), workbench.tasks[t].title) for t, c in classes.items()
        }
        assert (neighbour.label, neighbour.task) in known
