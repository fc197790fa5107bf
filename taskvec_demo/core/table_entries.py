"""Figures of the measured tables in words, the same on the page and in the model card.

An entry holds `n` and, under "pretrained" and "edited", an accuracy with its interval (`Accuracy.to_dict`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .evaluation import percent

NO_CLIPS = "–"


def tenths(share: float | None) -> str:
    """Percent with one decimal."""
    return NO_CLIPS if share is None else f"{100 * share:.1f}"


def interval(accuracy: Mapping[str, Any]) -> str:
    """The 95 % interval of an accuracy in percent: [16.9, 22.3]"""
    return f"[{tenths(accuracy['low'])}, {tenths(accuracy['high'])}]"


def kept(entry: Mapping[str, Any]) -> str | None:
    """The whole percent of the pre-trained accuracy that is left; none where there was nothing to keep."""
    before, after = (entry[model]["accuracy"] for model in ("pretrained", "edited"))
    return percent(after / before) if before else None
