"""A task vector from weights that were made elsewhere: `python -m taskvec_demo vector`.

Three origins: a fine-tuned checkpoint (τ = θ_ft − θ_pt, Ilharco et al. 2022, arXiv:2212.04089), a file of differences
without a header of ours, a LoRA adapter. Input that would make the vector wrong is refused by the name of the first
tensor. A smaller problem becomes a sentence in `OwnVector.warnings` and in the file's metadata.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...clap.checkpoint_files import plain, read_tensors, weight_files
from ...clap.sources import CheckpointState, read_state, resolve
from ...core.files import sha256_of
from ...core.recipe import Recipe
from ...core.task_vector import FEW_BITS, TaskVector
from ...core.weights import flatten
from ...errors import BadArtifactError, IncompatibleWeightsError, TaskVecError
from ...serve.artifacts import Artifacts
from . import vector_checks
from .lora import read_adapter

STORED_LOSS = 0.01  # if float16 loses a larger share of the norm than this, there is a warning


@dataclass(frozen=True, eq=False)
class OwnVector:
    """A task vector, and what the person who made it should know.

    `relative_norm`: ‖τ‖ / ‖θ_pt‖. `stored_loss`: the part of ‖τ‖ that float16 storage loses. `warnings`: sentences.
    """

    vector: TaskVector
    relative_norm: float
    stored_loss: float
    warnings: tuple[str, ...]


# ---- the three origins ----------------------------------------------------------------------------------------------
def from_checkpoint(pretrained: CheckpointState, finetuned: CheckpointState, name: str, task: str = "") -> OwnVector:
    """τ = θ_ft − θ_pt. Raises IncompatibleWeightsError when the two are not of one origin, or the same weights."""
    p, f = pretrained.source.name, finetuned.source.name
    pretrained.audio.layout.check_same(finetuned.audio.layout, f"The pre-trained {p} and the fine-tuned {f}")
    vector_checks.check_related(pretrained, finetuned)
    vector = TaskVector.between(pretrained.audio, finetuned.audio, name, task)
    if vector.norm == 0:
        raise IncompatibleWeightsError(
            f"The pre-trained {p} and the fine-tuned {f} hold the same audio weights; the vector would be zero."
        )
    warnings = (
        *vector_checks.rounding(vector, pretrained, finetuned),
        *vector_checks.changed_text(pretrained, finetuned),
        *vector_checks.changed_statistics(pretrained, finetuned),
    )
    origin = {"made": "by fine-tuning", **finetuned.source.provenance, "dtype": finetuned.dtype}
    return _finish(vector, pretrained, origin, warnings)


def from_deltas(pretrained: CheckpointState, path: Path, name: str, task: str = "") -> OwnVector:
    """Differences under `ClapModel` names: a file, or a folder of shards. Parameters that are not in it do not change.

    Raises IncompatibleWeightsError when they are of other pre-trained weights, or are weights and not differences.
    """
    files = (weight_files(path) or sorted(path.glob("*.safetensors"))) if path.is_dir() else [path]
    if not files:
        raise BadArtifactError(f"{path} holds no .safetensors file; differences under ClapModel's names are needed.")
    layout = pretrained.audio.layout
    tensors: dict[str, Tensor] = {}
    for file in files:
        part, header = read_tensors(file)
        _check_base(header.get("pretrained_sha256"), pretrained, file)
        if header.get("format") in FEW_BITS:  # one of our own task vectors: its values need their rows' exponents
            part = TaskVector.load(file).tensors()
        tensors |= part
    tensors = plain(tensors)
    deltas = {key: tensors.pop(key) for key in layout.names if key in tensors}
    warnings = vector_checks.left_out(tensors, path.name)
    if not deltas:
        raise IncompatibleWeightsError(
            f"{path} holds no parameter of the audio tower; names such as {layout.names[0]!r} are needed."
        )
    if len(deltas) < len(layout.names):
        have = f"{len(deltas)} of {len(layout.names)} parameters"
        warnings.append(f"{path.name} holds {have}; the others are taken as unchanged.")
    vector = _vector_of(deltas, pretrained, name, task, path)
    if vector_checks.matrix_cosine(layout, pretrained.audio.buffer, vector.buffer) > vector_checks.RELATED:
        raise IncompatibleWeightsError(
            f"{path} holds weights like those of {pretrained.source.name}, not differences; give it as --finetuned."
        )
    origin = {"made": "from differences", "file": path.name, "sha256": {file.name: sha256_of(file) for file in files}}
    return _finish(vector, pretrained, origin, warnings)


def from_adapter(pretrained: CheckpointState, folder: Path, name: str, task: str = "") -> OwnVector:
    """A LoRA adapter of the audio tower, see `lora.read_adapter`."""
    adapter = read_adapter(folder, pretrained.audio)
    vector = _vector_of(adapter.deltas, pretrained, name, task, folder)
    source, warnings = pretrained.source, []
    path = Path(adapter.trained_on)
    trained_on = path.name if path.is_absolute() else adapter.trained_on  # no folder of a machine goes into the file
    if trained_on and trained_on not in (source.spec, source.repo, source.name):
        warnings.append(
            f"The adapter says that it was trained on {trained_on!r}, and the pre-trained checkpoint here is "
            f"{source.name!r}: that it fits by shape does not show that the weights are the same."
        )
    origin = {
        "made": "from a LoRA adapter",
        "folder": folder.resolve().name,
        "trained_on": trained_on,
        "sha256": adapter.sha256,
    }
    return _finish(vector, pretrained, origin, warnings)


def _check_base(sha256: str | None, pretrained: CheckpointState, file: Path) -> None:
    if sha256 not in (None, pretrained.audio.sha256):
        raise IncompatibleWeightsError(
            f"{file} was made from pre-trained weights {str(sha256)[:12]}; those of {pretrained.source.name} are "
            f"{pretrained.audio.sha256[:12]}."
        )


def _vector_of(
    deltas: Mapping[str, Tensor], pretrained: CheckpointState, name: str, task: str, path: Path
) -> TaskVector:
    """The vector of the given differences; all other parameters are 0."""
    weights = pretrained.audio
    shapes = dict(zip(weights.layout.names, weights.layout.shapes, strict=True))
    given, values = flatten(deltas)
    for key, shape in zip(given.names, given.shapes, strict=True):
        if shape != shapes[key]:
            raise IncompatibleWeightsError(
                f"Tensor {key!r} of {path} has shape {shape}; the pre-trained checkpoint has {shapes[key]}."
            )
    buffer = torch.zeros_like(weights.buffer)
    views = weights.layout.views(buffer)
    for key, view in given.views(values).items():
        views[key].copy_(view)
    vector = TaskVector(name, weights.layout, buffer, weights.sha256, task)
    if vector.norm == 0:
        raise IncompatibleWeightsError(f"{path} changes nothing in the audio tower: every difference is zero.")
    return vector


def _finish(
    vector: TaskVector, pretrained: CheckpointState, origin: Mapping[str, Any], warnings: Sequence[str]
) -> OwnVector:
    """Measure the vector, and write its origin into it."""
    stored = vector.buffer.half().float()
    if not stored.count_nonzero():
        raise IncompatibleWeightsError(
            f"The differences of {vector.name!r} are at most {vector.buffer.abs().max():.1g}, which the float16 of a "
            f"stored vector cannot hold (the smallest is 6e-08)."
        )
    stored_loss = _norm(stored - vector.buffer) / vector.norm
    if stored_loss > STORED_LOSS:
        lost = f"{100 * stored_loss:.2g} % of their norm"
        warnings = [*warnings, f"The differences are so small that the float16 of a stored vector loses {lost}."]
    relative_norm = vector.norm / _norm(pretrained.audio.buffer)
    metadata = {
        "origin": dict(origin),
        "pretrained": {**pretrained.source.provenance, "dtype": pretrained.dtype},
        "relative_norm": relative_norm,
        "warnings": list(warnings),
    }
    return OwnVector(replace(vector, metadata=metadata), relative_norm, stored_loss, tuple(warnings))


def _norm(buffer: Tensor) -> float:
    return float(torch.linalg.vector_norm(buffer, dtype=torch.float64))


# ---- the command ----------------------------------------------------------------------------------------------------
def run(options: argparse.Namespace) -> None:
    """Make the vector, write it, and print what it is."""
    Recipe("tiny-clap", {options.name: 1.0})  # raises an error if this cannot be a vector's name in recipes
    out = options.out
    if out.suffix != ".safetensors":
        raise TaskVecError(f"--out is {str(out)!r}; a task vector is a .safetensors file.")
    if out.exists():
        raise TaskVecError(f"{out} exists already; name a new file, or remove this one first.")
    pretrained = read_state(resolve(options.pretrained))
    if options.finetuned:
        own = from_checkpoint(pretrained, read_state(resolve(options.finetuned)), options.name, options.task)
    elif options.delta:
        own = from_deltas(pretrained, options.delta, options.name, options.task)
    else:
        own = from_adapter(pretrained, options.lora, options.name, options.task)
    own.vector.save(out)
    print(report(own, pretrained, shipped_vectors(options.artifacts)))
    print(
        f"written to {out}: {out.stat().st_size / 1e6:.1f} MB, float16 loses {100 * own.stored_loss:.2g} % of the norm"
    )


def shipped_vectors(folder: Path) -> Mapping[str, TaskVector]:
    """The task vectors of an artifacts folder, for comparison; empty if there is no such folder."""
    return Artifacts(folder).vectors if (folder / "manifest.json").is_file() else {}


def report(own: OwnVector, pretrained: CheckpointState, others: Mapping[str, TaskVector]) -> str:
    """The vector in a few lines: norms, cosines to those of `others` that have the same base, warnings."""
    v = own.vector
    cosines = {name: v.cosine(o) for name, o in others.items() if o.pretrained_sha256 == v.pretrained_sha256}
    lines = [
        f"{v.name}: norm {v.norm:.4g}, {100 * own.relative_norm:.2g} % of that of the pre-trained weights",
        f"base {pretrained.source.name} ({pretrained.dtype}), sha256 {v.pretrained_sha256}",
        "norm by stage: " + ", ".join(f"{stage} {norm:.3g}" for stage, norm in v.stage_norms().items()),
    ]
    if cosines:
        lines.append("cosine to: " + ", ".join(f"{name} {value:+.2f}" for name, value in cosines.items()))
    return "\n".join([*lines, *(f"warning: {sentence}" for sentence in own.warnings)])
