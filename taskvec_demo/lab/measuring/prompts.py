"""What a better prompt buys without any edit: the pre-trained model's accuracy under several prompt templates.

A template is chosen for each task on validation clips; on test clips only the chosen one is measured against the
checkpoint's own. `tables/prompts.json` stands beside the tables of edits, `prompts.predictions.json` holds the answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...core.evaluation import Accuracy
from ...core.tasks import Task
from ...core.zero_shot import ZeroShotHead
from ...recordings.splits import TEST, VALIDATION
from ...serve.artifacts import read_json, write_json
from ..data.embedding import embed_tasks
from ..data.experiment import Experiment
from .answers import PRETRAINED, AnswerBook

NAME = "prompts"
FORMAT = 1
TEMPLATES = (  # besides each task's own, which are averaged
    "{}",
    "the sound of {}",
    "this is a sound of {}",
    "a recording of {}",
    "an audio clip of {}",
    "i can hear {}",
    "this audio is {}",
    "{} in the background",
)
Books = Mapping[str, AnswerBook]
"""Split -> answers of the pre-trained model under every template; under its own they are called pre-trained."""


def measure_prompts(experiment: Experiment, splits: tuple[str, ...] = (VALIDATION, TEST)) -> Books:
    """The clips are embedded once; only the labels' embeddings depend on the template."""
    return {split: _measure(experiment, split) for split in splits}


def _measure(experiment: Experiment, split: str) -> AnswerBook:
    study, checkpoint = experiment.study, experiment.checkpoint
    clips = {name: study.labelled(experiment.store, name, split) for name in study.tasks}
    embedded = embed_tasks(checkpoint, experiment.store, {n: rows for n, (rows, _) in clips.items() if rows})
    nothing = np.zeros(0, np.int64)

    def answers(heads: Mapping[str, ZeroShotHead]) -> dict[str, np.ndarray]:
        found = {n: heads[n].logits(e, 1.0).argmax(-1).numpy() for n, e in embedded.items()}
        return {name: found.get(name, nothing) for name in study.tasks}

    def heads(template: str) -> dict[str, ZeroShotHead]:
        return {n: _head(experiment, task, template) for n, task in study.tasks.items()}

    predictions = {PRETRAINED: answers(experiment.heads), **{t: answers(heads(t)) for t in TEMPLATES}}
    labels = {name: np.asarray(indices, np.int64) for name, (_, indices) in clips.items()}
    return AnswerBook(checkpoint.name, labels, {name: {} for name in predictions}, predictions, split)


def _head(experiment: Experiment, task: Task, template: str) -> ZeroShotHead:
    return ZeroShotHead.from_prompts(experiment.checkpoint.embed_text, task.class_names, task.prompts, (template,))


def prompt_table(books: Books, tasks: Mapping[str, Task]) -> dict[str, Any]:
    """The content of `tables/prompts.json`. Of equally good templates the first is chosen; a task's own come first."""
    validation, test = books[VALIDATION], books[TEST]
    rows = []
    for name, task in tasks.items():
        right = {t: answers[name] == validation.labels[name] for t, answers in validation.predictions.items()}
        best = max(right, key=lambda template: int(right[template].sum()))
        rows.append(
            {
                "task": name,
                "own": list(task.templates),
                "best": None if best == PRETRAINED else best,
                "n_validation": len(validation.labels[name]),
                "validation": {template: Accuracy.of(r).to_dict()["accuracy"] for template, r in right.items()},
                "test": test.entry(best, name),
            }
        )
    return {"format": FORMAT, "table": NAME, "split": TEST, "templates": list(TEMPLATES), "rows": rows}


def write_prompts(experiment: Experiment, folder: Path) -> None:
    """Measure, and write the table and its answers into `folder`."""
    books = measure_prompts(experiment)
    write_json(folder / f"{NAME}.predictions.json", {split: book.to_dict() for split, book in books.items()})
    write_json(folder / f"{NAME}.json", prompt_table(books, experiment.study.tasks))


def stored_prompts(folder: Path) -> Books:
    """The answers in `folder`; none if no prompts were measured for its checkpoint."""
    path = folder / f"{NAME}.predictions.json"
    return {split: AnswerBook.from_dict(fields) for split, fields in read_json(path).items()} if path.is_file() else {}
