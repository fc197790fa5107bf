"""What public audio models hear in each training clip: further targets of pretraining, beside the captions.

Each teacher's outputs are learned by a head on the pooled features of the tower, and the heads are dropped afterwards.
`teachers.npz` and `teachers_music_speech.npz` hold the outputs: `files`, and a row a file of every array. A row that is
not a number throughout stands for a clip that this teacher has not heard.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from ...errors import TaskVecError
from ..data.datasets import ClipRow

MUSIC = ("gtzan_mini", "philharmonia", "drums", "music_x")
SPEECH = ("fsdd", "ravdess", "nemo", "speech_x")
LARGEST = 6.0  # of outputs, in deviations from their mean
HIDDEN = 512  # features of a head


@dataclass(frozen=True)
class AudioTeacher:
    """One teacher: where its outputs lie, the weight of its loss, and the sets that it knows about (empty: all).

    Its loss counts `elsewhere` as much on clips of other sets.
    """

    name: str
    file: str
    arrays: tuple[str, ...]
    weight: float
    sets: tuple[str, ...] = ()
    elsewhere: float = 0.0
    least_deviation: float = 1e-3  # an output that varies less is not blown up to deviation 1


FIRST, SECOND = "teachers.npz", "teachers_music_speech.npz"
TEACHERS = (
    AudioTeacher("YAMNet", FIRST, ("yamnet",), 1.0, least_deviation=0.5),
    AudioTeacher("aiSFX", FIRST, ("aisfx",), 1.0),
    AudioTeacher("MSD_musicnn", SECOND, ("musicnn_tags", "musicnn"), 0.7, MUSIC, 0.15),
    AudioTeacher("Resemblyzer", SECOND, ("resemblyzer",), 0.5, SPEECH),
    AudioTeacher("Google speech embedding", SECOND, ("openwakeword",), 0.6, SPEECH),
)


def read_outputs(folders: Sequence[Path], arrays: Sequence[str], file: str) -> dict[str, np.ndarray]:
    """Clip ("set/label/name.opus") -> one float32 vector (n,): its arrays joined, from `file` in every folder."""
    outputs: dict[str, np.ndarray] = {}
    for folder in folders:
        if not (folder / file).is_file():
            raise TaskVecError(f"{folder / file} is missing: it holds what audio teachers hear in the clips there.")
        with np.load(folder / file, allow_pickle=False) as stored:
            rows = np.concatenate([stored[array].astype(np.float32) for array in arrays], axis=1)
            heard = np.isfinite(rows).all(axis=1)
            outputs |= {str(name): row for name, row in zip(stored["files"][heard], rows[heard], strict=True)}
    return outputs


class Lessons:
    """The outputs of all teachers for some clips, normalized, and how much each clip counts for each teacher.

    `rows` lacks the clips that no teacher has heard; a clip counts nothing for a teacher that has not heard it.
    `targets`: (n, size) a teacher; `counts`: (n, teachers).
    """

    def __init__(self, folders: Sequence[Path], rows: Sequence[ClipRow]) -> None:
        outputs = [read_outputs(folders, t.arrays, t.file) for t in TEACHERS]
        self.rows = [r for r in rows if any(_key(r) in found for found in outputs)]
        if not self.rows:
            raise TaskVecError("The audio teachers have heard none of the training clips.")
        self.targets, counts = [], []
        for teacher, found in zip(TEACHERS, outputs, strict=True):
            unheard = np.zeros_like(next(iter(found.values())))
            raw = torch.from_numpy(np.stack([found.get(_key(r), unheard) for r in self.rows]))
            heard = torch.tensor([_key(r) in found for r in self.rows])
            known = torch.tensor([not teacher.sets or r.dataset in teacher.sets for r in self.rows])
            self.targets.append(_normalized(teacher, raw, heard & known) * heard[:, None])
            counts.append(torch.where(known, 1.0, teacher.elsewhere) * heard)
        self.counts = torch.stack(counts, 1)


def _key(row: ClipRow) -> str:
    return f"{row.dataset}/{row.file}"


def _normalized(teacher: AudioTeacher, outputs: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
    """Mean 0 and deviation 1 over the teacher's own clips, cut at LARGEST; as they are where it has fewer than two."""
    if own.sum() < 2:
        return outputs
    mean, deviation = outputs[own].mean(0), outputs[own].std(0).clamp_min(teacher.least_deviation)
    return ((outputs - mean) / deviation).clamp(-LARGEST, LARGEST)


class Heads(torch.nn.ModuleList):
    """A small network a teacher, from pooled features (n, width) to its outputs."""

    def __init__(self, width: int, sizes: Sequence[int]) -> None:
        super().__init__(
            torch.nn.Sequential(torch.nn.Linear(width, HIDDEN), torch.nn.GELU(), torch.nn.Linear(HIDDEN, size))
            for size in sizes
        )

    def loss(self, pooled: torch.Tensor, targets: Sequence[torch.Tensor], counts: torch.Tensor) -> torch.Tensor:
        """The weighted sum over the teachers of distance (smooth L1) and angle (1 − cosine), mean over what counts."""
        total = pooled.new_zeros(())
        for teacher, head, target, count in zip(TEACHERS, self, targets, counts.unbind(1), strict=True):
            found = head(pooled)
            apart = F.smooth_l1_loss(found, target, reduction="none").mean(1)
            apart = apart + 1 - F.cosine_similarity(found, target, dim=-1)
            total = total + teacher.weight * (apart * count).sum() / count.sum().clamp_min(1)
        return total
