"""The limits on uploads, and the sentence with which an upload is refused."""

from __future__ import annotations

import os

from ..errors import BadAudioError

MIN_SECONDS = 0.1  # a shorter clip is refused: these are 1600 samples at 16 kHz, 10 mel frames
MAX_SECONDS = 600  # 10 min
USED_SECONDS = 60  # this much is decoded and classified: 12 windows of 5 s
MAX_BYTES = 25 * 10**6  # 25 MB: 10 min of mp3 at 320 kbit/s is 600 s * 40 kB/s = 24 MB
MIN_RATE, MAX_RATE = 1_000, 384_000  # Hz
ACCEPTED_FORMATS = ("wav", "flac", "ogg", "opus", "mp3")
MAX_NAME = 60  # characters of a file's name in a sentence

ACCEPTED = (
    f"upload a {', '.join(ACCEPTED_FORMATS[:-1])} or {ACCEPTED_FORMATS[-1]} recording of {MIN_SECONDS:g} s to "
    f"{MAX_SECONDS // 60} min and at most {MAX_BYTES // 10**6} MB"
)


class TooShortError(BadAudioError):
    """A whole recording that is shorter than `MIN_SECONDS`."""


def refusal(name: str, problem: str) -> BadAudioError:
    return BadAudioError(f"{name} {problem}; {ACCEPTED}.")


def check_rate(name: str, rate: float) -> None:
    if not MIN_RATE <= rate <= MAX_RATE:
        raise refusal(name, f"has a sample rate of {rate} Hz, outside {MIN_RATE} to {MAX_RATE} Hz")


def check_seconds(name: str, seconds: float) -> None:
    if seconds == 0:
        raise refusal(name, "holds no samples")
    if seconds < MIN_SECONDS:
        raise TooShortError(str(refusal(name, f"is too short ({seconds:.3f} s)")))
    if seconds > MAX_SECONDS:
        raise refusal(name, f"is too long ({length(seconds)})")


def length(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds // 60:.0f} min {seconds % 60:.1f} s"


def shown_name(path: str | os.PathLike[str]) -> str:
    """The base name, printable and at most `MAX_NAME` characters, for use in a sentence."""
    base = os.path.basename(os.fspath(path).rstrip("/\\")) or "The upload"
    printable = "".join(c if c.isprintable() else "?" for c in base)
    return printable if len(printable) <= MAX_NAME else f"{printable[:40]}…{printable[-19:]}"
