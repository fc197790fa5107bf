"""`data words`: the ten digits, spoken by speech synthesizers in many voices, as a labelled set.

A vector that learns from it, too, knows a word from more speakers than the four of the Free Spoken Digit Dataset.

eSpeak NG (https://github.com/espeak-ng/espeak-ng) and Flite (http://www.festvox.org/flite) are programs, not packages.
"""

from __future__ import annotations

import argparse
import csv
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import librosa
import numpy as np
import soundfile
from tqdm import tqdm

from ...core.files import whole_folder
from ...errors import TaskVecError
from ...recordings.layouts import TABLE
from .synth import SAMPLE_RATE

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ACCENTS = ("en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-029", "en-us-nyc")
TAKES = 2  # of a voice of eSpeak NG, each in another accent, at another speed and pitch
SPEED, PITCH = (110, 201), (20, 81)  # words a minute; eSpeak's own scale of 0 to 99
MANNERS = ((0.8, 1.0), (1.0, 0.9), (1.0, 1.1), (1.2, 1.0), (1.35, 1.15))  # Flite: duration, and pitch, as factors
NARROW = 8_000  # Hz: the rate of the Free Spoken Digit Dataset
SILENT = 0.02  # of the peak: quieter beginnings and ends are cut
EDGE = 0.02  # s that stay before and after
PEAK = 0.9
ABSENT = (
    "`data words` needs the programs espeak-ng and flite: apt install espeak-ng flite, or their pages at "
    "https://github.com/espeak-ng/espeak-ng and http://www.festvox.org/flite."
)


@dataclass(frozen=True)
class Speaker:
    """A voice in one manner: the command that speaks, with the places of word and file left open."""

    name: str
    take: int
    command: tuple[str, ...]

    def says(self, word: str, file: Path) -> list[str]:
        return [part.format(word=word, file=file) for part in self.command]


def run(options: argparse.Namespace) -> None:
    counts = write_words(options.to)
    print(f"{sum(counts.values())} words of {len(counts)} classes are in {options.to}")


def write_words(to: Path) -> dict[str, int]:
    """Write `to`/<class>/*.flac, mono at 16 kHz with nothing above 4 kHz and a peak of 0.9, and `to`/clips.csv.

    All are training clips; a group is a voice. Nothing is written until all is there. Returns class -> number of words.
    Raises TaskVecError if `to` is there already, or if one of the programs is not.
    """
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise TaskVecError(f"{to} is there already: --to takes a new or an empty folder.")
    lines, counts = [("file", "label", "split", "group")], dict.fromkeys(map(class_of, range(len(WORDS))), 0)
    with whole_folder(to) as out:
        for name in counts:
            (out / name).mkdir()
        for speaker in tqdm(list(speakers()), desc="words", unit="speaker"):
            for digit, word in enumerate(WORDS):
                samples = spoken(speaker, word)
                if samples is None:
                    continue
                file = f"{class_of(digit)}/{speaker.name}_{speaker.take}.flac"
                soundfile.write(out / file, samples, SAMPLE_RATE)
                lines.append((file, class_of(digit), "train", speaker.name))
                counts[class_of(digit)] += 1
        with open(out / TABLE, "w", newline="", encoding="utf-8") as table:
            csv.writer(table).writerows(lines)
    return counts


def class_of(digit: int) -> str:
    return f"digit_{digit}"


def speakers() -> Iterator[Speaker]:
    """Every voice that the two programs have, in several manners, which are drawn with a fixed seed."""
    rng = np.random.default_rng(0)
    listed = _output(["espeak-ng", "--voices=variant"])
    for voice in sorted(set(re.findall(r"!v/(\S+(?: \S+)*)", listed))):
        for take in range(TAKES):
            accent, speed, pitch = ACCENTS[rng.integers(len(ACCENTS))], rng.integers(*SPEED), rng.integers(*PITCH)
            spoken_so = ("-v", f"{accent}+{voice}", "-s", str(speed), "-p", str(pitch), "-w", "{file}", "{word}")
            yield Speaker(f"espeak-{voice.replace(' ', '-')}", take, ("espeak-ng", *spoken_so))
    for voice in _output(["flite", "-lv"]).partition(":")[2].split():
        for take, (duration, tone) in enumerate(MANNERS):
            manner = ("--setf", f"duration_stretch={duration}", "--setf", f"f0_shift={tone}")
            yield Speaker(f"flite-{voice}", take, ("flite", "-voice", voice, *manner, "-t", "{word}", "-o", "{file}"))


def spoken(speaker: Speaker, word: str) -> np.ndarray | None:
    """The word without the silence around it: float32 at 16 kHz. None if the voice says nothing."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "word.wav"
        _output(speaker.says(word, file))
        if not file.is_file():
            return None
        samples, rate = soundfile.read(file, dtype="float32", always_2d=True)
    mono = samples.mean(1)
    peak = np.abs(mono).max(initial=0.0)
    loud = np.flatnonzero(np.abs(mono) > SILENT * peak)
    if not len(loud):
        return None
    edge = round(EDGE * rate)
    cut = mono[max(0, loud[0] - edge) : loud[-1] + edge]
    narrow = librosa.resample(cut, orig_sr=rate, target_sr=NARROW)
    wide = librosa.resample(narrow, orig_sr=NARROW, target_sr=SAMPLE_RATE)
    return wide * (PEAK / np.abs(wide).max())


def _output(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, errors="replace").stdout
    except FileNotFoundError as error:
        raise TaskVecError(ABSENT) from error
