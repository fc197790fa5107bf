"""The matrix of gains of one network: every task alone, with every partner, and with two partners at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from ....serve.studies.relations.gains import Cell, Gain, gain
from ....serve.studies.relations.tasks import TaskClips
from ....serve.studies.relations.training import Run, Setup
from .gains import discoveries, mean_gain, split_half_correlation
from .runs import run

TITLES = {"mlp": "Learned together", "cnn": "Learned together, small CNN"}
Say = Callable[[str], None]


@dataclass(frozen=True)
class Matrix:
    """All gains of one network and one share of the data, with the runs they come from."""

    setup: Setup
    alone: Mapping[str, Run]
    together: Mapping[tuple[str, ...], Run]
    gains: list[Gain]

    @property
    def name(self) -> str:
        return self.setup.body

    @property
    def values(self) -> dict[Cell, float]:
        return {(g.task, g.partner): g.gain for g in self.gains}

    def validation_gain(self, task: str, partner: str) -> float:
        """Of the mean best validation accuracies of the seeds: partners are chosen by it, test clips take no part."""
        both = self.together[_pair(task, partner)].curve[task]
        return float(both.max(1).mean() - self.alone[task].curve[task].max(1).mean())


@dataclass(frozen=True)
class Triple:
    """A task with its two "best" or two "worst" partners at once. `pairs`: its gains with each of them."""

    kind: str
    gain: Gain
    pairs: tuple[Gain, Gain]


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
    return Matrix(setup, alone, together, gains_of(setup.clips, alone, together))


def gains_of(
    clips: Mapping[str, TaskClips], alone: Mapping[str, Run], together: Mapping[tuple[str, ...], Run]
) -> list[Gain]:
    """Both directions of every pair."""
    gains = []
    for pair, both in together.items():
        for task, partner in (pair, pair[::-1]):
            gains.append(gain(task, partner, alone[task], both, clips[task].source[clips[task].of("test")]))
    return sorted(gains, key=lambda g: (g.task, g.partner))


def triples(m: Matrix, folder: Path, say: Say) -> list[Triple]:
    """For every task its two best and its two worst partners at once: does the pairs' gain carry over?"""
    gains = {(g.task, g.partner): g for g in m.gains}
    found = []
    for task, clips in m.setup.clips.items():
        ranked = sorted((t for t in m.setup.clips if t != task), key=lambda t: -m.validation_gain(task, t))
        for kind, partners in (("best", ranked[:2]), ("worst", ranked[-2:])):
            three = run(m.setup, [task, *partners], folder)
            one = gain(task, "+".join(partners), m.alone[task], three, clips.source[clips.of("test")])
            a, b = partners
            found.append(Triple(kind, one, (gains[task, a], gains[task, b])))
            say(f"triples: {len(found)} of {2 * len(m.setup.clips)}")
    return found


def _pair(*tasks: str) -> tuple[str, ...]:
    return tuple(sorted(tasks))


# ---- as JSON --------------------------------------------------------------------------------------------------------
def matrix_entry(m: Matrix) -> dict[str, Any]:
    return {
        "name": m.name,
        "title": TITLES[m.name],
        "fraction": m.setup.fraction,
        "steps": m.setup.steps,
        "alone": {t: _alone_entry(m.setup.clips[t], r) for t, r in m.alone.items()},
        **gain_entries({t: c.task.title for t, c in m.setup.clips.items()}, m.gains),
        "curves": [_curve(m.together[_pair(g.task, g.partner)], g.task) for g in m.gains],
        "split_half": split_half_correlation(m.gains).to_dict(),
    }


def gain_entries(titles: Mapping[str, str], gains: Sequence[Gain]) -> dict[str, Any]:
    """What every matrix of gains has: its tasks (name -> title), its cells, and how many are `beyond_chance`."""
    found = beyond_chance(gains)
    return {
        "measure": "gain",
        "tasks": [{"name": name, "title": title} for name, title in titles.items()],
        "cells": [{**asdict(g), "significant": s} for g, s in zip(gains, found, strict=True)],
        "better": sum(s and g.gain > 0 for g, s in zip(gains, found, strict=True)),
        "worse": sum(s and g.gain < 0 for g, s in zip(gains, found, strict=True)),
        "covering_zero": sum(g.low <= 0 <= g.high for g in gains),
        "mean": mean_gain(gains).to_dict(),
    }


def beyond_chance(gains: Sequence[Gain]) -> list[bool]:
    """Whose test passes at the false discovery rate of all, and whose interval, which draws seeds too, leaves out 0."""
    passed = discoveries([g.p for g in gains])
    return [one and not g.low <= 0 <= g.high for g, one in zip(gains, passed, strict=True)]


def _alone_entry(clips: TaskClips, run: Run) -> dict[str, Any]:
    accuracy = run.accuracy(clips.task.name)
    return {
        "accuracy": float(accuracy.mean()),
        "n": len(clips.of("test")),
        "curve": _curve(run, clips.task.name),
    }


def _curve(run: Run, task: str) -> dict[str, list[float]]:
    """Validation accuracy along the training: the mean of the seeds, the lowest and the highest of them."""
    seeds = run.curve[task]
    of = {"mean": seeds.mean(0), "low": seeds.min(0), "high": seeds.max(0)}
    return {name: np.round(values.astype(float), 4).tolist() for name, values in of.items()}


def triple_entries(found: Sequence[Triple]) -> list[dict[str, Any]]:
    marks = beyond_chance([t.gain for t in found])
    return [
        {
            **asdict(t.gain),
            "kind": t.kind,
            "partners": [p.partner for p in t.pairs],
            "pairs": [p.gain for p in t.pairs],
            "significant": significant,
        }
        for t, significant in zip(found, marks, strict=True)
    ]
