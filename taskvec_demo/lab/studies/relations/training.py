"""One run: a set of tasks, a share of the data, all seeds. What it leaves is kept on disk and never computed twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from ....core.files import whole_file
from .network import SharedNetwork
from .tasks import TaskClips, training_part

BATCH = 64  # clips of each task in a step
RATE, WEIGHT_DECAY = 1e-3, 1e-2
POINTS = 20  # of a learning curve
FORMAT = 1


@dataclass(frozen=True)
class Run:
    """What a network that learned `tasks` together answers.

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
    """What all runs of a matrix share. `inputs` (n_rows, …) float32, standardized."""

    body: str
    fraction: float
    steps: int
    seeds: range
    inputs: torch.Tensor
    clips: Mapping[str, TaskClips]

    @cached_property
    def key(self) -> list:
        """What all runs depend on; the inputs as a hash, since other features may have the same shape."""
        inputs = hashlib.sha256(self.inputs.contiguous().numpy().data).hexdigest()
        return [FORMAT, self.body, self.fraction, self.steps, list(self.seeds), inputs]


def run(setup: Setup, tasks: Sequence[str], folder: Path) -> Run:
    """Train on `tasks` together, or read what an earlier call left in `folder`."""
    tasks = tuple(sorted(tasks))
    digest = hashlib.sha256(json.dumps([setup.key, tasks, _clips_key(setup, tasks)]).encode()).hexdigest()[:16]
    file = folder / f"{setup.body}-{round(100 * setup.fraction)}-{'+'.join(tasks)}-{digest}.npz"
    if file.is_file():
        return _read(file, tasks)
    done = _train(setup, tasks)
    parts = {f"{kind}/{task}": getattr(done, kind)[task] for kind in ("correct", "curve", "loss") for task in tasks}
    with whole_file(file) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **parts)
    return done


def _clips_key(setup: Setup, tasks: Sequence[str]) -> list:
    return [hashlib.sha256(setup.clips[t].row.tobytes() + setup.clips[t].split.tobytes()).hexdigest() for t in tasks]


def _read(file: Path, tasks: tuple[str, ...]) -> Run:
    with np.load(file, allow_pickle=False) as stored:
        kinds = {kind: {t: stored[f"{kind}/{t}"] for t in tasks} for kind in ("correct", "curve", "loss")}
    return Run(tasks, **kinds)


class _Batches:
    """Training batches of one task: each seed draws by itself, and the same whatever other tasks are learned."""

    def __init__(self, setup: Setup, task: str) -> None:
        clips = setup.clips[task]
        self.rows, self.labels = torch.from_numpy(clips.row), torch.from_numpy(clips.label)
        self.parts = [torch.from_numpy(training_part(clips, setup.fraction, seed)) for seed in setup.seeds]
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


def _train(setup: Setup, tasks: tuple[str, ...]) -> Run:
    torch.manual_seed(len(tasks))
    sizes = {task: len(setup.clips[task].classes) for task in tasks}
    network = SharedNetwork(setup.body, setup.inputs.shape[1], sizes, setup.seeds)
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=setup.steps, pct_start=0.1)
    batches = {task: _Batches(setup, task) for task in tasks}
    n_seeds, every = len(setup.seeds), setup.steps // POINTS
    curve = {task: np.zeros((n_seeds, POINTS), np.float32) for task in tasks}
    loss = {task: np.zeros((n_seeds, POINTS), np.float32) for task in tasks}
    best = {task: np.full(n_seeds, -1.0) for task in tasks}
    kept = {task: {name: t.clone() for name, t in network.state_dict().items()} for task in tasks}
    for step in range(every * POINTS):
        network.train()
        total = torch.zeros(())
        point = step // every
        for task in tasks:
            x, y = batches[task].next(setup.inputs)
            each = F.cross_entropy(network(x, task).flatten(0, 1), y.flatten(), reduction="none").view(n_seeds, -1)
            total = total + each.mean(1).sum()  # a sum over seeds: no seed's gradient reaches another
            loss[task][:, point] += each.detach().mean(1).numpy() / every
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        schedule.step()
        if (step + 1) % every == 0:
            for task in tasks:
                curve[task][:, point] = _right(network, setup, task, "validation").mean(1)
                better = curve[task][:, point] > best[task]
                best[task][better] = curve[task][better, point]
                for name, weights in network.state_dict().items():
                    kept[task][name][better] = weights[better]
    correct = {}
    for task in tasks:  # test clips are looked at once
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
