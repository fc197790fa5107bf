"""`Weights`: the edited parameters of a model as one flat float32 buffer plus the layout that names its pieces.

With one buffer, an edit is a few `add_` calls and a hash is one pass. Weights and task vectors are different types on
purpose: weights − weights is a task vector (`TaskVector.between`), weights + weights means nothing and is an error.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, zip_longest
from pathlib import Path
from typing import NoReturn

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ..errors import BadArtifactError, IncompatibleWeightsError
from .files import check_content, kind_of, whole_file


@dataclass(frozen=True)
class Layout:
    """Names and shapes of the tensors that lie end to end in a flat buffer, in name order.

    Equal content gives equal layouts: names must be sorted and unique, one shape each, else IncompatibleWeightsError.
    """

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(self.names))
        object.__setattr__(self, "shapes", tuple(tuple(int(n) for n in shape) for shape in self.shapes))
        if not self.names:
            raise IncompatibleWeightsError("A layout of 0 tensors cannot be edited; it needs at least one.")
        if len(self.names) != len(self.shapes):
            counts = f"{len(self.names)} names and {len(self.shapes)} shapes"
            raise IncompatibleWeightsError(f"A layout needs one shape for each name, not {counts}.")
        for before, name in zip(self.names, self.names[1:], strict=False):
            if before >= name:
                raise IncompatibleWeightsError(f"A layout needs sorted unique names: {name!r} is after {before!r}.")

    @cached_property
    def offsets(self) -> tuple[int, ...]:
        """Where each tensor begins in the buffer, in elements."""
        return tuple(accumulate((math.prod(shape) for shape in self.shapes[:-1]), initial=0))

    @cached_property
    def size(self) -> int:
        """Elements in the buffer."""
        return sum(math.prod(shape) for shape in self.shapes)

    def views(self, buffer: Tensor) -> dict[str, Tensor]:
        """name -> view into `buffer` (size,), each of its own shape; nothing is copied."""
        pieces = zip(self.names, self.shapes, self.offsets, strict=True)
        return {name: buffer[start : start + math.prod(shape)].view(shape) for name, shape, start in pieces}

    def check_same(self, other: Layout, what: str) -> None:
        """Raises IncompatibleWeightsError naming `what` and the first tensor in which the two layouts differ."""
        if self == other:
            return
        ours, theirs = zip(self.names, self.shapes, strict=True), zip(other.names, other.shapes, strict=True)
        for a, b in zip_longest(ours, theirs):
            if a != b:
                first, second = (f"{x[0]!r} of shape {x[1]}" if x else "nothing" for x in (a, b))
                raise IncompatibleWeightsError(f"{what} differ in layout: {first} in the one, {second} in the other.")


@dataclass(frozen=True, eq=False)
class Weights:
    """The edited parameters of one model: `buffer` is a contiguous float32 tensor of shape (layout.size,).

    The buffer must not be changed, because the views and the cached hash describe what it held. Two Weights hold the
    same values exactly when their `sha256` are equal. Raises IncompatibleWeightsError when buffer and layout do not
    fit.
    """

    layout: Layout
    buffer: Tensor

    def __post_init__(self) -> None:
        check_buffer(self.layout, self.buffer, "Weights")

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> Weights:
        """Copies name -> floating-point tensor (any shape) into one buffer.

        Raises IncompatibleWeightsError naming the tensor that is not floating-point or holds NaN or inf.
        """
        layout, buffer = flatten(tensors)
        check_finite(layout, buffer, "the weights")
        return cls(layout, buffer)

    def tensors(self) -> dict[str, Tensor]:
        """name -> view into the buffer, in name order; nothing is copied."""
        return self.layout.views(self.buffer)

    @cached_property
    def sha256(self) -> str:
        """Content hash, see `content_sha256`; 64 hex digits."""
        return content_sha256(self.layout, self.buffer)

    def save(self, path: str | Path) -> None:
        """Writes float32 safetensors, one tensor per name; the file appears whole or not at all."""
        write_safetensors(path, self.tensors(), {"format": "pt"})  # "pt" is what transformers looks for

    @classmethod
    def load(cls, path: str | Path) -> Weights:
        """Reads what `save` wrote, bit for bit. Raises BadArtifactError."""
        tensors, _ = read_safetensors(path)
        try:
            return cls.from_tensors(tensors)
        except IncompatibleWeightsError as error:
            raise BadArtifactError(f"{path} does not hold weights: {error}") from error

    def _no_arithmetic(self, other: object = None) -> NoReturn:
        raise IncompatibleWeightsError(
            "Weights cannot be added, subtracted or scaled: take TaskVector.between(pretrained, finetuned), do "
            "arithmetic on task vectors, and apply them with apply_recipe."
        )

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __neg__ = _no_arithmetic


def flatten(tensors: Mapping[str, Tensor], dtype: torch.dtype = torch.float32) -> tuple[Layout, Tensor]:
    """name -> tensor, copied in name order into one new buffer on the CPU.

    Raises IncompatibleWeightsError naming a tensor that is not floating-point (BatchNorm's counter is not a weight).
    """
    names = tuple(sorted(tensors))
    for name in names:
        if not tensors[name].is_floating_point():
            kind = tensors[name].dtype
            raise IncompatibleWeightsError(f"Tensor {name!r} is {kind}; only floating-point tensors are weights.")
    layout = Layout(names, tuple(tuple(tensors[name].shape) for name in names))
    buffer = torch.empty(layout.size, dtype=dtype)
    for name, view in layout.views(buffer).items():
        view.copy_(tensors[name].detach())
    return layout, buffer


def check_buffer(layout: Layout, buffer: Tensor, what: str, dtypes: tuple[torch.dtype, ...] = (torch.float32,)) -> None:
    """Raises IncompatibleWeightsError unless `buffer` is contiguous (layout.size,) of `dtypes` without gradient."""
    fits = buffer.dtype in dtypes and buffer.shape == (layout.size,) and buffer.is_contiguous()
    if not fits or buffer.requires_grad:
        kinds = " or ".join(str(dtype).removeprefix("torch.") for dtype in dtypes)
        raise IncompatibleWeightsError(
            f"{what} need a contiguous {kinds} buffer of shape ({layout.size},) without gradient, "
            f"not {buffer.dtype} of shape {tuple(buffer.shape)} (requires_grad={buffer.requires_grad})."
        )


def check_finite(layout: Layout, buffer: Tensor, what: str) -> None:
    """Raises IncompatibleWeightsError naming the first tensor of `what` that holds NaN or inf."""
    # The smallest and the largest value are NaN where any value is, and take a tenth of the time of `isfinite`.
    if not buffer.numel() or torch.isfinite(torch.stack(torch.aminmax(buffer))).all():
        return
    for name, view in layout.views(buffer).items():
        n_bad = int((~torch.isfinite(view)).sum())
        if n_bad:
            raise IncompatibleWeightsError(f"Tensor {name!r} of {what} holds {n_bad} values that are NaN or infinite.")


def content_sha256(layout: Layout, buffer: Tensor) -> str:
    """SHA-256 of: JSON [[name, shape], …] in name order, one zero byte, then the float32 values, little-endian."""
    header = json.dumps([[name, list(shape)] for name, shape in zip(layout.names, layout.shapes, strict=True)])
    digest = hashlib.sha256(header.encode() + b"\0")
    digest.update(buffer.cpu().numpy().astype("<f4", copy=False).data)
    return digest.hexdigest()


def write_safetensors(path: str | Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a safetensors file, which appears whole or not at all."""
    with whole_file(path) as temporary:
        # `save_file` is not used: its files can be read by their owner only, and not in a container of another user.
        temporary.write_bytes(save(tensors, metadata))


def read_safetensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """(name -> CPU tensor, header metadata). Raises BadArtifactError when the file is missing or not safetensors."""
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except FileNotFoundError as error:
        raise BadArtifactError(f"There is no file {path}; a safetensors file is needed.") from error
    except (OSError, SafetensorError) as error:
        check_content(path)
        if Path(path).is_file() and kind_of(path) == "torch":
            raise BadArtifactError(f"{path} was written by torch.save; a safetensors file is needed.") from error
        raise BadArtifactError(f"{path} is damaged or no safetensors file: it cannot be read ({error}).") from error
