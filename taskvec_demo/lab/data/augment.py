"""Augmentation of log-mel windows in dB, (batch, frames, mels), as a microphone, a room or an encoder may change
them.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

MIN_DB = -100.0


def augment(x: torch.Tensor, timbre: float = 0.0) -> torch.Tensor:
    """Change gain, position, tilt, tempo, room, noise and band of each window, and mask two times and two mel bands.

    `timbre` is the probability that a batch also gets other colours, and again that it gets other voices or notes.

    The shape is kept.
    """
    batch, frames, mels = x.shape
    x = moved(x, gain=4)
    x = x + torch.randn(batch, 1, 1) * torch.linspace(-6, 6, mels)
    if timbre and torch.rand(()) < timbre:
        x = x + coloured(batch, mels)
    if timbre and torch.rand(()) < timbre:
        x = warped(x)
    if torch.rand(()) < 0.5:
        x = _stretch(x)
    if torch.rand(()) < 0.3:
        x = _room_and_noise(x)
    floor = x.amin((1, 2), keepdim=True)
    band = torch.arange(mels)[None, None]
    if torch.rand(()) < 0.3:  # some windows lose their highest mels, as with a codec or a narrow-band microphone
        cut = torch.where(torch.rand(batch, 1, 1) < 0.4, torch.randint(mels // 2, mels, (batch, 1, 1)), mels)
        x = torch.where(band >= cut, floor, x)
    time = torch.arange(frames)[None, :, None]
    for _ in range(2):
        x = _mask(x, band, mels, 10, floor)
        x = _mask(x, time, frames, 40, floor)
    return x


def moved(x: torch.Tensor, gain: float = 2.0) -> torch.Tensor:
    """Change the loudness of each window, by so many dB (standard deviation), and where it begins, and nothing else."""
    batch, frames, mels = x.shape
    x = x + torch.randn(batch, 1, 1) * gain
    # Windows are padded by repetition, so a roll is a shift.
    index = (torch.arange(frames)[None] + torch.randint(0, frames, (batch, 1))) % frames
    return torch.gather(x, 1, index[:, :, None].expand(-1, -1, mels))


def coloured(batch: int, mels: int) -> torch.Tensor:
    """Gains in dB (batch, 1, mels) as another microphone may have them: straight lines between five random gains
    (FilterAugment, arXiv:2110.03282).
    """
    return F.interpolate(torch.randn(batch, 1, 5) * 4, size=mels, mode="linear", align_corners=True)


def warped(x: torch.Tensor) -> torch.Tensor:
    """Move and stretch the mel axis of each window by up to two bands and a tenth, as if another voice or a
    neighbouring note was heard (vocal tract length perturbation, Jaitly & Hinton 2013).
    """
    mels = x.shape[2]
    scale, shift = torch.empty(2, len(x), 1).uniform_(-1, 1)
    source = (torch.arange(mels) * (1 + 0.1 * scale) + 2 * shift).clamp(0, mels - 1)
    below = source.floor().long().clamp_max(mels - 2)
    share = (source - below)[:, None]
    low, high = (torch.gather(x, 2, i[:, None].expand_as(x)) for i in (below, below + 1))
    return low + (high - low) * share


def _stretch(x: torch.Tensor) -> torch.Tensor:
    frames = x.shape[1]
    n = int(frames * float(torch.empty(()).uniform_(0.85, 1.15)))
    x = F.interpolate(x.transpose(1, 2), size=n, mode="linear").transpose(1, 2)
    return x[:, :frames] if n >= frames else torch.cat([x, x[:, : frames - n]], 1)


def _room_and_noise(x: torch.Tensor) -> torch.Tensor:
    """Give each window an exponential tail of up to half a second (20 ms a frame) and a noise floor 0-40 dB below
    it.
    """
    energy = 10 ** (x / 10)
    decay = torch.rand(len(x), 1) * 0.25  # in frame lengths: the tail falls by 60 dB in 5 to 55 frames
    tail = torch.exp(-torch.arange(24)[None] / (decay * 16).clamp_min(0.1))
    padded = F.pad(energy.transpose(1, 2), (23, 0))
    shape = padded.shape
    wet = F.conv1d(
        padded.reshape(1, -1, shape[-1]),
        tail.flip(1).repeat_interleave(shape[1], 0)[:, None],
        groups=shape[0] * shape[1],
    )
    energy = wet.reshape(shape[0], shape[1], -1).transpose(1, 2) / tail.sum(1)[:, None, None]
    level = energy.mean((1, 2), keepdim=True) * 10 ** (-torch.rand(len(x), 1, 1) * 4)
    colour = 10 ** (torch.randn(len(x), 1, 1) * 0.3 * torch.linspace(-1, 1, x.shape[2]))
    noise = level * colour * torch.empty_like(energy).exponential_()
    return 10 * torch.log10((energy + noise).clamp_min(10 ** (MIN_DB / 10)))


def _mask(x: torch.Tensor, axis: torch.Tensor, size: int, widest: int, floor: torch.Tensor) -> torch.Tensor:
    width = torch.randint(0, widest, (len(x), 1, 1))
    start = torch.randint(0, size - widest // 4, (len(x), 1, 1))
    return torch.where((axis >= start) & (axis < start + width), floor, x)


def mixup(x: torch.Tensor, target: torch.Tensor, alpha: float = 0.3) -> tuple[torch.Tensor, torch.Tensor]:
    """Mix each window with another of the batch (mixup, arXiv:1710.09412). Energies are mixed, not decibels."""
    other = torch.randperm(len(x))
    share = torch.distributions.Beta(alpha, alpha).sample((len(x),))
    share = torch.maximum(share, 1 - share)
    energy = 10 ** (x / 10) * share[:, None, None] + 10 ** (x[other] / 10) * (1 - share)[:, None, None]
    mixed = 10 * torch.log10(energy.clamp_min(10 ** (MIN_DB / 10)))
    return mixed, target * share[:, None] + target[other] * (1 - share)[:, None]
