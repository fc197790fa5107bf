"""The files of a checkpoint: which of a folder hold the weights, and their tensors under plain names.

Whatever is read here is read the same way for the app and for a task vector, so both mean the same weights.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..core.files import check_content, kind_of
from ..core.weights import read_safetensors
from ..errors import BadArtifactError
from .hub import TORCH_SUFFIXES

SAFETENSORS = ("model.safetensors", "model.safetensors.index.json")
TORCH_WEIGHTS = ("pytorch_model.bin", "pytorch_model.bin.index.json")  # what older repositories hold instead
# Buffers that the architecture fixes, and BatchNorm's counter: integers, unless a tool has cast every tensor of a file.
INDEX_BUFFERS = ("relative_position_index", "attn_mask", "num_batches_tracked", "position_ids", "token_type_ids")
_ROOTS = (  # first parts of the names in `ClapModel`, and in LAION's own files
    "audio_model", "audio_projection", "text_model", "text_projection",
    "audio_branch", "audio_transform", "text_branch", "text_transform",
)  # fmt: skip
_STATE_DICTS = ("state_dict", "model_state_dict", "model", "module")  # what trainers keep it under

# The epoch and metrics beside the weights are numpy scalars, in the module path of numpy 1 or 2.
_NUMPY_SCALARS: list[Any] = [
    np.dtype,
    *(type(np.dtype(kind)) for kind in ("float32", "float64", "int32", "int64", "bool")),
    *((np.float64(0).__reduce__()[0], f"{core}.multiarray.scalar") for core in ("numpy.core", "numpy._core")),
]


def folder_config(folder: Path) -> dict[str, Any]:
    """`config.json` of an unfused CLAP checkpoint in transformers' layout. Raises BadArtifactError."""
    path = folder / "config.json"
    if not path.is_file():
        raise BadArtifactError(f"{folder} holds no config.json: a CLAP checkpoint folder is expected.")
    for beside in sorted((*folder.glob("*.json"), *folder.glob("*.txt"))):
        check_content(beside)
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        kind, fused = config.get("model_type"), config.get("audio_config", {}).get("enable_fusion")
    except (ValueError, AttributeError) as error:
        raise BadArtifactError(f"{path} is not the JSON of a CLAP configuration ({error}).") from error
    if kind != "clap":
        raise BadArtifactError(f"{folder} is a {kind!r} model; a 'clap' checkpoint is expected.")
    if fused:
        raise BadArtifactError(f"{folder} is a fused CLAP checkpoint; only unfused ones are supported.")
    return config


def weight_files(folder: Path) -> list[Path]:
    """The files that hold the weights of a folder in transformers' layout; none: [].

    Of several sets the one that transformers loads: one file before shards, safetensors before pytorch_model.bin.
    Raises BadArtifactError for an index that names a shard which is not there.
    """
    for name in (*SAFETENSORS, *TORCH_WEIGHTS):
        path = folder / name
        if path.is_file():
            return _shards(path) if path.suffix == ".json" else [path]
    return []


def _shards(index: Path) -> list[Path]:
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        paths = [index.parent / name for name in names]
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise BadArtifactError(f"{index} is not the index of the shards of a checkpoint.") from error
    if missing := [path.name for path in paths if not path.is_file()]:
        raise BadArtifactError(f"{index} names {missing[0]}, which is not there; {len(missing)} of {len(paths)} lack.")
    return paths


def read_checkpoint(files: Sequence[Path], origin: str) -> dict[str, Tensor]:
    """The tensors of all files, see `plain`.

    Raises BadArtifactError where `files` is empty, or one of them is neither safetensors nor written by torch.save.
    """
    if not files:
        raise BadArtifactError(f"{origin} holds neither {SAFETENSORS[0]} nor {TORCH_WEIGHTS[0]}.")
    return plain({name: tensor for path in files for name, tensor in read_tensors(path)[0].items()})


def plain(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Without the prefix that all names share, and without index buffers."""
    cut = len(shared_prefix(tensors))
    return {name[cut:]: tensor for name, tensor in tensors.items() if not is_index_buffer(name)}


def is_index_buffer(name: str) -> bool:
    """Whether a tensor of this name is fixed by the architecture, so that it is no weight in whatever type it comes."""
    return name.rsplit(".", 1)[-1] in INDEX_BUFFERS


def shared_prefix(names: Collection[str]) -> str:
    """What a wrapper has put before every name, such as "module." or "module._orig_mod."; "" where names differ.

    DataParallel, torch.compile and trainers do so. What is left begins as names of CLAP do.
    """
    prefixes = {""}
    for name in names:
        parts = name.split(".")
        prefixes |= {".".join([*parts[:i], ""]) for i, part in enumerate(parts) if part in _ROOTS}
    return max((p for p in prefixes if all(name.startswith(p) for name in names)), key=len)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """(name -> tensor, header) of one file: its content decides how it is read, not its suffix.

    The header of a file of torch.save is empty. Raises BadArtifactError.
    """
    kind = kind_of(path) if path.is_file() else "other"
    if kind == "torch" or (kind != "safetensors" and path.suffix in TORCH_SUFFIXES):
        return read_torch(path), {}
    return read_safetensors(path)


def read_torch(path: Path) -> dict[str, Tensor]:
    """The tensors of a file written by `torch.save`, on their own or beside what a trainer keeps.

    Memory-mapped where the format allows it; optimizer states beside the weights are then never read. Raises
    BadArtifactError for a file that holds other Python objects than tensors, numbers and strings.
    """
    try:
        with torch.serialization.safe_globals(_NUMPY_SCALARS):
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except FileNotFoundError as error:
        raise BadArtifactError(f"There is no file {path}; a checkpoint written by torch.save is needed.") from error
    except Exception as error:  # a damaged file makes the unpickler raise nearly anything
        check_content(path)
        if culprit := re.search(r"GLOBAL ([\w.]+)", str(error)):
            raise BadArtifactError(
                f"{path} holds the Python object {culprit[1]}, which could run code when loaded; "
                "only tensors, numbers and strings are accepted."
            ) from error
        raise BadArtifactError(f"{path} is damaged or was not written by torch.save; a .pt is expected.") from error
    if isinstance(content, dict):
        content = next((content[key] for key in _STATE_DICTS if isinstance(content.get(key), dict)), content)
    if not isinstance(content, dict) or not _all_tensors(content):
        raise BadArtifactError(f"{path} holds no state dict; names with one tensor each are expected.")
    return dict(content)


def _all_tensors(content: Mapping[Any, Any]) -> bool:
    return all(isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in content.items())
