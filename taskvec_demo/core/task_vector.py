"""`TaskVector`: what fine-tuning on one task changed, τ = θ_ft − θ_pt (Ilharco et al. 2022, arXiv:2212.04089)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from numbers import Real
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from taskvec_demo.core.few_bits import Bits, packed, unpacked
from taskvec_demo.core.weights import (
    Layout,
    Weights,
    check_buffer,
    check_finite,
    content_sha256,
    flatten,
    read_safetensors,
    write_safetensors,
)
from taskvec_demo.errors import BadArtifactError, IncompatibleWeightsError

FLOAT16_FORMAT = "1"  # of the safetensors header; another one is refused
FORMAT_OF: dict[Bits, str] = {8: "2", 6: "3"}  # bits of a number in matrices -> format
FEW_BITS = tuple(FORMAT_OF.values())
_HEADER_KEYS = ("format", "name", "task", "pretrained_sha256", "metadata")
_CHUNK = 2**20  # elements a dot product converts to float64 at once: 8 MiB
_ENCODER = "audio_model.audio_encoder."
_STAGE = re.compile(re.escape(_ENCODER) + r"layers\.(\d+)\.")
_INPUT = (_ENCODER + "patch_embed.", _ENCODER + "batch_norm.")


@dataclass(frozen=True, eq=False)
class TaskVector:
    """A difference of two Weights of one layout: `buffer` is contiguous, of shape (layout.size,), read-only.

    It is float32, or float16 as in a file, which takes half the memory and is added to float32 weights no slower.
    `pretrained_sha256` is the content hash of the θ_pt it starts from; vectors of different hashes never mix.
    `metadata` is anything that JSON can hold (training recipe, metrics); the vector keeps its own copy. Two vectors
    hold the same values exactly when their `sha256` are equal. Raises IncompatibleWeightsError naming a tensor that
    holds NaN or inf.

    v + w, v − w, −v, λ v, v / λ and sum([...]) give vectors of the same checkpoint with an expression for a name.
    """

    name: str
    layout: Layout
    buffer: Tensor = field(repr=False)
    pretrained_sha256: str
    task: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_buffer(self.layout, self.buffer, f"The task vector {self.name!r} would", (torch.float32, torch.float16))
        check_finite(self.layout, self.buffer, f"the task vector {self.name!r}")
        # JSON makes a private copy, which is already what a saved vector gives on loading.
        metadata = json.loads(json.dumps(dict(self.metadata), allow_nan=False))
        object.__setattr__(self, "metadata", MappingProxyType(metadata))

    @classmethod
    def between(
        cls,
        pretrained: Weights,
        finetuned: Weights,
        name: str,
        task: str = "",
        metadata: Mapping[str, Any] | None = None,
    ) -> TaskVector:
        """τ = finetuned − pretrained. Raises IncompatibleWeightsError naming the first tensor whose layout differs."""
        pretrained.layout.check_same(finetuned.layout, f"The pre-trained and fine-tuned weights of {name!r}")
        delta = finetuned.buffer - pretrained.buffer
        return cls(name, pretrained.layout, delta, pretrained.sha256, task, metadata or {})

    def tensors(self) -> dict[str, Tensor]:
        """name -> view into the buffer, in name order; nothing is copied."""
        return self.layout.views(self.buffer)

    @property
    def _values(self) -> Tensor:
        """The buffer in float32, for arithmetic between vectors."""
        return self.buffer.float()

    @cached_property
    def sha256(self) -> str:
        """Content hash of the float32 values held, see `content_sha256`.

        A file holds rounded values, so that the hash changes when a vector is saved and loaded for the first time, and
        never again.
        """
        return content_sha256(self.layout, self.buffer)

    def __add__(self, other: TaskVector) -> TaskVector:
        self._check_partner(other)
        return self._derived(f"{_term(self.name)} + {_term(other.name)}", self._values + other._values)

    def __radd__(self, other: object) -> TaskVector:
        if isinstance(other, int) and other == 0:  # sum() starts with 0
            return self
        raise IncompatibleWeightsError(_ONLY_VECTORS.format(kind=type(other).__name__))

    def __sub__(self, other: TaskVector) -> TaskVector:
        self._check_partner(other)
        return self._derived(f"{_term(self.name)} - {_term(other.name)}", self._values - other._values)

    def __mul__(self, scaling_coef: float) -> TaskVector:
        factor = _finite(scaling_coef)
        return self._derived(f"{factor:g} {_term(self.name)}", self._values * factor)

    __rmul__ = __mul__

    def __truediv__(self, divisor: float) -> TaskVector:
        if _finite(divisor) == 0:
            raise IncompatibleWeightsError(f"The task vector {self.name!r} cannot be divided by 0; use another number.")
        return self._derived(f"{_term(self.name)} / {divisor:g}", self._values / float(divisor))

    def __neg__(self) -> TaskVector:
        return self._derived(f"-{_term(self.name)}", -self._values)

    @cached_property
    def norm(self) -> float:
        """Euclidean norm over all elements, in the unit of the weights."""
        return math.sqrt(_dot(self.buffer, self.buffer))

    def cosine(self, other: TaskVector) -> float:
        """Cosine of the angle to `other`, -1 to 1; NaN when either vector is zero, because no angle exists then."""
        self._check_partner(other)
        length = self.norm * other.norm
        return max(-1.0, min(1.0, _dot(self.buffer, other.buffer) / length)) if length else math.nan

    def stage_norms(self) -> dict[str, float]:
        """Stage of HTS-AT (arXiv:2202.00874) -> norm of its part, from input to output; the squares add up to norm².

        "input": patch embedding and input BatchNorm; "stage 1"…: Swin stages; "head": whatever else; "projection": the
        audio projection. A stage without tensors is left out.
        """
        squares: dict[tuple[int, str], float] = {}
        for name, view in self.tensors().items():
            flat = view.flatten()
            stage = _stage(name)
            squares[stage] = squares.get(stage, 0.0) + _dot(flat, flat)
        return {label: math.sqrt(square) for (_, label), square in sorted(squares.items())}

    @property
    def is_projection_alone(self) -> bool:
        """Whether it changes the audio projection and nothing else."""
        return {stage for stage, norm in self.stage_norms().items() if norm} == {"projection"}

    def to_dict(self) -> dict[str, Any]:
        """The JSON of the API: a vector made elsewhere also has its `origin`, and `warnings` in sentences."""
        told: dict[str, Any] = {"training": {}, "metrics": {}, "origin": {}, "warnings": []}
        return {
            "name": self.name,
            "task": self.task,
            "norm": round(self.norm, 4),
            "sha256": self.sha256,
            "pretrained_sha256": self.pretrained_sha256,
            **{key: self.metadata.get(key, nothing) for key, nothing in told.items()},
        }

    def save(self, path: str | Path, *, bits: Bits | None = None) -> None:
        """Writes float16 safetensors, one tensor per parameter, metadata in the header; whole or not at all.

        The relative error of rounding is at most 2^-11; below 2^-14 the absolute error is at most 2^-25, about the
        precision of float32 weights of size 1. With `bits` the numbers of a matrix have 8 or 6, and its rows a scale
        each (`few_bits.py`): half the bytes or 3/8, and an error of about 1 % of the norm or 4. Raises
        IncompatibleWeightsError naming a tensor that float16 cannot hold (beyond ±65504).
        """
        half = {name: view.half() for name, view in self.tensors().items()}
        for name, tensor in half.items():
            if not torch.isfinite(tensor).all():
                raise IncompatibleWeightsError(
                    f"Tensor {name!r} of the task vector {self.name!r} holds {self.tensors()[name].abs().max():g}, "
                    f"beyond what float16 can store (±{torch.finfo(torch.float16).max:g})."
                )
        header = {
            "format": FORMAT_OF[bits] if bits else FLOAT16_FORMAT,
            "name": self.name,
            "task": self.task,
            "pretrained_sha256": self.pretrained_sha256,
            "metadata": json.dumps(dict(self.metadata), sort_keys=True, allow_nan=False),
        }
        write_safetensors(path, packed(half, bits) if bits else half, header)

    @classmethod
    def load(cls, path: str | Path) -> TaskVector:
        """Reads what `save` wrote, into float16, which holds it exactly.

        Raises BadArtifactError when the file is missing, altered or of another format.
        """
        tensors, header = read_safetensors(path)
        missing = [key for key in _HEADER_KEYS if key not in header]
        if missing:
            raise BadArtifactError(f"{path} is not a task vector: its header lacks {', '.join(missing)}.")
        if header["format"] not in (FLOAT16_FORMAT, *FEW_BITS):
            formats = ", ".join(map(repr, (FLOAT16_FORMAT, *FEW_BITS)))
            raise BadArtifactError(f"{path} has task-vector format {header['format']!r}; it must be one of {formats}.")
        try:
            if header["format"] in FEW_BITS:
                tensors = unpacked(tensors)
            metadata = json.loads(header["metadata"])
            layout, buffer = flatten(tensors, torch.float16)
            return cls(header["name"], layout, buffer, header["pretrained_sha256"], header["task"], metadata)
        except (IncompatibleWeightsError, ValueError, TypeError, RecursionError) as error:  # JSON may nest too deep
            raise BadArtifactError(f"{path} does not hold a task vector ({str(error).rstrip('.')}).") from error

    def _derived(self, name: str, buffer: Tensor) -> TaskVector:
        return TaskVector(name, self.layout, buffer, self.pretrained_sha256)

    def _check_partner(self, other: object) -> None:
        if not isinstance(other, TaskVector):
            raise IncompatibleWeightsError(_ONLY_VECTORS.format(kind=type(other).__name__))
        if self.pretrained_sha256 != other.pretrained_sha256:
            raise IncompatibleWeightsError(
                f"The task vectors {self.name!r} (of {self.pretrained_sha256[:12]}) and {other.name!r} "
                f"(of {other.pretrained_sha256[:12]}) start from different pre-trained weights; they must be the same."
            )
        self.layout.check_same(other.layout, f"The task vectors {self.name!r} and {other.name!r}")


_ONLY_VECTORS = "Only a task vector can be added to or compared with a task vector, not {kind}."


def _term(name: str) -> str:
    return f"({name})" if " " in name else name


def _finite(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise IncompatibleWeightsError(f"A task vector can be scaled by a finite number only, not {value!r}.")
    return float(value)


def _dot(x: Tensor, y: Tensor) -> float:
    """Dot product of two flat tensors in float64, because a sum of 30 million float32 squares would lose digits."""
    pairs = zip(x.split(_CHUNK), y.split(_CHUNK), strict=True)
    return sum(float(torch.dot(a.double(), b.double())) for a, b in pairs)


def _stage(name: str) -> tuple[int, str]:
    """(position from input to output, label) of the stage that owns a parameter."""
    if name.startswith(_INPUT):
        return 0, "input"
    if match := _STAGE.match(name):
        number = int(match[1]) + 1
        return number, f"stage {number}"
    return (1001, "projection") if name.startswith("audio_projection.") else (1000, "head")
