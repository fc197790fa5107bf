"""A small PNG of one byte a pixel, with the colours of a palette."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np

# From dark violet to yellow, as matplotlib's viridis: brightness grows with the value, for every colour vision.
ANCHORS = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))
PALETTE = np.stack(
    [
        np.interp(np.linspace(0, len(ANCHORS) - 1, 256), range(len(ANCHORS)), channel)
        for channel in zip(*ANCHORS, strict=True)
    ],
    axis=1,
).astype(np.uint8)


def png(pixels: np.ndarray) -> bytes:
    """Pixels (height, width) uint8, the top row first, as a PNG (RFC 2083, colour type 3)."""
    height, width = pixels.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels], axis=1)  # each begins with its filter: none
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = (
        (b"IHDR", header),
        (b"PLTE", PALETTE.tobytes()),
        (b"IDAT", zlib.compress(rows.tobytes(), 9)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in parts)


def png_address(pixels: np.ndarray) -> str:
    """The same as an address that holds the picture itself."""
    return f"data:image/png;base64,{base64.b64encode(png(pixels)).decode()}"


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
