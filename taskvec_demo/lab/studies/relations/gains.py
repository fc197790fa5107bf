"""From runs to the matrix of gains: how much better a task does with a partner, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from .training import Run

RESAMPLES = 2000
FALSE_DISCOVERIES = 0.05


@dataclass(frozen=True)
class Gain:
    """Test accuracy of `task` with `partner` minus alone, its 95 % bootstrap interval, and what it was drawn from.

    `p` is the sign-flip permutation test's over sources; `by_seed` the gain of each seed.
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
    by_seed: tuple[float, ...]


def gain(task: str, partner: str, alone: Run, together: Run, sources: np.ndarray, seed: int = 0) -> Gain:
    """`sources` (n_test,) are the test clips' recordings: clips of one source answer alike, so sources are drawn.

    The interval draws sources and seeds with replacement; the test flips the sign of each source's difference.
    """
    before, after = alone.correct[task], together.correct[task]
    difference = after.astype(np.float64) - before  # (seeds, n)
    names, place = np.unique(sources, return_inverse=True)
    sums = np.zeros((len(difference), len(names)))  # of each seed and source
    for s, row in enumerate(difference):
        sums[s] = np.bincount(place, weights=row, minlength=len(names))
    sizes = np.bincount(place, minlength=len(names))
    draw = np.random.default_rng((seed, len(names), sum(task.encode()), sum(partner.encode())))
    counts = draw.multinomial(len(names), np.full(len(names), 1 / len(names)), size=RESAMPLES)  # (resamples, sources)
    seeds = draw.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=RESAMPLES) / len(sums)
    resampled = np.einsum("rk,rs,sk->r", counts, seeds, sums) / (counts @ sizes)
    low, high = np.quantile(resampled, [0.025, 0.975])
    mean = sums.mean(0)  # the seeds' mean, source by source
    flips = draw.choice((-1.0, 1.0), size=(RESAMPLES, len(names)))
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
        len(names),
        tuple(float(v) for v in difference.mean(1)),
    )


def discoveries(p_values: Sequence[float], rate: float = FALSE_DISCOVERIES) -> list[bool]:
    """Which tests are significant at a false discovery rate (Benjamini & Hochberg 1995)."""
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p)
    passed = np.flatnonzero(p[order] <= rate * np.arange(1, len(p) + 1) / len(p))
    found = np.zeros(len(p), bool)
    if passed.size:
        found[order[: passed[-1] + 1]] = True
    return found.tolist()


def split_half_correlation(gains: Sequence[Gain]) -> float:
    """Mean Pearson correlation of the gains of one half of the seeds with those of the other, over all halvings.

    Both halves are measured on the same test clips: it tells how much the seeds matter, not how much the clips do.
    """
    by_seed = np.array([g.by_seed for g in gains])  # (cells, seeds)
    n = by_seed.shape[1]
    values = []
    for half in combinations(range(n), n // 2):
        rest = [s for s in range(n) if s not in half]
        a, b = by_seed[:, list(half)].mean(1), by_seed[:, rest].mean(1)
        if a.std() and b.std():
            values.append(float(np.corrcoef(a, b)[0, 1]))
    return float(np.mean(values)) if values else 0.0


def rank_correlation(
    a: Mapping[tuple[str, str], float], b: Mapping[tuple[str, str], float], seed: int = 0
) -> tuple[float, float, float]:
    """Spearman's rank correlation of two matrices over the cells that both have, with a 95 % bootstrap interval.

    Tasks are drawn, not cells, because cells of one row share their task.
    """
    from scipy.stats import spearmanr

    cells = sorted(set(a) & set(b))
    tasks = sorted({t for t, _ in cells})

    def correlation(drawn: Sequence[str]) -> float:
        x, y = [], []
        for task in drawn:
            own = [c for c in cells if c[0] == task]
            x += [a[c] for c in own]
            y += [b[c] for c in own]
        return float(spearmanr(x, y).statistic)

    draw = np.random.default_rng(seed)
    resampled = [correlation(list(draw.choice(tasks, len(tasks)))) for _ in range(300)]
    low, high = np.nanquantile(resampled, [0.025, 0.975])
    return correlation(tasks), float(low), float(high)
