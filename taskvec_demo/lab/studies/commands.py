"""The command `study`: each study of a paper adds its own name to it."""

from __future__ import annotations

from typing import Any

from .adapters import command as adapters
from .relations import command as relations
from .speech_music import command as speech_music


def register(commands: Any) -> None:
    """Add `study` to the command line."""
    help = "Train and measure a study of another paper."
    studies = commands.add_parser("study", help=help, description=help).add_subparsers(required=True, metavar="STUDY")
    relations.register(studies)
    speech_music.register(studies)
    adapters.register(studies)
