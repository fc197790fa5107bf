"""Gains, their intervals, and predictors of gains: laws on made-up runs; one small matrix trained for real."""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import torch.nn.functional as F

from taskvec_demo.clap.features import FeatureConfig
from taskvec_demo.cli import main
from taskvec_demo.lab.data.datasets import ClipRow
from taskvec_demo.lab.studies.relations.gains import discoveries, rank_correlation, split_half_correlation
from taskvec_demo.lab.studies.relations.matrices import matrix
from taskvec_demo.lab.studies.relations.predictors import auc, judged
from taskvec_demo.lab.studies.relations.runs import run
from taskvec_demo.lab.studies.relations.study import differences
from taskvec_demo.lab.tiny_clap.architecture import FEATURES
from taskvec_demo.recordings.splits import SPLITS
from taskvec_demo.serve.artifacts import read_json
from taskvec_demo.serve.studies.relations import network as network_module
from taskvec_demo.serve.studies.relations.gains import Gain, gain
from taskvec_demo.serve.studies.relations.inputs import STATISTICS, Standard
from taskvec_demo.serve.studies.relations.network import DROPOUT, SharedNetwork, dropout
from taskvec_demo.serve.studies.relations.predictors import left_out_scores
from taskvec_demo.serve.studies.relations.tasks import RelatedTask, task_clips, training_part
from taskvec_demo.serve.studies.relations.training import POINTS, Run, Setup, train, training

SEEDS = range(2)


def made_run(task: str, correct: np.ndarray) -> Run:
    curve = {task: np.zeros((len(correct), POINTS), np.float32)}
    return Run((task,), {task: correct}, curve, curve)


def sources(n: int, each: int = 1) -> np.ndarray:
    return np.array([f"s{i // each:03}" for i in range(n)])


# ---- gains ----------------------------------------------------------------------------------------------------------
def test_no_difference_is_no_gain():
    correct = np.random.default_rng(0).random((3, 50)) < 0.5
    g = gain("a", "b", made_run("a", correct), made_run("a", correct), sources(50))
    assert (g.gain, g.low, g.high, g.p) == (0.0, 0.0, 0.0, 1.0)


def test_a_gain_is_the_difference_of_the_mean_accuracies_and_lies_in_its_interval():
    draw = np.random.default_rng(1)
    before, after = draw.random((4, 200)) < 0.4, draw.random((4, 200)) < 0.7
    g = gain("a", "b", made_run("a", before), made_run("a", after), sources(200))
    assert g.gain == pytest.approx(after.mean() - before.mean())
    assert g.low < g.gain < g.high
    assert g.low > 0
    assert g.p < 0.01


def test_clips_of_one_source_count_as_one():
    """The same answers, once as 192 recordings and once as twelve: the interval must know the difference."""
    draw = np.random.default_rng(2)
    better = draw.random(12) < 0.6
    before, after = np.zeros((1, 192), bool), np.repeat(better, 16)[None]
    many = gain("a", "b", made_run("a", before), made_run("a", after), sources(192))
    few = gain("a", "b", made_run("a", before), made_run("a", after), sources(192, each=16))
    assert few.gain == many.gain
    assert few.high - few.low > 2 * (many.high - many.low)
    assert few.p > many.p
    assert (few.n_sources, few.drawn) == (12, "sources")


def test_clips_are_drawn_where_sources_are_no_sample():
    """One speaker, drawn again and again, would leave no uncertainty at all."""
    draw = np.random.default_rng(6)
    before, after = draw.random((1, 96)) < 0.5, draw.random((1, 96)) < 0.6
    one = gain("a", "b", made_run("a", before), made_run("a", after), sources(96, each=96))
    each = gain("a", "b", made_run("a", before), made_run("a", after), sources(96))
    assert (one.low, one.high, one.p) == (each.low, each.high, each.p)
    assert one.low < one.gain < one.high
    assert (one.n_sources, one.drawn) == (1, "clips")


def test_discoveries_follow_benjamini_and_hochberg():
    assert discoveries([0.01, 0.02, 0.03, 0.9]) == [True, True, True, False]
    assert discoveries([0.02, 0.9, 0.9, 0.9]) == [False] * 4
    assert discoveries([0.04, 0.05]) == [True, True]


def of_seeds(*by_seed: float, task: str = "a", partner: str = "b") -> Gain:
    return Gain(task, partner, 0.5, float(np.mean(by_seed)), 0.0, 0.0, 1.0, 10, 10, "clips", by_seed)


def test_halves_of_the_seeds_agree_where_seeds_do_not_matter():
    draw = np.random.default_rng(3)
    effect = draw.normal(size=40)
    same = [of_seeds(e, e, e, e) for e in effect]
    noise = [of_seeds(*draw.normal(size=4)) for _ in effect]
    assert split_half_correlation(same).value == pytest.approx(1.0)
    halves = split_half_correlation(noise)
    assert abs(halves.value) < 0.4
    assert halves.low <= halves.value <= halves.high


def test_a_matrix_agrees_with_itself_and_not_with_its_negative():
    draw = np.random.default_rng(4)
    a = {(f"t{i}", f"t{j}"): float(draw.normal()) for i in range(6) for j in range(6) if i != j}
    assert rank_correlation(a, a).value == pytest.approx(1.0)
    assert rank_correlation(a, {k: -v for k, v in a.items()}).value == pytest.approx(-1.0)


# ---- inputs ---------------------------------------------------------------------------------------------------------
def test_a_standard_gives_mean_0_and_deviation_1_and_survives_json():
    inputs = np.random.default_rng(8).normal(5, 3, (200, 4)).astype(np.float32)
    inputs[:, 3] = 7.0  # a feature that never varies is not divided by 0
    standard = Standard.of(inputs)
    assert standard(inputs).mean(0) == pytest.approx(0, abs=1e-4)
    assert standard(inputs).std(0)[:3] == pytest.approx(1, abs=1e-4)
    again = Standard.from_dict(json.loads(json.dumps(standard.to_dict())))
    assert np.array_equal(again(inputs), standard(inputs))


# ---- predictors -----------------------------------------------------------------------------------------------------
def test_auc_counts_ordered_pairs():
    assert auc(np.array([1.0, 2.0, 3.0, 4.0]), np.array([False, False, True, True])) == 1.0
    assert auc(np.array([1.0, 1.0]), np.array([False, True])) == 0.5


def test_a_feature_that_decides_the_gain_is_found_and_noise_is_not():
    draw = np.random.default_rng(5)
    names = [f"t{i}" for i in range(8)]
    cells = [(a, b) for a in names for b in names if a != b]
    helpful = {n: draw.normal() for n in names}
    gains = [of_seeds(helpful[b], task=a, partner=b) for a, b in cells]
    telling = np.array([[helpful[b]] for _, b in cells])
    silent = draw.normal(size=(len(cells), 1))
    assert judged("telling", telling, gains).auc > 0.95
    assert judged("telling", telling, gains).p < 0.05
    assert judged("silent", silent, gains).p > 0.05


def test_a_left_out_task_does_not_teach_its_own_regression():
    """Labels that contradict the rest only within the left-out task do not change its scores."""
    x = np.linspace(-1, 1, 12)[:, None]
    task = ["a"] * 4 + ["b"] * 4 + ["c"] * 4
    positive = x[:, 0] > 0
    flipped = positive.copy()
    flipped[:4] = ~flipped[:4]
    assert left_out_scores(x, positive, task)[:4] == pytest.approx(left_out_scores(x, flipped, task)[:4])
    assert left_out_scores(x, positive, task)[4:] != pytest.approx(left_out_scores(x, flipped, task)[4:])


# ---- tasks and training ---------------------------------------------------------------------------------------------
def made_rows(dataset: str, n: int = 60) -> list[ClipRow]:
    return [
        ClipRow(dataset, f"{i}.wav", "abc"[i % 3], SPLITS[i // 3 % 3 if i % 2 else 0], f"g{i // 6}", "")
        for i in range(n)
    ]


def made_task(name: str) -> RelatedTask:
    return RelatedTask(name, name, (name,), lambda row: row.label)


def test_a_share_of_the_data_is_drawn_by_class():
    clips = task_clips(made_task("s"), made_rows("s", 300))
    part = training_part(clips, 0.1, seed=0)
    assert set(clips.split[part]) == {0}
    assert set(clips.label[part]) == {0, 1, 2}
    assert len(part) == pytest.approx(0.1 * len(clips.of("train")), abs=3)
    assert list(training_part(clips, 0.1, seed=1)) != list(part)
    assert list(training_part(clips, 1.0, seed=0)) == list(clips.of("train"))


@pytest.mark.parametrize(("body", "shape"), [("mlp", (6, 12)), ("cnn", (6, 16, 16))])
def test_seeds_are_independent_networks(body, shape):
    x = torch.randn(1, *shape, generator=torch.Generator().manual_seed(0))
    two = SharedNetwork(body, shape[1], {"t": 3}, range(2)).eval()
    second = SharedNetwork(body, shape[1], {"t": 3, "u": 4}, range(1, 2)).eval()
    logits = two(x.expand(2, *x.shape[1:]), "t")
    assert torch.allclose(logits[1], second(x, "t")[0], atol=1e-6)
    assert not torch.allclose(logits[0], logits[1], atol=1e-3)


def setup(tasks=("s", "u")) -> Setup:
    rows = [r for name in tasks for r in made_rows(name, 120)]
    draw = np.random.default_rng(7)
    inputs = np.array([np.eye(3)["abc".index(r.label)] for r in rows]) + 0.3 * draw.normal(size=(len(rows), 3))
    clips = {name: task_clips(made_task(name), rows) for name in tasks}
    return Setup("mlp", 1.0, 40, SEEDS, torch.tensor(inputs, dtype=torch.float32), clips)


@pytest.mark.parametrize("shape", [(6, 64, 256), (6, 64, 64), (3, 5)])
def test_dropout_has_the_bits_of_torchs(shape):
    values = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    own, torchs = values.clone().requires_grad_(), values.clone().requires_grad_()
    draw = torch.Generator().manual_seed(2)
    torch.manual_seed(2)
    for _ in range(3):
        ours, theirs = dropout(own, draw), F.dropout(torchs, DROPOUT)
        assert torch.equal(ours, theirs)
        ours.square().sum().backward()
        theirs.square().sum().backward()
    assert torch.equal(own.grad, torchs.grad)
    assert not torch.equal(ours, values)


@pytest.mark.parametrize("body", ["mlp", "cnn"])
def test_a_run_has_the_figures_of_torchs_dropout(body, monkeypatch):
    """The shipped figures were measured with dropout from torch's one generator, seeded with the number of tasks."""
    asked = setup() if body == "mlp" else replace(setup(), body="cnn", inputs=setup().inputs[:, None].repeat(1, 8, 3))
    ours = train(asked, ["s", "u"])
    monkeypatch.setattr(network_module, "dropout", lambda x, draw: F.dropout(x, DROPOUT))
    torch.manual_seed(2)
    assert same(ours, train(asked, ["s", "u"]))
    assert not same(ours, train(asked, ["s", "u"]))  # the generator has gone on


def test_a_run_neither_hears_nor_disturbs_what_else_the_process_draws():
    ours = train(setup(), ["s"])
    before = torch.get_rng_state()
    assert same(ours, train(setup(), ["s"]))
    assert torch.equal(torch.get_rng_state(), before)
    assert same(ours, beside_another(training(setup(), ["s"])))


def beside_another(steps: Generator[float, None, Run]) -> Run:
    """The run of a training between whose steps something else draws from torch's one generator."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value
        torch.rand(7)


def same(one: Run, other: Run) -> bool:
    """Whether two runs have the same answers, curves and losses to the last bit."""
    pairs = zip((one.correct, one.curve, one.loss), (other.correct, other.curve, other.loss), strict=True)
    return all(np.array_equal(a[task], b[task]) for a, b in pairs for task in a)


def test_a_run_learns_and_is_not_computed_twice(tmp_path, monkeypatch):
    first = run(setup(), ["s"], tmp_path)
    assert first.accuracy("s").min() > 0.8
    monkeypatch.setattr("taskvec_demo.lab.studies.relations.runs.train", None)  # calling it would fail
    again = run(setup(), ["s"], tmp_path)
    assert np.array_equal(again.correct["s"], first.correct["s"])
    with pytest.raises(TypeError):  # other inputs are another run
        run(replace(setup(), inputs=setup().inputs + 1), ["s"], tmp_path)
    clips = setup().clips
    mended = {**clips, "s": replace(clips["s"], label=clips["s"].label[::-1].copy())}
    with pytest.raises(TypeError):  # and so are other labels of the same clips
        run(replace(setup(), clips=mended), ["s"], tmp_path)


def test_a_matrix_has_both_directions_of_every_pair(tmp_path):
    measured = matrix(setup(), tmp_path, lambda step: None)
    assert [(g.task, g.partner) for g in measured.gains] == [("s", "u"), ("u", "s")]
    assert all(g.n_clips == len(setup().clips[g.task].of("test")) for g in measured.gains)


def test_a_check_finds_what_differs():
    cell = {"task": "a", "partner": "b", "gain": 0.1}
    one = {"name": "mlp", "title": "Together", "fraction": 0.1, "measure": "gain", "cells": [cell]}
    shipped = {"matrices": [{**one, "alone": {"a": {"accuracy": 0.5}}}]}
    assert differences(shipped, shipped, 0.02) == []
    fresh = {"matrices": [{**shipped["matrices"][0], "cells": [{**cell, "gain": 0.2}]}]}
    assert differences(shipped, fresh, 0.02) == ["Together, 10 %: a with b 0.100, now 0.200"]
    assert differences(shipped, {"matrices": []}, 0.02) == ["Together, 10 %: not measured again"]


# ---- the command ----------------------------------------------------------------------------------------------------
def write_set(folder: Path, pitches: dict[str, int], genders: tuple[str, ...] = ("",)) -> None:
    """Half-second tones of one pitch a class, of sources that lie in one split each."""
    folder.mkdir()
    lines = ["file,label,split,fold,group,gender,seconds"]
    time = np.arange(8000) / 16_000
    for label, pitch in pitches.items():
        for i in range(9):
            gender = genders[i % len(genders)]
            name = f"{label}_{i}.wav"
            pitched = pitch * (2 if gender == "female" else 1)
            soundfile.write(folder / name, 0.5 * np.sin(2 * np.pi * (pitched + 7 * i) * time), 16_000)
            lines.append(f"{name},{label},{SPLITS[i % 3]},,{label}{i},{gender},0.5")
    (folder / "clips.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_set(folder / "fsdd", {"digit_0": 300, "digit_1": 900})
    write_set(folder / "drums", {"kick": 120, "hat": 4000})
    write_set(folder / "ravdess", {"happy": 400, "sad": 200}, ("female", "male"))
    write_set(folder / "nemo", {"happy": 450, "sad": 250}, ("female", "male"))
    return folder


def test_the_quick_study_is_measured_resumed_and_checked(data, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("taskvec_demo.lab.studies.relations.predictors.PERMUTATIONS", 10)
    options = ["study", "relations", "--data", str(data), "--work", str(tmp_path / "work")]
    shipped = tmp_path / "work" / "relations" / "quick" / "study.json"
    assert main([*options, "--quick", "--check"]) == 2
    assert "study.json is missing" in capsys.readouterr().err
    assert main([*options, "--quick"]) == 0
    assert "reached: Halves of the seeds agree" in capsys.readouterr().out
    contents = read_json(shipped)
    assert [(m["name"], m["fraction"]) for m in contents["matrices"]] == [("mlp", 0.1), ("cnn", 0.1)]
    tasks = ("digits", "drums", "gender")
    for m in contents["matrices"]:
        assert [(c["task"], c["partner"]) for c in m["cells"]] == [(a, b) for a in tasks for b in tasks if a != b]
        assert all(c["low"] <= c["gain"] <= c["high"] and c["n_clips"] > 0 for c in m["cells"])
        assert [len(c["mean"]) for c in m["curves"]] == [POINTS] * len(m["cells"])
    assert len(contents["triples"]) == 2 * len(tasks)
    standard = Standard.from_dict(contents["inputs"])
    assert FeatureConfig(**contents["inputs"]["features"]) == FEATURES
    assert len(standard.mean) == len(standard.deviation) == STATISTICS * FEATURES.n_mels
    assert len(contents["answers"]) == 4
    monkeypatch.setattr("taskvec_demo.lab.studies.relations.runs.train", None)  # calling it would fail
    assert main([*options, "--quick", "--check"]) == 0
    contents["matrices"][0]["cells"][0]["gain"] += 0.5
    shipped.write_text(json.dumps(contents), encoding="utf-8")
    assert main([*options, "--quick", "--check"]) == 1
    assert "digits with drums" in capsys.readouterr().out
