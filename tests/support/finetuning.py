"""Fine-tunings on made-up clips, for the tests and for the processes that they start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from taskvec_demo.clap.model import Checkpoint
from taskvec_demo.core.task_vector import TaskVector
from taskvec_demo.core.tasks import Task
from taskvec_demo.lab.data.datasets import ClipRow, MelStore
from taskvec_demo.lab.data.fine_tuning import TRAINS, FineTuning
from taskvec_demo.lab.finetuning import finetune, training_state
from taskvec_demo.lab.tiny_clap.study import TINY

CLASSES = ("rain", "siren", "dog", "clock", "flute")
N_TRAIN, N_VALIDATION = 69, 30  # batches of 64 and of 5: two processes share them unequally
N_OTHER = 8  # training clips of another set, which can be rehearsed
SOUNDS = Task("sounds", "Sounds", "target", CLASSES, CLASSES, TINY.templates, "random numbers", "CC0", ("sounds",))
SPECS = {
    f.vector: f
    for f in (
        *(FineTuning(trains, "sounds", epochs=2, peak_rate=2e-3, trains=trains, rank=4) for trains in TRAINS),
        FineTuning("long", "sounds", epochs=12, peak_rate=3e-3),
        FineTuning("mean", "sounds", epochs=2, peak_rate=2e-3, runs=2),
        FineTuning("still", "sounds", epochs=1, peak_rate=0.0),
        FineTuning("projection", "sounds", epochs=1, peak_rate=0.0, rehearsal=1.0, projection=80),
        FineTuning("rehearsed", "sounds", epochs=12, peak_rate=3e-3, rehearsal=10.0),
        FineTuning("briefly-rehearsed", "sounds", epochs=2, peak_rate=2e-3, rehearsal=10.0, projection=3),
    )
}
STUDY = replace(TINY, bits=8, tasks={**TINY.tasks, "sounds": SOUNDS}, fine_tunings=SPECS)


def clips() -> MelStore:
    """Made-up clips: each class has a spectrum of its own under noise, so that it can be learned."""
    rng = np.random.default_rng(0)
    spectra = {name: rng.normal(-40, 15, 64) for name in (*CLASSES, "drum")}
    rows = [
        ClipRow("sounds", f"{split}{i}.wav", CLASSES[i % len(CLASSES)], split, f"{split}{i}", "")
        for split, n in (("train", N_TRAIN), ("validation", N_VALIDATION))
        for i in range(n)
    ]
    rows += [ClipRow("drums", f"other{i}.wav", "drum", "train", f"other{i}", "") for i in range(N_OTHER)]
    rows = [replace(r, first_window=i) for i, r in enumerate(rows)]
    mel = np.stack([rng.normal(0, 4, (256, 64)) + spectra[r.label] for r in rows])
    return MelStore(rows, mel.astype(np.float16))


def open_checkpoint(folder: Path) -> Checkpoint:
    """The checkpoint without stochastic depth, whose random draws differ between one process and two."""
    checkpoint = Checkpoint.from_folder(folder, "tiny-clap")
    checkpoint.model.config.audio_config.drop_path_rate = 0.0
    return checkpoint


def trained(checkpoint: Checkpoint, folder: Path, name: str, **options) -> TaskVector:
    out = folder / f"{name}.safetensors"
    options = {"precision": "float32", "work": folder, **options}
    return finetune.finetune(checkpoint, clips(), STUDY, SPECS[name], out, **options)


def train_all(model: Path, folder: Path, names: Sequence[str], save_seconds: float | None = None) -> None:
    """Train these vectors of `STUDY` in turn, from the checkpoint in `model`, in a process of its own."""
    if save_seconds is not None:
        training_state.SAVE_SECONDS = save_seconds
    for name in names:
        trained(open_checkpoint(model), folder, name)
