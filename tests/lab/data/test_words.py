"""`data words` writes each word of each voice as a clip of its class."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from taskvec_demo.errors import TaskVecError
from taskvec_demo.lab.data import words
from taskvec_demo.lab.data.datasets import read_rows
from taskvec_demo.lab.data.words import EDGE, MANNERS, TAKES, WORDS, class_of, write_words
from taskvec_demo.lab.tiny_clap.class_names import DIGIT_CLASSES

VARIANTS = """\
Pty Language       Age/Gender VoiceName          File                 Other Languages
 5  variant         --/M      Adam               !v/adam
 5  variant         --/M      Mr serious         !v/Mr serious
 5  variant         --/M      Storm              !v/Storm             (en-us 5)
"""
RATE, LENGTH = 22_050, 0.3


@pytest.fixture
def voices(monkeypatch) -> list[list[str]]:
    """In place of the two programs one that speaks in sines between silences; adam cannot say seven. -> commands"""
    ran = []

    def speak(command, **_):
        ran.append(command)
        if command[1] == "--voices=variant":
            return subprocess.CompletedProcess(command, 0, VARIANTS, "")
        if command[1] == "-lv":
            return subprocess.CompletedProcess(command, 0, "Voices available: kal slt \n", "")
        file = next(part for part in command if part.endswith(".wav"))
        word = next(part for part in command if part in WORDS)
        tone = np.sin(2 * np.pi * (200 + 100 * WORDS.index(word)) * np.arange(round(LENGTH * RATE)) / RATE)
        silent = word == "seven" and any("adam" in part for part in command)
        around = np.zeros(round(0.1 * RATE))
        soundfile.write(file, np.concatenate([around, 0.3 * tone * (not silent), around]), RATE)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(words.subprocess, "run", speak)
    return ran


def test_each_clip_is_the_word_that_its_class_says(voices, tmp_path):
    per_word = 3 * TAKES + 2 * len(MANNERS)
    counts = write_words(tmp_path / "words")
    assert counts == {class_of(d): per_word - TAKES * (d == 7) for d in range(10)}
    rows = read_rows(tmp_path, (), ("words",))
    assert {r.split for r in rows} == {"train"}
    assert {r.group for r in rows} == {"espeak-adam", "espeak-Mr-serious", "espeak-Storm", "flite-kal", "flite-slt"}
    for row in rows:
        samples, rate = soundfile.read(tmp_path / "words" / row.file)
        assert rate == 16_000
        assert len(samples) / rate == pytest.approx(LENGTH + 2 * EDGE, abs=0.01)
        assert np.abs(samples).max() == pytest.approx(0.9, abs=1e-3)
        strongest = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 2**16)).argmax() * rate / 2**16
        assert strongest == pytest.approx(200 + 100 * int(row.label[-1]), rel=0.02)
    takes = {tuple(c[1:7]) for c in voices if c[0] == "espeak-ng" and "-w" in c}
    assert len(takes) == 3 * TAKES  # a voice speaks all its words alike, and no take is like another


def test_a_word_is_a_class_of_the_task():
    assert [class_of(d) for d in range(10)] == list(DIGIT_CLASSES)


def test_a_set_that_is_there_is_not_written_over(voices, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(TaskVecError, match="is there already"):
        write_words(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
    assert not voices


def test_without_the_programs_nothing_is_left(monkeypatch, tmp_path: Path):
    def is_not_there(*_, **__):
        raise FileNotFoundError("espeak-ng")

    monkeypatch.setattr(words.subprocess, "run", is_not_there)
    with pytest.raises(TaskVecError, match="apt install espeak-ng flite"):
        write_words(tmp_path / "words")
    assert not list(tmp_path.iterdir())
