"""Two things make a training resumable to the bit: random draws that depend on their place alone, and a state on
disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from ...core.files import whole_file
from ...errors import TaskVecError

SAVE_SECONDS = 120  # at most so much work is lost by a kill


@contextlib.contextmanager
def drawing(*place: object, device: torch.device | None = None) -> Iterator[None]:
    """Random numbers that are drawn inside depend on `place` (seed, epoch, step, …) alone.

    The global state stays as it was.

    So a resumed run need not restore any generator, and every process can draw the same batch. The global generator is
    set, because `augment` and dropout draw from it.
    """
    with torch.random.fork_rng(devices=[device] if device is not None and device.type == "cuda" else []):
        torch.manual_seed(zlib.crc32("/".join(map(str, place)).encode()))
        yield


def fingerprint(parts: Iterable[str | bytes]) -> str:
    """Hash of all that a training depends on, in order."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()


def shapes(module: torch.nn.Module) -> Iterator[str]:
    """Name and shape of every parameter, for the `fingerprint` of a training that may be given more clips or steps."""
    return (f"{name} {tuple(p.shape)}" for name, p in module.named_parameters())


class StateFile:
    """Where the state of one training lies on disk. A kill leaves the old state or the new one, never half of one.

    `key` names the training (see `fingerprint`), `origin` what it begins from, where that is a matter of choice.
    Without a path, or where `writes` is false (all processes but the main one), nothing is written.
    """

    def __init__(self, path: Path | None, key: str = "", *, origin: str = "", writes: bool = True) -> None:
        self.path, self.key, self.origin, self._writes = path, key, origin, writes
        self._written = time.monotonic()

    def read(self) -> dict[str, Any] | None:
        """The state (CPU tensors) that was written last; none where there is none of this training.

        A state of another training, or a file that cannot be read, is reported and not used; it is written over later.
        Raises TaskVecError for a state of this training that began from something else.
        """
        if self.path is None or not self.path.is_file():
            return None
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises errors of many kinds for a file that is not its own
            kind = type(error).__name__
            tqdm.write(f"{self.path} cannot be read as a training state ({kind}): training begins anew.")
            return None
        if not isinstance(state, dict) or state.get("key") != self.key:
            tqdm.write(f"{self.path} is the state of another training: this one begins anew.")
            return None
        if state.get("origin", self.origin) != self.origin:
            raise TaskVecError(
                f"{self.path} is of a run that began from another checkpoint, or from none: give the same --start as "
                "then, or another --work."
            )
        return state

    def write(self, state: Mapping[str, Any]) -> None:
        if self.path is not None and self._writes:
            with whole_file(self.path) as temporary:
                torch.save({"key": self.key, "origin": self.origin, **state}, temporary)
        self._written = time.monotonic()

    def write_when_due(self, state: Callable[[], Mapping[str, Any]]) -> None:
        """Write what `state` gives if the last writing is more than SAVE_SECONDS ago."""
        if time.monotonic() - self._written > SAVE_SECONDS:
            self.write(state())
