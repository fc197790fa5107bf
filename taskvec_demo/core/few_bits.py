"""Small files for task vectors: matrices in whole numbers of 8 or 6 bits with one scale for each row, all else in
float16.

A scale is a power of two, so that every stored value is exact in float16, and a vector that is read and stored again
does not change.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

Bits = Literal[8, 6]
EXPONENT = ":exponent"  # after a tensor's name: its rows' exponents of two, int8 (rows,)
SMALLEST = -24  # exponent of the smallest float16 number; below it a value counts as 0
# Four numbers of 6 bits are three bytes. A matrix whose last axis is no multiple of 4 keeps 8 bits a number.
NUMBERS, BYTES = 4, 3


def packed(tensors: Mapping[str, Tensor], bits: Bits = 8) -> dict[str, Tensor]:
    """Float tensors -> the tensors to store: a matrix as int8, or in 6 bits as uint8 with 3/4 of its last axis, and the
    exponents of its rows (the first axis); others as float16.

    The error of a value is at most 2^-7 times the largest value of its row, with 6 bits 2^-5 times.
    """
    stored: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if tensor.dim() < 2:
            stored[name] = tensor.half()
            continue
        few = bits == 6 and tensor.shape[-1] % NUMBERS == 0
        most = 31 if few else 127
        rows = tensor.float().flatten(1)
        largest = rows.abs().amax(1).clamp_min(most * 2.0**SMALLEST)
        exponents = torch.ceil(torch.log2(largest / most))
        numbers = torch.round(rows / torch.exp2(exponents)[:, None]).to(torch.int8).reshape(tensor.shape)
        stored[name] = _in_bytes(numbers) if few else numbers
        stored[name + EXPONENT] = exponents.to(torch.int8)
    return stored


def unpacked(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors that `packed` stored, in float16. Raises ValueError if a matrix has no exponents that fit."""
    tensors: dict[str, Tensor] = {}
    for name in (name for name in stored if not name.endswith(EXPONENT)):
        tensor, exponents = stored[name], stored.get(name + EXPONENT)
        if tensor.dtype in (torch.int8, torch.uint8):
            if exponents is None or exponents.shape != tensor.shape[:1] or exponents.dtype != torch.int8:
                raise ValueError(f"tensor {name!r} lacks one exponent for each of its rows")
            numbers = tensor if tensor.dtype == torch.int8 else _from_bytes(name, tensor)
            scales = torch.exp2(exponents.float()).reshape(-1, *[1] * (tensor.dim() - 1))
            tensor = (numbers.float() * scales).half()
        tensors[name] = tensor
    return tensors


def unpacked_shape(dtype: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that a stored tensor stands for; `dtype` as the header of the file names it ("U8" has 6 bits)."""
    return (*shape[:-1], shape[-1] * NUMBERS // BYTES) if dtype == "U8" and shape else shape


def _in_bytes(numbers: Tensor) -> Tensor:
    """int8 numbers from -32 to 31 (…, n) -> their bytes, uint8 (…, 3n / 4): the first number in the lowest bits."""
    a, b, c, d = (numbers.view(torch.uint8) & 63).unflatten(-1, (-1, NUMBERS)).unbind(-1)
    return torch.stack([a | b << 6, b >> 2 | c << 4, c >> 4 | d << 2], -1).flatten(-2)


def _from_bytes(name: str, stored: Tensor) -> Tensor:
    """The numbers of `_in_bytes`, int8."""
    if stored.dim() < 2 or stored.shape[-1] % BYTES:
        raise ValueError(f"the bytes of tensor {name!r} are no numbers of 6 bits")
    x, y, z = stored.unflatten(-1, (-1, BYTES)).unbind(-1)
    numbers = torch.stack([x << 2, (x >> 4 & 12) | y << 4, (y >> 2 & 60) | z << 6, z & 252], -1)
    return numbers.flatten(-2).view(torch.int8) >> 2  # the shift of a signed number keeps its sign
