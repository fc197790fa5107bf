"""Programs under measurement: the app or another server as a process of its own, its memory, and a browser."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taskvec_demo.ui.startup import READY

from .context import ROOT

APP = str(ROOT / "app.py")
CHROMIUM = Path("/usr/bin/chromium")
CHROMIUM_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--autoplay-policy=no-user-gesture-required",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)
LAUNCH: dict[str, Any] = {"executable_path": str(CHROMIUM), "headless": True, "args": list(CHROMIUM_ARGUMENTS)}
START_SECONDS = 180
POLL_SECONDS = 0.02
MIB = 2**20
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # does not use a proxy of the environment


@dataclass(frozen=True)
class Server:
    """A server process that answers at `url`. Times on the clock of `time.monotonic`."""

    url: str
    process: subprocess.Popen
    log: Path
    started: float
    answered: float

    def model_open(self) -> float:
        """Wait until the app's model is open. Returns the time. Raises RuntimeError if that takes too long."""
        while READY not in self.log.read_text(errors="replace"):
            if self.process.poll() is not None or time.monotonic() - self.started > START_SECONDS:
                raise RuntimeError(f"the app opened no model: {self.log.read_text(errors='replace')[-2000:]}")
            time.sleep(POLL_SECONDS)
        return time.monotonic()

    def memory(self) -> Memory:
        return Memory.of(self.process.pid)


@dataclass(frozen=True)
class Memory:
    """MiB of one process: resident, and resident with shared pages divided among those who share them."""

    rss: float
    pss: float

    @classmethod
    def of(cls, pid: int | str) -> Memory:
        """The memory of a process of this machine; "self" is this process. Linux only."""
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        kib = {line.split(":")[0]: float(line.split()[1]) for line in lines[1:]}
        return cls(kib["Rss"] / 1024, kib["Pss"] / 1024)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def serving(*command: str, folder: Path) -> Iterator[Server]:
    """`python <command> --port N` in `folder`, from the first answer until the block ends.

    Raises RuntimeError with the end of its output when it stops or does not answer.
    """
    port, log = free_port(), folder / f"server-{time.monotonic_ns()}.log"
    hidden = ("GRADIO_", "HF_")  # settings of the person who runs the benchmarks
    environment = {k: v for k, v in os.environ.items() if not k.startswith(hidden) and "proxy" not in k.lower()}
    environment |= {"PYTHONPATH": str(ROOT), "GRADIO_TEMP_DIR": str(folder / "uploads")}
    with log.open("wb") as output:
        started = time.monotonic()
        arguments = [sys.executable, *command, "--port", str(port)]
        process = subprocess.Popen(arguments, stdout=output, stderr=subprocess.STDOUT, env=environment, cwd=folder)
    try:
        url = f"http://127.0.0.1:{port}/"
        while not _answers(url):
            if process.poll() is not None or time.monotonic() - started > START_SECONDS:
                end = log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{' '.join(command)} gave no answer (exit status {process.poll()}): {end}")
            time.sleep(POLL_SECONDS)
        yield Server(url, process, log, started, time.monotonic())
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(url: str) -> bool:
    try:
        with _OPENER.open(url, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


@contextmanager
def chromium() -> Iterator[Any]:
    """Headless Chromium, a playwright `Browser`, that reaches this machine only."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(**LAUNCH)
        yield browser
        browser.close()


@asynccontextmanager
async def async_chromium() -> AsyncIterator[Any]:
    """The same browser for asyncio."""
    from playwright.async_api import async_playwright

    async with async_playwright() as driver:
        browser = await driver.chromium.launch(**LAUNCH)
        yield browser
        await browser.close()
