"""The kind of a file, told by its first bytes and in a user's words, and the program that can decode it.

Files are judged by their content, never by their name. libsndfile decodes some kinds. ffmpeg decodes the others if it
is installed; otherwise the error names the kind.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

WAV_CODECS = {  # numbers of mmreg.h that libsndfile does not decode -> name
    0x0020: "Yamaha ADPCM", 0x0022: "TrueSpeech", 0x0042: "G.723.1", 0x0045: "G.726", 0x0064: "G.726", 0x0065: "G.722",
    0x0069: "Xbox ADPCM", 0x0083: "G.729", 0x0092: "AC-3", 0x00FF: "AAC", 0x0130: "ACELP", 0x0160: "WMA", 0x0161: "WMA",
    0x0162: "WMA Pro", 0x0163: "WMA Lossless", 0x0200: "Creative ADPCM", 0x0270: "ATRAC3", 0x028F: "G.722",
    0x1600: "AAC", 0x1602: "AAC", 0x1610: "AAC", 0x2000: "AC-3", 0x2001: "DTS", 0x4143: "AAC", 0x5756: "WavPack",
    0x674F: "Vorbis", 0x6750: "Vorbis", 0x6751: "Vorbis", 0x676F: "Vorbis", 0x6770: "Vorbis", 0x6771: "Vorbis",
    0x704F: "Opus", 0x706D: "AAC", 0xA106: "AAC", 0xA109: "Speex", 0xF1AC: "FLAC",
}  # fmt: skip
KNOWN_BITS = {1: (8, 16, 24, 32), 2: (4,), 3: (32, 64), 6: (8,), 7: (8,), 0x11: (4,), 0x31: (0,)}  # libsndfile's own
MPEG_TAGS = (0x0050, 0x0055)  # a WAV around MPEG audio: layer 1 or 2, layer 3
CODE_NAMES = {  # codes of CAF and AIFF-C -> name
    b"aac ": "AAC", b"aach": "AAC", b"aacp": "AAC", b"alac": "ALAC", b"opus": "Opus", b"Opus": "Opus", b".mp3": "mp3",
    b".mp1": "MP1", b".mp2": "MP2", b"flac": "FLAC", b"samr": "AMR", b"sawb": "AMR", b"ilbc": "iLBC", b"ima4": "ADPCM",
    b"MAC3": "MACE 3:1", b"MAC6": "MACE 6:1", b"QDM2": "QDesign", b"QDMC": "QDesign", b"Qclp": "QCELP", b"ac-3": "AC-3",
    b"ec-3": "E-AC-3", b"GSM ": "GSM", b"G722": "G.722", b"G726": "G.726", b"DWVW": "DWVW", b"lpcm": "PCM",
}  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """`what` a file is, as it follows "is" in a sentence; `demuxer` is ffmpeg's name of the format, "" if ffmpeg is not
    asked.
    """

    what: str
    demuxer: str = ""


DAMAGED = Kind("damaged or cut off")
NOTHING_KNOWN = Kind("not a recording that can be decoded")
_FOREIGN = (  # first bytes -> kind, the first that matches
    (rb".{4}ftyp3g", Kind("a 3GP file", "mov")),
    (rb".{4}ftypqt", Kind("a QuickTime file", "mov")),
    (rb".{4}(ftyp|moov|wide|mdat|free|skip)", Kind("an MP4 or M4A file", "mov")),
    (rb"\x1aE\xdf\xa3", Kind("a WebM or Matroska file", "matroska")),
    (rb"#!AMR", Kind("an AMR voice recording", "amr")),
    (rb"\x02?#!SILK_V3", Kind("a SILK voice message, which cannot be decoded")),
    (rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11", Kind("a WMA or other Windows Media file", "asf")),
    (rb"RIFF.{4}AVI ", Kind("an AVI video", "avi")),
    (rb"RIFF.{4}WEBP", Kind("a WebP image, not a recording")),
    (rb"ADIF", Kind("an AAC file with an ADIF header", "aac")),
    (rb"\x56[\xe0-\xff]", Kind("an AAC file in LATM", "loas")),
    (rb"wvpk", Kind("a WavPack file", "wv")),
    (rb"MAC ", Kind("a Monkey's Audio file", "ape")),
    (rb"MPCK", Kind("a Musepack file", "mpc8")),
    (rb"MP\+", Kind("a Musepack file", "mpc")),
    (rb"TTA1", Kind("a True Audio file", "tta")),
    (rb"tBaK", Kind("a TAK file", "tak")),
    (rb"ajkg", Kind("a Shorten file", "shn")),
    (rb"DSD ", Kind("a DSD file", "dsf")),
    (rb"FRM8", Kind("a DSD file", "iff")),
    (rb"\x0b\x77", Kind("an AC-3 file", "ac3")),
    (rb"\x7f\xfe\x80\x01", Kind("a DTS file", "dts")),
    (rb"FLV\x01", Kind("a Flash video", "flv")),
    (rb"\.RMF|\.ra\xfd", Kind("a RealAudio file", "rm")),
    (rb"\0\0\x01\xba", Kind("an MPEG video", "mpeg")),
    (rb"G.{187}G", Kind("an MPEG transport stream", "mpegts")),
    (rb"MThd", Kind("a MIDI file, which holds notes and no sound")),
    (rb"\x89PNG|\xff\xd8\xff|GIF8|BM.{4}\0\0\0\0", Kind("not a recording that can be decoded but an image")),
    (rb"%PDF", Kind("not a recording that can be decoded but a PDF document")),
    (rb"PK\x03\x04|\x1f\x8b|7z\xbc\xaf|Rar!", Kind("not a recording that can be decoded but an archive")),
    (rb"\s*<(?i:!doctype|html)", Kind("not a recording that can be decoded but a web page")),
    (rb"version https://git-lfs", Kind("a Git LFS pointer in place of a recording, which `git lfs pull` fetches")),
)  # fmt: skip
_ADTS = re.compile(rb"\xff[\xf0\xf1\xf8\xf9]", re.DOTALL)


def foreign_kind(content: bytes) -> Kind | None:
    """The kind of a file that libsndfile does not decode; None for all others."""
    if is_adts(content):
        return Kind("an AAC file", "aac")
    return next((kind for magic, kind in _FOREIGN if re.match(magic, content, re.DOTALL)), None)


def is_adts(content: bytes) -> bool:
    """Whether two frames of AAC follow each other (ISO 13818-7), or one is all there is."""
    size = _adts_size(content, 0)
    return bool(size) and (size >= len(content) or _adts_size(content, size) > 0)


def _adts_size(content: bytes, at: int) -> int:
    """Bytes of the frame at `at`; 0 if there is none."""
    head = content[at : at + 7]
    if len(head) < 7 or not _ADTS.match(head) or (head[2] >> 2 & 15) > 12:
        return 0
    size = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return size if size > 7 else 0


def wav_kind(tag: int, bits: int) -> Kind:
    """A WAV that libsndfile did not open: by its codec, or by the form of its samples."""
    if bits in KNOWN_BITS.get(tag, ()):
        return DAMAGED
    codec = WAV_CODECS.get(tag)
    form = f"{codec} sound" if codec else f"sound of a form that cannot be decoded (format 0x{tag:04X}, {bits} bits)"
    return Kind(f"a WAV file with {form}", "wav")


def ogg_kind(codecs: tuple[str, ...]) -> Kind:
    """An Ogg file that libsndfile does not decode."""
    return Kind(f"an Ogg file with {' and '.join(codecs) or 'unknown'} streams", "ogg")


def coded_kind(container: str, code: bytes, demuxer: str) -> Kind:
    """A CAF or AIFF-C file that libsndfile does not decode."""
    spelled = "".join(chr(c) if 32 < c < 127 else "?" for c in code)
    return Kind(f"{container} with {CODE_NAMES.get(code, f'the codec {spelled}')} sound", demuxer)
