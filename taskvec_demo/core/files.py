"""Files that appear whole or not at all, their hashes, and what a file is when it is not what it was taken for."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from ..errors import BadArtifactError

FileKind = Literal["safetensors", "torch", "pointer", "page", "empty", "other"]
INSTEAD = {  # of what was to be read
    "pointer": "is a Git LFS pointer, not the file itself; run `git lfs pull` in the repository that it lies in",
    "page": "is a web page, not a file of tensors; download the file itself",
    "empty": "is empty",
}


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """The name to write under, beside `path`; the file is renamed to `path` when the block ends.

    No reader ever sees half a file: an error in the block, or a kill, leaves what was at `path` before.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """The same for a folder.

    The folder to fill exists and is empty. At `path` there may be nothing, or an empty folder.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.partial")
    shutil.rmtree(temporary, ignore_errors=True)  # what a killed run left
    temporary.mkdir()
    try:
        yield temporary
        if path.is_dir():
            path.rmdir()
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_if_there(path: Path) -> str:
    """SHA-256 of a file, or "" if it is missing; the code that opens it says so."""
    return sha256_of(path) if os.path.isfile(path) else ""  # also for a name too long for a file


def kind_of(path: str | Path) -> FileKind:
    """What a file is by its first bytes: whatever its name says, `torch` was written by `torch.save`."""
    with open(path, "rb") as file:
        head = file.read(64)
    if not head:
        return "empty"
    if head.startswith(b"version https://git-lfs.github.com/spec/"):
        return "pointer"
    if head.startswith((b"PK\x03\x04", b"\x80")) and head[8:9] != b"{":  # a zip file, or a pickle before torch 1.6
        return "torch"
    if head.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return "page"
    return "safetensors" if head[8:9] == b"{" else "other"


def check_content(path: str | Path) -> None:
    """Raise BadArtifactError if the file is not what its name says but a Git LFS pointer or a web page."""
    if Path(path).is_file() and (instead := INSTEAD.get(kind_of(path))):
        raise BadArtifactError(f"{path} {instead}.")
