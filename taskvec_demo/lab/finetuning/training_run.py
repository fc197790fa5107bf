"""A training in progress: tower, average, optimizer and the best weights so far, the same on every process.

Each process computes its slice of the batch and the gradients are summed, so that two processes take the same steps as
one. (`Accelerator.prepare` would average gradients over processes, which is wrong for slices of unequal size.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import broadcast, reduce
from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size
from torch.nn.functional import cosine_similarity, cross_entropy
from tqdm import tqdm

from ...clap.model import AudioTower, Checkpoint, Precision, has_bfloat16
from ...core.weights import Weights
from ...core.zero_shot import ZeroShotHead
from ...errors import TaskVecError
from ..data.fine_tuning import FineTuning
from .rehearsal import EVERY, Kept
from .schedule import learning_rate, set_rate
from .trainable import restrict, trained_tensors
from .training_state import drawing

BATCH, WEIGHT_DECAY, LABEL_SMOOTHING, EMA_DECAY = 64, 1e-2, 0.05, 0.9
AT_ONCE = 32  # windows of a batch computed together: two pieces, so that two processes do just what one does
WARM_UP = 0.1  # share of the steps in which the rate rises to its peak


def processes() -> PartialState:
    """This process among those that `accelerate launch` started, on its GPU if it has one.

    Without a launcher it is the only one.
    """
    return PartialState(cpu=not torch.cuda.is_available(), timeout=timedelta(days=1))


def training_precision() -> Precision:
    """bfloat16 if the GPU, or the CPU of a machine without one, multiplies it in hardware."""
    if not torch.cuda.is_available():
        return "bfloat16" if has_bfloat16() else "float32"
    return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"


def training_mode(tower: AudioTower) -> None:
    """Put everything into training mode except BatchNorm, whose statistics are kept."""
    tower.train()
    for module in tower.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.eval()


@dataclass(frozen=True)
class Best:
    """The weights with the best score, and the epoch after which they had it."""

    score: float
    epoch: int
    weights: Weights


class Run:
    """`epoch` epochs and `step` steps of the next one are done, `taken` in all; `steps` make the whole training."""

    def __init__(
        self, checkpoint: Checkpoint, spec: FineTuning, steps: int, seed: int, precision: Precision, at_once: int
    ) -> None:
        self.pretrained, self.logit_scale = checkpoint.pretrained, checkpoint.logit_scale
        self.seed, self.precision, self.at_once, self.rehearsal = seed, precision, at_once, spec.rehearsal
        self.processes = processes()
        self.pieces = max(-(-BATCH // at_once), self.processes.num_processes)  # of a batch
        self.device = self.processes.device
        with drawing(seed, "start"):
            self.tower = checkpoint.trainable_tower()
            restrict(self.tower, spec.trains, spec.rank, spec.alpha)
        self.tower.to(self.device)
        training_mode(self.tower)
        self.parameters = {name: p for name, p in self.tower.named_parameters() if p.requires_grad}
        self.average = {name: t.clone() for name, t in trained_tensors(self.tower).items()}
        self.optimizer = torch.optim.AdamW(self.parameters.values(), spec.peak_rate, weight_decay=WEIGHT_DECAY)
        self.peak_rate, self.steps, self.taken = spec.peak_rate, steps, 0
        self.epoch, self.step = 0, 0
        self.best = Best(-1.0, 0, self.pretrained)

    def weights(self) -> Weights:
        """The average of the weights over the steps.

        Parameters that do not train are those of the pre-trained model.
        """
        return Weights.from_tensors(self.pretrained.tensors() | {n: t.cpu() for n, t in self.average.items()})

    def update(self, x: torch.Tensor, target: torch.Tensor, head: ZeroShotHead, kept: Kept | None = None) -> float:
        """One step on a batch, windows (batch, frames, mels) and targets (batch, n_classes); returns its mean loss.

        Windows from `kept` are rehearsed in the same step: one for every `EVERY` windows of the batch.
        """
        loss = self._summed(self._share_in_memory(x, target, head, kept))
        torch.nn.utils.clip_grad_norm_(self.parameters.values(), 1.0)
        set_rate(self.optimizer, learning_rate(self.taken / self.steps, self.peak_rate, WARM_UP))
        self.optimizer.step()
        for name, tensor in trained_tensors(self.tower).items():
            self.average[name].lerp_(tensor, 1 - EMA_DECAY)
        self.step, self.taken = self.step + 1, self.taken + 1
        return loss

    def begin(self, score: Callable[[Weights], float]) -> float:
        """Begin from the weights that the tower has now: they are the average, and the best so far. Returns their
        score.
        """
        for name, tensor in trained_tensors(self.tower).items():
            self.average[name].copy_(tensor)
        return self._score(score)

    def end_epoch(self, score: Callable[[Weights], float]) -> float:
        """Score the average on the main process, and keep it if no score was better. Returns the score."""
        self.epoch, self.step = self.epoch + 1, 0
        return self._score(score)

    def _score(self, score: Callable[[Weights], float]) -> float:
        weights = self.weights()
        own = score(weights) if self.processes.is_main_process else 0.0
        agreed = float(broadcast(torch.tensor(own, dtype=torch.float64, device=self.device)))
        if agreed >= self.best.score:
            self.best = Best(agreed, self.epoch, weights)
        return agreed

    def _share_in_memory(self, x: torch.Tensor, target: torch.Tensor, head: ZeroShotHead, kept: Kept | None) -> float:
        """`_share`, but if the windows do not fit into memory, fewer are computed at once from now on."""
        while True:
            try:
                return self._share(x, target, head, kept)
            except RuntimeError as error:
                if not should_reduce_batch_size(error):
                    raise
            if self.at_once == 1:
                raise TaskVecError(f"Not even one window at a time can be trained in the memory of {self.device}.")
            self.at_once = -(-self.at_once // 2)
            clear_device_cache(garbage_collection=True)
            tqdm.write(f"memory is short: {self.at_once} windows at once from now on")

    def _share(self, x: torch.Tensor, target: torch.Tensor, head: ZeroShotHead, kept: Kept | None) -> float:
        """Set the gradients to this process's share in those of the batch's mean loss; returns its share of the loss.

        Process r of n takes the pieces r, r + n, …; if a batch has fewer windows than there are processes, some take
        none. The pieces do not depend on the number of processes unless there are more processes than pieces, so
        neither do the gradients: to the last bit if no process has two pieces to add up. Rehearsed windows are in the
        piece of the windows that they go with.
        """
        for parameter in self.parameters.values():
            parameter.grad = torch.zeros_like(parameter)
        first, every, total = self.processes.process_index, self.processes.num_processes, 0.0
        pieces = torch.arange(len(x)).tensor_split(self.pieces)
        for part in (p for i in range(first, self.pieces, every) for p in pieces[i].split(self.at_once) if len(p)):
            brought = part[part % EVERY == 0] // EVERY
            windows = x[part] if kept is None else torch.cat([x[part], kept.x[brought]])
            with (
                drawing(self.seed, "dropout", self.epoch, self.step, int(part[0]), device=self.device),
                torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"),
            ):
                embedded = self.tower(windows.unsqueeze(1).to(self.device))
            embedded = embedded.float().cpu()  # heads are small: they stay where they are
            logits = head.logits(embedded[: len(part)], self.logit_scale)
            loss = cross_entropy(logits, target[part], label_smoothing=LABEL_SMOOTHING, reduction="sum") / len(x)
            if kept is not None:
                turned = 1 - cosine_similarity(embedded[len(part) :], kept.embedded[brought])
                loss = loss + self.rehearsal * turned.sum() / len(kept.x)
            loss.backward()
            total += float(loss.detach())
        return total

    def _summed(self, loss: float) -> float:
        """Sum the gradients over the processes, and the loss."""
        if self.processes.num_processes == 1:
            return loss
        parameters = list(self.parameters.values())
        own = [p.grad.flatten() for p in parameters if p.grad is not None]
        flat = reduce(torch.cat([*own, torch.tensor([loss], device=self.device)]), "sum")
        *gradients, total = flat.split([*(p.numel() for p in parameters), 1])
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient.view_as(parameter)
        return float(total)

    def state(self) -> dict[str, Any]:
        """Everything that changes, as tensors and plain values."""
        return {
            "epoch": self.epoch,
            "step": self.step,
            "parameters": {name: p.detach() for name, p in self.parameters.items()},
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "taken": self.taken,
            "best": {"score": self.best.score, "epoch": self.best.epoch, "weights": self.best.weights.buffer},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` gave, on whatever device it was."""
        self.epoch, self.step, self.taken = state["epoch"], state["step"], state["taken"]
        with torch.no_grad():
            for ours, theirs in ((self.parameters, state["parameters"]), (self.average, state["average"])):
                for name, tensor in ours.items():
                    tensor.copy_(theirs[name])
        self.optimizer.load_state_dict(state["optimizer"])
        best = state["best"]
        self.best = Best(best["score"], best["epoch"], Weights(self.pretrained.layout, best["weights"]))
