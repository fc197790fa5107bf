"""A visitor's .zip, unpacked into a temporary folder that is gone when its reader is done.

Nothing in the archive is trusted: neither its names, nor how many files it says it has, nor how large they are.
"""

from __future__ import annotations

import lzma
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..errors import BadArtifactError, shortened
from ..recordings.limits import shown_name
from ..recordings.tables import tables_in

ENTRY = b"PK\x01\x02"  # begins each entry of an archive's list of files
BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, ValueError, OSError)


@dataclass(frozen=True)
class Limits:
    """Of an archive: its files, and their bytes when they are unpacked."""

    files: int
    bytes: int

    @property
    def accepted(self) -> str:
        return f"a .zip of at most {self.files:,} files and {self.bytes / 1e6:,.0f} MB when unpacked"


@contextmanager
def unzipped(archive: Path, limits: Limits) -> Iterator[Path]:
    """The folder with the files of `archive`, which is removed at the end.

    It has the name of the archive, so that a sentence may say it. Files of systems, as `__MACOSX/` and names with a dot
    in front, are left out. If everything lies in one folder with folders or a table in it, that is the one. Raises
    BadArtifactError: one sentence names the archive, what is wrong with it and what is accepted.
    """
    name = shown_name(archive)

    def wrong(problem: str) -> BadArtifactError:
        return BadArtifactError(f"{name} {problem}; accepted is {limits.accepted}.")

    with tempfile.TemporaryDirectory(prefix="own-set-") as temporary:
        root = Path(temporary) / name
        root.mkdir()
        try:
            if _entries(archive) > 2 * limits.files:  # before they are listed: a million entries fill the memory
                raise wrong("holds too many files")
            with zipfile.ZipFile(archive) as opened:
                _unpack(opened, root, limits, wrong)
        except BROKEN as error:
            raise wrong("is no .zip that can be unpacked") from error
        yield _inner(root)


def _entries(archive: Path) -> int:
    with archive.open("rb") as file:
        return sum(block.count(ENTRY) for block in iter(lambda: file.read(2**20), b""))


def _unpack(opened: zipfile.ZipFile, root: Path, limits: Limits, wrong: Callable[[str], BadArtifactError]) -> None:
    wanted = []
    for info in opened.infolist():
        if not info.filename:  # zipfile cuts a name at its first NUL
            raise wrong("holds a file without a name")
        path = PurePosixPath(info.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in (path.parts or ("",))[0]:
            raise wrong(f"holds {shortened(info.filename)!r}, which lies outside of it")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise wrong(f"holds {shortened(info.filename)!r}, which is a link and no file")
        if not (info.is_dir() or any(part.startswith((".", "__MACOSX")) for part in path.parts)):
            wanted.append((info, path))
    if not wanted:
        raise wrong("holds no file")
    if len(wanted) > limits.files:
        raise wrong(f"holds {len(wanted):,} files")
    if (size := sum(info.file_size for info, _ in wanted)) > limits.bytes:
        raise wrong(f"holds {size / 1e6:,.0f} MB when unpacked")
    if any(info.flag_bits & 1 for info, _ in wanted):
        raise wrong("is locked with a password")
    for info, path in wanted:
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with opened.open(info) as packed, target.open("wb") as file:  # zipfile reads no more than `file_size`
            shutil.copyfileobj(packed, file)


def _inner(folder: Path) -> Path:
    """The folder itself, or the one below it that holds everything."""
    below = list(folder.iterdir())
    while (
        len(below) == 1
        and below[0].is_dir()
        and (tables_in(below[0]) or any(path.is_dir() for path in below[0].iterdir()))
    ):
        folder = below[0]
        below = list(folder.iterdir())
    return folder
