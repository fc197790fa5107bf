"""The recordings: rows of `clips.csv` and their log-mel windows, cached on disk for training and measuring.

The cache stays in the work folder. Neither recordings nor features of them belong in the repository.
"""

from __future__ import annotations

import csv
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import soundfile
from tqdm import tqdm

from ..audio import windows
from ..errors import TaskVecError
from ..features import FeatureConfig, log_mel

SETS = ("esc10", "urban", "ravdess", "animals", "philharmonia", "fsdd", "drums")
MAX_WINDOWS = 2  # clips of these sets last at most 10 s: two windows of 5.1 s


@dataclass(frozen=True)
class ClipRow:
    """One recording: where it lies, what it is, which split its source belongs to, and its windows in the cache."""

    dataset: str
    file: str
    label: str
    split: str
    group: str
    gender: str
    first_window: int = 0
    n_windows: int = 1


def read_rows(data: Path, sets: tuple[str, ...] = SETS) -> list[ClipRow]:
    """Rows of every set's `clips.csv`.

    Sources that occur both in `esc10` and in `urban` are kept only where they are not training material of one set
    and held out in the other, so that no measured clip's source was ever trained on.
    """
    rows = []
    for name in sets:
        table = data / name / "clips.csv"
        if not table.is_file():
            raise TaskVecError(f"{table} is missing: --data takes a folder that holds {', '.join(sets)}.")
        with table.open() as file:
            for r in csv.DictReader(file):
                rows.append(ClipRow(name, r["file"], r["label"], r["split"], r["group"], r["gender"]))
    held_out = {r.group for r in rows if r.dataset in ("esc10", "urban") and r.split != "train"}
    return [r for r in rows if not (r.dataset in ("esc10", "urban") and r.split == "train" and r.group in held_out)]


class MelStore:
    """Log-mel windows of all rows: float16 (n_windows, frames, mels), memory-mapped, with the rows beside them."""

    def __init__(self, rows: list[ClipRow], mel: np.ndarray) -> None:
        self.rows, self.mel = rows, mel

    @classmethod
    def open(cls, work: Path, data: Path, config: FeatureConfig, rows: list[ClipRow] | None = None) -> MelStore:
        """Open the cache under `work`, building it first (about two minutes for 9,000 clips), of all rows or some."""
        mel_file, row_file = work / "mel.npy", work / "rows.json"
        if not row_file.is_file():
            _build(read_rows(data) if rows is None else rows, data, config, mel_file, row_file)
        rows = [ClipRow(**r) for r in json.loads(row_file.read_text())]
        return cls(rows, np.load(mel_file, mmap_mode="r"))

    def select(self, **equal: str) -> list[ClipRow]:
        """Rows whose fields equal the given values."""
        return [r for r in self.rows if all(getattr(r, key) == value for key, value in equal.items())]


def _build(rows: list[ClipRow], data: Path, config: FeatureConfig, mel_file: Path, row_file: Path) -> None:
    mel_file.parent.mkdir(parents=True, exist_ok=True)
    partial = mel_file.with_suffix(".partial.npy")
    # Room for two windows a clip; the part that stays unwritten takes no space on disk.
    shape = (MAX_WINDOWS * len(rows), config.n_frames, config.n_mels)
    mel = np.lib.format.open_memmap(partial, "w+", np.float16, shape)
    done, placed = 0, []
    for row in tqdm(rows, desc="log-mel windows", unit="clip"):
        samples, rate = soundfile.read(data / row.dataset / row.file, dtype="float32")
        if rate != config.sample_rate:
            raise TaskVecError(f"{row.dataset}/{row.file} has {rate} Hz; the checkpoint needs {config.sample_rate} Hz.")
        cut = log_mel(windows(samples, config.n_samples)[:MAX_WINDOWS], config).numpy()[:, 0]
        mel[done : done + len(cut)] = cut
        placed.append({**asdict(row), "first_window": done, "n_windows": len(cut)})
        done += len(cut)
    mel.flush()
    os.replace(partial, mel_file)
    temporary = row_file.with_suffix(".partial")
    temporary.write_text(json.dumps(placed))
    os.replace(temporary, row_file)
