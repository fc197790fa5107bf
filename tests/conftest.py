"""One random checkpoint for all tests that need a whole `precomputed/` folder, and recordings made on the spot."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from tests.support.app_server import browser, new_visitor, page, server

__all__ = ["browser", "new_visitor", "page", "server"]  # fixtures; here, so that all modules share one browser and app

torch.set_num_threads(2)
# Of the workers, which start after this: two share the cores, so threads that wait should leave them to others.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

RATE = 16_000  # Hz


@pytest.fixture(scope="session")
def artifacts_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A `precomputed/tiny-clap` of random numbers. Shared: a test that alters a file copies the folder first."""
    from tests.support.random_artifacts import write_random_artifacts

    folder = tmp_path_factory.mktemp("precomputed") / "tiny-clap"
    write_random_artifacts(folder)
    return folder


@pytest.fixture(scope="session")
def random_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a random tiny-CLAP, always the same numbers."""
    from tests.support.random_artifacts import write_random_model

    folder = tmp_path_factory.mktemp("checkpoint") / "model"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        write_random_model(folder)
    return folder


@pytest.fixture(scope="session")
def workbench(artifacts_folder: Path):
    """A `Workbench` on `artifacts_folder`; its caches are filled by whoever came first, its answers may not show it."""
    from taskvec_demo.serve.artifacts import Artifacts
    from taskvec_demo.serve.workbench import Workbench

    return Workbench(Artifacts(artifacts_folder))


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
