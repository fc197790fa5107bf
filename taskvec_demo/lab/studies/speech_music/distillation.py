"""The students: a common warm-up, then one run for each teacher and one for both. Every run resumes to the bit."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from ....clap.encoder import PooledTower
from ....core.weights import Weights
from ...finetuning.schedule import learning_rate, set_rate
from ...finetuning.training_state import StateFile, drawing, fingerprint, shapes
from .plan import DOMAINS, ENSEMBLE, MUSIC, SPEECH, STUDENT, WIDTH, Plan
from .teachers import Mix

PEAK_RATE, WEIGHT_DECAY, RISE = 6e-4, 0.01, 0.05
SEED = 0
NEUTRAL = DOMAINS[-1:]
TAUGHT_BY = {SPEECH: (SPEECH,), MUSIC: (MUSIC,), ENSEMBLE: (SPEECH, MUSIC)}  # student -> its teachers
Say = Callable[[str], None]


@dataclass(frozen=True)
class Run:
    """One training: its teachers, the domains of its clips, and its length. A step has `batch` windows."""

    name: str
    teachers: tuple[str, ...]
    domains: tuple[str, ...]
    steps: int
    batch: int


@dataclass(frozen=True)
class Distilled:
    """What a run has learned and what it cost: `state` of tower and heads, windows seen, seconds of training."""

    state: Mapping[str, torch.Tensor]
    steps: int
    windows: int
    seconds: float

    def tower(self) -> PooledTower:
        tower = PooledTower(STUDENT)
        tower.load_state_dict({n.removeprefix("tower."): t for n, t in self.state.items() if n.startswith("tower.")})
        return tower.eval()

    def weights(self) -> Weights:
        return self.tower().weights()


class Student(torch.nn.Module):
    """A tower, and a linear head for each teacher, which is dropped afterwards."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        super().__init__()
        self.tower = PooledTower(STUDENT)
        self.heads = torch.nn.ModuleDict({teacher: torch.nn.Linear(WIDTH, n) for teacher, n in sizes.items()})

    def loss(self, x: torch.Tensor, targets: Mapping[str, torch.Tensor], teachers: Sequence[str]) -> torch.Tensor:
        """The sum over `teachers` of L1 distance and 1 − cosine to what they hear."""
        pooled = self.tower(x)
        return torch.stack([missed(self.heads[t](pooled), targets[t]) for t in teachers]).sum()


def missed(found: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """L1 distance (mean over outputs) plus 1 − cosine, the mean over the batch."""
    return F.l1_loss(found, target) + (1 - F.cosine_similarity(found, target, dim=-1)).mean()


def warm_up(mix: Mix, plan: Plan, folder: Path, say: Say) -> Distilled:
    """The initialisation of all students: both teachers on neutral clips only, from random weights.

    Trainings from a random start need not end in one basin; after a short common one they do (arXiv:1912.05671). None
    of the clips is of speech or music, so that what is known of these is left to the vectors. Parameters are rounded to
    float16, as they are shipped.
    """
    with drawing(SEED, "initial"):
        student = Student(mix.sizes)
        student.tower.normalize_input(*mix.statistics())
    run = Run("warm-up", TAUGHT_BY[ENSEMBLE], NEUTRAL, plan.warm_up, plan.batch)
    done = _train(student, mix, run, folder, say)
    rounded = {n: t.half().float() if t.is_floating_point() else t for n, t in done.state.items()}
    return Distilled(rounded, done.steps, done.windows, done.seconds)


def distil(start: Distilled, name: str, mix: Mix, plan: Plan, folder: Path, say: Say) -> Distilled:
    """The student `name` of TAUGHT_BY, from `start`. All students are given the same windows in the same order."""
    student = Student(mix.sizes)
    student.load_state_dict(dict(start.state))
    run = Run(name, TAUGHT_BY[name], DOMAINS, plan.total(name), plan.batch)
    return _train(student, mix, run, folder, say)


def _train(student: Student, mix: Mix, run: Run, folder: Path, say: Say) -> Distilled:
    student.eval()  # nothing is dropped, and the input's BatchNorm keeps its statistics
    optimizer = torch.optim.AdamW(student.parameters(), PEAK_RATE, weight_decay=WEIGHT_DECAY)
    start = fingerprint(t.numpy().tobytes() for t in student.state_dict().values())
    told = f"{run} {PEAK_RATE} {WEIGHT_DECAY} {SEED}"
    rows = (f"{row.dataset}/{row.file}" for row in mix.rows)
    file = StateFile(folder / f"{run.name}.pt", fingerprint([told, start, *shapes(student), *rows]))
    done, seconds = 0, 0.0
    if saved := file.read():
        student.load_state_dict(saved["student"])
        optimizer.load_state_dict(saved["optimizer"])
        done, seconds = saved["step"], saved["seconds"]

    def state() -> dict[str, Any]:
        kept = {"student": student.state_dict(), "optimizer": optimizer.state_dict()}
        return {**kept, "step": done, "seconds": seconds}

    while done < run.steps:
        began = time.perf_counter()
        with drawing(SEED, "mix", done):
            lesson = mix.draw(run.batch, run.domains)
        set_rate(optimizer, learning_rate(done / run.steps, PEAK_RATE, RISE))
        loss = student.loss(lesson.x, lesson.targets, run.teachers)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()
        done += 1
        seconds += time.perf_counter() - began
        file.write_when_due(state)
        say(f"{run.name}: step {done} of {run.steps}, loss {float(loss.detach()):.2f}")
    file.write(state())
    learned = {n: t.clone() for n, t in student.state_dict().items()}
    return Distilled(learned, run.steps, run.steps * run.batch, seconds)
