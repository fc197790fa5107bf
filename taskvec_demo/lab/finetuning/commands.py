"""The options of `finetune` that say how a vector is trained. Options that are not given are those of the study."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

OPTIONS: Mapping[str, Mapping[str, Any]] = {  # by the name that `finetune_all` takes
    "trains": {"metavar": "WHAT", "help": "full (default), last-stage, linear or lora"},
    "peak_rate": {"flag": "--rate", "type": float, "help": "highest learning rate; default: the study's"},
    "seed": {"type": int, "help": "of all that is drawn (default: 0)"},
    "runs": {"type": int, "metavar": "N", "help": "mean of N trainings of other seeds; default: the study's"},
    "temperature": {"type": float, "metavar": "T", "help": "what logits are divided by in the loss"},
    "rehearsal": {"type": float, "metavar": "W", "help": "weight of keeping how other sets embed"},
    "regmean": {"type": float, "metavar": "W", "help": "weight of the pre-trained model on clips to keep"},
    "scale": {"type": float, "metavar": "S", "help": "of what is left of the vector after RegMean"},
    "patience": {"type": int, "metavar": "N", "help": "end after N epochs without a better one on validation"},
    "at_once": {
        "flag": "--batch", "type": int, "metavar": "N", "default": 32, "help": "windows at once, of 64 a step",
    },
}  # fmt: skip


def add_training_options(parser: argparse.ArgumentParser) -> None:
    """One option of the command line for each of `OPTIONS`."""
    for name, option in OPTIONS.items():
        described = dict(option)
        parser.add_argument(described.pop("flag", f"--{name}"), dest=name, **described)


def asked(options: argparse.Namespace) -> dict[str, Any]:
    """The options that were given, as the keywords of `finetune_all`."""
    return {name: getattr(options, name) for name in OPTIONS}
