"""The text tower of tiny-CLAP: a small `ClapTextModel` distilled from a sentence encoder, phrase by phrase.

The student sees only short English phrases and learns the teacher's place of each in the joint space of `teacher.py`
(sentence embeddings as targets: arXiv 2004.09813; a smaller student of the same kind: arXiv 1910.01108). Its loss is
`1 - cosine` plus a soft contrastive term over the batch, which keeps neighbours in order (arXiv 1503.02531).
Everything is resumable: the teacher's rows, the tokenizer and the training are kept under `work`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import nn
from tqdm import tqdm

from ...clap.loading import SPECIAL_TOKENS, save_tokenizer
from ...clap.model import PAD, TextTower, default_device
from ...core.weights import write_safetensors
from ...errors import TaskVecError
from ...serve.artifacts import write_json
from ..finetuning.schedule import learning_rate, set_rate
from ..finetuning.training_run import training_precision
from ..finetuning.training_state import StateFile, fingerprint, shapes
from .alignment import task_prompts, text_map
from .architecture import origin, tower_state
from .captions import TEMPLATES, WORDINGS, all_captions
from .rewordings import held_out
from .teacher import WORDNET, Corpus, Teacher, cached_embeddings, text_corpus, unit
from .text_agreement import Encoder, text_agreement
from .tokenizer import MAX_TOKENS, VOCABULARY, encode, padded, train_tokenizer

SHARES = (0.24, 0.03, 0.05, 0.50, 0.04, 0.14)  # of the draws, by group of `teacher.GROUPS`
TEMPERATURE = 0.07  # of the contrastive term
NEIGHBOURS = 0.15  # weight of the contrastive term: it is in nats, the cosine term in 0…2
GOING_ON_RATE = 6e-4  # of a run that begins from a trained tower
PULL = 0.85  # of a wording's target is the place of its sound's name, the rest the place that it had
POOL = 64  # batches whose phrases are sorted by length together

# Keyword arguments of `ClapTextConfig`
TEXT: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 256,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 1024,
    "max_position_embeddings": MAX_TOKENS + 2,  # RoBERTa counts positions from pad_token_id + 1
    "hidden_dropout_prob": 0.0,  # each phrase is seen a few times only, so that nothing needs regularising
    "attention_probs_dropout_prob": 0.0,
    "projection_dim": 256,
    "pad_token_id": PAD,
    "bos_token_id": 0,
    "eos_token_id": 2,
}


@dataclass(frozen=True)
class Settings:
    """How long and how fast to train. The length is `steps` if given, else `minutes` of wall time, without pauses.

    Raises TaskVecError for minutes that are not above 0 or have no end.
    """

    minutes: float = 25.0
    steps: int | None = None
    batch: int = 192  # phrases
    peak_rate: float = 1.2e-3
    warm_up: float = 0.06  # of the run
    weight_decay: float = 0.01
    threads: int | None = None  # of the CPU; default: all
    seed: int = 0
    text: dict[str, Any] = field(default_factory=lambda: dict(TEXT))

    def __post_init__(self) -> None:
        if not 0 < self.minutes < math.inf:
            raise TaskVecError(f"The option minutes is a number above 0, not {self.minutes:g}.")


# ---- The student ----------------------------------------------------------------------------------------------------
def seed_embeddings(student: TextTower, rows: np.ndarray) -> None:
    """Start each token, except the special ones, at its own place in the joint space: the student begins as a bag of
    words.

    This needs a student as wide as the space; any other keeps its random start.
    """
    table = student.text_model.embeddings.word_embeddings.weight
    if table.shape == rows.shape:
        with torch.no_grad():
            table[len(SPECIAL_TOKENS) :] = torch.from_numpy(rows[len(SPECIAL_TOKENS) :])


def student_embeddings(student: TextTower, tokenizer: Tokenizer, texts: Sequence[str], batch: int = 512) -> np.ndarray:
    """Unit rows (n, dim) float32 of the student, in full precision as in the app."""
    ids = encode(tokenizer, texts)
    order = np.argsort([len(row) for row in ids], kind="stable")
    rows = np.zeros((len(ids), student.config.projection_dim), np.float32)
    student.eval()
    with torch.inference_mode():
        for start in range(0, len(ids), batch):
            chosen = order[start : start + batch]
            rows[chosen] = student(padded([ids[i] for i in chosen]).to(_device(student))).cpu().numpy()
    return rows


def _device(student: TextTower) -> torch.device:
    return next(student.parameters()).device


# ---- Training -------------------------------------------------------------------------------------------------------
def distillation_loss(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """1 - cosine, plus how far a row's similarities to the batch are from those of the teacher; unit rows (n, d).

    Zero if and only if the rows of the student and of the teacher are equal.
    """
    wanted = F.log_softmax(teacher @ teacher.T / TEMPERATURE, dim=1)
    found = F.log_softmax(student @ teacher.T / TEMPERATURE, dim=1)
    divergence = F.kl_div(found, wanted, reduction="batchmean", log_target=True)
    return 1 - (student * teacher).sum(1).mean() + NEIGHBOURS * divergence


def draw_pool(pool: int, group: np.ndarray, lengths: np.ndarray, settings: Settings) -> np.ndarray:
    """Phrase indices (POOL, batch) of one pool of batches: SHARES decide the groups, similar lengths share a batch.

    The draw depends on the pool's number alone, so that a resumed run sees the same as an uninterrupted one.
    """
    rng = np.random.default_rng((settings.seed, pool))
    size = POOL * settings.batch
    members = [np.flatnonzero(group == i) for i in range(len(SHARES))]
    shares = np.array([share if len(found) else 0.0 for share, found in zip(SHARES, members, strict=True)])
    counts = rng.multinomial(size, shares / shares.sum())
    drawn = np.concatenate([rng.choice(found, count) for found, count in zip(members, counts, strict=True) if count])
    drawn = drawn[np.lexsort((rng.random(size), lengths[drawn]))]
    return drawn.reshape(POOL, settings.batch)[rng.permutation(POOL)]


def train_student(
    student: TextTower,
    ids: Sequence[np.ndarray],
    group: np.ndarray,
    targets: np.ndarray,
    settings: Settings,
    state: Path,
    progress: bool = False,
    on_step: Callable[[int, float], None] | None = None,
    origin: str = "",
) -> list[float]:
    """Train `student` in place on token ids, groups (n,) and unit targets (n, d); returns the losses of this call.

    Goes on from the file `state`, if that run had the same `origin`. With a budget in steps the result does not depend
    on interruptions.
    The student stays on the device that it is on.
    """
    device = _device(student)
    table, wanted = padded(ids).to(device, torch.int32), torch.from_numpy(targets).to(device)
    optimizer = torch.optim.AdamW(
        student.parameters(), settings.peak_rate, weight_decay=settings.weight_decay, fused=True
    )
    key = fingerprint([f"seed {settings.seed}", *shapes(student)])
    file, step, seconds = StateFile(state, key, origin=origin), 0, 0.0
    if saved := file.read():
        student.load_state_dict(saved["student"])
        optimizer.load_state_dict(saved["optimizer"])
        step, seconds = saved["step"], saved["seconds"]
    lengths = np.array([len(row) for row in ids])
    start = time.monotonic()
    losses: list[float] = []

    def now() -> dict[str, Any]:
        done = {"step": step, "seconds": seconds + time.monotonic() - start}
        return {"student": student.state_dict(), "optimizer": optimizer.state_dict(), **done}

    pool, batches = -1, np.zeros((0, 0), np.int64)
    total = settings.steps or round(60 * settings.minutes)
    with tqdm(total=total, desc="text", mininterval=1, disable=not progress) as bar:
        while True:
            elapsed = seconds + time.monotonic() - start
            done = step / settings.steps if settings.steps is not None else elapsed / (60 * settings.minutes)
            if done >= 1:
                break
            if step // POOL != pool:
                pool = step // POOL
                batches = draw_pool(pool, group, lengths, settings)
            chosen = batches[step % POOL]
            set_rate(optimizer, learning_rate(done, settings.peak_rate, settings.warm_up))
            rows = torch.from_numpy(chosen).to(device)
            losses.append(
                _train_step(student, optimizer, table[rows, : lengths[chosen].max()].long(), wanted[rows].float())
            )
            step += 1
            bar.set_postfix(step=step, loss=f"{np.mean(losses[-100:]):.4f}", refresh=False)
            bar.update(min(total, step if settings.steps is not None else int(elapsed)) - bar.n)
            file.write_when_due(now)
            if on_step:
                on_step(step, losses[-1])
    file.write(now())
    return losses


def _train_step(
    student: TextTower, optimizer: torch.optim.Optimizer, ids: torch.Tensor, targets: torch.Tensor
) -> float:
    student.train()
    with torch.autocast(ids.device.type, torch.bfloat16, enabled=training_precision() == "bfloat16"):
        rows = student(ids)
    loss = distillation_loss(rows, targets)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(student.parameters(), 1.0)
    optimizer.step()
    return loss.item()


# ---- The whole run --------------------------------------------------------------------------------------------------
def sound_phrases(data: Path) -> list[str]:
    """Every caption and class name of the project, and the 521 AudioSet class names of `data`/audioset_scores.npz."""
    path = Path(data) / "audioset_scores.npz"
    try:
        with np.load(path, allow_pickle=False) as scores:
            names = [str(name) for name in scores["names"]]
    except (OSError, ValueError, KeyError) as error:
        raise TaskVecError(f"{path} holds no AudioSet class names `names` ({error})") from error
    return sorted({*all_captions(), *names})


def distil_text(
    work: Path,
    data: Path,
    minutes: float = 25.0,
    *,
    settings: Settings | None = None,
    teacher: Any = None,
    folder: Path = WORDNET,
    start: Path | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """Train the text tower into `work`/text and measure it; returns what text/text_agreement.json then holds.

    Writes text.safetensors (float32; keys of `ClapModel`), text_config.json (arguments of `ClapTextConfig`) and
    tokenizer/. Interrupted at any point, the same call goes on; a finished `work`/text.pt is only measured
    again, and more minutes go on from it. Remove `work`/text.pt and `work`/text to start afresh. `start`: model
    folder of a checkpoint whose text tower and tokenizer a new run begins from. That tower is the teacher then: every
    phrase stays where it is, but the wordings of a sound move to its name (`moved_wordings`).
    """
    settings = settings or Settings(minutes=minutes, peak_rate=Settings.peak_rate if start is None else GOING_ON_RATE)
    work, teacher = Path(work), teacher or Teacher()
    output = work / "text"
    space = text_map(work, folder, teacher)
    sounds = sound_phrases(data)
    corpus = text_corpus(sounds, TEMPLATES, folder, teacher, held_out(), task_prompts())
    if settings.threads:
        torch.set_num_threads(settings.threads)
    if start is not None and not (output / "tokenizer" / "tokenizer.json").is_file():
        save_tokenizer(output / "tokenizer", Tokenizer.from_file(str(start / "tokenizer.json")), MAX_TOKENS)
    tokenizer = _tokenizer(output / "tokenizer", corpus, settings)
    torch.manual_seed(settings.seed)
    student = TextTower(settings.text)
    if start is not None:
        student.load_state_dict(tower_state(start, "text_"), strict=False)
    else:
        tokens = [tokenizer.decode([i]).strip() for i in range(tokenizer.get_vocab_size())]
        seed_embeddings(student, space.project(cached_embeddings(teacher, tokens, work / "teacher", progress)))
    if start is not None:
        targets = moved_wordings(student, tokenizer, corpus.texts).astype(np.float16)
    else:
        targets = space.project(corpus.embed(teacher, work / "teacher", progress)).astype(np.float16)
    ids = encode(tokenizer, corpus.texts)
    student.to(default_device())
    begun = origin(start, "text_")
    train_student(student, ids, corpus.group, targets, settings, work / "text.pt", progress, origin=begun)
    _save_student(student, output)

    def teach(texts: Sequence[str]) -> np.ndarray:
        return cached_embeddings(teacher, [text.lower() for text in texts], work / "teacher").astype(np.float32)

    encoders: dict[str, Encoder] = {
        "student": lambda texts: student_embeddings(student, tokenizer, texts),
        "teacher_256": lambda texts: space.project(teach(texts)),
        "teacher_384": teach,
    }
    report = text_agreement(encoders, corpus, sounds)
    write_json(output / "text_agreement.json", report)
    return report


def moved_wordings(student: TextTower, tokenizer: Tokenizer, texts: Sequence[str]) -> np.ndarray:
    """Unit rows (n, dim): where `student` has each text, but every wording of a sound most of the way to its name.

    A name stays where it is, and so does a wording of several sounds.
    """
    rows = student_embeddings(student, tokenizer, texts)
    names = [t.format(name) for name in WORDINGS for t in TEMPLATES]
    places = unit(student_embeddings(student, tokenizer, names).reshape(len(WORDINGS), len(TEMPLATES), -1).mean(1))
    sounds: dict[str, set[int]] = {}
    for i, wordings in enumerate(WORDINGS.values()):
        for phrase in (t.format(w.lower()) for w in wordings for t in TEMPLATES):
            sounds.setdefault(phrase, set()).add(i)
    of = [sounds.get(text, set()) if text not in names else set() for text in texts]
    moved = [i for i, found in enumerate(of) if len(found) == 1]
    to = places[[next(iter(of[i])) for i in moved]]
    rows[moved] = unit(PULL * to + (1 - PULL) * rows[moved])
    return rows


def _tokenizer(folder: Path, corpus: Corpus, settings: Settings) -> Tokenizer:
    """The tokenizer of the run: the one that is there, or a new one trained on the phrases that are not held out."""
    path = folder / "tokenizer.json"
    if not path.is_file():
        known = (text for text, group in zip(corpus.texts, corpus.group, strict=True) if group >= 0)
        save_tokenizer(folder, train_tokenizer(known, settings.text["vocab_size"]), MAX_TOKENS)
    return Tokenizer.from_file(str(path))


def _save_student(student: TextTower, folder: Path) -> None:
    write_json(folder / "text_config.json", student.config.to_dict())
    path = folder / "text.safetensors"
    state = {name: tensor.cpu().contiguous() for name, tensor in student.state_dict().items()}
    write_safetensors(path, state, {"format": "pt"})
