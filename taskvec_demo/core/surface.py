"""Logit surfaces: the logits of every labelled clip as a polynomial of the scaling coefficients.

The logits are measured once on many recipes. Ridge regression fits products of Chebyshev polynomials to them. The fit
is then kept in few directions, because the logits of all clips change with λ in much the same ways: 96 directions
instead of thousands of logits make a surface small, and change its answers less than its error. The value of a surface
is an estimate, and the surface knows its held-out error.
The predictions that were measured at the points of the fit are kept beside it, and are returned as measured.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..errors import BadArtifactError
from .recipe import MEASURED_HIGH, MEASURED_LOW
from .weights import read_safetensors, write_safetensors

SURFACE_FORMAT = "4"
ONE_DIRECTION_A_TERM = "3"  # an older format, which kept the coefficients of every logit
RANK = 96  # directions that are kept
MAIN_DEGREES = (7, 6, 5)  # largest total degree of a term that joins one, two, three main vectors
OTHER_DEGREES = (5, 4, 4)  # the same for a term that joins any other vector
GROWTH = 6.0  # factor of the ridge penalty for each degree of a term, because logits are smooth in λ
RIDGES = tuple(10 ** (k / 2) for k in range(-16, -5))  # for each point; chosen by leaving points out


def sparse_exponents(
    n_vectors: int,
    main: Collection[int],
    main_degrees: Sequence[int] = MAIN_DEGREES,
    other_degrees: Sequence[int] = OTHER_DEGREES,
) -> np.ndarray:
    """Exponents (terms, n_vectors) of a polynomial in many λ, of which people move a few at a time.

    A term joins at most `len(main_degrees)` vectors; its total degree is bounded by how many it joins, and by whether
    all of them are `main` (columns). Total degree 5 over eight vectors has 1,287 terms, most of them interactions of
    three vectors and more: small, and poorly determined by measurements with few vectors active.
    """
    rows = [np.zeros(n_vectors, int)]
    for order, degrees in enumerate(zip(main_degrees, other_degrees, strict=True), start=1):
        for joined in itertools.combinations(range(n_vectors), order):
            limit = degrees[0 if set(joined) <= set(main) else 1]
            for powers in itertools.product(range(1, limit + 1), repeat=order):
                if sum(powers) <= limit:
                    rows.append(np.zeros(n_vectors, int))
                    rows[-1][list(joined)] = powers
    return np.stack(rows)


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


def _ridge_matrix(basis: np.ndarray, degrees: np.ndarray, ridge: float) -> np.ndarray:
    """The matrix (terms, p) that takes measured values at p points to the coefficients of least penalised error."""
    penalty = ridge * len(basis) * np.where(degrees > 0, GROWTH**degrees, 0.0)
    return np.linalg.solve(basis.T @ basis + np.diag(penalty), basis.T)


def _leave_one_out(basis: np.ndarray, degrees: np.ndarray, ridge: float, values: np.ndarray) -> np.ndarray:
    """For every point, the value that a fit without this point would have there: values - residuals / (1 -
    leverage).
    """
    solution = _ridge_matrix(basis, degrees, ridge)
    leverage = np.einsum("pt,tp->p", basis, solution)
    return values - (values - basis @ (solution @ values)) / (1 - leverage)[:, None]


def _rounded(rows: np.ndarray, kind: type[np.signedinteger]) -> tuple[np.ndarray, np.ndarray]:
    """Rows (n, values) -> the same rounded to integers, and the step of each row (n, 1) float32."""
    steps = (np.abs(rows).max(1, keepdims=True) / np.iinfo(kind).max).astype(np.float32)
    return np.round(rows / np.where(steps > 0, steps, 1)).astype(kind), steps


def _in_directions(basis: np.ndarray, solution: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coefficients (terms, values), in the `RANK` directions in which the fitted values (basis @ solution) vary most.

    Returns mixing (terms, rank) int16, the step of each term (terms, 1), and directions (rank, values) int8, so that
    steps * mixing @ directions is near the coefficients: reduced-rank regression, then rounding. What rounding the
    directions changes, the mixing makes up for as far as it can.
    """
    _, strengths, directions = np.linalg.svd(basis @ solution, full_matrices=False)
    rank = min(RANK, int((strengths > 1e-6 * strengths[0]).sum()))
    rounded, _ = _rounded(directions[: max(rank, 1)], np.int8)
    exact = rounded.astype(np.float64)
    mixing = np.linalg.solve(exact @ exact.T, exact @ solution.T).T
    return *_rounded(np.ascontiguousarray(mixing), np.int16), rounded


def _recalls(correct: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Correctness (p, n) and labels (n,) -> recall (p, classes that occur)."""
    return np.stack([correct[:, labels == c].mean(1) for c in np.unique(labels)], axis=1)


@dataclass(frozen=True)
class LogitSurface:
    """Per-clip logits of one task and split over the coefficients of `vectors`.

    powers (terms, n_vectors) Chebyshev exponents; mixing (terms, rank) int16 in units of steps (terms,) float32, and
    directions (rank, n, n_classes) int8, whose product are the coefficients of each term; labels (n,) class indices;
    points (p, n_vectors) and predictions (p, n) as measured. error: mean absolute held-out error of the accuracy over
    `n_held_out` points; class_error: that of the per-class accuracies, over classes and points.
    """

    task: str
    split: str
    vectors: tuple[str, ...]
    powers: np.ndarray
    mixing: np.ndarray
    steps: np.ndarray
    directions: np.ndarray
    labels: np.ndarray
    points: np.ndarray
    predictions: np.ndarray
    error: float
    n_held_out: int
    class_error: float

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
        powers: np.ndarray,
    ) -> LogitSurface:
        """Fit measured logits (p, n, n_classes) at `points` with the terms `powers`.

        Points are values of all λ. A trial fit without those marked in `held_out` (p,) is tested on them. The
        surface itself is then fitted on all points.
        """
        logits, labels = np.asarray(logits, np.float32), np.asarray(labels, np.int64)
        # Adding a constant to all logits of a clip changes nothing, so they are centred: that needs smaller
        # coefficients.
        flat = (logits - logits.mean(-1, keepdims=True)).reshape(len(points), -1)
        basis, degrees = chebyshev(points, powers), powers.sum(1)
        measured = logits.argmax(-1)
        correct = measured == labels

        def predictions(values: np.ndarray) -> np.ndarray:
            return values.reshape(-1, *logits.shape[1:]).argmax(-1)

        def changed(ridge: float) -> float:
            """The share of predictions that a fit without their point gets wrong."""
            estimated = predictions(_leave_one_out(basis[~held_out], degrees, ridge, flat[~held_out]))
            return float((estimated != measured[~held_out]).mean())

        ridge = min(RIDGES, key=changed)
        known = basis[~held_out]
        trial, trial_steps, along = _in_directions(known, _ridge_matrix(known, degrees, ridge) @ flat[~held_out])
        estimated = predictions(basis[held_out] @ (trial_steps * trial) @ along) == labels
        mixing, steps, directions = _in_directions(basis, _ridge_matrix(basis, degrees, ridge) @ flat)
        return cls(
            task,
            split,
            tuple(vectors),
            np.asarray(powers, np.uint8),
            mixing,
            steps[:, 0],
            directions.reshape(-1, *logits.shape[1:]),
            labels,
            np.round(np.asarray(points, np.float64), 4),
            measured.astype(np.uint8),
            float(np.abs(estimated.mean(1) - correct[held_out].mean(1)).mean()),
            int(held_out.sum()),
            float(np.abs(_recalls(estimated, labels) - _recalls(correct[held_out], labels)).mean()),
        )

    def contains(self, coefficients: Mapping[str, float]) -> bool:
        """Whether a recipe's coefficients lie in the measured box and name only measured vectors."""
        return set(coefficients) <= set(self.vectors) and all(
            MEASURED_LOW <= value <= MEASURED_HIGH for value in coefficients.values()
        )

    def _point(self, coefficients: Mapping[str, float]) -> np.ndarray:
        return np.array([[coefficients.get(name, 0.0) for name in self.vectors]])

    def logits(self, coefficients: Mapping[str, float]) -> np.ndarray:
        """Estimated logits (n, n_classes) at one recipe. The caller must have asked `contains` before."""
        return self.curve(self._point(coefficients))[0]

    def curve(self, points: np.ndarray) -> np.ndarray:
        """Estimated logits (p, n, n_classes) at points (p, n_vectors)."""
        basis = chebyshev(points, self.powers).astype(np.float32) * self.steps
        weights = basis @ self.mixing.astype(np.float32)
        # Turned into floats each time, which takes a millisecond: kept as floats they would be four times as large as
        # everything else here.
        directions = self.directions.reshape(len(self.directions), -1).astype(np.float32)
        return (weights @ directions).reshape(len(points), *self.directions.shape[1:])

    def measured(self, coefficients: Mapping[str, float]) -> np.ndarray | None:
        """Predictions (n,) measured at exactly this recipe; None if there are none."""
        if not set(coefficients) <= set(self.vectors):
            return None
        at = np.flatnonzero(np.abs(self.points - self._point(coefficients)).max(1) < 1e-6)
        return self.predictions[at[0]].astype(np.int64) if len(at) else None

    def save(self, path: Path) -> None:
        tensors = {
            "powers": torch.from_numpy(self.powers),
            "mixing": torch.from_numpy(self.mixing),
            "steps": torch.from_numpy(self.steps),
            "directions": torch.from_numpy(self.directions),
            "labels": torch.from_numpy(self.labels.astype(np.uint8)),
            "points": torch.from_numpy(self.points.astype(np.float64)),
            "predictions": torch.from_numpy(self.predictions),
        }
        metadata = {
            "format": SURFACE_FORMAT,
            "task": self.task,
            "split": self.split,
            "vectors": ",".join(self.vectors),
            "error": repr(self.error),
            "class_error": repr(self.class_error),
            "n_held_out": str(self.n_held_out),
        }
        write_safetensors(path, tensors, metadata)

    @classmethod
    def load(cls, path: Path) -> LogitSurface:
        tensors, metadata = read_safetensors(path)
        version = metadata.get("format")
        if version == ONE_DIRECTION_A_TERM:
            directions = tensors["coefficients"].numpy()
            mixing = np.eye(len(directions), dtype=np.int16)
        elif version == SURFACE_FORMAT:
            mixing, directions = tensors["mixing"].numpy(), tensors["directions"].numpy()
        else:
            raise BadArtifactError(
                f"{path} has surface format {version!r}; this version reads {SURFACE_FORMAT!r} and "
                f"{ONE_DIRECTION_A_TERM!r}."
            )
        return cls(
            metadata["task"],
            metadata["split"],
            tuple(metadata["vectors"].split(",")),
            tensors["powers"].numpy(),
            mixing,
            tensors["steps"].numpy(),
            directions,
            tensors["labels"].numpy().astype(np.int64),
            tensors["points"].double().numpy(),
            tensors["predictions"].numpy(),
            float(metadata["error"]),
            int(metadata["n_held_out"]),
            float(metadata["class_error"]),
        )
