"""From choices of λ and test predictions to the shipped tables. Pure: the same input gives the same JSON."""

from __future__ import annotations

import math
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.evaluation import Accuracy, TaskResult, normalized_accuracy
from ...core.intervals import mcnemar
from ...core.task_vector import TaskVector
from ...core.tasks import Task
from ...errors import BadArtifactError
from ..data.study import ANALOGY, SOMETHING, Study
from .baselines import RANDOM_SEEDS, joint_name, random_name
from .choose_lambda import (
    Choice,
    addition_grid,
    analogy_grid,
    choose_addition,
    choose_analogy,
    choose_negation,
    negation_grid,
)
from .predictions import Predictions, Predictor, measure

PRETRAINED = "pre-trained"
DIGITS = string.digits + string.ascii_letters  # one character a prediction: at most 62 classes
Choices = Mapping[str, Choice]
Edits = dict[str, dict[str, float]]  # name of a reported edit -> its coefficients


@dataclass(frozen=True)
class AnswerBook:
    """Predictions on one split under all edits that are reported, the pre-trained model's among them."""

    checkpoint_name: str
    labels: Predictions
    edits: Edits
    predictions: dict[str, Predictions]
    split: str = "test"

    @classmethod
    def measured(cls, bench: Predictor, edits: Edits, what: str, split: str = "test") -> AnswerBook:
        edits = {PRETRAINED: {}, **edits}
        predictions = dict(zip(edits, measure(bench, split, edits.values(), what), strict=True))
        return cls(bench.checkpoint_name, bench.labels(split), edits, predictions, split)

    def entry(self, edit: str, task: str, of: Sequence[int] | None = None) -> dict[str, Any]:
        """n, both accuracies with their intervals, McNemar's p; `of` some classes: on their clips alone."""
        chosen = np.ones(len(self.labels[task]), bool) if of is None else np.isin(self.labels[task], of)
        right = [(self.predictions[e][task] == self.labels[task])[chosen] for e in (PRETRAINED, edit)]
        before, after = (Accuracy.of(r).to_dict() for r in right)
        p = float(f"{mcnemar(right[1], right[0]):.4g}")
        return {"task": task, "n": int(chosen.sum()), "pretrained": before, "edited": after, "mcnemar_p": p}

    def results(self, edit: str, tasks: Mapping[str, Task]) -> list[dict[str, Any]]:
        """One `TaskResult` for each of `tasks`, as JSON."""
        pairs = ((self.predictions[PRETRAINED][t], self.predictions[edit][t]) for t in tasks)
        return [
            TaskResult(task, self.split, "exact", self.labels[name], before, after).to_dict()
            for (name, task), (before, after) in zip(tasks.items(), pairs, strict=True)
        ]

    def to_dict(self) -> dict[str, Any]:
        """JSON with one character a clip: its class in base 62."""
        rows = [
            {"name": e, "coefficients": c, "predictions": _encoded(self.predictions[e])} for e, c in self.edits.items()
        ]
        fields = {"format": 1, "checkpoint": self.checkpoint_name, "split": self.split, "classes": DIGITS}
        return fields | {"labels": _encoded(self.labels), "edits": rows}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> AnswerBook:
        if fields.get("format") != 1:
            raise BadArtifactError(f"Test predictions of format {fields.get('format')!r} cannot be read; it must be 1.")
        return cls(
            fields["checkpoint"],
            _decoded(fields["labels"]),
            {e["name"]: e["coefficients"] for e in fields["edits"]},
            {e["name"]: _decoded(e["predictions"]) for e in fields["edits"]},
            fields["split"],
        )


def _encoded(predictions: Predictions) -> dict[str, str]:
    return {task: "".join(DIGITS[int(i)] for i in values) for task, values in predictions.items()}


def _decoded(fields: Mapping[str, str]) -> Predictions:
    return {task: np.array([DIGITS.index(c) for c in text], np.int64) for task, text in fields.items()}


class Table:
    """One table: λ are chosen on validation, which says what edits to measure on test, which gives the content."""

    name: str

    def __init__(self, study: Study) -> None:
        self.study = study

    def choices(self, bench: Predictor) -> dict[str, Choice]:
        return {}

    def edits(self, choices: Choices) -> Edits:
        raise NotImplementedError

    def rows(self, choices: Choices, book: AnswerBook, vectors: Mapping[str, TaskVector]) -> dict[str, Any]:
        """The content beside the choices. `vectors`: also the trained baselines, for what their metadata says."""
        raise NotImplementedError


class Negation(Table):
    name = "negation"

    def choices(self, bench: Predictor) -> dict[str, Choice]:
        return {v: choose_negation(bench, v, negation_grid(v), f"forget {v}") for v in self.study.pair}

    def edits(self, choices: Choices) -> Edits:
        edits: Edits = {}
        for v in self.study.pair:
            edits[f"forget {v}"] = choices[v].coefficients
            # The same λ: an edit of the same size in every tensor, in a random direction.
            edits |= {random_name(v, s): {random_name(v, s): choices[v].coefficients[v]} for s in RANDOM_SEEDS}
            edits |= {name: {name: 1.0} for name in (f"ascent-{v}", f"ascent-{v}-last")}
        return edits

    def rows(self, choices: Choices, book: AnswerBook, vectors: Mapping[str, TaskVector]) -> dict[str, Any]:
        def figures(edit: str, v: str) -> dict[str, Any]:
            target, control = book.entry(edit, v), book.entry(edit, self.study.control)
            return {"coefficients": book.edits[edit], "target": target, "control": control}

        return {
            "rows": [
                {
                    "vector": v,
                    "holds_on_validation": choices[v].holds,
                    **figures(f"forget {v}", v),
                    **self._apart(book, v),
                    "random": [{"seed": s, **figures(random_name(v, s), v)} for s in RANDOM_SEEDS],
                    "gradient_ascent": {**_trained(vectors, f"ascent-{v}"), **figures(f"ascent-{v}", v)},
                    "gradient_ascent_last": {
                        **_trained(vectors, f"ascent-{v}-last"),
                        **figures(f"ascent-{v}-last", v),
                    },
                }
                for v in self.study.pair
            ]
        }

    def _apart(self, book: AnswerBook, v: str) -> dict[str, Any]:
        """The control without the classes that the target has too: to forget those is what was asked."""
        names = self.study.tasks[self.study.control].class_names
        shared = [name for name in names if name in self.study.tasks[v].class_names]
        if not shared:
            return {}
        others = [i for i, name in enumerate(names) if name not in shared]
        return {"shared": shared, "control_apart": book.entry(f"forget {v}", self.study.control, others)}


class Addition(Table):
    name = "addition"

    @property
    def _joint(self) -> str:
        return joint_name(self.study.pair)

    def choices(self, bench: Predictor) -> dict[str, Choice]:
        return {
            name: choose_addition(bench, added.vectors, addition_grid(added), f"add {name}")
            for name, added in self.study.sums.items()
        }

    def edits(self, choices: Choices) -> Edits:
        alone: Edits = {v: {v: 1.0} for v in self.study.main}
        return alone | {n: c.coefficients for n, c in choices.items()} | {self._joint: {self._joint: 1.0}}

    def rows(self, choices: Choices, book: AnswerBook, vectors: Mapping[str, TaskVector]) -> dict[str, Any]:
        def figures(edit: str, tasks: Sequence[str]) -> dict[str, Any]:
            entries = []
            for task in tasks:
                own = book.entry(task, task)["edited"]["accuracy"]
                entry = book.entry(edit, task)
                entries.append(entry | {"normalized": _share(entry["edited"]["accuracy"], own)})
            shares = [e["normalized"] for e in entries if e["normalized"] is not None]
            mean = round(float(np.mean(shares)), 4) if shares else None
            control = book.entry(edit, self.study.control)
            return {
                "coefficients": book.edits[edit],
                "tasks": entries,
                "mean_normalized": mean,
                "control": control,
            }

        return {
            "finetuned": [book.entry(v, v) for v in self.study.main],
            "rows": [
                {"name": n, "holds_on_validation": choices[n].holds, **figures(n, added.vectors)}
                for n, added in self.study.sums.items()
            ],
            "joint": {**_trained(vectors, self._joint), **figures(self._joint, self.study.pair)},
        }


class AnalogyTable(Table):
    name = "analogy"

    @property
    def orders(self) -> dict[str, tuple[str, str, str]]:
        """(A, B, C) of τ_B + τ_C − τ_A, and of the sums in which A has changed places with one of the others."""
        a, b, c, _ = self.study.analogy
        return {"analogy": (a, b, c), "swapped A and B": (b, a, c), "swapped A and C": (c, b, a)}

    def choices(self, bench: Predictor) -> dict[str, Choice]:
        return {n: choose_analogy(bench, analogy_grid(*order), n) for n, order in self.orders.items()}

    def edits(self, choices: Choices) -> Edits:
        scaling_coef = choices["analogy"].coefficients[self.study.analogy[1]]
        random = {n: {n: scaling_coef} for n in (random_name("analogy", s) for s in RANDOM_SEEDS)}
        return {n: c.coefficients for n, c in choices.items()} | random

    def rows(self, choices: Choices, book: AnswerBook, vectors: Mapping[str, TaskVector]) -> dict[str, Any]:
        a, b, c, d = self.study.analogy

        def figures(edit: str) -> dict[str, Any]:
            return {
                "name": edit,
                "coefficients": book.edits[edit],
                "recall_d": book.entry(edit, ANALOGY, [self.study.tasks[ANALOGY].class_names.index(d)]),
                "four_classes": book.entry(edit, ANALOGY),
                "control": book.entry(edit, self.study.control),
                "as_the_seed": book.entry(edit, SOMETHING),
                "as_the_seed_d": book.entry(edit, SOMETHING, [len(self.study.tasks[self.study.control].class_names)]),
            }

        rows = [figures(n) | {"holds_on_validation": choices[n].holds} for n in self.orders]
        random = [figures(random_name("analogy", s)) | {"seed": s} for s in RANDOM_SEEDS]
        first = rows[0]["recall_d"]
        others = [r["recall_d"]["edited"]["accuracy"] for r in rows[1:] + random] + [first["pretrained"]["accuracy"]]
        works = first["n"] > 0 and first["edited"]["low"] > max(others)
        return {"a": a, "b": b, "c": c, "d": d, "works": bool(works), "rows": rows, "random": random}


class Vectors(Table):
    """Every vector at λ = 1 on every task, with sizes and angles of the vectors."""

    name = "vectors"

    def edits(self, choices: Choices) -> Edits:
        return {v: {v: 1.0} for v in self.study.fine_tunings}

    def rows(self, choices: Choices, book: AnswerBook, vectors: Mapping[str, TaskVector]) -> dict[str, Any]:
        names = list(self.study.fine_tunings)
        own = {t: book.entry(t, t)["edited"]["accuracy"] for t in self.study.tasks if t in self.study.fine_tunings}

        def on(v: str, t: str) -> dict[str, Any]:
            entry = book.entry(v, t)
            share = _share(entry["edited"]["accuracy"], own[t]) if t in own else None
            return entry | {"normalized": share}

        def cosine(v: str, w: str) -> float | None:
            angle = vectors[v].cosine(vectors[w])
            return None if math.isnan(angle) else round(angle, 4)

        return {
            "rows": [
                {
                    "vector": v,
                    "task": self.study.fine_tunings[v].task,
                    "norm": round(vectors[v].norm, 4),
                    "tasks": [on(v, t) for t in self.study.tasks],
                }
                for v in names
            ],
            "cosines": [[cosine(v, w) for w in names] for v in names],
        }


TABLES: dict[str, type[Table]] = {t.name: t for t in (Negation, Addition, AnalogyTable, Vectors)}


def _share(edited: float | None, finetuned: float | None) -> float | None:
    if edited is None or not finetuned:
        return None
    return round(normalized_accuracy(edited, finetuned), 4)


def _trained(vectors: Mapping[str, TaskVector], name: str) -> dict[str, Any]:
    """What the metadata of a trained baseline says of its training; nothing where it is not there."""
    return {"training": vectors[name].metadata["training"]} if name in vectors else {}


def seeds(study: Study, vectors: Mapping[str, TaskVector]) -> dict[str, Any]:
    """Every seed behind the tables; of a vector those of its runs, of which it is the mean."""
    trained = {n: v.metadata.get("training", {}) for n, v in vectors.items() if n in study.fine_tunings}
    own = {n: [t["seed"] + i for i in range(t.get("runs", 1))] if "seed" in t else [] for n, t in trained.items()}
    return {"vectors": own, "random_vectors": list(RANDOM_SEEDS)}
