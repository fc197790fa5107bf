"""One run: a network for each seed learns a set of tasks from a share of the data."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Generator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F

from .network import SharedNetwork
from .tasks import TaskClips, training_part

BATCH = 64  # clips of each task in a step
RATE, WEIGHT_DECAY = 1e-3, 1e-2
POINTS = 20  # of a learning curve
FORMAT = 1


@dataclass(frozen=True)
class Run:
    """What a network that learned `tasks` together answers, for the tasks that were measured.

    `correct[task]` (seeds, n_test) bool: the test clips that each seed gets right, at the point of its training where
    the task's validation accuracy was best. `curve[task]` (seeds, POINTS): validation accuracy while training;
    `loss[task]` (seeds, POINTS): mean training loss since the point before.
    """

    tasks: tuple[str, ...]
    correct: Mapping[str, np.ndarray]
    curve: Mapping[str, np.ndarray]
    loss: Mapping[str, np.ndarray]

    def accuracy(self, task: str) -> np.ndarray:
        """(seeds,) test accuracies."""
        return self.correct[task].mean(1)


@dataclass(frozen=True)
class Setup:
    """What all runs of a matrix share. `inputs` (n_rows, …) float32, standardized.

    Tasks in `whole` are learned from all of their training clips, the others from `fraction` of them.
    """

    body: str
    fraction: float
    steps: int
    seeds: range
    inputs: torch.Tensor
    clips: Mapping[str, TaskClips]
    whole: tuple[str, ...] = ()

    def part(self, task: str, seed: int) -> np.ndarray:
        """Positions of the training clips that a seed learns a task from."""
        return training_part(self.clips[task], 1.0 if task in self.whole else self.fraction, seed)

    @cached_property
    def key(self) -> list:
        """What all runs depend on; the inputs as a hash, since other features may have the same shape."""
        inputs = hashlib.sha256(self.inputs.contiguous().numpy().data).hexdigest()
        return [FORMAT, self.body, self.fraction, self.steps, list(self.seeds), inputs, *self.whole]


class _Batches:
    """Training batches of one task: each seed draws by itself, and the same whatever other tasks are learned."""

    def __init__(self, setup: Setup, task: str) -> None:
        clips = setup.clips[task]
        self.rows, self.labels = torch.from_numpy(clips.row), torch.from_numpy(clips.label)
        self.parts = [torch.from_numpy(setup.part(task, seed)) for seed in setup.seeds]
        self.draws = [torch.Generator().manual_seed(1000 * seed + sum(task.encode())) for seed in setup.seeds]
        counts = [torch.bincount(self.labels[p], minlength=len(clips.classes)).clamp_min(1) for p in self.parts]
        self.odds = [(1.0 / n)[self.labels[p]] for n, p in zip(counts, self.parts, strict=True)]  # classes balanced

    def next(self, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        picked = torch.stack(
            [
                part[torch.multinomial(odds, BATCH, replacement=True, generator=draw)]
                for part, odds, draw in zip(self.parts, self.odds, self.draws, strict=True)
            ]
        )
        return inputs[self.rows[picked]], self.labels[picked]


def train(setup: Setup, tasks: Collection[str]) -> Run:
    """`training` in one go."""
    steps = training(setup, tasks)
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value


def training(
    setup: Setup, tasks: Collection[str], measured: Collection[str] | None = None
) -> Generator[float, None, Run]:
    """Train on `tasks` together; yields POINTS times which share of the steps is done, and returns the run.

    Closing the generator stops the training. Held-out clips are answered of the `measured` tasks only (default: all).
    """
    tasks = tuple(sorted(tasks))
    measured = tasks if measured is None else tuple(sorted(measured))
    sizes = {task: len(setup.clips[task].classes) for task in tasks}
    network = SharedNetwork(setup.body, setup.inputs.shape[1], sizes, setup.seeds)
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=setup.steps, pct_start=0.1)
    batches = {task: _Batches(setup, task) for task in tasks}
    n_seeds, every = len(setup.seeds), setup.steps // POINTS
    curve = {task: np.zeros((n_seeds, POINTS), np.float32) for task in measured}
    loss = {task: np.zeros((n_seeds, POINTS), np.float32) for task in tasks}
    best = {task: np.full(n_seeds, -1.0) for task in measured}
    kept = {task: {name: t.clone() for name, t in network.state_dict().items()} for task in measured}
    for point in range(POINTS):
        network.train()
        for _ in range(every):
            total = torch.zeros(())
            for task in tasks:
                x, y = batches[task].next(setup.inputs)
                each = F.cross_entropy(network(x, task).flatten(0, 1), y.flatten(), reduction="none").view(n_seeds, -1)
                total = total + each.mean(1).sum()  # a sum over seeds: no seed's gradient reaches another
                loss[task][:, point] += each.detach().mean(1).numpy() / every
            optimizer.zero_grad()
            total.backward()
            optimizer.step()
            schedule.step()
        for task in measured:
            curve[task][:, point] = _right(network, setup, task, "validation").mean(1)
            better = curve[task][:, point] > best[task]
            best[task][better] = curve[task][better, point]
            for name, weights in network.state_dict().items():
                kept[task][name][better] = weights[better]
        yield (point + 1) / POINTS
    correct = {}
    for task in measured:  # test clips are looked at once
        network.load_state_dict(kept[task])
        correct[task] = _right(network, setup, task, "test")
    return Run(tasks, correct, curve, loss)


@torch.inference_mode()
def _right(network: SharedNetwork, setup: Setup, task: str, split: str) -> np.ndarray:
    """(seeds, n) bool: which clips of a split each seed gets right."""
    network.eval()
    clips = setup.clips[task]
    places = clips.of(split)
    labels = torch.from_numpy(clips.label[places])
    parts = []
    for start in range(0, len(places), 256):
        x = setup.inputs[torch.from_numpy(clips.row[places[start : start + 256]])]
        answers = network(x.expand(len(setup.seeds), *x.shape), task).argmax(-1)
        parts.append(answers == labels[start : start + 256])
    return torch.cat(parts, 1).numpy()
