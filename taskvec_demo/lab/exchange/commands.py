"""The commands that exchange checkpoints and vectors with other people: `convert`, `vector` and `push`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..data.arguments import add_artifacts, add_command


def register(commands: Any) -> None:
    """Add the three commands to the command line."""
    _register_convert(commands)
    _register_vector(commands)
    help = "Upload a checkpoint's folder to the hub, for `app.py --artifacts USER/REPO`."
    sub = add_command(commands, "push", _push, help, hub=("repo",))
    sub.add_argument("folder", type=Path, help="what `build` wrote")
    sub.add_argument("repo", help="USER/REPO; made if it is not there")
    sub.add_argument("--private", action="store_true", help="if the repository is made, make it private")


def _register_convert(commands: Any) -> None:
    help = "Turn a LAION .pt into a folder that transformers loads."
    sub = add_command(commands, "convert", _convert, help, hub=("checkpoint", "tokenizer"))
    sub.add_argument("checkpoint", metavar="FILE", help="unfused .pt of laion-clap, HTSAT-tiny or -base with RoBERTa")
    sub.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="a new folder")
    sub.add_argument("--tokenizer", help="folder or hub id (default: roberta-base, which LAION trained with)")
    sub.add_argument("--verify", action="store_true", help="compare embeddings with the laion-clap package")


def _register_vector(commands: Any) -> None:
    help = "Make a task vector from a fine-tuned checkpoint, differences or a LoRA adapter."
    sub = add_command(commands, "vector", _vector, help, hub=("pretrained", "finetuned"))
    what = "tiny-clap, a folder, a hub id, a LAION .pt or a .safetensors state dict"
    sub.add_argument("--pretrained", required=True, metavar="P", help=f"what training started from: {what}")
    origin = sub.add_mutually_exclusive_group(required=True)
    origin.add_argument("--finetuned", metavar="F", help="the fine-tuned checkpoint, in any of the same forms")
    origin.add_argument("--delta", type=Path, metavar="D", help=".safetensors of differences under ClapModel's names")
    origin.add_argument("--lora", type=Path, metavar="L", help="folder of a LoRA adapter of the audio tower, by peft")
    sub.add_argument("--name", required=True, help="what recipes and sliders call the vector")
    sub.add_argument("--task", default="", help="the task that it was trained on")
    sub.add_argument("--out", type=Path, required=True, metavar="FILE", help="a new .safetensors file")
    add_artifacts(sub, "folder whose task vectors the new one is compared with")


def _convert(options: argparse.Namespace) -> int:
    from .convert import run

    return run(options)


def _vector(options: argparse.Namespace) -> None:
    from .make_vector import run

    run(options)


def _push(options: argparse.Namespace) -> None:
    from .push import push

    print(push(options.folder, options.repo, private=options.private))
