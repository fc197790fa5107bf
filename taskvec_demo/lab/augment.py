"""Augmentation of log-mel windows in dB, (batch, frames, mels): what a microphone, a room or an encoder may change."""

from __future__ import annotations

import torch
import torch.nn.functional as F

MIN_DB = -100.0


def augment(x: torch.Tensor) -> torch.Tensor:
    """Gain, roll, spectral tilt, time stretch, pitch shift, band limit and two time and two mel masks; shape kept."""
    batch, frames, mels = x.shape
    x = x + torch.randn(batch, 1, 1) * 4  # gain, dB
    # Windows are padded by repetition, so a roll is a shift.
    index = (torch.arange(frames)[None] + torch.randint(0, frames, (batch, 1))) % frames
    x = torch.gather(x, 1, index[:, :, None].expand(-1, -1, mels))
    x = x + torch.randn(batch, 1, 1) * torch.linspace(-6, 6, mels)
    if torch.rand(()) < 0.5:
        x = _stretch(x)
    floor = x.amin((1, 2), keepdim=True)
    band = torch.arange(mels)[None, None]
    if torch.rand(()) < 0.3:  # some of the batch loses its highest mels, as a codec or a narrow-band microphone does
        cut = torch.where(torch.rand(batch, 1, 1) < 0.4, torch.randint(mels // 2, mels, (batch, 1, 1)), mels)
        x = torch.where(band >= cut, floor, x)
    time = torch.arange(frames)[None, :, None]
    for _ in range(2):
        x = _mask(x, band, mels, 10, floor)
        x = _mask(x, time, frames, 40, floor)
    return x


def _stretch(x: torch.Tensor) -> torch.Tensor:
    frames = x.shape[1]
    n = int(frames * float(torch.empty(()).uniform_(0.85, 1.15)))
    x = F.interpolate(x.transpose(1, 2), size=n, mode="linear").transpose(1, 2)
    return x[:, :frames] if n >= frames else torch.cat([x, x[:, : frames - n]], 1)


def _mask(x: torch.Tensor, axis: torch.Tensor, size: int, widest: int, floor: torch.Tensor) -> torch.Tensor:
    width = torch.randint(0, widest, (len(x), 1, 1))
    start = torch.randint(0, size - widest // 4, (len(x), 1, 1))
    return torch.where((axis >= start) & (axis < start + width), floor, x)


def mixup(x: torch.Tensor, target: torch.Tensor, alpha: float = 0.3) -> tuple[torch.Tensor, torch.Tensor]:
    """Mix each window with another of the batch: energies are mixed, not decibels (mixup, arXiv:1710.09412)."""
    other = torch.randperm(len(x))
    share = torch.distributions.Beta(alpha, alpha).sample((len(x),))
    share = torch.maximum(share, 1 - share)
    energy = 10 ** (x / 10) * share[:, None, None] + 10 ** (x[other] / 10) * (1 - share)[:, None, None]
    mixed = 10 * torch.log10(energy.clamp_min(10 ** (MIN_DB / 10)))
    return mixed, target * share[:, None] + target[other] * (1 - share)[:, None]
