"""Trained heads on frozen features, in closed form: ridge regression on one-hot classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ALPHAS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)  # of the ridge, for features of deviation 1


@dataclass(frozen=True)
class Probe:
    """A linear head: features are standardized by `mean` and `deviation` (d,), then `matrix` (d, c) and `bias` (c,)."""

    mean: np.ndarray
    deviation: np.ndarray
    matrix: np.ndarray
    bias: np.ndarray

    def scores(self, features: np.ndarray) -> np.ndarray:
        """(n, d) -> (n, c)."""
        return (features - self.mean) / self.deviation @ self.matrix + self.bias

    def answers(self, features: np.ndarray) -> np.ndarray:
        """(n, d) -> the index of the most probable class (n,)."""
        return self.scores(features).argmax(1)


def fit(features: np.ndarray, labels: np.ndarray, n_classes: int, alphas: tuple[float, ...] = ALPHAS) -> list[Probe]:
    """The probe of every ridge in `alphas`, in one eigendecomposition. Classes count alike, whatever their size.

    Minimises Σ_i w_i |scores_i − onehot_i|² + α |matrix|² with w_i = 1 / (n_classes · clips of i's class). Every class
    must have a clip.
    """
    x = np.asarray(features, np.float64)
    weight = 1.0 / (n_classes * np.bincount(labels, minlength=n_classes)[labels])
    mean = weight @ x
    deviation = np.sqrt(np.maximum(weight @ np.square(x - mean), 1e-12))
    z = (x - mean) / deviation
    bias = np.full(n_classes, 1 / n_classes)  # the weighted mean of the targets, as z has mean 0
    weighted = z * weight[:, None]
    values, vectors = np.linalg.eigh(weighted.T @ z)
    turned = vectors.T @ (weighted.T @ (np.eye(n_classes)[labels] - bias))
    values = np.maximum(values, 0)[:, None]
    return [Probe(mean, deviation, vectors @ (turned / (values + alpha)), bias) for alpha in alphas]


def best_on(probes: list[Probe], features: np.ndarray, labels: np.ndarray) -> Probe:
    """The probe with the most right answers on validation clips; of equals the one with the largest ridge."""
    right = [int((probe.answers(features) == labels).sum()) for probe in probes]
    return probes[max(range(len(probes)), key=lambda i: (right[i], i))]
