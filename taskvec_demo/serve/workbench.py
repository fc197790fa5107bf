"""The workbench, which the page, the API and the command line call.

It is the only object with a state; its state is caches.
"""

from __future__ import annotations

import functools
import operator
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from ..clap.features import log_mel
from ..core.edit import apply_recipe
from ..core.evaluation import TaskResult
from ..core.files import sha256_if_there
from ..core.recipe import MEASURED_HIGH, MEASURED_LOW, SLIDER_MAX, Analogy, Recipe
from ..core.task_vector import TaskVector
from ..core.weights import Weights
from ..core.zero_shot import ZeroShotHead, clip_embedding, parse_labels, probabilities
from ..errors import BadRecipeError
from ..recordings.audio import load_clip, windows
from ..recordings.splits import VALIDATION
from .artifacts import Artifacts
from .cache import BoundedCache, release_memory
from .exact_figures import BATCH, ExactEvaluation, ExactFigures
from .labelled_clips import SYNTHESIZED, LabelledSet, read_folder, read_synthesized
from .measured_figures import MeasuredFigures
from .one_clip import hear
from .own_vectors import UPLOADED, UploadedVectors, read_all
from .text_cache import TextCache
from .trace import Trace

if TYPE_CHECKING:  # transformers takes seconds to import, and what was measured can be shown before
    from ..clap.model import Checkpoint, Precision
    from .unmeasured import UnmeasuredArtifacts

EDITED_CACHE_BYTES = 120 * 2**20  # 11 edits of tiny-CLAP, one of HTSAT-tiny; one of HTSAT-base is not kept
CLIP_CACHE_BYTES = 32 * 2**20  # 42 clips of 12 windows of 65 kB each
TRACE_CACHE_BYTES = 8 * 2**20  # 200 traces of 41 λ and 256 dimensions
RELEASE_SECONDS = 10  # between two times that freed memory is given back, which takes up to 0.15 s
TRACED_WINDOWS = 2
TRACE_POINTS = 41  # every 0.05 of the measured range


@dataclass(frozen=True)
class Classification:
    """Probabilities of both models over the same labels for one clip; each dictionary sums to 1."""

    pretrained: dict[str, float]
    edited: dict[str, float]
    windows: int
    seconds: float
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The JSON of the API."""
        return {
            "pretrained": self.pretrained,
            "edited": self.edited,
            "windows": self.windows,
            "seconds": round(self.seconds, 3),
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class _EmbeddedClip:
    """A recording as every question about it needs it: mel (k, 1, frames, mels), pre-trained embedding (dim,)."""

    mel: torch.Tensor
    pretrained: torch.Tensor
    seconds: float
    notes: tuple[str, ...]

    @property
    def nbytes(self) -> int:
        return self.mel.nbytes + self.pretrained.nbytes


class Workbench:
    """A checkpoint with its task vectors and measurements. Safe to call from many threads; nothing shared is edited.

    `data`: a folder of labelled recordings (`labelled_clips.py`) to measure exact figures on; without it the clips that
    the artifacts synthesize are used, if they hold any. `precision` "auto" is bfloat16 where
    `Checkpoint.try_bfloat16` finds that it helps and harms no answer on the examples. `own` are files of further task
    vectors. `checkpoint` is that of the artifacts, where it is open already; otherwise it is opened by the first
    question that needs it.
    """

    def __init__(
        self,
        artifacts: Artifacts | UnmeasuredArtifacts,
        data: Path | None = None,
        precision: Precision | Literal["auto"] = "auto",
        own: Sequence[Path] = (),
        checkpoint: Checkpoint | None = None,
    ) -> None:
        self.artifacts, self.data, self._precision = artifacts, data, precision
        self._edits: BoundedCache[Recipe, Weights] = BoundedCache(EDITED_CACHE_BYTES, lambda w: w.buffer.nbytes)
        self._clips: BoundedCache[tuple[Path, str], _EmbeddedClip] = BoundedCache(CLIP_CACHE_BYTES, lambda c: c.nbytes)
        self._traces: BoundedCache[tuple, torch.Tensor] = BoundedCache(TRACE_CACHE_BYTES, lambda t: t.nbytes)
        self._texts = TextCache(lambda texts: self.checkpoint.embed_text(texts))
        self._head = functools.lru_cache(maxsize=64)(self._embed_labels)
        self._released = time.monotonic()  # when freed memory was last given back
        self._opened = threading.RLock()
        self._checkpoint: Checkpoint | None = None
        if checkpoint is not None:
            self._take(checkpoint)
        taken = artifacts.vectors
        self.vectors = taken | (read_all(own, self.checkpoint.pretrained, artifacts.name, taken) if own else {})
        self.uploads = UploadedVectors(lambda: self.checkpoint.pretrained, artifacts.name)
        self.tasks = artifacts.tasks
        if data is not None and self.tasks:
            clips, split = read_folder(data, self.tasks), VALIDATION
        else:
            made = read_synthesized(artifacts.synthesized, self.tasks) if artifacts.synthesized else []
            clips, split = made, SYNTHESIZED
        self.labelled = LabelledSet(clips, self.tasks, lambda: self.checkpoint.features, split)
        self._measured = MeasuredFigures(artifacts)
        self._exact = ExactEvaluation(self.labelled, self._embed_patiently, artifacts.heads, self.edited)

    @property
    def checkpoint(self) -> Checkpoint:
        """The pre-trained model.

        The first call opens it, which takes seconds; other calls wait. Raises `BadArtifactError`.
        """
        with self._opened:
            if self._checkpoint is None:
                self._take(self.artifacts.open_checkpoint("float32" if self._precision == "auto" else self._precision))
            assert self._checkpoint is not None
            return self._checkpoint

    @property
    def edited_parameters(self) -> int:
        """How many parameters an edit changes."""
        vector = next(iter(self.vectors.values()), None)
        return (self.checkpoint.pretrained if vector is None else vector).layout.size

    def _take(self, checkpoint: Checkpoint) -> None:
        from ..clap.model import has_bfloat16

        self._checkpoint = checkpoint
        if self._precision == "auto" and has_bfloat16() and self.artifacts.examples:
            features = checkpoint.features
            samples = [load_clip(path, features.sample_rate).samples for path in self.artifacts.examples]
            first_windows = np.concatenate([windows(s, features.n_samples)[:1] for s in samples])
            head = self._head(self.artifacts.default_labels)
            checkpoint.try_bfloat16(log_mel(first_windows, features), head.matrix)

    def warm_up(self) -> None:
        """Do everything that the first clip would otherwise wait for: filters, kernels, memory, the default labels."""
        silence = np.zeros((1, self.checkpoint.features.n_samples), np.float32)
        self.checkpoint.warm_up(log_mel(silence, self.checkpoint.features))
        self._head(self.artifacts.default_labels)
        release_memory()

    @property
    def name(self) -> str:
        return self.artifacts.name

    def check(self, recipe: Recipe) -> Recipe:
        """The same recipe, if it is for this checkpoint and names only vectors that are here, its own or uploaded ones.

        Raises `BadRecipeError`.
        """
        if recipe.checkpoint != self.name:
            raise BadRecipeError(f"The recipe is for checkpoint {recipe.checkpoint!r}; this one is {self.name!r}.")
        pinned, ours = recipe.pretrained_sha256, self.artifacts.pretrained_sha256
        if pinned not in (None, ours):
            raise BadRecipeError(
                f"The recipe is for pre-trained weights {str(pinned)[:12]}; those of {self.name!r} are {ours[:12]}."
            )
        uploaded = [n for n in recipe.coefficients if n not in self.vectors and UPLOADED.fullmatch(n)]
        for name in uploaded:
            self.uploads.get(name)  # raises where it is no longer kept
        recipe.check_vectors([*self.vectors, *uploaded])
        return recipe

    def vector(self, name: str) -> TaskVector:
        """The vector that recipes call `name`. Raises `BadRecipeError` if there is none."""
        return self.vectors[name] if name in self.vectors else self.uploads.get(name)

    def recipe(self, text: str | dict | None) -> Recipe:
        """A checked recipe from JSON; empty text is the pre-trained model itself."""
        if text is None or text == {} or (isinstance(text, str) and not text.strip()):
            return Recipe(self.name)
        return self.check(Recipe.from_json(text))

    # -- clips ---------------------------------------------------------------------------------------------------

    def classify(self, clip: str | Path, recipe: Recipe, labels: str = "") -> Classification:
        """Classify one recording with the pre-trained and the edited weights.

        `labels`: one a line, or between commas; empty for the checkpoint's default set. Raises `BadAudioError`,
        `BadRecipeError` or `BadLabelsError`.
        """
        weights = self.edited(self.check(recipe))
        head = self._head(parse_labels(labels) or self.artifacts.default_labels)
        path = Path(clip)
        heard = self._heard(path, sha256_if_there(path))
        unchanged = weights is self.checkpoint.pretrained
        edited = heard.pretrained if unchanged else clip_embedding(self.checkpoint.embed_audio(heard.mel, weights))
        before, after = (self._probabilities(head, e[None])[0] for e in (heard.pretrained, edited))
        self._release_now_and_then()
        return Classification(
            dict(zip(head.labels, before, strict=True)),
            dict(zip(head.labels, after, strict=True)),
            len(heard.mel),
            heard.seconds,
            heard.notes,
        )

    def trace(
        self, clip: str | Path, recipe: Recipe, vector: str, labels: str = "", n_points: int = TRACE_POINTS
    ) -> Trace:
        """Follow one recording's probabilities while λ of `vector` runs over the measured range, the rest as in
        `recipe`.

        Only the clip's first `TRACED_WINDOWS` windows are heard; a trace of a longer one says so. Raises as `classify`.
        """
        others = {name: value for name, value in self.check(recipe).coefficients.items() if name != vector}
        axis = np.linspace(MEASURED_LOW, MEASURED_HIGH, n_points)
        return self._trace(clip, Recipe(self.name, others), vector, {vector: 1}, axis, labels)

    def trace_analogy(
        self, clip: str | Path, recipe: Recipe, analogy: Analogy, labels: str = "", n_points: int = TRACE_POINTS
    ) -> Trace:
        """The same while λ of an analogy, which is added to `recipe`, runs from 0 to SLIDER_MAX."""
        axis = np.linspace(0.0, SLIDER_MAX, n_points)
        return self._trace(clip, self.check(recipe), "the analogy", analogy.signs, axis, labels)

    def _trace(
        self, clip: str | Path, rest: Recipe, name: str, signs: Mapping[str, int], axis: np.ndarray, labels: str
    ) -> Trace:
        """Along λ of the vectors in `signs`, each of which is added to `rest` with its sign."""
        moved = [(self.vector(vector), sign) for vector, sign in signs.items()]
        head = self._head(parse_labels(labels) or self.artifacts.default_labels)
        path = Path(clip)
        digest = sha256_if_there(path)
        heard = self._heard(path, digest)
        axis = np.round(axis, 4)

        def embed() -> torch.Tensor:
            mel = heard.mel[:TRACED_WINDOWS]
            direction = functools.reduce(operator.add, (v if sign > 0 else -v for v, sign in moved))
            along = self.checkpoint.embed_along(mel, self.edited(rest), direction, axis.tolist())
            return torch.stack([clip_embedding(windows_of_one) for windows_of_one in along])

        embedded = self._traces.get((digest, rest, *signs.items(), len(axis)), embed)
        values = np.array(self._probabilities(head, embedded))
        features = self.checkpoint.features
        most = TRACED_WINDOWS * features.n_samples / features.sample_rate
        return Trace.of(name, axis, head.labels, values, most if len(heard.mel) > TRACED_WINDOWS else None)

    def _release_now_and_then(self) -> None:
        """Without this the process holds 330 MB more after a minute of new clips than it uses."""
        if time.monotonic() - self._released > RELEASE_SECONDS:
            self._released = time.monotonic()
            release_memory()

    def edited(self, recipe: Recipe) -> Weights:
        """The weights of a checked recipe, which must not be changed."""
        if not recipe.coefficients:
            return self.checkpoint.pretrained
        vectors = {name: self.vector(name) for name in recipe.coefficients}
        return self._edits.get(recipe, lambda: apply_recipe(self.checkpoint.pretrained, vectors, recipe))

    def _heard(self, path: Path, digest: str) -> _EmbeddedClip:
        # `digest` is part of the key, because a temporary name may be used again for another recording. The name is
        # part of it too, because the message of a refusal has it.
        def embed() -> _EmbeddedClip:
            clip, mel = hear(path, self.checkpoint.features)
            return _EmbeddedClip(mel, clip_embedding(self.checkpoint.embed_audio(mel)), clip.seconds, clip.notes)

        return self._clips.get((path, digest), embed)

    def _embed_patiently(self, mel: torch.Tensor, weights: Weights) -> torch.Tensor:
        # Accuracies are compared with others, of other machines too: none depends on what this CPU rounds.
        return self.checkpoint.embed_audio(mel, weights, patient=True, precision="float32")

    def _embed_labels(self, labels: tuple[str, ...]) -> ZeroShotHead:
        return ZeroShotHead.from_prompts(self._texts, labels, labels, self.artifacts.templates)

    def _probabilities(self, head: ZeroShotHead, embeddings: torch.Tensor) -> list[list[float]]:
        """Unit embeddings (n, dim) -> n lists of one probability a label."""
        return [probabilities(logits) for logits in head.logits(embeddings, self.checkpoint.logit_scale)]

    # -- accuracies ----------------------------------------------------------------------------------------------

    def evaluate(self, recipe: Recipe) -> list[TaskResult]:
        """Validation accuracies of every task, as measured or estimated beforehand (`MeasuredFigures.validation`)."""
        return self._measured.validation(self.check(recipe))

    def figures(self, recipe: Recipe, split: str = "validation") -> list[dict[str, Any]]:
        """The JSON of `/evaluate` (`MeasuredFigures.figures`)."""
        return self._measured.figures(self.check(recipe), split)

    def exact(self, recipe: Recipe, batch: int = BATCH) -> Iterator[ExactFigures]:
        """Measure the edited weights on the labelled clips of this machine and yield the figures batch by batch.

        Intervals narrow as clips come in; tasks without clips are left out, and without any nothing is yielded. Closing
        the iterator stops the work. What was measured is kept: asked again, a recipe answers at once. Raises
        `BadRecipeError` here, and `BadAudioError` from the iterator where no clip can be read.
        """
        return self._exact.stream(self.check(recipe), batch)

    def answered(self, recipe: Recipe) -> tuple[np.ndarray, np.ndarray]:
        """What `exact` has measured already (`ExactEvaluation.answered`)."""
        return self._exact.answered(self.check(recipe))

    def describe_vectors(self) -> list[dict[str, Any]]:
        """The JSON of `/vectors`."""
        return [vector.to_dict() for vector in self.vectors.values()]
