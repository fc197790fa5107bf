"""Exact figures of a new recipe on 400 labelled windows: against load_state_dict and one forward pass a clip."""

from __future__ import annotations

import csv
import itertools
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from transformers import ClapModel

from taskvec_demo.core.recipe import Recipe
from taskvec_demo.serve.artifacts import Artifacts
from taskvec_demo.serve.workbench import Workbench

from .context import TINY, Context, new_recipe
from .machine import multiply_adds, product_seconds
from .measurement import Measurement, Peer, Target, in_turn, measured, median
from .peers import edit

TITLE = "Settle to exact figures"
METHOD = (
    "A recipe that was not asked before, measured by `Workbench.exact` on 400 clips of one window, from the rebuild to "
    "the last batch; the clips' features and the pre-trained model's answers are there, as after the page's first run. "
    "The peer has the same features: an edit by dictionaries, `load_state_dict`, then one forward pass a clip. Both "
    "must give the same answers."
)
CLIPS = 400
TASK = "esc50"
LIMIT_S, PEER_LIMIT = 1.0, 3
PATIENCE_S = 600


def run(context: Context) -> list[Measurement]:
    n = CLIPS
    workbench = _workbench(context, n)
    mel, _ = workbench.labelled.mel(0, n)
    matrix = workbench.artifacts.heads[TASK].matrix
    model = ClapModel.from_pretrained(TINY / "model", local_files_only=True, dtype=torch.float32).eval()
    numbers, first_seen = itertools.count(), []

    def ours(recipe: Recipe) -> np.ndarray:
        start = time.perf_counter()
        stream = workbench.exact(recipe)
        figures = next(stream)
        first_seen.append(1e3 * (time.perf_counter() - start))
        for figures in stream:  # noqa: B007 - the last one is what counts
            pass
        return figures.results[0].predicted_edited

    def naive(recipe: Recipe) -> np.ndarray:
        vectors = [workbench.vectors[name].tensors() for name in recipe.coefficients]
        base = workbench.checkpoint.pretrained.tensors()
        model.load_state_dict(edit(base, vectors, list(recipe.coefficients.values())), strict=False)
        with torch.inference_mode():
            heard = [model.get_audio_features(input_features=one[None]).pooler_output for one in mel]
        return (F.normalize(torch.cat(heard), dim=-1) @ matrix.T).argmax(-1).numpy()

    def recipe() -> Recipe:
        return new_recipe(workbench.name, workbench.vectors, next(numbers))

    work = n * multiply_adds(lambda: model.get_audio_features(input_features=mel[:1]))
    same = recipe()
    differing = int((ours(same) != naive(same)).sum())
    ways = {"ours": lambda: ours(recipe()), "naive": lambda: naive(recipe())}
    taken = in_turn(ways, context.repeats(7), scale=1)
    peer = Peer("naive loop", median(taken["naive"]))
    limit = Peer("their matrix products, by a large one's speed", product_seconds(work), "times")
    first = measured("the first figures of them", "ms", first_seen[2:])
    what = f"{n} windows, {len(workbench.vectors)} vectors"
    note = f"answers that differ from the naive loop's: {differing}"
    return [
        measured(what, "s", taken["ours"], target=Target("at most", LIMIT_S), note=note),
        measured(what, "s", taken["ours"], peer=peer, target=Target("at least", PEER_LIMIT, "ratio")),
        measured(what, "s", taken["ours"], peer=limit),
        first,
    ]


def _workbench(context: Context, n: int) -> Workbench:
    """A workbench with `n` labelled clips of one window, their features computed."""
    artifacts = Artifacts(TINY)
    task = artifacts.tasks[TASK]
    _write_data(context, context.folder / "data" / task.clips_folders[0], task.class_names, n)
    workbench = Workbench(artifacts, context.folder / "data")
    workbench.warm_up()
    workbench.labelled.start()
    end = time.monotonic() + PATIENCE_S
    while workbench.labelled.ready < n:
        if time.monotonic() > end:
            raise TimeoutError(f"the features of {n} clips were not there after {PATIENCE_S} s")
        time.sleep(0.1)
    return workbench


def _write_data(context: Context, folder: Path, classes: tuple[str, ...], n: int) -> None:
    folder.mkdir(parents=True)
    features = context.tiny.checkpoint.features
    with (folder / "clips.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("file", "label", "split"))
        for i in range(n):
            clip = context.clip(100_000 + i, features.sample_rate, features.n_samples / features.sample_rate)
            table.writerow((clip, classes[i % len(classes)], "validation"))
