"""What the study claims: each claim with its figures on test clips, and whether they reach what was set beforehand."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ....core.intervals import mcnemar
from ....recordings.splits import TEST
from ..relations.gains import discoveries
from ..wording import claim_entry, points_between, signed
from .budget import allocation
from .points import Point, mean_difference

WINS = 5 / 7  # of the tasks: open gates beat the linear heads there
KEPT, SPENT = 0.9, 0.1  # of the gain, of the parameters
RESAMPLES = 2000
MEASURES = ("parameters", "flops")
OF = {"parameters": "parameters", "flops": "operations"}

ByTask = Mapping[str, Sequence[Point]]


def claims(by_task: ByTask) -> list[dict[str, Any]]:
    """The study's claims, each an entry of `wording.claim_entry`."""
    monotone = [_monotone(by_task, measure) for measure in MEASURES]
    return [_open_beats_heads(by_task), *monotone, *_cheap(by_task), _allocate(by_task)]


def named(points: Sequence[Point], name: str) -> Point | None:
    return next((p for p in points if p.name == name), None)


def _pairs(by_task: ByTask, a: str, b: str) -> dict[str, tuple[Point, Point]]:
    """Task -> its points of these names, for the tasks that have both."""
    return {t: (x, y) for t, points in by_task.items() if (x := named(points, a)) and (y := named(points, b))}


def _open_and_heads(by_task: ByTask) -> tuple[list[Point], list[Point]]:
    pairs = _pairs(by_task, "open", "multi-head").values()
    return [x for x, _ in pairs], [y for _, y in pairs]


# ---- do adapters help? ----------------------------------------------------------------------------------------------
def _open_beats_heads(by_task: ByTask) -> dict[str, Any]:
    pairs = _pairs(by_task, "open", "multi-head")
    gains = [float(x.right[TEST].mean() - y.right[TEST].mean()) for x, y in pairs.values()]
    ps = [mcnemar(x.right[TEST], y.right[TEST]) for x, y in pairs.values()]
    marks = discoveries(ps)
    wins = sum(mark and gain > 0 for mark, gain in zip(marks, gains, strict=True))
    losses = sum(mark and gain < 0 for mark, gain in zip(marks, gains, strict=True))
    needed = math.ceil(WINS * len(pairs))
    mean = mean_difference(*_open_and_heads(by_task), TEST)
    tasks = [
        {"task": t, "gain": round(gain, 4), "p": float(f"{p:.4g}"), "significant": bool(mark)}
        for t, gain, p, mark in zip(pairs, gains, ps, marks, strict=True)
    ]
    return claim_entry(
        "open",
        f"Adapters with all gates open beat linear heads on at least {needed} of {len(pairs)} tasks.",
        wins >= needed,
        f"They do on {wins}, and are worse on {losses}, beyond chance (McNemar's exact test, Benjamini-Hochberg at 5 % "
        f"false discoveries). The mean gain is {_in_words(mean)}.",
        {"wins": wins, "losses": losses, "gain": mean, "tasks": tasks},
    )


def _monotone(by_task: ByTask, measure: str) -> dict[str, Any]:
    """No dearer price of the curve may be worse than a cheaper one beyond the interval of their difference."""
    priced = [p.name for p in next(iter(by_task.values())) if p.measure == measure]
    dearer = sorted(priced, key=lambda name: _total(by_task, name, measure))
    names = ["multi-head", *dearer, "open"]
    worse, better, n = [], 0, 0
    for i, cheap in enumerate(names):
        for dear in names[i + 1 :]:
            pairs = _pairs(by_task, dear, cheap).values()
            gain = mean_difference([x for x, _ in pairs], [y for _, y in pairs], TEST)
            n = int(gain["n"])
            if gain["high"] < 0:
                worse.append({"dear": dear, "cheap": cheap, **gain})
            better += gain["low"] > 0
    pairs_of_points = len(names) * (len(names) - 1) // 2
    return claim_entry(
        f"monotone-{measure}",
        f"Priced by {OF[measure]}, no dearer adapters are worse than cheaper ones beyond the interval.",
        not worse,
        f"Of {pairs_of_points} pairs of points along the curve the dearer one is worse beyond the 95 % interval of the "
        f"difference in {len(worse)}, and better in {better} (n = {n}).",
        {"pairs": pairs_of_points, "worse": worse, "better": better, "n": n},
    )


def _total(by_task: ByTask, name: str, measure: str) -> float:
    return float(sum(getattr(p, measure) for points in by_task.values() if (p := named(points, name))))


# ---- how much of it is cheap? ---------------------------------------------------------------------------------------
def _cheap(by_task: ByTask) -> list[dict[str, Any]]:
    """The share of the gain that is kept when the tasks' best points share a tenth of the parameters."""
    tasks = list(by_task.values())
    opened, heads = _open_and_heads(by_task)
    vectors = [v.parameters for points in tasks if (v := named(points, "vector"))]
    base = sum(p.parameters for p in heads)
    full = sum(p.parameters for p in opened) - base
    limits = [("open", "those of open adapters", SPENT * full)]
    if vectors:
        limits.append(("vector", "those of a vector for each task", SPENT * len(tasks) * float(np.mean(vectors))))
    return [_kept_within(tasks, opened, heads, *limit) for limit in limits]


def _kept_within(
    tasks: Sequence[Sequence[Point]],
    opened: Sequence[Point],
    heads: Sequence[Point],
    name: str,
    words: str,
    limit: float,
) -> dict[str, Any]:
    base = sum(p.parameters for p in heads)
    chosen = allocation(tasks, "parameters", base + limit)
    share, low, high = kept_share(chosen, opened, heads)
    spent, allowed = int(sum(p.parameters for p in chosen)), round(base + limit)
    kept, of_all = f"{100 * KEPT:.0f} % of the gain", f"{100 * SPENT:.0f} % of the parameters"
    claim = f"What validation picks keeps {kept} with {of_all}: {words}."
    figures = {"share": _number(share), "low": _number(low), "high": _number(high), "spent": spent}
    figures |= {"allowed": allowed}
    if not math.isfinite(share):
        told = "That open gates gain anything is not shown here, so there is nothing to keep a share of."
        return claim_entry(f"cheap-{name}", claim, False, told, figures, sure=False)
    n = sum(len(p.right[TEST]) for p in chosen)
    return claim_entry(
        f"cheap-{name}",
        claim,
        share >= KEPT,
        f"The points picked keep {100 * share:.0f} % of what open adapters gain over linear heads (95 % "
        f"{signed(100 * low, 0)} to {signed(100 * high, 0)}, n = {n}), with {spent - base:,} parameters beyond those "
        f"of the heads; {allowed - base:,} were allowed.",
        figures,
        sure=low >= KEPT or high < KEPT,
    )


def kept_share(
    chosen: Sequence[Point], opened: Sequence[Point], heads: Sequence[Point], seed: int = 0
) -> tuple[float, float, float]:
    """(chosen − heads) / (open − heads) of the mean test accuracies, with a bootstrap interval over clips.

    Not a number unless the mean gain of open gates is above 0 beyond its own interval: a share of nothing is anything.
    """
    draw = np.random.default_rng(seed)
    mean, drawn = np.zeros(2), np.zeros((RESAMPLES, 2))
    for c, o, h in zip(chosen, opened, heads, strict=True):
        gains = np.stack([p.right[TEST].astype(float) - h.right[TEST] for p in (c, o)], 1)  # (n, 2)
        counts = draw.multinomial(len(gains), np.full(len(gains), 1 / len(gains)), size=RESAMPLES)
        mean += gains.mean(0)
        drawn += counts @ gains / len(gains)
    if np.quantile(drawn[:, 1], 0.025) <= 0:
        return math.nan, math.nan, math.nan
    low, high = np.quantile(drawn[:, 0] / np.maximum(drawn[:, 1], 1e-9), [0.025, 0.975])
    return float(mean[0] / mean[1]), float(low), float(high)


# ---- does the measure of cost matter? -------------------------------------------------------------------------------
def _allocate(by_task: ByTask) -> dict[str, Any]:
    """Open shares of each layer under one measure minus those under the other, prices paired by their rank."""
    values = np.array([_layer_difference(points) for points in by_task.values()])  # (tasks, layers)
    picked = np.random.default_rng(0).integers(len(values), size=(RESAMPLES, len(values)))
    low, high = np.quantile(values[picked].mean(1), [0.025, 0.975], axis=0)
    mean = values.mean(0)
    differ = int(np.sum((low > 0) | (high < 0)))
    most = int(np.abs(mean).argmax())
    layers = [
        {"mean": round(float(m), 4), "low": round(float(a), 4), "high": round(float(b), 4)}
        for m, a, b in zip(mean, low, high, strict=True)
    ]
    changes = ", ".join(signed(100 * m, 0) for m in mean)
    interval = f"95 % {signed(100 * low[most], 0)} to {signed(100 * high[most], 0)}, {len(values)} tasks"
    return claim_entry(
        "allocate",
        "The two measures of cost keep other layers open.",
        differ > 0,
        f"The share of open channels differs beyond the interval over tasks in {differ} of {len(mean)} layers. Priced "
        f"by operations rather than by parameters it is {changes} points from the first layer to the last; most in "
        f"layer {most + 1} ({interval}).",
        {"layers": layers, "differ": differ},
    )


def _layer_difference(points: Sequence[Point]) -> np.ndarray:
    opened = named(points, "open")
    assert opened is not None
    shares = {m: [np.array(p.widths) / opened.widths for p in points if p.measure == m] for m in MEASURES}
    return np.mean(shares["flops"], 0) - np.mean(shares["parameters"], 0)


def _in_words(of: Mapping[str, float]) -> str:
    return f"{signed(100 * of['mean'])} points ({points_between(of['low'], of['high'])}, n = {of['n']})"


def _number(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None
