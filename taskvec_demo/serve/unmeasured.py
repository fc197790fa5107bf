"""Artifacts for a checkpoint of which nothing was measured: the page opens on it, its figures are computed on demand.

What is written is small: a manifest that says where the weights lie, links to the task vectors, a zero-shot head for
each set of labelled recordings. It lies in the user's cache and is written anew at every start.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..clap import sources as checkpoints
from ..clap.embedded import EMBEDDED
from ..clap.model import Checkpoint
from ..core.recipe import QUERY_KEYS
from ..core.tasks import Task
from ..core.zero_shot import MAX_LABELS, ZeroShotHead
from ..errors import BadArtifactError
from ..recordings.layouts import detect, read_set
from ..recordings.splits import printable
from .artifacts import Artifacts, read_json, save_head, write_manifest
from .own_vectors import check_header, recipe_name

TEMPLATE = "This is a sound of {}."
TITLES = {"esc50": "ESC-50", "urbansound8k": "UrbanSound8K", "gtzan": "GTZAN", "ravdess": "RAVDESS", "emodb": "EmoDB"}
PARTS = ("vectors", "heads", "examples")  # what is written besides the manifest
HASH_LENGTH = 12  # hex digits of the weights in the folder's name

Say = Callable[[str], None]


def cache_folder() -> Path:
    """Where bare artifacts are kept: `$XDG_CACHE_HOME/taskvec_demo`, else `~/.cache/taskvec_demo`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "taskvec_demo"


def bare_artifacts(
    spec: str,
    vectors: Sequence[Path] = (),
    data: Path | None = None,
    out: Path | None = None,
    *,
    tokenizer: str | None = None,
    say: Say = lambda step: None,
) -> tuple[Artifacts, Checkpoint]:
    """Open a checkpoint (`checkpoints.open_checkpoint`) and write the artifacts that the app needs of it.

    Tasks: those of the embedded checkpoint where it is this one, else one for every set of recordings in `data`
    (`layouts.read_set`), else none. `out` is the folder, by default one for these weights in `cache_folder()`. `say` is
    told what is being done. Raises `BadArtifactError` or `IncompatibleWeightsError`.
    """
    source = checkpoints.resolve(spec)
    say(f"opening {spec}: {checkpoints.memory_needed(checkpoints.read_config(source)) / 1e9:.2f} GB of weights")
    checkpoint = checkpoints.open_checkpoint(spec, tokenizer=tokenizer)
    name = recipe_checkpoint(source.repo or source.name)
    if vectors:
        say(f"checking {len(vectors)} task vector{'s' if len(vectors) > 1 else ''}")
    named: dict[str, Path] = {}
    for path in vectors:
        own = check_header(path, checkpoint.pretrained, name)
        named[recipe_name(own, (*QUERY_KEYS, *named))] = path
    tasks, templates, labels = _texts(checkpoint, data)
    if tasks:
        say(f"reading the labels of {', '.join(t.title for t in tasks)}")
    heads = {t.name: _head(checkpoint, t) for t in tasks}
    sha256 = checkpoint.pretrained.sha256
    folder = out or cache_folder() / f"{name.replace('/', '--')}-{sha256[:HASH_LENGTH]}"
    _clear(folder)
    for vector, path in named.items():
        _link(path, folder / "vectors" / f"{vector}.safetensors")
    for task, head in heads.items():
        save_head(folder / "heads" / f"{task}.safetensors", head)
    shutil.copytree(EMBEDDED / "examples", folder / "examples")
    where: dict[str, Any] = {"repo": source.repo, "revision": source.revision}
    if source.repo is None:
        where = {"folder": str(source.path.resolve())}
    fields = {
        "checkpoint": name,
        "pretrained": {**where, **({"tokenizer": tokenizer} if tokenizer else {})},
        "pretrained_sha256": sha256,
        "tasks": [task.to_dict() for task in tasks],
        "vectors": list(named),
        "default_labels": labels,
        "templates": templates,
        "sources": [],
    }
    write_manifest(folder, fields)
    return Artifacts(folder), checkpoint


def _texts(checkpoint: Checkpoint, data: Path | None) -> tuple[list[Task], list[str], list[str]]:
    """Tasks, templates and default labels of a checkpoint: the embedded one has its own."""
    embedded = read_json(EMBEDDED / "manifest.json")
    if embedded["pretrained_sha256"] == checkpoint.pretrained.sha256:
        return [Task.from_dict(t) for t in embedded["tasks"]], embedded["templates"], embedded["default_labels"]
    tasks = tasks_of(data) if data is not None else []
    labels = list(dict.fromkeys(prompt for task in tasks for prompt in task.prompts))[:MAX_LABELS]
    return tasks, [TEMPLATE], labels if len(labels) > 1 else embedded["default_labels"]


def recipe_checkpoint(name: str) -> str:
    """What recipes may call a checkpoint: "name" or "owner/name", of letters, digits, "_", "-" and "."."""
    parts = [re.sub(r"[^A-Za-z0-9_.-]+", "_", part).strip("_.-")[:64] for part in name.split("/")]
    return "/".join(filter(None, parts)) or "checkpoint"


def tasks_of(data: Path) -> list[Task]:
    """One task for every set of recordings that lies in `data`, or for `data` where it is a set itself.

    Prompts are the labels with "_" as a space; ESC-50 is the control. Raises `BadArtifactError` where there is no set.
    """
    folders = sorted(p for p in data.iterdir() if p.is_dir()) if data.is_dir() else []
    sets = [folder for folder in folders if detect(folder)] or [data]
    tasks = [_task(folder, folder.relative_to(data).as_posix()) for folder in sets]
    twice = next((t.name for i, t in enumerate(tasks) if t.name in {other.name for other in tasks[:i]}), None)
    if twice is not None:
        raise BadArtifactError(f"{data} holds two sets that would both be called {twice!r}; rename one of the folders.")
    return tasks


def _task(folder: Path, below: str) -> Task:
    found = read_set(folder)
    gendered = found.layout == "gender_emotion"
    classes = {f"{r.gender}_{r.label}" if gendered else r.label for r in found.recordings}
    if len(classes) < 2:
        raise BadArtifactError(f"{folder} has the one label {classes.pop()!r}; a task needs two different ones.")
    names = tuple(sorted(classes))
    return Task(
        name=re.sub(r"[^A-Za-z0-9_-]+", "_", folder.resolve().name).strip("_-").lower() or "recordings",
        title=TITLES.get(found.layout, printable(folder.resolve().name)),
        role="control" if "esc" in folder.name.lower() or found.layout == "esc50" else "target",
        class_names=names,
        prompts=tuple(name.replace("_", " ") for name in names),
        templates=(TEMPLATE,),
        source=f"{printable(folder.resolve().name)}, read in the layout {found.layout}",
        licence="that of the recordings",
        clips_folder=below,
        clip_label=("gender", "label") if gendered else ("label",),
    )


def _head(checkpoint: Checkpoint, task: Task) -> ZeroShotHead:
    return ZeroShotHead.from_prompts(checkpoint.embed_text, task.class_names, task.prompts, task.templates)


def _clear(folder: Path) -> None:
    """Take away what an earlier start has written. A folder of something else is refused."""
    if folder.is_dir() and any(folder.iterdir()) and not _is_bare(folder):
        raise BadArtifactError(f"{folder} holds something else than artifacts of this kind; choose an empty folder.")
    (folder / "manifest.json").unlink(missing_ok=True)
    for part in PARTS:
        shutil.rmtree(folder / part, ignore_errors=True)


def _is_bare(folder: Path) -> bool:
    manifest = folder / "manifest.json"
    if not manifest.is_file():  # an earlier start was interrupted
        return {p.name for p in folder.iterdir() if not p.name.startswith(".")} <= set(PARTS)
    content = json.loads(manifest.read_text(encoding="utf-8"))
    return isinstance(content, Mapping) and "pretrained" in content


def _link(source: Path, target: Path) -> None:
    """A hard link where the file system allows one: full-size vectors have 56 MB each."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)
