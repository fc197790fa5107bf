"""Labelled clips are found where the tasks say, dealt class by class, and their features are computed once."""

from __future__ import annotations

import csv
import threading
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch

from taskvec_demo.clap.features import log_mel
from taskvec_demo.core.tasks import Task
from taskvec_demo.errors import BadArtifactError, BadAudioError
from taskvec_demo.lab.data.synth import labelled_set
from taskvec_demo.lab.tiny_clap import architecture as tiny
from taskvec_demo.recordings.audio import windows
from taskvec_demo.serve import labelled_clips as labelled
from taskvec_demo.serve.labelled_clips import NOT_OF_TASK, LabelledSet, read_folder, read_synthesized, stratified
from tests.support import layout_copies as copies
from tests.support.sounds import RATE, noise, tone

SOUNDS = Task("sounds", "Sounds", "control", ("rain", "dog"), ("rain", "a dog"), ("{}",), "us", "CC0", ("outdoors",))
VOICES = Task(
    "voices", "Voices", "target", ("female_sad", "male_sad"), ("she", "he"), ("{}",), "us", "CC0", ("speech",),
    ("gender", "label"),
)  # fmt: skip
SHE = replace(VOICES, name="she", class_names=("female_sad", "female_glad"))
TASKS = {task.name: task for task in (SOUNDS, VOICES, SHE)}
FEATURES = tiny.FEATURES


def write_set(folder, rows):
    """rows: (file, label, split, gender, samples)."""
    folder.mkdir(parents=True)
    with (folder / "clips.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "label", "split", "fold", "group", "gender", "seconds"])
        for name, label, split, gender, samples in rows:
            table.writerow([name, label, split, "", "g", gender, len(samples) / RATE])
            soundfile.write(folder / name, samples, RATE)


@pytest.fixture
def data(tmp_path):
    write_set(
        tmp_path / "outdoors",
        [(f"rain{i}.wav", "rain", "validation", "", noise(0.5, seed=i)) for i in range(5)]
        + [("dog.wav", "dog", "validation", "", tone(0.5)), ("dog2.wav", "dog", "test", "", tone(0.5))]
        + [("cat.wav", "cat", "validation", "", tone(0.5))],
    )
    write_set(
        tmp_path / "speech",
        [
            ("a.wav", "sad", "validation", "female", noise(11.0, seed=7)),
            ("b.wav", "sad", "validation", "male", tone(7)),
        ],
    )
    return tmp_path


def names(clips):
    return [clip.path.name for clip in clips]


# ---- reading --------------------------------------------------------------------------------------------------------
def test_clips_of_the_split_are_read_with_their_class_in_every_task(data):
    found = {clip.path.name: dict(clip.classes) for clip in read_folder(data, TASKS)}
    assert found == {
        **{f"rain{i}.wav": {"sounds": 0} for i in range(5)},
        "dog.wav": {"sounds": 1},  # neither the test clip, nor the cat, which is no class
        "a.wav": {"voices": 0, "she": 0},  # one recording, two tasks
        "b.wav": {"voices": 1},
    }
    assert names(read_folder(data, TASKS, "test")) == ["dog2.wav"]
    assert all(clip.path.is_file() for clip in read_folder(data, TASKS))


def test_a_set_that_is_not_there_is_left_out_and_none_at_all_is_refused(data, tmp_path):
    only = read_folder(data, {"sounds": SOUNDS, "far": replace(SOUNDS, name="far", clips_folders=("elsewhere",))})
    assert {name for clip in only for name in clip.classes} == {"sounds"}
    for folder, tasks in ((tmp_path / "nothing", TASKS), (data, {"s": replace(SOUNDS, clips_folders=("elsewhere",))})):
        with pytest.raises(BadArtifactError, match=r"holds no labelled validation clip.*/clips\.csv.*\.$"):
            read_folder(folder, tasks)
    with pytest.raises(BadArtifactError, match=r"are: none\.$"):
        read_folder(data, {"old": replace(SOUNDS, clips_folders=())})  # as in artifacts of an older version


def test_a_table_without_a_needed_column_is_refused(data):
    table = data / "outdoors" / "clips.csv"
    table.write_text(table.read_text().replace("split", "part", 1))
    with pytest.raises(BadArtifactError, match=r"clips\.csv lacks the column 'split'.*file, split, label\.$"):
        read_folder(data, TASKS)


def test_sets_are_read_in_their_publishers_layouts(tmp_path):
    copies.write_esc50(tmp_path / "outdoors", ("dog", "rain"))
    copies.write_ravdess(tmp_path / "speech", range(17, 22), ("sad", "angry"))
    clips = read_folder(tmp_path, TASKS)
    assert {clip.path.name: dict(clip.classes) for clip in clips} == {
        "4-100400-A-0.wav": {"sounds": 1},
        "4-110400-A-10.wav": {"sounds": 0},
        **{f"03-01-04-01-01-01-{actor}.wav": {"voices": 0, "she": 0} for actor in (18, 20)},
        **{f"03-01-04-01-01-01-{actor}.wav": {"voices": 1} for actor in (17, 19)},
    }
    labelled_clips = LabelledSet(clips, TASKS, lambda: FEATURES, "validation")
    mel, owners = labelled_clips.mel(0, len(clips))  # 44.1 and 48 kHz are resampled
    assert mel.shape == (6, 1, FEATURES.n_frames, FEATURES.n_mels)
    assert owners.tolist() == list(range(6))


def test_a_set_that_cannot_tell_what_a_task_asks_is_refused(data, tmp_path):
    copies.write_esc50(tmp_path / "theirs", ("dog",))
    wanted = r"theirs lacks the column 'gender', which the classes of the task 'voices' are made of; .*label, gender\.$"
    with pytest.raises(BadArtifactError, match=wanted):
        read_folder(tmp_path, {"voices": replace(VOICES, clips_folders=("theirs",))})
    with pytest.raises(BadArtifactError, match=r"speech lacks the column 'age'"):
        read_folder(data, {"voices": replace(VOICES, clip_label=("age", "label"))})
    (tmp_path / "papers").mkdir()
    with pytest.raises(BadArtifactError, match=r"papers has no known layout; accepted are: clips\.csv"):
        read_folder(tmp_path, {"sounds": replace(SOUNDS, clips_folders=("papers",))})


def test_synthesized_clips_are_read_where_they_are(tmp_path):
    tasks = {"esc50": replace(SOUNDS, name="esc50", class_names=("rain", "rooster"))}
    assert read_synthesized(tmp_path / "synthesized", tasks) == []
    folder = tmp_path / "synthesized"
    folder.mkdir()
    made = [c for c in labelled_set(0, per_class=1) if c[0] == "esc50"]
    with (folder / "clips.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("file", "task", "label"))
        table.writerows((f"{task}-{label}.flac", task, label) for task, label, _ in made)
    found = {clip.path.name: dict(clip.classes) for clip in read_synthesized(folder, tasks)}
    assert found == {"esc50-rain.flac": {"esc50": 0}, "esc50-rooster.flac": {"esc50": 1}}  # other classes are not ours


def test_tasks_go_through_a_manifest_and_old_ones_are_read():
    assert Task.from_dict(VOICES.to_dict()) == VOICES
    old = {k: v for k, v in VOICES.to_dict().items() if not k.startswith("clip")}
    assert Task.from_dict(old) == replace(VOICES, clips_folders=(), clip_label=("label",))
    for folder, folders in (("speech", ("speech",)), ("", ())):
        one = {k: v for k, v in VOICES.to_dict().items() if k != "clips_folders"} | {"clips_folder": folder}
        assert Task.from_dict(one) == replace(VOICES, clips_folders=folders)


# ---- order ----------------------------------------------------------------------------------------------------------
def test_every_beginning_is_balanced_and_nothing_is_lost(data):
    clips = read_folder(data, TASKS)
    dealt = stratified(clips)
    assert sorted(names(dealt)) == sorted(names(clips))
    assert dealt != clips
    assert set(names(dealt)[:4]) == {"rain0.wav", "dog.wav", "a.wav", "b.wav"}  # one of each class
    assert names(dealt)[4:] == [f"rain{i}.wav" for i in range(1, 5)]
    assert stratified(clips) == dealt


# ---- features -------------------------------------------------------------------------------------------------------
@pytest.fixture
def clips(data):
    return LabelledSet(read_folder(data, TASKS), TASKS, lambda: FEATURES, "validation")


def test_classes_are_those_of_the_clips(clips):
    assert list(clips.tasks) == ["sounds", "voices", "she"]
    for column, clip in enumerate(clips.clips):
        for row, name in enumerate(clips.tasks):
            assert clips.classes[row, column] == clip.classes.get(name, NOT_OF_TASK)
    assert (clips.classes == NOT_OF_TASK).any()
    fewer = LabelledSet(clips.clips, TASKS | {"none": replace(SOUNDS, name="none")}, lambda: FEATURES, "validation")
    assert list(fewer.tasks) == list(clips.tasks)  # a task without clips is not there


def test_features_are_the_log_mels_of_the_first_windows(clips):
    mel, owners = clips.mel(0, len(clips))
    for i, clip in enumerate(clips.clips):
        samples, _ = soundfile.read(clip.path, dtype="float32")
        expected = log_mel(windows(samples, FEATURES.n_samples)[: labelled.MAX_WINDOWS], FEATURES)
        ours = mel[owners == i]
        assert ours.shape == expected.shape
        assert torch.allclose(ours, expected, rtol=2**-10, atol=0.01)  # float16
    counts = torch.bincount(owners).tolist()
    assert counts == [2 if clip.path.parent.name == "speech" else 1 for clip in clips.clips]
    part, part_owners = clips.mel(2, 5)
    assert torch.equal(part, mel[(owners >= 2) & (owners < 5)])
    assert part_owners.min() == 0


def test_features_are_computed_once_and_not_before_they_are_needed(clips, monkeypatch):
    read, original = [], labelled.load_clip
    monkeypatch.setattr(labelled, "load_clip", lambda path, rate: read.append(path) or original(path, rate))
    assert clips.ready == 0
    assert read == []
    threads = [threading.Thread(target=clips.mel, args=(0, len(clips))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert clips.ready == len(clips)
    assert read == [clip.path for clip in clips.clips]


def test_a_clip_that_cannot_be_read_has_no_windows_and_is_named(clips):
    broken = clips.clips[3].path
    broken.write_bytes(b"not a recording")
    owners = clips.mel(0, len(clips))[1]
    assert set(owners.tolist()) == set(range(len(clips))) - {3}
    assert clips.mel(3, 4)[0].shape == (0, 1, FEATURES.n_frames, FEATURES.n_mels)
    assert (clips.left_out(3), clips.left_out(4), clips.left_out(len(clips))) == ([], [broken.name], [broken.name])


def test_where_no_clip_can_be_read_nobody_waits_for_ever(clips):
    for clip in clips.clips:
        clip.path.unlink()
    with pytest.raises(BadAudioError, match=f"None of the {len(clips)} clips"):
        clips.mel(0, len(clips))


def test_an_empty_set_is_a_set():
    nothing = LabelledSet([], TASKS, lambda: FEATURES, "synthesized")
    assert len(nothing) == nothing.ready == 0
    assert nothing.classes.shape == (0, 0)
    assert np.array_equal(nothing.classes, np.empty((0, 0)))
