"""Figures as SVG and as tinted tables: tracks with dots, dumbbells or bars; heat maps. Pure functions.

An SVG is as wide as its place: x is in percent and text in pixels, so that nothing gets smaller on a phone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from .paper_cells import scroll_box

NAME_Y, SAID_Y, LANE_Y = 13, 30, 41  # px, baselines of a track's name and first figures; the middle of the first lane
LANE, AFTER = 30, 16  # px, from lane to lane, below the last
AXIS = 30  # px below the last track
TINT = 62  # percent of the full colour in a cell of a heat map, at most: the text keeps its contrast


@dataclass(frozen=True)
class Mark:
    """A dot at `value`, with its interval if it is known, and a line from `start` if it has one: shares of 1.

    `kind` gives the colour: "target" or "control". A `bar` begins at 0.
    """

    value: float
    interval: tuple[float, float] | None = None
    start: float | None = None
    kind: str = "target"
    bar: bool = False

    @classmethod
    def of(cls, entry: Mapping[str, Any], kind: str = "target", start: bool = True) -> Mark | None:
        """From an entry of a table; none if no clip was measured."""
        before, after = entry["pretrained"]["accuracy"], entry["edited"]
        if after["accuracy"] is None or before is None:
            return None
        interval = (after["low"], after["high"]) if after["low"] is not None else None
        return cls(after["accuracy"], interval, before if start else None, kind)


@dataclass(frozen=True)
class Track:
    """A row of a figure: its name, and its lanes. A lane has a text and the marks that lie on it."""

    name: str
    lanes: Sequence[tuple[str, Sequence[Mark | None]]]
    ours: bool = False


def tracks_svg(title: str, tracks: Sequence[Track], line: float | None = None, end: float = 1.0) -> str:
    """Tracks below each other over one axis from 0 to `end`, with a vertical `line`. Texts are escaped here."""
    y, rows = 0, []
    for track in tracks:
        rows.append(_track(track, y, end))
        y += LANE_Y + LANE * (len(track.lanes) - 1) + AFTER
    said = (f"{track.name}: {', '.join(text for text, _ in track.lanes)}" for track in tracks)
    spoken = f"{title}. {'; '.join(said)}."
    return (
        f"<svg class='tv-tracks' width='100%' height='{y + AXIS}' role='img' aria-label='{escape(spoken, quote=True)}'>"
        f"{_axis(y, end, line)}{''.join(rows)}</svg>"
    )


def _x(share: float, end: float) -> str:
    return f"{min(max(100 * share / end, 0), 100):.2f}%"


def _axis(height: int, end: float, line: float | None) -> str:
    ticks = [end * i / 4 for i in range(5)]
    drawn = [
        f"<line class='tv-grid' x1='{_x(t, end)}' x2='{_x(t, end)}' y1='0' y2='{height}'/>"
        f"<text x='{_x(t, end)}' y='{height + 16}' text-anchor='{_anchor(i)}'>"
        f"{f'{100 * t:.0f}' if line is None else f'{t:g}'}</text>"
        for i, t in enumerate(ticks)
    ]
    if line is not None:
        drawn.append(f"<line class='tv-line' x1='{_x(line, end)}' x2='{_x(line, end)}' y1='0' y2='{height}'/>")
    return "".join(drawn)


def _anchor(i: int) -> str:
    return {0: "start", 4: "end"}.get(i, "middle")


def _track(track: Track, y: int, end: float) -> str:
    lanes = "".join(
        f"<text class='tv-track-said' y='{y + SAID_Y + LANE * i}'>{escape(said)}</text>"
        f"<g transform='translate(0 {y + LANE_Y + LANE * i})'>{''.join(_mark(m, end) for m in marks if m)}</g>"
        for i, (said, marks) in enumerate(track.lanes)
    )
    state = " class='tv-ours'" if track.ours else ""
    return f"<g{state}><text class='tv-track-name' y='{y + NAME_Y}'>{escape(track.name)}</text>{lanes}</g>"


def _mark(mark: Mark, end: float) -> str:
    at = _x(mark.value, end)
    parts = []
    if mark.bar:
        parts.append(f"<rect x='0' y='-5' width='{at}' height='10' rx='2'/>")
    if mark.start is not None:
        start = _x(mark.start, end)
        parts.append(f"<line class='tv-way' x1='{start}' x2='{at}'/><circle class='tv-start' cx='{start}' r='4'/>")
    if mark.interval:
        low, high = (_x(v, end) for v in mark.interval)
        parts.append(f"<line class='tv-whisker' x1='{low}' x2='{high}'/>")
    if not mark.bar:
        parts.append(f"<circle cx='{at}' r='5'/>")
    return f"<g class='tv-mark-{mark.kind}'>{''.join(parts)}</g>"


@dataclass(frozen=True)
class HeatCell:
    """A cell of a heat map: text, colour from −1 (orange) over 0 (none) to 1 (blue), and whether it has a frame."""

    text: str
    tint: float
    framed: bool = False
    title: str = ""


def heat_table(name: str, caption: str, columns: Iterable[str], rows: Sequence[tuple[str, Sequence[HeatCell]]]) -> str:
    """A heat map as a table with tinted cells. `name` marks it for those who look for its figures. The names of rows
    are HTML.
    """
    head = "".join(f"<th scope='col'><span>{escape(c)}</span></th>" for c in columns)
    body = "".join(f"<tr><th scope='row'>{row}</th>{''.join(_heat_cell(c) for c in cells)}</tr>" for row, cells in rows)
    return (
        f"<p class='tv-heat-caption' id='heat-{escape(name)}'>{escape(caption)}</p>{scroll_box(name)}"
        f"<table class='tv-heat' data-table='{escape(name)}' aria-labelledby='heat-{escape(name)}'>"
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _heat_cell(cell: HeatCell) -> str:
    colour = "--tv-ed" if cell.tint >= 0 else "--tv-down"
    tint = f"color-mix(in srgb, var({colour}) {min(abs(cell.tint), 1) * TINT:.0f}%, transparent)"
    framed = " class='tv-framed'" if cell.framed else ""
    title = f" title='{escape(cell.title, quote=True)}'" if cell.title else ""
    return f"<td{framed}{title} style='background: {tint}'>{escape(cell.text)}</td>"


def disclosure(summary: str, body: str) -> str:
    return f"<details class='tv-more'><summary>{summary}</summary>{body}</details>"
