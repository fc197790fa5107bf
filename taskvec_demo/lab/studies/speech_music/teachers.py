"""What the two teachers hear in each clip, and the mix of unlabelled clips that students learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ....errors import TaskVecError
from ...data.datasets import ClipRow, MelStore
from ...tiny_clap.audio_teachers import LARGEST, SECOND, read_outputs
from ...tiny_clap.audio_teachers import MUSIC as MUSIC_SETS
from ...tiny_clap.audio_teachers import SPEECH as SPEECH_SETS
from .plan import DOMAINS, MUSIC, SPEECH

# Arrays of teachers_music_speech.npz. One speech model knows who speaks, the other what is said.
TEACHERS = {SPEECH: ("resemblyzer", "openwakeword"), MUSIC: ("musicnn", "musicnn_tags")}
GAIN_DB = 4.0  # deviation of the gain that a window is given


def domain_of(row: ClipRow) -> str:
    """The domain of a clip's set."""
    return SPEECH if row.dataset in SPEECH_SETS else MUSIC if row.dataset in MUSIC_SETS else DOMAINS[-1]


def teacher_outputs(data: Path, teacher: str, rows: Sequence[ClipRow]) -> np.ndarray:
    """(n_rows, size) float32 as stored. Raises TaskVecError naming a clip that the teacher has not heard."""
    known = read_outputs([data], TEACHERS[teacher], SECOND)
    names = [f"{row.dataset}/{row.file}" for row in rows]
    unheard = [name for name in names if name not in known]
    if unheard:
        raise TaskVecError(f"{data / SECOND} lacks {len(unheard)} of {len(names)} clips, for instance {unheard[0]}.")
    return np.stack([known[name] for name in names])


def normalized(outputs: np.ndarray) -> torch.Tensor:
    """Mean 0 and deviation 1 for every output over these clips, cut at LARGEST deviations."""
    mean, deviation = outputs.mean(0), np.maximum(outputs.std(0), 1e-3)
    return torch.from_numpy(np.clip((outputs - mean) / deviation, -LARGEST, LARGEST).astype(np.float32))


@dataclass(frozen=True)
class Lesson:
    """Windows (batch, 1, frames, mels), and what each teacher hears in their clips, (batch, size) each."""

    x: torch.Tensor
    targets: dict[str, torch.Tensor]


class Mix:
    """Training clips of all sets, drawn without labels. Domains are drawn equally often.

    Within a domain a set is drawn in proportion to the square root of its size. No held-out clip is among them.
    """

    def __init__(self, store: MelStore, data: Path) -> None:
        self.store, self.rows = store, store.select(split="train")
        self.targets = {t: normalized(teacher_outputs(data, t, self.rows)) for t in TEACHERS}
        self.domain = np.array([domain_of(row) for row in self.rows])
        self._weights = torch.from_numpy(_draw_weights(self.rows, self.domain))

    @property
    def sizes(self) -> dict[str, int]:
        """Outputs of each teacher."""
        return {teacher: target.shape[1] for teacher, target in self.targets.items()}

    def draw(self, n: int, domains: Sequence[str] = DOMAINS) -> Lesson:
        """`n` random windows of clips of these domains, lightly augmented."""
        weights = self._weights * torch.from_numpy(np.isin(self.domain, domains))
        chosen = torch.multinomial(weights, n, replacement=True).tolist()
        x = lightly(torch.from_numpy(np.stack([self._window(i) for i in chosen]).astype(np.float32)))
        return Lesson(x.unsqueeze(1), {teacher: target[chosen] for teacher, target in self.targets.items()})

    def _window(self, i: int) -> np.ndarray:
        row = self.rows[i]
        return self.store.mel[row.first_window + int(torch.randint(row.n_windows, ()))]

    def statistics(self, n: int = 1024) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and variance (mels,) of windows of the mix, for the BatchNorm at the students' input."""
        x = self.draw(n).x.flatten(0, 2)
        return x.mean(0), x.var(0)


def lightly(x: torch.Tensor) -> torch.Tensor:
    """Windows (batch, frames, mels) in dB with another gain and another beginning: a window is padded by repetition."""
    batch, frames, mels = x.shape
    x = x + torch.randn(batch, 1, 1) * GAIN_DB
    index = (torch.arange(frames)[None] + torch.randint(0, frames, (batch, 1))) % frames
    return torch.gather(x, 1, index[:, :, None].expand(-1, -1, mels))


def _draw_weights(rows: Sequence[ClipRow], domain: np.ndarray) -> np.ndarray:
    _, place, size = np.unique([r.dataset for r in rows], return_inverse=True, return_counts=True)
    weights = 1 / np.sqrt(size[place])
    for name in DOMAINS:
        own = domain == name
        if not own.any():
            raise TaskVecError(f"The data folder has no training clip of the domain {name!r}; all three are needed.")
        weights[own] /= weights[own].sum()
    return weights
