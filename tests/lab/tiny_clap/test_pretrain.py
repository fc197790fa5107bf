"""Pretraining: what is told of each clip, what audio teachers add, and runs that resume."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from taskvec_demo.clap.model import AudioTower, Checkpoint, new_model
from taskvec_demo.core.weights import read_safetensors
from taskvec_demo.errors import TaskVecError
from taskvec_demo.lab.data.datasets import ClipRow, MelStore
from taskvec_demo.lab.tiny_clap import architecture as tiny
from taskvec_demo.lab.tiny_clap import audio_teachers, batches, pretrain, projection
from taskvec_demo.lab.tiny_clap.assembly import take_text_tower
from taskvec_demo.lab.tiny_clap.captions import NAMED, NAMES, TEMPLATES, WORDINGS, caption, told_by_name
from taskvec_demo.lab.tiny_clap.class_names import EMOTION
from tests.support.random_artifacts import AUDIO, DIM

PER_CLASS, CLIPS_OF_A_SOURCE = 40, 2
TAG_NAMES = ("Rain", "Dog", "Speech")


def made_up_rows(sets: tuple[str, ...] = tuple(NAMES), n: int = PER_CLASS) -> list[ClipRow]:
    rows = []
    for dataset in sets:
        for name in NAMES[dataset]:
            gender, label = name.split("_", 1) if NAMES[dataset] is EMOTION else ("", name)
            for i in range(n):
                split = "train" if i < 0.8 * n else "validation"
                source = f"{name}{i // CLIPS_OF_A_SOURCE}"
                rows.append(ClipRow(dataset, f"{name}/{i}.opus", label, split, source, gender, len(rows)))
    return rows


# -- captions --------------------------------------------------------------------------------------------------------


def test_targets_stay_half_known_in_every_class() -> None:
    rows = [r for r in made_up_rows() if r.split == "train"]
    told, named, clips = told_by_name(rows), Counter(), Counter()
    for row in rows:
        name = f"{row.gender}_{row.label}" if row.gender else row.label
        clips[row.dataset, name] += 1
        named[row.dataset, name] += caption(row, told) == NAMES[row.dataset][name]
    for (dataset, name), n in clips.items():
        share = NAMED.get(dataset, 1.0)
        assert share * n <= named[dataset, name] < share * n + CLIPS_OF_A_SOURCE, (dataset, name)


def test_no_source_is_told_both_ways_and_validation_clips_decide_nothing() -> None:
    rows = made_up_rows()
    told = told_by_name(rows)
    assert told == told_by_name([r for r in rows if r.split == "train"])
    ways: dict[tuple[str, str], set[bool]] = {}
    for row in rows:
        if row.dataset == "kitchen20":
            ways.setdefault((row.label, row.group), set()).add(caption(row, told) == "a kitchen noise")
    assert {len(found) for found in ways.values()} == {1}


def test_every_caption_has_wordings_and_unlabelled_sound_has_at_most_one() -> None:
    rows = made_up_rows()
    told = told_by_name(rows)
    assert {caption(r, told) for r in rows} <= set(WORDINGS)
    music, effect = (
        ClipRow(s, "a/b.opus", label, "train", "a", "") for s, label in (("music_x", "music"), ("fx_x", "fx"))
    )
    assert (caption(music, told), caption(effect, told)) == ("music", None)


# -- what is drawn ---------------------------------------------------------------------------------------------------


def test_sets_are_drawn_by_their_shares_and_rare_captions_more_often() -> None:
    rows = [ClipRow("esc50", f"{i}", "rain" if i else "dog", "train", "", "") for i in range(10)]
    rows += [ClipRow("drums", f"{i}", "kick", "train", "", "") for i in range(3)]
    rows += [ClipRow("fx_x", f"{i}", "fx", "train", "", "") for i in range(2)]
    names = sorted(WORDINGS)
    groups = batches.caption_groups(rows, names)
    weights = batches.draw_weights(rows, groups)
    assert groups[-1] == -1
    for name in ("esc50", "drums", "fx_x"):
        own = [w for w, r in zip(weights.tolist(), rows, strict=True) if r.dataset == name]
        assert sum(own) == pytest.approx(batches.SHARES[name])
    assert weights[0] / weights[1] == pytest.approx(3.0)  # 1 clip against 9
    assert sum(batches.SHARES.values()) == pytest.approx(1.0)


# -- teachers --------------------------------------------------------------------------------------------------------


def write_outputs(folder: Path, rows: list[ClipRow], size: int = 3) -> None:
    files, rng = [f"{r.dataset}/{r.file}" for r in rows], np.random.default_rng(0)
    for file in (audio_teachers.FIRST, audio_teachers.SECOND):
        names = [name for t in audio_teachers.TEACHERS if t.file == file for name in t.arrays]
        outputs = {name: rng.normal(3, 2, (len(rows), size)).astype(np.float16) for name in names}
        np.savez(folder / file, files=np.array(files), **outputs)


def test_lessons_are_normalized_over_the_sets_that_a_teacher_knows(tmp_path: Path) -> None:
    rows = [r for r in made_up_rows(("drums", "fsdd"), 10) if r.split == "train"]
    write_outputs(tmp_path, rows[1:])
    lessons = audio_teachers.Lessons([tmp_path], rows)
    assert lessons.rows == rows[1:]  # one that no teacher has heard is left out
    known = {"drums": 0, "fsdd": 0}
    for row, counts in zip(lessons.rows, lessons.counts.tolist(), strict=True):
        known[row.dataset] += 1
        assert counts == pytest.approx([1, 1, 1, 0, 0] if row.dataset == "drums" else [1, 1, 0.15, 1, 1])
    music = lessons.targets[2][: known["drums"]]
    assert torch.allclose(music.mean(0), torch.zeros(music.shape[1]), atol=1e-3)
    assert torch.allclose(music.std(0), torch.ones(music.shape[1]), atol=1e-2)
    with pytest.raises(TaskVecError, match=r"teachers\.npz is missing"):
        audio_teachers.Lessons([tmp_path / "none"], rows)


def test_a_clip_counts_nothing_for_a_teacher_that_has_not_heard_it(tmp_path: Path) -> None:
    rows = [r for r in made_up_rows(("drums", "fsdd"), 10) if r.split == "train"]
    write_outputs(tmp_path, rows)
    path = tmp_path / audio_teachers.FIRST
    with np.load(path) as stored:
        outputs = dict(stored)
    outputs["aisfx"][::2] = np.nan
    np.savez(path, **outputs)
    lessons = audio_teachers.Lessons([tmp_path], rows)
    assert lessons.rows == rows
    assert (lessons.counts[::2, 1] == 0).all()
    assert (lessons.counts[1::2, 1] == 1).all()
    assert (lessons.counts[:, 0] == 1).all()
    assert all(bool(t.isfinite().all()) for t in lessons.targets)
    heard = lessons.targets[1][1::2]
    assert torch.allclose(heard.mean(0), torch.zeros(heard.shape[1]), atol=1e-3)  # of what was heard


def test_heads_learn_what_counts_only() -> None:
    torch.manual_seed(0)
    heads = audio_teachers.Heads(8, [4] * 5)
    pooled, targets = torch.randn(6, 8), [torch.randn(6, 4) for _ in range(5)]
    counts = torch.ones(6, 5)
    counts[:, 3] = 0
    heads.loss(pooled, targets, counts).backward()
    moved = [any(bool(p.grad.any()) for p in head.parameters()) for head in heads]
    assert moved == [True, True, True, False, True]
    with torch.no_grad():
        own = [head(pooled) for head in heads]
    assert heads.loss(pooled, own, counts).item() == pytest.approx(0, abs=1e-5)


# -- the projection --------------------------------------------------------------------------------------------------


def test_the_projection_is_fitted_and_nothing_else_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projection, "STEPS", 60)
    torch.manual_seed(0)
    tower = AudioTower(new_model(AUDIO, tiny.NO_TEXT | {"projection_dim": DIM}, DIM)).eval()
    groups = torch.arange(24) % 3 - 1  # a third of the clips has no caption
    rng = np.random.default_rng(0)
    sounds = rng.normal(-40, 20, (3, 256, 64))
    mel = (sounds[groups] + rng.normal(0, 3, (24, 256, 64))).astype(np.float16)
    rows = [ClipRow("esc50", f"{i}", "rain", "train", "", "", i) for i in range(24)]
    names = torch.nn.functional.normalize(torch.randn(2, DIM), dim=-1)
    before = {name: t.clone() for name, t in tower.state_dict().items()}
    scale = projection.fit_projection(tower, MelStore(rows, mel), rows, groups, torch.ones(24), names)
    with torch.inference_mode():
        embedded = tower(torch.from_numpy(mel.astype(np.float32)).unsqueeze(1))
    told = groups >= 0
    assert ((embedded @ names.T).argmax(1) == groups)[told].all()
    changed = {name for name, t in tower.state_dict().items() if not torch.equal(t, before[name])}
    assert changed == {f"audio_projection.linear{i}.{part}" for i in (1, 2) for part in ("weight", "bias")}
    assert 1 < scale <= 100


# -- runs ------------------------------------------------------------------------------------------------------------


class Space:
    def project(self, rows: np.ndarray) -> np.ndarray:
        return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


class TextTeacher:
    def embed(self, texts: list[str], progress: bool = False) -> np.ndarray:
        return np.random.default_rng(len(texts)).normal(size=(len(texts), DIM)).astype(np.float32)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose clips are random numbers, with teachers that heard them, and a small tower to train."""
    rows = made_up_rows(("esc50", "fsdd"), 4)
    mel = np.random.default_rng(0).normal(-40, 10, (len(rows), 256, 64)).astype(np.float16)
    write_outputs(tmp_path, rows, size=len(TAG_NAMES))
    np.savez(tmp_path / "audioset_scores.npz", names=np.array(TAG_NAMES))
    monkeypatch.setattr(pretrain, "pretraining_clips", lambda *_: [MelStore(rows, mel)])
    monkeypatch.setattr(pretrain, "Teacher", TextTeacher)
    monkeypatch.setattr(pretrain, "text_space", lambda work, teacher: Space())
    monkeypatch.setattr(tiny, "AUDIO", AUDIO)
    monkeypatch.setattr(tiny, "NO_TEXT", tiny.NO_TEXT | {"projection_dim": DIM})
    monkeypatch.setattr(tiny, "DIM", DIM)
    return tmp_path


def test_the_tagger_gives_distributions_and_silence(data: Path) -> None:
    row = ClipRow("esc50", "a.opus", "rain", "train", "", "")
    for logits, expected in (([2.0, 0.0, -9.0], [0.638, 0.362, 0]), ([-3.0, -9.0, -9.0], [0, 0, 0])):
        np.savez(data / audio_teachers.FIRST, files=["esc50/a.opus"], yamnet=np.array([logits], np.float16))
        tagger = pretrain.Tagger(data, [data])
        assert tagger.target(row).tolist() == pytest.approx(expected, abs=1e-3)
    assert tagger.text.shape == (3, DIM)


def test_a_run_that_goes_on_keeps_the_text_tower(artifacts_folder: Path, tmp_path: Path) -> None:
    model = artifacts_folder / "model"
    bank = pretrain.CaptionBank(tmp_path, model)
    embedded = Checkpoint.from_folder(model).embed_text([t.format(bank.names[3]) for t in TEMPLATES])
    assert torch.allclose(bank.called[3], torch.nn.functional.normalize(embedded.mean(0), dim=0), atol=1e-6)
    take_text_tower(model, tmp_path)
    config = json.loads((model / "config.json").read_text())
    assert json.loads((tmp_path / "text" / "text_config.json").read_text()) == config["text_config"]
    before = tiny.tower_state(model, "audio_")
    tower = AudioTower(new_model(config["audio_config"], config["text_config"], config["projection_dim"]))
    trained = {name: t.clone() for name, t in tower.state_dict().items()}
    pretrain._move_back(tower, model)
    for name, t in tower.state_dict().items():
        if t.is_floating_point():
            assert torch.allclose(t, (trained[name] + before[name]) / 2, atol=1e-6), name
    kept, taken = tiny.tower_state(model, "text_"), read_safetensors(tmp_path / "text" / "text.safetensors")[0]
    assert kept.keys() == taken.keys()
    assert all(torch.equal(t, taken[name]) for name, t in kept.items())


def test_pretraining_saves_resumes_and_exports(data: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    pretrain.pretrain(work, data, steps=2)
    before = torch.load(work / "pretrain.pt", weights_only=True)
    out = pretrain.pretrain(work, data, steps=3)
    after = torch.load(work / "pretrain.pt", weights_only=True)
    assert (before["step"], after["step"]) == (2, 3)
    for part in ("tower", "heads"):
        assert any(not torch.equal(after[part][k], t) for k, t in before[part].items()), part
    assert [path.name for path in sorted(work.iterdir())] == ["audio.safetensors", "pretrain.pt", "teacher"]
    assert out == work / "audio.safetensors"


def test_a_run_goes_on_from_the_tower_it_began_from_only(data: Path, artifacts_folder: Path, tmp_path: Path) -> None:
    work, model = tmp_path / "work", artifacts_folder / "model"
    for steps in (1, 2):
        pretrain.pretrain(work, data, steps=steps, start=model)
    before = (work / "pretrain.pt").read_bytes()
    assert torch.load(work / "pretrain.pt", weights_only=True)["step"] == 2
    with pytest.raises(TaskVecError, match="began from another checkpoint, or from none"):
        pretrain.pretrain(work, data, steps=3)
    assert (work / "pretrain.pt").read_bytes() == before


def test_frozen_stages_stay_as_they_are(data: Path, tmp_path: Path) -> None:
    states = []
    for steps in (1, 2):
        pretrain.pretrain(tmp_path / "work", data, steps=steps, frozen_stages=2)
        states.append(torch.load(tmp_path / "work" / "pretrain.pt", weights_only=True)["tower"])
    moved = {name.split("audio_encoder.")[-1] for name, t in states[0].items() if not torch.equal(states[1][name], t)}
    assert not [n for n in moved if n.startswith(("batch_norm", "patch_embed", "layers.0.", "layers.1.blocks"))]
    assert [n for n in moved if n.startswith("layers.1.downsample")]
    assert [n for n in moved if n.startswith("layers.2.")]


def test_processes_take_the_step_of_their_mean_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    first, unused, second = (torch.nn.Parameter(torch.ones(shape)) for shape in ((2, 3), (1,), (4,)))
    (2 * first.sum() + 6 * second.sum()).backward()
    for n in (1, 2):
        monkeypatch.setattr(pretrain, "processes", lambda n=n: SimpleNamespace(num_processes=n))
        monkeypatch.setattr(pretrain, "reduce", lambda flat, how: flat / 2)  # the other process has no gradient
        pretrain._average_gradients([first, unused, second])
        assert (first.grad.unique().tolist(), second.grad.unique().tolist()) == ([2 / n], [6 / n])
    assert unused.grad is None
