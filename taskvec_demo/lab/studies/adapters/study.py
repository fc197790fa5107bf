"""The whole study: the tower's stages, every task's adapters at every price, their rivals, and the claims."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from ....clap.model import Checkpoint
from ....core.adapters import Adapter, read_adapters, write_adapters
from ....core.tasks import Task
from ....recordings.splits import TEST, VALIDATION
from ....serve.artifacts import Artifacts, write_json
from ...data.datasets import MelStore
from ...finetuning.training_state import fingerprint
from .claims import MEASURES, claims, named
from .gates import Measure, Run, stage_runs
from .points import MEASURED, Kind, Point, adapter_point, mean_difference, vector_point, zero_shot_point
from .stages import Scales, StageStore
from .tasks import Clips, clips_of, few_rows, studied_tasks, task_rows
from .training import Setup, trained

FORMAT = 1
TABLE = "study.json"
PAPER = "https://openreview.net/forum?id=rkeMj3VtvB"
KINDS: dict[str, Kind] = {"multi-head": "multi-head", "single-task": "single-task"}
Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """How much is trained. `tasks` are at most so many, the first ones, and `clips` a split of each has at most."""

    prices: tuple[float, ...] = (1e-4, 5e-4, 2e-3, 1e-2, 5e-2, 2e-1)
    share: float = 0.2
    steps: int = 900
    single_steps: int = 600
    tasks: int | None = None
    clips: int | None = None

    def runs(self) -> tuple[Run, ...]:
        measures: dict[Measure, tuple[float, ...]] = {"parameters": self.prices, "flops": self.prices}
        return tuple(stage_runs(measures))


QUICK = Plan(prices=(0.03, 30.0), steps=30, single_steps=10, tasks=3, clips=40)
SINGLE = Run("single-task")


@dataclass(frozen=True)
class TaskMeasured:
    task: Task
    clips: Mapping[str, Clips]
    points: tuple[Point, ...]
    adapters: Mapping[str, Adapter]


class Measurement:
    """Checkpoint, recordings and cached stages, once for all tasks."""

    def __init__(self, artifacts: Artifacts, data: Path, work: Path, plan: Plan, say: Say) -> None:
        self.artifacts, self.work, self.plan, self.say = artifacts, work, plan, say
        self.tasks = dict(list(studied_tasks(artifacts).items())[: plan.tasks])
        self.checkpoint: Checkpoint = artifacts.open_checkpoint()
        rows = few_rows(self.tasks.values(), task_rows(data, self.tasks), plan.clips)
        self.store = MelStore.open(work, data, self.checkpoint.features, rows)
        self.clips = {name: clips_of(task, self.store.rows) for name, task in self.tasks.items()}
        self.stages = StageStore.open(work, self.checkpoint, self.store, self.store.rows, say)
        training = sorted({w for clips in self.clips.values() for w in clips["train"].windows})
        self.scales = Scales.of(self.stages, training)
        self.key = fingerprint([self.stages.key, json.dumps(training)])

    def task(self, name: str) -> TaskMeasured:
        """Train what is missing of a task and measure all of its points."""
        clips, plan = self.clips[name], self.plan
        n_classes = len(self.tasks[name].class_names)
        setup = Setup(name, n_classes, clips, plan.share, plan.runs(), plan.steps)
        adapters = trained(setup, self.stages, self.scales, self.work, self.key, self.say)
        single = Setup(name, n_classes, clips, 1.0, (SINGLE,), plan.single_steps)
        alone = trained(single, self.stages, self.scales, self.work, self.key, self.say)
        self.say(f"{name}: measuring")
        return TaskMeasured(self.tasks[name], clips, self._points(name, adapters, alone), adapters)

    def _points(
        self, name: str, adapters: Mapping[str, Adapter], alone: Mapping[str, Adapter] | None
    ) -> tuple[Point, ...]:
        clips, head = self.clips[name], self.artifacts.heads[name]
        points = [zero_shot_point(head, self.stages, clips)]
        runs = [(run, adapters[run.name]) for run in self.plan.runs()]
        runs += [(SINGLE, alone[SINGLE.name])] if alone else []
        for run, adapter in runs:
            points.append(adapter_point(run, KINDS.get(run.name, "adapter"), adapter, self.stages, clips))
        if vector := self.artifacts.vectors.get(name):
            points.append(vector_point(vector, head, self.checkpoint, self.store, clips, self.work))
        return tuple(points)

    def shipped(self, folder: Path, name: str) -> TaskMeasured:
        """The points of a task's shipped adapters, measured again. Single-task models are not shipped."""
        adapters = read_adapters(folder / weights_file(name), self.stages.shapes)
        return TaskMeasured(self.tasks[name], self.clips[name], self._points(name, adapters, None), adapters)

    def tower_flops(self) -> int:
        """Operations of the tower for one window, as torch counts them: two for each product that is added up."""
        window = torch.zeros(1, 1, self.checkpoint.features.n_frames, self.checkpoint.features.n_mels)
        tower = self.checkpoint.trainable_tower()
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            tower(window)
        return int(counter.get_total_flops())


def weights_file(task: str) -> str:
    return f"weights/{task}.safetensors"


def measure(artifacts: Artifacts, data: Path, work: Path, out: Path, plan: Plan, say: Say) -> dict[str, Any]:
    """Train what is missing under `work`/adapters, write `out`, and return the contents of its table."""
    started = time.monotonic()
    measurement = Measurement(artifacts, data, work, plan, say)
    measured = {name: measurement.task(name) for name in measurement.tasks}
    contents = table(measurement, measured)
    contents["seconds"] = round(time.monotonic() - started)
    metadata = {"pretrained_sha256": artifacts.pretrained_sha256}
    for name, task in measured.items():
        write_adapters(out / weights_file(name), task.adapters, metadata | {"task": name})
    write_json(out / TABLE, contents)
    return contents


def table(measurement: Measurement, measured: Mapping[str, TaskMeasured]) -> dict[str, Any]:
    """The contents of the table."""
    by_task = {name: task.points for name, task in measured.items()}
    artifacts, shapes, plan = measurement.artifacts, measurement.stages.shapes, measurement.plan
    features = measurement.checkpoint.features
    return {
        "format": FORMAT,
        "study": "adapters",
        "paper": PAPER,
        "checkpoint": artifacts.name,
        "pretrained_sha256": artifacts.pretrained_sha256,
        "shapes": {"maps": [list(m) for m in shapes.maps], "dim": shapes.dim},
        "share": plan.share,
        "widths": list(shapes.widths(plan.share)),
        "beside": list(shapes.beside()),
        "steps": plan.steps,
        "tower": {"flops": measurement.tower_flops(), "parameters": measurement.checkpoint.pretrained.layout.size},
        "window_seconds": features.n_samples / features.sample_rate,
        "tasks": [_task_entry(task) for task in measured.values()],
        "means": means(list(by_task.values())),
        "claims": claims(by_task),
    }


def _task_entry(measured: TaskMeasured) -> dict[str, Any]:
    return {
        "name": measured.task.name,
        "title": measured.task.title,
        "role": measured.task.role,
        "classes": list(measured.task.class_names),
        "n": {split: len(clips.rows) for split, clips in measured.clips.items()},
        "points": [point.to_dict() for point in measured.points],
    }


def means(tasks: Sequence[Sequence[Point]]) -> list[dict[str, Any]]:
    """The means over those tasks that have a point of a name, from nothing trained to the tasks' own vectors.

    Prices of one measure come from the highest to the lowest.
    """
    priced = [p.name for m in MEASURES for p in sorted(tasks[0], key=lambda p: -(p.price or 0)) if p.measure == m]
    names = ["zero-shot", "multi-head", *priced, "open", "single-task", "vector"]
    found = {name: [p for points in tasks if (p := named(points, name))] for name in names}
    return [_mean(points) for points in found.values() if points]


def _mean(points: Sequence[Point]) -> dict[str, Any]:
    first = points[0]
    return {
        "name": first.name,
        "kind": first.kind,
        "measure": first.measure,
        "price": first.price,
        "tasks": len(points),
        "parameters": round(sum(p.parameters for p in points) / len(points)),
        "flops": round(sum(p.flops for p in points) / len(points)),
        **{split: mean_difference(points, None, split) for split in MEASURED},
    }


def differences(shipped: Mapping[str, Any], measured: Mapping[str, TaskMeasured], tolerance: float) -> list[str]:
    """Costs that the shipped adapters do not have, and accuracies that differ by more than the tolerance."""
    wrong = []
    for entry in shipped["tasks"]:
        fresh = {p.name: p for p in measured[entry["name"]].points}
        for old in entry["points"]:
            if old["name"] not in fresh:
                continue
            new = fresh[old["name"]]
            where = f"{entry['name']}, {old['name']}"
            if (old["parameters"], old["flops"]) != (new.parameters, new.flops):
                spent = f"{new.parameters} parameters and {new.flops} operations"
                wrong.append(f"{where}: {spent}, not {old['parameters']} and {old['flops']}")
            for split in (VALIDATION, TEST):
                was, now = old[split]["accuracy"], float(new.right[split].mean())
                if abs(was - now) > tolerance:
                    wrong.append(f"{where}: {split} accuracy {now:.4f}, not {was:.4f}")
    return wrong
