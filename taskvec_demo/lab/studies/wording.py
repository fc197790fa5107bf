"""Claims of a study as they are shipped, and numbers as their sentences have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def claim_entry(
    name: str, claim: str, reached: bool | None, says: str, figures: Mapping[str, Any], *, sure: bool = True
) -> dict[str, Any]:
    """`says` has the figures in words, `sure` whether the whole interval is on one side of what was to be reached.

    `reached` is None for what was not measured.
    """
    return {"name": name, "claim": claim, "reached": reached, "sure": sure, "says": says, "figures": dict(figures)}


def signed(value: float, digits: int = 1) -> str:
    """With a sign: +3.1"""
    return f"{value:+.{digits}f}".replace("-", "−")


def points_between(low: float, high: float) -> str:
    """An interval of shares as points: 95 % −0.4 to +6.0"""
    return f"95 % {signed(100 * low)} to {signed(100 * high)}"
