"""Python's answers for random inputs, as JSON. The browser's modules must give the same.

`python -m tests.support.web_vectors` writes the file that the tests in tests/ui/web read.
"""

from __future__ import annotations

import base64
import itertools
import json
import math
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from taskvec_demo.core.evaluation import CONTROL_KEPT, Accuracy, TaskResult, percent
from taskvec_demo.core.intervals import mcnemar, wilson
from taskvec_demo.core.recipe import MEASURED_HIGH, MEASURED_LOW, SLIDER_MAX
from taskvec_demo.core.surface import LogitSurface, sparse_exponents
from taskvec_demo.core.tasks import Task
from taskvec_demo.errors import BadRecipeError
from taskvec_demo.ui.controls import ControlValues
from taskvec_demo.ui.html.bars import badge_text
from taskvec_demo.ui.html.verdict import verdict
from tests.support.paths import ARTIFACTS, ROOT

FILE = ROOT / "tests" / "ui" / "web" / "vectors.json"
SURFACES = sorted((ARTIFACTS / "surfaces").glob("*.validation.safetensors"))
EVERY = 9  # of the clips that logits are written of; predictions are written of all
CLEAR = 1e-3  # between the two highest logits; a smaller difference may go either way in float32
# Names that every JavaScript object has, and names of the usual form
ROWS = ("urban", "instruments", "a.b", "x-1", "constructor", "toString", "valueOf", "hasOwnProperty")
AIMS = (("hold", "control"), ("hold", "target"), ("forget", "target"), ("learn", "target"))
N, COUNTS = 80, (0, 9, 36, 40, 43, 72, 76, 80)  # clips of a task, and how many of them a model has right
FLIPS = (0, 1, 2, 5, 6, 40, 700)  # clips that one of two models alone has right
ERRORS = [
    [],
    [(0.012, 0.034)],
    [(0.0125, 0.03125), (0.0375, 0.0625)],  # ties: halves upwards in both
    [(0.01, math.nan), (0.02, 0.045)],
    [(0.01, math.nan)],
]


def vectors() -> dict[str, Any]:
    pairs = [(k, n) for n in (1, 2, 7, 40, 160) for k in sorted({0, 1, n // 3, n - 1, n})]
    return {
        "low": MEASURED_LOW,
        "high": MEASURED_HIGH,
        "sliderMax": SLIDER_MAX,
        "controlKept": CONTROL_KEPT,
        "wilson": [[k, n, *wilson(k, n)] for k, n in pairs],
        "percent": [[k / n, percent(k / n)] for k, n in pairs],
        "badges": [badge(errors) for errors in ERRORS],
        "verdicts": [judged(*case) for case in itertools.product(AIMS, COUNTS, COUNTS, (None, 0.6, 0.9))],
        "mcnemar": [[lost, gained, discordant(lost, gained)] for lost in FLIPS for gained in FLIPS],
        "answers": [answers(seed) for seed in range(3)],
        "rows": ROWS,
        "controls": controls(400),
        "surfaces": [*(surface(path) for path in SURFACES), in_directions()],
        "chosenTerms": chosen_terms(),
    }


def judged(aim: tuple[str, str], before: int, after: int, finetuned: float | None) -> dict[str, Any]:
    """The verdict on a task of N clips of which this many are right before and after."""
    now = Accuracy.of(np.arange(N) < after)
    found = verdict(aim[0], aim[1], before / N, now, finetuned)  # type: ignore[arg-type]
    return {
        **{"aim": aim[0], "role": aim[1], "before": before / N, "after": now.accuracy, "interval": [now.low, now.high]},
        **{"finetuned": finetuned, "word": found.word, "state": found.state},
    }


def random_recipes(names: list[str] | tuple[str, ...], n: int, seed: int = 0) -> list[dict[str, float]]:
    """Recipes of one vector or more within the measured box."""
    rng = np.random.default_rng(seed)
    recipes = []
    for _ in range(n):
        some = rng.choice(names, rng.integers(1, len(names) + 1), replace=False)
        recipes.append({str(v): float(np.round(rng.uniform(MEASURED_LOW, MEASURED_HIGH), 2)) for v in some})
    return [{v: x for v, x in recipe.items() if x} for recipe in recipes]


def discordant(lost: int, gained: int) -> float:
    """McNemar's p for two models of which one alone is right on `lost` clips, and the other alone on `gained`."""
    first = np.repeat([True, False, True], [lost, gained, 9])
    return mcnemar(first, np.repeat([False, True, True], [lost, gained, 9]))


def answers(seed: int, classes: int = 7, n: int = 60) -> dict[str, Any]:
    """Random labels and answers of two models, and what `TaskResult` counts of them."""
    labels, before, after = np.random.default_rng(seed).integers(0, classes, (3, n))
    after = np.where(labels % 2 == 0, before, after)  # half of the classes stay as they are
    task = Task("t", "T", "target", *(2 * (tuple("abcdefg"),)), ("{}",), "", "")
    result = TaskResult(task, "validation", "exact", labels, before, after)
    return {
        "classes": classes,
        **{"labels": labels.tolist(), "before": before.tolist(), "after": after.tolist()},
        "confusion": np.bincount(labels * classes + after, minlength=classes**2).tolist(),
        "recalls": [[b.n, round(b.n * b.accuracy), round(a.n * a.accuracy)] for _, b, a in result.per_class],
        "p": result.mcnemar_p,
    }


def badge(errors: list[tuple[float, float]]) -> dict[str, Any]:
    none = np.empty(0, np.int64)
    task = Task("t", "T", "target", ("a", "b"), ("a", "b"), ("{}",), "", "")
    results = [TaskResult(task, "validation", "estimate", none, none, none, *pair) for pair in errors]
    return {"errors": [{"error": error} for error, _ in errors], "text": badge_text(results)}


def controls(n: int) -> list[dict[str, Any]]:
    """Random values of all controls, and the recipe, formula and address that they mean, or why they mean none."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(n):
        values = random_controls(rng)
        try:
            recipe = ControlValues(ROWS, tuple(values)).recipe("tiny")
        except BadRecipeError as error:
            found.append({"values": values, "problem": str(error)})
            continue
        meaning = {"recipe": list(recipe.coefficients.items()), "formula": recipe.formula(order=ROWS)}
        found.append({"values": values, **meaning, "query": recipe.to_query()})
    return found


def random_controls(rng: np.random.Generator) -> list[Any]:
    rows: list[Any] = []
    for _ in ROWS:
        coef = rng.choice(
            [0, -0.5, 1, round(float(rng.uniform(-1, 1)), 2), None, 7, -1.5], p=[0.1, *[0.289] * 3, *[0.011] * 3]
        )
        rows += [bool(rng.integers(2)), None if coef is None else float(coef)]
    abc = [str(x) for x in rng.choice(ROWS, 3, replace=rng.random() < 0.3)]
    return [*(bool(rng.integers(2)) for _ in range(3)), *rows, *abc, round(float(rng.uniform(0, 1)), 2)]


def in_directions() -> dict[str, Any]:
    """A surface with fewer directions than terms, as `surface` gives it."""
    rng, vectors = np.random.default_rng(0), ("left", "right", "up", "down")
    points = np.concatenate([np.zeros((1, 4)), rng.uniform(MEASURED_LOW, MEASURED_HIGH, (200, 4))])
    powers = sparse_exponents(4, range(4))
    logits = 4 * rng.normal(size=200) + (points @ rng.normal(size=(4, 200)) + points**2 @ rng.normal(size=(4, 200)))
    logits, held_out = logits.reshape(-1, 40, 5), np.arange(len(points)) % 5 == 4
    fitted = LogitSurface.fit(
        "made-up", "validation", vectors, points, logits, rng.integers(0, 5, 40), held_out, powers
    )
    assert len(fitted.directions) < len(powers)
    with TemporaryDirectory() as folder:
        fitted.save(Path(folder) / "made-up.safetensors")
        return surface(Path(folder) / "made-up.safetensors")


def surface(path: Path) -> dict[str, Any]:
    """One surface file and what Python reads from it: at random recipes, and along a drag."""
    own = LogitSurface.load(path)
    a, b, c = own.vectors[:3]
    # Steps of one λ, then of another, of two at once, of none
    drag = [{a: 0.5}, *({a: 0.5, b: x} for x in (0.1, 0.2, -0.7, 0.2)), *({a: x, b: 0.2} for x in (0.6, 0, -0.33))]
    drag += [{b: 0.4, c: 0.9}, {b: 0.4, c: 0.8}, {b: 0.4, c: 0.8}, {}, {a: 0.05}, {a: 0.11}]
    beyond = [{a: 1.0}, {a: -1.0}, {a: 1.01}, {"nobody": 0.1}, {"constructor": 0.1}, {"__proto__": 0.1}]
    return {
        "task": own.task,
        "file": base64.b64encode(path.read_bytes()).decode(),
        "every": EVERY,
        "recipes": [answer(own, recipe) for recipe in [{}, *random_recipes(own.vectors, 8)]],
        "drag": [answer(own, recipe) for recipe in drag],
        "beyond": [{"recipe": list(r.items()), "contains": own.contains(r)} for r in beyond],
        "plane": plane(own, (a, b), {c: 0.3}),
    }


def plane(own: LogitSurface, axes: tuple[str, str], others: dict[str, float]) -> dict[str, Any]:
    """Accuracies at points of the map over two λ, and how many clips are near a tie there."""
    points = [(-1.0, -1.0), (0.0, 0.0), (0.55, -0.35), (1.0, 0.05)]
    said = [answer(own, {**others, axes[0]: x, axes[1]: y}) for x, y in points]
    at = [
        {
            "at": point,
            "accuracy": float(np.mean(np.asarray(found["measured"] or found["predicted"]) == own.labels)),
            "ties": found["predicted"].count(-1) / len(own.labels),
        }
        for point, found in zip(points, said, strict=True)
    ]
    return {"axes": axes, "others": list(others.items()), "at": at}


def answer(own: LogitSurface, recipe: dict[str, float]) -> dict[str, Any]:
    logits = own.logits(recipe)
    top = np.sort(logits, -1)
    clear = top[:, -1] - top[:, -2] > CLEAR
    measured = own.measured(recipe)
    return {
        "recipe": list(recipe.items()),
        "logits": [round(float(x), 6) for x in logits[::EVERY].ravel()],
        "largest": float(np.abs(logits).max()),
        "predicted": np.where(clear, logits.argmax(-1), -1).tolist(),  # -1: a tie
        "contains": own.contains(recipe),
        "measured": None if measured is None else measured.tolist(),
    }


def chosen_terms() -> dict[str, Any]:
    """A file that lists its terms (tensor `powers`): then these count, not all of bounded degree."""
    tensors = {
        "coefficients": ("I8", [2, 1, 2], np.array([[[127, 0]], [[0, -3]]], np.int8).tobytes()),
        "steps": ("F32", [2], np.array([0.5, 2], np.float32).tobytes()),
        "powers": ("U8", [2, 2], bytes([0, 0, 1, 2])),
        "labels": ("U8", [1], bytes([1])),
        "points": ("F64", [1, 2], np.zeros((1, 2)).tobytes()),
        "predictions": ("U8", [1, 1], bytes([0])),
    }
    entries, data = {}, b""
    for name, (dtype, shape, content) in tensors.items():
        entries[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    metadata = {"vectors": "p,q", "error": "0.01", "n_held_out": "1", "task": "t", "split": "validation"}
    text = json.dumps({"__metadata__": metadata, **entries}).encode()
    file = base64.b64encode(len(text).to_bytes(8, "little") + text + data).decode()
    # T_0 T_0 and T_1(p) T_2(q)
    return {"file": file, "recipe": [["p", 0.5], ["q", 0.5]], "logits": [63.5, -6 * 0.5 * (2 * 0.25 - 1)]}


def write(path: Path = FILE) -> None:
    path.write_text(json.dumps(vectors()), encoding="utf-8")


if __name__ == "__main__":
    write()
