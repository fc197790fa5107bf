"""Parts that commands share: how a command is added, and the options for folders and studies."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...clap.embedded import EMBEDDED, REPOSITORY

Run = Callable[[argparse.Namespace], int | None]  # a command; it returns the exit code, or None for 0
STUDIES = ("tiny", "ballanti")


def add_command(commands: Any, name: str, run: Run, help: str, hub: tuple[str, ...] = ()) -> argparse.ArgumentParser:
    """The parser of a new command. `commands` is what `add_subparsers` gave, `hub` the options that may name a
    repository of the hub."""
    parser = commands.add_parser(name, help=help, description=help)
    parser.set_defaults(run=run, hub=hub)
    return parser


def add_artifacts(
    parser: argparse.ArgumentParser,
    help: str = "folder of one checkpoint, as `build` writes it (default: that of tiny-CLAP)",
) -> None:
    parser.add_argument("--artifacts", type=Path, default=EMBEDDED, help=help)


def add_work(
    parser: argparse.ArgumentParser, help: str = "folder for caches and training states (default: .lab)"
) -> None:
    parser.add_argument("--work", type=Path, default=REPOSITORY / ".lab", help=help)


def add_recordings(parser: argparse.ArgumentParser) -> None:
    """Add the options for the recordings, and for the folder in which results computed from them are kept."""
    help = "folder of sets, each with clips.csv or as it was published"
    parser.add_argument("--data", type=Path, required=True, help=help)
    add_work(parser)


def add_study(parser: argparse.ArgumentParser) -> None:
    """Add `--study`; its old name `--preset` still works."""
    parser.add_argument("--study", default="tiny", choices=STUDIES, help="the study (default: tiny)")
    old = argparse.SUPPRESS
    parser.add_argument("--preset", dest="study", default=old, choices=STUDIES, help=old)
