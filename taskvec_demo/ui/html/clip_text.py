"""The answers of both models for a clip, in words. Pure functions that return strings."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from ...core.recipe import Recipe
from ...serve.trace import Trace
from ...serve.workbench import Classification
from .numbers import number_text

MAX_FLIPS = 3  # flips of a trace that are told in words


def difference_html(result: Classification, recipe: Recipe) -> str:
    """One line that says how the two answers differ, and what was done to the clip."""
    changes = {label: result.edited[label] - p for label, p in result.pretrained.items()}
    top = {name: max(p, key=lambda k: p[k]) for name, p in (("pre", result.pretrained), ("ed", result.edited))}
    if not recipe.coefficients:
        text = "All λ are 0: both models are the same. Move a slider to see the answer change."
    elif top["pre"] == top["ed"]:
        largest = max(changes, key=lambda k: abs(changes[k]))
        text = (
            f"Both answer “{escape(top['ed'])}”. Largest change: “{escape(largest)}” "
            f"{_share(result.pretrained[largest])} → {_share(result.edited[largest])}."
        )
    else:
        text = (
            f"The answer flips from “{escape(top['pre'])}” ({_share(result.pretrained[top['pre']])} → "
            f"{_share(result.edited[top['pre']])}) to “{escape(top['ed'])}” "
            f"({_share(result.pretrained[top['ed']])} → {_share(result.edited[top['ed']])})."
        )
    plural = "window" if result.windows == 1 else "windows"
    notes = "".join(f"<br>{escape(n)}" for n in result.notes)
    return (
        f"<div class='tv-difference' role='status'>{text}<br><span class='tv-muted'>{result.seconds:.1f} s, "
        f"{result.windows} {plural}; exact answers of the rebuilt weights.{notes}</span></div>"
    )


def trace_html(trace: Trace) -> str:
    """One sentence on where the answer flips along λ, and on what was left out."""
    along = f"Along λ {escape(trace.vector)} your clip"
    if trace.flips:
        turns = [
            f"{'turns ' if i == 0 else ''}from “{escape(a)}” to “{escape(b)}” at λ ≈ {number_text(x)}"
            for i, (x, a, b) in enumerate(trace.flips[:MAX_FLIPS])
        ]
        more = len(trace.flips) - MAX_FLIPS
        text = f"{along} {', '.join(turns)}{f', and {more} times more' if more > 0 else ''}."
    else:
        always = max(trace.probabilities, key=lambda label: trace.probabilities[label][0])
        text = f"{along} stays “{escape(always)}” everywhere."
    part = trace.first_seconds
    note = (
        "" if part is None else f"<br><span class='tv-muted'>Only the first {part:.1f} s are followed along λ.</span>"
    )
    return f"<div class='tv-difference' role='status'>{text}{note}</div>"


def answer_json(result: Classification, clip: str, labels: str, recipe: Recipe, right: Sequence[str] = ()) -> str:
    """Both top answers, [label, probability], for strip.js, with the clip, the labels' text and the recipe.

    `right` are the labels that are right for the clip, if that is known; only those that may be answered are told.
    """
    sides = {"before": result.pretrained, "after": result.edited}
    tops = {side: max(p.items(), key=lambda item: item[1]) for side, p in sides.items()}
    known = [label for label in right if label in result.edited]
    return json.dumps({"clip": clip, "labels": labels, "query": recipe.to_query(), **tops, "right": known})


def trace_json(trace: Trace, rest: Recipe, signs: Mapping[str, int], serial: int) -> str:
    """The labels that are on top somewhere along λ, with their probabilities there, for strip.js.

    The trace is of `rest` plus λ, with its sign, of each vector in `signs`. `serial` is the number of the question.
    """
    values = np.array([trace.probabilities[label] for label in trace.probabilities])
    tops = sorted(set(values.argmax(0).tolist()))
    labels = list(trace.probabilities)
    return json.dumps(
        {
            "serial": serial,
            "signs": dict(signs),
            "rest": dict(rest.coefficients),
            "lambdas": trace.scaling_coefs.tolist(),
            "labels": [labels[i] for i in tops],
            "probabilities": values[tops].round(4).tolist(),
            "first_seconds": trace.first_seconds,
        }
    )


def _share(p: float) -> str:
    return f"{100 * p:.0f} %" if p >= 0.005 else "< 1 %"
