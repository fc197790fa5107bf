"""One recording, from its file to an answer: what the model hears in it, and how probable each label is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from ..clap.features import FeatureConfig, log_mel
from ..core.weights import Weights
from ..core.zero_shot import ZeroShotHead, clip_embedding, probabilities
from ..recordings.audio import Clip, load_clip, windows

if TYPE_CHECKING:  # the page shows what was measured before transformers is imported
    from ..clap.model import Checkpoint

TEMPLATE = "This is a sound of {}."


def hear(file: str | os.PathLike[str], features: FeatureConfig) -> tuple[Clip, torch.Tensor]:
    """The recording, and its log-mel windows (k, 1, frames, mels) as a checkpoint hears them. Raises BadAudioError."""
    clip = load_clip(file, features.sample_rate)
    return clip, log_mel(windows(clip.samples, features.n_samples), features)


def classify(
    checkpoint: Checkpoint,
    file: str | os.PathLike[str],
    labels: Sequence[str],
    weights: Weights | None = None,
    templates: Sequence[str] = (TEMPLATE,),
) -> dict[str, float]:
    """The probability of each label for a recording, under edited `weights` (default: pre-trained). They add up to 1.

    `templates` are sentences with {} in place of the label. Raises BadAudioError for a file that cannot be used.
    """
    head = ZeroShotHead.from_prompts(checkpoint.embed_text, labels, labels, templates)
    embedding = clip_embedding(checkpoint.embed_audio(hear(file, checkpoint.features)[1], weights))
    values = probabilities(head.logits(embedding[None], checkpoint.logit_scale)[0])
    return dict(zip(head.labels, values, strict=True))
