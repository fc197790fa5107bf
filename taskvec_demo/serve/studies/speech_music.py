"""The study "Distilling a speech and music encoder with task arithmetic" as it is shipped, and what its students hear.

<folder>/study.json  initial.safetensors  vectors/<student>.safetensors
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import normalize

from ...core.edit import apply_recipe
from ...core.files import sha256_if_there
from ...core.recipe import Recipe
from ...core.task_vector import TaskVector
from ...core.zero_shot import clip_embedding, clip_embeddings
from ...errors import BadRecipeError, shortened
from ..cache import BoundedCache
from ..labelled_clips import LabelledSet
from ..one_clip import hear
from .contents import read_contents

if TYPE_CHECKING:  # transformers takes seconds to import
    from ...clap.encoder import Encoder
    from ..workbench import Workbench

FORMAT = 1
INITIAL, VECTORS = "initial.safetensors", "vectors/{}.safetensors"
NAME = "speech-music"
DIALLED = ("speech", "music")  # the vectors that the dial adds
MAX_CLIPS = 200  # labelled clips that are compared: half a second at each λ
MAX_WINDOWS = 4  # of the visitor's clip
CACHE_BYTES = 8 * 2**20  # features of labelled clips at 80 λ, or of 1,000 clips of visitors

Point = tuple[float, float]  # λ_speech and λ_music


@dataclass(frozen=True)
class Likeness:
    """How alike a visitor's clip and the labelled clips sound to the student at one point: cosines (n,), −1 to 1."""

    point: Point
    cosines: tuple[float, ...]


@dataclass(frozen=True)
class Neighbour:
    """A labelled clip: its place in the workbench's list of labelled clips, its class in words, and its task."""

    index: int
    label: str
    task: str


class SpeechMusic:
    """The shipped figures, and the students of one page. Safe to call from many threads; nothing shared is edited."""

    def __init__(self, folder: Path, workbench: Workbench) -> None:
        self.folder, self.workbench = folder, workbench
        self.contents = read_contents(folder, FORMAT)
        self._opened = threading.RLock()
        self._features: BoundedCache[tuple, torch.Tensor] = BoundedCache(CACHE_BYTES, lambda t: t.nbytes)
        labelled = workbench.labelled
        self._clips = LabelledSet(
            labelled.clips[:MAX_CLIPS], labelled.tasks, lambda: self.encoder.features, labelled.split
        )

    @cached_property
    def _students(self) -> tuple[Encoder, dict[str, TaskVector]]:
        from ...clap.encoder import Encoder

        vectors = {name: TaskVector.load(self.folder / VECTORS.format(name)) for name in DIALLED}
        return Encoder.open(self.folder / INITIAL), vectors

    @property
    def encoder(self) -> Encoder:
        """The encoder at its initialisation. The first call opens it; other calls wait. Raises BadArtifactError."""
        with self._opened:
            return self._students[0]

    @cached_property
    def neighbours(self) -> list[Neighbour]:
        """The labelled clips that a visitor's clip is compared with, balanced over the classes."""
        place = {clip.path: i for i, clip in enumerate(self.workbench.labelled.clips)}
        found = []
        for clip in self._clips.clips:
            name, label = next(iter(clip.classes.items()))
            task = self._clips.tasks[name]
            found.append(Neighbour(place[clip.path], task.class_names[label].replace("_", " "), task.title))
        return found

    def likeness(self, clip: str | Path, point: Point) -> Likeness:
        """Cosines of a recording and the labelled clips under θ0 + λ_speech τ_speech + λ_music τ_music, exactly.

        Features are standardized over the labelled clips; a labelled clip that cannot be read gets −1. Raises
        BadAudioError, or BadRecipeError for a λ that recipes do not take.
        """
        known = self._labelled(point)
        readable = known.any(1)
        own = self._heard(Path(clip), point)
        mean, deviation = known[readable].mean(0), known[readable].std(0, correction=0).clamp_min(1e-6)
        standard = normalize((known - mean) / deviation, dim=-1)
        cosines = standard @ normalize((own - mean) / deviation, dim=-1)
        return Likeness(point, tuple(round(c, 4) for c in cosines.where(readable, -1.0).tolist()))

    def _labelled(self, point: Point) -> torch.Tensor:
        """(n, width) of the labelled clips; zeros for one that cannot be read."""

        def embed() -> torch.Tensor:
            mel, owners = self._clips.mel(0, len(self._clips))
            readable, numbered = torch.unique(owners, return_inverse=True)
            embedded = clip_embeddings(self._embed(mel, point), numbered)
            return embedded.new_zeros(len(self._clips), embedded.shape[1]).index_copy_(0, readable, embedded)

        return self._features.get(("labelled", point), embed)

    def _heard(self, path: Path, point: Point) -> torch.Tensor:
        def embed() -> torch.Tensor:
            _, mel = hear(path, self.encoder.features)
            return clip_embedding(self._embed(mel[:MAX_WINDOWS], point))

        return self._features.get((path, sha256_if_there(path), point), embed)

    def _embed(self, mel: torch.Tensor, point: Point) -> torch.Tensor:
        encoder, vectors = self.encoder, self._students[1]
        recipe = Recipe(NAME, dict(zip(DIALLED, point, strict=True)))
        weights = apply_recipe(encoder.initial, vectors, recipe)
        return normalize(encoder.embed(mel, weights), dim=-1)


def point_of(asked: object) -> Point:
    """The point of the dial, [λ_speech, λ_music], that a browser sent. Raises BadRecipeError."""
    if not (isinstance(asked, list) and len(asked) == len(DIALLED)):
        raise BadRecipeError(f"{shortened(str(asked))} is no point of the dial; it is two λ, as [0.5, 0.5].")
    coefficients = Recipe(NAME, dict(zip(DIALLED, asked, strict=True))).coefficients  # refuses what is no λ
    return coefficients.get(DIALLED[0], 0.0), coefficients.get(DIALLED[1], 0.0)
