"""Models and tokenizers to and from files, through transformers."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import AutoTokenizer, ClapConfig, ClapFeatureExtractor, ClapModel, ClapProcessor
from transformers.utils import logging

from ..errors import BadArtifactError
from .hub import download

SPECIAL_TOKENS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")  # RoBERTa's order: ids 0 to 4
TOKENIZER_FILES = (
    "tokenizer*.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt", "config.json",
)  # fmt: skip


def load_model(origin: str, config: Mapping[str, Any], state: Mapping[str, torch.Tensor]) -> ClapModel:
    """A float32 `ClapModel` of copies of the tensors, which have its names; `origin` names them in errors.

    Raises BadArtifactError for a parameter that transformers would make up or that does not fit its configuration.
    """
    copies = {key: tensor.clone() for key, tensor in state.items()}
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # silences a warning about a missing buffer, which the architecture fixes
    logging.disable_progress_bar()  # loading takes a tenth of a second
    try:
        loaded: Any = ClapModel.from_pretrained(
            None,
            config=ClapConfig.from_dict(dict(config)),
            state_dict=copies,
            dtype=torch.float32,
            output_loading_info=True,
            weights_only=True,
        )
    except Exception as error:  # a configuration that makes no sense raises nearly anything
        raise BadArtifactError(
            f"The weights of {origin} are missing, damaged or do not fit its config.json."
        ) from error
    finally:
        logging.set_verbosity(verbosity)
    model, report = loaded
    trained = {*dict(model.named_parameters()), *(n for n, _ in model.named_buffers() if ".running_" in n)}
    if missing := sorted(trained & set(report["missing_keys"])):
        raise BadArtifactError(f"The weights of {origin} lack the tensor {missing[0]!r} ({len(missing)} in all).")
    return model


def load_tokenizer(tokenizer: str) -> Any:
    """A folder or, unless offline, a hub id. Raises `BadArtifactError`."""
    try:
        folder = Path(tokenizer) if Path(tokenizer).is_dir() else download(tokenizer, files=TOKENIZER_FILES)
        return AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # the tokenizers library has no exception of its own
        raise BadArtifactError(
            f"There is no tokenizer {tokenizer!r} that can be read: a folder here or a model of the hub is expected."
        ) from error


def check_tokenizer(tokenizer: Any, model: ClapModel, origin: Path | str) -> None:
    """Refuse a tokenizer that does not fit.

    Transformers makes an empty one if files are missing, and accepts ids for which the model has no row.
    """
    n_tokens, n_rows = len(tokenizer), model.text_model.config.vocab_size
    if not len(SPECIAL_TOKENS) < n_tokens <= n_rows:
        raise BadArtifactError(
            f"The tokenizer of {origin} has {n_tokens} tokens; {len(SPECIAL_TOKENS) + 1} to {n_rows} fit the model."
        )


def save_checkpoint(
    folder: Path,
    model: ClapModel,
    feature_config: Mapping,
    tokenizer: Path | str,
    max_shard_size: str = "9MB",
    dtype: torch.dtype = torch.float16,
) -> None:
    """Write model (turned into `dtype`, in shards) and processor so that plain `transformers` loads the folder."""
    model.to(dtype=dtype).save_pretrained(folder, max_shard_size=max_shard_size)  # type: ignore[call-arg]
    for path in folder.glob("*.safetensors"):
        path.chmod(0o644)  # safetensors makes them readable by their owner only
    ClapProcessor(ClapFeatureExtractor(**feature_config), load_tokenizer(str(tokenizer))).save_pretrained(folder)


def save_with(
    folder: Path,
    model: ClapModel,
    processor: ClapProcessor,
    weights: Mapping[str, torch.Tensor],
    metadata: Mapping[str, str],
) -> None:
    """Write model and processor in float32 so that plain `transformers` loads the folder, with `weights` in place of
    the parameters of these names.

    `metadata` goes into the header of model.safetensors. The model does not change.
    """
    config: Any = copy.deepcopy(model.config)
    config.architectures = [type(model).__name__]
    for part in (config, config.audio_config, config.text_config):
        part.dtype = torch.float32
    config.save_pretrained(folder)
    tensors = {name: tensor.contiguous() for name, tensor in (model.state_dict() | dict(weights)).items()}
    path = folder / "model.safetensors"
    save_file(tensors, path, {"format": "pt", **metadata})
    path.chmod(0o644)  # safetensors makes it readable by its owner only
    processor.save_pretrained(folder)


def save_tokenizer(folder: Path, tokenizer: Tokenizer, max_tokens: int) -> None:
    """A folder that `AutoTokenizer` and `ClapProcessor` load as it is, lower-casing included.

    The class is the plain `PreTrainedTokenizerFast`, because transformers 5's RobertaTokenizer rebuilds itself from
    vocabulary and merges alone and would lose the normalizer.
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
