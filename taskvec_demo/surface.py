"""Logit surfaces: the logits of every labelled clip as a polynomial of the scaling coefficients.

Measured once on many recipes, fitted by least squares with Chebyshev polynomials of bounded total degree, evaluated in
well under a millisecond. What a surface says is an estimate and carries its held-out error; the predictions measured
at the points it was fitted on are kept beside it and are returned as measured.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from .errors import BadArtifactError
from .recipe import MEASURED_HIGH, MEASURED_LOW
from .weights import read_safetensors, write_safetensors

SURFACE_FORMAT = "1"


def exponents(n_vectors: int, degree: int) -> np.ndarray:
    """All exponents (terms, n_vectors) of total degree <= `degree`, in a fixed order."""
    return np.array([e for e in itertools.product(range(degree + 1), repeat=n_vectors) if sum(e) <= degree])


def chebyshev(points: np.ndarray, powers: np.ndarray) -> np.ndarray:
    """Points (p, n_vectors) in the measured box -> values (p, terms) of the products of Chebyshev polynomials."""
    z = (2 * np.asarray(points, float) - MEASURED_LOW - MEASURED_HIGH) / (MEASURED_HIGH - MEASURED_LOW)
    order = [np.ones_like(z), z]
    while len(order) <= powers.max():
        order.append(2 * z * order[-1] - order[-2])
    table = np.stack(order)  # (degree + 1, p, n_vectors)
    values = np.ones((len(z), len(powers)))
    for k in range(z.shape[1]):
        values *= table[powers[:, k], :, k].T
    return values


@dataclass(frozen=True)
class LogitSurface:
    """Per-clip logits of one task and split over the coefficients of `vectors`.

    coefficients (terms, n, n_classes) float32; labels (n,) class indices; points (p, n_vectors) and predictions (p, n)
    as measured; error: mean absolute held-out error of the accuracy over `n_held_out` points.
    """

    task: str
    split: str
    vectors: tuple[str, ...]
    degree: int
    coefficients: np.ndarray
    labels: np.ndarray
    points: np.ndarray
    predictions: np.ndarray
    error: float
    n_held_out: int

    @classmethod
    def fit(
        cls,
        task: str,
        split: str,
        vectors: Sequence[str],
        points: np.ndarray,
        logits: np.ndarray,
        labels: np.ndarray,
        held_out: np.ndarray,
        degree: int = 4,
        ridge: float = 1e-4,
    ) -> LogitSurface:
        """Fit measured logits (p, n, n_classes) at `points`; `held_out` (p,) marks points kept for the error."""
        powers = exponents(len(vectors), degree)
        basis = chebyshev(points, powers)
        flat = np.asarray(logits, np.float32).reshape(len(points), -1)
        # A logit is fixed only up to a constant a clip: centred logits need smaller coefficients.
        flat = (flat.reshape(*logits.shape) - logits.mean(-1, keepdims=True)).reshape(len(points), -1)

        def solve(used: np.ndarray) -> np.ndarray:
            a = basis[used]
            return np.linalg.solve(a.T @ a + ridge * len(a) * np.eye(a.shape[1]), a.T @ flat[used])

        trial = (basis[held_out] @ solve(~held_out)).reshape(-1, *logits.shape[1:])
        measured = (logits.argmax(-1) == labels).mean(1)
        error = float(np.abs((trial.argmax(-1) == labels).mean(1) - measured[held_out]).mean())
        solution = solve(np.ones(len(points), bool)).reshape(len(powers), *logits.shape[1:])
        return cls(
            task,
            split,
            tuple(vectors),
            degree,
            solution.astype(np.float16).astype(np.float32),
            np.asarray(labels, np.int64),
            np.round(np.asarray(points, np.float64), 4),
            logits.argmax(-1).astype(np.uint8),
            error,
            int(held_out.sum()),
        )

    def contains(self, coefficients: Mapping[str, float]) -> bool:
        """Whether a recipe's coefficients lie in the measured box and name only measured vectors."""
        return set(coefficients) <= set(self.vectors) and all(
            MEASURED_LOW <= value <= MEASURED_HIGH for value in coefficients.values()
        )

    def _point(self, coefficients: Mapping[str, float]) -> np.ndarray:
        return np.array([[coefficients.get(name, 0.0) for name in self.vectors]])

    def logits(self, coefficients: Mapping[str, float]) -> np.ndarray:
        """Estimated logits (n, n_classes) at one recipe; the caller has asked `contains`."""
        return self.curve(self._point(coefficients))[0]

    def curve(self, points: np.ndarray) -> np.ndarray:
        """Estimated logits (p, n, n_classes) at points (p, n_vectors)."""
        basis = chebyshev(points, exponents(len(self.vectors), self.degree)).astype(np.float32)
        return (basis @ self.coefficients.reshape(len(self.coefficients), -1)).reshape(
            len(points), *self.coefficients.shape[1:]
        )

    def measured(self, coefficients: Mapping[str, float]) -> np.ndarray | None:
        """Predictions (n,) measured at exactly this recipe, or none."""
        if not set(coefficients) <= set(self.vectors):
            return None
        at = np.flatnonzero(np.abs(self.points - self._point(coefficients)).max(1) < 1e-6)
        return self.predictions[at[0]].astype(np.int64) if len(at) else None

    def save(self, path: Path) -> None:
        tensors = {
            "coefficients": torch.from_numpy(self.coefficients.astype(np.float16)),
            "labels": torch.from_numpy(self.labels.astype(np.uint8)),
            "points": torch.from_numpy(self.points.astype(np.float64)),
            "predictions": torch.from_numpy(self.predictions),
        }
        metadata = {
            "format": SURFACE_FORMAT,
            "task": self.task,
            "split": self.split,
            "vectors": ",".join(self.vectors),
            "degree": str(self.degree),
            "error": repr(self.error),
            "n_held_out": str(self.n_held_out),
        }
        write_safetensors(path, tensors, metadata)

    @classmethod
    def load(cls, path: Path) -> LogitSurface:
        tensors, metadata = read_safetensors(path)
        if metadata.get("format") != SURFACE_FORMAT:
            raise BadArtifactError(
                f"{path} has surface format {metadata.get('format')!r}; this version reads {SURFACE_FORMAT!r}."
            )
        return cls(
            metadata["task"],
            metadata["split"],
            tuple(metadata["vectors"].split(",")),
            int(metadata["degree"]),
            tensors["coefficients"].float().numpy(),
            tensors["labels"].numpy().astype(np.int64),
            tensors["points"].double().numpy(),
            tensors["predictions"].numpy(),
            float(metadata["error"]),
            int(metadata["n_held_out"]),
        )
