"""The recordings of the study's tasks."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ....serve.studies.relations.tasks import TASKS
from ...data.datasets import SETS, ClipRow, read_rows


def related_rows(data: Path, tasks: Iterable[str] = TASKS) -> list[ClipRow]:
    """The rows of the tasks' sets, in the order of `SETS`: so the cached windows of pretraining serve this study too.

    A Freesound source that a set holds out is training material of none. Raises TaskVecError for missing sets.
    """
    wanted = dict.fromkeys(name for task in tasks for name in TASKS[task].sets)
    return read_rows(data, tuple(sorted(wanted, key=lambda n: SETS.index(n) if n in SETS else len(SETS))))
