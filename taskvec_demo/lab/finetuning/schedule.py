"""The learning rate of every training here: fine-tuning, pretraining and the text tower's."""

from __future__ import annotations

import math

import torch

START = 1 / 25  # of the peak, where a training begins


def learning_rate(done: float, peak: float, warm_up: float, fall: float | None = None) -> float:
    """One cycle (arXiv:1708.07120) over `done`, the share of the training from 0 to 1.

    A cosine rises from `peak` / 25 to `peak` during the first `warm_up` of it, and a cosine falls to 0 during the last
    `fall` of it, by default all that follows the rise. Between them the rate stays at its peak.
    """
    if done < warm_up:
        return peak * (START + (1 - START) * 0.5 * (1 - math.cos(math.pi * done / warm_up)))
    fall = 1 - warm_up if fall is None else fall
    return peak * 0.5 * (1 + math.cos(math.pi * min(1.0, max(0.0, (done - 1 + fall) / fall))))


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Let the optimizer's next step use this rate for all parameters."""
    for group in optimizer.param_groups:
        group["lr"] = rate
