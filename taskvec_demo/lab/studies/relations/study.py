"""The whole study: every task alone and with every partner, and what follows from it, as one JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

from ....recordings.splits import SPLITS
from ...data.datasets import MelStore
from .gains import Gain, discoveries, gain, rank_correlation, split_half_correlation
from .predictors import auc, judged, majority_scores, pair_features, task_features
from .summaries import small_windows, standardized, summaries
from .tasks import TASKS, TaskClips, task_clips, training_part
from .training import Run, Setup, run

FORMAT = 1
Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """How much is trained. Steps are those of one task: a pair sees as many clips of each of its tasks."""

    tasks: tuple[str, ...] = tuple(TASKS)
    seeds: int = 4
    steps: Mapping[float, int] = field(default_factory=lambda: {0.1: 200, 1.0: 500})  # share of the data -> steps
    triples: bool = True
    cnn: bool = True


QUICK = Plan(("digits", "drums", "gender"), 2, {0.1: 40}, triples=False, cnn=False)


@dataclass(frozen=True)
class Matrix:
    """All gains of one network and one share of the data, with the runs they come from."""

    setup: Setup
    alone: Mapping[str, Run]
    together: Mapping[tuple[str, ...], Run]
    gains: list[Gain]

    def value(self) -> dict[tuple[str, str], float]:
        return {(g.task, g.partner): g.gain for g in self.gains}


def measure(store: MelStore, data: Path, work: Path, plan: Plan, say: Say) -> dict[str, Any]:
    """Train what is missing under `work`/relations and return the contents of `relations.json`."""
    folder = work / "relations"
    clips = {name: task_clips(TASKS[name], store.rows) for name in plan.tasks}
    training = np.unique(np.concatenate([c.row[c.of("train")] for c in clips.values()]))
    say("summaries of the clips")
    summary = summaries(store)
    inputs = torch.from_numpy(standardized(summary, training))
    seeds = range(plan.seeds)
    setups = {("mlp", f): Setup("mlp", f, n, seeds, inputs, clips) for f, n in plan.steps.items()}
    if plan.cnn:
        windows = torch.from_numpy(standardized(small_windows(store), training))
        share = min(plan.steps)
        setups["cnn", share] = Setup("cnn", share, plan.steps[share], seeds, windows, clips)
    matrices = {key: matrix(setup, folder, say) for key, setup in setups.items()}
    first = matrices["mlp", min(plan.steps)]
    seconds, levels = _seconds(store, data), _signal_to_noise(summary)
    return {
        "format": FORMAT,
        "seeds": plan.seeds,
        "tasks": [_task_entry(c) for c in clips.values()],
        "matrices": [_matrix_entry(m) for m in matrices.values()],
        "agreement": [_agreement(a, b) for a, b in combinations(matrices.values(), 2)],
        "predictors": _predictors(first, seconds, levels),
        "triples": _triples(first, folder, say) if plan.triples else [],
    }


def matrix(setup: Setup, folder: Path, say: Say) -> Matrix:
    """Every task alone, then every pair."""
    names = list(setup.clips)
    label = f"{setup.body}, {round(100 * setup.fraction)} % of the data"
    alone = {}
    for i, task in enumerate(names):
        alone[task] = run(setup, [task], folder)
        say(f"{label}: {i + 1} of {len(names)} tasks alone")
    together: dict[tuple[str, ...], Run] = {}
    pairs: list[tuple[str, ...]] = list(combinations(sorted(names), 2))
    for i, pair in enumerate(pairs):
        together[pair] = run(setup, pair, folder)
        say(f"{label}: {i + 1} of {len(pairs)} pairs")
    gains = []
    for pair, both in together.items():
        for task, partner in (pair, pair[::-1]):
            clips = setup.clips[task]
            gains.append(gain(task, partner, alone[task], both, clips.source[clips.of("test")]))
    return Matrix(setup, alone, together, sorted(gains, key=lambda g: (g.task, g.partner)))


def _task_entry(clips: TaskClips) -> dict[str, Any]:
    return {
        "name": clips.task.name,
        "title": clips.task.title,
        "sets": list(clips.task.sets),
        "classes": len(clips.classes),
        "clips": {split: len(clips.of(split)) for split in SPLITS},
        "test_sources": len(set(clips.source[clips.of("test")])),
    }


def _matrix_entry(m: Matrix) -> dict[str, Any]:
    found = discoveries([g.p for g in m.gains])
    return {
        "network": m.setup.body,
        "fraction": m.setup.fraction,
        "steps": m.setup.steps,
        "alone": {t: _alone_entry(m.setup.clips[t], r) for t, r in m.alone.items()},
        "cells": [
            {**asdict(g), "significant": s, "curve": _curve(m.together[_pair(g)], g.task)}
            for g, s in zip(m.gains, found, strict=True)
        ],
        "significant": int(sum(found)),
        "covering_zero": int(sum(g.low <= 0 <= g.high for g in m.gains)),
        "split_half": split_half_correlation(m.gains),
    }


def _pair(g: Gain) -> tuple[str, ...]:
    return tuple(sorted((g.task, g.partner)))


def _alone_entry(clips: TaskClips, run: Run) -> dict[str, Any]:
    accuracy = run.accuracy(clips.task.name)
    return {
        "accuracy": float(accuracy.mean()),
        "deviation": float(accuracy.std(ddof=1)) if len(accuracy) > 1 else 0.0,
        "n": len(clips.of("test")),
        "curve": _curve(run, clips.task.name),
    }


def _curve(run: Run, task: str) -> list[float]:
    return [round(float(v), 4) for v in run.curve[task].mean(0)]


def _agreement(a: Matrix, b: Matrix) -> dict[str, Any]:
    value, low, high = rank_correlation(a.value(), b.value())
    names = [f"{m.setup.body}, {round(100 * m.setup.fraction)} %" for m in (a, b)]
    return {"matrices": names, "spearman": value, "low": low, "high": high, "cells": len(a.gains)}


def _predictors(m: Matrix, seconds: np.ndarray, levels: np.ndarray) -> dict[str, Any]:
    """Leave-one-task-out AUC of all features together, of each property alone, and of the majority baseline."""
    n_train = {t: len(training_part(c, m.setup.fraction, 0)) for t, c in m.setup.clips.items()}
    features = {t: task_features(c, m.alone[t], seconds, levels, n_train[t]) for t, c in m.setup.clips.items()}
    names, x = pair_features(features, m.gains)
    positive = np.array([g.gain > 0 for g in m.gains])
    single = [
        judged(n, x[:, [i for i, column in enumerate(names) if column.startswith(f"{n} (")]], m.gains)
        for n in next(iter(features.values()))
    ]
    return {
        "positive": int(positive.sum()),
        "pairs": len(positive),
        "majority": auc(majority_scores(positive, [g.task for g in m.gains]), positive),
        "together": asdict(judged("all", x, m.gains)),
        "single": [asdict(j) for j in sorted(single, key=lambda j: -j.auc)],
        "features": features,
    }


def _triples(m: Matrix, folder: Path, say: Say) -> list[dict[str, Any]]:
    """For every task its two best and its two worst partners at once: does the pairs' gain carry over?"""
    entries = []
    for task in m.setup.clips:
        ranked = sorted((g for g in m.gains if g.task == task), key=lambda g: -g.gain)
        for kind, pair in (("best", ranked[:2]), ("worst", ranked[-2:])):
            partners = [g.partner for g in pair]
            three = run(m.setup, [task, *partners], folder)
            clips = m.setup.clips[task]
            g = gain(task, "+".join(partners), m.alone[task], three, clips.source[clips.of("test")])
            entries.append({**asdict(g), "kind": kind, "pairs": [p.gain for p in pair]})
            say(f"triples: {len(entries)} of {2 * len(m.setup.clips)}")
    return entries


def _seconds(store: MelStore, data: Path) -> np.ndarray:
    return np.array([soundfile.info(data / r.dataset / r.file).duration for r in store.rows], np.float32)


def _signal_to_noise(summary: np.ndarray) -> np.ndarray:
    """Loud minus quiet frames in dB, the mean over mel bands: the log-mel windows are in dB."""
    mels = summary.shape[1] // 5
    return (summary[:, 3 * mels : 4 * mels] - summary[:, 2 * mels : 3 * mels]).mean(1)


def differences(shipped: Mapping[str, Any], fresh: Mapping[str, Any], tolerance: float) -> list[str]:
    """Cells of which the two contents disagree by more than `tolerance`, in words."""
    wrong = []
    for old, new in zip(shipped["matrices"], fresh["matrices"], strict=True):
        where = f"{new['network']}, {round(100 * new['fraction'])} %"
        for task, entry in new["alone"].items():
            if abs(entry["accuracy"] - old["alone"][task]["accuracy"]) > tolerance:
                wrong.append(f"{where}: {task} alone {old['alone'][task]['accuracy']:.3f}, now {entry['accuracy']:.3f}")
        before = {(c["task"], c["partner"]): c["gain"] for c in old["cells"]}
        for cell in new["cells"]:
            known = before[cell["task"], cell["partner"]]
            if abs(cell["gain"] - known) > tolerance:
                wrong.append(f"{where}: {cell['task']} with {cell['partner']} {known:+.3f}, now {cell['gain']:+.3f}")
    return wrong
