"""Two more matrices, from the task vectors of a checkpoint: what sums of two gain, and how far they disturb each other.

Sums are of vectors that were fine-tuned without rehearsal: rehearsal would teach them to leave other tasks alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from ....core.intervals import units
from ....core.task_vector import TaskVector
from ....recordings.splits import TEST
from ....serve.studies.relations.gains import RESAMPLES, Cell, Drawn, Gain, drawn_of, gain
from ....serve.studies.relations.training import Run
from ...data.experiment import Experiment, open_experiment
from ...data.study import Study
from ...finetuning.finetune import finetune
from ...measuring.baselines import TRAINING_SEED, baselines_folder, plain_training
from ...measuring.predictions import ModelPredictor, Predictor
from .matrices import gain_entries

SUM, ERROR = "sum", "disentanglement"
TITLES = {SUM: "Task vectors added", ERROR: "Disentanglement error"}
Say = Callable[[str], None]


@dataclass(frozen=True)
class Disturbance:
    """ξ(1, 1) of two task vectors (Ortiz-Jimenez et al. 2023, arXiv:2305.12827), and its 95 % bootstrap interval.

    It sums two shares, of either task's test clips: those that are answered otherwise once the other vector is added.

    `own` is the share of the clips of `task`. The same pair the other way round has the same error.
    """

    task: str
    partner: str
    error: float
    low: float
    high: float
    own: float
    n_clips: int
    n_sources: int
    drawn: Drawn


@dataclass(frozen=True)
class VectorMatrices:
    """Tasks (name -> title), what sums of vectors without rehearsal gain, and how far the shipped vectors disturb."""

    checkpoint: str
    titles: Mapping[str, str]
    gains: list[Gain]
    disturbances: list[Disturbance]

    @property
    def values(self) -> dict[str, dict[Cell, float]]:
        """Matrix -> its cells; more is better in both: an error counts as negative."""
        return {
            SUM: {(g.task, g.partner): g.gain for g in self.gains},
            ERROR: {(d.task, d.partner): -d.error for d in self.disturbances},
        }


def measure_vectors(study: Study, artifacts: Path, data: Path, work: Path, say: Say) -> VectorMatrices:
    """Train the vectors without rehearsal that are missing under `work`, and measure both matrices on test clips."""
    experiment = open_experiment(study, artifacts, data, work)
    plain = plain_vectors(experiment, work, say)
    predictor = ModelPredictor(experiment, work / "measured").adding({v.name: v for v in plain.values()})
    rows = {task: clips for task, (clips, _) in predictor.clips(TEST).items()}
    sources = {t: np.array([f"{row.dataset}/{row.group or row.file}" for row in rows[t]]) for t in plain}
    return vector_matrices(predictor, {task: v.name for task, v in plain.items()}, sources, say)


def plain_vectors(experiment: Experiment, work: Path, say: Say) -> dict[str, TaskVector]:
    """Task -> its vector without rehearsal, which lies among the trained baselines or is trained now; resumes."""
    study, checkpoint = experiment.study, experiment.checkpoint
    folder = baselines_folder(work, checkpoint)
    found = {}
    for name in study.main:
        plain = plain_training(study, name)
        file = folder / f"{plain.vector}.safetensors"
        if not file.is_file():
            say(f"{name}: fine-tuning without rehearsal")
            finetune(checkpoint, experiment.store, study, plain, file, TRAINING_SEED, folder)
        found[name] = TaskVector.load(file)
    return found


def vector_matrices(
    predictor: Predictor, plain: Mapping[str, str], sources: Mapping[str, np.ndarray], say: Say
) -> VectorMatrices:
    """`plain`: task -> the name of its vector without rehearsal; the shipped one has the task's own name. `sources`:
    task -> the recording of each test clip (n,).
    """
    labels = predictor.labels(TEST)
    alone, both = _answers(predictor, plain, say)
    gains = []
    for pair, answers in both.items():
        for task, partner in (pair, pair[::-1]):
            before, after = (_run(task, given[task] == labels[task]) for given in (alone, answers))
            gains.append(gain(task, partner, before, after, sources[task]))
    alone, both = _answers(predictor, {task: task for task in plain}, say)
    disturbances = []
    for pair, answers in both.items():
        changed = {task: alone[task] != answers[task] for task in pair}
        disturbances += disturbed(pair, changed, sources)
    return VectorMatrices(
        predictor.checkpoint_name,
        {task: predictor.study.tasks[task].title for task in plain},
        sorted(gains, key=lambda g: (g.task, g.partner)),
        sorted(disturbances, key=lambda d: (d.task, d.partner)),
    )


def _answers(
    predictor: Predictor, vectors: Mapping[str, str], say: Say
) -> tuple[dict[str, np.ndarray], dict[tuple[str, str], dict[str, np.ndarray]]]:
    """Classes of each task's test clips under its own vector, and of a pair's under the sum of both; every λ is 1."""

    def under(*tasks: str) -> dict[str, np.ndarray]:
        say(f"vectors of {' and '.join(tasks)}")
        return predictor.predictions(TEST, {vectors[task]: 1.0 for task in tasks}, tasks)

    alone = {task: under(task)[task] for task in vectors}
    return alone, {pair: under(*pair) for pair in combinations(vectors, 2)}


def _run(task: str, right: np.ndarray) -> Run:
    """Answers of one model as a run of one seed."""
    return Run((task,), {task: right[None]}, {}, {})


def disturbed(
    pair: tuple[str, str], changed: Mapping[str, np.ndarray], sources: Mapping[str, np.ndarray], seed: int = 0
) -> list[Disturbance]:
    """Both directions of a pair. `changed[task]` (n,) bool; what is drawn are the `units` of `sources[task]` (n,)."""
    draw = np.random.default_rng((seed, *(sum(task.encode()) for task in sorted(pair))))
    total = np.zeros(RESAMPLES)
    for task in sorted(pair):
        place = units(sources[task])
        sizes = np.bincount(place)
        counts = draw.multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), size=RESAMPLES)
        total += counts @ np.bincount(place, weights=changed[task], minlength=len(sizes)) / (counts @ sizes)
    low, high = (float(v) for v in np.quantile(total, [0.025, 0.975]))
    shares = {task: float(changed[task].mean()) for task in pair}
    error = sum(shares.values())
    return [
        Disturbance(
            task,
            partner,
            error,
            low,
            high,
            shares[task],
            len(changed[task]),
            len(set(sources[task])),
            drawn_of(sources[task]),
        )
        for task, partner in (pair, pair[::-1])
    ]


def vector_entries(m: VectorMatrices) -> list[dict[str, Any]]:
    """Both matrices as JSON."""
    tasks = [{"name": name, "title": title} for name, title in m.titles.items()]
    errors = {"measure": "error", "tasks": tasks, "cells": [asdict(d) for d in m.disturbances]}
    common = {"fraction": 1.0, "checkpoint": m.checkpoint}
    return [
        {"name": SUM, "title": TITLES[SUM], **common, **gain_entries(m.titles, m.gains)},
        {"name": ERROR, "title": TITLES[ERROR], **common, **errors},
    ]
