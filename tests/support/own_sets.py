"""Sets as visitors upload them: a .zip of half-second chords, one chord a class."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import soundfile

from tests.support.made_up_recordings import RATE, sound


def wav(class_name: str, take: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, sound("own", class_name, take), RATE, format="WAV")
    return file.getvalue()


def own_zip(
    path: Path, classes: Sequence[str] = ("bell", "saw"), clips: int = 8, more: Mapping[str, bytes] | None = None
) -> Path:
    """Write a .zip with a folder for each class, and `more` files by name."""
    with zipfile.ZipFile(path, "w") as archive:
        for name in classes:
            for i in range(clips):
                archive.writestr(f"mine/{name}/{i}.wav", wav(name, str(i)))
        for name, content in (more or {}).items():
            archive.writestr(name, content)
    return path
