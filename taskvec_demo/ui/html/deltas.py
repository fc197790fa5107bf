"""The change of an accuracy in points, as the difference of the two percentages that stand beside it."""

from __future__ import annotations

from .verdict import round_percent


def delta_html(before: float, after: float) -> str:
    points = round_percent(after) - round_percent(before)
    if not points:
        return "<span class='tv-delta tv-same'>±0</span>"
    direction, sign = ("tv-up", "+") if points > 0 else ("tv-down", "−")
    return f"<span class='tv-delta {direction}'>{sign}{abs(points)}</span>"
