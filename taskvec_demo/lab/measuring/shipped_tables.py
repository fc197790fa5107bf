"""Writing the tables that are shipped with a checkpoint.

Beside each `tables/<name>.json` lies `<name>.predictions.json`: the test answers, clip by clip, that the table counts.
`tables/baselines.json` says how the baselines were trained; their weights stay in the work folder. `prompts.py` writes
the table of prompts, in which nothing is edited.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...core.files import sha256_of
from ...core.recipe import Recipe
from ...core.task_vector import TaskVector
from ...errors import TaskVecError
from ...serve.artifacts import read_json, write_json
from ..data.experiment import Experiment, open_experiment
from ..data.study import Study
from . import prompts
from .answers import AnswerBook
from .baselines import baselines_folder, random_vectors, trained_baselines
from .choose_lambda import CONTROL_KEPT, RULE
from .predictions import ModelPredictor, Predictor
from .presets import preset_entries
from .table_contents import TABLES, Choices, Table, Trainings, seeds

FORMAT = 1
NEED_TRAINED = ("negation", "addition")  # tables that report trained baselines
BEHIND_PRESETS = ("negation", "addition", "analogy")
BASELINES = "baselines.json"


def content(
    table: Table, choices: Choices, book: AnswerBook, vectors: Mapping[str, TaskVector], trainings: Trainings
) -> dict[str, Any]:
    """The content of `tables/<name>.json`. `trainings` are those of the trained baselines."""
    trained = {name: vectors[name].metadata.get("training", {}) for name in table.study.fine_tunings}
    fields: dict[str, Any] = {
        "format": FORMAT,
        "table": table.name,
        "split": "test",
        "seeds": seeds(table.study, vectors),
        "rehearsed": [name for name, training in trained.items() if training.get("rehearsal")],
    }
    if choices:
        fields |= {"rule": RULE, "control": table.study.control, "control_kept": CONTROL_KEPT}
        fields["choices"] = {name: choice.to_dict() for name, choice in choices.items()}
    return fields | table.rows(choices, book, vectors, trainings)


def build_tables(
    predictor: Predictor, vectors: Mapping[str, TaskVector], folder: Path, only: str | None = None
) -> dict[str, Any]:
    """Choose λ, measure and write the tables (or only one) with their predictions; then write the files that are
    derived from them.

    `predictor` knows every vector, random vector and trained baseline by name; `vectors` holds at least the task
    vectors. How baselines were trained is read from `folder`.
    """
    contents, trainings = {}, {n: b["training"] for n, b in reported_baselines(folder).items()}
    for name in selected(only):
        table = TABLES[name](predictor.study)
        choices = table.choices(predictor)
        book = AnswerBook.measured(predictor, table.edits(choices), name)
        contents[name] = content(table, choices, book, vectors, trainings)
        write_json(folder / f"{name}.predictions.json", book.to_dict())
        write_json(folder / f"{name}.json", contents[name])
    for file, entries in derived(predictor.study, folder).items():
        write_json(folder / file, entries)
    return contents


def measured_results(
    study: Study, folder: Path, data: Path, work: Path, recipe: Recipe, split: str
) -> list[dict[str, Any]]:
    """One `TaskResult` a task, as JSON, under any recipe, measured in float32."""
    predictor = ModelPredictor(open_experiment(study, folder, data, work), work / "measured")
    book = AnswerBook.measured(predictor, {"edited": dict(recipe.coefficients)}, "evaluate", split)
    return book.results("edited", study.tasks)


def derived(study: Study, folder: Path) -> dict[str, Any]:
    """File -> content of the tables that are derived from those in `folder`, as far as these are there."""
    files: dict[str, Any] = {}
    if all((folder / f"{name}.predictions.json").is_file() for name in BEHIND_PRESETS):
        contents = {name: read_json(folder / f"{name}.json") for name in BEHIND_PRESETS}
        books = {name: stored_book(folder, name) for name in BEHIND_PRESETS}
        files["presets.json"] = preset_entries(study, contents, books)
    return files


def stored_book(folder: Path, name: str) -> AnswerBook:
    return AnswerBook.from_dict(read_json(folder / f"{name}.predictions.json"))


def reported_baselines(folder: Path) -> dict[str, dict[str, Any]]:
    """Name of each trained baseline behind the tables in `folder` -> the sha256 of its vector and its training."""
    return read_json(folder / BASELINES) if (folder / BASELINES).is_file() else {}


def write_tables(experiment: Experiment, work: Path, out: Path, only: str | None = None) -> dict[str, Any]:
    """`build_tables` for a real checkpoint; measurements resume from `work`, baselines are trained where missing."""
    names = selected(only)
    predictor = ModelPredictor(experiment, work / "measured")
    predictor = predictor.adding(random_vectors(predictor.study, predictor.vectors))
    if set(names) & set(NEED_TRAINED):
        trained = trained_baselines(predictor, baselines_folder(work, predictor.checkpoint))
        predictor = predictor.adding(trained)
        told = {n: {"sha256": v.sha256, "training": v.metadata["training"]} for n, v in trained.items()}
        write_json(out / "tables" / BASELINES, told)
    if only in (None, prompts.NAME):
        prompts.write_prompts(experiment, out / "tables")
    return build_tables(predictor, predictor.vectors, out / "tables", only)


def rebuild(study: Study, folder: Path, data: Path, work: Path, only: str | None = None) -> None:
    """The tables of a complete checkpoint folder, and its manifest. A stopped run goes on where it was."""
    # The manifest is not verified, because a stopped run leaves tables that are newer than it.
    experiment = open_experiment(study, folder, data, work)
    try:
        write_tables(experiment, work, folder, only)
    finally:
        refresh_manifest(folder)


def selected(only: str | None) -> list[str]:
    """Tables of edits: all of them or only one; none if only that of prompts is wanted."""
    if only is not None and only not in (*TABLES, prompts.NAME):
        raise TaskVecError(f"There is no table {only!r}; choose one of: {', '.join((*TABLES, prompts.NAME))}.")
    return [name for name in TABLES if only in (None, name)]


def refresh_manifest(folder: Path) -> None:
    """Write the sha256 of tables into the manifest; what it says of other files stays as it is."""
    manifest = read_json(folder / "manifest.json")
    written = {
        path.relative_to(folder).as_posix(): sha256_of(path) for path in sorted((folder / "tables").glob("[!.]*"))
    }
    write_json(folder / "manifest.json", manifest | {"files": dict(sorted((manifest["files"] | written).items()))})
