"""Zero-shot heads: a matrix, made of class names and prompt templates, that classifies audio embeddings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ..errors import BadLabelsError, shortened

MAX_LABELS = 64
MAX_LABEL_LENGTH = 100  # characters


@dataclass(frozen=True)
class ZeroShotHead:
    """`matrix` (n_classes, dim), unit rows: the normalized mean of each label's embeddings over the templates (Radford
    et al. 2021, arXiv:2103.00020)."""

    labels: tuple[str, ...]
    matrix: torch.Tensor

    @classmethod
    def from_prompts(
        cls,
        embed_text: Callable[[Sequence[str]], torch.Tensor],
        labels: Sequence[str],
        prompts: Sequence[str],
        templates: Sequence[str],
    ) -> ZeroShotHead:
        """Embed every prompt in every template with `embed_text` (texts -> unit rows) and average."""
        texts = [template.format(prompt) for prompt in prompts for template in templates]
        embedded = embed_text(texts).reshape(len(prompts), len(templates), -1)
        return cls(tuple(labels), F.normalize(embedded.mean(1), dim=-1))

    def logits(self, embeddings: torch.Tensor, logit_scale: float) -> torch.Tensor:
        """Unit audio embeddings (n, dim) -> logits (n, n_classes)."""
        return logit_scale * embeddings @ self.matrix.T


def clip_embedding(window_embeddings: torch.Tensor) -> torch.Tensor:
    """Window embeddings (k, dim) of one clip -> its unit embedding (dim,): the normalized mean."""
    return F.normalize(window_embeddings.mean(0), dim=-1)


def clip_embeddings(window_embeddings: torch.Tensor, owners: torch.Tensor) -> torch.Tensor:
    """The same for many clips: window embeddings (k, dim), and for each the number of its clip (k,), 0 to n-1 in order
    -> unit embeddings (n, dim).
    """
    total = window_embeddings.new_zeros(int(owners[-1]) + 1, window_embeddings.shape[1])
    return F.normalize(total.index_add_(0, owners, window_embeddings), dim=-1)


def parse_labels(text: str) -> tuple[str, ...]:
    """One label a line, or all on one line between commas -> two or more labels, in order, duplicates dropped.

    Where there is more than one line a comma belongs to its label: "Male speech, man speaking". Empty text gives an
    empty tuple: the caller's default set. Raises `BadLabelsError` for one label, too many, and one that is too long,
    holds no letter or digit, or cannot be written in UTF-8.
    """
    if text.lstrip().startswith("["):
        raise BadLabelsError("Labels are words separated by commas or new lines, not a JSON list.")
    lines = text.strip().splitlines()
    parts = [" ".join(p.split()).strip(", ") for p in (lines if len(lines) > 1 else text.split(","))]
    first: dict[str, str] = {}
    for part in filter(None, parts):
        first.setdefault(part.casefold(), part)
    labels = tuple(first.values())
    if not labels:
        return ()
    if len(labels) < 2:
        only = shortened(labels[0])
        raise BadLabelsError(f"Only one label was given ({only!r}): two or more different labels are needed.")
    if len(labels) > MAX_LABELS:
        raise BadLabelsError(f"{len(labels)} labels were given: at most {MAX_LABELS} are accepted.")
    for label in labels:
        if len(label) > MAX_LABEL_LENGTH:
            raise BadLabelsError(f"The label {shortened(label)!r} is longer than {MAX_LABEL_LENGTH} characters.")
        try:
            label.encode()
        except UnicodeEncodeError as error:  # half a surrogate pair, as Python reads bytes of a shell in Latin-1
            raise BadLabelsError(
                f"The label {shortened(label)!r} holds a character that is not Unicode text; text in UTF-8 is accepted."
            ) from error
        if not any(c.isalnum() for c in label):
            raise BadLabelsError(f"The label {label!r} holds no letter or digit.")
    return labels


def probabilities(logits: torch.Tensor) -> list[float]:
    """Softmax of logits (n_classes,) as floats that add up to 1, but for rounding."""
    return logits.double().softmax(-1).tolist()
