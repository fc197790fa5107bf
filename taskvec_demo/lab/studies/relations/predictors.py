"""Can one tell in advance which partner helps? How well the predictors do, with each main task left out in turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from ....core.intervals import mcnemar
from ....serve.studies.relations.gains import Gain
from ....serve.studies.relations.predictors import left_out_scores, pair_features, task_features
from ....serve.studies.relations.tasks import training_part
from ...data.datasets import MelStore
from .gains import discoveries
from .matrices import Matrix

PERMUTATIONS = 200


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


def auc(scores: np.ndarray, positive: np.ndarray) -> float:
    """Probability that a positive scores above a negative, ties half; 0.5 where one side is empty."""
    up, down = scores[positive], scores[~positive]
    if not len(up) or not len(down):
        return 0.5
    return float(((up[:, None] > down).mean() + (up[:, None] >= down).mean()) / 2)


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
    names, x = pair_features(features, [(g.task, g.partner) for g in m.gains])
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
