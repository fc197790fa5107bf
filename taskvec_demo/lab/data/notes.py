"""`data notes`: notes of a General MIDI soundfont as a labelled set.

A vector that learns from it, too, knows an instrument from more than one collection of recordings.

FluidSynth (https://www.fluidsynth.org), which plays them, is a program and not a package; mido writes what it plays.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from tqdm import tqdm

from ...core.files import whole_folder
from ...errors import TaskVecError
from ...recordings.layouts import TABLE
from .synth import SAMPLE_RATE

SECONDS = (0.25, 0.6, 1.4)  # how long a key may be held
LOUDNESS = (50, 105)  # velocities; 127 is the loudest
RING = 0.35  # s after the key is released that belong to a note
GAP = 1.0  # s of rest between notes
BEAT, TEMPO = 480, 500_000  # ticks a beat, and µs: what a MIDI file has by default
SILENT = 2e-3  # peak below which a soundfont has no such note
PEAK = 0.9


@dataclass(frozen=True)
class Instrument:
    """Its General MIDI programs, from 0, and the lowest and highest key that players play."""

    programs: tuple[int, ...]
    low: int
    high: int


# Those of the Philharmonia's instruments that General MIDI has, by the names of their classes
INSTRUMENTS: Mapping[str, Instrument] = {
    "banjo": Instrument((105,), 50, 80),
    "bassoon": Instrument((70,), 36, 67),
    "cello": Instrument((42,), 38, 72),
    "clarinet": Instrument((71,), 52, 86),
    "cor_anglais": Instrument((69,), 52, 80),
    "double_bass": Instrument((43, 32), 30, 55),
    "flute": Instrument((73,), 60, 92),
    "french_horn": Instrument((60,), 40, 74),
    "guitar": Instrument((24, 25), 40, 76),
    "oboe": Instrument((68,), 59, 88),
    "saxophone": Instrument((65, 66, 67), 46, 80),
    "trombone": Instrument((57,), 42, 72),
}


@dataclass(frozen=True)
class Note:
    key: int
    velocity: int
    seconds: float


def run(options: argparse.Namespace) -> None:
    counts = write_notes(options.soundfont, options.to)
    print(f"{sum(counts.values())} notes of {len(counts)} instruments are in {options.to}")


def write_notes(soundfont: str | os.PathLike[str], to: Path) -> dict[str, int]:
    """Write `to`/<instrument>/*.flac, mono at 16 kHz with a peak of 0.9, and `to`/clips.csv, all as training clips.

    Every key of every program is played soft and loud, held for a time that is drawn with a fixed seed; keys that the
    soundfont lacks are left out. Nothing is written until all is there. Returns instrument -> number of notes. Raises
    TaskVecError if `to` is there already, or if FluidSynth is not, or cannot play the soundfont.
    """
    if not Path(soundfont).is_file():
        raise TaskVecError(f"{soundfont} is not a file: `data notes` takes a soundfont (.sf2 or .sf3).")
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise TaskVecError(f"{to} is there already: --to takes a new or an empty folder.")
    rng, lines = np.random.default_rng(0), [("file", "label", "split", "group")]
    counts = dict.fromkeys(INSTRUMENTS, 0)
    with whole_folder(to) as out:
        for name, instrument in tqdm(INSTRUMENTS.items(), desc="notes", unit="instrument"):
            keys = [(k, v) for k in range(instrument.low, instrument.high + 1) for v in LOUDNESS]
            for program in instrument.programs:
                notes = [Note(k, v, SECONDS[rng.integers(len(SECONDS))]) for k, v in keys]
                for note, samples in played(soundfont, program, notes):
                    file = f"{name}/{program}_{note.key}_{note.velocity}.flac"
                    (out / name).mkdir(exist_ok=True)
                    soundfile.write(out / file, samples, SAMPLE_RATE)
                    lines.append((file, name, "train", f"{name}{note.key}"))
                    counts[name] += 1
        with open(out / TABLE, "w", newline="", encoding="utf-8") as table:
            csv.writer(table).writerows(lines)
    return {name: n for name, n in counts.items() if n}


def played(soundfont: str | os.PathLike[str], program: int, notes: Sequence[Note]) -> Iterator[tuple[Note, np.ndarray]]:
    """The notes that the soundfont has, each with its samples: float32 at 16 kHz, with a peak of 0.9."""
    with tempfile.TemporaryDirectory() as folder:
        score, sound = Path(folder) / "notes.mid", Path(folder) / "notes.wav"
        _write_score(score, program, notes)
        # no shell, no reverb, no chorus
        command = ["fluidsynth", "-ni", "-R", "0", "-C", "0", "-r", str(SAMPLE_RATE), "-F", str(sound)]
        try:
            ran = subprocess.run([*command, str(soundfont), str(score)], capture_output=True, text=True)
        except FileNotFoundError as error:
            raise TaskVecError(
                "`data notes` needs the program fluidsynth: apt install fluidsynth, brew install fluid-synth, or "
                "https://www.fluidsynth.org."
            ) from error
        if ran.returncode or not sound.is_file():
            raise TaskVecError(f"fluidsynth cannot play {soundfont}: {(ran.stderr.strip() or 'no sound')[-200:]}")
        samples, _ = soundfile.read(sound, dtype="float32", always_2d=True)
    mono, start = samples.mean(1), GAP
    for note in notes:
        first = round(start * SAMPLE_RATE)
        cut = mono[first : first + round((note.seconds + RING) * SAMPLE_RATE)]
        peak = np.abs(cut).max(initial=0.0)
        if peak > SILENT:
            yield note, cut * (PEAK / peak)
        start += note.seconds + GAP


def _write_score(file: Path, program: int, notes: Sequence[Note]) -> None:
    """A MIDI file: a rest of `GAP` before each note."""
    import mido  # of requirements-dev.txt; needed here only

    def ticks(seconds: float) -> int:
        return round(seconds * BEAT * 1e6 / TEMPO)

    track = mido.MidiTrack([mido.Message("program_change", program=program)])
    for note in notes:
        track.append(mido.Message("note_on", note=note.key, velocity=note.velocity, time=ticks(GAP)))
        track.append(mido.Message("note_off", note=note.key, time=ticks(note.seconds)))
    track.append(mido.MetaMessage("end_of_track", time=ticks(GAP)))
    mido.MidiFile(ticks_per_beat=BEAT, tracks=[track]).save(file)
