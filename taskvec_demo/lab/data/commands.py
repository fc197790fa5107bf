"""The commands `data check`, `data import`, `data notes` and `data words`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def register(commands: Any) -> None:
    """Add `data` and its actions to the command line."""
    help = "Check a folder of recordings, import a data set of the Hugging Face hub, or synthesize notes and words."
    actions = commands.add_parser("data", help=help).add_subparsers(required=True, metavar="ACTION")
    sub = actions.add_parser("check", help="classes, splits, rates, durations, unreadable files, duplicates and leaks")
    sub.set_defaults(run=_check, hub=())
    sub.add_argument("folder", type=Path, metavar="DIR", help="a set, or a folder of sets, in any known layout")
    sub.add_argument("--layout", default="auto", help="esc50, urbansound8k, gtzan, …; default: found out")
    sub.add_argument("--rate", type=int, metavar="HZ", help="decode as for a checkpoint of this sampling rate")
    sub.add_argument("--json", action="store_true", help="print everything as JSON instead of a table")
    sub = actions.add_parser("import", help="write a repository of `datasets` as FLAC files and clips.csv")
    sub.set_defaults(run=_import, hub=("source",))
    sub.add_argument("source", metavar="REPO_OR_FOLDER", help="hub id such as ashraq/esc50, or a folder of parquet")
    sub.add_argument("--to", type=Path, required=True, metavar="DIR", help="a new folder")
    sub.add_argument("--audio", metavar="COLUMN", help="default: the only column that holds sound")
    sub.add_argument("--label", metavar="COLUMN", help="default: label, labels, class, category, genre or emotion")
    sub.add_argument("--config", help="of a repository that has several")
    sub.add_argument("--revision", help="commit, tag or branch on the hub")
    sub = actions.add_parser("words", help="speak the ten digits in the voices of espeak-ng and flite")
    sub.set_defaults(run=_words, hub=())
    sub.add_argument("--to", type=Path, required=True, metavar="DIR", help="a new folder")
    sub = actions.add_parser("notes", help="play the instruments of a General MIDI soundfont, note by note")
    sub.set_defaults(run=_notes, hub=())
    sub.add_argument("soundfont", type=Path, metavar="SF2", help="such as FluidR3_GM.sf2; fluidsynth plays it")
    sub.add_argument("--to", type=Path, required=True, metavar="DIR", help="a new folder")


def _check(options: argparse.Namespace) -> int:
    from .check import run

    return run(options)


def _import(options: argparse.Namespace) -> int:
    from .importer import run

    return run(options)


def _words(options: argparse.Namespace) -> None:
    from .words import run

    run(options)


def _notes(options: argparse.Namespace) -> None:
    from .notes import run

    run(options)
