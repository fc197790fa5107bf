"""One clip followed along the λ of one vector: its probabilities, and the λ at which the answer flips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

TRACED_LABELS = 5  # lines of a figure


@dataclass(frozen=True)
class Trace:
    """Probabilities of one clip along λ of `vector`, while the other coefficients stay. Each λ is computed exactly.

    `scaling_coefs` (p,) in order; `probabilities` has (p,) for each label, adding up to 1 at every λ; `flips` are (λ,
    label before, label after) where the most probable label changes, λ midway between the two points around it. Of a
    long clip only the `first_seconds` were heard; None: all of it.
    """

    vector: str
    scaling_coefs: np.ndarray
    probabilities: dict[str, np.ndarray]
    flips: tuple[tuple[float, str, str], ...]
    first_seconds: float | None = None

    @classmethod
    def of(
        cls,
        vector: str,
        scaling_coefs: np.ndarray,
        labels: Sequence[str],
        values: np.ndarray,
        first_seconds: float | None = None,
    ) -> Trace:
        """From probabilities `values` (p, n_labels) at `scaling_coefs` (p,)."""
        top = values.argmax(1)
        flips = tuple(
            (float(scaling_coefs[i] + scaling_coefs[i + 1]) / 2, labels[top[i]], labels[top[i + 1]])
            for i in np.flatnonzero(np.diff(top))
        )
        return cls(vector, scaling_coefs, dict(zip(labels, values.T, strict=True)), flips, first_seconds)

    @property
    def leading(self) -> list[str]:
        """The labels that a figure draws: those on top somewhere first, then those with the largest probabilities."""
        peaks = {label: float(p.max()) for label, p in self.probabilities.items()}
        on_top = [label for _, before, after in self.flips for label in (before, after)]
        return list(dict.fromkeys([*on_top, *sorted(peaks, key=lambda label: -peaks[label])]))[:TRACED_LABELS]
