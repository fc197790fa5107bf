"""The content of a file and what is known of it before decoding. A container that is slightly wrong is put right."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from . import kinds, mpeg
from .chunks import Put, put_right
from .kinds import Kind
from .limits import MAX_SECONDS, refusal
from .ogg import CAPTURE, read_ogg

NATIVE = (b"RIFF", b"RIFX", b"RF64", b"BW64", b"fLaC", CAPTURE, b"FORM", b"caff", b".snd")  # libsndfile's own
APE_HEADER = 2**31  # flag of an APE tag: it has a header, which the size in its footer does not count


@dataclass(frozen=True)
class Source:
    """`content` is what libsndfile reads, None if it does not read such a file at all.

    `kind` says what the file is if libsndfile does not open it. `frames` is a counted number. If it is None and
    `promises` is set, the header's number is trusted: a file that holds fewer frames is cut off. `notes` are whole
    sentences for the user.
    """

    content: bytes | None
    kind: Kind
    frames: int | None = None
    promises: bool = True
    notes: tuple[str, ...] = ()


def identified(content: bytes, name: str) -> Source:
    """The source of the file `name`.

    Raises BadAudioError if the file is cut off, damaged or too long, as far as that can be seen here.
    """
    bare = without_tags(content)
    kind = kinds.foreign_kind(bare)
    if kind is not None:
        return Source(None, kind)
    if bare.startswith(CAPTURE):
        return _ogg(bare, name)
    put = put_right(bare)
    if put is not None:
        return _put(bare, put, name)
    frames = None if bare.startswith(NATIVE) else mpeg.frames_of(bare, MAX_SECONDS)
    if frames is not None:
        return _mpeg(bare, frames, name)
    known = bare.startswith(NATIVE) or bare != content
    return Source(bare, kinds.DAMAGED if known else kinds.NOTHING_KNOWN)


def without_tags(content: bytes) -> bytes:
    """The content without ID3 tags before it and without ID3, APE and Lyrics3 tags behind it, which tagging programs
    add to any file.
    """
    start, end = 0, len(content)
    while content[start : start + 3] == b"ID3" and start + 10 <= end:
        size = sum(
            min(byte, 127) << shift for byte, shift in zip(content[start + 6 : start + 10], (21, 14, 7, 0), strict=True)
        )
        start += 10 + size + 10 * (content[start + 5] >> 4 & 1)
    while tag := _tag_behind(content[max(start, end - 400) : end], content, end):
        end -= tag
    return content[start : max(start, end)] if start or end < len(content) else content


def _tag_behind(last: bytes, content: bytes, end: int) -> int:
    """Bytes of the tag that ends at `end`, whose `last` few hundred bytes are given; 0 if there is none."""
    if last[-128:-125] == b"TAG":
        return 128 + 227 * (last[-355:-351] == b"TAG+")
    if last[-32:-24] == b"APETAGEX":
        size, _, flags = struct.unpack("<III", last[-20:-8])
        return min(end, size + 32 * bool(flags & APE_HEADER))
    if last[-9:] in (b"LYRICS200", b"LYRICSEND"):
        begin = content.rfind(b"LYRICSBEGIN", 0, end)
        return end - begin if begin >= 0 else 0
    if last[-10:-7] == b"3DI":  # the footer of an ID3 tag that comes last
        return min(end, 20 + sum(byte << shift for byte, shift in zip(last[-4:], (21, 14, 7, 0), strict=True)))
    return 0


def _ogg(bare: bytes, name: str) -> Source:
    found = read_ogg(bare)
    if found.problem:
        raise refusal(name, found.problem)
    kind = kinds.ogg_kind(found.codecs)
    if not found.codec:
        return Source(None, kind, notes=found.notes) if found.codecs else Source(None, kinds.DAMAGED)
    return Source(found.content, kind, promises=False, notes=found.notes)


def _put(bare: bytes, put: Put, name: str) -> Source:
    if put.problem:
        raise refusal(name, put.problem)
    if put.tag in kinds.MPEG_TAGS:
        frames = mpeg.frames_of(put.sound, MAX_SECONDS)
        if frames is not None:
            return _mpeg(put.sound, frames, name, put.notes)
    if isinstance(put.tag, int):
        bits = int.from_bytes(put.content[34:36], "big" if put.content[:4] == b"RIFX" else "little")
        kind = kinds.wav_kind(put.tag, bits)
    elif bare.startswith(b"FORM"):
        kind = kinds.coded_kind("an AIFF file", put.tag, "aiff")
    elif bare.startswith(b"caff"):
        kind = kinds.coded_kind("a CAF file", put.tag, "caf")
    else:
        kind = Kind("an AU file with sound of a form that cannot be decoded", "au")
    return Source(put.content, kind, notes=put.notes)


def _mpeg(content: bytes, frames: mpeg.Frames, name: str, notes: tuple[str, ...] = ()) -> Source:
    if frames.seconds > MAX_SECONDS:
        raise refusal(name, f"is too long (more than {MAX_SECONDS // 60} min)")
    if not frames.n:
        raise refusal(name, "holds no samples")
    if frames.skipped:
        notes += (f"The file is damaged: {frames.skipped} bytes between its frames were skipped.",)
    if frames.promised and frames.promised > frames.n + 1:
        share = 100 * frames.n / frames.promised
        notes += (f"The file seems to be cut off: it holds {share:.0f} % of what its header speaks of.",)
    elif frames.incomplete:
        notes += ("The last frame of the file is incomplete, so its end may be missing.",)
    sound = mpeg.with_counted_header(content, frames)
    return Source(sound, kinds.DAMAGED, frames.samples, promises=False, notes=notes)
