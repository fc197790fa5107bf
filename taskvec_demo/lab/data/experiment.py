"""An experiment is what every measurement needs: a checkpoint, its study, its vectors and heads, and the recordings."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ...clap.model import Checkpoint, Precision
from ...clap.sources import DESCRIBING, Source, open_checkpoint, resolve
from ...core.files import whole_folder
from ...core.recipe import recipe_checkpoint
from ...core.task_vector import TaskVector
from ...core.zero_shot import ZeroShotHead
from ...errors import TaskVecError
from ...serve.artifacts import read_json, write_json
from .arguments import STUDIES
from .datasets import ClipRow, MelStore
from .study import Study


@dataclass(frozen=True)
class Experiment:
    """`heads` has one head for each task of `study`. `vectors` may be fewer than the study fine-tunes, or more."""

    study: Study
    checkpoint: Checkpoint
    vectors: Mapping[str, TaskVector]
    heads: Mapping[str, ZeroShotHead]
    store: MelStore


def task_heads(checkpoint: Checkpoint, study: Study) -> dict[str, ZeroShotHead]:
    """Task -> its head, from the checkpoint's text tower."""
    return {
        t.name: ZeroShotHead.from_prompts(checkpoint.embed_text, t.class_names, t.prompts, t.templates)
        for t in study.tasks.values()
    }


def check_study(folder: Path, study: Study) -> None:
    """Raise TaskVecError if `folder` was built for other tasks than those of `study`."""
    path = folder / "manifest.json"
    built = [str(task["name"]) for task in read_json(path).get("tasks", [])] if path.is_file() else []
    if built and set(built) != study.tasks.keys():
        raise TaskVecError(
            f"{folder} has the tasks {', '.join(built)}, not those of the study {study.name!r}: say with --study which "
            f"one it was built for ({' or '.join(STUDIES)})."
        )


def stored_vectors(folder: Path, study: Study) -> dict[str, TaskVector]:
    """The vectors of a study in `folder`/vectors. Raises TaskVecError if one is not there, or of another study."""
    check_study(folder, study)
    absent = [v for v in study.fine_tunings if not (folder / "vectors" / f"{v}.safetensors").is_file()]
    if absent:
        raise TaskVecError(f"{folder} lacks the vectors {', '.join(absent)}: run `python -m taskvec_demo finetune`.")
    return {v: TaskVector.load(folder / "vectors" / f"{v}.safetensors") for v in study.fine_tunings}


def open_experiment(
    study: Study,
    folder: Path,
    data: Path,
    work: Path,
    *,
    precision: Precision = "float32",
    rows: list[ClipRow] | None = None,
) -> Experiment:
    """The experiment in `folder` as far as it is made, with all recordings in `data` or only `rows` of them.

    It is measured in float32 unless another precision is given: figures should not depend on the machine.
    """
    vectors = stored_vectors(folder, study)
    checkpoint = open_pretrained(study, folder, precision)
    store = MelStore.open(work, data, checkpoint.features, study.read_rows(data) if rows is None else rows)
    return Experiment(study, checkpoint, vectors, task_heads(checkpoint, study), store)


PRETRAINED = "pretrained.json"  # which checkpoint a folder of artifacts is about


def place_pretrained(folder: Path, spec: str) -> None:
    """Write into `folder` which checkpoint it is about.

    A checkpoint of the hub stays there; the files of any other are copied. The record is written last, so a refused
    checkpoint leaves the folder as it was. It is published with the folder, so a path of this machine is not in it.

    Raises TaskVecError if the folder is about another checkpoint already, and for a file of tensors.
    """
    record = folder / PRETRAINED
    if record.is_file():
        known = read_json(record)
    elif (folder / "model").exists():
        known = {"name": folder.name, "sha256": resolve(str(folder / "model")).sha256}
    else:
        known = {"name": folder.name} if (folder / "manifest.json").exists() else {}
    source = resolve(spec)
    if known and (known.get("repo"), known.get("sha256")) != (source.repo, source.sha256):
        name = known.get("repo") or known["name"]
        raise TaskVecError(f"{folder} is about the checkpoint {name!r}, not {spec!r}; give another --artifacts.")
    if source.repo is None and not (folder / "model").is_dir():
        _copy(source, folder / "model")
    if not record.is_file():
        fields = {"spec": source.repo or source.name, "name": recipe_checkpoint(source.name), "repo": source.repo}
        write_json(record, fields | {"revision": source.revision, "sha256": source.sha256})


def _copy(source: Source, out: Path) -> None:
    """Copy a checkpoint folder's weights and what describes them; a trainer may have left more beside them."""
    if not source.path.is_dir():
        raise TaskVecError(
            f"{source.path} is no folder of a checkpoint: run `python -m taskvec_demo convert {source.path} --out "
            "FOLDER` first, then give that folder."
        )
    with whole_folder(out) as temporary:
        described = (file for kind in (*DESCRIBING, "*.index.json") for file in source.path.glob(kind))
        for file in (*source.files, *described):
            shutil.copy(file, temporary)


def open_pretrained(study: Study, folder: Path, precision: Precision = "float32") -> Checkpoint:
    """The checkpoint that `folder` is about: in its own `model/`, or on the hub."""
    record = read_json(folder / PRETRAINED) if (folder / PRETRAINED).is_file() else {}
    name = record.get("name") or study.checkpoint or folder.name
    if record.get("repo"):
        return open_checkpoint(resolve(record["repo"], record["revision"]), precision=precision)
    return Checkpoint.from_folder(folder / "model", name, precision)
