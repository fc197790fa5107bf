"""Uncertainty of accuracies measured on few clips: Wilson interval, McNemar's test, and what a bootstrap draws.

The first two treat clips as independent draws. Clips cut from one recording are not independent, so that every interval
is then too narrow; a bootstrap draws `units`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Z_95 = 1.959964  # standard normal quantile at 0.975
MIN_SOURCES = 12  # fewer recordings' sources are no sample: their clips are drawn instead


def wilson(successes: ArrayLike, n: ArrayLike, z: float = Z_95) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Score interval of a proportion (Wilson 1927, doi:10.1080/01621459.1927.10502953), as (low, high) in 0…1.

    `successes` and `n` are counts that broadcast to one shape, which low and high have. Without clips (n = 0) the
    interval is (0, 1). Unlike p ± z·se it neither leaves 0…1 nor collapses to a point at 0 or n successes. Raises
    ValueError unless 0 <= successes <= n.
    """
    k, total = np.broadcast_arrays(np.asarray(successes, dtype=np.float64), np.asarray(n, dtype=np.float64))
    if not np.all((k >= 0) & (k <= total)):
        raise ValueError(f"wilson needs 0 <= successes <= n, not successes {successes!r} of {n!r}.")
    safe = np.maximum(total, 1.0)  # n = 0 is answered below
    centre = (k + z**2 / 2) / (safe + z**2)
    half = z * np.sqrt(k * (safe - k) / safe + z**2 / 4) / (safe + z**2)
    low = np.where(k == 0, 0.0, centre - half)  # exactly 0 and 1 at the ends, also when n = 0; rounding would miss them
    high = np.where(k == total, 1.0, centre + half)
    return low[()], high[()]  # turns arrays without dimension into numbers


def mcnemar(correct_a: ArrayLike, correct_b: ArrayLike) -> float:
    """Exact two-sided p-value that two models are equally often right on the same clips (McNemar 1947,
    doi:10.1007/BF02295996), in its binomial form.

    Both are boolean (n_clips,), clip by clip. Only clips that one model gets right and the other wrong count; without
    any, p = 1. Raises ValueError on different shapes.
    """
    from scipy.stats import binomtest  # takes a second, which the first paint of the page need not wait for

    a, b = _paired(correct_a, correct_b)
    only_a, only_b = int(np.sum(a & ~b)), int(np.sum(~a & b))
    return float(binomtest(only_a, only_a + only_b, 0.5).pvalue) if only_a + only_b else 1.0


def units(sources: np.ndarray) -> np.ndarray:
    """The number of the unit that each clip is drawn with (n,): its source where there are enough, or itself."""
    names, place = np.unique(sources, return_inverse=True)
    return place if len(names) >= MIN_SOURCES else np.arange(len(place))


def _paired(correct_a: ArrayLike, correct_b: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    a, b = np.asarray(correct_a, dtype=bool), np.asarray(correct_b, dtype=bool)
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(f"Paired statistics need two (n_clips,) arrays, not shapes {a.shape} and {b.shape}.")
    return a, b
