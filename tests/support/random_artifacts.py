"""A complete small `precomputed/` folder with a random model, on which tests and the browser run without training.

    python -m tests.support.random_artifacts FOLDER

Everything that the app reads is there and real in form: a `ClapModel` that transformers loads, task vectors that change
its predictions, the true tasks, surfaces over the true sweep. The validation logits behind the surfaces are synthetic
polynomials of the coefficients, in which a task's own vector helps it and strong edits hurt the others.
"""

from __future__ import annotations

import sys
import tempfile
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import torch

from taskvec_demo.clap.loading import save_checkpoint, save_tokenizer
from taskvec_demo.clap.model import Checkpoint, new_model
from taskvec_demo.core.surface import LogitSurface, sparse_exponents
from taskvec_demo.core.task_vector import TaskVector
from taskvec_demo.core.tasks import Task
from taskvec_demo.core.weights import Weights
from taskvec_demo.core.zero_shot import ZeroShotHead
from taskvec_demo.lab.data.synth import labelled_set, write_examples, write_labelled_set
from taskvec_demo.lab.measuring.shipped_tables import build_tables
from taskvec_demo.lab.measuring.sweep import main_vectors, sweep_points
from taskvec_demo.lab.tiny_clap import architecture as tiny
from taskvec_demo.lab.tiny_clap.captions import TEMPLATES, WRITTEN, all_captions
from taskvec_demo.lab.tiny_clap.study import DEFAULT_LABELS, FINE_TUNINGS, TASKS, TINY
from taskvec_demo.lab.tiny_clap.text_distillation import TEXT
from taskvec_demo.lab.tiny_clap.tokenizer import MAX_TOKENS, train_tokenizer
from taskvec_demo.serve.artifacts import save_head, write_manifest
from taskvec_demo.serve.labelled_clips import SYNTHESIZED

NAME = "tiny-clap"
DIM = 32
AUDIO = tiny.AUDIO | {
    "patch_embeds_hidden_size": 16,
    "depths": [1, 1, 1, 1],
    "num_attention_heads": [1, 2, 4, 8],
    "hidden_size": 16 * 8,
    "projection_dim": DIM,
}
SMALL_TEXT = TEXT | {
    "hidden_size": DIM,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "projection_dim": DIM,
}
SPREAD = 4  # times the usual random matrices, which leave all clips and all texts in one corner of the joint space
MEL_MEAN, MEL_VARIANCE = -40.0, 40.0**2  # dB, of the examples' log-mels: what pretraining would leave in the BatchNorm
VOCABULARY = 300  # byte-level BPE tokens: 256 bytes, 5 special ones and a few merges
DELTA = 0.4  # of a tensor's own root mean square: enough to change predictions, as fine-tuning does
CLIPS_PER_CLASS = 4


def write_random_artifacts(folder: Path, seed: int = 0) -> None:
    """Write everything that `precomputed/tiny-clap` holds, and the manifest, under `folder`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        checkpoint = write_random_model(folder / "model")
        for name, spec in FINE_TUNINGS.items():
            random_vector(checkpoint.pretrained, name, spec.task).save(folder / "vectors" / f"{name}.safetensors")
    for name, task in TASKS.items():
        head = ZeroShotHead.from_prompts(checkpoint.embed_text, task.class_names, task.prompts, task.templates)
        save_head(folder / "heads" / f"{name}.safetensors", head)
    surfaces = {name: synthetic_surface(task, "validation", seed) for name, task in TASKS.items()}
    for name, surface in surfaces.items():
        surface.save(folder / "surfaces" / f"{name}.validation.safetensors")
    vectors = {name: TaskVector.load(folder / "vectors" / f"{name}.safetensors") for name in FINE_TUNINGS}
    build_tables(MadeUpModel(seed), vectors, folder / "tables")
    write_examples(folder / "examples")
    write_labelled_set(folder / SYNTHESIZED, labelled_set(1, per_class=1))
    write_manifest(
        folder,
        {
            "checkpoint": NAME,
            "pretrained_sha256": checkpoint.pretrained.sha256,
            "tasks": [task.to_dict() for task in TASKS.values()],
            "vectors": list(FINE_TUNINGS),
            "default_labels": list(DEFAULT_LABELS),
            "templates": list(TEMPLATES),
            "sources": [{"name": "random numbers", "author": "nobody", "licence": "CC0"}],
            "commands": ["python -m tests.support.random_artifacts FOLDER"],
        },
    )


def write_random_model(folder: Path) -> Checkpoint:
    tokenizer = train_tokenizer(all_captions(WRITTEN), VOCABULARY)
    text = SMALL_TEXT | {"vocab_size": tokenizer.get_vocab_size()}
    model = new_model(AUDIO, text, DIM)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1 and "embeddings" not in name:
                parameter.mul_(SPREAD)
        norm = model.audio_model.audio_encoder.batch_norm
        norm.running_mean.fill_(MEL_MEAN)
        norm.running_var.fill_(MEL_VARIANCE)
    with tempfile.TemporaryDirectory() as temporary:
        save_tokenizer(Path(temporary), tokenizer, MAX_TOKENS)
        save_checkpoint(folder, model, tiny.PREPROCESSOR, Path(temporary))
    return Checkpoint.from_folder(folder, NAME)


def random_vector(pretrained: Weights, name: str, task: str) -> TaskVector:
    tuned = {
        key: tensor + torch.randn_like(tensor) * (DELTA * tensor.square().mean().sqrt() + 0.01)
        for key, tensor in pretrained.tensors().items()
    }
    metadata = {"training": {"epochs": 0, "seed": 0}, "metrics": {}}
    return TaskVector.between(pretrained, Weights.from_tensors(tuned), name, task, metadata)


def synthetic_logits(task: Task, split: str, points: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits (p, n, n_classes) of made-up clips at `points` (p, n_vectors), and the clips' labels (n,).

    A polynomial of degree 2: all tasks start with some knowledge, the control with much; a vector raises the true class
    of its own task and blurs everything with the square of λ.
    """
    rng = np.random.default_rng([seed, zlib.crc32(f"{task.name}/{split}".encode())])
    n_classes = len(task.class_names)
    labels = np.repeat(np.arange(n_classes), CLIPS_PER_CLASS)
    shape = (len(labels), n_classes)
    true = np.eye(n_classes)[labels]
    logits = (rng.normal(size=shape) + (3.0 if task.role == "control" else 1.2) * true)[None].repeat(len(points), 0)
    for column, (name, spec) in enumerate(FINE_TUNINGS.items()):
        linear = 0.5 * rng.normal(size=shape)
        if task.name == "analogy" and spec.only_class:
            linear += 3 * np.array([_alike(name, c) for c in task.class_names])
        elif spec.task == task.name and not spec.only_class:
            linear += 3 * true
        scaling_coef = points[:, column, None, None]
        logits += scaling_coef * linear + scaling_coef**2 * 0.9 * rng.normal(size=shape)
    return (3 * logits).astype(np.float32), labels


def _alike(a: str, b: str) -> float:
    """1 for the same gender and emotion, 0 for one of both, -1 for none: B + C - A then favours D."""
    return sum(x == y for x, y in zip(a.split("_"), b.split("_"), strict=True)) - 1.0


def synthetic_surface(task: Task, split: str, seed: int = 0) -> LogitSurface:
    """A surface of the shipped form: the true sweep's vectors, points and terms."""
    names = list(FINE_TUNINGS)
    points, held_out = sweep_points(names[:-3], names[-3:])
    logits, labels = synthetic_logits(task, split, points, seed)
    powers = sparse_exponents(len(names), main_vectors(TINY, task.name, names))
    return LogitSurface.fit(task.name, split, names, points, logits, labels, held_out, powers)


class MadeUpModel:
    """Stands in for `ModelPredictor`: "measures" recipes on made-up clips. Baselines do nothing to it."""

    checkpoint_name, study = NAME, TINY

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def labels(self, split: str) -> dict[str, np.ndarray]:
        return {name: synthetic_logits(t, split, self._point({}), self.seed)[1] for name, t in TINY.all_tasks.items()}

    def predictions(
        self, split: str, coefficients: Mapping[str, float], tasks: Collection[str] | None = None
    ) -> dict[str, np.ndarray]:
        point, wanted = self._point(coefficients), tasks or TINY.all_tasks
        answers = {
            n: synthetic_logits(t, split, point, self.seed)[0][0] for n, t in TINY.all_tasks.items() if n in wanted
        }
        return {name: logits.argmax(-1) for name, logits in answers.items()}

    def _point(self, coefficients: Mapping[str, float]) -> np.ndarray:
        return np.array([[coefficients.get(v, 0.0) for v in FINE_TUNINGS]])


if __name__ == "__main__":
    write_random_artifacts(Path(sys.argv[1]))
