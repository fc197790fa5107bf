"""A checkpoint as somebody else might build it: 12 tasks and 20 vectors, which is more than one screen shows at once.

It has no tables and no recordings. Its numbers are random, but a vector does raise its own task.
"""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from taskvec_demo.clap.model import Checkpoint
from taskvec_demo.core.surface import LogitSurface
from taskvec_demo.core.tasks import Task
from taskvec_demo.core.zero_shot import ZeroShotHead
from taskvec_demo.serve.artifacts import save_head, write_manifest
from tests.support.random_artifacts import NAME, random_vector

CONTROL = "everything"
MAIN = ("urban", *(f"collection_{i}" for i in range(1, 11)))  # tasks with a vector of their own
VECTORS: Mapping[str, str] = {**{name: name for name in MAIN}, **{f"extra_{i}": MAIN[i] for i in range(1, 10)}}
TITLES = {name: name.replace("_", " ").capitalize() for name in (CONTROL, *MAIN)}
CLASSES = ("rain", "a dog", "a siren", "a cello")
TEMPLATES = ("a sound of {}",)
CLIPS_PER_CLASS = 4
MEASURED = (-1.0, -0.5, 0.5, 1.0)  # λ of each vector alone; beside the pre-trained model


def write_many(folder: Path, model: Path) -> None:
    """Write the artifacts under `folder`, with the checkpoint in the folder `model`."""
    shutil.copytree(model, folder / "model")
    checkpoint = Checkpoint.from_folder(folder / "model", NAME)
    tasks = [_task(name) for name in TITLES]
    for name, task in VECTORS.items():
        random_vector(checkpoint.pretrained, name, task).save(folder / "vectors" / f"{name}.safetensors")
    for task in tasks:
        head = ZeroShotHead.from_prompts(checkpoint.embed_text, task.class_names, task.prompts, task.templates)
        save_head(folder / "heads" / f"{task.name}.safetensors", head)
        _surface(task).save(folder / "surfaces" / f"{task.name}.validation.safetensors")
    write_manifest(
        folder,
        {
            "checkpoint": NAME,
            "pretrained_sha256": checkpoint.pretrained.sha256,
            "tasks": [task.to_dict() for task in tasks],
            "vectors": list(VECTORS),
            "default_labels": list(CLASSES),
            "templates": list(TEMPLATES),
            "sources": [{"name": "random numbers", "author": "nobody", "licence": "CC0"}],
            "commands": [],
        },
    )


def _task(name: str) -> Task:
    role = "control" if name == CONTROL else "target"
    return Task(name, TITLES[name], role, CLASSES, CLASSES, TEMPLATES, "random numbers", "CC0")


def _surface(task: Task) -> LogitSurface:
    """Every vector alone was measured, and its logits are a polynomial of its λ."""
    rng = np.random.default_rng(zlib.crc32(task.name.encode()))
    vectors = np.eye(len(VECTORS))
    points = np.concatenate([np.zeros((1, len(VECTORS))), *(λ * vectors for λ in MEASURED)])
    labels = np.repeat(np.arange(len(CLASSES)), CLIPS_PER_CLASS)
    true = np.eye(len(CLASSES))[labels]
    noise = rng.normal(size=(1 + len(VECTORS), *true.shape))
    own = np.array([of == task.name for of in VECTORS.values()])
    directions = 0.3 * noise[1:] + 2.5 * own[:, None, None] * true
    start = noise[0] + (3.0 if task.role == "control" else 1.2) * true
    logits = start + np.einsum("pv,vnc->pnc", points, directions)
    held_out = np.zeros(len(points), bool)
    held_out[-len(VECTORS) :: 5] = True
    powers = np.concatenate([np.zeros_like(vectors[:1]), vectors, 2 * vectors]).astype(int)
    return LogitSurface.fit(task.name, "validation", list(VECTORS), points, logits, labels, held_out, powers)
