"""What makes a training resumable to the bit: random draws that depend on their place, and the state on disk."""

from __future__ import annotations

import contextlib
import hashlib
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from ...core.files import whole_file


@contextlib.contextmanager
def drawing(*place: object, device: torch.device | None = None) -> Iterator[None]:
    """Random numbers drawn inside depend on `place` (seed, epoch, step, …) alone, and leave the global state as it was.

    So a resumed run need not restore any generator, and every process can draw the very same batch. Global, because
    `augment` and dropout draw from the global generator.
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


def write_state(path: Path, key: str, state: Mapping[str, Any]) -> None:
    """Write the state of the training `key`: a kill leaves the old one or the new one, never half of one."""
    with whole_file(path) as temporary:
        torch.save({"key": key, **state}, temporary)


def read_state(path: Path, key: str) -> dict[str, Any] | None:
    """The state (CPU tensors) that `write_state` left for the training `key`; none where there is none for it.

    A state of another training, or a file that cannot be read, is not taken: said, and written over later.
    """
    if not path.is_file():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch names no common kind for a file that is not its own
        tqdm.write(f"{path} cannot be read as a training state ({type(error).__name__}): training begins anew.")
        return None
    if not isinstance(state, dict) or state.get("key") != key:
        tqdm.write(f"{path} is the state of another training: this one begins anew.")
        return None
    return state
