"""Rows of all recordings and their log-mel windows, cached on disk for training and measuring.

The cache stays in the work folder. Neither recordings nor features of them belong in the repository.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from filelock import FileLock
from tqdm import tqdm

from ...clap.features import FeatureConfig, log_mel
from ...core.files import whole_file
from ...errors import BadAudioError, TaskVecError
from ...recordings.as_measured import read_clip
from ...recordings.audio import windows
from ...recordings.layouts import TABLE, read_set
from ...recordings.splits import SetRow
from ...serve.artifacts import write_json

SETS = ("esc50", "urban", "kitchen20", "gtzan_mini", "animals", "philharmonia", "drums", "fsdd", "ravdess", "nemo")
FREESOUND_SETS = (
    "esc10",
    "esc50",
    "urban",
    "urbansound8k",
    "kitchen20",
)  # groups are Freesound's numbers
MAX_WINDOWS = 2  # of a clip: 10 s where a window has 5 s
NAMED = 5  # unreadable clips that a warning names


@dataclass(frozen=True)
class ClipRow(SetRow):
    """One recording: its file and labels, the split that its source falls in, and where the cache has its windows."""

    first_window: int = 0
    n_windows: int = 1


def read_rows(data: Path, sets: tuple[str, ...] = SETS, optional: tuple[str, ...] = ()) -> list[ClipRow]:
    """Rows of the sets `data`/<name>, each in any of the known `layouts`, and of the `optional` ones that are there.
    Notes on a set are printed.

    A Freesound source may occur in several sets. If it is training material of one set and held out in another, its
    training clips are left out, so that no measured clip's source was trained on. Raises TaskVecError.
    """
    rows, freesound = [], []
    for name in (*sets, *(name for name in optional if (data / name).is_dir())):
        if not (data / name).is_dir():
            raise TaskVecError(
                f"{data / name / TABLE} is missing: --data takes a folder that holds {', '.join(sets)}, each with "
                f"{TABLE} or as it was published."
            )
        found = read_set(data / name)
        for note in found.notes:
            print(f"{name}: {note}", file=sys.stderr)
        rows += [ClipRow.of(name, r) for r in found.recordings]
        if {name.lower().replace("-", ""), found.layout} & set(FREESOUND_SETS):
            freesound.append(name)
    held_out = {r.group for r in rows if r.dataset in freesound and r.split != "train"} - {""}
    return [r for r in rows if not (r.dataset in freesound and r.split == "train" and r.group in held_out)]


class MelStore:
    """Log-mel windows of all rows: float16 (n_windows, frames, mels), memory-mapped, with the rows beside them."""

    def __init__(self, rows: list[ClipRow], mel: np.ndarray) -> None:
        self.rows, self.mel = rows, mel

    @classmethod
    def open(cls, work: Path, data: Path, config: FeatureConfig, rows: list[ClipRow] | None = None) -> MelStore:
        """Open the cache under `work`, of all rows or some.

        It is built first if it is not there (about two minutes for 9,000 clips).

        Clips that cannot be read are left out; they are named on stderr each time.
        """
        rows = read_rows(data) if rows is None else rows
        mel_file, row_file = cls.files(work, data, config, rows)
        work.mkdir(parents=True, exist_ok=True)
        with FileLock(row_file.with_suffix(".lock")):  # one process builds, the others wait
            if not row_file.is_file() or any(_can_be_read(data, r, config) for r in _lost(rows, row_file)):
                _build(rows, data, config, mel_file, row_file)
        if lost := _lost(rows, row_file):
            named = ", ".join(f"{r.dataset}/{r.file}" for r in lost[:NAMED])
            more = f" and {len(lost) - NAMED} more" if len(lost) > NAMED else ""
            print(
                f"{len(lost)} of {len(rows)} clips in {data} cannot be read and are left out: {named}{more}; "
                "`data check` says why.",
                file=sys.stderr,
            )
        placed = [ClipRow(**r) for r in json.loads(row_file.read_text())]
        return cls(placed, np.load(mel_file, mmap_mode="r"))

    @staticmethod
    def files(work: Path, data: Path, config: FeatureConfig, rows: list[ClipRow]) -> tuple[Path, Path]:
        """The files of the cached windows and rows. Their name is a hash of everything that decides their content.

        A recording counts as another one if its size or the time of its last change is another.
        """
        stamps = [_stamp(data / r.dataset / r.file) for r in rows]
        key = [str(data.resolve()), asdict(config), MAX_WINDOWS, [asdict(r) for r in rows], stamps]
        digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:12]
        return work / f"mel-{digest}.npy", work / f"rows-{digest}.json"

    def sha256(self, rows: Iterable[ClipRow]) -> str:
        """Hash of the windows of these rows, in order: what is measured on them depends on nothing else of them."""
        digest = hashlib.sha256()
        for row in rows:
            windows = self.mel[row.first_window : row.first_window + row.n_windows]
            digest.update(f"{windows.shape} ".encode() + windows.tobytes())
        return digest.hexdigest()

    def select(self, **equal: str) -> list[ClipRow]:
        """Rows whose fields equal the given values."""
        return [r for r in self.rows if all(getattr(r, key) == value for key, value in equal.items())]


def _stamp(file: Path) -> tuple[int, int] | None:
    """Bytes and ns of the last change; None for a file that is not there."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _build(rows: list[ClipRow], data: Path, config: FeatureConfig, mel_file: Path, row_file: Path) -> None:
    done, placed = 0, []
    with whole_file(mel_file) as temporary:
        # There is room for two windows a clip; the part that is not written takes no space on disk.
        shape = (MAX_WINDOWS * len(rows), config.n_frames, config.n_mels)
        mel = np.lib.format.open_memmap(temporary, "w+", np.float16, shape)
        for row in tqdm(rows, desc="log-mel windows", unit="clip"):
            try:
                samples = read_clip(data / row.dataset / row.file, config.sample_rate)
            except BadAudioError:
                continue
            cut = log_mel(windows(samples, config.n_samples)[:MAX_WINDOWS], config).numpy()[:, 0]
            mel[done : done + len(cut)] = cut
            placed.append(replace(row, first_window=done, n_windows=len(cut)))
            done += len(cut)
        if not placed:
            raise TaskVecError(f"None of the {len(rows)} clips in {data} can be read; `data check` says why.")
        mel.flush()
    write_json(row_file, [asdict(r) for r in placed])


def _lost(rows: list[ClipRow], row_file: Path) -> list[ClipRow]:
    """Rows without windows in the cache, because they could not be read when it was built."""
    there = {(r["dataset"], r["file"]) for r in json.loads(row_file.read_text())}
    return [r for r in rows if (r.dataset, r.file) not in there]


def _can_be_read(data: Path, row: ClipRow, config: FeatureConfig) -> bool:
    try:
        read_clip(data / row.dataset / row.file, config.sample_rate)
    except BadAudioError:
        return False
    return True
