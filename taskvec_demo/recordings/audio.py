"""An uploaded file or array -> mono float32 at a model's rate, cut into windows.

Files are judged by their content, never by their name. Nothing is written anywhere.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from .decoding import decoded
from .limits import MAX_BYTES, USED_SECONDS, check_rate, check_seconds, length, refusal, shown_name
from .mixing import BLOCK_VALUES, Mixed, mixed
from .source import identified

PEAK_SILENCE = 10 ** (-80 / 20)  # of full scale, -80 dBFS: about 3 steps of 16 bit
PEAK_QUIET = 10 ** (-40 / 20)  # of full scale, -40 dBFS
CLIPPED_SHARE = 0.005  # of the samples; a mastered recording that only touches full scale stays below
CANCELLING = 0.5  # from this `Spectra.cancelled` on the mean is not used; very wide stereo has up to 0.45
MIN_REMAINDER = 0.1  # of a window; less left over at the end of a clip is not worth a window of its own


@dataclass(frozen=True, eq=False)
class Clip:
    """The used part of one recording: mono, read-only float32 within [-1, 1]."""

    samples: np.ndarray
    sample_rate: int  # Hz, of `samples`
    seconds: float  # of the whole recording, which may be longer than `samples`
    notes: tuple[str, ...]  # whole sentences for the user; empty if there is nothing to know
    recorded_rate: int  # Hz, of the file or array


def load_clip(path: str | os.PathLike[str], sample_rate: int) -> Clip:
    """Decode the first `USED_SECONDS` of the file at `path` as mono at `sample_rate` Hz.

    Raises BadAudioError with one sentence that names the file, what is wrong with it and what is accepted.
    """
    name = shown_name(path)
    source = identified(_read(path, name), name)
    clip = _clip(name, sample_rate, lambda channel: decoded(source, path, name, sample_rate, channel))
    return replace(clip, notes=(*source.notes, *clip.notes))


def clip_from_array(samples: np.ndarray, sample_rate: int, target_rate: int) -> Clip:
    """The clip of an array of shape (n,) or (n, channels) at `sample_rate` Hz, resampled to `target_rate` Hz.

    Integers are scaled by their type's range (unsigned ones are centred first), floats are taken as they are.
    Raises BadAudioError.
    """
    name = "The recording"
    array = np.asarray(samples)
    if array.ndim not in (1, 2) or array.dtype.kind not in "iuf":
        raise refusal(name, f"is an array of shape {array.shape} and type {array.dtype}, not (n,) or (n, channels)")
    if array.size == 0:
        raise refusal(name, "holds no samples")
    check_rate(name, sample_rate)
    check_seconds(name, len(array) / sample_rate)
    used = array.reshape(len(array), -1)[: round(USED_SECONDS * sample_rate)]
    step = max(1, BLOCK_VALUES // used.shape[1])  # frames

    def decode(channel: int | None) -> tuple[Mixed, tuple[str, ...]]:
        blocks = (_as_float(used[i : i + step]) for i in range(0, len(used), step))
        sound = mixed(name, blocks, sample_rate, target_rate, channel)
        sound.frames = len(array)
        return sound, ()

    return _clip(name, target_rate, decode)


def windows(samples: np.ndarray, n_window: int) -> np.ndarray:
    """Cut mono `samples` (n,) into windows: float32 (k, n_window), k >= 1, always the same for the same input.

    A clip shorter than a window is repeated as often as it fits whole, then padded with zeros (`ClapFeatureExtractor`'s
    "repeatpad"). A longer clip is cut into consecutive windows. Its remainder gets a window that ends with the clip,
    and so overlaps the one before; a remainder under `MIN_REMAINDER` of a window is dropped.
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


def _read(path: str | os.PathLike[str], name: str) -> bytes:
    try:
        if not os.path.isfile(path):  # a pipe or a device could block for ever
            raise refusal(name, "is a folder, not a recording" if os.path.isdir(path) else "does not exist")
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_BYTES:
                raise refusal(name, f"is too large ({size / 1e6:.1f} MB)")
            content = file.read(size)
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        raise refusal(name, "cannot be read") from error
    if not content:
        raise refusal(name, "is empty (0 bytes)")
    return content


def _clip(name: str, sample_rate: int, decode: Callable[[int | None], tuple[Mixed, tuple[str, ...]]]) -> Clip:
    """Decode the mean of the channels, or the loudest channel if they cancel. A recording without sound is refused."""
    sound, notes = decode(None)
    if float(sound.channel_peaks.max()) >= PEAK_SILENCE and sound.spectra.cancelled > CANCELLING:
        channel = sound.spectra.loudest
        sound, _ = decode(channel)
        notes += (f"The channels cancel each other out, so only channel {channel + 1} is used.",)
    where = "" if sound.seconds <= USED_SECONDS else f" in its first {USED_SECONDS} s"
    if sound.peak < PEAK_SILENCE:
        raise refusal(name, f"is silent{where} (no sample reaches -80 dBFS)")
    if sound.high - sound.low < 2 * PEAK_SILENCE:
        raise refusal(name, f"holds one constant level{where} (about {sound.high:.3g}) and no sound")
    # Codecs and resampling overshoot full scale a little; scaling down keeps the wave, clipping would distort it.
    samples = (sound.samples / max(1.0, float(np.abs(sound.samples).max()))).astype(np.float32)
    samples.setflags(write=False)
    return Clip(samples, sample_rate, sound.seconds, (*notes, *_notes(sound)), sound.rate)


def _notes(sound: Mixed) -> Iterator[str]:
    """Sentences that tell a user how far to trust the prediction."""
    if sound.seconds > USED_SECONDS:
        yield f"Only the first {USED_SECONDS} s of {length(sound.seconds)} are used."
    if sound.clipped_share > CLIPPED_SHARE:
        yield f"{100 * sound.clipped_share:.0f} % of the samples are clipped, which can mislead the model."
    if sound.peak < PEAK_QUIET:
        yield f"The recording is very quiet (peak {20 * np.log10(sound.peak):.0f} dBFS)."


def _as_float(block: np.ndarray) -> np.ndarray:
    if block.dtype.kind != "f":
        full_scale = 2.0 ** (8 * block.dtype.itemsize - 1)
        block = (block - (full_scale if block.dtype.kind == "u" else 0.0)) / full_scale
    with np.errstate(over="ignore"):  # beyond float32 is infinite, which is refused with a sentence of its own
        return block.astype(np.float32)
