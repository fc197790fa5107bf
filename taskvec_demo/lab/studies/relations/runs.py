"""Runs that are kept on disk and never computed twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ....core.files import whole_file
from ....serve.studies.relations.training import Run, Setup, train


def run(setup: Setup, tasks: Sequence[str], folder: Path) -> Run:
    """Train on `tasks` together, or read what an earlier call left in `folder`."""
    tasks = tuple(sorted(tasks))
    digest = hashlib.sha256(json.dumps([setup.key, tasks, _clips_key(setup, tasks)]).encode()).hexdigest()[:16]
    file = folder / f"{setup.body}-{round(100 * setup.fraction)}-{'+'.join(tasks)}-{digest}.npz"
    if file.is_file():
        return _read(file, tasks)
    done = train(setup, tasks)
    parts = {f"{kind}/{task}": getattr(done, kind)[task] for kind in ("correct", "curve", "loss") for task in tasks}
    with whole_file(file) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **parts)
    return done


def _clips_key(setup: Setup, tasks: Sequence[str]) -> list:
    parts = ([c.row.tobytes(), c.split.tobytes(), c.label.tobytes()] for c in (setup.clips[t] for t in tasks))
    return [hashlib.sha256(b"".join(part)).hexdigest() for part in parts]


def _read(file: Path, tasks: tuple[str, ...]) -> Run:
    with np.load(file, allow_pickle=False) as stored:
        kinds = {kind: {t: stored[f"{kind}/{t}"] for t in tasks} for kind in ("correct", "curve", "loss")}
    return Run(tasks, **kinds)
