"""The checkpoint that the made-up fine-tunings begin from, and their vectors, each trained once for all tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
import torch
from filelock import FileLock

from taskvec_demo.clap.model import Checkpoint
from taskvec_demo.core.task_vector import TaskVector
from tests.support.finetuning import open_checkpoint, trained


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """One thread, as in the processes that are started here, because float sums depend on their split over threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def checkpoint(random_model: Path) -> Checkpoint:
    return open_checkpoint(random_model)


@pytest.fixture(scope="session")
def whole(checkpoint: Checkpoint, of_both_workers: Path) -> Callable[[str], TaskVector]:
    """whole(name) -> that vector, trained on one process without a stop, by whichever worker asks first."""
    folder = of_both_workers / "trained"

    @cache
    def vector(name: str) -> TaskVector:
        with FileLock(of_both_workers / f"trained-{name}.lock"):
            file = folder / f"{name}.safetensors"
            return TaskVector.load(file) if file.is_file() else trained(checkpoint, folder, name)

    return vector
