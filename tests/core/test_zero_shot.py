"""Label lists as people type them, heads as means of prompts, probabilities that add up."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from taskvec_demo.core.zero_shot import (
    MAX_LABEL_LENGTH,
    MAX_LABELS,
    ZeroShotHead,
    clip_embedding,
    parse_labels,
    probabilities,
)
from taskvec_demo.errors import BadLabelsError

VOCABULARY = {"dog": (3.0, 0.0), "cat": (0.0, 2.0), "a dog": (0.0, 5.0), "a cat": (-1.0, 0.0)}


def embed_text(texts):
    """Unit rows from a table: heads can be checked by hand."""
    return F.normalize(torch.tensor([VOCABULARY[text] for text in texts]), dim=-1)


# ---- labels ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("dog, cat", ("dog", "cat")),
        ("dog\ncat\r\nbird", ("dog", "cat", "bird")),
        (" a  dog ,\n\n , cat,", ("a dog", "cat")),
        ("Male speech, man speaking\nDog\nRain", ("Male speech, man speaking", "Dog", "Rain")),
        ("puppy, downpour\n", ("puppy", "downpour")),  # the next line is still empty
        ("zebra, ant, mule", ("zebra", "ant", "mule")),
        ("dog, cat, Dog, DOG", ("dog", "cat")),
        ("Dog, cat, dog, bird, CAT", ("Dog", "cat", "bird")),
        ("STRASSE, straße, weg", ("STRASSE", "weg")),
        ("C#, 狗", ("C#", "狗")),
    ],
)
def test_labels_keep_order_and_first_spelling(text, labels):
    assert parse_labels(text) == labels


@pytest.mark.parametrize("text", ["", "  \n ", ",,\n,"])
def test_no_label_is_the_default_set(text):
    assert parse_labels(text) == ()


@pytest.mark.parametrize("text", ["dog", "dog,", "dog, DOG, Dog", "dog\nDOG,\n,Dog"])
def test_one_label_is_refused(text):
    with pytest.raises(BadLabelsError, match=r"'dog'.*two or more.*\.$"):
        parse_labels(text)


def test_too_many_labels_are_refused():
    names = [f"label {i}" for i in range(MAX_LABELS + 1)]
    assert len(parse_labels(",".join(names[:-1]))) == MAX_LABELS == 64
    with pytest.raises(BadLabelsError, match=r"65 labels.*at most 64.*\.$"):
        parse_labels(",".join(names))
    assert len(parse_labels(",".join([*names[:-1], "LABEL 0"]))) == MAX_LABELS  # a repetition does not count


def test_a_label_that_is_too_long_is_refused():
    assert parse_labels(f"dog, {'x' * MAX_LABEL_LENGTH}")[1] == "x" * MAX_LABEL_LENGTH
    with pytest.raises(BadLabelsError, match=r"longer than 100 characters\.$") as error:
        parse_labels(f"dog, {'x' * (MAX_LABEL_LENGTH + 1)}")
    assert len(str(error.value)) < 150


@pytest.mark.parametrize("text", ["dog, ...", "!!!\ndog", "🐕, dog"])
def test_a_label_of_punctuation_is_refused(text):
    with pytest.raises(BadLabelsError, match=r"no letter or digit\.$"):
        parse_labels(text)


@pytest.mark.parametrize("text", ["caf\udce9 noise, cat", "cat\n\ud83d dog"])
def test_a_label_that_is_no_text_is_refused(text):
    """Python writes a byte of a shell that is not UTF-8 as half a surrogate pair, which no tokenizer takes."""
    with pytest.raises(BadLabelsError, match=r"'(caf\? noise|\? dog)'.* text in UTF-8 is accepted\.$"):
        parse_labels(text)
    assert parse_labels("café noise, cat") == ("café noise", "cat")


# ---- heads ----------------------------------------------------------------------------------------------------------
def test_a_head_is_the_normalized_mean_over_the_templates():
    head = ZeroShotHead.from_prompts(embed_text, ["Dog!", "Cat!"], ["dog", "cat"], ["{}", "a {}"])
    half = math.sqrt(0.5)
    assert head.labels == ("Dog!", "Cat!")
    assert torch.allclose(head.matrix, torch.tensor([[half, half], [-half, half]]))
    one = ZeroShotHead.from_prompts(embed_text, ["Dog!", "Cat!"], ["dog", "cat"], ["{}"])
    assert torch.allclose(one.matrix, torch.eye(2))
    assert not torch.allclose(one.matrix, head.matrix, atol=0.1)


def test_logits_are_scaled_cosines():
    head = ZeroShotHead(("a", "b", "c"), torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]))
    logits = head.logits(torch.tensor([[1.0, 0.0], [0.6, 0.8]]), 10.0)
    assert torch.allclose(logits, torch.tensor([[10.0, 0.0, 6.0], [6.0, 8.0, 10.0]]))


def test_a_clip_is_the_normalized_mean_of_its_windows():
    assert torch.allclose(clip_embedding(torch.tensor([[1.0, 0.0], [0.0, 1.0]])), torch.tensor([0.5, 0.5]).sqrt())
    assert torch.allclose(clip_embedding(torch.tensor([[0.6, 0.8]])), torch.tensor([0.6, 0.8]))


def test_probabilities_are_the_softmax_and_add_up_to_one():
    generator = torch.Generator().manual_seed(0)
    for n, scale in ((2, 1), (64, 1), (64, 30), (10, 1000)):
        logits = scale * torch.randn(n, generator=generator)
        found = probabilities(logits)
        assert abs(math.fsum(found) - 1) < 1e-9
        assert torch.allclose(torch.tensor(found), logits.softmax(-1), atol=1e-6)
        assert max(range(n), key=found.__getitem__) == int(logits.argmax())
    assert probabilities(torch.tensor([0.0, math.log(3)])) == pytest.approx([0.25, 0.75])
