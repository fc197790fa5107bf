"""Recordings of phones and messengers (AAC, AMR, WebM …), decoded by the program ffmpeg if it is installed.

ffmpeg is told which format to expect, may open this one file and nothing else (no network, no other protocol), and is
stopped when it takes too long or too much memory. Its output comes through a pipe; nothing is written to disk.
"""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

import numpy as np

from .limits import MAX_SECONDS

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

LIMIT_SECONDS = 60  # seconds of wall time: ten minutes of AAC take about two
LIMIT_BYTES = 2 * 2**30  # of address space, most of it libraries
LARGEST_PART = 100 * 2**20  # bytes that ffmpeg may allocate at once
LOG_BYTES = 4096  # bytes of its error messages that are read
CUT_OFF = re.compile(rb"partial file|ended prematurely|moov atom not found|truncat|End of file", re.IGNORECASE)
NO_SOUND = re.compile(rb"matches no streams|does not contain any stream", re.IGNORECASE)
NO_DECODER = re.compile(rb"decoder .*not found|unknown codec|no decoder|not implemented", re.IGNORECASE)
AU_HEADER = 24  # bytes: magic, where the sound starts, its size, encoding, Hz, channels
SAMPLE = np.dtype(">f4")


class FfmpegError(Exception):
    """The problem of a file, as the part of a sentence that follows the file's name."""


class FfmpegStream:
    """The first stream of sound in a file, read from front to back."""

    def __init__(self, output: IO[bytes], rate: int, channels: int) -> None:
        self.output, self.rate, self.channels = output, rate, channels

    def blocks(self, frames: int, step: int) -> Iterator[np.ndarray]:
        """The next `frames` frames, or fewer at the end, as float32 (n, channels) of at most `step` frames."""
        while frames > 0:
            content = self.output.read(min(step, frames) * self.channels * SAMPLE.itemsize)
            whole = len(content) // (self.channels * SAMPLE.itemsize)
            if not whole:
                return
            frames -= whole
            samples = np.frombuffer(content, SAMPLE, whole * self.channels)
            yield samples.astype(np.float32).reshape(whole, self.channels)


def program() -> str | None:
    """Where ffmpeg lies; None if it is not installed."""
    return shutil.which("ffmpeg")


@contextmanager
def opened(path: str | os.PathLike[str], demuxer: str, notes: list[str]) -> Iterator[FfmpegStream]:
    """The sound of the file at `path`, of the format that ffmpeg calls `demuxer`, until soon after `MAX_SECONDS`.

    Problems that did not stop the decoding are added to `notes` at the end. Raises FfmpegError.
    """
    source = b"file:" + os.fsencode(os.path.abspath(path))
    command: list[str | bytes] = [
        *(program() or "ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", "-max_alloc", str(LARGEST_PART)),
        *("-protocol_whitelist", "file", "-f", demuxer, "-threads", "1", "-i", source),
        *("-map", "0:a:0", "-t", str(MAX_SECONDS + 1), "-c:a", "pcm_f32be", "-f", "au", "pipe:1"),
    ]  # fmt: skip
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    late = threading.Event()

    def stop() -> None:
        late.set()
        process.kill()

    watch = threading.Timer(LIMIT_SECONDS, stop)
    watch.daemon = True
    watch.start()
    log = _Log(process.stderr)
    try:
        _limit_memory(process.pid)
        header = process.stdout.read(AU_HEADER)
        start, _, _, rate, channels = struct.unpack(">4xIIIII", header.ljust(AU_HEADER, b"\0"))
        if channels:
            process.stdout.read(start - AU_HEADER)
            yield FfmpegStream(process.stdout, rate, channels)
        if process.stdout.read(1):  # there is more sound than is ever used
            process.kill()
            process.wait()
            return
        failed = process.wait() != 0
        complaints = log.read()
        if late.is_set():
            raise FfmpegError(f"takes too long to decode (more than {LIMIT_SECONDS} s)")
        if not channels or CUT_OFF.search(complaints):
            raise FfmpegError(_problem(complaints))
        if failed or complaints.strip():
            notes.append("Parts of the file could not be decoded, so some of its sound may be missing.")
    finally:
        watch.cancel()
        watch.join()
        process.kill()
        process.wait()
        process.stdout.close()
        log.read()
        process.stderr.close()


class _Log:
    """The beginning of what a process writes to a pipe.

    The rest is read and dropped, so that the process never waits.
    """

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe, self._kept = pipe, bytearray()
        self._reader = threading.Thread(target=self._drain, daemon=True)
        self._reader.start()

    def read(self) -> bytes:
        self._reader.join()
        return bytes(self._kept)

    def _drain(self) -> None:
        while content := self._pipe.read(LOG_BYTES):
            self._kept += content[: LOG_BYTES - len(self._kept)]


def _limit_memory(pid: int) -> None:
    if resource is not None and hasattr(resource, "prlimit"):  # Linux
        with suppress(OSError, ValueError):  # it has ended already
            resource.prlimit(pid, resource.RLIMIT_AS, (LIMIT_BYTES, LIMIT_BYTES))


def _problem(complaints: bytes) -> str:
    if NO_SOUND.search(complaints):
        return "holds no sound"
    if NO_DECODER.search(complaints):
        return "holds sound of a codec that cannot be decoded"
    return "is damaged or cut off"
