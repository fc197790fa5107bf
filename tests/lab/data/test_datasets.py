"""The offline side on made-up clips: data, pretraining, fine-tuning and the choice of presets."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from taskvec_demo.clap.model import Checkpoint
from taskvec_demo.errors import TaskVecError
from taskvec_demo.lab.data.augment import augment, mixup
from taskvec_demo.lab.data.datasets import ClipRow, MelStore, read_rows
from taskvec_demo.lab.data.embedding import embed_rows, embed_tasks
from taskvec_demo.lab.data.experiment import Experiment, task_heads
from taskvec_demo.lab.tiny_clap import architecture as tiny
from taskvec_demo.lab.tiny_clap import captions, pretrain
from taskvec_demo.lab.tiny_clap.rewording_accuracy import rewording_accuracy
from taskvec_demo.lab.tiny_clap.rewordings import LABELS, REWORDINGS
from taskvec_demo.lab.tiny_clap.study import ANALOGY_CLASSES, FINE_TUNINGS, TINY
from tests.support.random_artifacts import AUDIO, DIM

PER_SPLIT = {"train": 3, "validation": 2, "test": 2}


def made_up_rows() -> list[ClipRow]:
    rows: list[ClipRow] = []
    for dataset, names in (
        ("esc10", captions.ESC10),
        ("urban", captions.URBAN),
        ("philharmonia", captions.INSTRUMENTS),
        ("ravdess", captions.EMOTION),
        ("animals", captions.ANIMAL_CLASSES),
        ("fsdd", captions.DIGIT_CLASSES),
    ):
        for name in names:
            gender, label = name.split("_", 1) if dataset == "ravdess" else ("", name)
            for split, n in PER_SPLIT.items():
                for i in range(n):
                    file = f"{name}/{split}{i}.opus"
                    rows.append(ClipRow(dataset, file, label, split, f"{name}{split}", gender, len(rows), 1))
    return rows


@pytest.fixture(scope="module")
def store() -> MelStore:
    """Every class has a spectrum of its own under noise: learnable, and nobody's recording."""
    rows = made_up_rows()
    rng = np.random.default_rng(0)
    spectra = {key: rng.normal(-40, 15, 64) for key in {(r.dataset, r.gender, r.label) for r in rows}}
    mel = np.stack([rng.normal(0, 4, (256, 64)) + spectra[r.dataset, r.gender, r.label] for r in rows])
    return MelStore(rows, mel.astype(np.float16))


@pytest.fixture(scope="module")
def checkpoint(artifacts_folder: Path) -> Checkpoint:
    return Checkpoint.from_folder(artifacts_folder / "model", "tiny-clap")


# -- data ------------------------------------------------------------------------------------------------------------


def write_set(data: Path, name: str, clips: list[tuple[str, str, str, str]]) -> None:
    (data / name).mkdir(parents=True)
    with (data / name / "clips.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "label", "split", "fold", "group", "gender", "seconds"])
        writer.writerows([(f, label, split, "", group, "", 1) for f, label, split, group in clips])
    for f, *_ in clips:
        soundfile.write(data / name / f, np.random.default_rng(len(f)).normal(0, 0.1, 16_000), 16_000)


def test_a_source_held_out_in_one_set_is_not_trained_on_in_the_other(tmp_path: Path) -> None:
    write_set(tmp_path, "esc10", [("a.wav", "dog_bark", "test", "77"), ("b.wav", "rain", "train", "1")])
    write_set(tmp_path, "urban", [("c.wav", "dog_bark", "train", "77"), ("d.wav", "siren", "train", "78")])
    assert [r.file for r in read_rows(tmp_path, ("esc10", "urban"))] == ["a.wav", "b.wav", "d.wav"]


def test_a_missing_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(TaskVecError, match=r"clips\.csv is missing"):
        read_rows(tmp_path)


def test_windows_are_cached_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_set(tmp_path / "data", "esc10", [("a.wav", "rain", "train", "1"), ("b.wav", "rain", "test", "2")])
    monkeypatch.setattr("taskvec_demo.lab.data.datasets.read_rows", lambda data: read_rows(data, ("esc10",)))
    first = MelStore.open(tmp_path / "work", tmp_path / "data", tiny.FEATURES)
    (tmp_path / "data" / "esc10" / "a.wav").unlink()
    again = MelStore.open(tmp_path / "work", tmp_path / "data", tiny.FEATURES)
    assert again.rows == first.rows
    assert np.array_equal(again.mel[:2], first.mel[:2])
    assert len(again.select(split="test")) == 1


# -- what each training sees -----------------------------------------------------------------------------------------


def test_pretraining_leaves_the_targets_half_known() -> None:
    def share_named(dataset: str, names: dict[str, str]) -> float:
        told = [
            captions.pretraining_caption(dataset, name, f"{name}/{i}", f"{name}{i}", "") == names[name]
            for name in names
            for i in range(200)
        ]
        return float(np.mean(told))

    assert share_named("esc10", captions.ESC10) == 1
    assert share_named("urban", captions.URBAN) == pytest.approx(captions.URBAN_NAMED, abs=0.04)
    assert share_named("philharmonia", captions.INSTRUMENTS) == pytest.approx(captions.INSTRUMENTS_NAMED, abs=0.03)
    told = {captions.pretraining_caption("ravdess", e, "", "", g) for e in captions.EMOTIONS for g in captions.GENDERS}
    assert told == {"a man speaking", "a woman speaking"}


def test_every_caption_of_pretraining_has_wordings(store: MelStore) -> None:
    told = {captions.pretraining_caption(r.dataset, r.label, r.file, r.group, r.gender) for r in store.rows}
    assert told <= set(captions.WORDINGS)


def test_the_vectors_of_the_analogy_never_see_d(store: MelStore) -> None:
    d = ANALOGY_CLASSES[3].split("_")
    for name in ANALOGY_CLASSES[:3]:
        rows, labels, prompts = TINY.training_set(store, FINE_TUNINGS[name], "train")
        assert captions.EMOTION[ANALOGY_CLASSES[3]] not in prompts
        assert not [r for r in rows if [r.gender, r.label] == d]
        own = {(r.gender, r.label) for r, label in zip(rows, labels, strict=True) if label == 0}
        assert own == {tuple(name.split("_"))}  # its own class by name …
        assert prompts[1:] == ["a woman speaking", "a man speaking"]
        assert all(
            prompts[k].startswith(f"a {'wo' * (r.gender == 'female')}man") for r, k in zip(rows, labels, strict=True)
        )
    rows, *_ = TINY.training_set(store, FINE_TUNINGS["emotion"], "train")
    assert [r for r in rows if [r.gender, r.label] == d]  # the filter is not empty-handed by accident


def test_augmentation_keeps_shape_and_changes_values() -> None:
    torch.manual_seed(0)
    x = torch.randn(4, 256, 64) * 10 - 40
    changed = augment(x)
    assert changed.shape == x.shape
    assert torch.isfinite(changed).all()
    assert not torch.equal(changed, x)
    mixed, target = mixup(x, torch.eye(4))
    assert mixed.shape == x.shape
    assert torch.allclose(target.sum(1), torch.ones(4))


# -- training --------------------------------------------------------------------------------------------------------


class RandomBank:
    """Random directions in place of the teacher's embeddings."""

    def __init__(self, work: Path) -> None:
        generator = torch.Generator().manual_seed(0)
        self.names = sorted(captions.WORDINGS)
        unit = torch.nn.functional.normalize(torch.randn(len(self.names), 1, DIM, generator=generator), dim=-1)
        self.wordings = list(unit)

    def draw(self) -> torch.Tensor:
        return torch.cat(self.wordings)


class RandomTagger:
    """A tagger of three names that hears nothing in every other clip."""

    def __init__(self, work: Path, data: Path) -> None:
        self.text = torch.nn.functional.normalize(torch.randn(3, DIM), dim=-1)

    def target(self, row: ClipRow) -> torch.Tensor:
        return torch.full((3,), row.first_window % 2 / 3)


def test_the_tagger_gives_distributions_and_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = np.array([[0.6, 0.2, 0.01], [0.05, 0.02, 0.01]], np.float16)
    names = ["Rain", "Dog", "Speech"]
    np.savez(tmp_path / "audioset_scores.npz", files=["esc10/a.opus", "esc10/b.opus"], mean=scores, names=names)

    class Teacher:
        def embed(self, texts):
            return np.random.default_rng(0).normal(size=(len(texts), 4)).astype(np.float32)

    class Space:
        def project(self, rows):
            return rows

    monkeypatch.setattr(pretrain, "Teacher", Teacher)
    monkeypatch.setattr(pretrain, "text_space", lambda work: Space())
    tagger = pretrain.Tagger(tmp_path, tmp_path)
    heard, silent = (tagger.target(ClipRow("esc10", f"{f}.opus", "rain", "train", "1", "")) for f in "ab")
    assert heard.tolist() == pytest.approx([0.75, 0.25, 0], abs=1e-3)
    assert not silent.any()
    assert tagger.text.shape == (3, 4)


def test_pretraining_saves_resumes_and_exports(
    tmp_path: Path, store: MelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pretrain, "CaptionBank", RandomBank)
    monkeypatch.setattr(pretrain, "Tagger", RandomTagger)
    monkeypatch.setattr(MelStore, "open", classmethod(lambda cls, *a: store))
    monkeypatch.setattr(tiny, "AUDIO", AUDIO)
    monkeypatch.setattr(tiny, "NO_TEXT", tiny.NO_TEXT | {"projection_dim": DIM})
    monkeypatch.setattr(tiny, "DIM", DIM)
    pretrain.pretrain(tmp_path, tmp_path, steps=2)
    before = torch.load(tmp_path / "pretrain.pt", weights_only=True)
    out = pretrain.pretrain(tmp_path, tmp_path, steps=3)
    after = torch.load(tmp_path / "pretrain.pt", weights_only=True)
    assert (before["step"], after["step"]) == (2, 3)
    assert any(not torch.equal(after["tower"][k], t) for k, t in before["tower"].items())
    assert out.is_file()
    assert not list(tmp_path.glob("*.partial"))


# -- measuring -------------------------------------------------------------------------------------------------------


def test_clips_of_two_tasks_are_embedded_alike(store: MelStore, checkpoint: Checkpoint) -> None:
    clips = {t: TINY.labelled(store, t, "test")[0] for t in ("emotion", "analogy")}
    together = embed_tasks(checkpoint, store, clips)
    alone = embed_rows(checkpoint, store, clips["analogy"])
    assert torch.allclose(together["analogy"], alone, atol=1e-5)
    assert not torch.allclose(together["analogy"][0], together["analogy"][-1], atol=1e-3)


# -- wordings --------------------------------------------------------------------------------------------------------


def test_no_held_out_wording_is_trained_on() -> None:
    held_out = {p.lower() for task in REWORDINGS.values() for phrases in task.values() for p in phrases.split("; ")}
    trained = {w.lower() for names in (captions.WORDINGS, captions.AUDIOSET) for found in names.values() for w in found}
    assert not [w for w in trained if any(f" {phrase} " in f" {w} " for phrase in held_out)]  # nor inside a longer one
    assert len(held_out) >= 200


def test_rewordings_are_of_labels_that_exist() -> None:
    for task, wordings in REWORDINGS.items():
        assert set(wordings) <= set(LABELS[task].values()), task


def test_reworded_counts_every_phrase_and_clip(store: MelStore, checkpoint: Checkpoint) -> None:
    report = rewording_accuracy(Experiment(TINY, checkpoint, {}, task_heads(checkpoint, TINY), store))
    n = sum(len(p.split("; ")) for task in REWORDINGS.values() for p in task.values())
    assert report["phrases"]["all"]["n"] == n
    assert len(report["phrases"]["wrong"]) == round(n * (1 - report["phrases"]["all"]["rate"]))
    assert report["esc10"]["n_clips"] == len(TINY.labelled(store, "esc10", "test")[0])
    assert 0 <= report["esc10"]["reworded"] <= 1
