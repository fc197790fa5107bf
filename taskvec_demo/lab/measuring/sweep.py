"""The sweep: it measures the validation clips under many recipes, on several processes and machines, and fits surfaces
to the results.

    accelerate launch --multi_gpu --num_processes 4 -m taskvec_demo sweep --data DATA

(`--multi_gpu` is accelerate's name for its launcher of several processes; these compute on the CPU.)

A point is one file, whose path has hashes of what it depends on: weights, precision, active vectors, λ and clips. So a
sweep resumes after any stop and with any number of processes; machines can share a `--work` folder; and after a new
fine-tuning the points without that vector stay valid.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from accelerate import PartialState
from torch.quasirandom import SobolEngine
from tqdm import tqdm

from ...clap.model import Precision
from ...core.edit import apply_recipe
from ...core.recipe import MEASURED_HIGH, MEASURED_LOW, Recipe
from ...core.surface import LogitSurface, sparse_exponents
from ...core.weights import read_safetensors, write_safetensors
from ...errors import TaskVecError
from ..data.datasets import MelStore
from ..data.embedding import embed_tasks
from ..data.experiment import Experiment, open_experiment
from ..data.study import Study
from .choose_lambda import STEPS

HELD_OUT_SHARE = 5  # every fifth free point measures the surface's error
MAX_CLIPS = 128  # clips of a task, so that a point takes about two seconds on two cores
PAIR_STEPS = (0.5, 1.0)  # λ of two main vectors together
EVERY = 0  # stands for all vectors
# (number of active vectors, points in all): most where few are active, because people move few sliders at a time
FREE_DRAWS = ((2, 72), (3, 42), (4, 30), (5, 20), (EVERY, 15))
MOST_A_SET = 8  # points with the same active vectors, where there are few vectors


def sweep_points(main: Sequence[str], extra: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Recipes to measure, (p, len(main) + len(extra)), and which of them are held out of the trial fit.

    Six main vectors and the analogy's three make 478 points: 299 on lines and grids, where recipes are chosen (every
    vector alone, main vectors in pairs, the first two and all main vectors at one λ, the analogy's B + C − A), then
    free ones with two to five or all vectors active. λ of free points are Sobol draws from the measured box.
    """
    k, n_main = len(main) + len(extra), len(main)
    grid: list[dict[int, float]] = [{}]
    grid += [{i: j / 10} for i in range(n_main) for j in range(1, 11)]
    grid += [{i: -s} for i in range(n_main) for s in STEPS]  # the λ of forgetting is chosen among these
    grid += [{i: j / 5} for i in range(n_main, k) for j in range(-5, 6) if j]
    for pair in itertools.combinations(range(n_main), 2):
        grid += [dict(zip(pair, values, strict=True)) for values in itertools.product(PAIR_STEPS, repeat=2)]
    grid += [dict.fromkeys(range(n), j / 10) for n in sorted({min(2, n_main), n_main}) for j in range(1, 11)]
    if len(extra) == 3:  # A, B, C of the analogy
        grid += [{n_main: -j / 10, n_main + 1: j / 10, n_main + 2: j / 10} for j in range(1, 11)]
    free: list[dict[int, float]] = []
    for active, n in ((active or k, n) for active, n in FREE_DRAWS if active < k):
        sets, rng = list(itertools.combinations(range(k), active)), np.random.default_rng(active)
        n = n if active == k else min(n, MOST_A_SET * len(sets))
        rounds = [sets[i] for _ in range(-(-n // len(sets))) for i in rng.permutation(len(sets))]
        chosen = rounds[:n]  # in random order, so that Sobol neighbours do not share vectors
        draws = SobolEngine(active, scramble=True, seed=active).draw(n).double().numpy()
        draws = np.round(MEASURED_LOW + (MEASURED_HIGH - MEASURED_LOW) * draws, 2)
        free += [dict(zip(c, map(float, d), strict=True)) for c, d in zip(chosen, draws, strict=True)]

    def distinct(entries: list[dict[int, float]]) -> list[tuple[float, ...]]:
        return list(dict.fromkeys(tuple(entry.get(i, 0.0) for i in range(k)) for entry in entries))

    points = np.array(distinct(grid + free))
    held_out = np.zeros(len(points), bool)
    held_out[len(distinct(grid)) :: HELD_OUT_SHARE] = True
    return points, held_out


def main_vectors(study: Study, task: str, vectors: Sequence[str]) -> list[int]:
    """Columns of the vectors whose interactions a task's surface resolves best.

    These are the vectors of whole tasks; for the task "analogy", the vectors that were fine-tuned on its recordings.
    """
    specs = [study.fine_tunings[v] for v in vectors]
    recordings = set(study.tasks[task].clips_folders)
    if any(s.task == task and s.only_class for s in specs):
        return [i for i, s in enumerate(specs) if recordings & set(study.tasks[s.task].clips_folders)]
    return [i for i, s in enumerate(specs) if not s.only_class]


def validation_clips(study: Study, store: MelStore, task: str) -> tuple[list, np.ndarray]:
    """At most `MAX_CLIPS` validation clips of a task, spread over its classes, and their class indices."""
    rows, labels = study.labelled(store, task, "validation")
    drawn: dict[int, int] = {}
    rank = np.zeros(len(rows), int)
    for i in np.random.default_rng(0).permutation(len(rows)):
        rank[i] = drawn[labels[i]] = drawn.get(labels[i], -1) + 1
    chosen = np.sort(np.argsort(rank, kind="stable")[:MAX_CLIPS])
    return [rows[i] for i in chosen], np.asarray(labels)[chosen]


class Sweep:
    """All points of one checkpoint and its vectors, measured on the validation clips of every task."""

    def __init__(self, experiment: Experiment, work: Path) -> None:
        self.study, self.checkpoint, self.store = experiment.study, experiment.checkpoint, experiment.store
        self.vectors, self.heads = experiment.vectors, experiment.heads
        main = [v for v in self.study.fine_tunings if v in self.study.main]
        extra = [v for v in self.study.fine_tunings if v not in self.study.main]
        self.names = (*main, *extra)
        self.points, self.held_out = sweep_points(main, extra)
        self.clips = {task: validation_clips(self.study, self.store, task) for task in self.study.tasks}
        self.folder = work / f"sweep-{self._fingerprint()}"

    def _fingerprint(self) -> str:
        """Hash of what every point depends on: pre-trained model, precision, the tasks' prompts, the clips' windows."""
        digest = hashlib.sha256(self.checkpoint.precision.encode())
        for name, tensor in sorted(self.checkpoint.model.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.contiguous().numpy().tobytes())
        for task, (rows, labels) in self.clips.items():
            spec = self.study.tasks[task]
            digest.update(json.dumps([task, spec.prompts, spec.templates, labels.tolist()]).encode())
            digest.update(self.store.sha256(rows).encode())
        return digest.hexdigest()[:12]

    def recipe(self, i: int) -> Recipe:
        return Recipe(self.checkpoint.name, dict(zip(self.names, map(float, self.points[i]), strict=True)))

    def file(self, i: int) -> Path:
        """The file of point `i`, named by the λ and the contents of its active vectors."""
        active = sorted((self.vectors[v].sha256, value) for v, value in self.recipe(i).coefficients.items())
        return self.folder / f"{hashlib.sha256(json.dumps(active).encode()).hexdigest()[:20]}.safetensors"

    def missing(self) -> list[int]:
        return [i for i in range(len(self.points)) if not self.file(i).is_file()]

    def measure(self, process: int = 0, n_processes: int = 1, limit: int | None = None) -> int:
        """Measure the missing points of this process's share, at most `limit` of them. Returns how many were measured.

        Process r of n takes the points r, r + n, …, so that no two processes measure the same one. Only process 0
        reports.
        """
        todo = [i for i in self.missing() if i % n_processes == process][:limit]
        for i in tqdm(todo, desc="sweep", unit="recipe", disable=process != 0):
            weights = apply_recipe(self.checkpoint.pretrained, self.vectors, self.recipe(i))
            rows = {task: rows for task, (rows, _) in self.clips.items()}
            embedded = embed_tasks(self.checkpoint, self.store, rows, weights)
            logits = {t: self.heads[t].logits(e, self.checkpoint.logit_scale).half() for t, e in embedded.items()}
            write_safetensors(self.file(i), logits, {})
        return len(todo)

    def fit(self) -> dict[str, LogitSurface]:
        """One surface a task; every point must have been measured."""
        if missing := self.missing():
            raise TaskVecError(f"{len(missing)} of {len(self.points)} points are missing: run `sweep` again.")
        measured = [read_safetensors(self.file(i))[0] for i in range(len(self.points))]
        return {
            task: LogitSurface.fit(
                task,
                "validation",
                self.names,
                self.points,
                torch.stack([logits[task] for logits in measured]).float().numpy(),
                labels,
                self.held_out,
                sparse_exponents(len(self.names), main_vectors(self.study, task, self.names)),
            )
            for task, (_, labels) in self.clips.items()
        }


def run_sweep(
    study: Study,
    work: Path,
    data: Path,
    folder: Path,
    limit: int | None = None,
    precision: Precision = "float32",
) -> str:
    """Measure this process's share of the points of the checkpoint in `folder`; at most `limit` over all processes.

    `accelerate launch` starts it in several processes; without that there is only one. Returns how far the sweep is.
    """
    if limit is not None and limit < 1:
        raise TaskVecError(f"--limit is the number of points to measure, at least 1, not {limit}.")
    state = PartialState(cpu=True)
    with state.main_process_first():  # it builds the cache of features if there is none
        experiment = open_experiment(study, folder, data, work, precision=precision)
    points = Sweep(experiment, work)
    share = None if limit is None else math.ceil((limit - state.process_index) / state.num_processes)
    n = points.measure(state.process_index, state.num_processes, share)
    done = len(points.points) - len(points.missing())
    state.destroy_process_group()
    return f"process {state.process_index} measured {n} points; {done} of {len(points.points)} are in {points.folder}"
