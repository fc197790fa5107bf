"""The whole study: every task alone and with every partner, and what follows from it, as one JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ....recordings.splits import SPLITS
from ....serve.studies.relations import FORMAT
from ....serve.studies.relations.gains import Cell
from ....serve.studies.relations.inputs import Standard, signal_to_noise
from ....serve.studies.relations.tasks import TASKS, TaskClips, task_clips
from ....serve.studies.relations.training import Setup
from ...data.datasets import MelStore
from ...tiny_clap.architecture import FEATURES
from .answers import answers
from .claims import claims
from .gains import rank_correlation
from .matrices import Matrix, Say, Triple, matrix, matrix_entry, triple_entries, triples
from .predictors import clip_seconds, measured_predictors
from .summaries import small_windows, summaries
from .vectors import VectorMatrices, vector_entries

FOLDER = "relations"  # in the work folder
LEAST_CELLS = 6  # that two matrices must share to be compared: three tasks


@dataclass(frozen=True)
class Plan:
    """How much is trained. Steps are those of one task: a pair sees as many clips of each of its tasks."""

    tasks: tuple[str, ...] = tuple(TASKS)
    seeds: int = 4
    steps: Mapping[float, int] = field(default_factory=lambda: {0.1: 200, 1.0: 500})  # share of the data -> steps


QUICK = Plan(("digits", "drums", "gender"), 2, {0.1: 20})


@dataclass(frozen=True)
class Measured:
    """What the figures are computed from.

    `joint`: matrices of joint training, the first network with the least data first. `seconds` and `levels` (n_rows,)
    are what `predictors.task_features` asks for. `standard` is that of the summaries. `vectors` is None without a
    checkpoint.
    """

    clips: Mapping[str, TaskClips]
    joint: Sequence[Matrix]
    triples: Sequence[Triple]
    seconds: np.ndarray
    levels: np.ndarray
    standard: Standard
    vectors: VectorMatrices | None = None


def measure(store: MelStore, data: Path, work: Path, plan: Plan, say: Say) -> Measured:
    """Train what is missing under `work`/relations: two networks, all shares of the data for the first one."""
    folder = work / FOLDER
    clips = {name: task_clips(TASKS[name], store.rows) for name in plan.tasks}
    say("summaries of the clips")
    summary, small = summaries(store), small_windows(store)
    standard = standard_of(summary, clips)
    inputs = torch.from_numpy(standard(summary))
    windows = torch.from_numpy(standard_of(small, clips)(small))
    seeds, least = range(plan.seeds), min(plan.steps)
    setups = [Setup("mlp", share, plan.steps[share], seeds, inputs, clips) for share in sorted(plan.steps)]
    setups.append(Setup("cnn", least, plan.steps[least], seeds, windows, clips))
    joint = [matrix(setup, folder, say) for setup in setups]
    found = triples(joint[0], folder, say)
    return Measured(clips, joint, found, clip_seconds(store, data), signal_to_noise(summary), standard)


def standard_of(inputs: np.ndarray, clips: Mapping[str, TaskClips]) -> Standard:
    """As measured on all training clips of all tasks; `inputs` (n_rows, …)."""
    return Standard.of(inputs[np.unique(np.concatenate([c.row[c.of("train")] for c in clips.values()]))])


def inputs_entry(standard: Standard) -> dict[str, Any]:
    """What the app needs in order to hear a visitor's clips as the study heard its own: front end and `standard`."""
    return _rounded({"features": asdict(FEATURES), **standard.to_dict()})


def contents(found: Measured) -> dict[str, Any]:
    """All figures as JSON: shares of 1."""
    matrices = [matrix_entry(m) for m in found.joint]
    values: list[tuple[str, float, dict[Cell, float]]] = [(m.name, m.setup.fraction, m.values) for m in found.joint]
    if found.vectors:
        matrices += vector_entries(found.vectors)
        values += [(name, 1.0, cells) for name, cells in found.vectors.values.items()]
    figures: dict[str, Any] = {
        "format": FORMAT,
        "seeds": len(found.joint[0].setup.seeds),
        "inputs": inputs_entry(found.standard),
        "tasks": [_task_entry(c) for c in found.clips.values()],
        "matrices": matrices,
        "agreement": list(_agreements(values)),
        "predictors": measured_predictors(found.joint[0], found.seconds, found.levels),
        "triples": triple_entries(found.triples),
    }
    figures = _rounded(figures)
    return {**figures, "answers": answers(figures), "claims": claims(figures)}


def _task_entry(clips: TaskClips) -> dict[str, Any]:
    return {
        "name": clips.task.name,
        "title": clips.task.title,
        "sets": list(clips.task.sets),
        "classes": len(clips.classes),
        "clips": {split: len(clips.of(split)) for split in SPLITS},
        "test_sources": len(set(clips.source[clips.of("test")])),
    }


def _agreements(matrices: Sequence[tuple[str, float, dict[Cell, float]]]) -> Iterable[dict[str, Any]]:
    """The rank correlation of every two matrices that share enough cells."""
    for (a, a_share, x), (b, b_share, y) in combinations(matrices, 2):
        shared = set(x) & set(y)
        if len(shared) >= LEAST_CELLS:
            yield {
                "matrices": [{"name": a, "fraction": a_share}, {"name": b, "fraction": b_share}],
                **rank_correlation(x, y).to_dict(),
                "cells": len(shared),
                "tasks": len({task for task, _ in shared}),
            }


def _rounded(value: Any) -> Any:
    """The same with five decimals, which is more than any figure carries."""
    if isinstance(value, float):
        return round(value, 5)
    if isinstance(value, Mapping):
        return {k: _rounded(v) for k, v in value.items()}
    return [_rounded(v) for v in value] if isinstance(value, list | tuple) else value


def differences(shipped: Mapping[str, Any], fresh: Mapping[str, Any], tolerance: float) -> list[str]:
    """Accuracies, gains and errors of which the two contents disagree by more than `tolerance`, in words."""
    wrong = []
    measured = {(m["name"], m["fraction"]): m for m in fresh["matrices"]}

    def compare(where: str, old: float, new: float) -> None:
        if abs(old - new) > tolerance:
            wrong.append(f"{where} {old:.3f}, now {new:.3f}")

    for old in shipped["matrices"]:
        where = f"{old['title']}, {round(100 * old['fraction'])} %"
        new = measured.get((old["name"], old["fraction"]))
        if new is None:
            wrong.append(f"{where}: not measured again")
            continue
        for task, entry in old.get("alone", {}).items():
            compare(f"{where}: {task} alone", entry["accuracy"], new["alone"][task]["accuracy"])
        again = {(c["task"], c["partner"]): c for c in new["cells"]}
        for cell in old["cells"]:
            other = again[cell["task"], cell["partner"]]
            compare(f"{where}: {cell['task']} with {cell['partner']}", cell[old["measure"]], other[old["measure"]])
    return wrong
