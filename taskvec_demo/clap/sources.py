"""CLAP checkpoints, found by what a user types: `tiny-clap`, a folder, a hub id, or a file of tensors.

`resolve` finds it once; everything else takes the `Source` that it gives. The hub is asked only when a hub id is named:
this module imports transformers inside the functions that need it, so that `hub.allow_hub` can run before.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from ..core.files import check_content, sha256_of
from ..core.weights import Weights, content_sha256, flatten
from ..errors import BadArtifactError, IncompatibleWeightsError
from .checkpoint_files import SAFETENSORS, TORCH_WEIGHTS, folder_config, read_checkpoint, weight_files
from .embedded import EMBEDDED
from .hub import TORCH_SUFFIXES, download, is_hub_id
from .laion import PREPROCESSOR, architecture, convert, is_laion

if TYPE_CHECKING:
    from .model import Checkpoint, Precision

ROBERTA = "roberta-base"  # the tokenizer of every LAION .pt, which holds none
ACCEPTED = "tiny-clap, a folder, a hub id such as laion/clap-htsat-unfused, a .pt or a .safetensors file"

_CONFIGURATION = ("config.json",)
DESCRIBING = (  # files of a folder beside its weights: configuration, processor and tokenizer
    "config.json", "preprocessor_config.json", "processor_config.json", "tokenizer*.json", "special_tokens_map.json",
    "added_tokens.json", "vocab.json", "merges.txt",
)  # fmt: skip
_SHARDS = {"safetensors": "model-*.safetensors", "torch": "pytorch_model-*.bin"}
_AUDIO = ("audio_model.", "audio_projection.")
_TEXT = ("text_model.", "text_projection.")
_STATISTICS = (".running_mean", ".running_var")

Kind = Literal["embedded", "folder", "hub", "laion", "tensors"]


@dataclass(frozen=True)
class Source:
    """Where a checkpoint lies: `path` is a folder in transformers' layout, or a file of tensors.

    `kind` "laion" is a LAION `.pt`, "tensors" a bare state dict under `ClapModel`'s names. `revision` is the commit
    that a hub id was resolved to. `state` holds the tensors of a file, memory-mapped where its format allows it: they
    were read to tell what the file is.
    """

    spec: str
    kind: Kind
    path: Path
    name: str
    repo: str | None = None
    revision: str | None = None
    state: Mapping[str, Tensor] | None = field(default=None, repr=False, compare=False)

    @property
    def files(self) -> list[Path]:
        """The files that hold the weights."""
        return weight_files(self.path) if self.path.is_dir() else [self.path]

    @cached_property
    def sha256(self) -> str:
        """The hash of the weight file.

        If there are several, it is the hash of the lines `hash name`, as sha256sum prints them.
        """
        digests = [sha256_of(path) for path in self.files]
        if len(digests) == 1:
            return digests[0]
        lines = (f"{digest}  {path.name}\n" for digest, path in zip(digests, self.files, strict=True))
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    @property
    def provenance(self) -> dict[str, str | None]:
        """The origin of the weights, as a manifest or a task vector records it."""
        return {
            "checkpoint": self.name,
            "kind": self.kind,
            "repo": self.repo,
            "revision": self.revision,
            "file": self.path.name if self.path.is_file() else None,
            "sha256": self.sha256,
        }


@dataclass(frozen=True, eq=False)
class CheckpointState:
    """The part of a checkpoint that task arithmetic needs, read without building the model.

    `audio`: the edited parameters, float32, equal to `Checkpoint.pretrained`. `statistics`: BatchNorm's running mean
    and variance, which are no weights. `text_sha256`: the hash of the text tower and its projection, rounded to float16
    so that a file in half precision has the same; None if the file holds no text tower. `dtype`: of the audio tensors
    in the file, such as "float32", or "float16 and float32" where mixed.
    """

    source: Source
    audio: Weights
    statistics: dict[str, Tensor]
    text_sha256: str | None
    dtype: str


def resolve(spec: str, revision: str | None = None) -> Source:
    """The source that `spec` names. A hub id is downloaded into the hub's cache, at `revision` or its main branch.

    Raises BadArtifactError for a checkpoint that is not there or is fused, and if the hub cannot be reached.
    """
    path = Path(spec).expanduser()
    if spec == "tiny-clap":
        return Source(spec, "embedded", EMBEDDED / "model", spec)
    if spec and os.path.isdir(path):  # also for a name too long for a folder
        folder_config(path)
        files = weight_files(path)
        if not files:
            raise BadArtifactError(f"{spec} holds neither {SAFETENSORS[0]} nor {TORCH_WEIGHTS[0]}.")
        for file in files:
            check_content(file)
        return Source(spec, "folder", path, path.resolve().name)
    if path.suffix in (*TORCH_SUFFIXES, ".safetensors"):
        if not path.is_file():
            raise BadArtifactError(f"There is no file {spec}; a checkpoint is {ACCEPTED}.")
        state = read_checkpoint([path], spec)
        return Source(spec, "laion" if is_laion(state) else "tensors", path, path.stem, state=state)
    if is_hub_id(spec):
        folder = _from_hub(spec, revision)
        return Source(spec, "hub", folder, spec, spec, folder.name)
    raise BadArtifactError(f"{spec!r} is not a checkpoint; accepted are {ACCEPTED}.")


def open_checkpoint(source: Source, *, tokenizer: str | None = None, precision: Precision = "float32") -> Checkpoint:
    """Load a checkpoint. A LAION `.pt` is converted; its tokenizer is a folder or hub id, default roberta-base.

    Raises BadArtifactError for tensors without a configuration, and for weights that do not fit their configuration.
    """
    from .model import Checkpoint

    if source.kind == "tensors":
        raise BadArtifactError(
            f"{source.spec} holds tensors but no configuration; give the folder of its checkpoint instead."
        )
    if source.state is None:
        return Checkpoint.from_folder(source.path, source.name, precision)
    laion = convert(source.state, source.spec)
    return Checkpoint.from_state(
        source.name, laion.config, laion.state, PREPROCESSOR, tokenizer or ROBERTA, precision=precision
    )


def read_state(source: Source) -> CheckpointState:
    """The edited parameters: of a checkpoint as `open_checkpoint` has them, or of tensors under ClapModel's names.

    Raises BadArtifactError for a file without audio tower, or with a tensor that is NaN, infinite or not a float.
    """
    spec, tensors = source.spec, source.state
    if tensors is None:
        tensors = read_checkpoint(source.files, spec)
    if is_laion(tensors):
        tensors = convert(tensors, spec).state
    floats = {name: t for name, t in tensors.items() if t.is_floating_point()}
    statistics = {n: t.float() for n, t in floats.items() if n.startswith(_AUDIO) and n.endswith(_STATISTICS)}
    audio = {n: t for n, t in floats.items() if n.startswith(_AUDIO) and n not in statistics}
    if not audio:
        example = f", but {next(iter(tensors))!r}" if tensors else ""
        raise BadArtifactError(f"{spec} holds no audio tower (no audio_model.* tensor{example}); give {ACCEPTED}.")
    try:
        weights = Weights.from_tensors(audio)
    except IncompatibleWeightsError as error:
        raise BadArtifactError(f"{spec} cannot be used: {error}") from error
    text = {name: t.to(torch.float16) for name, t in floats.items() if name.startswith(_TEXT)}
    dtype = " and ".join(sorted({str(t.dtype).removeprefix("torch.") for t in audio.values()}))
    text_sha256 = content_sha256(*flatten(text)) if text else None
    return CheckpointState(source, weights, statistics, text_sha256, dtype)


def read_config(source: Source) -> dict[str, Any]:
    """The dictionary of `ClapConfig`, from config.json or from the shapes of a LAION `.pt`; no weights are loaded."""
    if source.kind == "tensors":
        raise BadArtifactError(f"{source.spec} holds tensors but no configuration, so that its size is not known.")
    return folder_config(source.path) if source.state is None else architecture(source.state, source.spec)[1]


def memory_needed(config: dict[str, Any]) -> int:
    """Bytes of memory that a checkpoint's weights take once it is loaded, computed from its configuration.

    This is the model in float32 and a copy of the edited parameters for each tower that a forward pass computes with
    (`n_towers`). On a machine with a GPU the copies lie there.
    """
    from .model import count_parameters, n_towers

    parameters, edited = count_parameters(config)
    return 4 * (parameters + n_towers(edited) * edited)


def describe(source: Source) -> str:
    """Two or three lines for a person: what the checkpoint is, its hash, the memory that it will take.

    Nothing is loaded.
    """
    from .model import count_parameters

    config = read_config(source)
    parameters, edited = count_parameters(config)
    where = f"revision {source.revision}" if source.repo else str(source.path)
    return (
        f"{source.name} ({where})\n"
        f"weights sha256 {source.sha256}\n"
        f"{parameters / 1e6:.1f} M parameters, {edited / 1e6:.1f} M edited; "
        f"the weights take {memory_needed(config) / 1e9:.2f} GB of memory"
    )


def _from_hub(repo: str, revision: str | None) -> Path:
    """The snapshot folder, which is named by its commit.

    The configuration is checked before the weights are fetched.
    """
    folder = download(repo, revision, _CONFIGURATION)
    try:
        folder_config(folder)
    except BadArtifactError as error:
        raise BadArtifactError(f"{repo} on the hub cannot be used: {error}") from error
    commit = folder.name
    download(repo, commit, (*DESCRIBING, *SAFETENSORS, _SHARDS["safetensors"]))
    if not weight_files(folder):
        download(repo, commit, (*TORCH_WEIGHTS, _SHARDS["torch"]))
    if not weight_files(folder):
        raise BadArtifactError(f"{repo} on the hub holds neither {SAFETENSORS[0]} nor {TORCH_WEIGHTS[0]}.")
    return folder
