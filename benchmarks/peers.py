"""Task arithmetic on dictionaries of tensors, as the first public code does it (github.com/mlfoundations/task_vectors).

One loop over the names for every step, checkpoints read from disk, the model loaded with the result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

Tensors = Mapping[str, Tensor]


def load_checkpoint(path: Path) -> dict[str, Tensor]:
    """The state dictionary in a file of `torch.save`."""
    return torch.load(path, map_location="cpu", weights_only=True)


def difference(pretrained: Tensors, finetuned: Tensors) -> dict[str, Tensor]:
    """A task vector from two checkpoints."""
    return {name: finetuned[name] - tensor for name, tensor in pretrained.items()}


def edit(pretrained: Tensors, vectors: Sequence[Tensors], scaling_coefs: Sequence[float]) -> dict[str, Tensor]:
    """The edited tensors: every vector is added, name by name, to the last sum."""
    state = dict(pretrained)
    for vector, scaling_coef in zip(vectors, scaling_coefs, strict=True):
        for name in state:
            state[name] = state[name] + scaling_coef * vector[name]
    return state


def edit_from_disk(pretrained: Tensors, paths: Sequence[Path], scaling_coefs: Sequence[float]) -> dict[str, Tensor]:
    """`edit` with vectors that are files."""
    return edit(pretrained, [load_checkpoint(path) for path in paths], scaling_coefs)


def edit_from_checkpoints(
    pretrained: Path, finetuned: Sequence[Path], scaling_coefs: Sequence[float]
) -> dict[str, Tensor]:
    """`edit` where a vector is two checkpoints and the base is a third, as in the original's own example."""
    vectors = [difference(load_checkpoint(pretrained), load_checkpoint(path)) for path in finetuned]
    return edit(load_checkpoint(pretrained), vectors, scaling_coefs)


class Shell(torch.nn.Module):
    """A module whose only content is the parameters to edit, under their own names with dots replaced."""

    def __init__(self, tensors: Tensors) -> None:
        super().__init__()
        self.names = {name: name.replace(".", "/") for name in tensors}
        for name, key in self.names.items():
            self.register_parameter(key, torch.nn.Parameter(tensors[name].clone(), requires_grad=False))

    def load(self, tensors: Tensors) -> None:
        """Load the edited tensors with `load_state_dict`, which copies everything into place."""
        self.load_state_dict({key: tensors[name] for name, key in self.names.items()})
