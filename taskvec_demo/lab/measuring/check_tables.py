"""Checking the shipped tables.

A check needs no cache and no trust: stored candidates must lead to the stored λ, stored answers to the stored figures,
and the model, run again on all or some of the clips, must give the stored answers.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...core.task_vector import TaskVector
from ...errors import TaskVecError
from ...recordings.splits import TEST
from ...serve.artifacts import Artifacts, read_json
from ..data.datasets import ClipRow, MelStore
from ..data.experiment import Experiment, open_experiment
from ..data.study import Study
from .answers import AnswerBook
from .baselines import baselines_folder, random_vectors
from .choose_lambda import Choice
from .predictions import ModelPredictor, Predictions, Predictor, measure
from .prompts import NAME, measure_prompts, prompt_table, stored_prompts
from .shipped_tables import content, derived, reported_baselines, selected, stored_book
from .table_contents import TABLES

ROUNDING = 0.002  # share of an edit's answers that the arithmetic of another machine may change


def check_files(study: Study, folder: Path, vectors: Mapping[str, TaskVector], only: str | None = None) -> list[str]:
    """Sentences on shipped tables that do not follow from their own candidates and predictions; empty if all do."""
    problems, trainings = [], {n: b["training"] for n, b in reported_baselines(folder).items()}
    for name in selected(only):
        table, shipped, book = TABLES[name](study), read_json(folder / f"{name}.json"), stored_book(folder, name)
        choices = {key: Choice.from_dict(fields) for key, fields in shipped.get("choices", {}).items()}
        edits = table.edits(choices)
        if {name: book.edits.get(name) for name in edits} != edits:
            problems.append(f"{name}: the edits measured on test are not those that its validation figures choose.")
        elif content(table, choices, book, vectors, trainings) != shipped:
            problems.append(f"{name}: its figures do not follow from its stored predictions.")
    books = stored_prompts(folder)
    if books and only in (None, NAME) and prompt_table(books, study.tasks) != read_json(folder / f"{NAME}.json"):
        problems.append(f"{NAME}: its figures do not follow from its stored answers.")
    for file, entries in derived(study, folder).items():
        if only is None and (not (folder / file).is_file() or read_json(folder / file) != entries):
            problems.append(f"{file} does not follow from the other tables.")
    return problems


def check_clips(book: AnswerBook, labels: Predictions, name: str = "table") -> list[str]:
    """A sentence if the stored answers are about other test clips; empty if they are about these.

    `labels`: task -> class index of every test clip in the recordings, in order.
    """
    if book.labels.keys() == labels.keys() and all(np.array_equal(book.labels[t], y) for t, y in labels.items()):
        return []
    return [f"{name}: the test clips in --data are not those of the shipped table."]


def check_predictions(
    book: AnswerBook,
    predictor: Predictor,
    places: Mapping[str, np.ndarray] | None = None,
    name: str = "table",
    absent: Collection[str] = (),
) -> list[str]:
    """Measure the edits of a table again.

    Returns a sentence on each edit whose answers differ by more than rounding explains.

    `places`: task -> positions in the stored lists of the clips that `predictor` has; default: it has all of them.
    Edits with a vector in `absent` are left out.
    """
    problems = []
    places = places if places is not None else {t: np.arange(len(y)) for t, y in book.labels.items()}
    edits = {edit: c for edit, c in book.edits.items() if not c.keys() & set(absent)}
    for edit, measured in zip(edits, measure(predictor, TEST, edits.values(), f"checking {name}"), strict=True):
        stored = {t: answers[places[t]] for t, answers in book.predictions[edit].items()}
        problems += _differences(f"{name}, {edit}", stored, measured)
    return problems


def _differences(what: str, stored: Predictions, measured: Predictions) -> list[str]:
    """A sentence if more answers differ than rounding explains."""
    differ = {t: int((stored[t] != measured[t]).sum()) for t in measured}
    n, different = sum(len(p) for p in measured.values()), sum(differ.values())
    if different <= max(1, ROUNDING * n):  # one different answer of few clips shows nothing
        return []
    worst = max(differ, key=lambda t: differ[t])
    most = f"most of them in {worst} ({differ[worst]} of {len(measured[worst])})"
    return [f"{what}: {different} of {n} answers differ, {most}."]


def check_prompts(book: AnswerBook, experiment: Experiment, places: Mapping[str, np.ndarray] | None) -> list[str]:
    """Measure the answers under every template on the test clips again."""
    places = places if places is not None else {t: np.arange(len(y)) for t, y in book.labels.items()}
    measured = measure_prompts(experiment, (TEST,))[TEST]
    problems = []
    for template, answers in measured.predictions.items():
        stored = {t: book.predictions[template][t][places[t]] for t in answers}
        problems += _differences(f"{NAME}, “{template}”", stored, answers)
    return problems


def spread_clips(clips: Mapping[str, Sequence[ClipRow]], per_task: int) -> tuple[set[ClipRow], dict[str, np.ndarray]]:
    """About `per_task` clips a task, evenly spread over its files, and their places in the task's whole list."""
    chosen = set()
    for rows in clips.values():
        chosen |= {rows[int(i)] for i in np.linspace(0, len(rows) - 1, min(per_task, len(rows))).round()}
    return chosen, {t: np.array([i for i, r in enumerate(rows) if r in chosen], int) for t, rows in clips.items()}


def check_tables(
    study: Study, folder: Path, data: Path, work: Path, only: str | None = None, clips: int | None = None
) -> tuple[list[str], list[str]]:
    """Measure the shipped tables again, on all or about `clips` test clips a task, without the cache of measurements.

    Returns sentences on differences (empty if there are none), and the trained baselines that were not measured again,
    because the ones that the tables are about are not in `work`.
    """
    if clips is not None and clips < 1:
        raise TaskVecError(f"--clips is {clips}; it must be at least 1.")
    artifacts = Artifacts(folder)
    rows, places = study.read_rows(data), None
    labelled = {t: study.labelled(MelStore(rows, np.zeros(0)), t, TEST) for t in study.all_tasks}
    labels = {t: np.array(classes, int) for t, (_, classes) in labelled.items()}
    if clips is not None:
        chosen, places = spread_clips({t: own for t, (own, _) in labelled.items()}, clips)
        rows = [r for r in rows if r in chosen]
    experiment = open_experiment(study, folder, data, work, rows=rows)
    reported = reported_baselines(folder / "tables")
    trained = stored_baselines(baselines_folder(work, experiment.checkpoint), reported)
    absent = [name for name in reported if name not in trained]
    vectors = {**artifacts.vectors, **random_vectors(study, artifacts.vectors), **trained}
    problems = check_files(study, folder / "tables", vectors, only)
    predictor = ModelPredictor(replace(experiment, vectors=vectors, heads=artifacts.heads))
    books = {name: stored_book(folder / "tables", name) for name in selected(only)}
    for name, book in books.items():
        problems += check_clips(book, labels, name) or check_predictions(book, predictor, places, name, absent)
    prompts = stored_prompts(folder / "tables") if only in (None, NAME) else {}
    if prompts:
        experiment = replace(experiment, heads=artifacts.heads)
        own = {t: labels[t] for t in study.tasks}
        problems += check_clips(prompts[TEST], own, NAME) or check_prompts(prompts[TEST], experiment, places)
    return problems, [name for name in absent if any(_uses(book, name) for book in books.values())]


def _uses(book: AnswerBook, vector: str) -> bool:
    return any(vector in coefficients for coefficients in book.edits.values())


def stored_baselines(folder: Path, reported: Mapping[str, Mapping[str, Any]]) -> dict[str, TaskVector]:
    """The baselines in `folder` that are, by their hash, those of the shipped tables.

    `reported` is baseline -> its entry in `tables/baselines.json`.
    """
    files = {name: folder / f"{name}.safetensors" for name in reported}
    found = {name: TaskVector.load(path) for name, path in files.items() if path.is_file()}
    return {name: vector for name, vector in found.items() if vector.sha256 == reported[name]["sha256"]}
