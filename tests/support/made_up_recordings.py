"""Recordings of all of tiny-CLAP's sets, made of tones and noise: half a second, each class with a sound of its own."""

from __future__ import annotations

import csv
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from taskvec_demo.lab.data.datasets import SETS
from taskvec_demo.lab.tiny_clap.study import TASKS

RATE, SECONDS = 16_000, 0.5
COLUMNS = ("file", "label", "split", "group", "gender")


def write_recordings(data: Path, splits: Sequence[tuple[str, int]] = (("validation", 1),)) -> None:
    """Write `data`/<set>/clips.csv and its files: (split, clips of every class) for each of `splits`."""
    classes = {f: t.class_names for t in reversed(TASKS.values()) for f in t.clips_folders}
    classes |= {"drums": ("drum",), "animals": ("cat", "cow")}
    for name in SETS:
        folder = data / name
        folder.mkdir(parents=True)
        with (folder / "clips.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            for class_name in classes[name]:
                gender, label = class_name.split("_", 1) if name in ("ravdess", "nemo") else ("", class_name)
                for split, n in splits:
                    for i in range(n):
                        clip = f"{class_name}-{split}-{i}.wav"
                        soundfile.write(folder / clip, sound(name, class_name, f"{split}{i}"), RATE)
                        writer.writerow([clip, label, split, f"{name}-{class_name}-{split}-{i}", gender])


def write_set(
    folder: Path,
    classes: Sequence[str],
    splits: Sequence[tuple[str, int]],
    genders: Sequence[str] = ("",),
    noise: float = 0.03,
) -> list[str]:
    """Write one set with its table, the genders in turn; names "set/file" of its clips.

    The i-th clips of a split, one of each class and gender, are of one source.
    """
    folder.mkdir(parents=True)
    rows = [(c, s, i, g) for c in classes for s, n in splits for i in range(n) for g in genders]
    with (folder / "clips.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for class_name, split, i, gender in rows:
            clip = f"{class_name}-{split}{i}-{gender or 'x'}.wav"
            soundfile.write(folder / clip, sound(folder.name, class_name + gender, f"{split}{i}", noise), RATE)
            writer.writerow([clip, class_name, split, f"{split}{i}{gender}", gender])
    return [f"{folder.name}/{c}-{s}{i}-{g or 'x'}.wav" for c, s, i, g in rows]


def sound(dataset: str, class_name: str, take: str, noise: float = 0.03) -> np.ndarray:
    """A chord that belongs to the class, with a noise that belongs to the take; (n,) float32."""
    of_class = np.random.default_rng(zlib.crc32(f"{dataset}/{class_name}".encode()))
    of_take = np.random.default_rng(zlib.crc32(f"{dataset}/{class_name}/{take}".encode()))
    t = np.arange(round(RATE * SECONDS)) / RATE
    chord = sum(np.sin(2 * np.pi * f * t) for f in of_class.uniform(100, 7000, 4))
    return (0.15 * chord + noise * of_take.normal(size=len(t))).astype(np.float32)
