"""CLAP checkpoints through transformers: the only importer of transformers.

A checkpoint is loaded once and never changed. Edited weights travel beside it and are applied for one forward pass by
`torch.func.functional_call`.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch.func import functional_call
from transformers import (
    AutoTokenizer,
    ClapConfig,
    ClapFeatureExtractor,
    ClapModel,
    ClapProcessor,
    ClapTextConfig,
    ClapTextModel,
)
from transformers.models.clap.modeling_clap import ClapProjectionLayer
from transformers.utils import logging

from .errors import BadArtifactError, IncompatibleWeightsError
from .features import FeatureConfig
from .task_vector import TaskVector
from .weights import Weights

BATCH = 64  # windows a forward pass: larger batches gain nothing on 2 cores
SPECIAL_TOKENS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")  # RoBERTa's order: ids 0 to 4
PAD = SPECIAL_TOKENS.index("<pad>")

Precision = Literal["float32", "bfloat16"]
BFLOAT16_PARAMETERS = 10_000_000  # a smaller tower is slower in bfloat16 at one window: conversions outweigh the gain
BFLOAT16_COSINE = 0.999  # least cosine of an embedding to its float32 one that is accepted


class AudioTower(torch.nn.Module):
    """Audio tower and audio projection under the parameter names they have in `ClapModel`."""

    def __init__(self, model: ClapModel) -> None:
        super().__init__()
        self.audio_model = model.audio_model
        self.audio_projection = model.audio_projection

    def forward(self, input_features: torch.Tensor) -> torch.Tensor:
        """Log-mel windows (n, 1, frames, mels) -> unit embeddings (n, dim)."""
        pooled = self.audio_model(input_features=input_features).pooler_output
        return F.normalize(self.audio_projection(pooled).float(), dim=-1)

    def weights(self) -> Weights:
        """A copy of what task arithmetic edits: parameters only; BatchNorm statistics are not weights."""
        return Weights.from_tensors({name: p.detach().float() for name, p in self.named_parameters()})


class _Along(torch.nn.Module):
    """The tower once for each step; what the steps do to its parameters is the caller's."""

    def __init__(self, tower: AudioTower) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, input_features: torch.Tensor, steps: Iterable[None]) -> torch.Tensor:
        return torch.stack([self.tower(input_features) for _ in steps])


class TextTower(torch.nn.Module):
    """Text tower and text projection under the names they have in `ClapModel`: text_model.*, text_projection.*.

    Randomly initialised from the keyword arguments of `ClapTextConfig`.
    """

    def __init__(self, text: Mapping[str, Any]) -> None:
        super().__init__()
        self.config = ClapTextConfig(**text)
        self.text_model = ClapTextModel(self.config)
        self.text_projection = ClapProjectionLayer(self.config)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Padded token ids (n, length) -> unit embeddings (n, dim) float32."""
        pooled = self.text_model(input_ids=ids, attention_mask=(ids != PAD).long()).pooler_output
        return F.normalize(self.text_projection(pooled).float(), dim=-1)


class Checkpoint:
    """One pre-trained CLAP, read-only, shared by all visitors.

    `pretrained` holds the edited parameters as they came from the file; `embed_audio(mel, weights)` uses others in
    their place for one call and changes nothing. `precision` is what the audio tower computes in; embeddings, weights
    and edits are float32 always.
    """

    def __init__(self, name: str, model: ClapModel, processor: ClapProcessor, precision: Precision = "float32") -> None:
        self.name, self.precision = name, precision
        self.model = model.float().eval().requires_grad_(False)
        self.features = FeatureConfig.from_preprocessor(processor.feature_extractor.to_dict())
        self.dim = int(model.config.projection_dim)
        self.logit_scale = float(model.logit_scale_a.exp())
        self._tower = AudioTower(self.model)
        self._tokenizer = processor.tokenizer
        self.pretrained = self._tower.weights()
        # functional_call swaps tensors inside the module while it runs: one call at a time.
        self._lock = threading.Lock()

    @classmethod
    def from_folder(cls, folder: Path, name: str | None = None, precision: Precision = "float32") -> Checkpoint:
        """Load a folder as `ClapModel.save_pretrained` and `ClapProcessor.save_pretrained` write it.

        Raises `BadArtifactError` for a folder that is missing or not an unfused CLAP checkpoint.
        """
        if not (folder / "config.json").is_file():
            raise BadArtifactError(f"{folder} holds no config.json: a CLAP checkpoint folder is expected.")
        config = json.loads((folder / "config.json").read_text())
        if config.get("model_type") != "clap":
            raise BadArtifactError(
                f"{folder} is a {config.get('model_type')!r} model; a 'clap' checkpoint is expected."
            )
        if config["audio_config"].get("enable_fusion"):
            raise BadArtifactError(f"{folder} is a fused CLAP checkpoint; only unfused ones are supported.")
        logging.disable_progress_bar()  # loading takes a tenth of a second
        model = ClapModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
        return cls(name or folder.name, model, ClapProcessor.from_pretrained(folder, local_files_only=True), precision)

    def embed_audio(self, mel: torch.Tensor, weights: Weights | None = None) -> torch.Tensor:
        """Log-mel windows (n, 1, frames, mels) -> unit embeddings (n, dim) under `weights` (default: pre-trained)."""
        weights = weights or self.pretrained
        self._check(weights)
        tensors = weights.tensors()
        embedded = []
        for batch in mel.split(BATCH):  # the lock is free between batches: a visitor's clip need not wait for hundreds
            with self._lock, self._inference():
                embedded.append(functional_call(self._tower, tensors, (batch,)))
        return torch.cat(embedded)

    def embed_along(
        self, mel: torch.Tensor, weights: Weights, vector: TaskVector, scaling_coefs: Sequence[float]
    ) -> torch.Tensor:
        """Windows (n, 1, frames, mels) -> unit embeddings (p, n, dim) under `weights` + λ `vector` for each of p λ.

        One buffer is rewritten in place for every λ. Faster on CPU than `torch.func.vmap` over stacked weights, which
        takes the fused bias and affine steps of each layer apart.
        """
        self._check(weights)
        weights.layout.check_same(vector.layout, f"The weights and the task vector {vector.name!r}")
        buffer = torch.empty_like(weights.buffer)

        def steps() -> Iterator[None]:
            for scaling_coef in scaling_coefs:
                torch.add(weights.buffer, vector.buffer, alpha=scaling_coef, out=buffer)
                yield

        tensors = {f"tower.{name}": view for name, view in weights.layout.views(buffer).items()}
        with self._lock, self._inference():
            return functional_call(_Along(self._tower), tensors, (mel, steps()))

    @property
    def gains_from_bfloat16(self) -> bool:
        """Whether this CPU and this tower are of the kind for which bfloat16 was measured to be faster."""
        return has_bfloat16() and self.pretrained.layout.size >= BFLOAT16_PARAMETERS

    def try_bfloat16(self, mel: torch.Tensor, head: torch.Tensor) -> bool:
        """Compute in bfloat16 from now on if that changes no answer on these windows.

        `mel` (n, 1, frames, mels) and unit rows of `head` (n_classes, dim): every window's most similar class must
        stay, and its embedding within `BFLOAT16_COSINE`. Returns whether it was switched on.
        """
        exact = self.embed_audio(mel)
        self.precision = "bfloat16"
        rounded = self.embed_audio(mel)
        same = torch.equal((exact @ head.T).argmax(-1), (rounded @ head.T).argmax(-1))
        if not same or float((exact * rounded).sum(-1).min()) < BFLOAT16_COSINE:
            self.precision = "float32"
        return self.precision == "bfloat16"

    def _check(self, weights: Weights) -> None:
        if weights.layout != self.pretrained.layout:
            raise IncompatibleWeightsError(f"These weights do not have the layout of checkpoint {self.name!r}.")

    @contextlib.contextmanager
    def _inference(self) -> Iterator[None]:
        rounded = self.precision == "bfloat16"
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=rounded, cache_enabled=False):
            yield

    def embed_text(self, texts: Sequence[str]) -> torch.Tensor:
        """Texts -> unit embeddings (n, dim). The text tower is frozen: one answer a checkpoint."""
        limit = self.model.config.text_config.max_position_embeddings - 2  # RoBERTa positions start after padding
        with torch.inference_mode():
            batch = self._tokenizer(list(texts), padding=True, truncation=True, max_length=limit, return_tensors="pt")
            pooled = self.model.get_text_features(
                input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]
            ).pooler_output
        return F.normalize(pooled.float(), dim=-1)

    def trainable_tower(self) -> AudioTower:
        """A separate copy of the audio tower to train; the checkpoint itself stays as it is."""
        copy = ClapModel(self.model.config)
        copy.load_state_dict(self.model.state_dict())
        return AudioTower(copy)


def has_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 in hardware; elsewhere it is emulated and slower than float32."""
    flags = Path("/proc/cpuinfo")
    return flags.is_file() and re.search(r"\b(avx512_bf16|amx_bf16)\b", flags.read_text()) is not None


def new_model(audio: Mapping, text: Mapping, projection_dim: int) -> ClapModel:
    """A randomly initialised `ClapModel` from the keyword arguments of `ClapAudioConfig` and `ClapTextConfig`."""
    return ClapModel(ClapConfig(audio_config=dict(audio), text_config=dict(text), projection_dim=projection_dim))


def save_checkpoint(
    folder: Path, model: ClapModel, feature_config: Mapping, tokenizer_folder: Path, max_shard_size: str = "9MB"
) -> None:
    """Write model (float16, in shards) and processor so that plain `transformers` loads the folder."""
    model.half().save_pretrained(folder, max_shard_size=max_shard_size)
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder, local_files_only=True)
    ClapProcessor(ClapFeatureExtractor(**feature_config), tokenizer).save_pretrained(folder)


def save_tokenizer(folder: Path, tokenizer: Tokenizer, max_tokens: int) -> None:
    """A folder that `AutoTokenizer` and `ClapProcessor` load as it is, lower-casing included.

    The class is the plain `PreTrainedTokenizerFast`: transformers 5's RobertaTokenizer rebuilds itself from vocabulary
    and merges alone and would lose the normalizer.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    roles = dict(zip(("bos", "pad", "eos", "unk", "mask"), SPECIAL_TOKENS, strict=True)) | {"cls": "<s>", "sep": "</s>"}
    config = {f"{role}_token": token for role, token in roles.items()} | {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": max_tokens,
        "model_input_names": ["input_ids", "attention_mask"],
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2))
