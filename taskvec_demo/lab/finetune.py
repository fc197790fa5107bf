"""Fine-tuning the audio tower on one task against its frozen zero-shot head; the difference is the task vector.

As Ballanti and Ilharco et al. (arXiv:2212.04089) do: the text side stays frozen, so that the fine-tuned model is still
a zero-shot classifier. Cross-entropy on logits; BatchNorm in eval mode (its statistics are not weights); the epoch with
the best validation accuracy is kept.
"""

from __future__ import annotations

from pathlib import Path

import torch
from tqdm import tqdm

from ..clap import AudioTower, Checkpoint
from ..evaluation import Accuracy
from ..task_vector import TaskVector
from ..weights import Weights
from ..zero_shot import ZeroShotHead
from .augment import augment
from .captions import TEMPLATES
from .datasets import MelStore
from .measure import embed_rows, window_batch
from .vectors import FineTuning, training_set

BATCH, WEIGHT_DECAY, LABEL_SMOOTHING = 64, 1e-2, 0.05


def finetune(checkpoint: Checkpoint, store: MelStore, spec: FineTuning, out: Path, seed: int = 0) -> TaskVector:
    """Train one vector and write it to `out` (float16 safetensors). Deterministic given the seed and the machine."""
    torch.manual_seed(seed)
    rows, labels, prompts = training_set(store, spec, "train")
    held_rows, held_labels, _ = training_set(store, spec, "validation")
    head = ZeroShotHead.from_prompts(checkpoint.embed_text, prompts, prompts, TEMPLATES)
    target = torch.tensor(labels)
    tower = checkpoint.trainable_tower()
    optimizer = torch.optim.AdamW(tower.parameters(), spec.peak_rate, weight_decay=WEIGHT_DECAY)
    steps = spec.epochs * -(-len(rows) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, spec.peak_rate, total_steps=steps, pct_start=0.1)
    held = _validation(checkpoint, store, held_rows, held_labels, head)
    best, best_weights, best_epoch = held(checkpoint.pretrained), checkpoint.pretrained, 0
    first = best.accuracy
    bar = tqdm(total=steps, desc=f"fine-tuning {spec.vector}", unit="step")
    for epoch in range(1, spec.epochs + 1):
        _training_mode(tower)
        for batch in torch.randperm(len(rows)).split(BATCH):
            windows = [rows[i].first_window + int(torch.randint(rows[i].n_windows, ())) for i in batch.tolist()]
            x = augment(window_batch(store, windows).squeeze(1)).unsqueeze(1)
            with torch.autocast("cpu", torch.bfloat16):
                embedded = tower(x)
            loss = torch.nn.functional.cross_entropy(
                head.logits(embedded.float(), checkpoint.logit_scale), target[batch], label_smoothing=LABEL_SMOOTHING
            )
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(tower.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            bar.update()
        weights = tower.weights()
        now = held(weights)
        bar.set_postfix(epoch=epoch, validation=f"{now.accuracy:.3f}", n=now.n)
        if now.accuracy >= best.accuracy:
            best, best_weights, best_epoch = now, weights, epoch
    bar.close()
    training = {
        "epochs": spec.epochs,
        "kept_epoch": best_epoch,
        "steps": steps,
        "peak_rate": spec.peak_rate,
        "batch": BATCH,
        "clips": len(rows),
        "classes": prompts,
        "seed": seed,
    }
    metrics = {"validation": {"pretrained": round(first, 4), "finetuned": best.to_dict(), "n": best.n}}
    vector = TaskVector.between(checkpoint.pretrained, best_weights, spec.vector, spec.task)
    TaskVector(
        vector.name,
        vector.layout,
        vector.buffer,
        vector.pretrained_sha256,
        vector.task,
        {"training": training, "metrics": metrics},
    ).save(out)
    return TaskVector.load(out)


def _training_mode(tower: AudioTower) -> None:
    tower.train()
    for module in tower.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.eval()


def _validation(checkpoint: Checkpoint, store: MelStore, rows: list, labels: list[int], head: ZeroShotHead):
    truth = torch.tensor(labels)

    def accuracy(weights: Weights) -> Accuracy:
        predicted = head.logits(embed_rows(checkpoint, store, rows, weights), 1.0).argmax(-1)
        return Accuracy.of((predicted == truth).numpy())

    return accuracy
