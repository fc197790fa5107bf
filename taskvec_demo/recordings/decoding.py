"""The content of a file -> mono samples of its used part and the length of the whole, by libsndfile or ffmpeg.

Decoding runs block by block and stops after `USED_SECONDS`, so the memory needed does not grow with the length, the
rate or the channels of the recording.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator

import numpy as np
import soundfile

from . import ffmpeg
from .limits import MAX_SECONDS, USED_SECONDS, check_rate, check_seconds, length, refusal
from .mixing import BLOCK_VALUES, Mixed, mixed
from .source import Source

CONTAINERS = ("WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "FLAC", "OGG", "MP3")  # that libsndfile decodes
UNKNOWN_FRAMES = 2**48  # libsndfile reports more than this for a FLAC stream of unknown length


class _ForwardFile(soundfile.SoundFile):
    """A file that is read from front to back only.

    In a seekable file soundfile seeks after each block, which is inexact in mp3.
    """

    def seekable(self) -> bool:
        return False


def decoded(
    source: Source, path: str | os.PathLike[str], name: str, sample_rate: int, channel: int | None
) -> tuple[Mixed, tuple[str, ...]]:
    """The used part of the file at `path`, whose content is `source`, mixed to mono or of one channel; and notes on the
    decoding.

    Raises BadAudioError with a sentence about `name`.
    """
    file = _opened(source)
    if file is None:
        return _by_ffmpeg(source, path, name, sample_rate, channel)
    with file:
        if file.format not in CONTAINERS:
            raise refusal(name, f"is a {file.format} file")
        rate, promised = file.samplerate, source.frames
        if promised is None or file.format == "MP3":  # in mp3 the header gives the counted length, less the padding
            promised = file.frames if file.frames < UNKNOWN_FRAMES else None
        check_rate(name, rate)
        if promised is not None:
            check_seconds(name, promised / rate)
        used = round(USED_SECONDS * rate)
        used = used if promised is None else min(used, promised)  # behind the end of a FLAC there may be junk
        try:
            sound = mixed(name, _blocks(file, used), rate, sample_rate, channel)
            sound.frames = _count(file, sound.frames, promised)
        except soundfile.SoundFileError as error:
            raise refusal(name, "is damaged or cut off") from error
    check_seconds(name, sound.seconds)  # again: now the true length is known
    if promised is not None and promised > sound.frames and source.promises:
        raise refusal(name, f"is cut off after {length(sound.seconds)} of {length(promised / rate)}")
    return sound, ()


def _opened(source: Source) -> soundfile.SoundFile | None:
    """The file opened by libsndfile, from bytes, which have no name from which a format could be guessed.

    None if libsndfile does not open it.
    """
    try:
        return _ForwardFile(io.BytesIO(source.content)) if source.content is not None else None
    except (soundfile.SoundFileError, OSError, ValueError):
        return None


def _by_ffmpeg(
    source: Source, path: str | os.PathLike[str], name: str, sample_rate: int, channel: int | None
) -> tuple[Mixed, tuple[str, ...]]:
    if not source.kind.demuxer:
        raise refusal(name, f"is {source.kind.what}")
    if ffmpeg.program() is None:
        raise refusal(name, f"is {source.kind.what}, which is read only where the program ffmpeg is installed")
    notes: list[str] = []
    try:
        with ffmpeg.opened(path, source.kind.demuxer, notes) as stream:
            rate, step = stream.rate, max(1, BLOCK_VALUES // stream.channels)
            check_rate(name, rate)
            blocks = stream.blocks(round(USED_SECONDS * rate), step)
            sound = mixed(name, blocks, rate, sample_rate, channel)
            sound.frames += sum(len(block) for block in stream.blocks((MAX_SECONDS + 1) * rate, step))
    except (ffmpeg.FfmpegError, OSError) as error:
        problem = str(error) if isinstance(error, ffmpeg.FfmpegError) else "cannot be decoded by ffmpeg"
        raise refusal(name, f"is {source.kind.what} that {problem}") from error
    if notes and sound.channel_peaks.max() == 0:
        raise refusal(name, f"is {source.kind.what}, of which ffmpeg can decode nothing")
    check_seconds(name, sound.seconds)
    return sound, tuple(notes)


def _blocks(file: soundfile.SoundFile, frames: int) -> Iterator[np.ndarray]:
    """The next `frames` frames, or fewer at the end, as float32 (n, channels)."""
    step = max(1, BLOCK_VALUES // file.channels)
    while frames > 0 and len(block := file.read(min(step, frames), dtype="float32", always_2d=True)):
        frames -= len(block)
        yield block


def _count(file: soundfile.SoundFile, frames: int, promised: int | None) -> int:
    """Frames of the whole file when `frames` are read; stops counting soon after `MAX_SECONDS`."""
    if frames < round(USED_SECONDS * file.samplerate):
        return frames
    if promised is None:
        return frames + sum(len(block) for block in _blocks(file, (MAX_SECONDS + 1) * file.samplerate))
    if file.format == "FLAC" and promised > frames:
        file.seek(promised - 1)  # fails if the file is cut off behind the used part
        file.read(1)
    return promised
