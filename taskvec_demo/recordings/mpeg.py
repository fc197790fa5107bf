"""MPEG audio (mp3, mp2): frames are counted one by one, because the length in a header is often wrong.

A frame starts with 11 set bits, then version, layer, bit rate and sampling rate (ISO 11172-3, 13818-3). The first frame
may give the number of frames (the Xing or Info header). Without it, libsndfile guesses the length from the bit rate of
the first frame and stops reading there. So a stream whose header is missing or wrong gets a header with the counted
number.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

KILOBITS = {  # (version 1, layer) -> kbit/s by index; versions 2 and 2.5 are alike
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}  # version bits -> Hz
MAX_JUNK = 2**16  # bytes between two frames that are searched for the next one
MAX_SKIPPED = 2**20  # bytes in all, after which nothing more is searched for
CERTAIN_FRAMES = 4  # frames in a row; if something else comes before them, fewer may be an accident
FRAMES_FLAG, BYTES_FLAG = 1, 2  # of a Xing header: which numbers follow


@dataclass(frozen=True)
class Frame:
    """The header of a frame, from its four bytes."""

    kind: tuple[int, int, int]  # version bits, layer, Hz: the same in all frames of a stream
    mono: bool
    bytes: int  # of the frame
    samples: int  # a channel

    @property
    def side_info(self) -> int:
        """Bytes between the header and the data of a layer III frame, where a Xing header starts."""
        return (17 if self.mono else 32) if self.kind[0] == 3 else (9 if self.mono else 17)


@dataclass(frozen=True)
class Frames:
    """The frames of a stream: where they lie, and what they hold."""

    first: int  # where the first starts, which may be a Xing header's own
    spans: tuple[tuple[int, int], ...]  # start and end of each row of frames that hold sound
    n: int  # number of frames that hold sound, without that of a Xing header
    samples: int  # a channel
    rate: int  # Hz
    promised: int | None  # frames, by a Xing header; None without one
    skipped: int  # bytes between frames that belong to none
    incomplete: bool  # whether the last frame goes on behind the end of the file

    @property
    def seconds(self) -> float:
        return self.samples / self.rate


def frame_at(content: bytes, at: int) -> Frame | None:
    """The frame whose header is at `at`; None if there is none, or one of free bit rate."""
    if at + 4 > len(content) or content[at] != 0xFF or content[at + 1] & 0xE0 != 0xE0:
        return None
    version, layer = content[at + 1] >> 3 & 3, 4 - (content[at + 1] >> 1 & 3)
    bits, rate, padding = content[at + 2] >> 4, content[at + 2] >> 2 & 3, content[at + 2] >> 1 & 1
    if version == 1 or layer == 4 or bits in (0, 15) or rate == 3:
        return None
    hertz, per_second = RATES[version][rate], 1000 * KILOBITS[version == 3, layer][bits]
    samples = 384 if layer == 1 else 576 if layer == 3 and version != 3 else 1152
    size = (12 * per_second // hertz + padding) * 4 if layer == 1 else samples // 8 * per_second // hertz + padding
    return Frame((version, layer, hertz), content[at + 3] >> 6 == 3, size, samples)


def frames_of(content: bytes, max_seconds: float) -> Frames | None:
    """The frames of a stream, counted until soon after `max_seconds`; None if this is no MPEG audio."""
    first = _first(content)
    if first is None:
        return None
    head = frame_at(content, first)
    assert head is not None
    promised = _promised(content, first, head)
    at = start = first if promised is None else first + head.bytes
    spans: list[tuple[int, int]] = []
    n = skipped = 0
    while n * head.samples <= max_seconds * head.kind[2]:
        frame = frame_at(content, at)
        if frame is not None and frame.kind == head.kind:
            n, at = n + 1, at + frame.bytes
            continue
        found = _next(content, at, head.kind) if skipped < MAX_SKIPPED else None
        if found is None:
            break
        spans.append((start, at))
        skipped, at, start = skipped + found - at, found, found
    spans.append((start, min(at, len(content))))
    return Frames(first, tuple(spans), n, n * head.samples, head.kind[2], promised, skipped, at > len(content))


def with_counted_header(content: bytes, frames: Frames) -> bytes:
    """The frames alone, behind a header with their number, unless the stream's own header has the right number."""
    head = frame_at(content, frames.first)
    assert head is not None
    sound = b"".join(content[start:end] for start, end in frames.spans)
    if frames.promised == frames.n or head.kind[1] != 3:
        return content[frames.first : frames.spans[0][0]] + sound
    first = frame_at(sound, 0) or head
    # 192 bytes hold every Xing header: index 8 of version 1 is 112 kbit/s, of the others 64; no CRC, no padding.
    header = bytes([0xFF, sound[1] | 1, 0x80 | sound[2] & 0x0C, sound[3]])
    own = frame_at(header, 0)
    assert own is not None
    xing = struct.pack(">4sIII", b"Xing", FRAMES_FLAG | BYTES_FLAG, frames.n, len(sound) + own.bytes)
    return (header + bytes(first.side_info) + xing).ljust(own.bytes, b"\0") + sound


def _first(content: bytes) -> int | None:
    """The start of the first frame: behind zeros, or behind other bytes if several frames follow each other."""
    zeros = len(content) - len(content.lstrip(b"\0"))
    if _row(content, zeros) >= 2 or (_row(content, zeros) == 1 and _ends(content, zeros)):
        return zeros
    at = content.find(b"\xff", zeros, zeros + MAX_JUNK)
    while at >= 0:
        if _row(content, at) >= CERTAIN_FRAMES:
            return at
        at = content.find(b"\xff", at + 1, zeros + MAX_JUNK)
    return None


def _row(content: bytes, at: int) -> int:
    """Frames of one kind that follow each other from `at`, up to `CERTAIN_FRAMES`."""
    kind, n = None, 0
    while n < CERTAIN_FRAMES and (frame := frame_at(content, at)) is not None and kind in (None, frame.kind):
        kind, n, at = frame.kind, n + 1, at + frame.bytes
    return n


def _ends(content: bytes, at: int) -> bool:
    frame = frame_at(content, at)
    return frame is not None and at + frame.bytes >= len(content)


def _next(content: bytes, at: int, kind: tuple[int, int, int]) -> int | None:
    """The next place from where two frames of `kind` follow each other."""
    place = content.find(b"\xff", at + 1, at + MAX_JUNK)
    while place >= 0:
        frame = frame_at(content, place)
        if frame is not None and frame.kind == kind and _row(content, place) >= 2:
            return place
        place = content.find(b"\xff", place + 1, at + MAX_JUNK)
    return None


def _promised(content: bytes, at: int, head: Frame) -> int | None:
    """The number of frames by the Xing or Info header in the frame at `at`: 0 if the header does not tell, None without
    a header.
    """
    if head.kind[1] != 3:
        return None
    if content[at + 36 : at + 40] == b"VBRI":
        return int.from_bytes(content[at + 50 : at + 54], "big")
    place = at + 4 + head.side_info
    if content[place : place + 4] not in (b"Xing", b"Info"):
        return None
    flags, n = struct.unpack(">II", content[place + 4 : place + 12].ljust(8, b"\0"))
    return n if flags & FRAMES_FLAG else 0
