"""What the benchmarks share: repeats, a temporary folder, the shipped model and a full-size random one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import soundfile
import torch

from taskvec_demo.clap.laion import PREPROCESSOR
from taskvec_demo.clap.loading import save_checkpoint
from taskvec_demo.clap.model import AudioTower, new_model
from taskvec_demo.core.recipe import Recipe
from taskvec_demo.core.task_vector import TaskVector
from taskvec_demo.core.weights import Layout, Weights
from taskvec_demo.lab.data.synth import write_examples
from taskvec_demo.lab.studies.ballanti import BALLANTI
from taskvec_demo.serve.artifacts import Artifacts, write_manifest
from taskvec_demo.serve.workbench import Workbench

ROOT = Path(__file__).parents[1]
TINY = ROOT / "precomputed" / "tiny-clap"
FULL_SIZE = "full-size"
FULL_VECTORS = 8
MINUTES = 10.0  # of steady traffic
DELTA = 0.02  # of a random vector's elements, in standard deviations of the weights: about what fine-tuning leaves


@dataclass(frozen=True)
class Context:
    """One run of the benchmarks. `folder` is empty at first and deleted afterwards; `minutes` are those of `soak`."""

    quick: bool
    folder: Path
    minutes: float = MINUTES

    def repeats(self, full: int, quick: int = 2) -> int:
        return quick if self.quick else full

    @cached_property
    def tiny(self) -> Workbench:
        """A workbench of its own on the shipped model, warm."""
        workbench = Workbench(Artifacts(TINY))
        workbench.warm_up()
        return workbench

    @cached_property
    def full_size(self) -> Path:
        """Artifacts of a randomly initialised CLAP of LAION's size with `FULL_VECTORS` random vectors, no tasks.

        The template is the one that LAION and the study of such checkpoints use.
        """
        folder = self.folder / FULL_SIZE
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = new_model({}, {}, 512)
            pretrained, vectors = random_edits(AudioTower(model).weights(), FULL_VECTORS)
        for name, vector in vectors.items():
            vector.save(folder / "vectors" / f"{name}.safetensors")
        save_checkpoint(folder / "model", model, PREPROCESSOR, TINY / "model", max_shard_size="1GB")
        write_examples(folder / "examples")
        manifest = {
            "checkpoint": FULL_SIZE,
            "pretrained_sha256": pretrained.sha256,
            "tasks": [],
            "vectors": list(vectors),
            "default_labels": self.tiny.artifacts.default_labels,
            "templates": BALLANTI.templates,
        }
        write_manifest(folder, manifest)
        return folder

    def full_workbench(self, n_vectors: int = 4) -> Workbench:
        """A new warm workbench on the first vectors of the full-size checkpoint."""
        artifacts = Artifacts(self.full_size, verify=False)
        artifacts.vector_names = artifacts.vector_names[:n_vectors]
        workbench = Workbench(artifacts)
        workbench.warm_up()
        return workbench

    def clip(self, seed: int, rate: int, seconds: float) -> Path:
        """A recording that no other seed gives: a gliding tone in noise, as a wav file."""
        path = self.folder / f"clip-{seed}-{rate}-{seconds:g}.wav"
        if not path.is_file():
            rng = np.random.default_rng([seed, rate])
            time = np.arange(round(seconds * rate)) / rate
            pitch = rng.uniform(100, 2000) * 2 ** (rng.uniform(-1, 1) * time / seconds)  # Hz, at most an octave
            tone = np.sin(2 * np.pi * np.cumsum(pitch) / rate) * rng.uniform(0.05, 0.5)
            soundfile.write(path, tone + rng.uniform(0.01, 0.2) * rng.standard_normal(len(time)), rate)
        return path


def full_layout() -> Layout:
    """What is edited of a CLAP of LAION's size: 28.2 M parameters. The text tower does not matter and is left small."""
    text = {"num_hidden_layers": 1, "vocab_size": 8}
    return AudioTower(new_model({}, text, 512)).weights().layout


def whole_checkpoint() -> dict[str, torch.Tensor]:
    """All parameters of a random CLAP of LAION's size, text tower and all: 153 M."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return {name: parameter.detach() for name, parameter in new_model({}, {}, 512).named_parameters()}


def random_edits(start: Weights | Layout, n_vectors: int) -> tuple[Weights, dict[str, TaskVector]]:
    """(weights, vectors of them) of random numbers; the weights themselves where `start` gives them.

    Rounded to float16, as a checkpoint and its vectors are stored.
    """
    layout = start if isinstance(start, Layout) else start.layout
    buffer = 0.02 * torch.randn(layout.size) if isinstance(start, Layout) else start.buffer
    pretrained = Weights(layout, buffer.half().float())
    size = DELTA * float(pretrained.buffer.std())
    vectors = {}
    for i in range(1, n_vectors + 1):
        delta = (size * torch.randn(layout.size)).half().float()
        vectors[f"v{i}"] = TaskVector(f"v{i}", layout, delta, pretrained.sha256, f"v{i}")
    return pretrained, vectors


def new_recipe(checkpoint: str, vectors: Iterable[str], i: int) -> Recipe:
    """The i-th of 9,000 recipes that name all of `vectors`, no two alike: nothing kept of an earlier one helps."""
    scaling_coef = 0.1 + 1e-4 * (i % 9_000)  # four decimals are what tells recipes apart
    return Recipe(checkpoint, {name: scaling_coef if k % 2 else -scaling_coef for k, name in enumerate(vectors)})
