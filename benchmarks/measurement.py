"""A measured figure, its peer or limit, and whether it meets its target."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Of = Literal["value", "ratio"]


@dataclass(frozen=True)
class Target:
    """A bound on a figure or on its ratio to the peer."""

    bound: Literal["at most", "at least"]
    limit: float
    of: Of = "value"


@dataclass(frozen=True)
class Peer:
    """The limit or other program that a figure is compared with, in the same unit and measured in the same run.

    If the peer is a limit, the ratio is figure / peer ("times"). If it is another way to do the same job, the ratio is
    peer / figure ("times faster").
    """

    name: str
    value: float
    ratio: Literal["times", "times faster"] = "times faster"


@dataclass(frozen=True)
class Measurement:
    """A median in `unit` over `n` repeats, with the smallest and the 95th percentile of them.

    `ratio` compares `value` with `peer_value`, in the words of `ratio_unit`. `met` is None without a target;
    `missed_by` is the share of the target's limit by which it was missed, 0 when met.
    """

    name: str
    value: float
    unit: str
    n: int
    low: float
    p95: float
    peer: str = ""
    peer_value: float | None = None
    ratio: float | None = None
    ratio_unit: str = ""
    target: str = ""
    met: bool | None = None
    missed_by: float = 0.0
    note: str = ""


def measured(
    name: str,
    unit: str,
    samples: Sequence[float],
    *,
    peer: Peer | None = None,
    target: Target | None = None,
    note: str = "",
) -> Measurement:
    """The measurement of `samples` in `unit`; at least one is needed."""
    value = float(np.median(samples))
    low, p95 = float(np.min(samples)), float(np.percentile(samples, 95))
    ratio = None
    if peer is not None:
        ratio = value / peer.value if peer.ratio == "times" else peer.value / value
    text, met, missed_by = "", None, 0.0
    if target is not None:
        judged = value if target.of == "value" else ratio
        if judged is None:
            raise ValueError(f"{name!r} has a target for its ratio but no peer")
        met = judged <= target.limit if target.bound == "at most" else judged >= target.limit
        missed_by = 0.0 if met else abs(judged - target.limit) / target.limit
        of = unit if target.of == "value" else f"{peer.ratio} {peer.name}" if peer else ""
        text = f"{target.bound} {target.limit:g} {of}"
    return Measurement(
        name,
        value,
        unit,
        len(samples),
        low,
        p95,
        peer.name if peer else "",
        peer.value if peer else None,
        ratio,
        peer.ratio if peer else "",
        text,
        met,
        missed_by,
        note,
    )


def in_turn(
    ways: Mapping[str, Callable[[], object]], repeats: int, warm_up: int = 1, scale: float = 1e3
) -> dict[str, list[float]]:
    """Times of each way to do a job, in ms unless `scale` says otherwise.

    The ways take turns, so that a noisy moment meets all of them.

    Warm-up rounds are not counted. The result of a call is dropped before the next call begins.
    """
    taken: dict[str, list[float]] = {name: [] for name in ways}
    gc.collect()
    for i in range(warm_up + repeats):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            seconds = time.perf_counter() - start
            if i >= warm_up:
                taken[name].append(scale * seconds)
    return taken


def median(samples: Sequence[float]) -> float:
    return float(np.median(samples))
