"""A clip along λ of one vector as SVG: the probability of its leading labels. trace_figure.js moves the marks."""

from __future__ import annotations

import json
from html import escape

import numpy as np

from ...serve.trace import Trace
from .numbers import number_text

WIDTH, HEIGHT = 640, 288
LEFT, RIGHT, TOP, BOTTOM = 46, 14, 8, 52  # margins in pixels; the axes lie between


def trace_svg(trace: Trace, current: float) -> str:
    """The figure as HTML, with a legend whose numbers are those at `current`, the λ that is set."""
    labels = trace.leading
    axis = trace.scaling_coefs
    values = np.array([trace.probabilities[label] for label in labels])
    frame = {"left": _x(axis, axis[0]), "right": _x(axis, axis[-1]), "bottom": _y(0), "top": _y(1)}
    data = {"vector": trace.vector, "lambdas": axis.tolist(), "values": values.round(4).tolist(), "frame": frame}
    at = int(np.abs(axis - current).argmin())
    about = f"Probability of {', '.join(labels)} along λ of τ {trace.vector}"
    lines = "".join(
        f"<g class='tv-series-{i + 1}'><path d='{_path(axis, row)}'/><circle class='tv-dot-at' r='4.5' "
        f"cx='{_x(axis, current):.1f}' cy='{_y(row[at]):.1f}'/></g>"
        for i, row in enumerate(values)
    )
    legend = "".join(
        f"<span class='tv-series-{i + 1}'><i></i>{escape(label)} <b>{100 * row[at]:.0f} %</b></span>"
        for i, (label, row) in enumerate(zip(labels, values, strict=True))
    )
    x = _x(axis, current)
    return (
        f"<figure class='tv-trace tv-figure' data-trace='{escape(json.dumps(data), quote=True)}'>"
        f"<figcaption class='tv-trace-legend'><b class='tv-at'></b>{legend}</figcaption>"
        f"<svg viewBox='0 0 {WIDTH} {HEIGHT}' role='img' aria-label='{escape(about)}'><title>{escape(about)}</title>"
        f"{_axes(trace)}{_flips(trace)}{lines}"
        f"<line class='tv-operating' x1='{x:.1f}' x2='{x:.1f}' y1='{_y(0):.1f}' y2='{_y(1):.1f}'/></svg></figure>"
    )


def _x(axis: np.ndarray, scaling_coef: float) -> float:
    share = (scaling_coef - axis[0]) / (axis[-1] - axis[0])
    return LEFT + (WIDTH - LEFT - RIGHT) * float(min(max(share, 0), 1))


def _y(probability: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * float(probability)


def _path(axis: np.ndarray, row: np.ndarray) -> str:
    return "M" + "L".join(f"{_x(axis, λ):.1f},{_y(p):.1f}" for λ, p in zip(axis, row, strict=True))


def _axes(trace: Trace) -> str:
    axis = trace.scaling_coefs
    parts = [
        f"<line class='tv-grid' x1='{LEFT}' x2='{WIDTH - RIGHT}' y1='{_y(p):.1f}' y2='{_y(p):.1f}'/>"
        f"<text x='{LEFT - 8}' y='{_y(p) + 4:.1f}' text-anchor='end'>{100 * p:.0f}</text>"
        for p in (0, 0.25, 0.5, 0.75, 1)
    ]
    for λ in np.linspace(axis[0], axis[-1], 5):
        kind = "tv-grid" if λ else "tv-zero"
        parts.append(
            f"<line class='{kind}' x1='{_x(axis, λ):.1f}' x2='{_x(axis, λ):.1f}' y1='{_y(0):.1f}' y2='{_y(1):.1f}'/>"
            f"<text x='{_x(axis, λ):.1f}' y='{_y(0) + 21:.1f}' text-anchor='middle'>{number_text(λ, 'g')}</text>"
        )
    middle, height = (LEFT + WIDTH - RIGHT) / 2, _y(0.5)
    parts.append(f"<text x='{middle}' y='{HEIGHT - 6}' text-anchor='middle'>λ of τ {escape(trace.vector)}</text>")
    parts.append(
        f"<text class='tv-unit' x='13' y='{height:.1f}' transform='rotate(-90 13 {height:.1f})' text-anchor='middle'>"
        "probability, %</text>"
    )
    return "".join(parts)


def _flips(trace: Trace) -> str:
    """A line at each λ where the answer changes, with both answers written along it."""
    axis = trace.scaling_coefs
    return "".join(
        f"<g class='tv-flip'><line x1='{_x(axis, λ):.1f}' x2='{_x(axis, λ):.1f}' y1='{_y(0):.1f}' y2='{_y(1):.1f}'/>"
        f"<text x='{_x(axis, λ) - 4:.1f}' y='{_y(1) + 4:.1f}' text-anchor='end' "
        f"transform='rotate(-90 {_x(axis, λ) - 4:.1f} {_y(1) + 4:.1f})'>{escape(before)} → {escape(after)}</text></g>"
        for λ, before, after in trace.flips
    )
