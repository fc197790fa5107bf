"""The options of `finetune`: all that `FineTuning` declares, and how this machine goes about it."""

from __future__ import annotations

import argparse
from typing import Any

from ..data import fine_tuning

RUN = ("seed", "patience", "at_once")  # options of a run that no study decides


def _declared() -> dict[str, fine_tuning.Option]:
    return {option.name: option for option in fine_tuning.options(fine_tuning.FineTuning)}


def add_training_options(parser: argparse.ArgumentParser) -> None:
    """One option of the command line for each that is declared, and those of the run."""
    for name, option in _declared().items():
        parser.add_argument(f"--{option.flag}", dest=name, type=type(option.default), metavar="X", help=option.said)
    parser.add_argument("--seed", type=int, help="seed of everything that is drawn (default: 0)")
    parser.add_argument(
        "--patience", type=int, metavar="N", help="end when N epochs in a row were no better on validation"
    )
    parser.add_argument(
        "--batch", dest="at_once", type=int, default=32, metavar="N", help="windows computed at once; a step has 64"
    )


def asked(options: argparse.Namespace) -> dict[str, Any]:
    """What was asked for, as the keywords of `finetune_all`; None: what the study says."""
    return {name: getattr(options, name) for name in (*_declared(), *RUN)}
