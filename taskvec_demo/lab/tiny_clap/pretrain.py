"""Contrastive pretraining of tiny-CLAP's audio tower against the fixed text space of `teacher.py`.

Locked-text tuning (LiT, arXiv:2111.07991): the text side is a frozen sentence encoder's space, so that wordings the
audio side never saw keep their place in it. The loss is a softmax over all caption groups, one wording and one template
a group drawn each step, plus one over the 521 AudioSet class names with a public tagger's scores as soft targets. A run
is a number of steps, saves its state every two minutes and resumes from it; it may start from an earlier checkpoint
(warm restart, SGDR, arXiv:1608.03983).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from tqdm import tqdm

from ...clap.model import AudioTower, has_bfloat16, new_model
from ...core.weights import write_safetensors
from ...errors import TaskVecError
from ..data.augment import augment, mixup
from ..data.datasets import ClipRow, MelStore
from ..finetuning.schedule import learning_rate, set_rate
from ..finetuning.training_state import StateFile, fingerprint, shapes
from . import architecture as tiny
from .captions import ESC10, INSTRUMENTS, TEMPLATES, URBAN, WORDINGS, pretraining_caption
from .teacher import Teacher
from .text_space import text_space

BATCH, PEAK_RATE, WEIGHT_DECAY, EMA_DECAY, WARM_UP = 64, 1e-3, 0.05, 0.998, 0.04
RESTART_RATE = 6e-4  # peak of a run that starts from an earlier checkpoint
CHECK_STEPS = 400  # between two looks at the validation clips
CONTROL_SHARE = 3.0  # clips of the control, which the model must know well, are drawn this much more often
TAGGER_WEIGHT, TAGGER_FLOOR, TAGGER_HEARD = 0.5, 0.03, 0.1  # of the tagger's loss; scores below the floor are noise


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


class Tagger:
    """Soft targets: a public AudioSet tagger's mean scores of every clip, and its class names' place in the space."""

    def __init__(self, work: Path, data: Path) -> None:
        path = data / "audioset_scores.npz"
        if not path.is_file():
            raise TaskVecError(f"{path} is missing: --data takes a folder that holds the tagger's scores of its clips.")
        with np.load(path, allow_pickle=False) as stored:
            names = [str(name).lower() for name in stored["names"]]
            scores = {str(f): s for f, s in zip(stored["files"], stored["mean"].astype(np.float32), strict=True)}
        self.scores = {file: torch.from_numpy(np.where(s < TAGGER_FLOOR, 0, s)) for file, s in scores.items()}
        rows = text_space(work).project(Teacher().embed([t.format(n) for n in names for t in TEMPLATES]))
        self.text = F.normalize(torch.from_numpy(rows).float().reshape(len(names), len(TEMPLATES), -1).mean(1), dim=-1)

    def target(self, row: ClipRow) -> torch.Tensor:
        """The scores of a clip as a distribution (n_names,), or zeros where the tagger heard nothing."""
        scores = self.scores[f"{row.dataset}/{row.file}"]
        return scores / scores.sum() if scores.max() > TAGGER_HEARD else torch.zeros_like(scores)


class _Run:
    """The mutable state of a training run, saved and restored as one file."""

    def __init__(self, seed: int, start: Path | None) -> None:
        torch.manual_seed(seed)
        self.tower = AudioTower(new_model(tiny.AUDIO, tiny.NO_TEXT, tiny.DIM))
        self.scale = torch.nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        if start is not None:
            self.tower.load_state_dict(tiny.tower_state(start, "audio_"), strict=False)
        self.average = copy.deepcopy(self.tower).eval().requires_grad_(False)
        self.optimizer = torch.optim.AdamW([*self.tower.parameters(), self.scale], PEAK_RATE, weight_decay=WEIGHT_DECAY)
        self.step = 0

    def state(self) -> dict[str, Any]:
        """Everything that changes, as tensors and plain values."""
        return {
            "tower": self.tower.state_dict(),
            "average": self.average.state_dict(),
            "scale": self.scale.detach(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` gave."""
        self.tower.load_state_dict(state["tower"])
        self.average.load_state_dict(state["average"])
        self.scale.data.copy_(state["scale"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]
        torch.manual_seed(self.step)

    def update(self, x: torch.Tensor, targets: tuple[torch.Tensor, ...], texts: tuple[torch.Tensor, ...]) -> float:
        """One step; `targets` (batch, n) and `texts` (n, dim) of the caption groups and of the tagger's names."""
        with torch.autocast("cpu", torch.bfloat16, enabled=has_bfloat16()):
            embedding = self.tower(x.unsqueeze(1)).float()
        scale = self.scale.exp().clamp(max=100)
        captions, tags = (
            -(target * (embedding @ text.T * scale).log_softmax(-1)).sum(-1).mean()
            for target, text in zip(targets, texts, strict=True)
        )
        self.optimizer.zero_grad()
        (captions + TAGGER_WEIGHT * tags).backward()
        torch.nn.utils.clip_grad_norm_(self.tower.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        with torch.no_grad():
            decay = min(EMA_DECAY, self.step / (self.step + 20))
            for a, b in zip(self.average.parameters(), self.tower.parameters(), strict=True):
                a.lerp_(b, 1 - decay)
            for kept, now in zip(self.average.buffers(), self.tower.buffers(), strict=True):
                kept.copy_(now)
        return float(captions.detach())


def draw_weights(rows: Sequence[ClipRow], groups: torch.Tensor) -> torch.Tensor:
    """How often each clip is drawn, unnormalized (n,): 1 / sqrt of its caption group's size, more for the control."""
    rarity = torch.bincount(groups).clamp_min(1).float().rsqrt()[groups]
    return rarity * torch.tensor([CONTROL_SHARE if r.dataset == "esc10" else 1.0 for r in rows])


class _Batches:
    """Random augmented windows with their targets."""

    def __init__(self, store: MelStore, rows: list[ClipRow], names: list[str], tagger: Tagger) -> None:
        index = {name: i for i, name in enumerate(names)}
        self.store, self.rows = store, rows
        self.groups = torch.tensor(
            [index[pretraining_caption(r.dataset, r.label, r.file, r.group, r.gender)] for r in rows]
        )
        self.n_groups = len(names)
        self.tags = torch.stack([tagger.target(row) for row in rows])
        self.weights = draw_weights(rows, self.groups)

    def draw(self) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        """Augmented windows (batch, frames, mels) and their two targets (batch, n)."""
        chosen = torch.multinomial(self.weights, BATCH)
        windows = torch.tensor(
            [self.rows[i].first_window + int(torch.randint(self.rows[i].n_windows, ())) for i in chosen.tolist()]
        )
        order = windows.argsort()  # the cache is read front to back
        chosen, windows = chosen[order], windows[order]
        x = augment(torch.from_numpy(np.asarray(self.store.mel[windows.numpy()], dtype=np.float32)))
        targets = torch.cat([F.one_hot(self.groups[chosen], self.n_groups).float(), self.tags[chosen]], 1)
        if torch.rand(()) < 0.5:
            x, targets = mixup(x, targets)
        captions, tags = targets.split([self.n_groups, self.tags.shape[1]], 1)
        return x, (captions, tags)


def pretrain(work: Path, data: Path, steps: int = 4000, seed: int = 0, start: Path | None = None) -> Path:
    """Train for `steps` in all, resuming if `work` holds a run. Returns the tower's safetensors file.

    `start`: model folder of a checkpoint whose audio tower a new run begins from.
    """
    store, bank, tagger = MelStore.open(work, data, tiny.FEATURES), CaptionBank(work), Tagger(work, data)
    batches = _Batches(store, store.select(split="train"), bank.names, tagger)
    run = _Run(seed, start)
    file = StateFile(work / "pretrain.pt", fingerprint([f"seed {seed}", *shapes(run.tower)]))
    if saved := file.read():
        run.restore(saved)
        tqdm.write(f"resumed at step {run.step} of {steps}")
    peak = PEAK_RATE if start is None else RESTART_RATE
    with tqdm(total=steps, initial=run.step, desc="pretraining", unit="step") as bar:
        while run.step < steps:
            run.tower.train()
            set_rate(run.optimizer, learning_rate(run.step / steps, peak, WARM_UP))
            x, targets = batches.draw()
            loss = run.update(x, targets, (bank.draw(), tagger.text))
            bar.update()
            bar.set_postfix(loss=f"{loss:.2f}", scale=f"{float(run.scale.detach().exp()):.0f}", refresh=False)
            file.write_when_due(run.state)
            if run.step % CHECK_STEPS == 0:
                tqdm.write(f"step {run.step}: " + _validation(run.average, store, bank))
    file.write(run.state())
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
