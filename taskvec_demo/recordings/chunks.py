"""Containers that say how long their sound is: WAV in all its forms, AIFF, AU, CAF and W64.

The header of a file may give a wrong length although the sound is whole: a recorder died, an encoder wrote to a pipe,
or a tool was careless. If the length in the header makes no sense, `put_right` writes the true one. If it makes sense,
a shorter file is cut off, and `put_right` says so.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

STREAMED_BYTES = 0x7FFF0000  # a larger size means "unknown": recorders write such a size before they stop
MAX_MISSING = 44  # bytes; the size of a WAV header, which some tools count as sound
MIN_LEFT = 8820  # more bytes than this behind the sound get a note: 0.1 s of 16 bit mono at 44.1 kHz
UNCLOSED = "The file was not closed properly, so its length is counted and its end may be missing."
W64_RIFF, W64_DATA = (
    bytes.fromhex("726966662e91cf11a5d628db04c10000"),
    b"data\xf3\xac\xd3\x11\x8c\xd1\0\xc0O\x8e\xdb\x8a",
)
AIFC_BITS = {
    b"NONE": 0,
    b"sowt": 0,
    b"twos": 0,
    b"raw ": 0,
    b"fl32": 32,
    b"FL32": 32,
    b"fl64": 64,
    b"ulaw": 8,
    b"alaw": 8,
}


@dataclass(frozen=True)
class Put:
    """A container put right: what libsndfile reads, `problem` if its sound is cut off, `notes` for the user.

    `tag` is the format of a WAV (mmreg.h) or CAF, or the compression of an AIFF-C. `sound` holds the bytes in that
    format.
    """

    content: bytes
    tag: int | bytes = 0
    sound: bytes = b""
    problem: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Size:
    """How many bytes of sound there are, judged by the length that the header promises."""

    n: int
    problem: str = ""
    notes: tuple[str, ...] = ()


def put_right(content: bytes) -> Put | None:
    """The container in `content`, put right.

    None if it is no such container, or lacks a part that every such container has.
    """
    magic = content[:4]
    if magic in (b"RIFF", b"RIFX", b"RF64", b"BW64") and content[8:12] == b"WAVE":
        return _wav(content)
    if magic == b"FORM" and content[8:12] in (b"AIFF", b"AIFC"):
        return _aiff(content)
    if magic == b"caff":
        return _caf(content)
    if magic == b".snd":
        return _au(content)
    return _w64(content) if content.startswith(W64_RIFF) else None


def _judged(promised: int, there: int, contradicted: bool, rest: bytes = b"") -> _Size:
    """The size of the sound if the header promises `promised` bytes and `there` bytes follow.

    `contradicted`: the header says that the whole container is shorter, as it does before a recorder stops. `rest`
    would lie behind the sound if nothing was promised.
    """
    if promised == 0 and there and not _is_id(rest):
        return _Size(there, notes=(UNCLOSED,))
    if promised <= there:
        return _Size(promised)
    if promised >= STREAMED_BYTES:
        return _Size(there)
    if contradicted:
        return _Size(there, notes=(UNCLOSED,))
    if promised - there <= MAX_MISSING:
        return _Size(there, notes=(f"The last {promised - there} bytes of the file are missing.",))
    return _Size(there, f"is cut off (its header promises {promised} bytes of sound, it holds {there})")


def _is_id(content: bytes) -> bool:
    """Whether a chunk seems to start here: four letters and a size that fits."""
    return len(content) >= 8 and all(32 <= c < 127 for c in content[:4])


def _chunks(content: bytes, order: str) -> Iterator[tuple[bytes, int, int]]:
    """(id, where its content starts, size) of the chunks behind the first twelve bytes.

    A chunk of odd size should be padded with a byte. If another chunk starts right behind it, it was not padded.
    """
    at = 12
    while at + 8 <= len(content):
        name, size = struct.unpack_from(f"{order}4sI", content, at)
        yield name, at + 8, size
        end = at + 8 + size
        at = end + size % 2
        if size % 2 and _is_id(content[end : end + 8]) and not _is_id(content[at : at + 8]):
            at = end


def _wav(content: bytes) -> Put | None:
    """A WAV that holds nothing but format and sound, made from a RIFF, RF64 or BW64."""
    order = ">" if content[:4] == b"RIFX" else "<"
    first: dict[bytes, tuple[int, int]] = {}
    for name, start, size in _chunks(content, order):
        first.setdefault(name, (start, size))
        if b"data" in first and b"fmt " in first:
            break
    if b"data" not in first and b"fmt " in first:  # a chunk between them has a wrong size
        at = content.find(b"data", first[b"fmt "][0])
        if at >= 0 and at + 8 <= len(content):
            first[b"data"] = at + 8, struct.unpack_from(f"{order}I", content, at + 4)[0]
    if b"data" not in first or b"fmt " not in first:
        return None
    start, promised = first[b"data"]
    whole = struct.unpack_from(f"{order}I", content, 4)[0]
    if b"ds64" in first and first[b"ds64"][1] >= 16 and promised in (0, 0xFFFFFFFF):
        whole, promised = struct.unpack_from("<QQ", content.ljust(first[b"ds64"][0] + 16), first[b"ds64"][0])
    elif content[:4] in (b"RF64", b"BW64"):
        whole = start + promised  # no header says where it ends
    there = len(content) - start
    found = _judged(promised, there, whole + 8 + MAX_MISSING < start + promised, content[start : start + 8])
    fmt = content[first[b"fmt "][0] :][: first[b"fmt "][1]]
    fact = content[first[b"fact"][0] :][: first[b"fact"][1]] if b"fact" in first else b""
    if len(fmt) < 14:
        return None
    sound = content[start : start + found.n]
    parts = [(b"fmt ", fmt), *([(b"fact", fact)] if fact else []), (b"data", sound)]
    body = b"".join(struct.pack(f"{order}4sI", name, len(part)) + part + bytes(len(part) % 2) for name, part in parts)
    mended = struct.pack(f"{order}4sI4s", b"RIFX" if order == ">" else b"RIFF", 4 + len(body), b"WAVE") + body
    left = content[start + found.n :].lstrip(b"\0")
    notes = found.notes
    if len(left) >= MIN_LEFT and not _is_id(left):
        notes += (f"Behind the sound that the file's header speaks of, {len(left)} bytes are not used.",)
    tag = struct.unpack_from(f"{order}H", fmt)[0]
    if tag == 0xFFFE and len(fmt) >= 26:  # extensible: the format is the beginning of a GUID
        tag = struct.unpack_from(f"{order}H", fmt, 24)[0]
    return Put(mended, tag, sound, found.problem, notes)


def _aiff(content: bytes) -> Put | None:
    first: dict[bytes, tuple[int, int]] = {}
    for name, start, size in _chunks(content, ">"):
        first.setdefault(name, (start, size))
        if b"COMM" in first and b"SSND" in first:
            break
    if b"COMM" not in first or b"SSND" not in first or first[b"COMM"][0] + 18 > len(content):
        return None
    common, (start, promised) = first[b"COMM"][0], first[b"SSND"]
    channels, frames, bits = struct.unpack_from(">hIh", content, common)
    kind = content[common + 18 : common + 22] if content[8:12] == b"AIFC" else b"NONE"
    there, whole = len(content) - start, struct.unpack_from(">I", content, 4)[0]
    if promised == 8 and not frames and there > 8:  # only the offset and the block size: the sound was not written yet
        promised = 0
    found = _judged(promised, there, whole + 8 + MAX_MISSING < start + promised, content[start + 8 : start + 16])
    if found.n == promised or kind not in AIFC_BITS or found.problem:
        return Put(content, kind, content[start + 8 : start + found.n], found.problem, found.notes)
    frame = channels * (((AIFC_BITS[kind] or bits) + 7) // 8)
    mended = bytearray(content)
    struct.pack_into(">I", mended, 4, len(content) - 8)
    struct.pack_into(">I", mended, start - 4, found.n)
    struct.pack_into(">I", mended, common + 2, max(0, found.n - 8) // max(1, frame))
    return Put(bytes(mended), kind, content[start + 8 : start + found.n], "", found.notes)


def _au(content: bytes) -> Put | None:
    if len(content) < 24:
        return None
    start, promised = struct.unpack_from(">II", content, 4)
    there = max(0, len(content) - start)
    found = _judged(promised, there, contradicted=False)
    mended = content[:8] + struct.pack(">I", found.n) + content[12:]
    return Put(mended, content[12:16], content[start : start + found.n], found.problem, found.notes)


def _caf(content: bytes) -> Put | None:
    """The size and format of a CAF's sound.

    Chunks have sizes of 64 bits; -1 is allowed for a sound that goes on to the end of the file.
    """
    at, kind = 8, b""
    while at + 12 <= len(content):
        name, promised = struct.unpack_from(">4sq", content, at)
        start = at + 12
        if name == b"desc":
            kind = content[start + 8 : start + 12]
        if name == b"data":
            there = len(content) - start
            found = _judged(promised if promised > 4 else 0 if promised >= 0 else STREAMED_BYTES + there, there, False)
            mended = content[: at + 4] + struct.pack(">q", found.n) + content[start : start + found.n]
            behind = b"" if promised < 0 else content[start + found.n :]  # such as the lengths of packets
            return Put(mended + behind, kind, content[start + 4 : start + found.n], found.problem, found.notes)
        if promised < 0:
            break
        at = start + promised
    return None


def _w64(content: bytes) -> Put | None:
    """The size of a W64's sound. Sizes have 64 bits and count the 24 bytes of the chunk's own header."""
    at, whole = 40, struct.unpack_from("<Q", content.ljust(24, b"\0"), 16)[0]
    while at + 24 <= len(content):
        promised = struct.unpack_from("<Q", content, at + 16)[0]
        if content[at : at + 16] == W64_DATA:
            there, promised = len(content) - at - 24, max(0, promised - 24)
            found = _judged(promised, there, whole + MAX_MISSING < at + promised)
            sizes = struct.pack("<Q", at + 24 + found.n), struct.pack("<Q", 24 + found.n)
            mended = content[:16] + sizes[0] + content[24 : at + 16] + sizes[1] + content[at + 24 :][: found.n]
            return Put(mended, 0, content[at + 24 :][: found.n], found.problem, found.notes)
        at += max(24, (promised + 7) // 8 * 8)
    return None
