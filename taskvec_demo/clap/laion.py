"""LAION's own `.pt` checkpoints (arXiv:2211.06687) under the names and the configuration of transformers' `ClapModel`.

Nothing is computed: tensors are renamed, and the fused query-key-value matrices are cut in three. What the file must
hold follows from a few of its shapes, so that a missing, surplus, misshapen or non-finite tensor is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torchaudio
from torch import Tensor

from ..errors import BadArtifactError
from .checkpoint_files import is_index_buffer

PREPROCESSOR: dict[str, Any] = {  # what every unfused LAION checkpoint hears; the names of `ClapFeatureExtractor`
    "feature_size": 64,
    "sampling_rate": 48_000,
    "hop_length": 480,
    "fft_window_size": 1024,
    "max_length_s": 10,
    "frequency_min": 50,
    "frequency_max": 14_000,
    "padding": "repeatpad",
    "truncation": "rand_trunc",
}

SWIN_HEADS = (4, 8, 16, 32)
AMODELS = {96: ("HTSAT-tiny", (2, 2, 6, 2)), 128: ("HTSAT-base", (2, 2, 12, 2))}  # by channels of the patch embedding
WINDOW, HEAD_SIZE = 8, 64  # patches; channels a head of every RoBERTa

_PATCH = "audio_branch.patch_embed.proj.weight"
_FILTERS = "audio_branch.logmel_extractor.melW"
_FUSION = re.compile(r"\.(fusion_model|mel_conv[12]d)\.")
_UNUSED = re.compile(  # by embeddings, or fixed by the architecture
    r"audio_branch\.(spectrogram_extractor|logmel_extractor|tscam_conv|head)\."
    r"|(audio|text)_transform\."
)

_Entries = dict[str, tuple[tuple[int, ...], tuple[str, ...]]]  # LAION's name -> shape, names in ClapModel


@dataclass(frozen=True, eq=False)
class LaionCheckpoint:
    """`state`: parameters and BatchNorm statistics under `ClapModel`'s names, views of the file where possible.

    `config` is the dictionary of `ClapConfig`; `amodel` is LAION's name of the audio tower.
    """

    amodel: str
    config: dict[str, Any]
    state: dict[str, Tensor]


def is_laion(names: Mapping[str, Tensor]) -> bool:
    """Whether these are LAION's names."""
    return any(name.startswith("audio_branch.") for name in names)


def convert(state: Mapping[str, Tensor], origin: str) -> LaionCheckpoint:
    """LAION's state dict -> the same numbers as a `ClapModel`; `origin` names the file in errors.

    Raises BadArtifactError for a fused checkpoint, another tower than HTSAT-tiny or HTSAT-base with RoBERTa, and a
    tensor that is missing, unknown, misshapen or not finite.
    """
    amodel, config = architecture(state, origin)
    entries = {**_audio_entries(config["audio_config"]), **_text_entries(config["text_config"])}
    entries |= {name: ((), (name,)) for name in ("logit_scale_a", "logit_scale_t")}
    _check(state, entries, origin)
    converted: dict[str, Tensor] = {}
    for name, (_, targets) in entries.items():
        converted.update(zip(targets, state[name].chunk(len(targets)) if targets[1:] else [state[name]], strict=True))
    return LaionCheckpoint(amodel, config, converted)


def architecture(state: Mapping[str, Tensor], origin: str) -> tuple[str, dict[str, Any]]:
    """LAION's name of the audio tower and the dictionary of `ClapConfig`, from a few shapes; errors as `convert`."""
    if fused := next((name for name in state if _FUSION.search(name)), None):
        raise BadArtifactError(f"{origin} is a fused CLAP checkpoint ({fused!r}); only unfused ones are supported.")
    channels, spectrograms = _shape(state, _PATCH, 4, origin)[:2]
    if spectrograms > 1:
        raise BadArtifactError(
            f"{origin} is a fused CLAP checkpoint ({spectrograms} spectrograms a clip); only unfused ones are accepted."
        )
    if channels not in AMODELS:
        raise BadArtifactError(
            f"{origin} has a patch embedding of {channels} channels; HTSAT-tiny has 96 and HTSAT-base 128."
        )
    amodel, depths = AMODELS[channels]
    shape = partial(_shape, state, origin=origin)
    vocabulary, width = shape("text_branch.embeddings.word_embeddings.weight", 2)
    layers = [int(m[1]) for name in state if (m := re.match(r"text_branch\.encoder\.layer\.(\d+)\.", name))]
    projection = shape("audio_projection.2.weight", 2)[0]
    audio = {
        "patch_embeds_hidden_size": channels,
        "hidden_size": channels * 8,  # doubled by each of three patch mergings
        "depths": list(depths),
        "num_attention_heads": list(SWIN_HEADS),
        "window_size": WINDOW,
        "spec_size": 256,
        "num_mel_bins": PREPROCESSOR["feature_size"],
        "hidden_dropout_prob": 0.0,
        "drop_path_rate": 0.1,
        "enable_fusion": False,
    }
    text = {
        "vocab_size": vocabulary,
        "hidden_size": width,
        "num_hidden_layers": max(layers, default=-1) + 1,
        "num_attention_heads": max(width // HEAD_SIZE, 1),
        "intermediate_size": shape("text_branch.encoder.layer.0.intermediate.dense.weight", 2)[0],
        "max_position_embeddings": shape("text_branch.embeddings.position_embeddings.weight", 2)[0],
        "layer_norm_eps": 1e-5,  # RoBERTa's; ClapTextConfig would take BERT's 1e-12
    }
    config = {"model_type": "clap", "audio_config": audio, "text_config": text, "projection_dim": projection}
    return amodel, config


def _shape(state: Mapping[str, Tensor], name: str, dimensions: int, origin: str) -> tuple[int, ...]:
    if name not in state:
        raise BadArtifactError(
            f"{origin} lacks the tensor {name!r}; LAION checkpoints of HTSAT-tiny or HTSAT-base with RoBERTa hold it."
        )
    shape = tuple(state[name].shape)
    if len(shape) != dimensions:
        raise BadArtifactError(f"Tensor {name!r} of {origin} has shape {shape}; {dimensions} dimensions are expected.")
    return shape


def _affine(entries: _Entries, source: str, targets: str | tuple[str, ...], rows: int, *columns: int) -> None:
    """Weight (rows, *columns) and bias (rows,) of a linear, convolution or, without columns, norm layer."""
    names = (targets,) if isinstance(targets, str) else targets
    entries[f"{source}.weight"] = ((rows, *columns), tuple(f"{name}.weight" for name in names))
    entries[f"{source}.bias"] = ((rows,), tuple(f"{name}.bias" for name in names))


def _audio_entries(config: Mapping[str, Any]) -> _Entries:
    entries: _Entries = {}
    affine = partial(_affine, entries)
    encoder, mels, channels = "audio_model.audio_encoder", config["num_mel_bins"], config["patch_embeds_hidden_size"]
    affine("audio_branch.bn0", f"{encoder}.batch_norm", mels)
    for name in ("running_mean", "running_var"):
        entries[f"audio_branch.bn0.{name}"] = ((mels,), (f"{encoder}.batch_norm.{name}",))
    affine("audio_branch.patch_embed.proj", f"{encoder}.patch_embed.proj", channels, 1, 4, 4)
    affine("audio_branch.patch_embed.norm", f"{encoder}.patch_embed.norm", channels)
    stages = list(zip(config["depths"], config["num_attention_heads"], strict=True))
    for stage, (depth, heads) in enumerate(stages):
        size = channels * 2**stage
        layer, target = f"audio_branch.layers.{stage}", f"{encoder}.layers.{stage}"
        for block in range(depth):
            _block_entries(entries, f"{layer}.blocks.{block}", f"{target}.blocks.{block}", size, heads)
        if stage + 1 < len(stages):
            affine(f"{layer}.downsample.norm", f"{target}.downsample.norm", 4 * size)
            reduction = "downsample.reduction.weight"
            entries[f"{layer}.{reduction}"] = ((2 * size, 4 * size), (f"{target}.{reduction}",))
    affine("audio_branch.norm", f"{encoder}.norm", config["hidden_size"])
    _projection_entries(entries, "audio_projection", config["hidden_size"])
    return entries


def _block_entries(entries: _Entries, block: str, target: str, size: int, heads: int) -> None:
    affine, attention = partial(_affine, entries), f"{target}.attention"
    affine(f"{block}.norm1", f"{target}.layernorm_before", size)
    qkv = tuple(f"{attention}.self.{name}" for name in ("query", "key", "value"))
    affine(f"{block}.attn.qkv", qkv, 3 * size, size)
    table = "relative_position_bias_table"
    entries[f"{block}.attn.{table}"] = (((2 * WINDOW - 1) ** 2, heads), (f"{attention}.self.{table}",))
    affine(f"{block}.attn.proj", f"{attention}.output.dense", size, size)
    affine(f"{block}.norm2", f"{target}.layernorm_after", size)
    affine(f"{block}.mlp.fc1", f"{target}.intermediate.dense", 4 * size, size)
    affine(f"{block}.mlp.fc2", f"{target}.output.dense", size, 4 * size)


def _projection_entries(entries: _Entries, name: str, size: int) -> None:
    joint = 512  # LAION's `joint_embed_shape`
    _affine(entries, f"{name}.0", f"{name}.linear1", joint, size)
    _affine(entries, f"{name}.2", f"{name}.linear2", joint, joint)


def _text_entries(config: Mapping[str, Any]) -> _Entries:
    """RoBERTa keeps its names; only the branch is called otherwise."""
    entries: _Entries = {}
    width, inner = config["hidden_size"], config["intermediate_size"]

    def affine(name: str, *shape: int) -> None:
        _affine(entries, f"text_branch.{name}", f"text_model.{name}", *shape)

    tables = {"word": config["vocab_size"], "position": config["max_position_embeddings"], "token_type": 1}
    for table, rows in tables.items():
        name = f"embeddings.{table}_embeddings.weight"
        entries[f"text_branch.{name}"] = ((rows, width), (f"text_model.{name}",))
    affine("embeddings.LayerNorm", width)
    for layer in (f"encoder.layer.{i}" for i in range(config["num_hidden_layers"])):
        for name in ("self.query", "self.key", "self.value", "output.dense"):
            affine(f"{layer}.attention.{name}", width, width)
        affine(f"{layer}.attention.output.LayerNorm", width)
        affine(f"{layer}.intermediate.dense", inner, width)
        affine(f"{layer}.output.dense", width, inner)
        affine(f"{layer}.output.LayerNorm", width)
    affine("pooler.dense", width, width)
    _projection_entries(entries, "text_projection", width)
    return entries


def _check(state: Mapping[str, Tensor], entries: _Entries, origin: str) -> None:
    for name, (shape, _) in entries.items():
        if name not in state:
            raise BadArtifactError(f"{origin} lacks the tensor {name!r} of shape {shape}.")
        tensor = state[name]
        if tuple(tensor.shape) != shape:
            found = tuple(tensor.shape)
            raise BadArtifactError(f"Tensor {name!r} of {origin} has shape {found}; it must have {shape}.")
        if not tensor.is_floating_point():
            raise BadArtifactError(f"Tensor {name!r} of {origin} is {tensor.dtype}; weights are floating-point.")
    for name in state:
        if name not in entries and not _UNUSED.match(name) and not is_index_buffer(name):
            raise BadArtifactError(f"{origin} holds the tensor {name!r}, which no unfused LAION checkpoint has.")
    _check_filters(state, origin)
    for name in entries:  # last, because it reads the whole file
        if not torch.isfinite(state[name].float()).all():
            raise BadArtifactError(f"Tensor {name!r} of {origin} holds values that are NaN or infinite.")


def _check_filters(state: Mapping[str, Tensor], origin: str) -> None:
    """The file's own mel filters, which laion-clap saves, must be those of `PREPROCESSOR`."""
    filters = torchaudio.functional.melscale_fbanks(
        PREPROCESSOR["fft_window_size"] // 2 + 1,
        PREPROCESSOR["frequency_min"],
        PREPROCESSOR["frequency_max"],
        PREPROCESSOR["feature_size"],
        PREPROCESSOR["sampling_rate"],
        norm="slaney",
        mel_scale="slaney",
    )
    own = state.get(_FILTERS, filters)  # weights of at most 0.018
    if own.shape != filters.shape or not torch.allclose(own.float(), filters, atol=1e-4):
        raise BadArtifactError(
            f"{origin} hears through mel filters of its own ({_FILTERS!r}); those of 48 kHz, 50-14000 Hz are expected."
        )
