"""The real app as a user starts it, in a process of its own: `server` is one app for the whole session."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from taskvec_demo.serve.artifacts import read_json, write_manifest
from taskvec_demo.ui.startup import READY
from tests.support.paths import ARTIFACTS, ROOT

START_SECONDS = 300
# Python imports this in the app's process before anything else. Requests to other machines are refused and written
# down.
SITECUSTOMIZE = """
import os, socket, sys

OWN = ("", "0.0.0.0", "::", "::1", "localhost", socket.gethostname())
LOG = os.environ["TASKVEC_NETWORK_LOG"]
open(LOG, "a").close()


def watch(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else None  # a path is a socket of this machine
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host is None or host in OWN or str(host).startswith("127."):
        return
    with open(LOG, "a") as log:
        log.write(f"{event} {host}\\n")
    raise OSError(f"no network in this test: {event} {host}")


sys.addaudithook(watch)
"""

# gradio forgets the queue of a visitor whose event stream breaks off. Where two streams do so at the same moment, it
# logs the second; where a question is on its way meanwhile, its stream is not found any more.
STREAM_BROKEN_OFF = re.compile(
    r"ERROR: +Exception in ASGI application\nTraceback .*\n(?: .*\n)* .* in sse_stream\n +raise HTTPException\(\n"
    r"fastapi\.exceptions\.HTTPException: 404: Not Found\n\n.*\n\nTraceback .*\n(?: .*\n)*RuntimeError: .*\n|"
    r"ERROR: +Exception in ASGI application\n(?:(?!ERROR:).*\n)*?"
    r" *del blocks\._queue\.pending_messages_per_session\[session_hash\]\n(?: .*\n)?KeyError: .*\n"
)


@dataclass
class AppServer:
    url: str
    folder: Path  # of the log and of what the process asked of the network
    process: subprocess.Popen

    @property
    def log(self) -> str:
        return (self.folder / "app.log").read_text(errors="replace")

    def traceback_since(self, since: int) -> str:
        """What the app logged after `since` characters if a traceback is in it that is not gradio's own, else ""."""
        said = STREAM_BROKEN_OFF.sub("", self.log[since:])
        return said if "Traceback" in said else ""

    @property
    def outside_requests(self) -> str:
        """The requests of the process to other machines. The file is there once the watch is on."""
        return (self.folder / "network.log").read_text()

    def answers(self) -> bool:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(self.url + "config", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds, as long as the process lives."""
        end = time.monotonic() + START_SECONDS
        while not condition():
            assert self.process.poll() is None, f"the app ended with {self.process.returncode}:\n{self.log}"
            assert time.monotonic() < end, f"not so within {START_SECONDS} s:\n{self.log}"
            time.sleep(0.25)


@contextmanager
def running_app(folder: Path, *arguments: str, **variables: str) -> Iterator[AppServer]:
    """`python app.py --port N`, further arguments and environment variables; its model open, ended with the block."""
    with starting_app(folder, *arguments, **variables) as server:
        server.until(lambda: READY in server.log)
        yield server


@contextmanager
def starting_app(folder: Path, *arguments: str, **variables: str) -> Iterator[AppServer]:
    """The same, but from the first answer on, when the model may not be open yet."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}/"
    (folder / "watch").mkdir()
    (folder / "watch" / "sitecustomize.py").write_text(SITECUSTOMIZE)
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("GRADIO_", "HF_")) and "proxy" not in k.lower()},
        "PYTHONPATH": str(folder / "watch"),
        "TASKVEC_NETWORK_LOG": str(folder / "network.log"),
        "OMP_WAIT_POLICY": "PASSIVE",  # threads that wait for work do not keep the browser's cores busy
        "PYTHONUNBUFFERED": "1",
        "GRADIO_TEMP_DIR": str(folder / "uploads"),
        **variables,
    }
    with (folder / "app.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "app.py"), "--port", str(port), *arguments],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=folder,
        )
    server = AppServer(url, folder, process)
    try:
        server.until(server.answers)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def served_artifacts(
    of_both_workers: Path, quick_speech_music: Path, quick_adapters: Path, made_up_relations: Path
) -> Path:
    """The shipped artifacts with one synthesized clip a class: whenever a page rests, all of them are measured.

    Beside them lie studies of other papers, in their quick form or made up.
    """
    folder = of_both_workers / "served" / "tiny-clap"
    with FileLock(of_both_workers / "served.lock"):
        if not folder.is_dir():
            copy = Path(shutil.copytree(ARTIFACTS, folder.with_suffix(".part")))
            _keep_one_clip_a_class(copy / "synthesized")
            fields = read_json(copy / "manifest.json")
            write_manifest(copy, {k: v for k, v in fields.items() if k not in ("format", "files")})
            shutil.copytree(quick_speech_music / "out", folder.parent / "studies" / "speech-music")
            shutil.copytree(quick_adapters / "out", folder.parent / "studies" / "adapters")
            shutil.copytree(made_up_relations, folder.parent / "studies" / "relations")
            copy.rename(folder)
    return folder


def _keep_one_clip_a_class(folder: Path) -> None:
    header, *rows = (folder / "clips.csv").read_text(encoding="utf-8").splitlines()
    kept = {row.partition(",")[2]: row for row in reversed(rows)}  # by task and label
    for row in set(rows) - set(kept.values()):
        (folder / row.partition(",")[0]).unlink()
    (folder / "clips.csv").write_text("\n".join([header, *kept.values()]) + "\n", encoding="utf-8")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, served_artifacts: Path) -> Iterator[AppServer]:
    with running_app(tmp_path_factory.mktemp("app"), "--artifacts", str(served_artifacts)) as app:
        yield app
