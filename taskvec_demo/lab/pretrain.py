"""Contrastive pretraining of tiny-CLAP's audio tower against the fixed text space of `teacher.py`.

Locked-text tuning (LiT, arXiv:2111.07991): the text side is a frozen sentence encoder's space, so that wordings the
audio side never saw keep their place in it. The loss is a softmax over all caption groups; each step draws one wording
and one template a group. Training is bounded by wall time, saves its state every two minutes and resumes from it.
"""

from __future__ import annotations

import copy
import math
import os
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from tqdm import tqdm

from ..clap import AudioTower, new_model
from ..weights import write_safetensors
from . import tiny
from .augment import augment, mixup
from .captions import ESC10, INSTRUMENTS, TEMPLATES, URBAN, WORDINGS, pretraining_caption
from .datasets import ClipRow, MelStore
from .teacher import Teacher, text_space

BATCH, PEAK_RATE, WEIGHT_DECAY, EMA_DECAY = 64, 1e-3, 0.05, 0.998
SAVE_SECONDS, CHECK_SECONDS = 120, 420
SECOND_CYCLE = 48 / 62  # of the budget: there the rate restarts at half its peak (SGDR, arXiv:1608.03983) …
CONTROL_SHARE = 4.0  # … and clips of the control, which the model must know well, are drawn this much more often


class CaptionBank:
    """Embeddings of every wording under every template, (n_wordings, dim) for each caption group."""

    def __init__(self, work: Path) -> None:
        teacher, space = Teacher(), text_space(work)
        self.names = sorted(WORDINGS)
        self.wordings = [
            torch.from_numpy(
                space.project(teacher.embed([t.format(w) for w in WORDINGS[name] for t in TEMPLATES]))
            ).float()
            for name in self.names
        ]

    def draw(self) -> torch.Tensor:
        """One random wording a group: (n_groups, dim)."""
        return torch.stack([w[int(torch.randint(len(w), ()))] for w in self.wordings])


def learning_rate(progress: float) -> float:
    """Two cycles of warm-up over 8 % and a cosine to zero; the second peaks at half the first's rate."""
    first = progress < SECOND_CYCLE
    done = progress / SECOND_CYCLE if first else (progress - SECOND_CYCLE) / (1 - SECOND_CYCLE)
    peak = PEAK_RATE if first else PEAK_RATE / 2
    if done < 0.08:
        return peak * max(done / 0.08, 0.01)
    return peak * 0.5 * (1 + math.cos(math.pi * min((done - 0.08) / 0.92, 1.0)))


class _Run:
    """The mutable state of a training run, saved and restored as one file."""

    def __init__(self, seed: int) -> None:
        torch.manual_seed(seed)
        self.tower = AudioTower(new_model(tiny.AUDIO, tiny.NO_TEXT, tiny.DIM))
        self.scale = torch.nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        self.average = copy.deepcopy(self.tower).eval().requires_grad_(False)
        self.optimizer = torch.optim.AdamW([*self.tower.parameters(), self.scale], PEAK_RATE, weight_decay=WEIGHT_DECAY)
        self.step, self.seconds = 0, 0.0

    def save(self, path: Path) -> None:
        state = {
            "tower": self.tower.state_dict(),
            "average": self.average.state_dict(),
            "scale": self.scale.detach(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
        }
        temporary = path.with_suffix(".partial")
        torch.save(state, temporary)
        os.replace(temporary, path)

    def restore(self, path: Path) -> None:
        state = torch.load(path, weights_only=True)
        self.tower.load_state_dict(state["tower"])
        self.average.load_state_dict(state["average"])
        self.scale.data.copy_(state["scale"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = state["step"], state["seconds"]
        torch.manual_seed(self.step)

    def update(self, x: torch.Tensor, target: torch.Tensor, text: torch.Tensor) -> float:
        with torch.autocast("cpu", torch.bfloat16):
            embedding = self.tower(x.unsqueeze(1))
        logits = embedding.float() @ text.T * self.scale.exp().clamp(max=100)
        loss = -(target * logits.log_softmax(-1)).sum(-1).mean()
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.tower.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        with torch.no_grad():
            decay = min(EMA_DECAY, self.step / (self.step + 20))
            for a, b in zip(self.average.parameters(), self.tower.parameters(), strict=True):
                a.lerp_(b, 1 - decay)
            for kept, now in zip(self.average.buffers(), self.tower.buffers(), strict=True):
                kept.copy_(now)
        return float(loss.detach())


class _Batches:
    """Random windows, rare caption groups drawn more often (weight 1 / sqrt of the group's size)."""

    def __init__(self, store: MelStore, rows: list[ClipRow], names: list[str]) -> None:
        index = {name: i for i, name in enumerate(names)}
        self.store, self.rows = store, rows
        self.groups = torch.tensor(
            [index[pretraining_caption(r.dataset, r.label, r.file, r.group, r.gender)] for r in rows]
        )
        self.n_groups = len(names)
        self.weights = torch.bincount(self.groups, minlength=len(names)).clamp_min(1).float().rsqrt()[self.groups]
        self.control = torch.tensor([r.dataset == "esc10" for r in rows])

    def draw(self, progress: float) -> tuple[torch.Tensor, torch.Tensor]:
        boost = 1.0 if progress < SECOND_CYCLE else CONTROL_SHARE
        chosen = torch.multinomial(torch.where(self.control, boost, 1.0) * self.weights, BATCH)
        windows = [self.rows[i].first_window + int(torch.randint(self.rows[i].n_windows, ())) for i in chosen.tolist()]
        x = augment(torch.from_numpy(np.asarray(self.store.mel[sorted(windows)], dtype=np.float32)))
        order = np.argsort(windows, kind="stable")
        target = F.one_hot(self.groups[chosen[torch.from_numpy(order)]], self.n_groups).float()
        return mixup(x, target) if torch.rand(()) < 0.5 else (x, target)


def pretrain(work: Path, data: Path, minutes: float = 62, seed: int = 0) -> Path:
    """Train for `minutes` of wall time in all, resuming if `work` holds a run. Returns the tower's safetensors file."""
    store, bank = MelStore.open(work, data, tiny.FEATURES), CaptionBank(work)
    batches = _Batches(store, store.select(split="train"), bank.names)
    run, state_file = _Run(seed), work / "pretrain.pt"
    if state_file.is_file():
        run.restore(state_file)
        tqdm.write(f"resumed at step {run.step}, {run.seconds / 60:.1f} of {minutes} minutes done")
    total, last = minutes * 60, time.monotonic()
    saved = checked = run.seconds
    bar = tqdm(total=round(total), initial=round(run.seconds), desc="pretraining", unit="s")

    while run.seconds < total:
        run.tower.train()
        for group in run.optimizer.param_groups:
            group["lr"] = learning_rate(run.seconds / total)
        loss = run.update(*batches.draw(run.seconds / total), bank.draw())
        now = time.monotonic()
        run.seconds, last = run.seconds + now - last, now
        bar.update(round(run.seconds) - bar.n)
        bar.set_postfix(step=run.step, loss=f"{loss:.2f}", scale=f"{float(run.scale.detach().exp()):.0f}")
        if run.seconds - saved > SAVE_SECONDS:
            run.save(state_file)
            saved = run.seconds
        if run.seconds - checked > CHECK_SECONDS:
            tqdm.write(f"step {run.step}: " + _validation(run.average, store, bank))
            checked, last = run.seconds, time.monotonic()
    run.save(state_file)
    bar.close()
    tqdm.write(f"step {run.step}: " + _validation(run.average, store, bank))
    return _export(run, work)


def _export(run: _Run, work: Path) -> Path:
    out = work / "audio.safetensors"
    tensors = {name: t.detach().contiguous() for name, t in run.average.state_dict().items()}
    scale = run.scale.detach().clamp(max=math.log(100)).reshape(())
    write_safetensors(out, tensors | {"logit_scale_a": scale}, {"format": "pt"})
    return out


@torch.inference_mode()
def _validation(tower: AudioTower, store: MelStore, bank: CaptionBank) -> str:
    """Zero-shot accuracy on validation clips against the caption groups of their own set, for the log."""

    parts = []
    for dataset, classes in (("esc10", ESC10), ("urban", URBAN), ("philharmonia", INSTRUMENTS)):
        rows = store.select(dataset=dataset, split="validation")
        x = torch.from_numpy(np.stack([store.mel[r.first_window] for r in rows]).astype(np.float32)).unsqueeze(1)
        embedded = torch.cat([tower(b) for b in x.split(64)])
        names = [*classes]
        text = torch.stack([F.normalize(bank.wordings[bank.names.index(classes[n])].mean(0), dim=0) for n in names])
        right = (embedded @ text.T).argmax(1) == torch.tensor([names.index(r.label) for r in rows])
        parts.append(f"{dataset} {right.float().mean():.3f} (n={len(rows)})")
    return ", ".join(parts)
