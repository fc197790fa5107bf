"""Can one tell in advance which partner helps? Properties of data and learning curves, after Bingel & Søgaard.

arXiv:1702.08303 predicts whether an auxiliary task helps from features of the two single-task learning curves and of
the two data sets, by logistic regression; here each feature of the main task, of the partner, and their difference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from ....core.intervals import mcnemar
from ...data.datasets import MelStore
from .gains import Gain, discoveries
from .matrices import Matrix
from .summaries import STATISTICS
from .tasks import TaskClips, training_part
from .training import POINTS, Run

MOMENTS = (0.1, 0.2, 0.3, 0.5, 0.7)  # of the training, where the slope of the loss is taken
PERMUTATIONS = 200
RIDGE = 1.0


@dataclass(frozen=True)
class Judged:
    """How well a set of features tells which pairs gain, with each main task left out in turn: pooled AUC and accuracy.

    `null_95` is what the AUC of 95 % of the same procedures on shuffled gains stays below; `p` their share that does as
    well.
    """

    features: str
    auc: float
    accuracy: float
    null_95: float
    p: float


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


def pair_features(tasks: Mapping[str, Mapping[str, float]], gains: Sequence[Gain]) -> tuple[list[str], np.ndarray]:
    """Names and (pairs, features): each property of the main task, of the partner, and partner minus main."""
    names = list(next(iter(tasks.values())))
    columns = [f"{name} ({who})" for name in names for who in ("main", "partner", "difference")]
    rows = []
    for g in gains:
        main, partner = tasks[g.task], tasks[g.partner]
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


def auc(scores: np.ndarray, positive: np.ndarray) -> float:
    """Probability that a positive scores above a negative, ties half; 0.5 where one side is empty."""
    up, down = scores[positive], scores[~positive]
    if not len(up) or not len(down):
        return 0.5
    return float(((up[:, None] > down).mean() + (up[:, None] >= down).mean()) / 2)


def left_out_scores(x: np.ndarray, positive: np.ndarray, task: Sequence[str]) -> np.ndarray:
    """Scores of every pair by a regression that saw no pair in which the pair's main task is the main task."""
    scores = np.zeros(len(x))
    names = np.asarray(task)
    for name in sorted(set(task)):
        out = names == name
        mean, deviation = x[~out].mean(0), np.maximum(x[~out].std(0), 1e-9)
        w = fit_logistic((x[~out] - mean) / deviation, positive[~out].astype(float))
        scores[out] = (x[out] - mean) / deviation @ w[:-1] + w[-1]
    return scores


def majority(positive: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """The baseline that gives every pairing the answer that is right more often; it knows all pairings.

    `p` of McNemar's test asks whether answers by the signs of `scores` are right as often.
    """
    more = positive.mean() > 0.5
    right = positive == more
    return {"auc": 0.5, "accuracy": float(right.mean()), "p": mcnemar((scores > 0) == positive, right)}


def judged(name: str, x: np.ndarray, gains: Sequence[Gain], seed: int = 0) -> Judged:
    """AUC of `x` and its place among the same procedure on gains that were shuffled within each main task."""
    positive = np.array([g.gain > 0 for g in gains])
    task = [g.task for g in gains]
    scores = left_out_scores(x, positive, task)
    score = auc(scores, positive)
    null = _null(lambda shuffled: auc(left_out_scores(x, shuffled, task), shuffled), positive, task, seed)
    p = (1 + (null >= score).sum()) / (1 + len(null))
    return Judged(name, score, float(((scores > 0) == positive).mean()), float(np.quantile(null, 0.95)), float(p))


def _null(score: Callable[[np.ndarray], float], positive: np.ndarray, task: Sequence[str], seed: int) -> np.ndarray:
    draw = np.random.default_rng(seed)
    names = np.asarray(task)
    values = []
    for _ in range(PERMUTATIONS):
        shuffled = positive.copy()
        for name in sorted(set(task)):  # in one order, or each process would draw others
            own = np.flatnonzero(names == name)
            shuffled[own] = positive[draw.permutation(own)]
        values.append(score(shuffled))
    return np.array(values)


def measured_predictors(m: Matrix, seconds: np.ndarray, levels: np.ndarray) -> dict[str, Any]:
    """Leave-one-task-out AUC of all features together, of each property alone, and of the majority baseline.

    `seconds` and `levels` are those of `task_features`.
    """
    n_train = {t: len(training_part(c, m.setup.fraction, 0)) for t, c in m.setup.clips.items()}
    features = {t: task_features(c, m.alone[t], seconds, levels, n_train[t]) for t, c in m.setup.clips.items()}
    names, x = pair_features(features, m.gains)
    positive = np.array([g.gain > 0 for g in m.gains])
    scores = left_out_scores(x, positive, [g.task for g in m.gains])
    properties = list(next(iter(features.values())))
    single = [judged(n, x[:, [i for i, c in enumerate(names) if c.startswith(f"{n} (")]], m.gains) for n in properties]
    found = discoveries([j.p for j in single])
    ranked = sorted(zip(single, found, strict=True), key=lambda pair: -pair[0].auc)
    return {
        "positive": int(positive.sum()),
        "pairs": len(positive),
        "tasks": len(features),
        "majority": majority(positive, scores),
        "together": asdict(judged("all", x, m.gains)),
        "single": [{**asdict(j), "significant": significant} for j, significant in ranked],
        "features": features,
    }


def clip_seconds(store: MelStore, data: Path) -> np.ndarray:
    """(n_rows,) lengths as the files' headers have them."""
    return np.array([soundfile.info(data / r.dataset / r.file).duration for r in store.rows], np.float32)


def signal_to_noise(summary: np.ndarray) -> np.ndarray:
    """(n_rows,) loud minus quiet frames in dB, the mean over mel bands: the log-mel windows are in dB."""
    quiet, loud = np.split(summary, STATISTICS, axis=1)[2:4]
    return (loud - quiet).mean(1)
