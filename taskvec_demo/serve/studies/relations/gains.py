"""How much better a task does with a partner, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ....core.intervals import MIN_SOURCES, units
from .training import Run

RESAMPLES = 2000

Drawn = Literal["sources", "clips"]
Cell = tuple[str, str]  # the task that is measured, and its partner


@dataclass(frozen=True)
class Gain:
    """Test accuracy of `task` with `partner` minus alone, its 95 % bootstrap interval, and what it was drawn from.

    `p` is the sign-flip permutation test's; `by_seed` the gain of each seed. Sources are drawn, or the clips themselves
    where a task has too few sources.
    """

    task: str
    partner: str
    alone: float
    gain: float
    low: float
    high: float
    p: float
    n_clips: int
    n_sources: int
    drawn: Drawn
    by_seed: tuple[float, ...]


def gain(task: str, partner: str, alone: Run, together: Run, sources: np.ndarray, seed: int = 0) -> Gain:
    """`sources` (n_test,) are the test clips' recordings: clips of one source answer alike, so `units` are drawn.

    The interval draws units and seeds with replacement; the test flips the sign of each unit's difference.
    """
    before, after = alone.correct[task], together.correct[task]
    difference = after.astype(np.float64) - before  # (seeds, n)
    place = units(sources)
    sizes = np.bincount(place)
    n = len(sizes)
    sums = np.stack([np.bincount(place, weights=row, minlength=n) for row in difference])  # of each seed and unit
    draw = np.random.default_rng((seed, n, sum(task.encode()), sum(partner.encode())))
    counts = draw.multinomial(n, np.full(n, 1 / n), size=RESAMPLES)  # (resamples, units)
    seeds = draw.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=RESAMPLES) / len(sums)
    resampled = np.einsum("rk,rs,sk->r", counts, seeds, sums) / (counts @ sizes)
    low, high = np.quantile(resampled, [0.025, 0.975])
    mean = sums.mean(0)  # the seeds' mean, unit by unit
    flips = draw.choice((-1.0, 1.0), size=(RESAMPLES, n))
    extreme = np.abs(flips @ mean) >= abs(mean.sum()) - 1e-12
    return Gain(
        task,
        partner,
        float(before.mean()),
        float(difference.mean()),
        float(low),
        float(high),
        float((extreme.sum() + 1) / (RESAMPLES + 1)),
        difference.shape[1],
        len(set(sources)),
        drawn_of(sources),
        tuple(float(v) for v in difference.mean(1)),
    )


def drawn_of(sources: np.ndarray) -> Drawn:
    return "sources" if len(set(sources)) >= MIN_SOURCES else "clips"
