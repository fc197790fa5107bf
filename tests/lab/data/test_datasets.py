"""The offline side on made-up clips: data, pretraining, fine-tuning and the choice of presets."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from taskvec_demo.clap.model import Checkpoint
from taskvec_demo.errors import TaskVecError
from taskvec_demo.lab.data.augment import augment, coloured, mixup, moved, warped
from taskvec_demo.lab.data.datasets import ClipRow, MelStore, read_rows
from taskvec_demo.lab.data.embedding import embed_rows, embed_tasks
from taskvec_demo.lab.data.experiment import Experiment, task_heads
from taskvec_demo.lab.tiny_clap import architecture as tiny
from taskvec_demo.lab.tiny_clap import captions, class_names
from taskvec_demo.lab.tiny_clap.rewording_accuracy import rewording_accuracy
from taskvec_demo.lab.tiny_clap.rewordings import FAR_FETCHED, LABELS, REWORDINGS, held_out
from taskvec_demo.lab.tiny_clap.study import ANALOGY_CLASSES, FINE_TUNINGS, TINY, VOICES

PER_SPLIT = {"train": 3, "validation": 2, "test": 2}


def made_up_rows() -> list[ClipRow]:
    rows: list[ClipRow] = []
    for dataset, names in (
        ("esc50", class_names.ESC50),
        ("urban", class_names.URBAN),
        ("philharmonia", class_names.INSTRUMENTS),
        ("ravdess", class_names.EMOTION),
        ("animals", class_names.ANIMAL_CLASSES),
        ("fsdd", class_names.DIGIT_CLASSES),
        ("gtzan_mini", class_names.GENRES),
        ("kitchen20", class_names.KITCHEN),
        ("nemo", VOICES),
    ):
        for name in names:
            gender, label = name.split("_", 1) if dataset in ("ravdess", "nemo") else ("", name)
            for split, n in PER_SPLIT.items():
                for i in range(n):
                    file = f"{name}/{split}{i}.opus"
                    rows.append(ClipRow(dataset, file, label, split, f"{name}{split}", gender, len(rows), 1))
    return rows


@pytest.fixture(scope="module")
def store() -> MelStore:
    """Made-up clips: each class has a spectrum of its own under noise, so that it can be learned."""
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
    write_set(tmp_path, "esc50", [("a.wav", "dog_bark", "test", "77"), ("b.wav", "rain", "train", "1")])
    write_set(tmp_path, "urban", [("c.wav", "dog_bark", "train", "77"), ("d.wav", "siren", "train", "78")])
    assert [r.file for r in read_rows(tmp_path, ("esc50", "urban"))] == ["a.wav", "b.wav", "d.wav"]


def test_a_missing_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(TaskVecError, match=r"clips\.csv is missing"):
        read_rows(tmp_path)


def test_windows_are_cached_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_set(tmp_path / "data", "esc50", [("a.wav", "rain", "train", "1"), ("b.wav", "rain", "test", "2")])
    monkeypatch.setattr("taskvec_demo.lab.data.datasets.read_rows", lambda data: read_rows(data, ("esc50",)))
    first = MelStore.open(tmp_path / "work", tmp_path / "data", tiny.FEATURES)
    with monkeypatch.context() as built:
        built.setattr("taskvec_demo.lab.data.datasets._build", None)
        again = MelStore.open(tmp_path / "work", tmp_path / "data", tiny.FEATURES)
    assert again.rows == first.rows
    assert np.array_equal(again.mel[:2], first.mel[:2])
    assert len(again.select(split="test")) == 1
    replaced = np.random.default_rng(9).normal(0, 0.1, 20_000)
    soundfile.write(tmp_path / "data" / "esc50" / "a.wav", replaced, 16_000)  # another sound of the same name
    other = MelStore.open(tmp_path / "work", tmp_path / "data", tiny.FEATURES)
    assert not np.array_equal(other.mel[0], first.mel[0])
    assert np.array_equal(other.mel[1], first.mel[1])


# -- what each training sees -----------------------------------------------------------------------------------------


def test_the_vectors_of_the_analogy_never_see_d(store: MelStore) -> None:
    d = ANALOGY_CLASSES[3].split("_")
    for name in ANALOGY_CLASSES[:3]:
        rows, labels, prompts = TINY.training_set(store, FINE_TUNINGS[name], "train")
        assert class_names.EMOTION[ANALOGY_CLASSES[3]] not in prompts
        assert not [r for r in rows if [r.gender, r.label] == d]
        own = {(r.gender, r.label) for r, label in zip(rows, labels, strict=True) if label == 0}
        assert own == {tuple(name.split("_"))}  # its own class by name …
        assert prompts[1:] == ["a woman speaking", "a man speaking"]
        assert all(
            prompts[k].startswith(f"a {'wo' * (r.gender == 'female')}man") for r, k in zip(rows, labels, strict=True)
        )
    rows, *_ = TINY.training_set(store, FINE_TUNINGS["emotion"], "train")
    assert [r for r in rows if [r.gender, r.label] == d]  # the filter is not empty-handed by accident


def test_a_set_that_is_learned_also_gives_training_clips_and_is_never_measured(store: MelStore) -> None:
    spec = FINE_TUNINGS["instruments"]
    row = next(r for r in store.rows if r.dataset == "philharmonia")
    (name,) = spec.also
    more = [replace(row, dataset=name, split="train"), replace(row, dataset=name, split="train", label="kazoo")]
    with_it = MelStore([*store.rows, *more], store.mel)
    rows, labels, prompts = TINY.training_set(with_it, spec, "train")
    before, *_ = TINY.training_set(store, spec, "train")
    assert rows == [*before, more[0]]  # no class of the task is called kazoo
    assert prompts[labels[-1]] == class_names.INSTRUMENTS[row.label]
    for split in ("validation", "test"):
        assert TINY.labelled(with_it, "instruments", split) == TINY.labelled(store, "instruments", split)


def test_another_voice_moves_a_peak_by_a_few_bands_and_leaves_a_flat_spectrum_flat() -> None:
    torch.manual_seed(0)
    flat = torch.full((32, 6, 64), -40.0)
    assert torch.allclose(warped(flat), flat)
    peak = flat.clone()
    peak[:, :, 30] = 0
    bands = warped(peak).mean(1).argmax(1) - 30
    assert bands.abs().max() <= 0.1 * 33 + 2 + 1
    assert len(bands.unique()) > 3


def test_another_microphone_adds_one_smooth_curve_to_all_frames() -> None:
    torch.manual_seed(0)
    gains = coloured(32, 64)
    assert gains.shape == (32, 1, 64)
    bends = gains.diff(n=2).abs() > 1e-4
    assert 0 < bends.sum(-1).max() <= 2 * 3  # three inner corners, each between two bands


def test_without_other_timbres_the_draws_are_those_of_earlier_trainings() -> None:
    x = torch.randn(4, 256, 64)
    torch.manual_seed(1)
    plain = augment(x)
    torch.manual_seed(1)
    assert torch.equal(augment(x, 0.0), plain)
    torch.manual_seed(1)
    assert not torch.equal(augment(x, 1.0), plain)


def test_a_window_that_is_moved_is_the_same_but_for_gain_and_beginning() -> None:
    torch.manual_seed(0)
    x = torch.randn(4, 256, 64)
    for before, after in zip(x, moved(x), strict=True):
        shift = (after.mean(1) - after.mean()).argmax() - (before.mean(1) - before.mean()).argmax()
        difference = after - before.roll(int(shift), 0)
        assert float(difference.std()) < 1e-5
        assert float(difference.mean().abs()) > 1e-3


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


# -- measuring -------------------------------------------------------------------------------------------------------


def test_clips_of_two_tasks_are_embedded_alike(store: MelStore, checkpoint: Checkpoint) -> None:
    clips = {t: TINY.labelled(store, t, "test")[0] for t in ("emotion", "analogy")}
    together = embed_tasks(checkpoint, store, clips)
    alone = embed_rows(checkpoint, store, clips["analogy"])
    assert torch.allclose(together["analogy"], alone, atol=1e-5)
    assert not torch.allclose(together["analogy"][0], together["analogy"][-1], atol=1e-3)


# -- wordings --------------------------------------------------------------------------------------------------------


def test_no_held_out_wording_is_trained_on() -> None:
    plain = {p.lower() for task in REWORDINGS.values() for phrases in task.values() for p in phrases}
    trained = {w.lower() for names in (captions.WORDINGS, captions.AUDIOSET) for found in names.values() for w in found}
    assert not [w for w in trained if any(f" {phrase} " in f" {w} " for phrase in plain)]  # nor inside a longer one
    assert not trained & held_out()
    assert len(plain) >= 200


def test_further_wordings_are_of_names_that_exist() -> None:
    synonyms = json.loads(Path(captions.__file__).with_name("synonyms.json").read_text(encoding="utf-8"))
    assert synonyms.keys() <= captions.WRITTEN.keys()
    assert all(set(found) <= set(captions.WORDINGS[name]) for name, found in synonyms.items())


def test_rewordings_are_of_labels_that_exist() -> None:
    for task, wordings in (*REWORDINGS.items(), *FAR_FETCHED.items()):
        assert set(wordings) <= set(LABELS[task].values()), task


def test_reworded_counts_every_phrase_and_clip(store: MelStore, checkpoint: Checkpoint) -> None:
    report = rewording_accuracy(Experiment(TINY, checkpoint, {}, task_heads(checkpoint, TINY), store))
    n = sum(len(phrases) for task in REWORDINGS.values() for phrases in task.values())
    assert report["phrases"]["all"]["n"] == n
    far = sum(len(phrases) for task in FAR_FETCHED.values() for phrases in task.values())
    assert report["far_fetched"]["n"] == far
    assert len(report["phrases"]["wrong"]) == round(n * (1 - report["phrases"]["all"]["rate"]))
    assert report["control"]["n_clips"] == len(TINY.labelled(store, "esc50", "test")[0])
    assert 0 <= report["control"]["reworded"] <= 1
