"""What many gains say together: which are beyond chance, their mean, how far two matrices agree."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

import numpy as np

from ....serve.studies.relations.gains import Cell, Gain
from ..intervals import Interval

TASK_RESAMPLES = 500
FALSE_DISCOVERIES = 0.05


def discoveries(p_values: Sequence[float], rate: float = FALSE_DISCOVERIES) -> list[bool]:
    """Which tests are significant at a false discovery rate (Benjamini & Hochberg 1995)."""
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p)
    passed = np.flatnonzero(p[order] <= rate * np.arange(1, len(p) + 1) / len(p))
    found = np.zeros(len(p), bool)
    if passed.size:
        found[order[: passed[-1] + 1]] = True
    return found.tolist()


def over_tasks(tasks: Sequence[str], statistic: Callable[[np.ndarray], float], seed: int = 0) -> Interval:
    """A statistic of cells with its interval. `tasks` (n,) has the task of each cell; `statistic` gets cells' places.

    Tasks are drawn, not cells, because cells of one row share their task.
    """
    own = np.asarray(tasks)
    rows = [np.flatnonzero(own == name) for name in sorted(set(tasks))]
    draw = np.random.default_rng(seed)
    drawn = (np.concatenate([rows[i] for i in draw.integers(len(rows), size=len(rows))]) for _ in range(TASK_RESAMPLES))
    return Interval.of(statistic(np.arange(len(own))), np.array([statistic(places) for places in drawn]))


def mean_gain(gains: Sequence[Gain]) -> Interval:
    """Over all cells."""
    values = np.array([g.gain for g in gains])
    return over_tasks([g.task for g in gains], lambda places: float(values[places].mean()))


def split_half_correlation(gains: Sequence[Gain]) -> Interval:
    """Mean Pearson correlation of the gains of one half of the seeds with those of the other, over all halvings.

    Both halves are measured on the same test clips: it tells how much the seeds matter, not how much the clips do.
    Raises ValueError for a single seed.
    """
    by_seed = np.array([g.by_seed for g in gains])  # (cells, seeds)
    n = by_seed.shape[1]
    if n < 2:
        raise ValueError("One seed has no halves.")
    halves = [(list(half), [s for s in range(n) if s not in half]) for half in combinations(range(n), n // 2)]

    def agreement(places: np.ndarray) -> float:
        drawn = by_seed[places]
        return float(np.mean([_correlation(drawn[:, a].mean(1), drawn[:, b].mean(1)) for a, b in halves]))

    return over_tasks([g.task for g in gains], agreement)


def rank_correlation(a: Mapping[Cell, float], b: Mapping[Cell, float]) -> Interval:
    """Spearman's rank correlation of two matrices over the cells that both have."""
    from scipy.stats import rankdata

    cells = sorted(set(a) & set(b))
    x, y = (np.array([of[cell] for cell in cells]) for of in (a, b))
    return over_tasks([task for task, _ in cells], lambda at: _correlation(rankdata(x[at]), rankdata(y[at])))


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Pearson's; 0 where one side does not vary."""
    return float(np.corrcoef(x, y)[0, 1]) if np.ptp(x) > 0 and np.ptp(y) > 0 else 0.0
