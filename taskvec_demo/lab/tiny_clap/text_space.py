"""The joint audio-text space that tiny-CLAP's audio tower is trained towards: a linear map of the teacher's space.

The teacher's 384-d unit embeddings sit in a narrow cone, so the joint space is a centred, partly whitened PCA of them
(256-d):

    z = (e - mean) @ V.T * (variance + 1e-4) ** -0.25,   z /= |z|

Half-way whitening (a power of -1/4 on the variance) spreads neighbouring labels without drowning them in the noise of
the smallest directions. `alignment` fits the map further once there is an audio tower.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...core.files import whole_file
from ...errors import BadArtifactError, TaskVecError
from .teacher import WORDNET, Teacher, unit, wordnet_phrases

SPACE_DIM = 256
WHITENING_FLOOR = 1e-4  # added to each variance: about a quarter of the smallest variance that is kept
WHITENING_POWER = -0.25  # -0.5 would be full whitening
SAMPLE_LEMMAS, SAMPLE_GLOSSES = 8000, 4000  # phrases the space is fitted on


@dataclass(frozen=True)
class TextSpace:
    """The joint space: `mean` (384,) and `basis` (256, 384), its rows principal directions times the whitening."""

    mean: np.ndarray
    basis: np.ndarray

    def project(self, embeddings: np.ndarray) -> np.ndarray:
        """Teacher embeddings (n, 384) -> unit rows (n, 256) float32."""
        return unit((np.asarray(embeddings, np.float32) - self.mean) @ self.basis.T)

    @classmethod
    def fit(cls, embeddings: np.ndarray, dim: int = SPACE_DIM) -> TextSpace:
        """Principal directions of the rows of `embeddings` (n, d), n > dim, scaled by (variance + 1e-4) ** -0.25.

        Each direction's sign is fixed (its largest coefficient is positive), so that refitting gives the same space.
        """
        rows = np.asarray(embeddings, np.float64)
        if rows.ndim != 2 or min(rows.shape) < dim:
            raise TaskVecError(f"a space of {dim} dimensions needs at least {dim} rows and columns, not {rows.shape}")
        mean = rows.mean(0)
        variance, directions = np.linalg.eigh((rows - mean).T @ (rows - mean) / len(rows))
        variance, directions = variance[::-1][:dim].clip(min=0), directions[:, ::-1][:, :dim].T
        largest = np.abs(directions).argmax(1)
        directions = directions * np.sign(directions[np.arange(dim), largest])[:, None]
        basis = directions * (variance[:, None] + WHITENING_FLOOR) ** WHITENING_POWER
        return cls(mean.astype(np.float32), basis.astype(np.float32))

    def save(self, path: Path) -> None:
        """Write an npz of two plain arrays. A reader never sees half a file."""
        with whole_file(path) as temporary, temporary.open("wb") as file:
            np.savez(file, mean=self.mean, basis=self.basis)

    @classmethod
    def load(cls, path: Path) -> TextSpace:
        """Read what `save` wrote; `BadArtifactError` when the file is something else."""
        try:
            with np.load(path, allow_pickle=False) as arrays:
                mean, basis = arrays["mean"].astype(np.float32), arrays["basis"].astype(np.float32)
        except (OSError, ValueError, KeyError) as error:
            raise BadArtifactError(f"{path} is not a text space with arrays `mean` and `basis` ({error})") from error
        if mean.ndim != 1 or basis.ndim != 2 or basis.shape[1] != len(mean):
            raise BadArtifactError(f"{path} holds mean {mean.shape} and basis {basis.shape}, which do not fit together")
        return cls(mean, basis)


def text_space(work: Path, folder: Path = WORDNET, teacher: Teacher | None = None) -> TextSpace:
    """The project's joint space: `work/space.npz`, fitted on a fixed sample of WordNet and saved when it is missing."""
    path = Path(work) / "space.npz"
    if path.is_file():
        return TextSpace.load(path)
    space = TextSpace.fit(sample_embeddings(teacher or Teacher(), folder))
    path.parent.mkdir(parents=True, exist_ok=True)
    space.save(path)
    return space


def sample_embeddings(teacher: Teacher, folder: Path = WORDNET) -> np.ndarray:
    """The teacher's rows (n, 384) of a fixed sample of WordNet."""
    lemmas, glosses = wordnet_phrases(folder)
    draw = random.Random(0)
    return teacher.embed(draw.sample(lemmas, SAMPLE_LEMMAS) + draw.sample(glosses, SAMPLE_GLOSSES))
