"""Blocks of samples -> mono at a model's rate. Peaks and cancelling channels are measured on the way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import soxr

from .limits import refusal

BLOCK_VALUES = 2**18  # samples * channels decoded at a time: 1 MiB of float32
CLIPPED_LEVEL = 0.999  # of full scale
FFT_SIZE = 1024  # samples: 64 ms at 16 kHz
SKIPPED_BINS = 2  # lowest bins of a spectrum, which hold a constant level
CANCELLED = 0.25  # of a power, -6 dB


class Spectra:
    """Power of each channel and of their mean at each frequency, to tell whether the channels cancel each other out.

    The channels of a recording may cancel at some frequencies only, because codecs keep the phase of low frequencies
    only, and because a delay matters at high ones only.
    """

    def __init__(self) -> None:
        self.channels, self.mean = np.zeros((FFT_SIZE // 2 + 1, 1)), np.zeros(FFT_SIZE // 2 + 1)

    def add(self, block: np.ndarray) -> None:
        """A block (n, channels)."""
        n = -(-len(block) // FFT_SIZE)
        padded = np.pad(block, ((0, n * FFT_SIZE - len(block)), (0, 0))).reshape(n, FFT_SIZE, block.shape[1])
        spectrum = np.fft.rfft(padded * np.hanning(FFT_SIZE)[:, None], axis=1)[:, SKIPPED_BINS:]
        self.channels = self.channels[-spectrum.shape[1] :] + np.square(np.abs(spectrum)).sum(axis=0)
        self.mean = self.mean[-spectrum.shape[1] :] + np.square(np.abs(spectrum.mean(axis=2))).sum(axis=0)

    @property
    def cancelled(self) -> float:
        """Share of the power that lies at frequencies where the mean of the channels has much less than they have.

        Much less means less than `CANCELLED` times the power that the mean of unrelated channels would have.
        """
        apart = self.channels.sum(axis=1) / self.channels.shape[1] ** 2
        return float(apart[self.mean < CANCELLED * apart].sum() / max(float(apart.sum()), 1e-30))

    @property
    def loudest(self) -> int:
        """The channel with most power, counted from 0."""
        return int(self.channels.sum(axis=0).argmax())


@dataclass(eq=False)
class Mixed:
    """The used part in mono at the target rate, and measurements of the recording before resampling."""

    samples: np.ndarray
    rate: int  # Hz, of the recording, as all that follows
    frames: int  # of all of it
    low: float  # smallest and largest sample of the mono signal
    high: float
    channel_peaks: np.ndarray
    spectra: Spectra
    clipped_share: float

    @property
    def peak(self) -> float:
        return max(-self.low, self.high)

    @property
    def seconds(self) -> float:
        return self.frames / self.rate


def mixed(name: str, blocks: Iterable[np.ndarray], rate: int, target_rate: int, channel: int | None) -> Mixed:
    """Mix (n, channels) blocks to mono, or take one channel, and resample them as one stream. Raises BadAudioError."""
    stream = soxr.ResampleStream(rate, target_rate, 1, dtype="float32", quality="HQ")  # equal rates pass unchanged
    parts: list[np.ndarray] = []
    frames = values = clipped = 0
    low, high, peaks = np.inf, -np.inf, np.zeros(1)
    spectra = Spectra()
    for block in blocks:
        if not np.isfinite(block).all():
            raise refusal(name, "holds samples that are not numbers (NaN or infinite)")
        size = np.abs(block)
        peaks = np.maximum(peaks, size.max(axis=0))
        frames, values = frames + len(block), values + block.size
        clipped += int(np.count_nonzero(size >= CLIPPED_LEVEL))
        mono = block.mean(axis=1, dtype=np.float64) if channel is None else block[:, channel]
        low, high = min(low, float(mono.min())), max(high, float(mono.max()))
        if channel is None and block.shape[1] > 1:
            spectra.add(block)
        parts.append(stream.resample_chunk(mono.astype(np.float32)))
    parts.append(stream.resample_chunk(np.zeros(0, np.float32), last=True))
    samples = np.concatenate(parts)
    if not np.isfinite(samples).all():
        raise refusal(name, f"holds samples far beyond full scale (peak {peaks.max():.0e})")
    return Mixed(samples, rate, frames, low, high, peaks, spectra, clipped / max(1, values))
