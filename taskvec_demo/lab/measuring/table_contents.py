"""The contents of the shipped tables, from choices of λ and test predictions.

Pure functions: the same input gives the same JSON.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...core.evaluation import normalized_accuracy
from ...core.task_vector import TaskVector
from ..data.study import ANALOGY, SOMETHING, Study
from .answers import AnswerBook, Edits
from .baselines import RANDOM_SEEDS, joint_name, plain_name, random_name
from .choose_lambda import (
    Choice,
    addition_grid,
    analogy_grid,
    choose_addition,
    choose_analogy,
    choose_negation,
    negation_grid,
    shared_grid,
)
from .predictions import Predictor

Choices = Mapping[str, Choice]
PLAIN = "plain"  # the sum of the pair's vectors without rehearsal, at one λ
Trainings = Mapping[str, Mapping[str, Any]]
"""Name of a trained baseline -> how it was trained."""


class Table:
    """One table.

    λ are chosen on validation; the chosen edits are measured on test; the results are the content of the table.
    """

    name: str

    def __init__(self, study: Study) -> None:
        self.study = study

    def choices(self, predictor: Predictor) -> dict[str, Choice]:
        return {}

    def edits(self, choices: Choices) -> Edits:
        raise NotImplementedError

    def rows(
        self, choices: Choices, book: AnswerBook, vectors: Mapping[str, TaskVector], trainings: Trainings
    ) -> dict[str, Any]:
        """The content beside the choices."""
        raise NotImplementedError


class Negation(Table):
    """Every task forgotten; the study's pair, which the paper has, beside baselines."""

    name = "negation"

    def choices(self, predictor: Predictor) -> dict[str, Choice]:
        vectors = {v: v for v in self.study.main} | {plain_name(v): v for v in self.study.pair}
        return {
            name: choose_negation(predictor, task, negation_grid(name), f"forget {task}, {name}")
            for name, task in vectors.items()
        }

    def edits(self, choices: Choices) -> Edits:
        edits: Edits = {f"forget {v}": choices[v].coefficients for v in self.study.main}
        for v in self.study.pair:
            # The same λ makes an edit of the same size in every tensor, but in a random direction.
            edits |= {random_name(v, s): {random_name(v, s): choices[v].coefficients[v]} for s in RANDOM_SEEDS}
            edits |= {name: {name: 1.0} for name in (f"ascent-{v}", f"ascent-{v}-last")}
            edits[plain_name(v)] = choices[plain_name(v)].coefficients
        return edits

    def rows(
        self, choices: Choices, book: AnswerBook, vectors: Mapping[str, TaskVector], trainings: Trainings
    ) -> dict[str, Any]:
        def figures(edit: str, v: str) -> dict[str, Any]:
            target, control = book.entry(edit, v), book.entry(edit, self.study.control)
            return {"coefficients": book.edits[edit], "target": target, "control": control}

        def forgotten(v: str) -> dict[str, Any]:
            held = {"vector": v, "holds_on_validation": choices[v].holds}
            return held | figures(f"forget {v}", v) | self._apart(book, v)

        return {
            "others": [forgotten(v) for v in self.study.main if v not in self.study.pair],
            "rows": [
                {
                    **forgotten(v),
                    "random": [{"seed": s, **figures(random_name(v, s), v)} for s in RANDOM_SEEDS],
                    "plain": {
                        **_trained(trainings, plain_name(v)),
                        "holds_on_validation": choices[plain_name(v)].holds,
                        **figures(plain_name(v), v),
                    },
                    "gradient_ascent": {**_trained(trainings, f"ascent-{v}"), **figures(f"ascent-{v}", v)},
                    "gradient_ascent_last": {
                        **_trained(trainings, f"ascent-{v}-last"),
                        **figures(f"ascent-{v}-last", v),
                    },
                }
                for v in self.study.pair
            ],
        }

    def _apart(self, book: AnswerBook, v: str) -> dict[str, Any]:
        """The control's figures without the classes that the target shares: these are meant to be forgotten."""
        control, prompts = self.study.tasks[self.study.control], self.study.tasks[v].prompts
        names = control.class_names
        shared = [name for name, prompt in zip(names, control.prompts, strict=True) if prompt in prompts]
        if not shared:
            return {}
        others = [i for i, name in enumerate(names) if name not in shared]
        return {"shared": shared, "control_apart": book.entry(f"forget {v}", self.study.control, others)}


class Addition(Table):
    name = "addition"

    @property
    def _joint(self) -> str:
        return joint_name(self.study.pair)

    @property
    def _plain(self) -> dict[str, str]:
        """Task of the pair -> its vector without rehearsal."""
        return {v: plain_name(v) for v in self.study.pair}

    def choices(self, predictor: Predictor) -> dict[str, Choice]:
        sums = {
            name: choose_addition(predictor, {v: v for v in added.vectors}, addition_grid(added), f"add {name}")
            for name, added in self.study.sums.items()
        }
        grid = shared_grid(list(self._plain.values()))
        return sums | {PLAIN: choose_addition(predictor, self._plain, grid, "add plain vectors", needs_control=False)}

    def edits(self, choices: Choices) -> Edits:
        alone: Edits = {v: {v: 1.0} for v in (*self.study.main, *self._plain.values())}
        return alone | {n: c.coefficients for n, c in choices.items()} | {self._joint: {self._joint: 1.0}}

    def rows(
        self, choices: Choices, book: AnswerBook, vectors: Mapping[str, TaskVector], trainings: Trainings
    ) -> dict[str, Any]:
        def figures(edit: str, vectors: Mapping[str, str]) -> dict[str, Any]:
            """`vectors`: task -> the vector whose accuracy there counts as 1."""
            entries = []
            for task, vector in vectors.items():
                own = book.entry(vector, task)["edited"]["accuracy"]
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
                {"name": n, "holds_on_validation": choices[n].holds, **figures(n, {v: v for v in added.vectors})}
                for n, added in self.study.sums.items()
            ],
            "joint": {**_trained(trainings, self._joint), **figures(self._joint, {v: v for v in self.study.pair})},
            "plain": {
                "finetuned": [book.entry(v, t) for t, v in self._plain.items()],
                "holds_on_validation": choices[PLAIN].holds,
                **figures(PLAIN, self._plain),
            },
        }


class AnalogyTable(Table):
    name = "analogy"

    @property
    def orders(self) -> dict[str, tuple[str, str, str]]:
        """(A, B, C) of τ_B + τ_C − τ_A, and of the sums in which A has changed places with one of the others."""
        a, b, c, _ = self.study.analogy
        return {"analogy": (a, b, c), "swapped A and B": (b, a, c), "swapped A and C": (c, b, a)}

    def choices(self, predictor: Predictor) -> dict[str, Choice]:
        return {n: choose_analogy(predictor, analogy_grid(*order), n) for n, order in self.orders.items()}

    def edits(self, choices: Choices) -> Edits:
        scaling_coef = choices["analogy"].coefficients[self.study.analogy[1]]
        random = {n: {n: scaling_coef} for n in (random_name("analogy", s) for s in RANDOM_SEEDS)}
        return {n: c.coefficients for n, c in choices.items()} | random

    def rows(
        self, choices: Choices, book: AnswerBook, vectors: Mapping[str, TaskVector], trainings: Trainings
    ) -> dict[str, Any]:
        a, b, c, d = self.study.analogy

        def figures(edit: str) -> dict[str, Any]:
            return {
                "name": edit,
                "coefficients": book.edits[edit],
                "recall_d": book.entry(edit, ANALOGY, [self.study.tasks[ANALOGY].class_names.index(d)]),
                "four_classes": book.entry(edit, ANALOGY),
                "control": book.entry(edit, self.study.control),
                "as_the_paper": book.entry(edit, SOMETHING),
                "as_the_paper_d": book.entry(edit, SOMETHING, [len(self.study.tasks[self.study.control].class_names)]),
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

    def rows(
        self, choices: Choices, book: AnswerBook, vectors: Mapping[str, TaskVector], trainings: Trainings
    ) -> dict[str, Any]:
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
                    "projection_alone": vectors[v].is_projection_alone,
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


def _trained(trainings: Trainings, name: str) -> dict[str, Any]:
    return {"training": dict(trainings[name])} if name in trainings else {}


def seeds(study: Study, vectors: Mapping[str, TaskVector]) -> dict[str, Any]:
    """All seeds behind the tables. A vector has the seeds of its runs, of which it is the mean."""
    trained = {n: v.metadata.get("training", {}) for n, v in vectors.items() if n in study.fine_tunings}
    own = {n: [t["seed"] + i for i in range(t.get("runs", 1))] if "seed" in t else [] for n, t in trained.items()}
    return {"vectors": own, "random_vectors": list(RANDOM_SEEDS)}
