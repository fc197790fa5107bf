"""Files whose container is slightly wrong: whole sound is read, and missing sound is reported."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from taskvec_demo.recordings.audio import load_clip
from taskvec_demo.recordings.mpeg import frame_at, frames_of
from tests.support.audio_files import MP3, OPUS, RATE, VORBIS, encode, peak_frequency, refusal, saved, tone

SECONDS = 2.0
SOUND = tone(SECONDS, RATE)
UNKNOWN = 0xFFFFFFFF
ID3_BEFORE = b"ID3\4\0\0\0\0\1\x48" + b"TIT2" + bytes(196)  # 200 bytes behind its header of ten
APE = struct.pack("<IIII", 2000, 40, 1, 2**31)  # version, bytes without the header, items, "there is a header"
TAGS_BEHIND = {
    "id3v1": b"TAG" + b"a title".ljust(125, b"\0"),
    "ape": b"APETAGEX" + APE + bytes(8) + b"x" * 8 + b"APETAGEX" + APE + bytes(8),
    "lyrics3": b"LYRICSBEGIN" + b"la la la" + b"000019LYRICS200",
    "id3v2 and its footer": ID3_BEFORE.replace(b"\4\0\0", b"\4\0\x10") + b"3DI" + ID3_BEFORE[3:10],
}  # fmt: skip
FORMATS = {
    "wav": ("WAV", "PCM_16"), "24 bit": ("WAV", "PCM_24"), "float": ("WAV", "FLOAT"), "8 bit": ("WAV", "PCM_U8"),
    "mu-law": ("WAV", "ULAW"), "adpcm": ("WAV", "IMA_ADPCM"), "extensible": ("WAVEX", "PCM_16"),
    "rf64": ("RF64", "PCM_16"), "flac": ("FLAC", "PCM_16"), "ogg": VORBIS, "opus": OPUS, "mp3": MP3,
    "aiff": ("AIFF", "PCM_16"), "au": ("AU", "PCM_16"), "caf": ("CAF", "PCM_16"), "w64": ("W64", "PCM_16"),
}  # fmt: skip
RIFF_FORMATS = [name for name, (container, _) in FORMATS.items() if container in ("WAV", "WAVEX")]


def is_whole(path, seconds: float = SECONDS, notes: tuple[str, ...] = ()) -> None:
    """The file is read as the tone of `seconds` that it holds, with these notes."""
    clip = load_clip(path, RATE)
    assert clip.seconds == pytest.approx(seconds, abs=0.08)
    assert peak_frequency(clip.samples, RATE) == pytest.approx(440, abs=1)
    assert len(clip.notes) == len(notes)
    assert all(wanted in said for wanted, said in zip(notes, clip.notes, strict=True)), clip.notes


def wav(sound: bytes, promised: int, riff: int | None = None, magic: bytes = b"RIFF", behind: bytes = b"") -> bytes:
    """16 bit mono whose header promises `promised` bytes of sound and `riff` of everything."""
    order = ">" if magic == b"RIFX" else "<"
    fmt = struct.pack(f"{order}HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16)
    whole = riff if riff is not None else 36 + promised
    head = struct.pack(f"{order}4sI4s4sI", magic, whole, b"WAVE", b"fmt ", 16) + fmt
    return head + struct.pack(f"{order}4sI", b"data", promised) + sound + behind


def pcm(order: str = "<") -> bytes:
    return (SOUND * 32767).astype(f"{order}i2").tobytes()


N = len(pcm())


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("tag", TAGS_BEHIND)
def test_a_tag_behind_any_file_changes_nothing(tmp_path, name, tag):
    is_whole(saved(tmp_path, encode(SOUND, RATE, FORMATS[name]) + TAGS_BEHIND[tag]))


@pytest.mark.parametrize("name", FORMATS)
def test_id3_tags_before_any_file_change_nothing(tmp_path, name):
    content = encode(SOUND, RATE, FORMATS[name])
    is_whole(saved(tmp_path, ID3_BEFORE + content))
    is_whole(saved(tmp_path, ID3_BEFORE + ID3_BEFORE + content + TAGS_BEHIND["ape"] + TAGS_BEHIND["id3v1"]))


@pytest.mark.parametrize("name", ["ogg", "opus", "flac", "mp3", "wav", "aiff", "caf", "w64", "au", "rf64"])
@pytest.mark.parametrize("junk", [bytes(3_000), b"junk" * 700, b"<html>an error page</html>"])
def test_junk_behind_a_file_changes_nothing(tmp_path, name, junk):
    is_whole(saved(tmp_path, encode(SOUND, RATE, FORMATS[name]) + junk))


@pytest.mark.parametrize(
    ("content", "notes"),
    [
        (wav(pcm(), 0), ("not closed",)),
        (wav(pcm(), 0, riff=0), ("not closed",)),
        (wav(pcm(), 0, riff=UNKNOWN), ("not closed",)),
        (wav(pcm(), UNKNOWN, riff=UNKNOWN), ()),
        (wav(pcm(), UNKNOWN, riff=0), ()),
        (wav(pcm(), UNKNOWN - 36, riff=UNKNOWN), ()),
        (wav(pcm(), 0x7FFFF000, riff=0x7FFFF024), ()),
        (wav(pcm(), 0x80000000, riff=0x80000024), ()),
        (wav(pcm(), 2 * N, riff=36 + N), ("not closed",)),
        (wav(pcm(), 10**9, riff=0), ("not closed",)),
        (wav(pcm(), N + 44, riff=N + 36), ("missing",)),
        (wav(pcm(), N, riff=0), ()),
        (wav(pcm(), N, riff=7), ()),
        (wav(pcm(), N, riff=UNKNOWN), ()),
        (wav(pcm(">"), 0, magic=b"RIFX"), ("not closed",)),
        (wav(pcm(), N, behind=b"LIST\x05\0\0\0INFO!"), ()),
        (wav(pcm()[: N // 2], N // 2, behind=pcm()[N // 2 :]), ("bytes are not used",)),
    ],
)  # fmt: skip
def test_a_wav_with_a_wrong_length_is_answered(tmp_path, content, notes):
    seconds = SECONDS / 2 if "not used" in " ".join(notes) else SECONDS
    is_whole(saved(tmp_path, content), seconds, notes)


@pytest.mark.parametrize("name", RIFF_FORMATS)
@pytest.mark.parametrize("promised", [0, UNKNOWN])
def test_every_form_of_wav_may_be_unclosed(tmp_path, name, promised):
    content = bytearray(encode(SOUND, RATE, FORMATS[name]))
    at = content.index(b"data") + 4
    content[at : at + 4] = struct.pack("<I", promised)
    is_whole(saved(tmp_path, bytes(content)), notes=() if promised else ("not closed",))


@pytest.mark.parametrize(
    "ds64", [(0, 0, 0), (36 + N, N, N // 2), (UNKNOWN, 2**64 - 1, 0), (2**64 - 1, 2**64 - 1, 2**64 - 1)]
)
@pytest.mark.parametrize("field", [UNKNOWN, N])
@pytest.mark.parametrize("magic", [b"RF64", b"BW64"])
def test_rf64_and_bw64_are_answered_whatever_their_long_header_says(tmp_path, ds64, field, magic):
    plain = wav(pcm(), field, riff=UNKNOWN, magic=magic)
    content = plain[:12] + b"ds64" + struct.pack("<IQQQI", 28, *ds64, 0) + plain[12:]
    is_whole(saved(tmp_path, content), notes=("not closed",) if field == UNKNOWN and ds64[1] == 0 else ())


def test_a_chunk_without_its_padding_or_with_a_wrong_size_is_passed_over(tmp_path):
    plain = wav(pcm(), N)
    for odd in (b"LIST\5\0\0\0INFO!", b"LIST\5\0\0\0INFO!\0", b"JUNK\xf0\xff\xff\x7f" + bytes(4), b"bext\0\0\0\0"):
        is_whole(saved(tmp_path, plain[:36] + odd + plain[36:]))


@pytest.mark.parametrize("name", ["aiff", "au", "caf", "w64"])
def test_other_containers_that_nobody_closed_are_answered(tmp_path, name):
    content = bytearray(encode(SOUND, RATE, FORMATS[name]))
    if name == "aiff":
        at = content.index(b"SSND") + 4
        content[at : at + 4] = bytes(4)
        content[content.index(b"COMM") + 10 :][:4] = bytes(4)
        common = content.index(b"COMM") + 10
        content[common : common + 4] = content[4:8] = bytes(4)
    elif name == "au":
        content[8:12] = bytes(4)
    elif name == "caf":
        at = content.index(b"data") + 4
        content[at : at + 8] = bytes(8)
    else:
        at = content.index(b"data\xf3\xac") + 16
        content[at : at + 8] = bytes(8)
    is_whole(saved(tmp_path, bytes(content)), notes=("not closed",))


@pytest.mark.parametrize("name", ["aiff", "au", "caf", "w64", "rf64", *RIFF_FORMATS])
@pytest.mark.parametrize("share", [0.4, 0.97])
def test_a_container_that_is_cut_off_is_refused(tmp_path, name, share):
    content = encode(SOUND, RATE, FORMATS[name])
    assert "cut off" in refusal(saved(tmp_path, content[: int(share * len(content))]))


# ---- Ogg ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["ogg", "opus"])
def test_an_ogg_with_a_broken_page_is_refused_and_one_without_its_end_noted(tmp_path, name):
    content = encode(tone(20, RATE), RATE, FORMATS[name])
    last = content.rindex(b"OggS")
    is_whole(saved(tmp_path, content), 20)
    for page in (content.rindex(b"OggS", 0, last), last):
        damaged = bytearray(content)
        damaged[page + 27 + content[page + 26] + 5] ^= 0xFF  # behind the page's header and its table
        assert "is damaged" in refusal(saved(tmp_path, bytes(damaged)))
    assert "cut off" in refusal(saved(tmp_path, content[: last + 20]))
    clip = load_clip(saved(tmp_path, content[:last]), RATE)
    assert clip.notes == ("The file was not closed properly, so its end may be missing.",)


def test_of_two_ogg_files_in_one_the_first_is_used_and_this_is_said(tmp_path):
    content = encode(SOUND, RATE, VORBIS)
    is_whole(saved(tmp_path, content + encode(tone(1, RATE, 880), RATE, VORBIS)), notes=("only the first",))
    is_whole(saved(tmp_path, content + content), notes=("only the first",))


# ---- mp3 ------------------------------------------------------------------------------------------------------------
def variable_mp3(parts: list[np.ndarray], rate: int = 44_100, channels: int = 1) -> bytes:
    """Frames alone, without the header that counts them: each part is coded at its own bit rate."""
    sound = np.concatenate(parts)
    wide = np.repeat(sound[:, None], channels, axis=1)
    content = encode(wide, rate, MP3)
    frames = frames_of(content, 3600)
    assert frames is not None
    head = frame_at(content, frames.first)
    assert head is not None
    return content[frames.first + head.bytes : frames.spans[-1][1]]  # the first is the encoder's own header


def quiet_then_loud(seconds: float, rate: int) -> list[np.ndarray]:
    noise = np.random.default_rng(0).standard_normal(round(seconds * rate)) * 0.2
    return [np.zeros(rate), tone(1.0, rate), noise]


@pytest.mark.parametrize(("rate", "channels"), [(44_100, 1), (48_000, 2), (24_000, 1), (16_000, 2), (8_000, 1)])
@pytest.mark.parametrize("turned", [False, True])
def test_the_length_of_an_mp3_is_counted(tmp_path, rate, channels, turned):
    parts = quiet_then_loud(8, rate)
    content = variable_mp3(parts[::-1] if turned else parts, rate, channels)
    for head in (b"", ID3_BEFORE, bytes(777), b"some words before it all "):
        clip = load_clip(saved(tmp_path, head + content, "a.mp3"), RATE)
        assert clip.seconds == pytest.approx(10, abs=0.2)
        assert len(clip.samples) == pytest.approx(clip.seconds * RATE, abs=2)


@pytest.mark.parametrize("said", [1, 10, 10**6])
def test_an_mp3_whose_header_says_something_else_is_counted(tmp_path, said):
    content = bytearray(encode(tone(5, RATE), RATE, MP3))
    at = next(content.index(magic) for magic in (b"Xing", b"Info") if magic in content)
    content[at + 8 : at + 12] = struct.pack(">I", said)
    is_whole(saved(tmp_path, bytes(content)), 5, ("seems to be cut off",) if said > 1000 else ())


def test_of_an_mp3_without_a_header_a_whole_minute_is_used(tmp_path):
    rate = 8_000
    for parts in (quiet_then_loud(90, rate), quiet_then_loud(90, rate)[::-1]):
        clip = load_clip(saved(tmp_path, variable_mp3(parts, rate)), RATE)
        assert clip.seconds == pytest.approx(92, abs=0.2)
        assert len(clip.samples) == 60 * RATE


def test_more_than_ten_minutes_of_mp3_are_refused_by_counting_and_less_are_not(tmp_path):
    frame = variable_mp3([np.zeros(8_000 * 3)], 8_000)
    once = frames_of(frame, 3600)
    assert once is not None
    assert "is too long" in refusal(saved(tmp_path, frame * (1 + int(601 / once.seconds))))
    assert "is silent" in refusal(saved(tmp_path, frame * int(599 / once.seconds)))


def test_what_lies_between_the_frames_of_an_mp3_is_said(tmp_path):
    content = encode(tone(5, RATE), RATE, MP3)
    middle = frames_of(content[len(content) // 2 :], 3600)
    assert middle is not None
    at = len(content) // 2 + middle.first
    is_whole(saved(tmp_path, content[:at] + b"junk" * 100 + content[at:]), 5, ("400 bytes",))


def test_an_mp3_whose_last_frame_is_incomplete_says_so(tmp_path):
    content = variable_mp3([tone(5, RATE)], RATE)
    is_whole(saved(tmp_path, content), 5)
    is_whole(saved(tmp_path, content[: len(content) * 3 // 5 + 1]), 3, ("its end may be missing",))


@pytest.mark.parametrize("suffix", ["wav", "mp3"])
@pytest.mark.parametrize("fact", [None, 0, 1000, UNKNOWN])
@pytest.mark.parametrize("promised", [None, 0, UNKNOWN])
def test_an_mp3_inside_riff_is_an_mp3(tmp_path, suffix, fact, promised):
    sound = encode(SOUND, RATE, MP3)
    fmt = struct.pack("<HHIIHHHHIHHH", 0x55, 1, RATE, 4000, 1, 0, 12, 1, 2, 144, 1, 1393)
    parts = b"fmt " + struct.pack("<I", len(fmt)) + fmt
    parts += b"" if fact is None else b"fact" + struct.pack("<II", 4, fact)
    parts += b"data" + struct.pack("<I", len(sound) if promised is None else promised) + sound
    content = b"RIFF" + struct.pack("<I", 4 + len(parts)) + b"WAVE" + parts
    is_whole(saved(tmp_path, content, f"clip.{suffix}"), notes=("not closed",) if promised == 0 else ())


def test_hostile_lengths_cost_neither_time_nor_memory(tmp_path):
    for content in (
        b"RIFF" + bytes([255] * 4) + b"WAVE" + b"a\0\0\0\0\0\0\0" * 10**5,
        b"\xff" * 10**6,
        b"\xff\xfb\x90\x64" * 10**5,
        b"OggS" * 10**5,
        b"ID3\4\0\0\x7f\x7f\x7f\x7f" + bytes(100),
        b"FORM" + bytes(4) + b"AIFF" + b"COMM" + bytes(4) * 10**5,
        b"caff\0\1\0\0" + b"desc" + bytes(8) * 10**5,
        wav(pcm(), N)[:22] + b"\xff\xff" + wav(pcm(), N)[24:],  # 65,535 channels
    ):
        refusal(saved(tmp_path, content))
