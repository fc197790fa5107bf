"""Processes that a test starts, and may kill: forked from one that has imported torch and our packages already.

A fresh Python takes seconds to import them. Where processes cannot be forked (Windows) they are fresh ones.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

PRELOADED = ["taskvec_demo.lab.build", "peft", "tests.support.finetuning", "tests.support.short_runs"]
CONTEXT = multiprocessing.get_context(
    "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
)


@dataclass(frozen=True)
class Started:
    """Processes that do one job together, and the files that hold what each of them prints."""

    members: list[BaseProcess]
    logs: list[Path]

    @property
    def running(self) -> bool:
        return any(member.is_alive() for member in self.members)

    @property
    def output(self) -> str:
        return "\n".join(log.read_text(errors="replace") for log in self.logs if log.is_file())

    def kill(self) -> None:
        for member in self.members:
            member.kill()
        for member in self.members:
            member.join()

    def codes(self, seconds: float) -> list[int | None]:
        """The exit codes, once all have ended; a process that takes longer than `seconds` has none."""
        for member in self.members:
            member.join(seconds)
        return [member.exitcode for member in self.members]


def launched_variables(rank: int, n: int, port: int) -> dict[str, str]:
    """What `accelerate launch` sets in each of `n` processes on one machine, so that they find each other."""
    ranks = dict.fromkeys(("RANK", "LOCAL_RANK"), str(rank))
    sizes = dict.fromkeys(("WORLD_SIZE", "LOCAL_WORLD_SIZE"), str(n))
    return {**ranks, **sizes, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}


def _run(log: Path, folder: Path, variables: dict[str, str], target: Callable[..., Any], arguments: tuple) -> None:
    with log.open("wb") as stream:
        for standard in (1, 2):
            os.dup2(stream.fileno(), standard)
    os.chdir(folder)
    os.environ.update(variables)
    import torch

    torch.set_num_threads(1)
    target(*arguments)


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Started]]:
    """start(target, *arguments, folder=…, n=1) -> `n` processes in that folder that call target(*arguments).

    The target is a function of `tests.support`, so that the processes need not import a test module.
    """
    CONTEXT.set_forkserver_preload(PRELOADED)
    jobs: list[Started] = []

    def begin(target: Callable[..., Any], *arguments: Any, folder: Path, n: int = 1) -> Started:
        logs = tmp_path_factory.mktemp("logs")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        job = Started([], [])
        for rank in range(n):
            variables = {"OMP_NUM_THREADS": "1", **(launched_variables(rank, n, port) if n > 1 else {})}
            job.logs.append(logs / f"{rank}.log")
            what = (job.logs[-1], folder, variables, target, arguments)
            job.members.append(CONTEXT.Process(target=_run, args=what, daemon=True))
            job.members[-1].start()
        jobs.append(job)
        return job

    yield begin
    for job in jobs:
        job.kill()
