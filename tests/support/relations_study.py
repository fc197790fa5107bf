"""Figures of the study of related tasks from made-up answers: everything but the training is the study's own.

Nothing of it is imported before a test asks for it, because pytest loads this as a plugin.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock

NAMES = ("everyday", "urban", "music", "digits", "emotion", "gender")
N_TEST, EACH, SEEDS = 60, 3, 4  # test clips, of a source, seeds


def made_up(names: Sequence[str] = NAMES, *, vectors: bool = True, spread: float = 0.1) -> Any:
    """A `Measured` of these tasks; `spread` is how much partners matter. Every task has clips of its own."""
    from taskvec_demo.lab.studies.relations.matrices import Matrix, Triple, gains_of
    from taskvec_demo.lab.studies.relations.study import Measured
    from taskvec_demo.serve.studies.relations.inputs import STATISTICS, Standard
    from taskvec_demo.serve.studies.relations.tasks import TASKS
    from taskvec_demo.serve.studies.relations.training import Run, Setup

    draw = np.random.default_rng(len(names))
    clips = {name: _clips(TASKS[name], i) for i, name in enumerate(names)}
    helps = {(a, b): draw.normal(0, spread) for a in names for b in names if a != b}
    hard = {name: draw.random(N_TEST) for name in names}  # of each test clip: answered where the model knows more
    knows = {name: draw.uniform(0.3, 0.7) for name in names}

    def run(*tasks: str) -> Any:
        correct, curve, loss = {}, {}, {}
        for task in tasks:
            known = knows[task] + sum(helps[task, other] for other in tasks if other != task)
            noise = draw.normal(0, 0.05, (SEEDS, N_TEST))
            correct[task] = hard[task] + noise < known
            rise = 1 - np.exp(-np.arange(1, 21) / 6)
            curve[task] = np.clip(known * rise + draw.normal(0, 0.02, (SEEDS, 20)), 0, 1).astype(np.float32)
            loss[task] = (2 - rise + draw.normal(0, 0.02, (SEEDS, 20))).astype(np.float32)
        return Run(tuple(sorted(tasks)), correct, curve, loss)

    def matrix(body: str, fraction: float) -> Any:
        import torch

        setup = Setup(body, fraction, 20, range(SEEDS), torch.zeros(1, 1), clips)
        alone = {name: run(name) for name in names}
        together = {pair: run(*pair) for pair in combinations(sorted(names), 2)}
        return Matrix(setup, alone, together, gains_of(clips, alone, together))

    joint = [matrix("mlp", 0.1), matrix("mlp", 1.0), matrix("cnn", 0.1)]
    gains = {(g.task, g.partner): g for g in joint[0].gains}

    def triple(task: str, kind: str) -> Triple:
        ranked = sorted((n for n in names if n != task), key=lambda n: -joint[0].validation_gain(task, n))
        a, b = ranked[:2] if kind == "best" else ranked[-2:]
        of = gains[task, a]
        together = replace(of, partner=f"{a}+{b}")
        return Triple(kind, together, (gains[task, a], gains[task, b]))

    found = [triple(task, kind) for task in names for kind in ("best", "worst")]
    seconds, levels = draw.uniform(1, 5, 3 * N_TEST * len(names)), draw.uniform(5, 40, 3 * N_TEST * len(names))
    inputs = np.concatenate([draw.normal(-40 - 10 * (i == 2), 15, (99, 64)) for i in range(STATISTICS)], 1)
    summed = _vectors(clips, joint[1], draw) if vectors else None
    return Measured(clips, joint, found, seconds, levels, Standard.of(inputs), summed)


def _clips(task: Any, place: int) -> Any:
    from taskvec_demo.serve.studies.relations.tasks import TaskClips

    n = 3 * N_TEST
    split = np.arange(n) % 3
    return TaskClips(
        task,
        tuple("abc"[: 2 + place % 2]),
        place * n + np.arange(n),
        np.arange(n) // 3 % (2 + place % 2),
        split,
        np.array([f"{task.sets[0]}/{s}-{i // (3 * EACH)}" for i, s in enumerate(split)]),
    )


def _vectors(clips: Any, joint: Any, draw: np.random.Generator) -> Any:
    """Of all tasks but one, as a checkpoint does not have a vector for every task."""
    from taskvec_demo.lab.studies.relations.vectors import VectorMatrices, disturbed

    some = list(clips)[1:]
    sources = {name: clips[name].source[clips[name].of("test")] for name in some}
    disturbances = [
        one
        for pair in combinations(some, 2)
        for one in disturbed(pair, {task: draw.random(N_TEST) < draw.uniform(0, 0.6) for task in pair}, sources)
    ]
    gains = [g for g in joint.gains if g.task in some and g.partner in some]
    return VectorMatrices("tiny-clap", {name: clips[name].task.title for name in some}, gains, disturbances)


@pytest.fixture(scope="session")
def made_up_relations(of_both_workers: Path) -> Path:
    """The study's folder as it is shipped, with all of its matrices. It is shared and must not be changed."""
    from taskvec_demo.lab.studies.relations import predictors
    from taskvec_demo.lab.studies.relations.study import contents
    from taskvec_demo.serve.artifacts import write_json

    folder = of_both_workers / "relations"
    with FileLock(of_both_workers / "relations.lock"):
        if not folder.is_dir():
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(predictors, "PERMUTATIONS", 10)
                write_json(folder / "study.json", contents(made_up()))
    return folder


@pytest.fixture(scope="module")
def own_set_page(made_up_relations: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a page with "Your own set" alone, where the task "digits" has recordings, made up."""
    import gradio as gr

    from taskvec_demo.serve.artifacts import read_json
    from taskvec_demo.ui.app import launch_options
    from taskvec_demo.ui.studies.own_set import build_own_set
    from tests.support.made_up_recordings import write_set

    data = tmp_path_factory.mktemp("data")
    write_set(data / "fsdd", ("digit_0", "digit_1"), (("train", 30),))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))
        with gr.Blocks() as app:
            build_own_set(read_json(made_up_relations / "study.json"), data)
        app.queue().launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", **launch_options())
        yield app.local_url
        app.close()
