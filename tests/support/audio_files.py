"""Recordings of tones, encoded in memory, and the sentence with which a file is refused."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from taskvec_demo.errors import BadAudioError
from taskvec_demo.recordings.audio import load_clip
from taskvec_demo.recordings.limits import ACCEPTED

RATE = 16_000  # Hz, of the model in these tests
MP3, OPUS, VORBIS = ("MP3", "MPEG_LAYER_III"), ("OGG", "OPUS"), ("OGG", "VORBIS")
CODECS = [("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "FLOAT"), ("FLAC", "PCM_16"), VORBIS, OPUS, MP3]


def tone(seconds: float, rate: int, frequency: float = 440.0, level: float = 0.5) -> np.ndarray:
    return level * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


def encode(samples: np.ndarray, rate: int, codec: tuple[str, str] = ("WAV", "PCM_16")) -> bytes:
    buffer, channels = io.BytesIO(), 1 if samples.ndim == 1 else samples.shape[1]
    with soundfile.SoundFile(buffer, "w", rate, channels, format=codec[0], subtype=codec[1]) as file:
        for start in range(0, len(samples), 4096):  # libvorbis overflows its stack on long writes
            file.write(samples[start : start + 4096])
    return buffer.getvalue()


def saved(folder: Path, content: bytes, name: str = "clip.wav") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def refusal(path: Path) -> str:
    """The sentence with which a file is refused.

    It must be one sentence that names the file and says what is accepted.
    """
    with pytest.raises(BadAudioError) as caught:
        load_clip(path, RATE)
    message = str(caught.value)
    assert message.startswith(path.name)
    assert message.endswith(ACCEPTED + ".")
    assert not [leak for leak in ("\n", "Error", ". ") if leak in message]
    return message


def peak_frequency(samples: np.ndarray, rate: int) -> float:
    return float(np.abs(np.fft.rfft(samples * np.hanning(len(samples)))).argmax() * rate / len(samples))
