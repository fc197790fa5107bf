"""`data notes` writes each note of a soundfont as a clip of its instrument."""

import subprocess

import mido
import numpy as np
import pytest
import soundfile

from taskvec_demo.errors import TaskVecError
from taskvec_demo.lab.data import notes
from taskvec_demo.lab.data.datasets import read_rows
from taskvec_demo.lab.data.notes import INSTRUMENTS, RING, Instrument, write_notes
from taskvec_demo.lab.tiny_clap.class_names import INSTRUMENTS as CLASSES

RATE = 16_000


def frequency(key: int) -> float:
    return 440.0 * 2 ** ((key - 69) / 12)


@pytest.fixture
def player(monkeypatch, tmp_path):
    """A soundfont, and in place of fluidsynth a player of sines that lacks the keys in the set it returns."""
    lacks: set[int] = set()

    def play(command, **_):
        score, sound = command[-1], command[command.index("-F") + 1]
        pieces, key, loud = [np.zeros(0)], None, 0.0
        for message in mido.MidiFile(score):
            t = np.arange(round(message.time * RATE)) / RATE
            heard = 0.0 if key is None or key in lacks else loud
            pieces.append(heard * np.sin(2 * np.pi * frequency(key or 69) * t))
            if message.type == "note_on":
                key, loud = message.note, message.velocity / 254
            elif message.type == "note_off":
                key = None
        mono = np.concatenate(pieces)
        soundfile.write(sound, np.stack([mono, mono], 1), RATE)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(notes.subprocess, "run", play)
    monkeypatch.setattr(
        notes, "INSTRUMENTS", {"oboe": Instrument((68,), 60, 64), "guitar": Instrument((24, 25), 50, 51)}
    )
    soundfont = tmp_path / "small.sf2"
    soundfont.write_bytes(b"")
    return soundfont, lacks


def test_each_clip_is_the_note_that_its_name_says(player, tmp_path):
    soundfont, lacks = player
    lacks.add(63)
    assert write_notes(soundfont, tmp_path / "notes") == {"oboe": 8, "guitar": 8}
    rows = read_rows(tmp_path, (), ("notes",))
    assert {(r.label, r.split) for r in rows} == {("oboe", "train"), ("guitar", "train")}
    for row in rows:
        samples, rate = soundfile.read(tmp_path / "notes" / row.file)
        key = int(row.file.split("_")[1])
        seconds = len(samples) / rate - RING
        assert rate == RATE
        assert round(seconds, 2) in notes.SECONDS
        assert np.abs(samples).max() == pytest.approx(0.9, abs=1e-3)
        held = samples[: round(seconds * RATE)]
        strongest = np.abs(np.fft.rfft(held * np.hanning(len(held)), 2**16)).argmax() * RATE / 2**16
        assert strongest == pytest.approx(frequency(key), rel=0.01)
        assert np.abs(samples[len(held) + 20 :]).max() < 1e-3  # the next note is not in it


def test_an_instrument_is_a_class_of_the_task():
    assert INSTRUMENTS.keys() <= CLASSES.keys()


def test_a_set_that_is_there_is_not_written_over(player, tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("mine")
    with pytest.raises(TaskVecError, match="is there already"):
        write_notes(player[0], tmp_path / "notes")
    assert [p.name for p in (tmp_path / "notes").iterdir()] == ["mine.txt"]


def test_what_cannot_be_played_is_said_and_nothing_is_left(player, tmp_path, monkeypatch):
    with pytest.raises(TaskVecError, match=r"none\.sf2 is not a file: .*soundfont"):
        write_notes(tmp_path / "none.sf2", tmp_path / "notes")

    def is_not_there(*_, **__):
        raise FileNotFoundError("fluidsynth")

    monkeypatch.setattr(notes.subprocess, "run", is_not_there)
    with pytest.raises(TaskVecError, match="apt install fluidsynth"):
        write_notes(player[0], tmp_path / "notes")
    refused = subprocess.CompletedProcess([], 0, "", "fluidsynth: error: Not a SoundFont file")
    monkeypatch.setattr(notes.subprocess, "run", lambda *_, **__: refused)
    with pytest.raises(TaskVecError, match=r"cannot play .*small\.sf2: .*Not a SoundFont"):
        write_notes(player[0], tmp_path / "notes")
    assert {p.name for p in tmp_path.iterdir()} == {"small.sf2"}
