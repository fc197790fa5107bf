"""A CLAP checkpoint by what a user types: `tiny-clap`, a folder, a hub id, or a file of tensors.

The hub is asked only when a hub id is named. huggingface_hub reads HF_HUB_OFFLINE once, when it is imported, so that
`allow_hub` has to run before: this module imports transformers and huggingface_hub inside the functions that need them.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from ..core.weights import Weights, content_sha256, flatten, read_safetensors
from ..errors import BadArtifactError, IncompatibleWeightsError
from .embedded import EMBEDDED
from .laion import PREPROCESSOR, architecture, convert, folder_config, is_laion, read_torch

if TYPE_CHECKING:
    from .model import Checkpoint, Precision

ROBERTA = "roberta-base"  # the tokenizer of every LAION .pt, which holds none
TORCH_SUFFIXES = (".pt", ".pth", ".bin", ".ckpt")
ACCEPTED = "tiny-clap, a folder, a hub id such as laion/clap-htsat-unfused, a .pt or a .safetensors file"

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_SMALL_FILES = (
    "preprocessor_config.json", "processor_config.json", "tokenizer*.json", "special_tokens_map.json",
    "added_tokens.json", "vocab.json", "merges.txt",
)  # fmt: skip
_SAFETENSORS = ("model.safetensors", "model-*.safetensors", "model.safetensors.index.json")
_TORCH_WEIGHTS = "pytorch_model.bin"  # what older hub repositories hold instead
_AUDIO = ("audio_model.", "audio_projection.")
_TEXT = ("text_model.", "text_projection.")
_STATISTICS = (".running_mean", ".running_var")

Kind = Literal["embedded", "folder", "hub", "laion", "tensors"]


@dataclass(frozen=True)
class Source:
    """Where a checkpoint lies: `path` is a folder in transformers' layout, or a file of tensors.

    `kind` "laion" is a LAION `.pt`, "tensors" a bare state dict under `ClapModel`'s names. `revision` is the commit
    that a hub id was resolved to.
    """

    spec: str
    kind: Kind
    path: Path
    name: str
    repo: str | None = None
    revision: str | None = None

    @property
    def files(self) -> list[Path]:
        """The files that hold the weights."""
        return weight_files(self.path) if self.path.is_dir() else [self.path]

    @cached_property
    def sha256(self) -> str:
        """Of the weight file; of several, of the lines `hash  name`, as sha256sum prints them."""
        digests = []
        for path in self.files:
            with path.open("rb") as file:
                digests.append(hashlib.file_digest(file, "sha256").hexdigest())
        if len(digests) == 1:
            return digests[0]
        lines = (f"{digest}  {path.name}\n" for digest, path in zip(digests, self.files, strict=True))
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    @property
    def provenance(self) -> dict[str, str | None]:
        """What a manifest or a task vector records of where its weights came from."""
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
    """What a file holds for task arithmetic, read without building the model.

    `audio`: the edited parameters, float32, equal to `Checkpoint.pretrained`. `statistics`: BatchNorm's running mean
    and variance, which are no weights. `text_sha256`: of the text tower and its projection rounded to float16, so that
    storage in half precision gives the same; None if the file holds no text tower. `dtype`: of the audio tensors in
    the file, such as "float32", or "float16 and float32" where mixed.
    """

    source: Source
    audio: Weights
    statistics: dict[str, Tensor]
    text_sha256: str | None
    dtype: str


def is_hub_id(spec: str | None) -> bool:
    """Whether `spec` has the form owner/name and is nothing on this machine."""
    return bool(spec) and _HUB_ID.fullmatch(str(spec)) is not None and not os.path.exists(str(spec))


def allow_hub(*specs: str | None) -> None:
    """Go offline unless a spec is a hub id, or a `.pt`, whose tokenizer may be there; a set HF_HUB_OFFLINE stands.

    To be called before anything imports huggingface_hub, which reads the variable once.
    """
    asks = any(is_hub_id(spec) or str(spec).endswith(TORCH_SUFFIXES) for spec in specs)
    os.environ.setdefault("HF_HUB_OFFLINE", "0" if asks else "1")


def weight_files(folder: Path) -> list[Path]:
    """The weight files of a folder in transformers' layout, safetensors before pytorch_model.bin; none: []."""
    if (index := folder / "model.safetensors.index.json").is_file():
        try:
            return [folder / name for name in sorted(set(json.loads(index.read_text())["weight_map"].values()))]
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise BadArtifactError(f"{index} is not the index of safetensors shards.") from error
    return [path for name in ("model.safetensors", _TORCH_WEIGHTS) if (path := folder / name).is_file()][:1]


def resolve(spec: str, revision: str | None = None) -> Source:
    """What `spec` names; a hub id is looked up, and downloaded into the hub's cache, at `revision` or its main branch.

    Raises BadArtifactError in one sentence for anything that is not there, a fused checkpoint, and an unreachable hub.
    """
    path = Path(spec).expanduser()
    if spec == "tiny-clap":
        return Source(spec, "embedded", EMBEDDED / "model", spec)
    if spec and path.is_dir():
        folder_config(path)
        if not weight_files(path):
            raise BadArtifactError(f"{spec} holds neither model.safetensors nor {_TORCH_WEIGHTS}.")
        return Source(spec, "folder", path, path.resolve().name)
    if path.suffix in (*TORCH_SUFFIXES, ".safetensors"):
        if not path.is_file():
            raise BadArtifactError(f"There is no file {spec}; a checkpoint is {ACCEPTED}.")
        laion = path.suffix != ".safetensors" and is_laion(read_torch(path))
        return Source(spec, "laion" if laion else "tensors", path, path.stem)
    if is_hub_id(spec):
        folder = _from_hub(spec, revision)
        return Source(spec, "hub", folder, spec, spec, folder.name)
    raise BadArtifactError(f"{spec!r} is not a checkpoint; accepted are {ACCEPTED}.")


def open_checkpoint(
    spec: str, *, tokenizer: str | None = None, precision: Precision = "float32", revision: str | None = None
) -> Checkpoint:
    """Load what `spec` names. A LAION `.pt` is converted; its tokenizer is a folder or hub id, default roberta-base.

    Raises BadArtifactError for what `resolve` refuses, and for weights that do not fit their configuration.
    """
    from .model import Checkpoint

    source = resolve(spec, revision)
    if source.kind == "tensors":
        raise BadArtifactError(f"{spec} holds tensors but no configuration; give the folder of its checkpoint instead.")
    if source.kind != "laion":
        return Checkpoint.from_folder(source.path, source.name, precision)
    laion = convert(read_torch(source.path), spec)
    return Checkpoint.from_state(
        source.name, laion.config, laion.state, PREPROCESSOR, tokenizer or ROBERTA, precision=precision
    )


def read_state(spec: str, revision: str | None = None) -> CheckpointState:
    """The edited parameters of what `spec` names: as `open_checkpoint`, or a bare state dict in ClapModel's names.

    Raises BadArtifactError for a file without audio tower, or with a tensor that is NaN, infinite or not a float.
    """
    source = resolve(spec, revision)
    tensors: dict[str, Tensor] = {}
    for path in source.files:
        tensors |= read_safetensors(path)[0] if path.suffix == ".safetensors" else read_torch(path)
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
    return CheckpointState(source, weights, statistics, content_sha256(*flatten(text)) if text else None, dtype)


def read_config(source: Source) -> dict[str, Any]:
    """The dictionary of `ClapConfig`, from config.json or from the shapes of a LAION `.pt`; no weights are loaded."""
    if source.kind == "tensors":
        raise BadArtifactError(f"{source.spec} holds tensors but no configuration, so that its size is not known.")
    return (
        architecture(read_torch(source.path), source.spec)[1] if source.kind == "laion" else folder_config(source.path)
    )


def memory_needed(config: dict[str, Any]) -> int:
    """Bytes that the weights of an open checkpoint take, from its configuration alone.

    The model in float32 and, twice more, the edited parameters: as one flat buffer, and where a forward pass works.
    """
    from .model import count_parameters

    parameters, edited = count_parameters(config)
    return 4 * (parameters + 2 * edited)


def describe(source: Source) -> str:
    """Two or three lines for a person, before anything is loaded: what it is, its hash, the memory it will take."""
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
    """The snapshot folder, named by its commit; its configuration is judged before the weights are fetched."""
    commit = _download(repo, revision, ("config.json",)).name
    try:
        folder_config(_download(repo, commit, ("config.json",)))
    except BadArtifactError as error:
        raise BadArtifactError(f"{repo} on the hub cannot be used: {error}") from error
    folder = _download(repo, commit, (*_SMALL_FILES, *_SAFETENSORS))
    if not weight_files(folder):
        _download(repo, commit, (_TORCH_WEIGHTS,))
    if not weight_files(folder):
        raise BadArtifactError(f"{repo} on the hub holds neither model.safetensors nor {_TORCH_WEIGHTS}.")
    return folder


def _download(repo: str, revision: str | None, patterns: tuple[str, ...]) -> Path:
    from huggingface_hub import constants, errors, snapshot_download

    at = f" at revision {revision!r}" if revision else ""
    try:
        return Path(snapshot_download(repo, revision=revision, allow_patterns=list(patterns)))
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as error:
        raise BadArtifactError(
            f"The hub has no public model {repo!r}{at}, nor is there such a folder here; a checkpoint is {ACCEPTED}."
        ) from error
    except Exception as error:  # of the network, or of whichever client the hub's library uses
        if constants.HF_HUB_OFFLINE:
            raise BadArtifactError(
                f"{repo!r}{at} is not in the hub's cache {constants.HF_HUB_CACHE}, and HF_HUB_OFFLINE forbids to fetch "
                "it; unset it, or give a local folder."
            ) from error
        raise BadArtifactError(
            f"{repo!r}{at} cannot be fetched from {constants.ENDPOINT} ({type(error).__name__}); "
            "check the network, or give a local folder."
        ) from error
