"""Exact figures equal a direct computation, grow batch by batch and stop when told. Traces agree with `classify`."""

from __future__ import annotations

import csv
import itertools
import math
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from taskvec_demo.clap.features import log_mel
from taskvec_demo.core.edit import apply_recipe
from taskvec_demo.core.recipe import Analogy, Recipe
from taskvec_demo.core.zero_shot import clip_embedding
from taskvec_demo.errors import BadArtifactError, BadRecipeError
from taskvec_demo.lab.data.synth import synthesize
from taskvec_demo.recordings.audio import load_clip, windows
from taskvec_demo.serve import workbench as session
from taskvec_demo.serve.artifacts import Artifacts
from taskvec_demo.serve.exact_figures import FIRST_BATCH, steps
from taskvec_demo.serve.workbench import Workbench
from tests.support.sounds import RATE, noise, tone

CLASSES = {"esc50": ("rain", "rooster", "clock_tick"), "urban": ("siren", "jackhammer")}
PER_CLASS = 4
EDIT = {"urban": 0.5, "emotion": -0.3}


def recipe(**coefficients):
    return Recipe("tiny-clap", coefficients)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder in the layout of the recordings: `<set>/clips.csv`, 20 clips, some of two windows."""
    folder = tmp_path_factory.mktemp("data")
    for task, classes in CLASSES.items():
        (folder / task).mkdir()
        with (folder / task / "clips.csv").open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(("file", "label", "split"))
            for name in classes:
                for i in range(PER_CLASS):
                    samples = synthesize(task, name, 100 + i)
                    samples = np.concatenate([samples, samples[::-1]]) if i == 1 else samples
                    soundfile.write(folder / task / f"{name}{i}.flac", samples, RATE)
                    table.writerow((f"{name}{i}.flac", name, "validation"))
    return folder


@pytest.fixture(scope="module")
def artifacts(workbench):
    """Artifacts whose tasks say where their clips lie."""
    opened = Artifacts(workbench.artifacts.folder, verify=False)
    opened.tasks = {name: replace(t, clips_folders=(name,) * (name in CLASSES)) for name, t in opened.tasks.items()}
    return opened


@pytest.fixture
def measuring(artifacts, data):
    return Workbench(artifacts, data)


def directly(bench, coefficients):
    """Task -> {file name: predicted class}, one clip at a time."""
    weights = apply_recipe(bench.checkpoint.pretrained, bench.vectors, recipe(**coefficients))
    features, found = bench.checkpoint.features, {}
    for clip in bench.labelled.clips:
        mel = log_mel(windows(load_clip(clip.path, RATE).samples, features.n_samples)[:2], features).half().float()
        embedded = clip_embedding(bench.checkpoint.embed_audio(mel, weights))
        for task in clip.classes:
            logits = bench.artifacts.heads[task].logits(embedded[None], 1.0)
            found.setdefault(task, {})[clip.path.name] = int(logits.argmax())
    return found


# ---- exact figures --------------------------------------------------------------------------------------------------
def test_exact_on_all_clips_is_a_direct_computation(measuring):
    *_, last = measuring.exact(recipe(**EDIT), batch=7)
    assert (last.done, last.total) == (20, 20)
    assert [r.task.name for r in last.results] == list(CLASSES)  # in the tasks' order; those without clips are left out
    edited, pretrained = directly(measuring, EDIT), directly(measuring, {})
    assert edited != pretrained
    for result in last.results:
        assert (result.kind, result.split) == ("exact", "validation")
        clips = [c for c in measuring.labelled.clips if result.task.name in c.classes]
        assert result.labels.tolist() == [c.classes[result.task.name] for c in clips]
        assert result.predicted_edited.tolist() == [edited[result.task.name][c.path.name] for c in clips]
        assert result.predicted_pretrained.tolist() == [pretrained[result.task.name][c.path.name] for c in clips]
        assert result.mcnemar_p is not None


def test_figures_grow_and_intervals_narrow(measuring):
    streamed = list(measuring.exact(recipe(**EDIT), batch=5))
    assert [f.done for f in streamed] == [stop for _, stop in steps(20, 5)] == [4, 9, 14, 19, 20]
    counts = {name for _, before, _ in streamed[0].results[0].per_class if (name := before.n)}
    assert counts == {1}  # one clip of every class comes first
    for earlier, later in itertools.pairwise(streamed):
        for a, b in zip(earlier.results, later.results, strict=True):
            n = len(a.labels)
            assert n <= len(b.labels)
            assert np.array_equal(a.predicted_edited, b.predicted_edited[:n])  # nothing said is taken back
    first, last = streamed[0].results[0].edited, streamed[-1].results[0].edited
    assert last.high - last.low < first.high - first.low


@pytest.mark.parametrize("n", [1, 7])
def test_clips_that_cannot_be_read_are_left_out_and_named(artifacts, data, tmp_path, n):
    """The figures on the other clips do not change. The first batch may lose all its clips."""
    whole = Workbench(artifacts, data)
    copied = tmp_path / "copied"
    shutil.copytree(data, copied)
    broken = [clip.path.name for clip in whole.labelled.clips[:n]]
    for i, clip in enumerate(whole.labelled.clips[:n]):
        file = copied / clip.path.relative_to(data)
        file.write_bytes((b"", b"no sound", file.read_bytes()[:500])[i % 3])
    figures = list(Workbench(artifacts, copied).exact(recipe(**EDIT)))
    total = len(whole.labelled)
    assert (figures[-1].done, figures[-1].total, list(figures[-1].left_out)) == (total - n, total - n, broken)
    said = f"{n} of {total} clips cannot be read and {'is' if n == 1 else 'are'} left out: {', '.join(broken[:5])}"
    assert figures[-1].note == said + (f" and {n - 5} more." if n > 5 else ".")
    expected = directly(whole, EDIT)
    for result in figures[-1].results:
        kept = {name: c for name, c in expected[result.task.name].items() if name not in broken}
        assert result.edited.n == len(kept)
        assert sorted(result.predicted_edited.tolist()) == sorted(kept.values())


def test_closing_the_stream_stops_the_work(measuring, monkeypatch):
    embedded, embed = [], measuring.checkpoint.embed_audio
    monkeypatch.setattr(measuring.checkpoint, "embed_audio", lambda mel, w, **_: embedded.append(w) or embed(mel, w))
    stream = measuring.exact(recipe(**EDIT), batch=5)
    assert embedded == []  # nothing happens before it is asked for
    next(stream)
    stream.close()
    assert len(embedded) == 2  # one batch, both models
    assert list(stream) == []
    list(measuring.exact(recipe(**EDIT), batch=5))
    assert len(embedded) == 2 * len(list(steps(20, 5)))  # the batch that was done is not done again


def test_batches_grow_and_leave_nothing_out():
    for total, batch in ((0, 64), (5, 64), (100, 64), (100, 3)):
        bounds = list(steps(total, batch))
        assert [i for start, stop in bounds for i in range(start, stop)] == list(range(total))
        assert max((stop - start for start, stop in bounds), default=0) <= batch
    assert [stop - start for start, stop in steps(200, 64)] == [FIRST_BATCH, 8, 16, 32, 64, 64, 12]


def test_what_was_measured_is_kept_and_the_pretrained_model_is_measured_once(measuring, monkeypatch):
    embedded, embed = [], measuring.checkpoint.embed_audio
    monkeypatch.setattr(measuring.checkpoint, "embed_audio", lambda mel, w, **_: embedded.append(w) or embed(mel, w))
    once = list(measuring.exact(recipe(**EDIT), batch=10))
    again = list(measuring.exact(recipe(**EDIT), batch=10))
    n = len(list(steps(len(measuring.labelled), 10)))  # batches
    assert len(embedded) == 2 * n
    assert [r.to_dict() for r in once[-1].results] == [r.to_dict() for r in again[-1].results]
    list(measuring.exact(recipe(urban=0.2), batch=10))
    assert len(embedded) == 3 * n  # those of the new recipe alone
    same = list(measuring.exact(recipe(), batch=10))
    assert len(embedded) == 3 * n
    for result in same[-1].results:
        assert np.array_equal(result.predicted_edited, result.predicted_pretrained)


def test_streams_side_by_side_do_not_mix(measuring):
    recipes = [recipe(urban=x) for x in (-1.0, -0.6, 0.6, 1.0)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda r: list(measuring.exact(r, batch=6))[-1], recipes * 2))
    predicted = []
    for r, answer in zip(recipes * 2, answers, strict=True):
        expected = directly(measuring, dict(r.coefficients))
        for result in answer.results:
            assert sorted(result.predicted_edited) == sorted(expected[result.task.name].values())
        predicted.append(tuple(np.concatenate([r.predicted_edited for r in answer.results])))
    assert len(set(predicted)) > 1  # a mix-up would have been seen


def test_without_labelled_clips_there_is_nothing_exact(artifacts, monkeypatch):
    monkeypatch.setattr(session, "read_synthesized", lambda folder, tasks: [])
    without = Workbench(artifacts)
    assert list(without.exact(recipe(**EDIT))) == []
    with pytest.raises(BadRecipeError):
        without.exact(recipe(rural=1.0))
    with pytest.raises(BadArtifactError, match="holds no labelled validation clip"):
        Workbench(artifacts, artifacts.folder)


# ---- traces ---------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def example(workbench):
    return workbench.artifacts.examples[0]


def test_a_trace_passes_through_what_classify_says(workbench, example):
    around = recipe(urban=0.35, emotion=-0.3)
    trace = workbench.trace(example, around, "urban")
    assert trace.vector == "urban"
    assert np.allclose(trace.scaling_coefs, np.linspace(-1, 1, 41))
    assert list(trace.probabilities) == list(workbench.artifacts.default_labels)
    for i in (0, 20, 27, 40):
        at = recipe(urban=float(trace.scaling_coefs[i]), emotion=-0.3)
        expected = workbench.classify(example, at).edited
        assert all(abs(p[i] - expected[label]) < 1e-5 for label, p in trace.probabilities.items())
    assert float(trace.scaling_coefs[27]) == 0.35
    assert max(np.ptp(p) for p in trace.probabilities.values()) > 0.05
    assert trace.first_seconds is None


def test_a_trace_along_an_analogy_passes_through_what_classify_says(workbench, example):
    a, b, c = list(workbench.vectors)[-3:]
    trace = workbench.trace_analogy(example, recipe(urban=0.2), Analogy(a, b, c, 0.0), n_points=3)
    assert trace.scaling_coefs.tolist() == [0.0, 0.5, 1.0]
    for i, scaling_coef in enumerate(trace.scaling_coefs):
        at = recipe(urban=0.2, **{a: -scaling_coef, b: scaling_coef, c: scaling_coef})
        expected = workbench.classify(example, at).edited
        assert all(abs(p[i] - expected[label]) < 1e-4 for label, p in trace.probabilities.items())
    other = workbench.trace_analogy(example, recipe(urban=0.2), Analogy(b, a, c, 0.0), n_points=3)
    assert any(np.ptp([trace.probabilities[k][2], other.probabilities[k][2]]) > 0.01 for k in trace.probabilities)


def test_a_trace_does_not_depend_on_its_own_coefficient_but_on_the_others(workbench, example):
    a, b = (workbench.trace(example, recipe(urban=x, emotion=-0.3), "urban", n_points=5) for x in (0.35, -0.9))
    other = workbench.trace(example, recipe(emotion=0.8), "urban", n_points=5)
    assert all(np.array_equal(a.probabilities[k], b.probabilities[k]) for k in a.probabilities)
    assert not all(np.allclose(a.probabilities[k], other.probabilities[k], atol=1e-3) for k in a.probabilities)


def test_flips_are_where_the_answer_changes(workbench, example):
    found = workbench.trace(example, recipe(), "urban", "rain, a dog, a cello, a siren, wind", n_points=21)
    labels, values = list(found.probabilities), np.array(list(found.probabilities.values())).T
    assert values.shape == (21, 5)
    assert all(abs(math.fsum(row) - 1) < 1e-9 for row in values)
    top = [labels[i] for i in values.argmax(1)]
    changes = [(a, b) for a, b in itertools.pairwise(top) if a != b]
    assert [(a, b) for _, a, b in found.flips] == changes
    for scaling_coef, before, after in found.flips:
        nearest = np.flatnonzero(found.scaling_coefs < scaling_coef)[-1]
        assert (top[nearest], top[nearest + 1]) == (before, after)


def test_a_long_clip_is_traced_by_its_beginning_and_says_so(workbench, wav, tmp_path):
    start = np.concatenate([noise(5.0), tone(5.0)])
    for name, samples in (("short", start), ("long", np.concatenate([start, noise(9.0, seed=3)]))):
        soundfile.write(tmp_path / f"{name}.wav", samples, RATE)
    short, long = (workbench.trace(tmp_path / f"{n}.wav", recipe(), "urban", n_points=3) for n in ("short", "long"))
    assert short.first_seconds is None
    assert long.first_seconds == 10.0
    assert all(np.allclose(short.probabilities[k], long.probabilities[k], atol=1e-4) for k in short.probabilities)


def test_a_trace_is_computed_once_whatever_the_labels(workbench, example, monkeypatch):
    fresh, along = Workbench(workbench.artifacts), []
    embed = fresh.checkpoint.embed_along
    monkeypatch.setattr(fresh.checkpoint, "embed_along", lambda *a: along.append(a[2].name) or embed(*a))
    for labels in ("", "rain, a dog"):
        fresh.trace(example, recipe(urban=0.2), "urban", labels, n_points=3)
    fresh.trace(example, recipe(urban=0.9), "urban", n_points=3)
    assert along == ["urban"]
    fresh.trace(example, recipe(urban=0.9), "emotion", n_points=3)
    assert along == ["urban", "emotion"]


def test_tracing_changes_nothing_that_is_shared(workbench, example):
    before = [workbench.checkpoint.pretrained.buffer.clone(), *(v.buffer.clone() for v in workbench.vectors.values())]
    state = {name: tensor.clone() for name, tensor in workbench.checkpoint.model.state_dict().items()}
    workbench.trace(example, recipe(emotion=0.1), "instruments", n_points=3)
    after = [workbench.checkpoint.pretrained.buffer, *(v.buffer for v in workbench.vectors.values())]
    assert all((a == b).all() for a, b in zip(before, after, strict=True))
    assert all((state[n] == t).all() for n, t in workbench.checkpoint.model.state_dict().items())


def test_an_unknown_vector_is_refused(workbench, example):
    for wrong in ("rural", "", "no such vector"):
        with pytest.raises(BadRecipeError):
            workbench.trace(example, recipe(), wrong)
