"""Points: the change of an accuracy, as the difference of the percentages that stand beside it, and errors."""

from __future__ import annotations

import math

from ...core.evaluation import percent


def round_percent(share: float) -> int:
    return int(percent(share)) if math.isfinite(share) else 0


def delta_html(before: float, after: float) -> str:
    points = round_percent(after) - round_percent(before)
    if not points:
        return "<span class='tv-delta tv-same'>±0</span>"
    direction, sign = ("tv-up", "+") if points > 0 else ("tv-down", "−")
    return f"<span class='tv-delta {direction}'>{sign}{abs(points)}</span>"


def points_text(share: float) -> str:
    """A share in points to one decimal; a half is rounded up, as in the browser."""
    return f"{math.floor(1000 * share + 0.5) / 10:.1f}"
