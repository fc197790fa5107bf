"""Fine-tuning the audio tower on one task against its frozen zero-shot head; the difference is the task vector.

As Ballanti and Ilharco et al. (arXiv:2212.04089) do: the text side stays frozen, so that the fine-tuned model is still
a zero-shot classifier. Cross-entropy on logits; BatchNorm in eval mode (its statistics are not weights); mixup; early
stopping on validation of an exponential average of the weights.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from ..clap import AudioTower, Checkpoint
from ..evaluation import Accuracy
from ..task_vector import TaskVector
from ..weights import Weights
from ..zero_shot import ZeroShotHead
from .augment import augment, mixup
from .captions import TEMPLATES
from .datasets import MelStore
from .measure import embed_rows, window_batch
from .vectors import FineTuning, training_set

BATCH, WEIGHT_DECAY, LABEL_SMOOTHING, EMA_DECAY = 64, 1e-2, 0.05, 0.9


@dataclass(frozen=True)
class Labelled:
    """Training windows of one task: where each clip's lie in the cache, its class, and the head that scores it."""

    windows: list[range]
    target: torch.Tensor
    head: ZeroShotHead

    def batch(self, chosen: torch.Tensor, store: MelStore) -> tuple[torch.Tensor, torch.Tensor]:
        """A random augmented window of each chosen clip (batch, frames, mels), targets (batch, n_classes)."""
        windows = [self.windows[i][int(torch.randint(len(self.windows[i]), ()))] for i in chosen.tolist()]
        x = augment(window_batch(store, windows).squeeze(1))
        target = torch.nn.functional.one_hot(self.target[chosen], len(self.head.labels)).float()
        return mixup(x, target) if torch.rand(()) < 0.5 else (x, target)


def labelled_set(checkpoint: Checkpoint, store: MelStore, spec: FineTuning, split: str) -> tuple[list, Labelled]:
    """Rows of a fine-tuning in a split, and the same as training windows with their head."""
    rows, labels, prompts = training_set(store, spec, split)
    head = ZeroShotHead.from_prompts(checkpoint.embed_text, prompts, prompts, TEMPLATES)
    windows = [range(r.first_window, r.first_window + r.n_windows) for r in rows]
    return rows, Labelled(windows, torch.tensor(labels), head)


def train(
    checkpoint: Checkpoint,
    store: MelStore,
    sets: list[Labelled],
    spec: FineTuning,
    *,
    name: str,
    score: Callable[[Weights], float],
    seed: int = 0,
) -> tuple[Weights, int]:
    """Train a copy of the audio tower on the given sets in turn; returns the weights that score best and their epoch.

    The weights are an exponential average over the steps.
    `score` is asked once an epoch; of equals the latest is kept.
    """
    torch.manual_seed(seed)
    tower = checkpoint.trainable_tower()
    average = copy.deepcopy(tower).requires_grad_(False)
    optimizer = torch.optim.AdamW(tower.parameters(), spec.peak_rate, weight_decay=WEIGHT_DECAY)
    steps = spec.epochs * sum(-(-len(s.windows) // BATCH) for s in sets)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, spec.peak_rate, total_steps=steps, pct_start=0.1)
    best, best_weights, best_epoch = -1.0, checkpoint.pretrained, 0
    with tqdm(total=steps, desc=f"fine-tuning {name}", unit="step") as bar:
        for epoch in range(1, spec.epochs + 1):
            training_mode(tower)
            batches = [(s, chosen) for s in sets for chosen in torch.randperm(len(s.windows)).split(BATCH)]
            for i in torch.randperm(len(batches)).tolist():
                labelled, chosen = batches[i]
                x, target = labelled.batch(chosen, store)
                with torch.autocast("cpu", torch.bfloat16):
                    embedded = tower(x.unsqueeze(1))
                logits = labelled.head.logits(embedded.float(), checkpoint.logit_scale)
                loss = cross_entropy(logits, target, label_smoothing=LABEL_SMOOTHING)
                optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(tower.parameters(), 1.0)
                optimizer.step()
                schedule.step()
                with torch.no_grad():
                    for a, b in zip(average.parameters(), tower.parameters(), strict=True):
                        a.lerp_(b, 1 - EMA_DECAY)
                bar.update()
                bar.set_postfix(loss=f"{float(loss.detach()):.2f}", refresh=False)
            weights = average.weights()
            now = score(weights)
            bar.write(f"{name}: epoch {epoch}, validation {now:.3f}")
            if now >= best:
                best, best_weights, best_epoch = now, weights, epoch
    return best_weights, best_epoch


def finetune(checkpoint: Checkpoint, store: MelStore, spec: FineTuning, out: Path, seed: int = 0) -> TaskVector:
    """Train one vector and write it to `out` (float16 safetensors). Deterministic given the seed and the machine."""
    rows, labelled = labelled_set(checkpoint, store, spec, "train")
    held_rows, held = labelled_set(checkpoint, store, spec, "validation")

    def hits(weights: Weights) -> torch.Tensor:
        predicted = held.head.logits(embed_rows(checkpoint, store, held_rows, weights), 1.0).argmax(-1)
        return predicted == held.target

    def score(weights: Weights) -> float:
        """Accuracy; a class of the analogy has too few validation clips to stop by: all epochs are alike."""
        return 0.0 if spec.only_class else float(hits(weights).float().mean())

    weights, epoch = train(
        checkpoint,
        store,
        [labelled],
        spec,
        name=spec.vector,
        score=score,
        seed=seed,
    )
    first, best = (Accuracy.of(hits(w).numpy()) for w in (checkpoint.pretrained, weights))
    training = {
        "epochs": spec.epochs,
        "kept_epoch": epoch,
        "peak_rate": spec.peak_rate,
        "batch": BATCH,
        "clips": len(rows),
        "classes": list(labelled.head.labels),
        "seed": seed,
    }
    metrics = {"validation": {"pretrained": round(first.accuracy, 4), "finetuned": best.to_dict(), "n": best.n}}
    vector = TaskVector.between(checkpoint.pretrained, weights, spec.vector, spec.task)
    TaskVector(
        vector.name,
        vector.layout,
        vector.buffer,
        vector.pretrained_sha256,
        vector.task,
        {"training": training, "metrics": metrics},
    ).save(out)
    return TaskVector.load(out)


def training_mode(tower: AudioTower) -> None:
    """Everything trains but the BatchNorm statistics."""
    tower.train()
    for module in tower.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.eval()
