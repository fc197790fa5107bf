"""A figure and how sure it is, as the studies ship it, and what is drawn for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MIN_SOURCES = 12  # fewer recordings' sources are no sample: their clips are drawn instead


@dataclass(frozen=True)
class Interval:
    """A figure and its 95 % bootstrap interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, value: float, resampled: np.ndarray) -> Interval:
        low, high = np.quantile(resampled, [0.025, 0.975])
        return cls(float(value), float(low), float(high))

    def to_dict(self) -> dict[str, float]:
        return {"value": round(self.value, 4), "low": round(self.low, 4), "high": round(self.high, 4)}


def units(sources: np.ndarray) -> np.ndarray:
    """The number of the unit that each clip is drawn with (n,): its source where there are enough, or itself."""
    names, place = np.unique(sources, return_inverse=True)
    return place if len(names) >= MIN_SOURCES else np.arange(len(place))
