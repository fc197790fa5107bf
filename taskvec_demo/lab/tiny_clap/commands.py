"""The commands that make the embedded checkpoint: `pretrain`, `align-text` and `distil-text`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..data.arguments import add_command, add_recordings


def register(commands: Any) -> None:
    """Add the three commands to the command line."""
    pretrain = add_command(
        commands, "pretrain", _pretrain, "Train the audio tower against the text space; resumes after a stop."
    )
    pretrain.add_argument(
        "--steps", type=int, default=100_000, help="steps in all, of 32 windows each; a second call resumes"
    )
    pretrain.add_argument(
        "--unlabelled", type=Path, help="folder of sets without labels and of what audio teachers hear in them"
    )
    pretrain.add_argument(
        "--frozen-stages",
        type=int,
        default=0,
        choices=range(5),
        help="stages of the tower that stay as --start has them",
    )
    align = add_command(commands, "align-text", _align, "Fit the map from the text teacher to the trained audio tower.")
    distil = add_command(
        commands, "distil-text", _distil, "Train the text tower on the phrases of WordNet (needs `wordnet-base`)."
    )
    distil.add_argument("--minutes", type=float, default=25, help="wall time in all; a second call resumes")
    for parser in (pretrain, align, distil):
        add_recordings(parser)
        parser.add_argument("--start", type=Path, help="model folder of a checkpoint that is gone on from")


def _pretrain(options: argparse.Namespace) -> None:
    from .pretrain import pretrain

    print(
        pretrain(options.work, options.data, options.steps, 0, options.start, options.unlabelled, options.frozen_stages)
    )


def _align(options: argparse.Namespace) -> None:
    from .alignment import align

    print(align(options.work, options.data, options.start))


def _distil(options: argparse.Namespace) -> None:
    from .text_distillation import distil_text

    distil_text(options.work, options.data, minutes=options.minutes, start=options.start)
