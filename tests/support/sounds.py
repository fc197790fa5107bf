"""Recordings made on the spot. The fixture `wav` writes them as files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

RATE = 16_000  # Hz


def tone(seconds: float, rate: int = RATE, hertz: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def noise(seconds: float, rate: int = RATE, seed: int = 0) -> np.ndarray:
    return (0.2 * np.random.default_rng(seed).standard_normal(round(seconds * rate))).astype(np.float32)


@pytest.fixture
def wav(tmp_path: Path) -> Callable[..., Path]:
    """wav(kind="tone" | "noise", seconds=2.0, rate=16000, **options) -> path of a new recording."""
    kinds = {"tone": tone, "noise": noise}
    count = 0

    def write(kind: str = "tone", seconds: float = 2.0, rate: int = RATE, **options) -> Path:
        nonlocal count
        count += 1
        path = tmp_path / f"{kind}-{count}.wav"
        soundfile.write(path, kinds[kind](seconds, rate, **options), rate)
        return path

    return write
