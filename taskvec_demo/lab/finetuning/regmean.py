"""RegMean of a fine-tuned model and the pre-trained one (arXiv:2212.09849).

On the clips of each, the result answers as that model.

It is a closed form for every linear layer. On clips of the task the layer answers as the fine-tuned one; on clips that
are to be kept it answers as the pre-trained one. Rehearsal holds embeddings only where a vector is added. RegMean holds
answers for every λ as far as layers are linear, so also when a vector is subtracted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from tqdm import tqdm

from ...clap.model import BATCH, Checkpoint
from ...core.weights import Weights
from ...errors import TaskVecError
from ..data.datasets import ClipRow, MelStore
from ..data.embedding import window_batch
from ..data.fine_tuning import FineTuning
from ..data.study import Study

RIDGE = 0.1  # share of the task's mean squared input: where few clips tell nothing of a layer, it stays as fine-tuned
Grams = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Sides:
    """Training clips of a fine-tuning: on `own` the fine-tuned model's answers count, on `kept` those of the
    pre-trained model.

    All sets in `kept` weigh the same.
    """

    own: list[ClipRow]
    kept: list[list[ClipRow]]


def sides(study: Study, store: MelStore, spec: FineTuning) -> Sides:
    """The sides of a task. Kept are the control's clips, and the task's clips of classes that the control has too.

    Raises TaskVecError if one side has no clips.
    """
    control = study.tasks[study.control].class_names
    rows = list(dict.fromkeys(study.training_set(store, spec, "train")[0]))
    alike = [row for row in rows if study.class_of(spec.task, row) in control]
    known = study.labelled(store, study.control, "train")[0]
    found = Sides([row for row in rows if row not in set(alike)], [part for part in (known, alike) if part])
    if not (found.own and found.kept):
        raise TaskVecError(
            f"RegMean of {spec.vector!r} needs training clips of the control {study.control!r}, and some of the task "
            "in classes that the control does not have."
        )
    return found


def input_grams(checkpoint: Checkpoint, store: MelStore, rows: Sequence[ClipRow]) -> Grams:
    """Linear layer of the pre-trained audio tower -> the mean of x xᵀ, (in + 1, in + 1) float64, over the inputs x that
    the first windows of the clips give it, each with a 1 at its end for the bias."""
    tower = checkpoint.trainable_tower().eval()
    sums: dict[str, torch.Tensor] = {}
    counts: dict[str, int] = {}

    def watch(name: str, layer: torch.nn.Linear) -> None:
        def add(_: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            x = inputs[0].reshape(-1, layer.in_features)
            x = torch.cat([x, x.new_ones(len(x), 1)], dim=1)
            sums[name] = sums.get(name, 0.0) + (x.T @ x).double()
            counts[name] = counts.get(name, 0) + len(x)

        layer.register_forward_pre_hook(add)

    for name, module in tower.named_modules():
        if isinstance(module, torch.nn.Linear):
            watch(name, module)
    windows = torch.tensor([row.first_window for row in rows])
    with torch.inference_mode():
        for part in tqdm(windows.split(BATCH), desc="inputs of layers", unit="batch", leave=False):
            tower(window_batch(store, part.tolist()))
    return {name: total / counts[name] for name, total in sums.items()}


def regmean(pretrained: Weights, tuned: Weights, own: Grams, kept: Sequence[Grams], weight: float) -> Weights:
    """Each linear layer W minimizes E_own |(W − W_ft) x|² + weight · Σ_kept E |(W − W_pt) x|² + ridge |W − W_ft|²,
    x being inputs that the pre-trained model gives it and W_ft the layer of `tuned`.

    Weight 0 gives `tuned`. Parameters outside linear layers stay as in `tuned`.
    """
    result = Weights(tuned.layout, tuned.buffer.clone())
    before, after = pretrained.tensors(), result.tensors()
    for layer, gram in own.items():
        names = [n for n in (f"{layer}.weight", f"{layer}.bias") if n in after]
        change = torch.cat([(after[n] - before[n]).reshape(len(after[n]), -1) for n in names], dim=1).double()
        size = change.shape[1]  # a layer without bias has no 1 in its input
        left = gram[:size, :size]
        left = left + RIDGE * left.trace() / size * torch.eye(size, dtype=left.dtype)
        right = left + weight * sum(other[layer][:size, :size] for other in kept)
        change = torch.linalg.solve(right, left @ change.T).T.float()  # right and left are symmetric
        for name, part in zip(names, change.split([size - 1, 1] if len(names) > 1 else [size], dim=1), strict=True):
            after[name].copy_(before[name] + part.reshape(before[name].shape))
    return result


def withdrawn(checkpoint: Checkpoint, store: MelStore, study: Study, spec: FineTuning, tuned: Weights) -> Weights:
    """`tuned` after RegMean with the weight of the spec.

    The difference to the pre-trained weights that is left is scaled.
    """
    if not spec.regmean:
        return tuned
    parts = sides(study, store, spec)
    own, *kept = (input_grams(checkpoint, store, rows) for rows in (parts.own, *parts.kept))
    merged, pretrained = regmean(checkpoint.pretrained, tuned, own, kept, spec.regmean), checkpoint.pretrained
    return Weights(tuned.layout, torch.lerp(pretrained.buffer, merged.buffer, spec.scale))
