"""`convert`: a LAION `.pt` as a folder that transformers loads, compared with the laion-clap package on request."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from ...clap.laion import PREPROCESSOR
from ...clap.loading import save_checkpoint
from ...clap.sources import ROBERTA, Source, describe, open_checkpoint, resolve
from ...core.files import whole_folder
from ...errors import BadArtifactError
from ...serve.artifacts import write_json
from .laion_comparison import compare


def convert_file(path: str, out: Path, tokenizer: str | None = None, verified: bool = False) -> bool:
    """Write the folder `out` (float32) from the LAION `.pt` at `path`; whether it holds.

    With `verified` the folder is compared with laion-clap as it was written, and not kept if it differs. It appears
    whole or not at all. Raises BadArtifactError for a file that is not LAION's, and when `out` exists.
    """
    source = resolve(path)
    if source.kind != "laion":
        raise BadArtifactError(f"{path} is not a LAION .pt (with tensors audio_branch.*); only these need converting.")
    if out.exists():
        raise BadArtifactError(f"{out} exists already; name a new folder.")
    print(describe(source), flush=True)
    try:
        with whole_folder(out) as folder:
            _write(source, folder, tokenizer or ROBERTA)
            if verified:
                _check(source, folder)
    except _DiffersError:
        return False
    print(f"{out} is written.")
    return True


def run(options: argparse.Namespace) -> int:
    """`python -m taskvec_demo convert`: exit code 1 if laion-clap answers otherwise."""
    return int(not convert_file(options.checkpoint, options.out, options.tokenizer, options.verify))


class _DiffersError(Exception):
    """The converted folder gives other answers than laion-clap."""


def _check(source: Source, folder: Path) -> None:
    result = compare(source, folder)
    print(result)
    if not result.passed:
        raise _DiffersError


def _write(source: Source, folder: Path, tokenizer: str) -> None:
    model = open_checkpoint(source, tokenizer=tokenizer).model
    save_checkpoint(folder, model, PREPROCESSOR, tokenizer, max_shard_size="5GB", dtype=torch.float32)
    write_json(folder / "source.json", source.provenance)
