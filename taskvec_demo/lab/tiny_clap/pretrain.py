"""Pretraining of tiny-CLAP's audio tower: captions in the fixed text space, a tagger's scores and audio teachers.

Locked-text tuning (LiT, arXiv:2111.07991): the text side is frozen, so that wordings the audio side never saw keep
their place in it. The loss is a softmax over the names of all caption groups, one over the 521 AudioSet class names
with a public tagger's scores as soft targets, and what the heads of `audio_teachers` miss. A run is a number of steps,
saves its state every two minutes and resumes from it; it may start from an earlier checkpoint. The rate stays at its
peak until the last tenth, so a run can be given more steps, or be ended by fewer, at any time (arXiv:2404.06395). At
its end the projection is fitted anew (`projection`).

Processes that `accelerate launch` starts draw their own share of each batch and take the same steps.
"""

from __future__ import annotations

import copy
import math
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from accelerate.utils import reduce
from tqdm import tqdm

from ...clap.model import AudioTower, Checkpoint, has_bfloat16, new_model
from ...core.weights import write_safetensors
from ...errors import TaskVecError
from ..data.datasets import ClipRow, MelStore, read_rows
from ..finetuning.schedule import learning_rate, set_rate
from ..finetuning.training_run import processes
from ..finetuning.training_state import StateFile, fingerprint, shapes
from . import architecture as tiny
from .assembly import take_text_tower
from .audio_teachers import FIRST, Heads, read_outputs
from .batches import BATCH, Batch, Batches, caption_groups, draw_weights
from .captions import NAMES, TEMPLATES, WORDINGS, class_of
from .projection import fit_projection
from .teacher import Teacher, cached_embeddings
from .text_space import text_space

PEAK_RATE, WEIGHT_DECAY, EMA_DECAY, WARM_UP, FALL = 4e-4, 0.05, 0.9995, 0.01, 0.1
CHECK_STEPS, CHECKED = 500, 200  # between two looks at validation clips, and clips of a set that are looked at
DROPOUT = 0.2  # of the pooled features that are projected
CAPTION_WEIGHT, TAGGER_WEIGHT = 1.0, 0.25  # beside the teachers' own
TAGGER_FLOOR, TAGGER_HEARD = 0.03, 0.1  # scores below the floor are noise
UNLABELLED = ("music_x", "fx_x", "speech_x", "mix_x")
EXPORTED = "audio.safetensors"  # the averaged tower, in the work folder


def _places(work: Path, phrases: Sequence[str], start: Path | None) -> torch.Tensor:
    """Where phrases lie in the joint space, unit rows (n, dim).

    The text tower of the model folder `start` says it, which then stays valid, else the text teacher, whose answers are
    kept in `work`.
    """
    if start is not None:
        return Checkpoint.from_folder(start, "start", "float32").embed_text(phrases).clone()
    teacher = Teacher()
    space = text_space(work, teacher=teacher)
    return torch.from_numpy(space.project(cached_embeddings(teacher, phrases, work / "teacher"))).float()


class CaptionBank:
    """The caption groups, and where their names lie as in zero-shot heads: `called` (n_groups, dim), unit rows."""

    def __init__(self, work: Path, start: Path | None = None) -> None:
        self.names = sorted(WORDINGS)
        rows = _places(work, [t.format(name) for name in self.names for t in TEMPLATES], start)
        self.called = F.normalize(rows.reshape(len(self.names), len(TEMPLATES), -1).mean(1), dim=-1)


class Tagger:
    """Soft targets: what YAMNet, a public AudioSet tagger, hears in every clip, and its class names in the space."""

    def __init__(self, work: Path, folders: Sequence[Path], start: Path | None = None) -> None:
        path = folders[0] / "audioset_scores.npz"
        if not path.is_file():
            raise TaskVecError(f"{path} is missing: --data takes a folder that holds the tagger's class names.")
        with np.load(path, allow_pickle=False) as stored:
            names = [str(name).lower() for name in stored["names"]]
        self._logits = read_outputs(folders, ("yamnet",), FIRST)
        rows = _places(work, [t.format(n) for n in names for t in TEMPLATES], start)
        self.text = F.normalize(rows.reshape(len(names), len(TEMPLATES), -1).mean(1), dim=-1)

    def target(self, row: ClipRow) -> torch.Tensor:
        """The scores of a clip as a distribution (n_names,), or zeros if the tagger heard nothing or not the clip."""
        logits = self._logits.get(f"{row.dataset}/{row.file}")
        if logits is None:
            return torch.zeros(len(self.text))
        scores = torch.from_numpy(logits).sigmoid()
        scores = torch.where(scores < TAGGER_FLOOR, 0.0, scores)
        return scores / scores.sum() if scores.max() > TAGGER_HEARD else torch.zeros_like(scores)


class _Run:
    """The mutable state of a training run."""

    def __init__(self, seed: int, start: Path | None, sizes: Sequence[int], frozen_stages: int = 0) -> None:
        torch.manual_seed(seed)
        self.tower = AudioTower(new_model(tiny.AUDIO, tiny.NO_TEXT, tiny.DIM))
        self.heads = Heads(self.tower.audio_projection.linear1.in_features, sizes)
        self.scale = torch.nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        if start is not None:
            self.tower.load_state_dict(tiny.tower_state(start, "audio_"), strict=False)
        tiny.freeze_stages(self.tower, frozen_stages)
        self.average = copy.deepcopy(self.tower).eval().requires_grad_(False)
        self.parameters = [*self.tower.parameters(), *self.heads.parameters(), self.scale]
        self.optimizer = torch.optim.AdamW(self.parameters, PEAK_RATE, weight_decay=WEIGHT_DECAY)
        self.step = 0

    def state(self) -> dict[str, Any]:
        """Everything that changes, as tensors and plain values."""
        return {
            "tower": self.tower.state_dict(),
            "heads": self.heads.state_dict(),
            "average": self.average.state_dict(),
            "scale": self.scale.detach(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` gave."""
        self.tower.load_state_dict(state["tower"])
        self.heads.load_state_dict(state["heads"])
        self.average.load_state_dict(state["average"])
        self.scale.data.copy_(state["scale"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]

    def update(self, batch: Batch, captions: torch.Tensor, tags: torch.Tensor) -> float:
        """One step; `captions` and `tags` (n, dim): the places of the caption groups and of the tagger's names."""
        with torch.autocast("cpu", torch.bfloat16, enabled=has_bfloat16()):
            pooled = self.tower.audio_model(input_features=batch.x.unsqueeze(1)).pooler_output
            embedding = F.normalize(self.tower.audio_projection(F.dropout(pooled, DROPOUT)).float(), dim=-1)
        scale = self.scale.exp().clamp(max=100)

        def missed(target: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
            """Cross-entropy, mean over the clips that have a target."""
            return -(target * (embedding @ text.T * scale).log_softmax(-1)).sum() / target.sum().clamp_min(1)

        said = missed(batch.captions, captions)
        loss = CAPTION_WEIGHT * said + TAGGER_WEIGHT * missed(batch.tags, tags)
        loss = loss + self.heads.loss(pooled.float(), batch.lessons, batch.counts)
        self.optimizer.zero_grad()
        loss.backward()
        _average_gradients(self.parameters)
        torch.nn.utils.clip_grad_norm_(self.tower.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        with torch.no_grad():
            decay = min(EMA_DECAY, self.step / (self.step + 10))
            for a, b in zip(self.average.parameters(), self.tower.parameters(), strict=True):
                a.lerp_(b, 1 - decay)
            for kept, now in zip(self.average.buffers(), self.tower.buffers(), strict=True):
                kept.copy_(now)
        return float(said.detach())


def pretraining_clips(work: Path, data: Path, unlabelled: Path | None = None) -> list[MelStore]:
    """The windows of the labelled sets, and of those without labels where their folder is given."""
    stores = [MelStore.open(work, data, tiny.FEATURES, read_rows(data))]
    if unlabelled is not None:
        stores.append(MelStore.open(work, unlabelled, tiny.FEATURES, read_rows(unlabelled, UNLABELLED)))
    return stores


def pretrain(
    work: Path,
    data: Path,
    steps: int = 100_000,
    seed: int = 0,
    start: Path | None = None,
    unlabelled: Path | None = None,
    frozen_stages: int = 0,
) -> Path:
    """Train for `steps` in all, resuming if `work` holds a run. Returns the tower's safetensors file.

    `start`: model folder of a checkpoint whose audio tower a new run begins from, and whose text tower it keeps; the
    result is the mean of that tower and the trained one. Raises TaskVecError if `work` holds a run from another.
    `unlabelled`: folder of the sets UNLABELLED with their teachers' outputs; a run may go on with it or without.
    `frozen_stages`: so many stages of the tower stay as they are, counted from the patches; a frozen first one saves a
    fifth of a step.
    """
    main = processes().is_main_process
    folders = [data] if unlabelled is None else [data, unlabelled]
    stores = pretraining_clips(work, data, unlabelled)
    bank, tagger = CaptionBank(work, start), Tagger(work, folders, start)
    batches = Batches(stores, bank.names, tagger, folders)
    run = _Run(seed, start, batches.sizes, frozen_stages)
    key = fingerprint([f"seed {seed}", *shapes(run.tower), *shapes(run.heads)])
    file = StateFile(work / "pretrain.pt", key, origin=tiny.origin(start, "audio_"), writes=main)
    if saved := file.read():
        run.restore(saved)
        tqdm.write(f"resumed at step {run.step} of {steps}")
    torch.manual_seed(zlib.crc32(f"{seed}/{run.step}/{processes().process_index}".encode()))
    share = BATCH // processes().num_processes
    with tqdm(total=steps, initial=run.step, desc="pretraining", unit="step", disable=not main) as bar:
        while run.step < steps:
            tiny.begin_training(run.tower, frozen_stages)
            set_rate(run.optimizer, learning_rate(run.step / steps, PEAK_RATE, WARM_UP, FALL))
            loss = run.update(batches.draw(share), bank.called, tagger.text)
            bar.update()
            bar.set_postfix(loss=f"{loss:.2f}", scale=f"{float(run.scale.detach().exp()):.0f}", refresh=False)
            file.write_when_due(run.state)
            if main and run.step % CHECK_STEPS == 0:
                tqdm.write(f"step {run.step}: " + _validation(run.average, stores[0], bank))
    file.write(run.state())
    if main:
        tqdm.write(f"step {run.step}: " + _validation(run.average, stores[0], bank))
        if start is not None:
            _move_back(run.average, start)
        scale = _fit_projection(run.average, stores[0], bank)
        tqdm.write("with its projection fitted: " + _validation(run.average, stores[0], bank))
        _export(run.average, scale, work / EXPORTED)
        if start is not None:
            take_text_tower(start, work)
    processes().wait_for_everyone()
    return work / EXPORTED


def _average_gradients(parameters: Sequence[torch.nn.Parameter]) -> None:
    """Give every process the mean of their gradients."""
    if processes().num_processes == 1:
        return
    found = [p.grad for p in parameters if p.grad is not None]
    mean = reduce(torch.cat([g.flatten() for g in found]), "mean").split([g.numel() for g in found])
    for gradient, flat in zip(found, mean, strict=True):
        gradient.copy_(flat.view_as(gradient))


@torch.no_grad()
def _move_back(tower: AudioTower, start: Path) -> None:
    """Make `tower` the mean of itself and the tower of `start` that it came from: what both know is kept, and the rest
    averages out (arXiv:2109.01903).
    """
    before = tiny.tower_state(start, "audio_")
    for name, tensor in tower.state_dict().items():
        if tensor.is_floating_point() and name in before:
            tensor.lerp_(before[name], 0.5)


def _fit_projection(tower: AudioTower, store: MelStore, bank: CaptionBank) -> float:
    rows = store.select(split="train")
    groups = caption_groups(rows, bank.names)
    return fit_projection(tower, store, rows, groups, draw_weights(rows, groups), bank.called)


def _export(tower: AudioTower, scale: float, out: Path) -> None:
    tensors = {name: t.detach().contiguous() for name, t in tower.state_dict().items()}
    write_safetensors(out, tensors | {"logit_scale_a": torch.tensor(math.log(scale))}, {"format": "pt"})


@torch.inference_mode()
def _validation(tower: AudioTower, store: MelStore, bank: CaptionBank) -> str:
    """Zero-shot accuracy on validation clips among the classes of their own set, for the log."""
    parts = []
    for dataset, classes in NAMES.items():
        rows = [r for r in store.select(dataset=dataset, split="validation") if class_of(r) in classes]
        if not rows:
            continue
        every = max(1, len(rows) // CHECKED)
        rows = rows[::every]
        x = torch.from_numpy(np.stack([store.mel[r.first_window] for r in rows]).astype(np.float32)).unsqueeze(1)
        embedded = torch.cat([tower(b) for b in x.split(64)])
        names = [*classes]
        text = bank.called[[bank.names.index(classes[n]) for n in names]]
        right = (embedded @ text.T).argmax(1) == torch.tensor([names.index(class_of(r)) for r in rows])
        parts.append(f"{dataset} {right.float().mean():.3f} (n={len(rows)})")
    return ", ".join(parts)
