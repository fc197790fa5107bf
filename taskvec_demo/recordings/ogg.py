"""Ogg pages (RFC 3533): they tell the codec of a file, where its last page ends, and whether each page is whole."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

CAPTURE = b"OggS"
CODECS = {  # first bytes of a stream's first packet -> its codec
    b"\x01vorbis": "Vorbis",
    b"OpusHead": "Opus",
    b"\x7fFLAC": "FLAC",
    b"Speex   ": "Speex",
    b"CELT    ": "CELT",
    b"PCM     ": "PCM",
    b"\x80theora": "Theora",
    b"BBCD": "Dirac",
    b"\x01video": "video",
    b"fishead\0": "Skeleton",
}
SOUND = ("Vorbis", "Opus", "FLAC")  # codecs that libsndfile decodes, FLAC out of its Ogg
FLAC_MAPPING = 9  # bytes before the stream's own "fLaC": packet type, "FLAC", version, number of header packets
BEGIN, END = 2, 4  # flags of a stream's first and last page
_MIRRORED = bytes(int(f"{i:08b}"[::-1], 2) for i in range(256))


@dataclass(frozen=True)
class Page:
    start: int
    body: int
    end: int
    flags: int
    stream: bytes  # serial number


@dataclass(frozen=True)
class Ogg:
    """The codecs of a file in order, and its first stream of sound. `codec` is "" if no stream can be decoded."""

    codecs: tuple[str, ...]
    codec: str
    content: bytes  # the stream's pages, or for FLAC what they carry
    problem: str  # "" if every page is whole
    notes: tuple[str, ...]


def read_ogg(content: bytes) -> Ogg:
    """The first stream of sound in `content`, which starts with a page. Bytes behind the last page are left out."""
    pages, problem = _pages(content)
    names = {page.stream: _codec(content, page) for page in reversed(pages) if page.flags & BEGIN}
    codecs = tuple(_codec(content, page) for page in pages if page.flags & BEGIN)  # twice if another file follows
    sound = next((s for s in dict.fromkeys(page.stream for page in pages) if names.get(s) in SOUND), None)
    own = _until_end(page for page in pages if page.stream == sound)
    notes = []
    if problem == "" and own and not own[-1].flags & END:
        notes.append("The file was not closed properly, so its end may be missing.")
    if len([c for c in codecs if c in SOUND]) > 1:
        notes.append("The file holds several recordings, of which only the first is used.")
    codec = names[sound] if sound is not None else ""
    bad = next((page for page in own if not _sum_is_right(content, page)), None)
    if problem == "" and bad is not None:
        problem = "is damaged (a part of it does not match its checksum)"
    if codec == "FLAC":
        packets = b"".join(content[page.body : page.end] for page in own)
        return Ogg(codecs, codec, packets[FLAC_MAPPING:], problem, tuple(notes))
    return Ogg(codecs, codec, b"".join(content[page.start : page.end] for page in own), problem, tuple(notes))


def _until_end(pages: Iterable[Page]) -> list[Page]:
    """Pages up to the one that ends their stream: another may follow under the same number."""
    own = []
    for page in pages:
        own.append(page)
        if page.flags & END:
            break
    return own


def _pages(content: bytes) -> tuple[list[Page], str]:
    """All pages, and what is wrong with them."""
    pages: list[Page] = []
    at = 0
    while True:
        page = _page(content, at)
        if page is None:  # a page that was not finished, or other bytes behind the last page or between two pages
            following = content.find(CAPTURE, at)
            if following < 0:
                return pages, ""
            if following > at:
                return pages, "is damaged (something else lies between its pages)"
            return pages, "is cut off (its last page is incomplete)"
        pages.append(page)
        at = page.end


def _page(content: bytes, at: int) -> Page | None:
    """The page at `at` if all of it is there."""
    n = content[at + 26] if at + 27 <= len(content) and content[at : at + 4] == CAPTURE else None
    if n is None or at + 27 + n > len(content):
        return None
    body = at + 27 + n
    end = body + sum(content[at + 27 : body])
    return Page(at, body, end, content[at + 5], content[at + 14 : at + 18]) if end <= len(content) else None


def _codec(content: bytes, page: Page) -> str:
    packet = content[page.body : page.end]
    return next((name for magic, name in CODECS.items() if packet.startswith(magic)), "unknown")


def _sum_is_right(content: bytes, page: Page) -> bool:
    """Whether the page's checksum is right. It is the CRC-32 of zlib, but with mirrored bits and without inversions."""
    zeroed = content[page.start : page.start + 22] + bytes(4) + content[page.start + 26 : page.end]
    mirrored = ~zlib.crc32(zeroed.translate(_MIRRORED), 0xFFFFFFFF) & 0xFFFFFFFF
    stored = int.from_bytes(content[page.start + 22 : page.start + 26], "little")
    return int(f"{mirrored:032b}"[::-1], 2) == stored
