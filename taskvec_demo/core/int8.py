"""Small files for task vectors: matrices in int8 with one scale for each row, everything else in float16.

A scale is a power of two, so that every stored value is exact in float16, and a vector that is read and stored again
does not change.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

EXPONENT = ":exponent"  # after a tensor's name: its rows' exponents of two, int8 (rows,)
LARGEST = 127  # of int8
SMALLEST = -24  # exponent of the smallest float16 number; below it a value counts as 0


def packed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Float tensors -> the tensors to store: a matrix as int8 and the exponents of its rows (the first axis), others as
    float16.

    The error of a value is at most 2^-7 times the largest value of its row.
    """
    stored: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if tensor.dim() < 2:
            stored[name] = tensor.half()
            continue
        rows = tensor.float().flatten(1)
        largest = rows.abs().amax(1).clamp_min(LARGEST * 2.0**SMALLEST)
        exponents = torch.ceil(torch.log2(largest / LARGEST))
        stored[name] = torch.round(rows / torch.exp2(exponents)[:, None]).to(torch.int8).reshape(tensor.shape)
        stored[name + EXPONENT] = exponents.to(torch.int8)
    return stored


def unpacked(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors that `packed` stored, in float16. Raises ValueError if a matrix has no exponents that fit."""
    tensors: dict[str, Tensor] = {}
    for name in (name for name in stored if not name.endswith(EXPONENT)):
        tensor, exponents = stored[name], stored.get(name + EXPONENT)
        if tensor.dtype == torch.int8:
            if exponents is None or exponents.shape != tensor.shape[:1] or exponents.dtype != torch.int8:
                raise ValueError(f"tensor {name!r} lacks one exponent for each of its rows")
            scales = torch.exp2(exponents.float()).reshape(-1, *[1] * (tensor.dim() - 1))
            tensor = (tensor.float() * scales).half()
        tensors[name] = tensor
    return tensors
