"""The checks that two checkpoints, or a file of differences, must pass before `make_vector` makes a task vector of
them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from ...clap.sources import CheckpointState
from ...core.task_vector import TaskVector
from ...core.weights import Layout
from ...errors import IncompatibleWeightsError

IS_ROUNDING = 1.1  # times the expected rounding: a difference this small is nothing but rounding
RELATED = 0.5  # least cosine of the matrices of two checkpoints of one origin; unrelated ones are near 0
TEXT_SIDE = ("text_model.", "text_projection.", "logit_scale")
STATISTICS = ("running_mean", "running_var")
_CHUNK = 2**20  # elements that are read at once: 8 MiB in float64


def matrix_cosine(layout: Layout, a: Tensor, b: Tensor) -> float:
    """Cosine of two buffers over their matrices alone, because the gains of norms are near 1 in every model.

    1 where the layout has no matrix, 0 where one side is zero.
    """
    pairs = [(x, y) for x, y in zip(layout.views(a).values(), layout.views(b).values(), strict=True) if x.dim() > 1]
    xy, xx, yy = (
        sum(float(torch.dot(pair[i].flatten(), pair[j].flatten())) for pair in pairs)
        for i, j in ((0, 1), (0, 0), (1, 1))
    )
    if not pairs:
        return 1.0
    return xy / math.sqrt(xx * yy) if xx * yy > 0 else 0.0


def check_related(pretrained: CheckpointState, finetuned: CheckpointState) -> None:
    """Raises IncompatibleWeightsError, naming a matrix, when one checkpoint cannot come from the other."""
    cosine = matrix_cosine(pretrained.audio.layout, pretrained.audio.buffer, finetuned.audio.buffer)
    if cosine >= RELATED:
        return
    theirs = finetuned.audio.tensors()
    for name, ours in pretrained.audio.tensors().items():
        one = matrix_cosine(Layout((name,), (tuple(ours.shape),)), ours.flatten(), theirs[name].flatten())
        if one < RELATED:
            raise IncompatibleWeightsError(
                f"{finetuned.source.name} was not fine-tuned from {pretrained.source.name}: their matrices have a "
                f"cosine of {cosine:.2f} ({name!r} {one:.2f}), where fine-tuning stays near 1."
            )


def rounding_norm(values: Tensor, dtype: torch.dtype) -> float:
    """Expected norm of the difference that storing `values` (n,) float32 in `dtype` makes.

    A rounding error is uniform over one unit in the last place u, so that its mean square is u² / 12.
    """
    info = torch.finfo(dtype)
    total = 0.0
    for chunk in values.split(_CHUNK):
        exponent = torch.frexp(chunk.abs().clamp_min(info.tiny)).exponent - 1
        unit = info.eps * torch.exp2(exponent.double())
        total += float(unit.square().sum()) / 12
    return math.sqrt(total)


def rounding(vector: TaskVector, pretrained: CheckpointState, finetuned: CheckpointState) -> list[str]:
    """A warning that says how much of the vector the rounding of a 16-bit checkpoint explains.

    Only elements that changed count. The vector starts from the pre-trained weights as they are stored, so that their
    rounding counts only if it explains the whole difference. Raises IncompatibleWeightsError if the rounding of the
    fine-tuned checkpoint explains the whole difference.
    """
    changed = vector.buffer != 0
    f, p = finetuned.source.name, pretrained.source.name
    if dtype := _coarsest(finetuned.dtype):
        noise = rounding_norm(finetuned.audio.buffer[changed], dtype)
        if vector.norm <= IS_ROUNDING * noise:
            raise IncompatibleWeightsError(
                f"The difference of {f} and {p} has norm {vector.norm:.3g}, no more than storing {f} in "
                f"{finetuned.dtype} makes by itself ({noise:.3g}); a float32 copy of {f} is needed."
            )
        share = f"{100 * noise / vector.norm:.2g} % of the vector's"
        return [f"{f} is stored in {finetuned.dtype}, whose rounding has a norm of about {noise:.2g}, {share}."]
    if dtype := _coarsest(pretrained.dtype):
        noise = rounding_norm(pretrained.audio.buffer[changed], dtype)
        if vector.norm <= IS_ROUNDING * noise:
            same = f"{f} may be the same model in {finetuned.dtype}"
            return [f"The norm {vector.norm:.3g} is no more than the rounding of {p} to {pretrained.dtype}: {same}."]
    return []


def _coarsest(dtype: str) -> torch.dtype | None:
    """The dtype that rounds most among those in a file, such as "float16 and float32"; None if none rounds."""
    worst = max((getattr(torch, name) for name in dtype.split(" and ")), key=lambda d: torch.finfo(d).eps)
    return worst if torch.finfo(worst).eps > torch.finfo(torch.float32).eps else None


def _unit(*states: CheckpointState) -> float:
    """The relative step of the coarsest dtype among the checkpoints: 2^-7 for bfloat16."""
    return max(torch.finfo(_coarsest(state.dtype) or torch.float32).eps for state in states)


def changed_text(pretrained: CheckpointState, finetuned: CheckpointState) -> list[str]:
    """A warning if the text tower was trained too, because heads are made with the pre-trained one."""
    hashes = pretrained.text_sha256, finetuned.text_sha256
    if None in hashes or hashes[0] == hashes[1]:
        return []
    perhaps = ""
    if pretrained.dtype != finetuned.dtype and _unit(pretrained, finetuned) > torch.finfo(torch.float16).eps:
        perhaps = " (perhaps only by rounding)"  # which the hash takes away as far as float16 goes
    return [
        f"The text tower of {finetuned.source.name} differs{perhaps}: the vector holds the audio side only, and the "
        f"app embeds labels with the pre-trained text tower."
    ]


def changed_statistics(pretrained: CheckpointState, finetuned: CheckpointState) -> list[str]:
    """A warning if training changed the BatchNorm statistics, which are not weights."""
    tolerance = _unit(pretrained, finetuned) if pretrained.dtype != finetuned.dtype else 0.0
    for name, old in sorted(pretrained.statistics.items()):
        new = finetuned.statistics.get(name)
        if new is None or not name.endswith(STATISTICS):
            continue
        if new.shape != old.shape or not torch.allclose(new.float(), old.float(), rtol=tolerance, atol=0):
            return [
                f"{finetuned.source.name} has other BatchNorm statistics ({name!r}): they are not weights and stay as "
                f"pre-trained, so λ = 1 is not quite the fine-tuned model."
            ]
    return []


def left_out(tensors: Mapping[str, Tensor], what: str) -> list[str]:
    """Warnings about differences beside the audio tower that are not zero.

    Raises IncompatibleWeightsError naming a tensor that no CLAP checkpoint of this layout has.
    """
    kinds = {"the text side": TEXT_SIDE, "BatchNorm statistics": STATISTICS}
    changed: dict[str, list[str]] = {}
    for name, tensor in sorted(tensors.items()):
        kind = next((k for k, marks in kinds.items() if name.startswith(marks) or name.endswith(marks)), None)
        if kind is None:
            raise IncompatibleWeightsError(
                f"{what} holds {name!r}, which is no parameter of the pre-trained checkpoint; "
                f"differences under the names of ClapModel are needed."
            )
        if tensor.count_nonzero():
            changed.setdefault(kind, []).append(name)
    return [
        f"{what} also changes {kind} ({len(names)} tensors, first {names[0]!r}); this is left out of the vector, which "
        f"holds the parameters of the audio side."
        for kind, names in changed.items()
    ]
