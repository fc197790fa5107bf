"""The study of adapters on made-up recordings and the shipped checkpoint, run once by its command.

Nothing of it is imported before a test asks for it, because pytest loads this as a plugin.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from filelock import FileLock

SPLITS = (("train", 3), ("validation", 2), ("test", 2))  # clips of every class


def quick_study(folder: Path, *more: str) -> int:
    """The exit code of the command in its quick form, on `data`, `work` and `out` in a folder."""
    from taskvec_demo.cli import main
    from tests.support.paths import ARTIFACTS

    places = {"data": folder / "data", "work": folder / "work", "out": folder / "out", "artifacts": ARTIFACTS}
    options = [text for name, place in places.items() for text in (f"--{name}", str(place))]
    return main(["study", "adapters", *options, "--quick", *more])


@pytest.fixture(scope="session")
def quick_adapters(of_both_workers: Path) -> Path:
    """The folder with `data`, `work` and `out` of a quick run. It is shared and must not be changed."""
    from tests.support.made_up_recordings import write_recordings

    folder = of_both_workers / "adapters"
    with FileLock(of_both_workers / "adapters.lock"):
        if not (folder / "out" / "study.json").is_file():
            write_recordings(folder / "data", SPLITS)
            assert quick_study(folder) == 0
    return folder
