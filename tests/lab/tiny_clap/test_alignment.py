"""Fitting the text map to a trained audio tower, on made-up clips and a teacher of random words."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from taskvec_demo.clap.model import AudioTower, Checkpoint, new_model
from taskvec_demo.core.weights import write_safetensors
from taskvec_demo.errors import TaskVecError
from taskvec_demo.lab.data.datasets import ClipRow, MelStore
from taskvec_demo.lab.tiny_clap import alignment, captions, class_names
from taskvec_demo.lab.tiny_clap import architecture as tiny
from taskvec_demo.lab.tiny_clap.teacher import unit
from taskvec_demo.lab.tiny_clap.text_space import TextSpace
from tests.support.random_artifacts import AUDIO, DIM

CLASSES = tuple(class_names.ESC50)[:10]


class WordTeacher:
    """The unit sum of a random vector for each word."""

    def embed(self, texts, progress=False):
        return unit(
            np.array([sum(map(self._word, text.lower().split()), np.zeros(DIM + 8)) for text in texts], np.float32)
        )

    @staticmethod
    @functools.cache
    def _word(word):
        return np.random.default_rng(list(word.encode())).standard_normal(DIM + 8)


class Deaf:
    """A tagger whose scores are all zero."""

    def __init__(self, work: Path, folders: list[Path]) -> None: ...

    def target(self, row: ClipRow) -> torch.Tensor:
        return torch.zeros(len(alignment.AUDIOSET))


@pytest.fixture
def store() -> MelStore:
    rng = np.random.default_rng(0)
    rows = [
        ClipRow("esc50", f"{c}{i}.opus", c, "train", c, "", 10 * k + i)
        for k, c in enumerate(CLASSES)
        for i in range(10)
    ]
    spectra = rng.normal(-40, 15, (len(CLASSES), 64)).repeat(10, 0)
    return MelStore(rows, (spectra[:, None] + rng.normal(0, 3, (len(rows), 256, 64))).astype(np.float16))


LAST = 12  # of the wordings that a name has here


@pytest.fixture
def work(tmp_path: Path, store: MelStore, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A random audio tower, and everything that needs the recordings or the teacher's weights replaced."""
    monkeypatch.setattr(tiny, "AUDIO", AUDIO)
    monkeypatch.setattr(tiny, "NO_TEXT", tiny.NO_TEXT | {"projection_dim": DIM})
    monkeypatch.setattr(tiny, "DIM", DIM)
    monkeypatch.setattr(alignment, "Teacher", WordTeacher)
    monkeypatch.setattr(alignment, "Tagger", Deaf)
    monkeypatch.setattr(alignment, "pretraining_clips", lambda *_: [store])
    sample = WordTeacher().embed([f"{a} {b}" for a in captions.WORDINGS for b in CLASSES])
    monkeypatch.setattr(alignment, "sample_embeddings", lambda teacher: sample)
    monkeypatch.setattr(alignment, "AUDIOSET", {name: captions.AUDIOSET[name] for name in list(captions.AUDIOSET)[:9]})
    few = {name: wordings[: LAST + 1] for name, wordings in captions.WORDINGS.items()}  # so that each is drawn
    monkeypatch.setattr(alignment, "WORDINGS", few)
    monkeypatch.setattr(alignment, "KEPT_AT_ONCE", 64)
    monkeypatch.setattr(alignment, "STEPS", 200)
    monkeypatch.setattr(alignment, "RATE", 5e-3)
    TextSpace.fit(sample, DIM).save(tmp_path / "space.npz")
    tower = AudioTower(new_model(AUDIO, tiny.NO_TEXT, DIM))
    write_safetensors(tmp_path / "audio.safetensors", tower.state_dict(), {"format": "pt"})
    monkeypatch.setattr(alignment, "_embeddings", heard)  # a random tower hears all clips nearly alike
    return tmp_path


def heard(tower: AudioTower, store: MelStore, rows: list[ClipRow]) -> torch.Tensor:
    """A place for each class, with noise: (views, clips, DIM)."""
    rng = np.random.default_rng(5)
    places = rng.standard_normal((len(CLASSES), DIM))[[CLASSES.index(r.label) for r in rows]]
    return F.normalize(torch.tensor(places + 0.5 * rng.standard_normal((2, *places.shape))).float(), dim=-1)


def loss(store: MelStore, space: TextSpace, wording: int = 0) -> float:
    """Of one wording of the captions of all clips, among those of the ten classes, at the scale of the first step."""
    audio = heard(None, store, store.rows)[0]
    phrases = [captions.WORDINGS[caption][wording] for caption in (class_names.ESC50[c] for c in CLASSES)]
    text = torch.from_numpy(space.project(WordTeacher().embed(phrases)))
    return float(F.cross_entropy(audio @ text.T / 0.07, torch.tensor([CLASSES.index(r.label) for r in store.rows])))


def test_the_map_comes_to_where_the_tower_hears(work: Path, store: MelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alignment, "HELD", 0.0)
    before = alignment.text_map(work)
    weights = (work / "audio.safetensors").read_bytes()
    alignment.align(work, work)
    after = alignment.text_map(work)
    assert not np.allclose(before.basis, after.basis)
    assert loss(store, after) < 0.8 * loss(store, before)
    assert (work / "audio.safetensors").read_bytes() == weights


def test_the_labels_of_tasks_stay_and_other_wordings_come(work: Path, store: MelStore) -> None:
    before, labels = alignment.text_map(work), WordTeacher().embed(alignment.task_prompts())
    alignment.align(work, work)
    after = alignment.text_map(work)
    assert (before.project(labels) * after.project(labels)).sum(1).min() > 0.95
    assert loss(store, after, wording=LAST) < 0.9 * loss(store, before, wording=LAST)


def test_labels_stay_where_the_text_tower_that_it_starts_from_has_them(work: Path, artifacts_folder: Path) -> None:
    model = artifacts_folder / "model"
    places = alignment.label_places(alignment.text_map(work), WordTeacher(), model)
    assert np.array_equal(places, Checkpoint.from_folder(model).embed_text(alignment.task_prompts()).numpy())
    assert not np.allclose(places, alignment.label_places(alignment.text_map(work), WordTeacher(), None))


def test_the_same_seed_gives_the_same_map(work: Path) -> None:
    first = TextSpace.load(alignment.align(work, work, seed=3))
    assert np.array_equal(TextSpace.load(alignment.align(work, work, seed=3)).basis, first.basis)
    assert not np.array_equal(TextSpace.load(alignment.align(work, work, seed=4)).basis, first.basis)


def test_without_an_audio_tower_it_says_what_to_run(work: Path) -> None:
    (work / "audio.safetensors").unlink()
    with pytest.raises(TaskVecError, match="pretrain"):
        alignment.align(work, work)
