"""A random CLAP of a few parameters, and its weights as a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from taskvec_demo.clap.model import new_model
from tests.support.random_artifacts import AUDIO, DIM, SMALL_TEXT


def small_model(seed: int = 0):
    """A random `ClapModel` of the form of the artifacts in tests, 0.2 M audio parameters."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return new_model(AUDIO, SMALL_TEXT | {"vocab_size": 40}, DIM)


def write_state(path: Path, state: Mapping[str, Tensor], **metadata: str) -> Path:
    save_file({name: tensor.contiguous().clone() for name, tensor in state.items()}, path, metadata=metadata or None)
    return path
