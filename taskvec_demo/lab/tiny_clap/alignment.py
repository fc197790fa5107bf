"""Fitting the map from the text teacher to the joint space to an audio tower that is trained already.

The audio tower was trained towards the places that the teacher gives to captions. Here the tower stays as it is and the
map changes, so that all wordings of a sound come near to its recordings. (LiT, arXiv:2111.07991, likewise locks one
side and trains the other.) The tasks' own labels stay where they are: captions say little of what fine-tuning will have
to tell apart (instruments of one family, emotions), and a map that follows them alone brings such labels together. It
takes a minute, and no weight that task arithmetic edits changes. The text tower is then distilled towards the fitted
map.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from tqdm import tqdm

from ...clap.model import AudioTower, Checkpoint, has_bfloat16, new_model
from ...errors import TaskVecError
from ..data.augment import augment
from ..data.datasets import ClipRow, MelStore
from . import architecture as tiny
from .batches import TAGGED, caption_groups, draw_weights
from .captions import AUDIOSET, TEMPLATES, WORDINGS
from .pretrain import TAGGER_WEIGHT, Tagger, pretraining_clips
from .study import TASKS
from .teacher import WORDNET, Teacher
from .text_space import TextSpace, sample_embeddings, text_space

VIEWS = 2  # augmented windows of each training clip that the map is fitted to, beside the clip itself
STEPS, BATCH, RATE = 1500, 512, 1e-3
HELD = 100.0  # weight of 1 - cosine between a task's labels and where they were
KEPT, KEPT_AT_ONCE = 30.0, 512  # weight of the squared change in cosines between other phrases; phrases a step
FILE = "aligned.npz"


def text_map(work: Path, folder: Path = WORDNET, teacher: Teacher | None = None) -> TextSpace:
    """The space that the text tower is distilled towards: the fitted map if `work` holds one, else the space itself."""
    path = Path(work) / FILE
    return TextSpace.load(path) if path.is_file() else text_space(work, folder, teacher)


def align(work: Path, data: Path, start: Path | None = None, seed: int = 0) -> Path:
    """Fit the map to the audio tower of the model folder `start`, or to the one in `work`; returns its file.

    The labels of the tasks stay where the text tower of `start` has them, so that vectors that were fine-tuned against
    it stay valid.
    """
    torch.manual_seed(seed)
    (store,), teacher = pretraining_clips(work, data), Teacher()
    rows = store.select(split="train")
    audio = _embeddings(_tower(work, start), store, rows)
    space, others = text_space(work, teacher=teacher), sample_embeddings(teacher)
    tagger, names = Tagger(work, [data]), sorted(WORDINGS)
    captions, tags = (
        _Wordings(teacher, wordings) for wordings in ([WORDINGS[n] for n in names], list(AUDIOSET.values()))
    )
    groups = caption_groups(rows, names)
    tagged = torch.tensor([row.dataset in TAGGED for row in rows])
    heard = torch.stack([tagger.target(row) for row in rows]) * tagged[:, None]
    weights = draw_weights(rows, groups)

    mean, basis = torch.from_numpy(space.mean), torch.from_numpy(space.basis).clone().requires_grad_()
    scale = torch.tensor(math.log(1 / 0.07), requires_grad=True)
    kept, before = torch.from_numpy(others), torch.from_numpy(space.project(others))
    prompts = torch.from_numpy(teacher.embed(task_prompts()))
    places = torch.from_numpy(label_places(space, teacher, start))
    optimizer = torch.optim.Adam([basis, scale], RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)

    def place(embeddings: torch.Tensor) -> torch.Tensor:
        return F.normalize((embeddings - mean) @ basis.T, dim=-1)

    for _ in tqdm(range(STEPS), desc="fitting the text map", unit="step"):
        chosen = torch.multinomial(weights, min(BATCH, len(rows)))
        x = audio[torch.randint(len(audio), (len(chosen),)), chosen] * scale.exp()
        some = torch.randint(len(kept), (KEPT_AT_ONCE,))
        now = place(kept[some])
        change = (now @ now.T - before[some] @ before[some].T).square().mean()
        tagged = -(heard[chosen] * (x @ place(tags.draw()).T).log_softmax(-1)).sum(-1).mean()
        loss = F.cross_entropy(x @ place(captions.draw()).T, groups[chosen]) + TAGGER_WEIGHT * tagged + KEPT * change
        loss = loss + HELD * (1 - (place(prompts) * places).sum(-1)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    TextSpace(space.mean, basis.detach().numpy()).save(work / FILE)
    return work / FILE


def task_prompts() -> list[str]:
    """The labels of all tasks in all templates."""
    labels = dict.fromkeys(prompt for task in TASKS.values() for prompt in task.prompts)
    return [t.format(label) for label in labels for t in TEMPLATES]


def label_places(space: TextSpace, teacher: Teacher, start: Path | None) -> np.ndarray:
    """The places at which `task_prompts` are held, unit rows (n, dim): those of the text tower of `start`, else those
    of the space.
    """
    if start is None:
        return space.project(teacher.embed(task_prompts()))
    return Checkpoint.from_folder(start, "start", "float32").embed_text(task_prompts()).numpy()


class _Wordings:
    """The teacher's rows of all wordings of some sounds in all templates, of which each use draws one a sound."""

    def __init__(self, teacher: Teacher, wordings: list[list[str]]) -> None:
        phrases = [[t.format(w.lower()) for w in found for t in TEMPLATES] for found in wordings]
        self.rows = torch.from_numpy(teacher.embed([p for found in phrases for p in found]))
        self.count = torch.tensor([len(found) for found in phrases])
        self.first = self.count.cumsum(0) - self.count

    def draw(self) -> torch.Tensor:
        """(n_sounds, 384)"""
        return self.rows[self.first + (torch.rand(len(self.count)) * self.count).long()]


def _tower(work: Path, start: Path | None) -> AudioTower:
    tower = AudioTower(new_model(tiny.AUDIO, tiny.NO_TEXT, tiny.DIM))
    trained = work / "audio.safetensors"
    if start is None and not trained.is_file():
        raise TaskVecError(f"{trained} is missing: run `python -m taskvec_demo pretrain` first, or give --start.")
    tower.load_state_dict(load_file(trained) if start is None else tiny.tower_state(start, "audio_"), strict=False)
    return tower.eval()


@torch.inference_mode()
def _embeddings(tower: AudioTower, store: MelStore, rows: list[ClipRow]) -> torch.Tensor:
    """A clean window of each clip and VIEWS augmented ones -> unit rows (1 + VIEWS, n, dim)."""
    views = []
    for view in range(1 + VIEWS):
        parts = []
        windows = [r.first_window + view % r.n_windows for r in rows]
        for start in tqdm(range(0, len(windows), 64), desc=f"view {view}", unit="batch", leave=False):
            x = torch.from_numpy(np.asarray(store.mel[windows[start : start + 64]], dtype=np.float32))
            with torch.autocast("cpu", torch.bfloat16, enabled=has_bfloat16()):
                parts.append(tower((augment(x) if view else x).unsqueeze(1)).float())
        views.append(torch.cat(parts))
    return torch.stack(views).clone()
