"""Rebuilding and checking the shipped tables.

Beside each `tables/<name>.json` lies `<name>.predictions.json`: the test answers, clip by clip, that the table counts.
So a check needs no cache and no trust: stored candidates must lead to the stored λ, stored answers to the stored
figures, and the model, run again on all or some of the clips, must give the stored answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...core.recipe import Recipe
from ...core.task_vector import TaskVector
from ...errors import TaskVecError
from ...serve.artifacts import Artifacts, read_json, sha256_of, write_json
from ..data.datasets import MelStore
from ..data.experiment import Experiment, open_experiment
from ..data.study import Study
from .baselines import random_vectors, trained_baselines
from .choose_lambda import CONTROL_KEPT, RULE, Choice
from .predictions import Bench, Predictor
from .presets import preset_entries
from .table_contents import TABLES, AnswerBook, Choices, Table, seeds

FORMAT = 1
NEED_TRAINED = ("negation", "addition")  # tables that report trained baselines
BEHIND_PRESETS = ("negation", "addition", "analogy")
ROUNDING = 0.002  # share of an edit's answers that another machine's arithmetic may turn over


def content(table: Table, choices: Choices, book: AnswerBook, vectors: Mapping[str, TaskVector]) -> dict[str, Any]:
    """What `tables/<name>.json` holds."""
    trained = {name: v.metadata.get("training", {}) for name, v in vectors.items()}
    fields: dict[str, Any] = {
        "format": FORMAT,
        "table": table.name,
        "split": "test",
        "seeds": seeds(table.study, vectors),
        "rehearsed": [name for name, training in trained.items() if training.get("rehearsal")],
        "temperatures": {n: t["temperature"] for n, t in trained.items() if t.get("temperature", 1.0) != 1.0},
        "regmean": [name for name, training in trained.items() if training.get("regmean")],
    }
    if choices:
        fields |= {"rule": RULE, "control": table.study.control, "control_kept": CONTROL_KEPT}
        fields["choices"] = {name: choice.to_dict() for name, choice in choices.items()}
    return fields | table.rows(choices, book, vectors)


def build_tables(
    bench: Predictor, vectors: Mapping[str, TaskVector], folder: Path, only: str | None = None
) -> dict[str, Any]:
    """Choose, measure and write the tables (or only one) with their predictions, then what is derived from them.

    `bench` knows every vector, random vector and trained baseline by name; `vectors` holds at least the task vectors.
    """
    contents = {}
    for name in selected(only):
        table = TABLES[name](bench.study)
        choices = table.choices(bench)
        book = AnswerBook.measured(bench, table.edits(choices), name)
        contents[name] = content(table, choices, book, vectors)
        write_json(folder / f"{name}.predictions.json", book.to_dict())
        write_json(folder / f"{name}.json", contents[name])
    for file, entries in derived(bench.study, folder).items():
        write_json(folder / file, entries)
    return contents


def measured_results(
    study: Study, folder: Path, data: Path, work: Path, recipe: Recipe, split: str
) -> list[dict[str, Any]]:
    """One `TaskResult` a task, as JSON, under any recipe, measured as the app computes: in float32."""
    bench = Bench(open_experiment(study, folder, data, work, precision="float32"), work / "measured")
    book = AnswerBook.measured(bench, {"edited": dict(recipe.coefficients)}, "evaluate", split)
    return book.results("edited", study.tasks)


def derived(study: Study, folder: Path) -> dict[str, Any]:
    """File -> content of the tables that are another view of those in `folder`, as far as these are there."""
    files: dict[str, Any] = {}
    if (folder / "vectors.predictions.json").is_file():
        book = stored_book(folder, "vectors")
        files["finetuned.json"] = {v: book.results(v, study.tasks) for v in study.fine_tunings}
    if all((folder / f"{name}.predictions.json").is_file() for name in BEHIND_PRESETS):
        contents = {name: read_json(folder / f"{name}.json") for name in BEHIND_PRESETS}
        books = {name: stored_book(folder, name) for name in BEHIND_PRESETS}
        files["presets.json"] = preset_entries(study, contents, books)
    return files


def stored_book(folder: Path, name: str) -> AnswerBook:
    return AnswerBook.from_dict(read_json(folder / f"{name}.predictions.json"))


def write_tables(experiment: Experiment, work: Path, out: Path, only: str | None = None) -> dict[str, Any]:
    """`build_tables` for a real checkpoint; measurements resume from `work`, baselines are trained where missing."""
    names = selected(only)
    bench = Bench(experiment, work / "measured")
    bench = bench.adding(random_vectors(bench.study, bench.vectors))
    if set(names) & set(NEED_TRAINED):
        bench = bench.adding(trained_baselines(bench, out / "baselines"))
    return build_tables(bench, bench.vectors, out / "tables", only)


def rebuild(study: Study, folder: Path, data: Path, work: Path, only: str | None = None) -> None:
    """The tables of a complete checkpoint folder, and its manifest. A stopped run goes on where it was."""
    # Not verified: a stopped run has left tables that are newer than the manifest.
    experiment = open_experiment(study, folder, data, work)
    try:
        write_tables(experiment, work, folder, only)
    finally:
        refresh_manifest(folder)


def selected(only: str | None) -> list[str]:
    if only is not None and only not in TABLES:
        raise TaskVecError(f"There is no table {only!r}; choose one of: {', '.join(TABLES)}.")
    return [only] if only else list(TABLES)


def refresh_manifest(folder: Path) -> None:
    """Write the sha256 of tables and baselines into the manifest; what it says of other files stays as it is."""
    manifest = read_json(folder / "manifest.json")
    written = {
        path.relative_to(folder).as_posix(): sha256_of(path)
        for part in ("tables", "baselines")
        for path in sorted((folder / part).glob("[!.]*"))
    }
    write_json(folder / "manifest.json", manifest | {"files": dict(sorted((manifest["files"] | written).items()))})


# -- checking --------------------------------------------------------------------------------------------------------


def check_files(study: Study, folder: Path, vectors: Mapping[str, TaskVector], only: str | None = None) -> list[str]:
    """Sentences on shipped tables that do not follow from their own candidates and predictions; none: all do."""
    problems = []
    for name in selected(only):
        table, shipped, book = TABLES[name](study), read_json(folder / f"{name}.json"), stored_book(folder, name)
        choices = {key: Choice.from_dict(fields) for key, fields in shipped.get("choices", {}).items()}
        edits = table.edits(choices)
        if {name: book.edits.get(name) for name in edits} != edits:
            problems.append(f"{name}: the edits measured on test are not those that its validation figures choose.")
        elif content(table, choices, book, vectors) != shipped:
            problems.append(f"{name}: its figures do not follow from its stored predictions.")
    for file, entries in derived(study, folder).items():
        if only is None and (not (folder / file).is_file() or read_json(folder / file) != entries):
            problems.append(f"{file} does not follow from the other tables.")
    return problems


def check_predictions(
    book: AnswerBook, bench: Predictor, places: Mapping[str, np.ndarray] | None = None, name: str = "table"
) -> list[str]:
    """Measure a table's edits again; a sentence on each whose answers differ by more than rounding explains.

    `places`: task -> positions in the stored lists of the clips that `bench` has; default: it has all of them.
    """
    problems = []
    places = places if places is not None else {t: np.arange(len(y)) for t, y in book.labels.items()}
    if any(not np.array_equal(book.labels[t][places[t]], y) for t, y in bench.labels("test").items()):
        return [f"{name}: the test clips in --data are not those of the shipped table."]
    for edit, coefficients in book.edits.items():
        measured = bench.predictions("test", coefficients)
        differ = {t: int((book.predictions[edit][t][places[t]] != measured[t]).sum()) for t in measured}
        n = sum(len(p) for p in measured.values())
        if sum(differ.values()) > max(1, ROUNDING * n):  # one of few clips shows nothing
            worst = max(differ, key=lambda t: differ[t])
            problems.append(
                f"{name}, {edit}: {sum(differ.values())} of {n} answers differ, most of them in {worst} "
                f"({differ[worst]} of {len(measured[worst])})."
            )
    return problems


def spread_clips(study: Study, data: Path, per_task: int) -> tuple[list, dict[str, np.ndarray]]:
    """About `per_task` test clips a task, evenly spread over its files, and their places in the task's whole list."""
    everything = MelStore(study.read_rows(data), np.zeros(0))
    clips = {t: study.labelled(everything, t, "test")[0] for t in study.all_tasks}
    chosen = set()
    for rows in clips.values():
        chosen |= {rows[int(i)] for i in np.linspace(0, len(rows) - 1, min(per_task, len(rows))).round()}
    places = {t: np.array([i for i, r in enumerate(rows) if r in chosen], int) for t, rows in clips.items()}
    return [r for r in everything.rows if r in chosen], places


def check_tables(
    study: Study, folder: Path, data: Path, work: Path, only: str | None = None, clips: int | None = None
) -> list[str]:
    """Sentences on what differs between the shipped tables and a new measurement on all or about `clips` test clips a
    task; none: nothing does. Nothing is taken from the cache of measurements."""
    if clips is not None and clips < 1:
        raise TaskVecError(f"--clips is {clips}; it must be at least 1.")
    artifacts = Artifacts(folder)
    rows, places = (None, None) if clips is None else spread_clips(study, data, clips)
    experiment = open_experiment(study, folder, data, work, rows=rows)
    trained = {p.stem: TaskVector.load(p) for p in sorted((folder / "baselines").glob("*.safetensors"))}
    vectors = {**artifacts.vectors, **random_vectors(study, artifacts.vectors), **trained}
    problems = check_files(study, folder / "tables", vectors, only)
    bench = Bench(replace(experiment, vectors=vectors, heads=artifacts.heads))
    for name in selected(only):
        problems += check_predictions(stored_book(folder / "tables", name), bench, places, name)
    return problems
