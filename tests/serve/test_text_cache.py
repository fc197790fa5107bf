"""Texts are embedded once, together, and in any order."""

from __future__ import annotations

import torch

from taskvec_demo.serve.text_cache import TextCache


def embedder():
    """A function that embeds a text as its length and its first letter, and a list of what it was asked."""
    asked = []

    def embed(texts):
        asked.append(list(texts))
        return torch.tensor([[float(len(text)), float(ord(text[0]))] for text in texts])

    return embed, asked


def test_only_new_texts_are_embedded_together():
    embed, asked = embedder()
    cache = TextCache(embed)
    first = cache(["rain", "dog", "siren"])
    again = cache(["dog", "a bell", "rain", "wind", "dog"])
    assert asked == [["rain", "dog", "siren"], ["a bell", "wind"]]
    assert torch.equal(first, embed(["rain", "dog", "siren"]))
    assert torch.equal(again, embed(["dog", "a bell", "rain", "wind", "dog"]))


def test_the_least_recently_used_texts_are_dropped():
    embed, asked = embedder()
    cache = TextCache(embed, max_texts=3)
    cache(["a", "b", "c"])
    cache(["a"])
    cache(["d"])
    cache(["a", "c", "d"])
    assert asked == [["a", "b", "c"], ["d"]]
    assert torch.equal(cache(["b", "a", "c", "d"]), embed(["b", "a", "c", "d"]))  # more than are kept
    assert asked[2] == ["b"]


def test_what_is_kept_holds_no_batch_in_memory():
    embed, _ = embedder()
    cache = TextCache(embed)
    cache(["a", "b", "c"])
    assert {t.untyped_storage().nbytes() for t in cache._kept.values()} == {8}
