"""The best way to spend a budget on several tasks: one point for each, with the best mean validation accuracy."""

from __future__ import annotations

from collections.abc import Sequence

from ....recordings.splits import VALIDATION
from .points import Point

BUDGETED = ("zero-shot", "multi-head", "adapter")  # what shares one pass of the frozen tower


def frontier(points: Sequence[Sequence[Point]], measure: str) -> list[tuple[int, float, tuple[Point, ...]]]:
    """Total cost, mean validation accuracy and the tasks' points of every sum that no cheaper one matches, by cost.

    `points` holds the points of each task. Tasks are added one by one, and what another sum beats at no higher cost
    is dropped, so that the result is exact (a multiple-choice knapsack).
    """
    sums: list[tuple[int, float, tuple[Point, ...]]] = [(0, 0.0, ())]
    for own in points:
        offers = [p for p in own if p.kind in BUDGETED]
        added = [
            (spent + getattr(p, measure), total + float(p.right[VALIDATION].mean()) / len(points), (*chosen, p))
            for spent, total, chosen in sums
            for p in offers
        ]
        sums = _undominated(added)
    return sums


def _undominated(sums: list[tuple[int, float, tuple[Point, ...]]]) -> list[tuple[int, float, tuple[Point, ...]]]:
    kept: list[tuple[int, float, tuple[Point, ...]]] = []
    for one in sorted(sums, key=lambda s: (s[0], -s[1])):
        if not kept or one[1] > kept[-1][1] + 1e-12:
            kept.append(one)
    return kept


def allocation(points: Sequence[Sequence[Point]], measure: str, budget: float) -> tuple[Point, ...]:
    """A point for each task: those whose sum of accuracies is best within `budget`, the cheapest if none fits."""
    sums = frontier(points, measure)
    return max((s for s in sums if s[0] <= budget), key=lambda s: s[1], default=sums[0])[2]
