"""CLAP checkpoints through transformers: the only importer of transformers.

A checkpoint is loaded once and never changed. Edited weights are passed beside it; a forward pass copies them into a
tower of its own (`tower.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch.nn.utils.rnn import pad_sequence
from transformers import (
    ClapConfig,
    ClapFeatureExtractor,
    ClapModel,
    ClapProcessor,
    ClapTextConfig,
    ClapTextModel,
)
from transformers.models.clap.modeling_clap import ClapProjectionLayer
from transformers.utils import logging

from ..core.task_vector import TaskVector
from ..core.weights import Weights
from ..errors import BadArtifactError, IncompatibleWeightsError
from .checkpoint_files import folder_config, read_checkpoint, weight_files
from .features import FeatureConfig
from .loading import SPECIAL_TOKENS, check_tokenizer, load_model, load_tokenizer, save_with
from .tower import TowerPool

BATCH = 16  # windows in a forward pass: 64 are no faster on 2 cores and take 200 MB more
TEXT_BATCH = 64  # texts in a forward pass
PAD = SPECIAL_TOKENS.index("<pad>")

Precision = Literal["float32", "bfloat16"]
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
BFLOAT16_COSINE = 0.999  # least accepted cosine between an embedding and the same in float32
MAX_TOWERS = 4  # forward passes at once; each keeps a copy of the edited parameters
LARGE_PARAMETERS = 10_000_000  # from this size on one pass keeps all cores busy, and its copy takes 40 MB or more

# Tracing looks at every property of a module, also at its loss, which CLAP's towers do not have.
_no_loss: Any = lambda record: "loss_type" not in record.getMessage()  # noqa: E731
logging.get_logger("transformers.modeling_utils").addFilter(_no_loss)


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

    `pretrained` holds the parameters that task arithmetic edits, as they came from the file. `embed_audio(mel,
    weights)` uses others in their place for one call and changes nothing. The audio tower computes in `precision`;
    embeddings, weights and edits are always float32.
    """

    def __init__(self, name: str, model: ClapModel, processor: ClapProcessor, precision: Precision = "float32") -> None:
        self.name, self.precision = name, precision
        self.model = model.float().eval().requires_grad_(False)
        self.features = FeatureConfig.from_preprocessor(processor.feature_extractor.to_dict())
        self.dim = int(model.config.projection_dim)
        self.logit_scale = float(model.logit_scale_a.exp())
        self._tower = AudioTower(self.model)
        self._processor = processor
        self.pretrained = self._tower.weights()
        for name, view in self.pretrained.tensors().items():  # the model shares them: one copy is enough
            self._tower.get_parameter(name).data = view
        self._cores = torch.get_num_threads()
        window = torch.zeros(2, 1, self.features.n_frames, self.features.n_mels)
        n = n_towers(self.pretrained.layout.size)
        self._towers = TowerPool(self._tower, self.pretrained.layout, window, n, default_device())

    @classmethod
    def from_folder(cls, folder: Path, name: str | None = None, precision: Precision = "float32") -> Checkpoint:
        """The checkpoint in a folder that `ClapModel.save_pretrained` and `ClapProcessor.save_pretrained` wrote.

        Raises `BadArtifactError` for a folder that is missing, not an unfused CLAP checkpoint, or lacks a tensor.
        """
        config = folder_config(folder)
        model = load_model(str(folder), config, read_checkpoint(weight_files(folder), str(folder)))
        try:
            processor = ClapProcessor.from_pretrained(folder, local_files_only=True)
        except Exception as error:  # the tokenizers library has no exception of its own
            raise BadArtifactError(
                f"{folder} lacks the files of a tokenizer or of a feature extractor, or they are of another version."
            ) from error
        check_tokenizer(processor.tokenizer, model, folder)
        return cls(name or folder.name, model, processor, precision)

    @classmethod
    def from_state(
        cls,
        name: str,
        config: Mapping[str, Any],
        state: Mapping[str, torch.Tensor],
        preprocessor: Mapping[str, Any],
        tokenizer: str,
        precision: Precision = "float32",
    ) -> Checkpoint:
        """The checkpoint made of tensors under `ClapModel`'s names, which are copied, and the dictionary of
        `ClapConfig`.

        `preprocessor` holds the arguments of `ClapFeatureExtractor`; `tokenizer` is a folder or a hub id. Raises
        `BadArtifactError` for a missing tensor and for a tokenizer that is not there or has more tokens than the model.
        """
        model = load_model(name, config, state)
        processor = ClapProcessor(ClapFeatureExtractor(**preprocessor), load_tokenizer(tokenizer))
        check_tokenizer(processor.tokenizer, model, tokenizer)
        return cls(name, model, processor, precision)

    def embed_audio(
        self,
        mel: torch.Tensor,
        weights: Weights | None = None,
        patient: bool = False,
        precision: Precision | None = None,
    ) -> torch.Tensor:
        """Log-mel windows (n, 1, frames, mels) -> unit embeddings (n, dim) under `weights` (default: pre-trained).

        A `patient` call waits, batch by batch, until no other call waits for a tower. `precision`: in place of the
        checkpoint's.
        """
        weights = weights or self.pretrained
        self._check(weights)
        embedded = []
        for batch in mel.split(BATCH):  # a tower is free again after each: a visitor's clip need not wait for hundreds
            with self._towers.borrow(patient) as tower:
                tower.load(weights)
                embedded.append(tower.embed(batch, DTYPES[precision or self.precision]))
        return torch.cat(embedded)

    def embed_along(
        self, mel: torch.Tensor, weights: Weights, vector: TaskVector, scaling_coefs: Sequence[float]
    ) -> torch.Tensor:
        """Windows (n, 1, frames, mels) -> unit embeddings (p, n, dim) under `weights` + λ `vector` for each of p λ.

        The towers share the λ. On a CPU this is faster than `torch.func.vmap` over stacked weights, which splits the
        fused steps of each layer.
        """
        self._check(weights)
        weights.layout.check_same(vector.layout, f"The weights and the task vector {vector.name!r}")
        out = torch.empty(len(scaling_coefs), len(mel), self.dim)
        n = self._towers.size
        delta = vector.buffer.float()  # converted once, because a conversion at every λ takes longer than the addition

        def share(first: int) -> None:
            torch.set_num_threads(max(1, self._cores // n))  # for this thread; there is one thread for each tower
            try:
                with self._towers.borrow() as tower:
                    for i in range(first, len(scaling_coefs), n):
                        tower.load_sum(weights, delta, scaling_coefs[i])
                        out[i] = tower.embed(mel, DTYPES[self.precision])
            finally:
                torch.set_num_threads(self._cores)  # MKL's count and that of later threads hold for the whole process

        with ThreadPoolExecutor(n) as threads:
            list(threads.map(share, range(n)))
        return out

    def warm_up(self, mel: torch.Tensor) -> None:
        """Run these windows (n, 1, frames, mels) through every tower once, so that later passes need not record and
        allocate.
        """
        for tower in self._towers.all():
            tower.load(self.pretrained)
            tower.embed(mel, DTYPES[self.precision])

    def try_bfloat16(self, mel: torch.Tensor, head: torch.Tensor) -> bool:
        """Compute in bfloat16 from now on if that changes no answer on these windows.

        `mel` (n, 1, frames, mels) are windows, `head` (n_classes, dim) has a unit row for each class. The most similar
        class of every window must stay the same, and the cosine to its float32 embedding must be `BFLOAT16_COSINE` at
        least. Returns whether bfloat16 was switched on.
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

    def embed_text(self, texts: Sequence[str]) -> torch.Tensor:
        """Texts -> unit embeddings (n, dim). The text tower is frozen, so that no edit changes them.

        Texts of about one length share a batch, so that little of it is padding.
        """
        limit = self.model.config.text_config.max_position_embeddings - 2  # RoBERTa positions start after padding
        tokens = self._processor.tokenizer(list(texts), truncation=True, max_length=limit)["input_ids"]
        ids = [torch.tensor(of_text) for of_text in tokens]
        by_length = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        out = torch.empty(len(ids), self.dim)
        for rows in (by_length[i : i + TEXT_BATCH] for i in range(0, len(ids), TEXT_BATCH)):
            padded = pad_sequence([ids[i] for i in rows], batch_first=True, padding_value=PAD)
            mask = pad_sequence([torch.ones_like(ids[i]) for i in rows], batch_first=True)
            with torch.inference_mode():
                pooled = self.model.get_text_features(padded, mask).pooler_output
            out[rows] = F.normalize(pooled.float(), dim=-1)
        return out

    @property
    def nbytes(self) -> int:
        """Bytes of all weights in float32."""
        return sum(4 * tensor.numel() for tensor in self.model.state_dict().values())

    def save_edited(self, folder: Path, weights: Weights, metadata: Mapping[str, str]) -> None:
        """Write a folder that plain `transformers` loads: this checkpoint with `weights` in place of the pre-trained
        ones, in float32.

        `metadata` goes into the header of model.safetensors.
        """
        self._check(weights)
        save_with(folder, self.model, self._processor, weights.tensors(), metadata)

    def trainable_tower(self) -> AudioTower:
        """A copy of the audio tower for training; the checkpoint itself does not change."""
        copy = ClapModel(self.model.config)
        copy.load_state_dict(self.model.state_dict())
        return AudioTower(copy)


def default_device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def n_towers(edited: int) -> int:
    """The towers of a checkpoint with so many edited parameters: one if it is large, else one a core, up to four."""
    return 1 if edited >= LARGE_PARAMETERS else min(MAX_TOWERS, torch.get_num_threads())


def has_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 in hardware; elsewhere it is emulated and slower than float32."""
    flags = Path("/proc/cpuinfo")
    return flags.is_file() and re.search(r"\b(avx512_bf16|amx_bf16)\b", flags.read_text()) is not None


def count_parameters(config: Mapping[str, Any]) -> tuple[int, int]:
    """How many parameters the whole model and its edited part have, from the dictionary of `ClapConfig`; no memory is
    taken.
    """
    try:
        with torch.device("meta"):
            model = ClapModel(ClapConfig.from_dict(dict(config)))
    except Exception as error:  # transformers checks a configuration by using it
        raise BadArtifactError(f"The configuration is not that of a CLAP model ({type(error).__name__}).") from error
    edited = sum(parameter.numel() for parameter in AudioTower(model).parameters())
    return sum(parameter.numel() for parameter in model.parameters()), edited


def new_model(audio: Mapping, text: Mapping, projection_dim: int) -> ClapModel:
    """A randomly initialised `ClapModel` from the keyword arguments of `ClapAudioConfig` and `ClapTextConfig`."""
    return ClapModel(ClapConfig(audio_config=dict(audio), text_config=dict(text), projection_dim=projection_dim))
