"""The baselines of task arithmetic: random vectors of equal norm, gradient ascent, joint and plain fine-tuning.

A trained baseline is a difference from the pre-trained weights like any task vector, so it is applied, measured and
stored as one: at λ = 1, but plain fine-tuning, which the papers do and which rehearses nothing, at a λ of its own.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from ...clap.model import Checkpoint
from ...core.task_vector import TaskVector
from ...core.weights import Weights
from ..data.datasets import MelStore
from ..data.embedding import embed_rows
from ..data.fine_tuning import FineTuning
from ..data.study import Study
from ..finetuning.finetune import Labelled, finetune, labelled_set, train
from ..finetuning.rehearsal import rehearsal_of
from ..finetuning.training_run import BATCH, WEIGHT_DECAY, processes, training_mode
from .choose_lambda import choose_negation
from .predictions import ModelPredictor

RANDOM_SEEDS = (0, 1, 2)
ASCENT_STEPS, ASCENT_EVERY = 60, 5  # 12 stops to choose from
ASCENT_RATE = 5e-5  # constant; at twice this rate `urban` and the control fall to chance within 30 steps
TRAINING_SEED = 0


def random_vector(like: TaskVector, name: str, seed: int) -> TaskVector:
    """Normal random numbers with the norm of `like` in every parameter tensor, as in Ilharco et al., appendix."""
    generator = torch.Generator().manual_seed(zlib.crc32(f"{name}/{seed}".encode()))
    buffer = torch.empty(like.layout.size)
    for view, model in zip(like.layout.views(buffer).values(), like.tensors().values(), strict=True):
        drawn = torch.randn(view.shape, generator=generator)
        view.copy_(drawn * (model.float().norm() / drawn.norm().clamp(min=1e-12)))
    return TaskVector(name, like.layout, buffer, like.pretrained_sha256)


def random_name(of: str, seed: int) -> str:
    return f"random-{of}-{seed}"


def random_vectors(study: Study, vectors: Mapping[str, TaskVector]) -> dict[str, TaskVector]:
    """Random vectors, one for each seed: for each vector of the study's pair, and for the analogy's sum τ_B + τ_C −
    τ_A.
    """
    a, b, c, _ = study.analogy
    models = {name: vectors[name] for name in study.pair} | {"analogy": vectors[b] + vectors[c] - vectors[a]}
    return {
        random_name(of, seed): random_vector(model, random_name(of, seed), seed)
        for of, model in models.items()
        for seed in RANDOM_SEEDS
    }


def ascend(checkpoint: Checkpoint, store: MelStore, task: Labelled, seed: int = TRAINING_SEED) -> Iterator[Weights]:
    """Climb the loss of a task; yields the weights after every `ASCENT_EVERY` steps. Nothing holds the control."""
    torch.manual_seed(seed)
    tower = checkpoint.trainable_tower()
    training_mode(tower)
    optimizer = torch.optim.AdamW(tower.parameters(), ASCENT_RATE, weight_decay=WEIGHT_DECAY)
    for step in range(1, ASCENT_STEPS + 1):
        x, target = task.batch(torch.randint(len(task.windows), (BATCH,)), store)
        logits = task.head.logits(tower(x.unsqueeze(1)).float(), checkpoint.logit_scale)
        optimizer.zero_grad()
        (-cross_entropy(logits, target)).backward()
        torch.nn.utils.clip_grad_norm_(tower.parameters(), 1.0)
        optimizer.step()
        if step % ASCENT_EVERY == 0:
            yield tower.weights()


def train_ascent(predictor: ModelPredictor, name: str) -> dict[str, TaskVector]:
    """Gradient ascent on a task: its weights at the step that the rule of negation takes on validation, and at its last
    step.
    """
    checkpoint, store = predictor.checkpoint, predictor.store
    _, labelled = labelled_set(checkpoint, store, predictor.study, predictor.study.fine_tunings[name], "train")
    walk = tqdm(ascend(checkpoint, store, labelled), f"gradient ascent, {name}", ASCENT_STEPS // ASCENT_EVERY)
    stops = {
        f"step-{ASCENT_EVERY * (i + 1)}": TaskVector.between(checkpoint.pretrained, weights, f"step-{i}", name)
        for i, weights in enumerate(walk)
    }
    choice = choose_negation(predictor.adding(stops), name, [{stop: 1.0} for stop in stops], f"gradient ascent, {name}")
    chosen, last = next(iter(choice.coefficients)), list(stops)[-1]
    training = {"rate": ASCENT_RATE, "batch": BATCH, "seed": TRAINING_SEED}
    of_choice = {"stop": chosen, "holds_on_validation": choice.holds, "validation": choice.to_dict()}
    return {
        f"ascent-{name}": _named(stops[chosen], f"ascent-{name}", training | of_choice),
        f"ascent-{name}-last": _named(stops[last], f"ascent-{name}-last", training | {"stop": last}),
    }


def train_joint(
    predictor: ModelPredictor, names: Sequence[str], seed: int = TRAINING_SEED, state: Path | None = None
) -> dict[str, TaskVector]:
    """One model fine-tuned on the tasks of all `names`, each against its head, in as many steps as their own vectors.

    Training stops early on their mean accuracy. It is saved in `state` and resumes from there; the caller removes that
    file.
    """
    checkpoint, store, study = predictor.checkpoint, predictor.store, predictor.study
    held = [labelled_set(checkpoint, store, study, study.fine_tunings[n], "validation") for n in names]

    def score(weights: Weights) -> float:
        """Mean validation accuracy."""
        right = [
            s.head.logits(embed_rows(checkpoint, store, rows, weights), 1.0).argmax(-1) == s.target for rows, s in held
        ]
        return sum(float(r.float().mean()) for r in right) / len(right)

    sets = [labelled_set(checkpoint, store, study, study.fine_tunings[n], "train")[1] for n in names]
    steps = [-(-len(s.windows) // BATCH) for s in sets]
    alone = sum(study.fine_tunings[n].epochs * each for n, each in zip(names, steps, strict=True))
    epochs = max(1, round(alone / sum(steps)))  # as many steps as its tasks' own vectors together
    spec = replace(study.fine_tunings[names[0]], epochs=epochs)
    name = joint_name(names)
    own = {folder for n in names for folder in study.tasks[study.fine_tunings[n].task].clips_folders}
    rehearsal = rehearsal_of(checkpoint, store, own) if spec.rehearsal else None
    weights, epoch = train(
        checkpoint, store, sets, spec, name=name, score=score, rehearsal=rehearsal, seed=seed, state=state
    )
    training = {
        "epochs": spec.epochs,
        "kept_epoch": epoch,
        "peak_rate": spec.peak_rate,
        "rehearsal": spec.rehearsal,
        "projection": spec.projection,
        "seed": seed,
    }
    vector = TaskVector.between(checkpoint.pretrained, weights, name, "+".join(names))
    return {name: _named(vector, name, training)}


def train_plain(predictor: ModelPredictor, name: str, folder: Path) -> dict[str, TaskVector]:
    """The vector of a task, fine-tuned as in the papers."""
    spec = plain_training(predictor.study, name)
    out = folder / f"{spec.vector}.safetensors"
    vector = finetune(predictor.checkpoint, predictor.store, predictor.study, spec, out, TRAINING_SEED, folder)
    return {spec.vector: vector}


def plain_training(study: Study, name: str) -> FineTuning:
    """How a task is fine-tuned in the papers: the whole tower at once, with nothing rehearsed."""
    spec = study.fine_tunings[name]
    epochs = study.plain_epochs.get(name, spec.epochs)
    return replace(
        spec, vector=plain_name(name), epochs=epochs, rehearsal=0.0, projection=0, timbre=0.0, augmentation="full"
    )


def plain_name(of: str) -> str:
    return f"plain-{of}"


def joint_name(names: Sequence[str]) -> str:
    return "joint-" + "-".join(names)


def baselines_folder(work: Path, checkpoint: Checkpoint) -> Path:
    """The folder of a checkpoint's trained baselines.

    They have 5 MB each and only the tables need them, so they are not in the artifacts.
    """
    return work / "baselines" / checkpoint.pretrained.sha256[:12]


def trained_baselines(predictor: ModelPredictor, folder: Path) -> dict[str, TaskVector]:
    """The trained baselines in `folder`; those missing there, or of another checkpoint, are trained and written.

    If one is missing, every process must call this, because they share all but gradient ascent. The main process
    writes.
    """
    pair, main = predictor.study.pair, processes().is_main_process
    trainings: dict[tuple[str, ...], Callable[[], dict[str, TaskVector]]] = {
        (joint_name(pair),): partial(train_joint, predictor, pair, state=folder / ".joint.pt")
    }
    trainings |= {(plain_name(n),): partial(train_plain, predictor, n, folder) for n in pair}
    shared = set(trainings)
    trainings |= {(f"ascent-{n}", f"ascent-{n}-last"): partial(train_ascent, predictor, n) for n in pair}
    missing = [names for names in trainings if not all(_is_stored(predictor, folder, name) for name in names)]
    if missing:
        processes().wait_for_everyone()  # no process writes before all have looked
        for names in missing:
            if main or names in shared:
                for name, vector in trainings[names]().items():
                    if main:
                        vector.save(folder / f"{name}.safetensors")
                        (folder / ".joint.pt").unlink(missing_ok=True)
        processes().wait_for_everyone()
    return {name: TaskVector.load(folder / f"{name}.safetensors") for names in trainings for name in names}


def _is_stored(predictor: ModelPredictor, folder: Path, name: str) -> bool:
    path = folder / f"{name}.safetensors"
    return path.is_file() and TaskVector.load(path).pretrained_sha256 == predictor.checkpoint.pretrained.sha256


def _named(vector: TaskVector, name: str, training: Mapping) -> TaskVector:
    metadata = {"training": training}
    return TaskVector(name, vector.layout, vector.buffer, vector.pretrained_sha256, vector.task, metadata)
