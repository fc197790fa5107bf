"""What commands share on the command line: how one is added, and the options for folders and studies."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...clap.embedded import EMBEDDED, REPOSITORY

Run = Callable[[argparse.Namespace], int | None]  # a command; what it returns is the exit code, none for 0
STUDIES = ("tiny", "ballanti")


def add_command(commands: Any, name: str, run: Run, help: str, hub: tuple[str, ...] = ()) -> argparse.ArgumentParser:
    """The parser of a new command. `commands` is what `add_subparsers` gave, `hub` the options that may name a
    repository of the hub."""
    parser = commands.add_parser(name, help=help, description=help)
    parser.set_defaults(run=run, hub=hub)
    return parser


def add_artifacts(parser: argparse.ArgumentParser, help: str = "folder of one checkpoint") -> None:
    parser.add_argument("--artifacts", type=Path, default=EMBEDDED, help=help)


def add_work(parser: argparse.ArgumentParser, help: str = "folder for caches and training states") -> None:
    parser.add_argument("--work", type=Path, default=REPOSITORY / ".lab", help=help)


def add_recordings(parser: argparse.ArgumentParser) -> None:
    """The recordings that are trained or measured on, and where what is computed of them is kept."""
    help = "folder of sets, each with clips.csv or as it was published"
    parser.add_argument("--data", type=Path, required=True, help=help)
    add_work(parser)


def add_study(parser: argparse.ArgumentParser) -> None:
    """`--study`, which was called `--preset` and still answers to that."""
    parser.add_argument("--study", default="tiny", choices=STUDIES, help="the study (default: tiny)")
    old = argparse.SUPPRESS
    parser.add_argument("--preset", dest="study", default=old, choices=STUDIES, help=old)
