"""From right and wrong answers to figures: domain averages, differences, and how sure they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ....core.evaluation import Accuracy
from ....core.intervals import mcnemar, units
from ..intervals import Interval
from ..relations.gains import discoveries
from .measure import Right
from .plan import DOMAINS
from .tasks import Judged

RESAMPLES = 2000


def mean_accuracy(tasks: Sequence[Judged], right: Right, domain: str | None = None) -> float:
    """The mean over a domain's tasks; without a domain the mean of the domains, which count alike."""
    if domain is None:
        return float(np.mean([mean_accuracy(tasks, right, d) for d in domains_of(tasks)]))
    return float(np.mean([right[t.name].mean() for t in tasks if t.domain == domain]))


def domains_of(tasks: Sequence[Judged]) -> list[str]:
    return [d for d in DOMAINS if any(t.domain == d for t in tasks)]


def resampled(task: Judged, split: str, right: np.ndarray, draw: np.random.Generator, n: int = RESAMPLES) -> np.ndarray:
    """Accuracies (n, models) of `right` (models, clips) on units drawn with replacement, the same for all models."""
    of = units(task.clips.source[task.clips.of(split)])
    size = np.bincount(of)
    sums = np.stack([np.bincount(of, weights=row, minlength=len(size)) for row in right.astype(np.float64)])
    counts = draw.multinomial(len(size), np.full(len(size), 1 / len(size)), size=n)
    return counts @ sums.T / (counts @ size)[:, None]


def resampled_means(
    tasks: Sequence[Judged], split: str, models: Sequence[Right], domain: str | None, n: int = RESAMPLES
) -> np.ndarray:
    """(n, models): `mean_accuracy` of every model under the same resampling."""
    if domain is None:
        return np.mean([resampled_means(tasks, split, models, d, n) for d in domains_of(tasks)], axis=0)
    draw = np.random.default_rng(0)
    own = [t for t in tasks if t.domain == domain]
    return np.mean([resampled(t, split, np.stack([m[t.name] for m in models]), draw, n) for t in own], axis=0)


def difference(tasks: Sequence[Judged], split: str, a: Right, b: Right, domain: str | None) -> Interval:
    """How much better `a` is than `b` in the mean over the tasks of a domain, or over all tasks."""
    value = mean_accuracy(tasks, a, domain) - mean_accuracy(tasks, b, domain)
    means = resampled_means(tasks, split, (a, b), domain)
    return Interval.of(value, means[:, 0] - means[:, 1])


def rank_correlation(
    tasks: Sequence[Judged], split: str, shares: Sequence[float], along: Sequence[Right], domain: str
) -> Interval:
    """Spearman's correlation of a domain's mean accuracy with λ. `shares` are the λ at which `along` was measured."""
    from scipy.stats import rankdata

    ranks = rankdata(shares)

    def spearman(rows: np.ndarray) -> np.ndarray:
        placed = rankdata(rows, axis=-1)
        x, y = ranks - ranks.mean(), placed - placed.mean(-1, keepdims=True)
        size = np.sqrt((x**2).sum() * (y**2).sum(-1))
        return np.divide((x * y).sum(-1), size, out=np.zeros(len(rows)), where=size > 0)

    value = spearman(np.array([[mean_accuracy(tasks, right, domain) for right in along]]))[0]
    return Interval.of(value, spearman(resampled_means(tasks, split, along, domain, RESAMPLES // 4)))


def compared(tasks: Sequence[Judged], a: Right, b: Right) -> list[dict[str, Any]]:
    """Task by task McNemar's exact p of two models on the same clips; significant ones at a false discovery rate."""
    p = [mcnemar(a[t.name], b[t.name]) for t in tasks]
    return [
        {
            "task": t.name,
            "difference": round(float(a[t.name].mean() - b[t.name].mean()), 4),
            "p": value,
            "significant": found,
            "n": len(a[t.name]),
        }
        for t, value, found in zip(tasks, p, discoveries(p), strict=True)
    ]


def accuracies(tasks: Sequence[Judged], right: Right) -> dict[str, Mapping[str, float | None]]:
    """Task -> accuracy with its Wilson interval."""
    return {t.name: Accuracy.of(right[t.name]).to_dict() for t in tasks}


def plain(tasks: Sequence[Judged], right: Right) -> dict[str, float]:
    """Task -> accuracy."""
    return {t.name: round(float(right[t.name].mean()), 4) for t in tasks}
