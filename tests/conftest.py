"""One random checkpoint, one app and one browser for all tests that need them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from filelock import FileLock

pytest_plugins = [  # fixtures; here, so that all modules share one browser and one app
    "tests.support.adapters_study",
    "tests.support.app_server",
    "tests.support.browsers",
    "tests.support.processes",
    "tests.support.relations_study",
    "tests.support.sounds",
    "tests.support.speech_music",
    "tests.support.visitor",
]

# For the workers, which start after this: two of them share the cores, so threads that wait should not keep a core
# busy.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def pytest_configure(config: pytest.Config) -> None:
    """Let each worker compute in one thread: a second one would only wait for the turn of the other worker."""
    is_worker = "PYTEST_XDIST_WORKER" in os.environ
    if is_worker or not config.getoption("numprocesses", None):  # else it only hands out tests, and needs no torch
        import torch

        torch.set_num_threads(1 if is_worker else 2)


@pytest.fixture(scope="session")
def of_both_workers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of this run, for what one worker makes and the other reads, under a lock."""
    root = tmp_path_factory.getbasetemp()
    return root.parent if "PYTEST_XDIST_WORKER" in os.environ else root


@pytest.fixture(scope="session")
def artifacts_folder(of_both_workers: Path) -> Path:
    """A `precomputed/tiny-clap` of random numbers.

    It is shared, so a test that alters a file must copy the folder first.
    """
    from tests.support.random_artifacts import write_random_artifacts

    folder = of_both_workers / "precomputed" / "tiny-clap"
    with FileLock(of_both_workers / "precomputed.lock"):
        if not (folder / "manifest.json").is_file():
            write_random_artifacts(folder)
    return folder


@pytest.fixture(scope="session")
def random_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a random tiny-CLAP, always the same numbers."""
    import torch

    from tests.support.random_artifacts import write_random_model

    folder = tmp_path_factory.mktemp("checkpoint") / "model"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        write_random_model(folder)
    return folder


@pytest.fixture(scope="session")
def workbench(artifacts_folder: Path):
    """A `Workbench` on `artifacts_folder`. Earlier tests fill its caches, and no answer may depend on that."""
    from taskvec_demo.serve.artifacts import Artifacts
    from taskvec_demo.serve.workbench import Workbench

    return Workbench(Artifacts(artifacts_folder))
