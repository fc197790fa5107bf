"""What Ballanti, Task Arithmetic for Audio Classification (2024), reports: CLAP unfused, control ESC-50."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...core.intervals import wilson

CONTROL_CLIPS = 200


@dataclass(frozen=True)
class Reported:
    """One reported edit: the recordings and λ in words, and the entries of its target and its control."""

    name: str
    target: Mapping[str, Any]
    control: Mapping[str, Any] | None = None
    normalized: float | None = None


def entry(before: float, after: float, n: int | None = None) -> dict[str, Any]:
    """Reported percentages in the form of our tables. There is no interval where no n was reported."""
    bounds = wilson(round(after / 100 * n), n) if n else (None, None)
    low, high = (None if bound is None else float(bound) for bound in bounds)
    edited = {"accuracy": after / 100, "low": low, "high": high}
    return {"n": n, "pretrained": {"accuracy": before / 100}, "edited": edited}


_MUSIC = Reported("GTZAN music, λ = −0.45", entry(32.0, 10.0, 100), entry(80.5, 76.5, CONTROL_CLIPS))
NEGATION = {
    "music": _MUSIC,
    "instruments": _MUSIC,  # the music of a checkpoint that knows instruments only
    "urban": Reported("UrbanSound8K, λ = −0.2", entry(71.76, 50.76), entry(80.5, 70.5, CONTROL_CLIPS)),
}
_TWO_MUSIC = Reported("GTZAN music, λ = 0.75 and 0.6", entry(32.0, 83.0, 100), normalized=0.9222)
_SHARED_MUSIC = Reported("GTZAN music, one λ = 0.65", entry(32.0, 76.0, 100), normalized=0.7600 / 0.9000)
ADDITION = {  # name of a sum -> task -> what was reported
    "two": {
        "music": _TWO_MUSIC,
        "instruments": _TWO_MUSIC,
        "urban": Reported("UrbanSound8K, λ = 0.75 and 0.6", entry(71.76, 91.22), normalized=0.9562),
    },
    "two_shared": {
        "music": _SHARED_MUSIC,
        "instruments": _SHARED_MUSIC,
        "urban": Reported("UrbanSound8K, one λ = 0.65", entry(71.76, 92.37), normalized=0.9237 / 0.9504),
    },
}
ANALOGY = Reported("λ = 0.75", entry(35.29, 95.10))
