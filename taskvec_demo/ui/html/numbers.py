"""Numbers as the page writes them: with a minus sign, which is no hyphen. figures.js writes the same."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal


def number_text(value: float, form: str = ".2f") -> str:
    """A number in the form of a format specification: "−0.90", "+3", "−0.5"."""
    return f"{value:{form}}".replace("-", "−")


def range_text(points: list[float]) -> str:
    """The smallest and the largest of some changes: "−3 to +12"."""
    return f"{number_text(min(points), '+.0f')} to {number_text(max(points), '+.0f')}"


def width_text(share: float) -> str:
    """A share as a length in CSS: "56.3%". A half goes up, as in JavaScript's `toFixed`."""
    return f"{Decimal(100 * share).quantize(Decimal('0.1'), ROUND_HALF_UP)}%"
