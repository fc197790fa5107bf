"""LoRA adapters as peft saves them, read as differences of weights: ΔW = s B A (Hu et al. 2021, arXiv:2106.09685).

s = α / r, or α / √r where the adapter is rank-stabilised (arXiv:2312.03732). The reading is our own, so that peft need
not be installed; the tests hold it against peft's `merge_and_unload`. Linear and convolution layers, `modules_to_save`,
biases of every kind, `rank_pattern`, `alpha_pattern` and `fan_in_fan_out` are read. Anything else that would change the
meaning of the adapter is refused by name; nothing is ignored.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from ...clap.checkpoint_files import is_index_buffer
from ...core.files import check_content, sha256_of
from ...core.weights import Weights, read_safetensors
from ...errors import BadArtifactError, IncompatibleWeightsError

CONFIG, TENSORS = "adapter_config.json", "adapter_model.safetensors"
# Keys of adapter_config.json with which the adapter means something else than s B A on the original weights.
VARIANTS = {
    "use_dora": "DoRA",
    "use_qalora": "QA-LoRA",
    "use_bdlora": "BD-LoRA",
    "kasa_config": "KaSA",
    "velora_config": "VeLoRA",
    "monteclora_config": "MonteCLoRA",
    "arrow_config": "Arrow",
    "alora_invocation_tokens": "activated LoRA",
    "layer_replication": "layer replication",
    "megatron_config": "Megatron layers",
    "target_parameters": "LoRA on bare parameters",
    "trainable_token_indices": "trainable tokens",
}
STARTS = (True, False, "gaussian", "orthogonal", "eva")  # initialisations that leave the original weights as they are
_PART = re.compile(r"(?P<module>.+)\.lora_(?P<side>[AB])\.(?P<kind>weight|bias)")
_TEXT_TOWER = ("text_model.", "text_projection.", "logit_scale")


@dataclass(frozen=True)
class Adapter:
    """What an adapter adds to the audio tower: parameter name -> difference, float32, of the parameter's shape.

    `trained_on` is the model that the adapter's own file names ("" if none); `sha256` is of its tensor file.
    """

    deltas: Mapping[str, Tensor]
    trained_on: str
    sha256: str


@dataclass(frozen=True)
class _Config:
    rank: int
    alpha: float
    rank_pattern: Mapping[str, int]
    alpha_pattern: Mapping[str, float]
    rank_stabilised: bool
    transposed: bool
    trained_on: str

    def scale(self, module: str, rank: int) -> float:
        """The scale s of a module, which is named as in the adapter."""
        alpha = _matching(self.alpha_pattern, module, self.alpha)
        return float(alpha) / (math.sqrt(rank) if self.rank_stabilised else rank)


def read_adapter(folder: Path, pretrained: Weights) -> Adapter:
    """Read `folder` (adapter_config.json, adapter_model.safetensors) as differences from `pretrained`.

    Raises BadArtifactError for what is not a readable LoRA adapter, and IncompatibleWeightsError naming the first
    tensor that does not fit: it has another shape, belongs to the text tower, or matches no edited parameter.
    """
    config = _read_config(folder)
    tensors = {name: t for name, t in read_safetensors(folder / TENSORS)[0].items() if not is_index_buffer(name)}
    shapes = dict(zip(pretrained.layout.names, pretrained.layout.shapes, strict=True))
    originals = pretrained.tensors()
    parts: dict[str, dict[str, Tensor]] = {}
    deltas: dict[str, Tensor] = {}
    for key in sorted(tensors):
        name = key.removeprefix("base_model.model.")
        if found := _PART.fullmatch(name):
            parts.setdefault(found["module"], {})[f"{found['side']}.{found['kind']}"] = tensors[key].float()
            continue
        parameter = _parameter(name.replace(".base_layer.", "."), shapes, folder)
        _check_shape(parameter, tensors[key], shapes[parameter], folder)
        deltas[parameter] = tensors[key].float() - originals[parameter]
    for module, part in parts.items():
        weight = _parameter(f"{module}.weight", shapes, folder)
        low_rank = _low_rank(module, part, config, shapes[weight], folder)
        deltas[weight] = deltas.get(weight, 0) + low_rank
        if "B.bias" in part:
            bias = _parameter(f"{module}.bias", shapes, folder)
            _check_shape(bias, part["B.bias"], shapes[bias], folder)
            scale = config.scale(module, part["A.weight"].shape[0])
            deltas[bias] = deltas.get(bias, 0) + scale * part["B.bias"]
    if not deltas:
        raise BadArtifactError(f"{folder / TENSORS} holds no tensor; a LoRA adapter of the audio tower is needed.")
    return Adapter(deltas, config.trained_on, sha256_of(folder / TENSORS))


def _low_rank(module: str, part: Mapping[str, Tensor], config: _Config, shape: tuple[int, ...], folder: Path) -> Tensor:
    """s B A in the shape of the module's weight. A: (r, in, …), B: (out, r, 1…); a convolution's kernel lies in A."""
    for side in ("A.weight", "B.weight"):
        if side not in part:
            raise BadArtifactError(f"{folder} lacks lora_{side} of {module!r}; A and B belong together.")
    a, b = part["A.weight"], part["B.weight"]
    rank = _matching(config.rank_pattern, module, config.rank)
    if a.dim() < 2 or b.dim() < 2 or b.flatten(1).shape[1] != rank or a.shape[0] != rank:
        raise IncompatibleWeightsError(
            f"Tensors lora_A and lora_B of {module!r} have shapes {tuple(a.shape)} and {tuple(b.shape)}; "
            f"the rank in {CONFIG} is {rank}."
        )
    product = b.flatten(1) @ a.flatten(1)
    product = product.T if config.transposed and a.dim() == 2 else product
    made = tuple(product.shape) if a.dim() == 2 else (b.shape[0], *a.shape[1:])
    if made != shape:
        raise IncompatibleWeightsError(
            f"Tensors lora_A and lora_B of {module!r} have shapes {tuple(a.shape)} and {tuple(b.shape)}, which do not "
            f"give the shape {shape} that {module + '.weight'!r} has in the pre-trained checkpoint."
        )
    return config.scale(module, rank) * product.reshape(shape)


def _parameter(name: str, shapes: Mapping[str, Any], folder: Path) -> str:
    """The edited parameter that the adapter calls `name`, if the whole model was wrapped and if only its audio tower
    was.
    """
    for candidate in (name, f"audio_model.{name}"):
        if candidate in shapes:
            return candidate
    if name.startswith(_TEXT_TOWER):
        raise IncompatibleWeightsError(
            f"The adapter {folder} changes {name!r} of the text side; only adapters of the audio tower and the audio "
            f"projection become task vectors."
        )
    raise IncompatibleWeightsError(
        f"The adapter {folder} changes {name!r}, which is not an edited parameter of the pre-trained checkpoint."
    )


def _check_shape(name: str, tensor: Tensor, shape: tuple[int, ...], folder: Path) -> None:
    if tuple(tensor.shape) != shape:
        raise IncompatibleWeightsError(
            f"Tensor {name!r} of the adapter {folder} has shape {tuple(tensor.shape)}; "
            f"the pre-trained checkpoint has {shape}."
        )


def _read_config(folder: Path) -> _Config:
    path = folder / CONFIG
    if not path.is_file():
        raise BadArtifactError(f"{folder} holds no {CONFIG}; a folder that peft's `save_pretrained` wrote is needed.")
    if not (folder / TENSORS).is_file():
        raise BadArtifactError(f"{folder} holds no {TENSORS}; adapters are read from safetensors only.")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        kind = values["peft_type"]
        if kind != "LORA":
            raise BadArtifactError(f"{path} is a {kind!r} adapter; only 'LORA' becomes a task vector.")
        config = _Config(
            rank=int(values["r"]),
            alpha=float(values["lora_alpha"]),
            rank_pattern={str(k): int(v) for k, v in (values.get("rank_pattern") or {}).items()},
            alpha_pattern={str(k): float(v) for k, v in (values.get("alpha_pattern") or {}).items()},
            rank_stabilised=bool(values.get("use_rslora")),
            transposed=bool(values.get("fan_in_fan_out")),
            trained_on=str(values.get("base_model_name_or_path") or ""),
        )
        for pattern in (*config.rank_pattern, *config.alpha_pattern):
            re.compile(pattern)
    except (ValueError, KeyError, TypeError, AttributeError, re.error) as error:
        check_content(path)
        raise BadArtifactError(f"{path} is not the configuration of a LoRA adapter ({error!r}).") from error
    _check_meaning(path, values)
    return config


def _check_meaning(path: Path, values: Mapping[str, Any]) -> None:
    for key, variant in VARIANTS.items():
        if values.get(key):
            raise BadArtifactError(
                f"{path} is a {variant} adapter ({key}); only plain and rank-stabilised LoRA is read."
            )
    start = values.get("init_lora_weights", True)
    if start not in STARTS:
        raise BadArtifactError(
            f"{path} was initialised by {start!r}, which changes the original weights; "
            f"convert the adapter to plain LoRA when saving it (path_initial_model_for_weight_conversion)."
        )


def _matching(patterns: Mapping[str, Any], module: str, otherwise: Any) -> Any:
    """The value of the first pattern that a module's name ends with, as peft matches them."""
    for pattern, value in patterns.items():
        if re.match(rf"(.*\.)?({pattern})$", module):
            return value
    return otherwise
