"""Measuring the validation clips under many recipes: the points that logit surfaces are fitted on.

Each finished point is on disk before the next one starts; a killed sweep goes on where it stopped.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch.quasirandom import SobolEngine
from tqdm import tqdm

from ..clap import Checkpoint
from ..edit import apply_recipe
from ..recipe import MEASURED_HIGH, MEASURED_LOW, Recipe
from ..surface import LogitSurface
from ..task_vector import TaskVector
from ..zero_shot import ZeroShotHead
from .datasets import MelStore
from .measure import embed_tasks
from .vectors import TASKS, labelled

HELD_OUT_SHARE = 5  # every fifth free point measures the surface's error
MAX_CLIPS = 160  # a task: bounds the time of a point to about three seconds on two cores


def sweep_points(vectors: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Recipes to measure, (p, n_vectors), and which of them are held out of the trial fit.

    Every vector alone along its range, the main vectors in pairs and together on a grid, the analogy's line, then Sobol
    points with two, three and all vectors active, as people drag few sliders at a time.
    """
    k = len(vectors)
    main, analogy = range(min(3, k)), range(3, k)
    grid: list[dict[int, float]] = [{}]
    grid += [{i: v} for i in main for v in np.arange(-10, 11) / 10 if v]
    grid += [{i: v} for i in analogy for v in np.arange(-5, 6) / 5 if v]
    steps = np.arange(1, 6) / 5
    grid += [{i: a, j: b} for i in main for j in main if i < j for a in steps for b in steps]
    grid += [dict.fromkeys(main, v) for v in np.arange(1, 11) / 10]
    if k == 6:
        grid += [{3: -v, 4: v, 5: v} for v in np.arange(1, 11) / 10]  # A, B, C of the analogy
    pairs = [(i, j) for i in range(k) for j in range(i + 1, k)]
    free: list[dict[int, float]] = []
    for active, n in ((2, 6 * len(pairs)), (3, 50), (k, 40)):
        draws = SobolEngine(active, scramble=True, seed=active).draw(n).double().numpy()
        draws = MEASURED_LOW + (MEASURED_HIGH - MEASURED_LOW) * draws
        rng = np.random.default_rng(active)
        for m, values in enumerate(draws):
            chosen = pairs[m % len(pairs)] if active == 2 else rng.choice(k, active, replace=False)
            free.append({int(i): round(float(v), 2) for i, v in zip(chosen, values, strict=True)})
    points = np.zeros((len(grid) + len(free), k))
    for row, entry in zip(points, grid + free, strict=True):
        for i, value in entry.items():
            row[i] = value
    held_out = np.zeros(len(points), bool)
    held_out[len(grid) :: HELD_OUT_SHARE] = True
    return points, held_out


def validation_clips(store: MelStore, task: str) -> tuple[list, np.ndarray]:
    """At most `MAX_CLIPS` validation clips of a task, spread over its classes, and their class indices."""
    rows, labels = labelled(store, task, "validation")
    drawn: dict[int, int] = {}
    rank = np.zeros(len(rows), int)
    for i in np.random.default_rng(0).permutation(len(rows)):
        rank[i] = drawn[labels[i]] = drawn.get(labels[i], -1) + 1
    chosen = np.sort(np.argsort(rank, kind="stable")[:MAX_CLIPS])
    return [rows[i] for i in chosen], np.asarray(labels)[chosen]


def sweep(
    checkpoint: Checkpoint,
    vectors: dict[str, TaskVector],
    heads: dict[str, ZeroShotHead],
    store: MelStore,
    work: Path,
) -> dict[str, LogitSurface]:
    """Measure all points (resuming those already on disk) and fit one surface a task."""
    points, held_out = sweep_points(list(vectors))
    clips = {task: validation_clips(store, task) for task in TASKS}
    work.mkdir(parents=True, exist_ok=True)
    key = {"pretrained": checkpoint.pretrained.sha256[:12]} | {n: v.sha256[:12] for n, v in vectors.items()}
    folder = work / ("sweep-" + "-".join(key.values()))
    folder.mkdir(exist_ok=True)
    for i, point in enumerate(tqdm(points, desc="sweep", unit="recipe")):
        if not (folder / f"{i}.npz").is_file():
            recipe = Recipe(checkpoint.name, dict(zip(vectors, map(float, point), strict=True)))
            _measure(checkpoint, vectors, heads, store, clips, recipe, folder / f"{i}.npz")
    measured = [np.load(folder / f"{i}.npz") for i in range(len(points))]
    return {
        task: LogitSurface.fit(
            task,
            "validation",
            list(vectors),
            points,
            np.stack([m[task] for m in measured]).astype(np.float32),
            clips[task][1],
            held_out,
        )
        for task in TASKS
    }


def _measure(checkpoint, vectors, heads, store, clips, recipe: Recipe, out: Path) -> None:
    weights = apply_recipe(checkpoint.pretrained, vectors, recipe)
    embedded = embed_tasks(checkpoint, store, {task: rows for task, (rows, _) in clips.items()}, weights)
    logits = {t: heads[t].logits(e, checkpoint.logit_scale).half().numpy() for t, e in embedded.items()}
    temporary = out.with_suffix(".partial")
    with temporary.open("wb") as file:
        np.savez(file, **logits)
    temporary.rename(out)
