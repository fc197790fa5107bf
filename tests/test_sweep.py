"""A sweep measures every point once, however many processes share it and however often it is stopped."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from taskvec_demo.clap import Checkpoint
from taskvec_demo.errors import TaskVecError
from taskvec_demo.lab import sweep
from taskvec_demo.lab.cli import main
from taskvec_demo.lab.datasets import ClipRow, MelStore
from taskvec_demo.lab.vectors import ANALOGY_CLASSES, DATASET, FINE_TUNINGS, TASKS
from taskvec_demo.task_vector import TaskVector

NAMES = list(FINE_TUNINGS)
MAIN, EXTRA = NAMES[:5], NAMES[5:]
ROOT = Path(__file__).parent.parent
# The command line on few points: what the launcher starts in every process.
FEW_POINTS = """
import sys
import numpy as np
from taskvec_demo.lab import sweep
from taskvec_demo.lab.cli import main
sweep.sweep_points = lambda main, extra: (np.load(sys.argv[1]), np.load(sys.argv[2]))
sys.exit(main(sys.argv[3:]))
"""


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder whose cache of features is already there: one validation clip a class."""
    folder, rows = tmp_path_factory.mktemp("work"), []
    for task in (t for t in TASKS.values() if t.name != "analogy"):
        for name in task.class_names:
            gender, label = name.split("_", 1) if task.name == "emotion" else ("", name)
            rows.append(ClipRow(DATASET[task.name], f"{name}.opus", label, "validation", name, gender, len(rows), 1))
    rng = np.random.default_rng(0)
    mel = rng.normal(-40, 4, (len(rows), 256, 64)) + rng.normal(0, 15, (len(rows), 1, 64))
    np.save(folder / "mel.npy", mel.astype(np.float16))
    (folder / "rows.json").write_text(json.dumps([asdict(r) for r in rows]))
    return folder


def link(work: Path, folder: Path) -> Path:
    """A fresh work folder that shares the cache of `work`."""
    folder.mkdir()
    for name in ("mel.npy", "rows.json"):
        (folder / name).symlink_to(work / name)
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


def open_sweep(workbench, checkpoint: Checkpoint, folder: Path, vectors=None) -> sweep.Sweep:
    store = MelStore.open(folder, folder, checkpoint.features)
    return sweep.Sweep(checkpoint, vectors or workbench.vectors, workbench.artifacts.heads, store, folder)


# -- the points ------------------------------------------------------------------------------------------------------


def test_the_points_hold_what_recipes_are_chosen_from() -> None:
    points, held_out = sweep.sweep_points(MAIN, EXTRA)
    assert points.shape == (631, 8)
    assert np.abs(points).max() <= 1
    assert len(np.unique(points, axis=0)) == len(points)
    measured = {tuple(p) for p in points.tolist()}
    for i in range(8):
        step = 10 if i < 5 else 5
        assert {tuple(np.eye(8)[i] * j / step) for j in range(-step, step + 1)} <= measured
    a, b, c = (np.eye(8)[NAMES.index(v)] for v in ANALOGY_CLASSES[:3])
    assert tuple(b + c - a) in measured
    for line in ([1, 1, 1, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 0, 0, 0]):
        assert {tuple(np.round(np.array(line) * j / 10, 9)) for j in range(1, 11)} <= measured
    pairs = {tuple(a * np.eye(8)[0] + b * np.eye(8)[4]) for a in sweep.PAIR_STEPS for b in sweep.PAIR_STEPS}
    assert pairs <= measured
    again, held_out_again = sweep.sweep_points(MAIN, EXTRA)
    assert np.array_equal(points, again)
    assert np.array_equal(held_out, held_out_again)


def test_held_out_points_are_drawn_like_the_free_ones_that_are_fitted() -> None:
    points, held_out = sweep.sweep_points(MAIN, EXTRA)
    assert held_out.sum() == 76
    free = np.arange(len(points)) >= np.flatnonzero(held_out)[0]
    active = np.count_nonzero(points, axis=1)
    for n in (2, 3, 4, 8):
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
    assert [NAMES[i] for i in sweep.main_vectors("analogy", NAMES)] == ["emotion", *ANALOGY_CLASSES[:3]]
    for task in ("esc10", "urban", "emotion"):
        assert [NAMES[i] for i in sweep.main_vectors(task, NAMES)] == MAIN


# -- measuring -------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("few")
def test_another_vector_or_clip_is_another_point(tmp_path: Path, work: Path, workbench, checkpoint: Checkpoint) -> None:
    folder = link(work, tmp_path / "work")
    first = open_sweep(workbench, checkpoint, folder)
    first.points[2] = np.eye(8)[0] / 2  # urban alone
    first.points[3] = np.eye(8)[1] / 2
    urban = workbench.vectors["urban"]
    other = TaskVector("urban", urban.layout, urban.buffer * 2, urban.pretrained_sha256, urban.task, urban.metadata)
    second = open_sweep(workbench, checkpoint, folder, {**workbench.vectors, "urban": other})
    second.points[:] = first.points
    assert [first.file(i) == second.file(i) for i in range(4)] == [True, False, False, True]
    (folder / "mel.npy").unlink()
    mel = np.array(np.load(work / "mel.npy"))
    mel[0] += 1
    np.save(folder / "mel.npy", mel)
    assert open_sweep(workbench, checkpoint, folder).folder != first.folder


@pytest.mark.usefixtures("few")
def test_surfaces_need_every_point(tmp_path: Path, work: Path, workbench, checkpoint: Checkpoint) -> None:
    points = open_sweep(workbench, checkpoint, link(work, tmp_path / "work"))
    assert points.measure(limit=2) == 2
    assert len(points.missing()) == 8
    with pytest.raises(TaskVecError, match=r"^8 of 10 points are missing: run `sweep` again\.$"):
        points.fit()


def test_a_missing_vector_is_named(tmp_path: Path, artifacts_folder: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["sweep", "--data", str(tmp_path), "--artifacts", str(tmp_path)]) == 2
    assert "lacks the vectors urban, instruments" in capsys.readouterr().err


def test_a_limit_of_nothing_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["sweep", "--data", str(tmp_path), "--limit", "-1"]) == 2
    assert "at least 1, not -1" in capsys.readouterr().err


def launch(folder: Path, artifacts_folder: Path, script: Path, processes: int) -> subprocess.Popen:
    np.save(folder.parent / "points.npy", few_points()[0])
    np.save(folder.parent / "held_out.npy", few_points()[1])
    script.write_text(FEW_POINTS)
    command = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", str(processes)]
    command += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]
    command += [str(script), str(folder.parent / "points.npy"), str(folder.parent / "held_out.npy"), "sweep"]
    command += [
        "--data",
        str(folder),
        "--work",
        str(folder),
        "--artifacts",
        str(artifacts_folder),
        "--precision",
        "float32",
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder
    )


def files(folder: Path) -> dict[str, int]:
    """Finished points and when each was written."""
    return {p.name: p.stat().st_mtime_ns for p in folder.glob("sweep-*/*.safetensors") if not p.name.startswith(".")}


@pytest.mark.usefixtures("few")
def test_two_processes_killed_and_resumed_give_the_surfaces_of_one(
    tmp_path: Path, work: Path, artifacts_folder: Path, workbench, checkpoint: Checkpoint
) -> None:
    folder = link(work, tmp_path / "two")
    running = launch(folder, artifacts_folder, tmp_path / "few.py", 2)
    while running.poll() is None and len(files(folder)) < 3:
        time.sleep(0.02)
    running.terminate()
    output = running.communicate(timeout=120)[0]
    before = files(folder)
    assert 3 <= len(before) < 10, output

    resumed = launch(folder, artifacts_folder, tmp_path / "few.py", 2)
    output = resumed.communicate(timeout=300)[0]
    assert resumed.returncode == 0, output
    after = files(folder)
    assert len(after) == 10
    assert {name: after[name] for name in before} == before  # not one of them was measured again
    measured = [int(n) for n in re.findall(r"process \d measured (\d+) points", output)]
    assert len(measured) == 2
    assert min(measured) > 0  # both had a share
    assert sum(measured) == 10 - len(before)

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the launched processes: float sums depend on the split over threads
    try:
        alone = sweep.sweep(
            checkpoint,
            workbench.vectors,
            workbench.artifacts.heads,
            MelStore.open(work, work, checkpoint.features),
            link(work, tmp_path / "one"),
        )
    finally:
        torch.set_num_threads(threads)
    shared = open_sweep(workbench, checkpoint, folder).fit()
    assert set(shared) == set(alone) == set(TASKS)
    for task in TASKS:
        assert np.array_equal(shared[task].predictions, alone[task].predictions)
        assert np.allclose(shared[task].coefficients, alone[task].coefficients, atol=1e-3)
        assert shared[task].measured(dict(zip(NAMES, few_points()[0][7], strict=True))) is not None
    assert len({tuple(map(tuple, s.predictions)) for s in alone.values()}) == len(TASKS)  # no task got another's logits
