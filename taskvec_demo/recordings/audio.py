"""An uploaded file or array -> mono float32 at a model's rate, cut into windows. Owns every limit and error on uploads.

Files are judged by their content, never by their name. Decoding runs block by block and stops after `USED_SECONDS`, so
the memory needed does not grow with the length, the rate or the channels of the recording. Nothing is written anywhere.
"""

import io
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import soundfile
import soxr

from taskvec_demo.errors import BadAudioError

MIN_SECONDS = 0.1  # below it there is nothing to repeat: 1600 samples at 16 kHz, 10 mel frames
MAX_SECONDS = 600  # 10 min
USED_SECONDS = 60  # what is decoded and classified: 12 windows of 5.1 s
MAX_BYTES = 25 * 10**6  # 25 MB: 10 min of mp3 at 320 kbit/s is 600 s * 40 kB/s = 24 MB
MIN_RATE, MAX_RATE = 1_000, 384_000  # Hz
ACCEPTED_FORMATS = ("wav", "flac", "ogg", "opus", "mp3")
PEAK_SILENCE = 10 ** (-80 / 20)  # of full scale, -80 dBFS: about 3 steps of 16 bit
PEAK_QUIET = 10 ** (-40 / 20)  # of full scale, -40 dBFS
CLIPPED_LEVEL = 0.999  # of full scale
CLIPPED_SHARE = 0.005  # of the samples; a mastered recording that only touches full scale stays below
CANCELLED = 1e-3  # mean of the channels / loudest channel, -60 dB: the channels are opposite in phase
BLOCK_VALUES = 2**18  # samples * channels decoded at a time: 1 MiB of float32
UNKNOWN_FRAMES = 2**48  # libsndfile reports more than this for a FLAC stream whose encoder did not know the length
STREAMED_BYTES = 0x7FFF0000  # a larger data size in a wav header means "unknown": recorders write it before they stop
MIN_REMAINDER = 0.1  # of a window; less left over at the end of a clip is not worth a window of its own

ACCEPTED = (
    f"upload a {', '.join(ACCEPTED_FORMATS[:-1])} or {ACCEPTED_FORMATS[-1]} recording of {MIN_SECONDS:g} s to "
    f"{MAX_SECONDS // 60} min and at most {MAX_BYTES // 10**6} MB"
)
CONTAINERS = ("WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "FLAC", "OGG", "MP3")  # of those libsndfile decodes
MAGIC = (  # first bytes -> what a user would call it; used only where decoding failed
    (rb".{4}ftyp", "is an MP4 or M4A file"),
    (rb"\x1aE\xdf\xa3", "is a WebM or Matroska file"),
    (rb"RIFF|RIFX|RF64|fLaC|OggS|ID3|\xff[\xe2-\xff]|FORM|caff", "is damaged or cut off"),
)


@dataclass(frozen=True, eq=False)
class Clip:
    """The used part of one recording: mono, read-only float32 within [-1, 1]."""

    samples: np.ndarray
    sample_rate: int  # Hz, of `samples`
    seconds: float  # of the whole recording, which may be longer than `samples`
    notes: tuple[str, ...]  # whole sentences for the user; empty if there is nothing to know


@dataclass(eq=False)
class _Decoded:
    """The used part in mono at the target rate, and what was measured on the recording before resampling."""

    samples: np.ndarray
    rate: int  # Hz, of the recording, as all that follows
    frames: int  # of all of it
    low: float  # smallest and largest sample of the mono signal
    high: float
    channel_peaks: np.ndarray
    clipped_share: float

    @property
    def peak(self) -> float:
        return max(-self.low, self.high)

    @property
    def seconds(self) -> float:
        return self.frames / self.rate


class _ForwardFile(soundfile.SoundFile):
    """Read from front to back: soundfile seeks after each block of a seekable file, which is inexact in mp3."""

    def seekable(self) -> bool:
        return False


def load_clip(path: str | os.PathLike[str], sample_rate: int) -> Clip:
    """Decode the first `USED_SECONDS` of the file at `path` as mono at `sample_rate` Hz.

    Raises BadAudioError with one sentence that names the file, what is wrong with it and what is accepted.
    """
    name = _shown_name(path)
    content = _read(path, name)
    return _clip(name, sample_rate, lambda channel: _decode(content, name, sample_rate, channel))


def clip_from_array(samples: np.ndarray, sample_rate: int, target_rate: int) -> Clip:
    """The same for an array of shape (n,) or (n, channels) at `sample_rate` Hz, resampled to `target_rate` Hz.

    Integers are scaled by their type's range (unsigned ones are centred first), floats are taken as they are.
    Raises BadAudioError.
    """
    name = "The recording"
    array = np.asarray(samples)
    if array.ndim not in (1, 2) or array.dtype.kind not in "iuf":
        raise _refusal(name, f"is an array of shape {array.shape} and type {array.dtype}, not (n,) or (n, channels)")
    if array.size == 0:
        raise _refusal(name, "holds no samples")
    _check_rate(name, sample_rate)
    _check_seconds(name, len(array) / sample_rate)
    used = array.reshape(len(array), -1)[: round(USED_SECONDS * sample_rate)]
    step = max(1, BLOCK_VALUES // used.shape[1])  # frames

    def decode(channel: int | None) -> _Decoded:
        blocks = (_as_float(used[i : i + step]) for i in range(0, len(used), step))
        decoded = _mix(name, blocks, sample_rate, target_rate, channel)
        decoded.frames = len(array)
        return decoded

    return _clip(name, target_rate, decode)


def windows(samples: np.ndarray, n_window: int) -> np.ndarray:
    """Cut mono `samples` (n,) into windows: float32 (k, n_window), k >= 1, always the same for the same input.

    Shorter than a window: the clip as often as it fits whole, then zeros (`ClapFeatureExtractor`'s "repeatpad").
    Longer: consecutive windows; a remainder gets a window that ends with the clip and so overlaps the one before,
    unless it is under `MIN_REMAINDER` of a window, which is dropped.
    """
    if samples.ndim != 1 or not len(samples) or n_window < 1:
        raise ValueError(f"need samples of shape (n,) with n > 0 and n_window > 0, got {samples.shape} and {n_window}")
    samples = samples.astype(np.float32)
    if len(samples) < n_window:
        repeated = np.tile(samples, n_window // len(samples))
        return np.pad(repeated, (0, n_window - len(repeated)))[None]
    whole, rest = divmod(len(samples), n_window)
    cut = samples[: whole * n_window].reshape(whole, n_window)
    return cut if rest < MIN_REMAINDER * n_window else np.concatenate([cut, samples[None, -n_window:]])


def _shown_name(path: str | os.PathLike[str]) -> str:
    """The base name, printable and at most 60 characters, for use in a sentence."""
    base = os.path.basename(os.fspath(path).rstrip("/\\")) or "The upload"
    printable = "".join(c if c.isprintable() else "?" for c in base)
    return printable if len(printable) <= 60 else f"{printable[:40]}…{printable[-19:]}"


def _refusal(name: str, problem: str) -> BadAudioError:
    return BadAudioError(f"{name} {problem}; {ACCEPTED}.")


def _read(path: str | os.PathLike[str], name: str) -> bytes:
    try:
        if not os.path.isfile(path):  # a pipe or a device could block for ever
            raise _refusal(name, "is a folder, not a recording" if os.path.isdir(path) else "does not exist")
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_BYTES:
                raise _refusal(name, f"is too large ({size / 1e6:.1f} MB)")
            content = file.read(size)
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        raise _refusal(name, "cannot be read") from error
    if not content:
        raise _refusal(name, "is empty (0 bytes)")
    return content


def _clip(name: str, sample_rate: int, decode: Callable[[int | None], _Decoded]) -> Clip:
    """Decode the mean of the channels (None), or the loudest one where they cancel; refuse what holds no sound."""
    decoded, notes = decode(None), []
    loudest = float(decoded.channel_peaks.max())
    if loudest >= PEAK_SILENCE and decoded.peak < max(PEAK_SILENCE, CANCELLED * loudest):
        channel = int(decoded.channel_peaks.argmax())
        decoded = decode(channel)
        notes.append(f"The channels cancel each other out, so only channel {channel + 1} is used.")
    where = "" if decoded.seconds <= USED_SECONDS else f" in its first {USED_SECONDS} s"
    if decoded.peak < PEAK_SILENCE:
        raise _refusal(name, f"is silent{where} (no sample reaches -80 dBFS)")
    if decoded.high - decoded.low < 2 * PEAK_SILENCE:
        raise _refusal(name, f"holds one constant level{where} (about {decoded.high:.3g}) and no sound")
    # Codecs and resampling overshoot full scale a little; scaling down keeps the wave, clipping would distort it.
    samples = (decoded.samples / max(1.0, float(np.abs(decoded.samples).max()))).astype(np.float32)
    samples.setflags(write=False)
    return Clip(samples, sample_rate, decoded.seconds, (*notes, *_notes(decoded)))


def _notes(decoded: _Decoded) -> Iterator[str]:
    """What a user needs to know to trust, or not to trust, the prediction."""
    if decoded.seconds > USED_SECONDS:
        yield f"Only the first {USED_SECONDS} s of {_length(decoded.seconds)} are used."
    if decoded.clipped_share > CLIPPED_SHARE:
        yield f"{100 * decoded.clipped_share:.0f} % of the samples are clipped, which can mislead the model."
    if decoded.peak < PEAK_QUIET:
        yield f"The recording is very quiet (peak {20 * np.log10(decoded.peak):.0f} dBFS)."


def _decode(content: bytes, name: str, sample_rate: int, channel: int | None) -> _Decoded:
    """Decode the used part of a file's content and learn the length of the whole."""
    try:
        file = _ForwardFile(io.BytesIO(content))  # bytes carry no name that soundfile could guess a format from
    except (soundfile.SoundFileError, OSError, ValueError) as error:
        kinds = (kind for magic, kind in MAGIC if re.match(magic, content, re.DOTALL))
        raise _refusal(name, next(kinds, "is not a recording that can be decoded")) from error
    with file:
        rate, promised = file.samplerate, file.frames if file.frames < UNKNOWN_FRAMES else None
        if file.format not in CONTAINERS:
            raise _refusal(name, f"is a {file.format} file")
        _check_rate(name, rate)
        if promised is not None:
            _check_seconds(name, promised / rate)
        _check_header(name, file.extra_info)
        try:
            decoded = _mix(name, _blocks(file, round(USED_SECONDS * rate)), rate, sample_rate, channel)
            decoded.frames = _count(file, decoded.frames, promised)
        except soundfile.SoundFileError as error:
            raise _refusal(name, "is damaged or cut off") from error
    _check_seconds(name, decoded.seconds)  # again: a damaged file yields less, a streamed FLAC did not say
    # The length in an mp3 header is often an estimate, so falling short of it is no proof of damage.
    if promised is not None and promised > decoded.frames and file.format not in ("MP3", "OGG"):
        raise _refusal(name, f"is cut off after {_length(decoded.seconds)} of {_length(promised / rate)}")
    return decoded


def _check_header(name: str, log: str) -> None:
    """Refuse a file that ends before its data do: libsndfile reads on silently, but its log says so."""
    for promised, there in re.findall(r"(?:data|SSND) *: (\d+) \(should be (\d+)\)", log):
        if int(there) < int(promised) < STREAMED_BYTES:
            raise _refusal(name, f"is cut off (its header promises {promised} bytes of sound, it holds {there})")
    if "Junk after the last page" in log:  # part of an Ogg page
        raise _refusal(name, "is cut off (its last page is incomplete)")


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
        file.seek(promised - 1)  # the last sample must be there, or the file is cut off behind the used part
        file.read(1)
    return promised


def _mix(name: str, blocks: Iterable[np.ndarray], rate: int, target_rate: int, channel: int | None) -> _Decoded:
    """Mix (n, channels) blocks to mono, or take one channel, and resample them as one stream."""
    stream = soxr.ResampleStream(rate, target_rate, 1, dtype="float32", quality="HQ")  # equal rates pass unchanged
    parts: list[np.ndarray] = []
    frames = values = clipped = 0
    low, high, peaks = np.inf, -np.inf, np.zeros(1)
    for block in blocks:
        if not np.isfinite(block).all():
            raise _refusal(name, "holds samples that are not numbers (NaN or infinite)")
        size = np.abs(block)
        peaks = np.maximum(peaks, size.max(axis=0))
        frames, values = frames + len(block), values + block.size
        clipped += int(np.count_nonzero(size >= CLIPPED_LEVEL))
        mono = block.mean(axis=1, dtype=np.float64) if channel is None else block[:, channel]
        low, high = min(low, float(mono.min())), max(high, float(mono.max()))
        parts.append(stream.resample_chunk(mono.astype(np.float32)))
    parts.append(stream.resample_chunk(np.zeros(0, np.float32), last=True))
    samples = np.concatenate(parts)
    if not np.isfinite(samples).all():
        raise _refusal(name, f"holds samples far beyond full scale (peak {peaks.max():.0e})")
    return _Decoded(samples, rate, frames, low, high, peaks, clipped / max(1, values))


def _check_rate(name: str, rate: float) -> None:
    if not MIN_RATE <= rate <= MAX_RATE:
        raise _refusal(name, f"has a sample rate of {rate} Hz, outside {MIN_RATE} to {MAX_RATE} Hz")


def _check_seconds(name: str, seconds: float) -> None:
    if seconds == 0:
        raise _refusal(name, "holds no samples")
    if seconds < MIN_SECONDS:
        raise _refusal(name, f"is too short ({seconds:.3f} s)")
    if seconds > MAX_SECONDS:
        raise _refusal(name, f"is too long ({_length(seconds)})")


def _as_float(block: np.ndarray) -> np.ndarray:
    if block.dtype.kind != "f":
        full_scale = 2.0 ** (8 * block.dtype.itemsize - 1)
        block = (block - (full_scale if block.dtype.kind == "u" else 0.0)) / full_scale
    with np.errstate(over="ignore"):  # beyond float32 is infinite, which is refused with a sentence of its own
        return block.astype(np.float32)


def _length(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds // 60:.0f} min {seconds % 60:.1f} s"
