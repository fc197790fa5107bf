"""A `Predictor` whose accuracies are functions of the coefficients, and vectors for it."""

from __future__ import annotations

import numpy as np
import torch

from taskvec_demo.core.task_vector import TaskVector
from taskvec_demo.core.weights import Layout
from taskvec_demo.lab.tiny_clap.study import FINE_TUNINGS, TINY

ALL_TASKS = TINY.all_tasks
N = 40  # clips a task


class MadeUp:
    """A `Predictor` whose number of right answers on a task is a function of the coefficients."""

    checkpoint_name, study = "tiny-clap", TINY

    def __init__(self, **right) -> None:
        self.right, self.asked = right, []

    def labels(self, split: str) -> dict[str, np.ndarray]:
        return {t: np.arange(N) % len(task.class_names) for t, task in ALL_TASKS.items()}

    def predictions(self, split: str, coefficients, tasks=None) -> dict[str, np.ndarray]:
        self.asked.append((split, dict(coefficients)))
        answers = {}
        for task, labels in self.labels(split).items():
            if tasks is not None and task not in tasks:
                continue
            share = self.right.get(task, lambda **c: 0.8)(**coefficients)
            wrong = (labels + 1) % len(ALL_TASKS[task].class_names)
            answers[task] = np.where(np.arange(N) < round(N * share), labels, wrong)
        return answers


def random_like() -> dict[str, TaskVector]:
    """A vector of four random numbers for every fine-tuning of the study."""
    layout = Layout(("w",), ((4,),))
    return {
        n: TaskVector(n, layout, torch.randn(4, generator=torch.Generator().manual_seed(i)), "0" * 64)
        for i, n in enumerate(FINE_TUNINGS)
    }
