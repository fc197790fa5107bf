"""Embeddings of texts that were embedded before, so that changing one label of a list costs one label."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

import torch

MAX_TEXTS = 4096  # 8 MB of 512 dimensions in float32: 1,000 labels in four templates


class TextCache:
    """The unit embeddings of the most recently used texts. Many threads may call.

    `embed` maps texts to unit rows (n, dim).
    """

    def __init__(self, embed: Callable[[Sequence[str]], torch.Tensor], max_texts: int = MAX_TEXTS) -> None:
        self._embed, self.max_texts = embed, max_texts
        self._kept: OrderedDict[str, torch.Tensor] = OrderedDict()  # the least recently used first
        self._lock = threading.Lock()

    def __call__(self, texts: Sequence[str]) -> torch.Tensor:
        """Texts -> unit embeddings (n, dim). Those that are not kept are embedded together."""
        with self._lock:
            known = {text: self._kept[text] for text in texts if text in self._kept}
        new = list(dict.fromkeys(text for text in texts if text not in known))
        if new:
            known |= zip(new, self._embed(new), strict=True)
        with self._lock:
            for text in dict.fromkeys(texts):
                self._kept[text] = known[text].clone()  # a row alone would keep the whole batch in memory
                self._kept.move_to_end(text)
            while len(self._kept) > self.max_texts:
                self._kept.popitem(last=False)
        return torch.stack([known[text] for text in texts])
