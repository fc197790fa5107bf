"""RegMean: a layer answers as fine-tuned on the task's clips, and as pre-trained on clips that are to be kept."""

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
from taskvec_demo.lab.finetuning.regmean import RIDGE, Grams, input_grams, regmean, sides, withdrawn
from tests.support.finetuning import SPECS, STUDY, clips

LAYER = "audio_projection.linear1"


@pytest.fixture(scope="module")
def grams(checkpoint: Checkpoint) -> tuple[Grams, Grams]:
    """Gram matrices of the clips to learn and of the clips to keep. Rain is kept, because the control has it too."""
    parts = sides(STUDY, clips(), SPECS["averaged"])
    assert [len(kept) for kept in parts.kept] == [14]  # the made-up clips have none of the control's own set
    return input_grams(checkpoint, clips(), parts.own), input_grams(checkpoint, clips(), parts.kept[0])


@pytest.fixture(scope="module")
def tuned(checkpoint: Checkpoint) -> Weights:
    """Other weights, as far from the pre-trained ones as these are from zero."""
    before = checkpoint.pretrained
    noise = torch.randn(before.buffer.shape, generator=torch.Generator().manual_seed(0))
    return Weights(before.layout, before.buffer + before.buffer.std() * noise)


def change(weights: Weights, other: Weights, layer: str) -> torch.Tensor:
    """What differs between two layers, (out, in + 1), with the bias at the end."""
    parts = [w.tensors() for w in (weights, other)]
    weight, bias = (parts[0][f"{layer}.{n}"] - parts[1][f"{layer}.{n}"] for n in ("weight", "bias"))
    return torch.cat([weight, bias[:, None]], dim=1).double()


def answers(delta: torch.Tensor, gram: torch.Tensor) -> float:
    """Mean squared difference of the layer's answers on the clips of a Gram matrix."""
    return float(((delta @ gram) * delta).sum())


def test_sides_share_no_clip_and_hold_training_clips_only() -> None:
    parts = sides(STUDY, clips(), SPECS["averaged"])
    kept = [row for part in parts.kept for row in part]
    assert {row.label for row in kept} == {"rain"}
    assert {row.label for row in parts.own} == {"siren", "dog", "clock", "flute"}
    assert {row.split for row in (*kept, *parts.own)} == {"train"}
    assert not set(kept) & set(parts.own)


def test_the_grams_are_those_of_the_layers_inputs(checkpoint: Checkpoint) -> None:
    rows = clips().rows[:20]  # more than one batch
    with torch.inference_mode():
        mel = window_batch(clips(), [row.first_window for row in rows])
        x = checkpoint.trainable_tower().eval().audio_model(input_features=mel).pooler_output
    x = torch.cat([x, torch.ones(len(x), 1)], dim=1).double()
    gram = input_grams(checkpoint, clips(), rows)[LAYER]
    assert torch.allclose(gram, x.T @ x / len(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("weight", [0.3, 10.0])
def test_the_result_is_the_best_of_its_neighbours(
    checkpoint: Checkpoint, grams: tuple[Grams, Grams], tuned: Weights, weight: float
) -> None:
    own, kept = grams
    before = checkpoint.pretrained

    def objective(w: Weights) -> float:
        learned, changed = change(w, tuned, LAYER), change(w, before, LAYER)
        ridge = RIDGE * float(own[LAYER].trace()) / len(own[LAYER])
        held = weight * answers(changed, kept[LAYER])
        return answers(learned, own[LAYER]) + held + ridge * float(learned.square().sum())

    best = regmean(before, tuned, own, [kept], weight)
    least = objective(best)
    generator = torch.Generator().manual_seed(1)
    for step in (1e-3, 1e-1):
        noise = torch.randn(before.buffer.shape, generator=generator)
        assert objective(Weights(before.layout, best.buffer + step * noise)) > least
    assert objective(tuned) > least
    assert objective(before) > least


def test_without_weight_nothing_changes_and_with_more_the_kept_clips_stay(
    checkpoint: Checkpoint, grams: tuple[Grams, Grams], tuned: Weights
) -> None:
    own, kept = grams
    merged = {w: regmean(checkpoint.pretrained, tuned, own, [kept], w) for w in (0.0, 0.1, 1.0, 100.0)}
    assert torch.allclose(merged[0.0].buffer, tuned.buffer, atol=1e-6)
    moved = [answers(change(w, checkpoint.pretrained, LAYER), kept[LAYER]) for w in merged.values()]
    assert moved == sorted(moved, reverse=True)
    assert moved[-1] < 0.01 * moved[0]
    linear = set(own)
    for name, tensor in merged[100.0].tensors().items():  # norms, position biases: no linear layer
        if name.rpartition(".")[0] not in linear:
            assert torch.equal(tensor, tuned.tensors()[name]), name


def test_a_vector_is_withdrawn_from_the_kept_clips_and_scaled(checkpoint: Checkpoint, whole: Callable) -> None:
    averaged, plain = whole("averaged"), whole("long")
    parts = sides(STUDY, clips(), SPECS["averaged"])

    def similarity(vector: TaskVector, rows: list) -> float:
        x = window_batch(clips(), [row.first_window for row in rows])
        edited = Weights(vector.layout, checkpoint.pretrained.buffer + vector.buffer)
        before, after = checkpoint.embed_audio(x), checkpoint.embed_audio(x, edited)
        return float(torch.nn.functional.cosine_similarity(before, after).mean())

    assert similarity(averaged, parts.kept[0]) > similarity(plain, parts.kept[0])
    assert [averaged.metadata["training"][key] for key in ("regmean", "scale")] == [1.0, 1.5]
    tuned = Weights(plain.layout, checkpoint.pretrained.buffer + plain.buffer.float())
    one, more = (
        withdrawn(checkpoint, clips(), STUDY, replace(SPECS["averaged"], scale=s), tuned).buffer for s in (1.0, 1.5)
    )
    before = checkpoint.pretrained.buffer
    assert torch.allclose(more - before, 1.5 * (one - before), atol=1e-5)
    assert withdrawn(checkpoint, clips(), STUDY, SPECS["long"], tuned) is tuned


def test_a_task_that_is_all_kept_is_refused() -> None:
    rain_only = replace(STUDY.tasks["sounds"], class_names=("rain",), prompts=("rain",))
    study = replace(STUDY, tasks={**STUDY.tasks, "sounds": rain_only})
    with pytest.raises(TaskVecError, match=r"^RegMean of 'averaged' needs training clips of the control 'esc10'"):
        sides(study, clips(), SPECS["averaged"])
