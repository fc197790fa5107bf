"""An experiment is what every measurement needs: a checkpoint, its study, its vectors and heads, and the recordings."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ...clap.model import Checkpoint, Precision
from ...clap.sources import Source, open_checkpoint, resolve
from ...core.files import whole_folder
from ...core.task_vector import TaskVector
from ...core.zero_shot import ZeroShotHead
from ...errors import TaskVecError
from ...serve.artifacts import read_json, write_json
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


def stored_vectors(folder: Path, study: Study) -> dict[str, TaskVector]:
    """The vectors of a study in `folder`/vectors. Raises TaskVecError if one is not there."""
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

    A checkpoint of the hub stays there; the folder of any other is copied. The record is written last, so a refused
    checkpoint leaves the folder as it was.

    Raises TaskVecError if the folder is about another checkpoint already, and for a file of tensors.
    """
    record = folder / PRETRAINED
    if record.is_file():
        known = read_json(record)["spec"]
    else:
        known = folder.name if (folder / "model").exists() or (folder / "manifest.json").exists() else spec
    if known != spec:
        raise TaskVecError(f"{folder} is about the checkpoint {known!r}, not {spec!r}; give another --artifacts.")
    source = resolve(spec)
    if source.repo is None and not (folder / "model").is_dir():
        _copy(source, folder / "model")
    if not record.is_file():
        fields = {"spec": spec, "name": source.name, "repo": source.repo, "revision": source.revision}
        write_json(record, fields | {"sha256": source.sha256})


def _copy(source: Source, out: Path) -> None:
    """Copy the files of a checkpoint folder."""
    if not source.path.is_dir():
        raise TaskVecError(
            f"{source.path} is no folder of a checkpoint: run `python -m taskvec_demo convert {source.path} --out "
            "FOLDER` first, then give that folder."
        )
    with whole_folder(out) as temporary:
        shutil.copytree(source.path, temporary, dirs_exist_ok=True)


def open_pretrained(study: Study, folder: Path, precision: Precision = "float32") -> Checkpoint:
    """The checkpoint that `folder` is about: in its own `model/`, or on the hub."""
    record = read_json(folder / PRETRAINED) if (folder / PRETRAINED).is_file() else {}
    name = record.get("name") or study.checkpoint or folder.name
    if record.get("repo"):
        return open_checkpoint(resolve(record["repo"], record["revision"]), precision=precision)
    return Checkpoint.from_folder(folder / "model", name, precision)
