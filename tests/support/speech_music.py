"""The study of a speech and a music encoder on made-up recordings with made-up teachers, run once by its command.

Nothing of it is imported before a test asks for it, because pytest loads this as a plugin.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

SIZE = 6  # outputs of an array of a teacher
NOISE = 1.5  # so loud that no encoder gets everything right
CLASSES = {
    "esc50": ("dog", "rain"),
    "urban": ("siren",),
    "kitchen20": ("blender", "tap"),
    "animals": ("bird", "cat"),
    "gtzan_mini": ("jazz", "rock"),
    "philharmonia": ("cello", "flute"),
    "drums": ("hat", "kick"),
    "fsdd": ("digit_0", "digit_1"),
    "ravdess": ("happy", "sad"),
    "nemo": ("happy", "sad"),
}
SPLITS = (("train", 3), ("validation", 3), ("test", 3))


def write_study_recordings(data: Path) -> None:
    """All sets of the study, three half-second clips of each class and split, and what made-up teachers hear."""
    from taskvec_demo.lab.studies.speech_music.teachers import TEACHERS
    from taskvec_demo.lab.tiny_clap.audio_teachers import SECOND
    from tests.support.made_up_recordings import write_set

    files = []
    for name, classes in CLASSES.items():
        people = name in ("ravdess", "nemo")
        files += write_set(data / name, classes, SPLITS, genders=("female", "male") if people else ("",), noise=NOISE)
    draw = np.random.default_rng(0)
    arrays = {array: draw.normal(size=(len(files), SIZE)) for arrays in TEACHERS.values() for array in arrays}
    np.savez(data / SECOND, files=np.array(files), **{k: v.astype(np.float16) for k, v in arrays.items()})


def quick_study(data: Path, work: Path, out: Path, *more: str) -> int:
    """The exit code of the command in its quick form."""
    from taskvec_demo.cli import main

    return main(
        ["study", "speech-music", "--data", str(data), "--work", str(work), "--out", str(out), "--quick", *more]
    )


@pytest.fixture(scope="session")
def quick_speech_music(of_both_workers: Path) -> Path:
    """The folder with `data`, `work` and `out` of a quick run. It is shared and must not be changed."""
    folder = of_both_workers / "speech-music"
    with FileLock(of_both_workers / "speech-music.lock"):
        if not (folder / "out" / "study.json").is_file():
            write_study_recordings(folder / "data")
            assert quick_study(folder / "data", folder / "work", folder / "out") == 0
    return folder
