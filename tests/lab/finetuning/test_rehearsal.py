"""Rehearsal: clips that a vector does not learn keep their pre-trained embeddings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from taskvec_demo.clap.model import Checkpoint
from taskvec_demo.core.task_vector import TaskVector
from taskvec_demo.core.weights import Weights
from taskvec_demo.errors import TaskVecError
from taskvec_demo.lab.data.embedding import window_batch
from taskvec_demo.lab.finetuning.finetune import labelled_set
from taskvec_demo.lab.finetuning.rehearsal import Kept, Rehearsal, rehearsal_of
from taskvec_demo.lab.finetuning.training_run import Run
from tests.support import finetuning
from tests.support.finetuning import N_OTHER, N_TRAIN, clips


@pytest.fixture(scope="module")
def rehearsal(checkpoint: Checkpoint) -> Rehearsal:
    return rehearsal_of(checkpoint, clips(), {"sounds"})


def similarity(checkpoint: Checkpoint, vector: TaskVector, windows: list[int]) -> float:
    """Mean cosine between the embeddings of windows before and after a vector."""
    x = window_batch(clips(), windows)
    edited = Weights(vector.layout, checkpoint.pretrained.buffer + vector.buffer)
    before, after = checkpoint.embed_audio(x), checkpoint.embed_audio(x, edited)
    return float(torch.nn.functional.cosine_similarity(before, after).mean())


def test_rehearsed_clips_keep_their_embeddings(checkpoint: Checkpoint, rehearsal: Rehearsal, whole: Callable) -> None:
    rehearsed, plain = whole("rehearsed"), whole("long")
    own, other = list(range(N_TRAIN)), rehearsal.windows["drums"]
    assert similarity(checkpoint, rehearsed, other) > similarity(checkpoint, plain, other) + 0.2
    assert similarity(checkpoint, rehearsed, own) < 0.5  # it still learned
    assert rehearsed.metadata["training"]["rehearsal"] == 10
    assert plain.metadata["training"]["rehearsal"] == 0


def test_it_draws_training_clips_of_other_sets_only(rehearsal: Rehearsal) -> None:
    store = clips()
    assert {name: len(windows) for name, windows in rehearsal.windows.items()} == {"drums": N_OTHER}
    kept = rehearsal.batch(9, store)
    assert kept.x.shape == (5, 256, 64)  # one for every second window, rounded up
    assert torch.allclose(kept.embedded.norm(dim=-1), torch.ones(5), atol=1e-5)
    rows = {r.first_window: r for r in store.rows}
    assert all(rows[w].split == "train" for windows in rehearsal.windows.values() for w in windows)


def test_parts_of_a_batch_add_up(checkpoint: Checkpoint, rehearsal: Rehearsal) -> None:
    """However a batch is cut into parts, rehearsed windows count once: loss and gradients are the same except for
    rounding.
    """
    spec, store = finetuning.SPECS["rehearsed"], clips()
    labelled = labelled_set(checkpoint, store, finetuning.STUDY, spec, "train")[1]
    x, target = labelled.batch(torch.arange(63), store)
    elsewhere = torch.nn.functional.normalize(
        torch.randn(32, checkpoint.dim, generator=torch.Generator().manual_seed(0))
    )
    kept = Kept(rehearsal.batch(63, store).x, elsewhere)  # before the first step everything is where it should be
    losses, gradients = [], []
    for at_once, what in ((64, kept), (7, kept), (64, None)):
        run = Run(checkpoint, spec, 4, 0, "float32", at_once)
        losses.append(run.update(x, target, labelled.head, what))
        gradients.append(torch.cat([p.grad.flatten() for p in run.parameters.values() if p.grad is not None]))
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    assert losses[2] < losses[0]
    scale = float(gradients[0].norm())
    assert float((gradients[1] - gradients[0]).norm()) < 1e-4 * scale
    assert float((gradients[2] - gradients[0]).norm()) > 1e-2 * scale


def test_there_must_be_something_to_rehearse_and_a_weight(checkpoint: Checkpoint) -> None:
    with pytest.raises(TaskVecError, match="has no training clips but those of drums, sounds"):
        rehearsal_of(checkpoint, clips(), ["drums", "sounds"])
    with pytest.raises(TaskVecError, match="rehearsal is a number from 0, not -1"):
        replace(finetuning.SPECS["rehearsed"], rehearsal=-1.0)
