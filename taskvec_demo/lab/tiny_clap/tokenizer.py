"""The tokenizer of tiny-CLAP's text tower: training, and texts to padded token ids."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from ...clap.loading import SPECIAL_TOKENS
from ...clap.model import PAD

VOCABULARY = 7500  # byte-level BPE tokens: with 256-d embeddings the tower stays at 4.5 M parameters
MAX_TOKENS = 64  # tokens of a text: some 40 words, far more than a class name in a template


def train_tokenizer(texts: Iterable[str], vocabulary: int = VOCABULARY) -> Tokenizer:
    """Byte-level BPE (arXiv 1508.07909) with RoBERTa's special tokens; case and runs of blanks do not matter to it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Lowercase(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)  # a first word is like any other
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=vocabulary,
            special_tokens=list(SPECIAL_TOKENS),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    ends = {name: (name, SPECIAL_TOKENS.index(name)) for name in ("</s>", "<s>")}
    tokenizer.post_processor = processors.RobertaProcessing(ends["</s>"], ends["<s>"], True, True)
    return tokenizer


def encode(tokenizer: Tokenizer, texts: Sequence[str]) -> list[np.ndarray]:
    """Token ids of each text, ends included, cut to MAX_TOKENS."""
    tokenizer.enable_truncation(MAX_TOKENS)
    return [np.asarray(found.ids, np.int64) for found in tokenizer.encode_batch_fast(list(texts))]


def padded(ids: Sequence[np.ndarray]) -> torch.Tensor:
    """Token ids of several texts -> (n, longest) int64, padded on the right."""
    return torch.nn.utils.rnn.pad_sequence([torch.from_numpy(row) for row in ids], batch_first=True, padding_value=PAD)
