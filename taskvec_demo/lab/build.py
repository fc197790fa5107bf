"""From trained towers to `precomputed/<checkpoint>/`: every step is skipped when its result is already there."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file

from ..artifacts import Artifacts, save_head, write_json, write_manifest
from ..clap import Checkpoint, new_model, save_checkpoint
from ..errors import TaskVecError
from ..task_vector import TaskVector
from ..zero_shot import ZeroShotHead
from . import tiny
from .captions import TEMPLATES
from .datasets import MelStore
from .finetune import finetune
from .measure import fast_precision
from .reworded import reworded
from .sweep import sweep
from .synth import write_examples, write_labelled_set
from .tables import write_tables
from .vectors import DEFAULT_LABELS, FINE_TUNINGS, TASKS

NAME = "tiny-clap"
SOURCES = (
    ("ESC-10", "Piczak 2015", "CC BY 3.0 (clips CC0, CC BY, Sampling+)"),
    ("UrbanSound8K, folds 1, 2 and 10", "Salamon et al. 2014", "CC BY-NC 3.0"),
    ("RAVDESS speech", "Livingstone & Russo 2018", "CC BY-NC-SA 4.0"),
    ("Philharmonia sound samples", "Philharmonia Orchestra", "CC BY-SA 3.0"),
    ("Free Spoken Digit Dataset", "Jackson et al.", "CC BY-SA 4.0"),
    ("Animal sounds", "unknown", "none stated"),
    ("Drum hits", "unknown", "none stated"),
    ("WordNet 3.0 (phrases)", "Princeton University", "WordNet licence"),
    ("all-MiniLM-L6-v2 (text teacher)", "sentence-transformers", "Apache-2.0"),
)
COMMANDS = ("distil-text", "pretrain", "finetune", "sweep", "tables", "build")


def assemble(work: Path, out: Path) -> None:
    """Join the trained audio and text towers into one `ClapModel` folder, in float16."""
    for needed, command in (
        (work / "audio.safetensors", "pretrain"),
        (work / "text" / "text.safetensors", "distil-text"),
    ):
        if not needed.is_file():
            raise TaskVecError(f"{needed} is missing: run `python -m taskvec_demo {command}` first.")
    text_config = json.loads((work / "text" / "text_config.json").read_text())
    model = new_model(tiny.AUDIO, text_config, tiny.DIM)
    state = load_file(work / "audio.safetensors") | load_file(work / "text" / "text.safetensors")
    state["logit_scale_t"] = torch.tensor(math.log(1 / 0.07))  # text -> audio: untrained, as nothing here uses it
    missing, unexpected = model.load_state_dict(state, strict=False)
    # Index buffers are made by the constructor; anything else missing means that the two halves do not fit.
    missing = [m for m in missing if not m.endswith(("relative_position_index", "position_ids", "token_type_ids"))]
    if missing or unexpected:
        raise TaskVecError(
            f"The trained towers do not fit the model: missing {missing[:3]}, unexpected {unexpected[:3]}."
        )
    temporary = out.with_name(".model.partial")
    shutil.rmtree(temporary, ignore_errors=True)
    save_checkpoint(temporary, model, tiny.PREPROCESSOR, work / "text" / "tokenizer")
    shutil.rmtree(out, ignore_errors=True)
    temporary.rename(out)


def finetune_all(work: Path, data: Path, out: Path, only: str | None = None) -> dict[str, TaskVector]:
    """Fine-tune every vector that is not there yet for the checkpoint in `out/model`."""
    if not (out / "model" / "config.json").is_file():
        assemble(work, out / "model")
    checkpoint = Checkpoint.from_folder(out / "model", NAME)
    store = MelStore.open(work, data, checkpoint.features)
    if only is not None and only not in FINE_TUNINGS:
        raise TaskVecError(f"There is no vector {only!r}; choose one of: {', '.join(FINE_TUNINGS)}.")
    vectors = {}
    for name, spec in FINE_TUNINGS.items():
        if only not in (None, name):
            continue
        path = out / "vectors" / f"{name}.safetensors"
        vector = TaskVector.load(path) if path.is_file() else None
        if vector is None or vector.pretrained_sha256 != checkpoint.pretrained.sha256:
            vector = finetune(checkpoint, store, spec, path)
        vectors[name] = vector
    return vectors


def build(work: Path, data: Path, out: Path) -> Artifacts:
    """Write everything under `out` (model, vectors, heads, surfaces, tables, examples, manifest) and open it."""
    vectors = finetune_all(work, data, out)
    checkpoint = Checkpoint.from_folder(out / "model", NAME, fast_precision())
    store = MelStore.open(work, data, checkpoint.features)
    heads = {}
    for name, task in TASKS.items():
        heads[name] = ZeroShotHead.from_prompts(checkpoint.embed_text, task.class_names, task.prompts, task.templates)
        save_head(out / "heads" / f"{name}.safetensors", heads[name])
    for name, surface in sweep(checkpoint, vectors, heads, store, work).items():
        surface.save(out / "surfaces" / f"{name}.validation.safetensors")
    write_tables(checkpoint, vectors, heads, store, work, out)
    write_json(out / "tables" / "rewordings.json", reworded(checkpoint, store))
    agreement = work / "text" / "text_agreement.json"
    if agreement.is_file():
        write_json(out / "tables" / agreement.name, json.loads(agreement.read_text()))
    write_examples(out / "examples")
    write_labelled_set(out / "synthesized")
    write_manifest(
        out,
        {
            "checkpoint": checkpoint.name,
            "pretrained_sha256": checkpoint.pretrained.sha256,
            "tasks": [t.to_dict() for t in TASKS.values()],
            "vectors": list(vectors),
            "default_labels": list(DEFAULT_LABELS),
            "templates": list(TEMPLATES),
            "sources": [dict(zip(("name", "author", "licence"), s, strict=True)) for s in SOURCES],
            "commands": [f"python -m taskvec_demo {c}" for c in COMMANDS],
        },
    )
    return Artifacts(out)
