"""Files of codecs that libsndfile does not decode: the error names their kind, and ffmpeg decodes them if it is
installed.
"""

from __future__ import annotations

import os
import shutil
import stat
import struct
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from taskvec_demo.recordings import ffmpeg
from taskvec_demo.recordings.audio import load_clip
from tests.support.audio_files import RATE, VORBIS, encode, peak_frequency, refusal, saved, tone

SECONDS = 3.0
HAS_FFMPEG = shutil.which("ffmpeg") is not None
needs_ffmpeg = pytest.mark.skipif(not HAS_FFMPEG, reason="ffmpeg is not installed")
NEEDED = "is read only where the program ffmpeg is installed"


def adts(n: int = 3) -> bytes:
    """Frames of AAC with nothing in them: the headers are right, the rest is zeros."""
    size = 40
    return n * (bytes([0xFF, 0xF1, 0x60, 0x40 | size >> 11, size >> 3 & 255, (size & 7) << 5 | 31, 0xFC]) + bytes(33))


def wav(tag: int, bits: int = 0, content: bytes = bytes(5_000)) -> bytes:
    fmt = struct.pack("<HHIIHH", tag, 1, RATE, 2 * RATE, 2, bits)
    return (
        b"RIFF" + struct.pack("<I", 36 + len(content)) + b"WAVEfmt " + struct.pack("<I", 16) + fmt
        + b"data" + struct.pack("<I", len(content)) + content
    )  # fmt: skip


def ogg_of(packet: bytes) -> bytes:
    """A real Ogg file, whose first packet is replaced: only its codec is another."""
    content = bytearray(encode(tone(1, RATE), RATE, VORBIS))
    at = content.index(b"\x01vorbis")
    content[at : at + len(packet)] = packet
    return bytes(content)


def caf(code: bytes) -> bytes:
    description = struct.pack(">d4sIIIII", 48_000.0, code, 0, 0, 960, 1, 0)
    chunks = b"desc" + struct.pack(">q", len(description)) + description + b"data" + struct.pack(">q", 5_004)
    return b"caff\0\1\0\0" + chunks + bytes(5_004)


def aifc(code: bytes) -> bytes:
    common = struct.pack(">hIh", 1, 10_000, 16) + b"\x40\x0e\xac\x44" + bytes(6) + code + b"\0\0"
    body = b"AIFCCOMM" + struct.pack(">I", len(common)) + common + b"SSND" + struct.pack(">I", 5_008) + bytes(5_008)
    return b"FORM" + struct.pack(">I", len(body)) + body


NAMED = {
    "an AAC file": adts(),
    "an MP4 or M4A file": b"\0\0\0\x20ftypM4A " + bytes(500),
    "a 3GP file": b"\0\0\0\x18ftyp3gp5" + bytes(500),
    "a QuickTime file": b"\0\0\0\x14ftypqt  " + bytes(500),
    "a WebM or Matroska file": b"\x1aE\xdf\xa3" + bytes(500),
    "an AMR voice recording": b"#!AMR\n" + bytes(500),
    "a WMA or other Windows Media file": bytes.fromhex("3026b2758e66cf11") + bytes(500),
    "a CAF file with Opus sound": caf(b"opus"),
    "a CAF file with AAC sound": caf(b"aac "),
    "an AIFF file with QDesign sound": aifc(b"QDM2"),
    "a WAV file with AAC sound": wav(0xFF),
    "a WAV file with WMA sound": wav(0x161),
    "a WAV file with G.726 sound": wav(0x45, 4),
    "a WAV file with Speex sound": wav(0xA109),
    "a WAV file with sound of a form that cannot be decoded (format 0x1234, 0 bits)": wav(0x1234),
    "an Ogg file with Speex streams": ogg_of(b"Speex   "),
    "an Ogg file with Theora streams": ogg_of(b"\x80theora"),
    "an Ogg file with unknown streams": ogg_of(b"whatever"),
    "a WavPack file": b"wvpk" + bytes(500),
    "a Monkey's Audio file": b"MAC " + bytes(500),
    "an AC-3 file": b"\x0b\x77" + bytes(500),
}  # fmt: skip
REFUSED = {
    "is a SILK voice message": b"\x02#!SILK_V3" + bytes(500),
    "is a MIDI file": b"MThd" + bytes(500),
    "but an image": b"\x89PNG\r\n\x1a\n" + bytes(500),
    "but a PDF document": b"%PDF-1.7" + bytes(500),
    "but an archive": b"PK\x03\x04" + bytes(500),
    "but a web page": b"<!DOCTYPE html><html>" + b"x" * 500,
    "is a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
}


def right_sums(content: bytes) -> bytes:
    """An Ogg file whose checksums are those of its pages."""
    pages, at = bytearray(content), 0
    while at < len(pages):
        body = at + 27 + pages[at + 26]
        end = body + sum(pages[at + 27 : body])
        pages[at + 22 : at + 26] = bytes(4)
        total = 0
        for byte in pages[at:end]:
            total ^= byte << 24
            for _ in range(8):
                total = (total << 1 ^ 0x04C11DB7 if total & 1 << 31 else total << 1) & 0xFFFFFFFF
        pages[at + 22 : at + 26] = struct.pack("<I", total)
        at = end
    return bytes(pages)


@pytest.mark.parametrize("what", NAMED)
def test_without_ffmpeg_a_file_is_named_and_what_would_read_it(tmp_path, monkeypatch, what):
    monkeypatch.setattr(ffmpeg, "program", lambda: None)
    content = right_sums(NAMED[what]) if what.startswith("an Ogg") else NAMED[what]
    for head in (b"", b"ID3\4\0\0\0\0\0\x0a" + bytes(10)):
        message = refusal(saved(tmp_path, head + content))
        assert f"is {what}" in message
        assert NEEDED in message
        assert "damaged" not in message


@pytest.mark.parametrize("problem", REFUSED)
def test_what_nobody_decodes_is_named(tmp_path, problem):
    message = refusal(saved(tmp_path, REFUSED[problem]))
    assert problem in message
    assert "ffmpeg" not in message


# ---- with ffmpeg ----------------------------------------------------------------------------------------------------
MADE = {  # name -> options with which ffmpeg writes it
    "aac.aac": "-c:a aac", "aac.m4a": "-c:a aac", "fast.m4a": "-c:a aac -movflags faststart", "alac.m4a": "-c:a alac",
    "aac.3gp": "-c:a aac", "aac.mov": "-c:a aac", "pcm.mov": "-c:a pcm_s16le", "mp3.mp4": "-c:a libmp3lame",
    "opus.webm": "-c:a libopus", "vorbis.webm": "-c:a libvorbis", "aac.mkv": "-c:a aac", "flac.mkv": "-c:a flac",
    "opus.caf": "-c:a libopus", "alac.caf": "-c:a alac", "speex.ogg": "-c:a libspeex", "flac.ogg": "-c:a flac",
    "wma.wma": "-c:a wmav2", "wma.wav": "-c:a wmav2", "ac3.ac3": "-c:a ac3", "ac3.wav": "-c:a ac3",
    "yamaha.wav": "-c:a adpcm_yamaha", "g722.wav": "-c:a g722 -ar 16000", "g726.wav": "-c:a g726 -ar 8000",
    "flac.wav": "-c:a flac", "mp2.wav": "-c:a mp2", "mp2.mp2": "-c:a mp2", "mp3.wav": "-c:a libmp3lame",
    "wv.wv": "-c:a wavpack", "tta.tta": "-c:a tta", "latm.latm": "-c:a aac", "aac.flv": "-c:a aac -ar 44100",
    "aac.ts": "-c:a aac", "opus.ogg": "-c:a libopus", "vorbis.ogg": "-c:a libvorbis", "ms.wav": "-c:a adpcm_ms",
    "ima.wav": "-c:a adpcm_ima_wav", "gsm.wav": "-c:a libgsm_ms -ar 8000", "ima.aifc": "-c:a adpcm_ima_qt",
}  # fmt: skip


def made(folder, name: str, options: str, channels: int = 1, rate: int = 44_100, seconds: float = SECONDS):
    """A tone, written by ffmpeg with these options; the test is skipped where this ffmpeg lacks the encoder."""
    sound = np.repeat(tone(seconds, rate)[:, None], channels, axis=1)
    source = saved(folder, encode(sound, rate), "source.wav")
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-i", str(source), *options.split(), str(folder / name)]
    done = subprocess.run(command, capture_output=True, check=False)
    source.unlink()
    if done.returncode:
        pytest.skip(f"this ffmpeg does not write {name}: {done.stderr.decode(errors='replace')[-200:]}")
    return folder / name


@needs_ffmpeg
@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("channels", [1, 2])
def test_with_ffmpeg_every_file_of_phones_and_messengers_is_answered(tmp_path, name, channels):
    clip = load_clip(made(tmp_path, name, MADE[name], channels), RATE)
    assert clip.seconds == pytest.approx(SECONDS, abs=0.15)
    assert peak_frequency(clip.samples, RATE) == pytest.approx(440, abs=1)
    assert np.abs(clip.samples[RATE:-RATE]).max() == pytest.approx(0.5, rel=0.2)
    assert clip.notes == ()


@needs_ffmpeg
@pytest.mark.parametrize("name", ["aac.m4a", "fast.m4a", "opus.webm", "aac.aac", "wma.wma", "opus.caf", "speex.ogg"])
def test_a_foreign_file_that_is_cut_off_is_not_answered_in_silence(tmp_path, name):
    content = made(tmp_path, name, MADE[name], seconds=20).read_bytes()
    for share in (0.3, 0.9):
        path = saved(tmp_path, content[: int(share * len(content))], name)
        try:
            clip = load_clip(path, RATE)
        except ValueError:
            raise
        except Exception as error:
            assert "cut off" in str(error)  # noqa: PT017
        else:
            assert clip.notes or name == "aac.aac"  # frames of which each stands alone


@needs_ffmpeg
def test_the_limits_hold_for_what_ffmpeg_decodes(tmp_path):
    assert "is too long" in refusal(made(tmp_path, "long.m4a", "-c:a aac -b:a 16k", rate=8_000, seconds=605))
    clip = load_clip(made(tmp_path, "minute.m4a", "-c:a aac -b:a 16k", rate=8_000, seconds=90), RATE)
    assert (round(clip.seconds), len(clip.samples)) == (90, 60 * RATE)
    assert "is too short" in refusal(made(tmp_path, "short.mov", "-c:a pcm_s16le", seconds=0.05))
    video = tmp_path / "silent.mp4"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=d=1:s=32x32", "-c:v", "mpeg4"]
    if subprocess.run([*command, str(video)], check=False).returncode == 0:
        assert "holds no sound" in refusal(video)


@needs_ffmpeg
def test_a_playlist_opens_no_other_file(tmp_path):
    secret = made(tmp_path, "secret.m4a", "-c:a aac")
    for content in (b"#EXTM3U\n#EXTINF:3,\nsecret.m4a\n", f"ffconcat version 1.0\nfile '{secret}'\n".encode()):
        assert "is not a recording that can be decoded" in refusal(saved(tmp_path, content, "list.m4a"))


@needs_ffmpeg
@pytest.mark.skipif(sys.platform != "linux", reason="names of bytes")
def test_any_file_name_reaches_ffmpeg(tmp_path):
    made(tmp_path, "a.m4a", "-c:a aac")
    for name in (b"-i.m4a", b"http:x.m4a", b"caf\xe9 %d.m4a", b"a'b\"c;$(d).m4a", b"concat:x|y.m4a"):
        path = os.fsencode(tmp_path) + b"/" + name
        os.rename(os.fsencode(tmp_path) + b"/a.m4a", path)
        assert load_clip(os.fsdecode(path), RATE).seconds == pytest.approx(SECONDS, abs=0.15)
        os.rename(path, os.fsencode(tmp_path) + b"/a.m4a")


# ---- a program that only pretends to be ffmpeg ----------------------------------------------------------------------
def pretend(folder, monkeypatch, body: str) -> None:
    program = folder / "pretended"
    program.write_text(f"#!{sys.executable}\nimport struct, sys, time\nout = sys.stdout.buffer\n{body}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(ffmpeg, "program", lambda: str(program))


HEAD = "out.write(struct.pack('>4sIIIII', b'.snd', 24, 0xffffffff, 6, 8000, 1))"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("time.sleep(60)", "takes too long to decode"),
        (f"{HEAD}\nout.flush()\ntime.sleep(60)", "takes too long to decode"),
        ("sys.stderr.write('moov atom not found'); sys.exit(1)", "is damaged or cut off"),
        ("sys.stderr.write('x' * 10**6 + 'Stream map matches no streams.'); sys.exit(1)", "is damaged or cut off"),
        ("sys.stderr.write('Stream map 0:a:0 matches no streams.'); sys.exit(1)", "holds no sound"),
        ("sys.stderr.write('Decoder (codec none) not found'); sys.exit(1)", "of a codec that cannot be decoded"),
        (f"{HEAD}\nout.write(bytes(4) * 10**7)", "is too long"),
        (f"{HEAD}\nout.write(struct.pack('>f', float('nan')) * 9000)", "not numbers"),
        (f"{HEAD}", "holds no samples"),
        ("out.write(struct.pack('>4sIIIII', b'.snd', 24, 0, 6, 8000, 0))", "is damaged or cut off"),
        ("out.write(struct.pack('>4sIIIII', b'.snd', 24, 0, 6, 1, 1) + bytes(400))", "has a sample rate of 1 Hz"),
    ],
)
def test_whatever_ffmpeg_does_one_sentence_comes_of_it_and_the_process_goes(tmp_path, monkeypatch, body, problem):
    monkeypatch.setattr(ffmpeg, "LIMIT_SECONDS", 2)
    pretend(tmp_path, monkeypatch, body)
    began, threads = time.monotonic(), threading.active_count()
    assert problem in refusal(saved(tmp_path, adts(), "voice.aac"))
    assert time.monotonic() - began < 20
    assert threading.active_count() == threads


def test_what_ffmpeg_complains_of_is_noted_where_something_was_heard(tmp_path, monkeypatch):
    wave = "b''.join(struct.pack('>f', 0.5 * (-1) ** (i // 10)) for i in range(16000))"
    pretend(tmp_path, monkeypatch, f"{HEAD}\nout.write({wave})\nsys.stderr.write('invalid data')")
    clip = load_clip(saved(tmp_path, adts(), "voice.aac"), RATE)
    assert clip.seconds == 2
    assert clip.notes == ("Parts of the file could not be decoded, so some of its sound may be missing.",)
