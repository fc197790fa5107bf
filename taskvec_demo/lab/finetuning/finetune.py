"""Fine-tuning of the audio tower on one task against its frozen zero-shot head. The difference is the task vector.

As in Ballanti and in Ilharco et al. (arXiv:2212.04089), the text side stays frozen, so that the fine-tuned model is
still a zero-shot classifier. The loss is the cross-entropy of the logits, and rehearsal of other sets if the study asks
for it. Training uses mixup, BatchNorm in eval mode (its statistics are not weights), and an exponential average of the
weights, which stops early on validation. If `accelerate launch` starts several processes, they share each batch and
give the same weights as one process. A run that was killed resumes where it was.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from tqdm import tqdm

from ...clap.model import Checkpoint, Precision
from ...core.evaluation import Accuracy
from ...core.task_vector import TaskVector
from ...core.weights import Weights
from ...core.zero_shot import ZeroShotHead
from ...errors import TaskVecError
from ..data.augment import augment, mixup, moved
from ..data.datasets import MelStore
from ..data.embedding import embed_rows, window_batch
from ..data.fine_tuning import FineTuning
from ..data.study import Study
from .projection import begin_with_projection
from .rehearsal import Rehearsal, rehearsal_of
from .training_run import AT_ONCE, BATCH, Run, processes, training_precision
from .training_state import StateFile, drawing, fingerprint


@dataclass(frozen=True)
class Labelled:
    """Training windows of one task: the place of each clip's windows in the cache, its class, and the head that scores
    it.
    """

    windows: list[range]
    target: torch.Tensor
    head: ZeroShotHead
    augmentation: str = "full"
    timbre: float = 0.0  # how much of the full augmentation that changes it

    @property
    def first_windows(self) -> tuple[int, ...]:
        """The place of each clip's first window."""
        return tuple(window.start for window in self.windows)

    def batch(self, chosen: torch.Tensor, store: MelStore) -> tuple[torch.Tensor, torch.Tensor]:
        """A random augmented window of each chosen clip (batch, frames, mels), targets (batch, n_classes)."""
        windows = [self.windows[i][int(torch.randint(len(self.windows[i]), ()))] for i in chosen.tolist()]
        x = window_batch(store, windows).squeeze(1)
        target = torch.nn.functional.one_hot(self.target[chosen], len(self.head.labels)).float()
        if self.augmentation == "light":
            return moved(x), target
        x = augment(x, self.timbre)
        return mixup(x, target) if torch.rand(()) < 0.5 else (x, target)


def labelled_set(
    checkpoint: Checkpoint, store: MelStore, study: Study, spec: FineTuning, split: str
) -> tuple[list, Labelled]:
    """The clips of a fine-tuning in a split: as rows, and as training windows with their head."""
    rows, labels, prompts = study.training_set(store, spec, split)
    head = ZeroShotHead.from_prompts(checkpoint.embed_text, prompts, prompts, study.templates)
    windows = [range(r.first_window, r.first_window + r.n_windows) for r in rows]
    return rows, Labelled(windows, torch.tensor(labels), head, spec.augmentation, spec.timbre)


def train(
    checkpoint: Checkpoint,
    store: MelStore,
    sets: Sequence[Labelled],
    spec: FineTuning,
    *,
    name: str,
    score: Callable[[Weights], float],
    rehearsal: Rehearsal | None = None,
    seed: int = 0,
    state: Path | None = None,
    at_once: int = AT_ONCE,
    patience: int | None = None,
    precision: Precision | None = None,
) -> tuple[Weights, int]:
    """Train a copy of the audio tower on the given sets in turn; returns the weights that score best and their epoch.

    If the spec says so, the projection alone is trained before the first epoch, and counts as epoch 0. The weights are
    an exponential average over the steps. The main process asks `score` once an epoch; of equal scores the latest is
    kept. Training ends early after `patience` epochs without a new best score. A process computes `at_once` windows
    together and adds up their gradients to those of a batch of `BATCH`. `rehearsal` holds clips that are to keep their
    embeddings meanwhile, with the weight of the spec.

    With `state` the run is saved there and resumes from there: on one process to the very same weights as without a
    stop. The caller deletes the file once it has kept the weights. Raises TaskVecError for options out of range.
    """
    for option, value in (("batch", at_once), ("patience", patience)):
        if value is not None and value < 1:
            raise TaskVecError(f"The option {option} is a whole number from 1, not {value}.")
    if not all(len(s.windows) for s in sets):
        raise TaskVecError(f"There is no training clip for {name!r}: its task needs clips of the split 'train'.")
    main, steps = processes().is_main_process, sum(-(-len(s.windows) // BATCH) for s in sets)
    precision = precision or training_precision()
    run = Run(checkpoint, spec, spec.epochs * steps, seed, precision, at_once)
    key = "" if state is None else fingerprint(_depends_on(checkpoint, store, sets, rehearsal, spec, seed, precision))
    file = StateFile(state, key, writes=main)
    if saved := file.read():
        run.restore(saved)
        if main:
            tqdm.write(f"{name}: resumed after epoch {run.epoch}, step {run.step}")
    elif spec.projection:
        begin_with_projection(run.tower, checkpoint, store, sets, rehearsal, spec.rehearsal, spec.projection, seed)
        now = run.begin(score)
        if main:
            tqdm.write(f"{name}: the projection alone, validation {now:.3f}")
    begun = run.epoch * steps + run.step
    with tqdm(
        total=spec.epochs * steps, initial=begun, desc=f"fine-tuning {name}", unit="step", disable=not main
    ) as bar:
        while run.epoch < spec.epochs and (patience is None or run.epoch - run.best.epoch < patience):
            batches = epoch_batches(sets, seed, run.epoch)
            for labelled, chosen in batches[run.step :]:
                with drawing(seed, "batch", run.epoch, run.step):
                    x, target = labelled.batch(chosen, store)
                with drawing(seed, "rehearsal", run.epoch, run.step):
                    kept = rehearsal.batch(len(x), store) if rehearsal else None
                loss = run.update(x, target, labelled.head, kept)
                bar.update()
                bar.set_postfix(loss=f"{loss:.2f}", refresh=False)
                file.write_when_due(run.state)
            now = run.end_epoch(score)
            file.write(run.state())
            if main:
                bar.write(f"{name}: epoch {run.epoch}, validation {now:.3f}")
    return run.best.weights, run.best.epoch


def epoch_batches(sets: Sequence[Labelled], seed: int, epoch: int) -> list[tuple[Labelled, torch.Tensor]]:
    """The batches of an epoch in random order, each with its clips: of every set as many as it has clips."""
    with drawing(seed, "order", epoch):
        batches = [(s, chosen) for s in sets for chosen in evenly_drawn(s.target).split(BATCH)]
        return [batches[i] for i in torch.randperm(len(batches)).tolist()]


def evenly_drawn(target: torch.Tensor) -> torch.Tensor:
    """n clips in random order for the classes `target` (n,) of n clips: each class equally often, the largest ones may
    come once more.

    A class comes round as a whole before any of its clips comes again, so equal classes give every clip once.
    """
    own = [(target == c).nonzero().flatten() for c in target.unique()]
    each, more = divmod(len(target), len(own))
    largest = torch.tensor([len(clips) for clips in own]).argsort(descending=True, stable=True)
    sizes = torch.full((len(own),), each)
    sizes[largest[:more]] += 1
    rounds = [
        torch.cat([clips[torch.randperm(len(clips))] for _ in range(-(-size // len(clips)))])[:size]
        for clips, size in zip(own, sizes.tolist(), strict=True)
    ]
    drawn = torch.cat(rounds)
    return drawn[torch.randperm(len(drawn))]


def _depends_on(
    checkpoint: Checkpoint,
    store: MelStore,
    sets: Sequence[Labelled],
    rehearsal: Rehearsal | None,
    spec: FineTuning,
    seed: int,
    precision: Precision,
) -> Iterator[str | bytes]:
    """Hash of everything that the weights of a training depend on.

    Of the features only the first window of each clip is read.
    """
    yield checkpoint.pretrained.sha256
    yield json.dumps([checkpoint.logit_scale, asdict(spec.one_training()), seed, precision, BATCH])
    for s in sets:
        yield json.dumps([[w.start, w.stop] for w in s.windows])
        yield s.target.numpy().tobytes()
        yield s.head.matrix.contiguous().numpy().tobytes()
        for window in s.windows:
            yield store.mel[window.start].tobytes()
    for name, windows in (rehearsal.windows if rehearsal else {}).items():
        yield name
        for first in windows:
            yield store.mel[first].tobytes()


def finetune(
    checkpoint: Checkpoint,
    store: MelStore,
    study: Study,
    spec: FineTuning,
    out: Path,
    seed: int = 0,
    work: Path | None = None,
    *,
    at_once: int = AT_ONCE,
    patience: int | None = None,
    precision: Precision | None = None,
) -> TaskVector:
    """Train one vector and write it to `out`. Deterministic given the seed and the machine.

    With `spec.runs` over 1 it is the mean of that many trainings, which differ in their seeds only. They share what is
    about the task; the rest averages out, and it is the rest that costs other tasks (model soups, arXiv:2203.05482).
    With `work` its state is kept there, and a run that was stopped goes on; the other options are those of `train`.
    Every process returns the vector; the main one writes it.
    """
    rows, labelled = labelled_set(checkpoint, store, study, spec, "train")
    held_rows, held = labelled_set(checkpoint, store, study, spec, "validation")

    def hits(weights: Weights) -> torch.Tensor:
        predicted = held.head.logits(embed_rows(checkpoint, store, held_rows, weights), 1.0).argmax(-1)
        return predicted == held.target

    def score(weights: Weights) -> float:
        """Accuracy; a class of the analogy has too few validation clips to stop by: all epochs are alike."""
        return 0.0 if spec.only_class else float(hits(weights).float().mean())

    precision = precision or training_precision()
    rehearsal = rehearsal_of(checkpoint, store, {r.dataset for r in rows}) if rows and spec.rehearsal else None
    seeds = range(seed, seed + spec.runs)
    states = {s: work and work / f"finetune-{spec.vector}{f'-{s}' if spec.runs > 1 else ''}.pt" for s in seeds}
    members = [
        train(
            checkpoint,
            store,
            [labelled],
            spec,
            name=spec.vector if spec.runs == 1 else f"{spec.vector} {i}/{spec.runs}",
            score=score,
            rehearsal=rehearsal,
            seed=s,
            state=states[s],
            at_once=at_once,
            patience=patience,
            precision=precision,
        )
        for i, s in enumerate(seeds, start=1)
    ]
    if processes().is_main_process:
        buffers = [weights.buffer for weights, _ in members]
        weights = Weights(checkpoint.pretrained.layout, sum(buffers[1:], buffers[0]) / len(buffers))
        first, best = (Accuracy.of(hits(w).numpy()) for w in (checkpoint.pretrained, weights))
        training = {
            **spec.chosen(),
            "epochs": spec.epochs,
            "patience": patience,
            "kept_epochs": [epoch for _, epoch in members],
            "batch": BATCH,
            "clips": len(rows),
            "classes": list(labelled.head.labels),
            "seed": seed,
            "precision": precision,
            "processes": processes().num_processes,
        }
        metrics = {"validation": {"pretrained": round(first.accuracy, 4), "finetuned": best.to_dict(), "n": best.n}}
        metadata = {"training": training, "metrics": metrics}
        TaskVector.between(checkpoint.pretrained, weights, spec.vector, spec.task, metadata).save(out, bits=study.bits)
        for state in filter(None, states.values()):
            state.unlink(missing_ok=True)
    processes().wait_for_everyone()
    return TaskVector.load(out)
