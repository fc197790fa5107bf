"""`build`: from a checkpoint and recordings to `precomputed/<checkpoint>/`. A step is skipped if its result is there.

    python -m taskvec_demo build --data DATA
    accelerate launch --multi_gpu --num_processes 2 -m taskvec_demo build --study ballanti --checkpoint … --data DATA

Processes that `accelerate launch` starts share the batches of each fine-tuning and the points of the sweep; the figures
are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..core.task_vector import TaskVector
from ..errors import TaskVecError
from ..recordings.splits import TRAIN, VALIDATION
from ..serve.artifacts import Artifacts, read_json, save_head, write_manifest
from .data.datasets import MelStore
from .data.experiment import PRETRAINED, Experiment, open_experiment, open_pretrained, place_pretrained
from .data.fine_tuning import FineTuning, options
from .data.study import Study
from .data.synth import write_examples
from .exchange.model_card import write_model_card
from .finetuning.finetune import finetune
from .finetuning.training_run import AT_ONCE, processes
from .measuring.baselines import baselines_folder, trained_baselines
from .measuring.predictions import ModelPredictor
from .measuring.shipped_tables import write_tables
from .measuring.stories import write_stories
from .measuring.sweep import Sweep
from .studies.ballanti import BALLANTI
from .tiny_clap.assembly import assemble, holds_towers, write_extras
from .tiny_clap.study import TINY

STUDIES = {study.name: study for study in (TINY, BALLANTI)}
COMMANDS = {
    "tiny": ("pretrain", "align-text", "distil-text", "finetune", "sweep", "tables", "build"),
    "ballanti": ("build --study ballanti",),
}


def prepare(study: Study, work: Path, out: Path, spec: str | None) -> None:
    """Put a checkpoint into `out`: `spec`, or the one that tiny-CLAP's trained towers make.

    Raises TaskVecError if `out` is about another checkpoint already, or if nothing says which it shall be about.
    """
    model = out / "model"
    is_there = (model / "config.json").is_file()
    if spec is not None:
        place_pretrained(out, spec)
    elif (out / PRETRAINED).is_file() or (is_there and study.name != TINY.name):
        return
    elif study.name != TINY.name:
        raise TaskVecError(f"{out} holds no checkpoint yet: say with --checkpoint what to begin from.")
    elif not is_there:
        assemble(work, model)
    elif not holds_towers(model, work):
        raise TaskVecError(
            f"The towers that were trained in {work} are not those of {model}: give another --artifacts to build on "
            "them, or another --work to leave them out."
        )


def finetune_all(
    study: Study,
    work: Path,
    data: Path,
    out: Path,
    only: str | None = None,
    spec: str | None = None,
    *,
    at_once: int = AT_ONCE,
    patience: int | None = None,
    **asked: Any,
) -> dict[str, TaskVector]:
    """Fine-tune every vector that is not there yet for the checkpoint of `out`, on all processes.

    `asked`: seed, and options of `FineTuning` in place of the study's; None keeps the study's. Raises TaskVecError if a
    vector is there already that was trained otherwise, and, before the first training, for a clip that no vector can be
    trained on.
    """
    if only is not None and only not in study.fine_tunings:
        raise TaskVecError(f"There is no vector {only!r}; choose one of: {', '.join(study.fine_tunings)}.")
    with processes().main_process_first():  # the main process writes the model and the cache of features
        prepare(study, work, out, spec)
        checkpoint = open_pretrained(study, out)
        store = MelStore.open(work, data, checkpoint.features, study.read_rows(data))
    asked = {option: value for option, value in asked.items() if value is not None}
    if asked.get("trains", "full") != "full":
        asked.setdefault("projection", 0)  # the study's steps are meant for a tower that is trained whole
    wanted = {name: spec for name, spec in study.fine_tunings.items() if only in (None, name)}
    paths = {name: out / "vectors" / f"{name}.safetensors" for name in wanted}
    found = {name: TaskVector.load(path) for name, path in paths.items() if path.is_file()}
    vectors = {n: v for n, v in found.items() if v.pretrained_sha256 == checkpoint.pretrained.sha256}
    for name, fine_tuning in wanted.items():
        for split in (TRAIN, VALIDATION) if name not in vectors else ():
            study.training_set(store, fine_tuning, split)  # it raises before hours of training and not after
    processes().wait_for_everyone()  # no process writes before all have looked
    for name, fine_tuning in wanted.items():
        if name not in vectors:
            vectors[name] = finetune(
                checkpoint,
                store,
                study,
                replace(fine_tuning, **{k: v for k, v in asked.items() if k != "seed"}),
                paths[name],
                asked.get("seed", 0),
                work,
                at_once=at_once,
                patience=patience,
            )
        _check_training(paths[name], vectors[name], asked)
    return {name: vectors[name] for name in wanted}


def _check_training(path: Path, vector: TaskVector, asked: Mapping[str, Any]) -> None:
    plain = {option.name: option.default for option in options(FineTuning)}
    training = plain | vector.metadata.get("training", {})
    for option, value in asked.items():
        if training.get(option) != value:
            raise TaskVecError(
                f"{path} was trained with {option} = {training.get(option)!r}, not {value!r}: remove it to train it "
                "again, or give another --artifacts folder."
            )


def build(study: Study, work: Path, data: Path, out: Path, spec: str | None = None) -> Artifacts | None:
    """Write everything under `out` (vectors, heads, surfaces, tables, examples, manifest, model card) and open it.

    Only the main process writes; the others share the training and the sweep, and return nothing.
    """
    state = processes()
    finetune_all(study, work, data, out, spec=spec)
    experiment = open_experiment(study, out, data, work)
    points = Sweep(experiment, work)
    points.measure(state.process_index, state.num_processes)
    state.wait_for_everyone()
    trained_baselines(ModelPredictor(experiment, work / "measured"), baselines_folder(work, experiment.checkpoint))
    if not state.is_main_process:
        return None
    for name, head in experiment.heads.items():
        save_head(out / "heads" / f"{name}.safetensors", head)
    for name, surface in points.fit().items():
        surface.save(out / "surfaces" / f"{name}.validation.safetensors")
    write_tables(experiment, work, out)
    write_examples(out / "examples")
    if study.name == TINY.name:
        write_extras(experiment, work, out)
    write_model_card(study, experiment.checkpoint.name, experiment.checkpoint.pretrained.sha256, out)
    write_manifest(out, manifest_fields(experiment, out))
    write_stories(out)
    return Artifacts(out)


def manifest_fields(experiment: Experiment, out: Path) -> dict:
    study, checkpoint = experiment.study, experiment.checkpoint
    fields: dict[str, Any] = {
        "checkpoint": checkpoint.name,
        "pretrained_sha256": checkpoint.pretrained.sha256,
        "tasks": [t.to_dict() for t in study.tasks.values()],
        "vectors": list(experiment.vectors),
        "default_labels": list(study.default_labels),
        "templates": list(study.templates),
        "sources": [dict(zip(("name", "author", "licence"), s, strict=True)) for s in study.sources],
        "commands": [f"python -m taskvec_demo {c}" for c in COMMANDS[study.name]],
    }
    record = read_json(out / PRETRAINED) if (out / PRETRAINED).is_file() else {}
    if record.get("repo"):  # a checkpoint of the hub: its weights stay there
        fields["pretrained"] = {"repo": record["repo"], "revision": record["revision"]}
    return fields
