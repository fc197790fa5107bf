"""The picture of a clip as SVG: its wave above its log-mel spectrogram."""

from __future__ import annotations

from html import escape

from ...serve.clip_picture import ClipPicture
from .png import png_address

WIDTH, LEFT, RIGHT = 640, 46, 8  # pixels of the drawing; the time axis lies between
WAVE, MEL, GAP, BOTTOM = 56, 96, 6, 26
FILLED_WORDS = 300  # pixels that the words on a filled part take where text is largest, on a phone


def clip_figure(picture: ClipPicture, name: str) -> str:
    """The figure as HTML. `name` is that of the recording."""
    inner = WIDTH - LEFT - RIGHT
    height = WAVE + GAP + MEL + BOTTOM
    top = WAVE + GAP
    at = inner / picture.seconds
    about = f"Wave and log-mel spectrogram of {name}, {picture.seconds:.1f} s, as the model hears it"
    cuts = "".join(
        f"<line class='tv-cut' x1='{LEFT + at * t:.1f}' x2='{LEFT + at * t:.1f}' y1='0' y2='{top + MEL}'/>"
        for t in picture.cuts
    )
    low, high = (f"{f / 1000:g} kHz" if f >= 1000 else f"{f:g} Hz" for f in picture.band)
    texts = (
        _text(LEFT - 6, WAVE / 2 + 4, "wave", "end")
        + _text(LEFT - 6, top + 10, high, "end")
        + _text(LEFT - 6, top + MEL, low, "end")
        + _text(LEFT, height - 4, "0 s", "start")
        + _text(WIDTH - RIGHT, height - 4, f"{picture.seconds:.1f} s", "end")
    )
    return (
        f"<figure class='tv-clip-figure tv-figure'><svg viewBox='0 0 {WIDTH} {height}' role='img' "
        f"aria-label='{escape(about)}'><title>{escape(about)}</title>"
        f"<path class='tv-wave-path' d='{_wave(picture, inner)}'/>"
        f"<image x='{LEFT}' y='{top}' width='{inner}' height='{MEL}' preserveAspectRatio='none' "
        f"href='{png_address(picture.mel[::-1])}'/>{_filled(picture, at, top)}{cuts}{texts}</svg></figure>"
    )


def _wave(picture: ClipPicture, inner: float) -> str:
    """The outline of the wave: its highest values to the right, its lowest ones back."""
    n = len(picture.low)
    x = [LEFT + inner * (i + 0.5) / n for i in range(n)]
    scale = WAVE / 2 / max(1e-9, float(abs(picture.low).max()), float(abs(picture.high).max()))
    points = [*zip(x, picture.high, strict=True), *zip(x[::-1], picture.low[::-1], strict=True)]
    return "M" + "L".join(f"{px:.1f},{WAVE / 2 - scale * float(value):.1f}" for px, value in points) + "Z"


def _filled(picture: ClipPicture, at: float, top: float) -> str:
    """A veil over the part with which a short clip is filled up to a whole window."""
    if picture.filled_from >= picture.seconds:
        return ""
    x = LEFT + at * picture.filled_from
    veil = f"<rect class='tv-veil' x='{x:.1f}' y='0' width='{WIDTH - RIGHT - x:.1f}' height='{top + MEL}'/>"
    words = "filled up to a window"
    return veil + (_text((x + WIDTH - RIGHT) / 2, WAVE / 2 + 4, words, "middle") if WIDTH - x > FILLED_WORDS else "")


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}'>{escape(text)}</text>"
