"""What may tell in advance which partner helps: properties of data and learning curves, after Bingel & Søgaard.

arXiv:1702.08303 predicts whether an auxiliary task helps from features of the two single-task learning curves and of
the two data sets, by logistic regression; here each feature of the main task, of the partner, and their difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .gains import Cell
from .tasks import TaskClips
from .training import POINTS, Run

MOMENTS = (0.1, 0.2, 0.3, 0.5, 0.7)  # of the training, where the slope of the loss is taken
RIDGE = 1.0


def task_features(clips: TaskClips, alone: Run, seconds: np.ndarray, snr: np.ndarray, n_train: int) -> dict[str, float]:
    """Properties of one task. `seconds` and `snr` (n_rows of the store): length and level above the noise floor, dB."""
    train = clips.of("train")
    share = np.bincount(clips.label[train], minlength=len(clips.classes)) / len(train)
    entropy = float(-(share[share > 0] * np.log(share[share > 0])).sum())
    loss = alone.loss[clips.task.name].mean(0)
    slope = np.gradient(loss)
    at = np.log(np.arange(1, POINTS + 1))
    a, b = np.polyfit(at, loss, 1)
    features = {
        "label entropy": entropy,
        "number of classes": float(np.log(len(clips.classes))),
        "training clips": float(np.log(n_train)),
        "length of clips": float(seconds[clips.row[train]].mean()),
        "signal to noise": float(snr[clips.row[train]].mean()),
        "fitted log curve: slope": float(a),
        "fitted log curve: start": float(b),
    }
    for moment in MOMENTS:
        features[f"learning curve: slope at {round(100 * moment)} %"] = float(
            slope[min(int(moment * POINTS), POINTS - 1)]
        )
    return features


def pair_features(tasks: Mapping[str, Mapping[str, float]], pairs: Sequence[Cell]) -> tuple[list[str], np.ndarray]:
    """Names and (pairs, features): each property of the main task, of the partner, and partner minus main."""
    names = list(next(iter(tasks.values())))
    columns = [f"{name} ({who})" for name in names for who in ("main", "partner", "difference")]
    rows = []
    for main, partner in ((tasks[a], tasks[b]) for a, b in pairs):
        rows.append([v for n in names for v in (main[n], partner[n], partner[n] - main[n])])
    return columns, np.array(rows)


def fit_logistic(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Coefficients (features + 1,) of a logistic regression with a ridge penalty, by Newton's method."""
    design = np.column_stack([x, np.ones(len(x))])
    penalty = RIDGE * np.eye(design.shape[1])
    penalty[-1, -1] = 1e-6
    w = np.zeros(design.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-np.clip(design @ w, -30, 30)))
        gradient = design.T @ (p - y) + penalty @ w
        step = np.linalg.solve(design.T @ (design * (p * (1 - p))[:, None]) + penalty, gradient)
        w -= step
        if np.abs(step).max() < 1e-6:
            break
    return w


@dataclass(frozen=True, eq=False)
class Regression:
    """A logistic regression on standardized features: `mean` and `deviation` (features,), `weights` (features + 1,)."""

    mean: np.ndarray
    deviation: np.ndarray
    weights: np.ndarray

    @classmethod
    def fit(cls, x: np.ndarray, positive: np.ndarray) -> Regression:
        """To pairs `x` (pairs, features), of which `positive` (pairs,) gain."""
        mean, deviation = x.mean(0), np.maximum(x.std(0), 1e-9)
        return cls(mean, deviation, fit_logistic((x - mean) / deviation, positive.astype(float)))

    def scores(self, x: np.ndarray) -> np.ndarray:
        """(pairs,) log odds that a pair gains."""
        return (x - self.mean) / self.deviation @ self.weights[:-1] + self.weights[-1]


def left_out_scores(x: np.ndarray, positive: np.ndarray, task: Sequence[str]) -> np.ndarray:
    """Scores of every pair by a regression that saw no pair in which the pair's main task is the main task."""
    scores = np.zeros(len(x))
    names = np.asarray(task)
    for name in sorted(set(task)):
        out = names == name
        scores[out] = Regression.fit(x[~out], positive[~out]).scores(x[out])
    return scores


def probabilities(scores: np.ndarray, left_out: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """(pairs,) probabilities that pairs with these scores gain.

    They are scaled to how often pairs with such `left_out` scores were `positive` (Platt 1999): a regression is much
    too sure of tasks that it has not seen. A score outside of what was left out counts as the nearest inside; where
    higher scores did not gain more often, every pair has the share that gains.
    """
    scale = Regression.fit(left_out[:, None], positive)
    if scale.weights[0] <= 0:
        return np.full(len(scores), positive.mean())
    return 1 / (1 + np.exp(-scale.scores(np.clip(scores, left_out.min(), left_out.max())[:, None])))
