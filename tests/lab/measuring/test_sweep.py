"""A sweep measures every point once, with any number of processes and after any stop."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from taskvec_demo.clap.model import Checkpoint
from taskvec_demo.cli import main
from taskvec_demo.core.task_vector import TaskVector
from taskvec_demo.errors import TaskVecError
from taskvec_demo.lab.data.datasets import MelStore
from taskvec_demo.lab.data.experiment import Experiment, task_heads
from taskvec_demo.lab.measuring import choose_lambda, sweep
from taskvec_demo.lab.tiny_clap.study import ANALOGY_CLASSES, FINE_TUNINGS, TASKS, TINY
from tests.support.made_up_recordings import write_recordings
from tests.support.short_runs import sweep_on

NAMES = list(FINE_TUNINGS)
MAIN, EXTRA = NAMES[:-3], NAMES[-3:]
K, N_MAIN = len(NAMES), len(NAMES) - 3


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings of every set: one validation clip a class, each with a tone and a noise of its own."""
    folder = tmp_path_factory.mktemp("data")
    write_recordings(folder)
    return folder


def few_points() -> tuple[np.ndarray, np.ndarray]:
    """Ten recipes, two of them held out."""
    points = np.zeros((10, len(NAMES)))
    points[1:] = np.round(np.random.default_rng(3).uniform(-1, 1, (9, len(NAMES))), 2)
    return points, np.arange(10) % 5 == 4


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "sweep_points", lambda main, extra: few_points())


@pytest.fixture(scope="module")
def checkpoint(artifacts_folder: Path) -> Checkpoint:
    return Checkpoint.from_folder(artifacts_folder / "model", "tiny-clap")


def open_sweep(workbench, checkpoint: Checkpoint, data: Path, work: Path, vectors=None) -> sweep.Sweep:
    store = MelStore.open(work, data, checkpoint.features, TINY.read_rows(data))
    known = vectors or workbench.vectors
    return sweep.Sweep(Experiment(TINY, checkpoint, known, task_heads(checkpoint, TINY), store), work)


# -- the points ------------------------------------------------------------------------------------------------------


def test_the_points_hold_what_recipes_are_chosen_from() -> None:
    points, held_out = sweep.sweep_points(MAIN, EXTRA)
    assert points.shape == (478, K)
    assert np.abs(points).max() <= 1
    assert len(np.unique(points, axis=0)) == len(points)
    measured = {tuple(p) for p in points.tolist()}
    for i in range(K):
        step = 10 if i < N_MAIN else 5
        assert {tuple(np.eye(K)[i] * j / step) for j in range(-step, step + 1)} <= measured
    assert {tuple(-s * np.eye(K)[i]) for i in range(N_MAIN) for s in choose_lambda.STEPS} <= measured
    a, b, c = (np.eye(K)[NAMES.index(v)] for v in ANALOGY_CLASSES[:3])
    assert tuple(b + c - a) in measured
    for line in ([1] * 2 + [0] * (K - 2), [1] * N_MAIN + [0] * 3):
        assert {tuple(np.round(np.array(line) * j / 10, 9)) for j in range(1, 11)} <= measured
    pairs = {tuple(a * np.eye(K)[0] + b * np.eye(K)[4]) for a in sweep.PAIR_STEPS for b in sweep.PAIR_STEPS}
    assert pairs <= measured
    again, held_out_again = sweep.sweep_points(MAIN, EXTRA)
    assert np.array_equal(points, again)
    assert np.array_equal(held_out, held_out_again)


def test_held_out_points_are_drawn_like_the_free_ones_that_are_fitted() -> None:
    points, held_out = sweep.sweep_points(MAIN, EXTRA)
    assert held_out.sum() == 36
    free = np.arange(len(points)) >= np.flatnonzero(held_out)[0]
    active = np.count_nonzero(points, axis=1)
    for n in (2, 3, 4, K):
        share = held_out[free & (active == n)].mean()
        assert share == pytest.approx(1 / sweep.HELD_OUT_SHARE, abs=0.05)
    fitted = points[free & ~held_out]
    for part in (fitted, points[held_out]):
        used = np.abs(part[part != 0])
        assert used.mean() == pytest.approx(0.5, abs=0.06)  # uniform in the box
        assert (part != 0).any(0).all()  # every vector occurs


@pytest.mark.parametrize("n_main", [1, 2, 4])
def test_fewer_vectors_have_points_too(n_main: int) -> None:
    points, held_out = sweep.sweep_points(MAIN[:n_main], [])
    assert points.shape[1] == n_main
    assert len(np.unique(points, axis=0)) == len(points)
    assert 0 < held_out.sum() < len(points) / 4


def test_the_analogy_resolves_the_vectors_of_its_recordings() -> None:
    assert [NAMES[i] for i in sweep.main_vectors(TINY, "analogy", NAMES)] == ["emotion", *ANALOGY_CLASSES[:3]]
    for task in ("esc50", "urban", "emotion"):
        assert [NAMES[i] for i in sweep.main_vectors(TINY, task, NAMES)] == MAIN


# -- measuring -------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("few")
def test_another_vector_or_clip_is_another_point(tmp_path: Path, data: Path, workbench, checkpoint: Checkpoint) -> None:
    first = open_sweep(workbench, checkpoint, data, tmp_path)
    first.points[2] = np.eye(K)[NAMES.index("urban")] / 2  # alone
    first.points[3] = np.eye(K)[0] / 2
    urban = workbench.vectors["urban"]
    other = TaskVector("urban", urban.layout, urban.buffer * 2, urban.pretrained_sha256, urban.task, urban.metadata)
    second = open_sweep(workbench, checkpoint, data, tmp_path, {**workbench.vectors, "urban": other})
    second.points[:] = first.points
    assert [first.file(i) == second.file(i) for i in range(4)] == [True, False, False, True]
    first.store.mel = np.array(first.store.mel)
    first.store.mel[0] += 1
    altered = sweep.Sweep(Experiment(TINY, checkpoint, workbench.vectors, first.heads, first.store), tmp_path)
    assert altered.folder != first.folder


@pytest.mark.usefixtures("few")
def test_points_of_another_precision_are_other_points(
    tmp_path: Path, data: Path, workbench, checkpoint: Checkpoint, artifacts_folder: Path
) -> None:
    fast = Checkpoint.from_folder(artifacts_folder / "model", "tiny-clap", "bfloat16")
    exact, rough = (open_sweep(workbench, c, data, tmp_path) for c in (checkpoint, fast))
    assert not {exact.file(i) for i in range(10)} & {rough.file(i) for i in range(10)}
    assert exact.folder == open_sweep(workbench, checkpoint, data, tmp_path).folder


@pytest.mark.usefixtures("few")
def test_surfaces_need_every_point(tmp_path: Path, data: Path, workbench, checkpoint: Checkpoint) -> None:
    points = open_sweep(workbench, checkpoint, data, tmp_path)
    assert points.measure(limit=2) == 2
    assert len(points.missing()) == 8
    with pytest.raises(TaskVecError, match=r"^8 of 10 points are missing: run `sweep` again\.$"):
        points.fit()


def test_a_missing_vector_is_named(tmp_path: Path, artifacts_folder: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["sweep", "--data", str(tmp_path), "--artifacts", str(tmp_path)]) == 2
    assert f"lacks the vectors {NAMES[0]}, {NAMES[1]}" in capsys.readouterr().err


def test_a_limit_of_nothing_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["sweep", "--data", str(tmp_path), "--limit", "-1"]) == 2
    assert "at least 1, not -1" in capsys.readouterr().err


def files(folder: Path) -> dict[str, int]:
    """Finished points and when each was written."""
    return {p.name: p.stat().st_mtime_ns for p in folder.glob("sweep-*/*.safetensors") if not p.name.startswith(".")}


@pytest.mark.usefixtures("few")
def test_two_processes_killed_and_resumed_give_the_surfaces_of_one(
    tmp_path: Path, data: Path, artifacts_folder: Path, workbench, checkpoint: Checkpoint, start: Callable
) -> None:
    folder = tmp_path / "two"
    options = ["--data", str(data), "--work", str(folder), "--artifacts", str(artifacts_folder)]
    job = partial(start, sweep_on, *few_points(), *options, "--precision", "float32", folder=tmp_path, n=2)
    running = job()
    while running.running and len(files(folder)) < 3:
        time.sleep(0.02)
    running.kill()
    before = files(folder)
    assert 3 <= len(before) < 10, running.output

    resumed = job()
    assert resumed.codes(300) == [0, 0], resumed.output
    after = files(folder)
    assert len(after) == 10
    assert {name: after[name] for name in before} == before  # not one of them was measured again
    measured = [int(n) for n in re.findall(r"process \d measured (\d+) points", resumed.output)]
    assert len(measured) == 2
    assert min(measured) > 0  # both had a share
    assert sum(measured) == 10 - len(before)

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the launched processes: float sums depend on the split over threads
    try:
        points = open_sweep(workbench, checkpoint, data, tmp_path / "one")
        points.measure()
        alone = points.fit()
    finally:
        torch.set_num_threads(threads)
    shared = open_sweep(workbench, checkpoint, data, folder).fit()
    assert set(shared) == set(alone) == set(TASKS)
    for task in TASKS:
        assert np.array_equal(shared[task].predictions, alone[task].predictions)
        assert np.allclose(shared[task].curve(few_points()[0]), alone[task].curve(few_points()[0]), atol=0.1)
        assert shared[task].measured(dict(zip(NAMES, few_points()[0][7], strict=True))) is not None
    assert len({tuple(map(tuple, s.predictions)) for s in alone.values()}) == len(TASKS)  # no task got another's logits
