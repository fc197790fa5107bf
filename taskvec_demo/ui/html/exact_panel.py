"""Exact figures as HTML, and as numbers for the chart. Pure functions that return strings."""

from __future__ import annotations

import json
from collections.abc import Container, Mapping, Sequence
from html import escape

import numpy as np

from ...core.evaluation import TaskResult, percent, wilson
from ...core.recipe import Recipe
from ...serve.exact_figures import ExactFigures
from ...serve.labelled_clips import SYNTHESIZED
from .classes import class_row
from .deltas import delta_html

CLASS_TO_FORGET = " class='tv-to-forget'"


def exact_html(
    figures: ExactFigures,
    recipe: Recipe,
    clips: str,
    hidden: Container[str] = (),
    seconds_left: float = 0.0,
    to_forget: Container[str] = (),
) -> str:
    """Exact figures, as far as they are measured; `clips` says on what.

    Results without clips keep their place, so that nothing moves when figures come in. Tasks in `hidden` are left out.
    A loss of a task in `to_forget` has the colour of success.
    """
    panels = "".join(_exact_panel(r, r.task.name in to_forget) for r in figures.results if r.task.name not in hidden)
    title = "Measured now with these very weights"
    legend = (
        f"On {figures.total} labelled clips of this machine: {clips}. Pre-trained → edited, 95 % Wilson interval. "
        "Open a task for its classes."
    )
    return _section(figures, recipe, title, legend, panels, seconds_left)


def check_html(
    figures: ExactFigures,
    recipe: Recipe,
    expected: Mapping[str, float],
    hidden: Container[str] = (),
    seconds_left: float = 0.0,
) -> str:
    """A check of the estimate on synthesized sounds: how many answers the edit changes, not how many are right.

    `expected`: the share of answers that change on the validation recordings, by task, as far as it is known.
    """
    rows = "".join(_check_row(r, expected.get(r.task.name)) for r in figures.results if r.task.name not in hidden)
    title = "Check with these very weights: how many answers does the edit change?"
    legend = (
        f"On {figures.total} sounds synthesized by this project, beside the share on the validation recordings above. "
        "These are other sounds, so the shares need not be equal; this is no second accuracy."
    )
    return _section(figures, recipe, title, legend, rows, seconds_left)


def _section(figures: ExactFigures, recipe: Recipe, title: str, legend: str, content: str, seconds_left: float) -> str:
    """The frame of both. exact.js greys figures that belong to another recipe than the controls, and hands the others
    to the chart.
    """
    done, total = figures.done, figures.total
    return (
        f"<section class='tv-measured' data-query='{escape(recipe.to_query(), quote=True)}' data-done='{done}' "
        f"data-source='measured now{_on_what(figures.results)}' data-figures='{_counts(figures.results)}' "
        f"aria-busy='{'false' if done == total else 'true'}'>"
        f"<h4>{title} <span class='tv-badge tv-exact'>exact</span></h4>"
        f"<p class='tv-legend'>{escape(f'{legend} {figures.note}'.rstrip())}</p>"
        f"<div class='tv-progress'><progress max='{total}' value='{done}' aria-label='Clips measured'></progress>"
        f"<span>{done} / {total} clips{_time_left(seconds_left)}</span></div>"
        f"<div class='tv-panels'>{content}</div></section>"
    )


def _check_row(result: TaskResult, expected: float | None) -> str:
    """One task: changed answers on synthesized sounds, and the share that changes on recordings."""
    n = len(result.labels)
    now = "no clip yet"
    if n:
        changed = int((result.predicted_edited != result.predicted_pretrained).sum())
        low, high = map(float, wilson(changed, n))
        now = f"<b>{percent(changed / n)} %</b> ({changed} of {n}, interval {percent(low)} to {percent(high)} %)"
    beside = "" if expected is None else f", recordings {percent(expected)} %"
    return f"<p class='tv-check' data-task='{escape(result.task.name)}'>{escape(result.task.title)}: {now}{beside}</p>"


def _on_what(results: Sequence[TaskResult]) -> str:
    return " on synthesized sounds" if any(r.split == SYNTHESIZED for r in results) else ""


def _counts(results: Sequence[TaskResult]) -> str:
    """JSON for the chart: {task: number of clips of each class, and how many of them each model has right}."""
    counts = {
        r.task.name: {
            "n": np.bincount(r.labels, minlength=len(r.task.class_names)).tolist(),
            "before": [round(b.accuracy * b.n) if b.n else 0 for _, b, _ in r.per_class],
            "after": [round(a.accuracy * a.n) if a.n else 0 for _, _, a in r.per_class],
        }
        for r in results
        if len(r.labels)
    }
    return escape(json.dumps(counts, separators=(",", ":")), quote=True)


def _time_left(seconds: float) -> str:
    """The time that is left, if it is more than a second."""
    if seconds < 1:
        return ""
    return f", about {seconds:.0f} s left" if seconds < 90 else f", about {seconds / 60:.0f} min left"


def _exact_panel(result: TaskResult, to_forget: bool) -> str:
    before, after = result.pretrained, result.edited
    figures = "<span class='tv-muted'>no clip yet</span><span></span>"
    if after.n:
        figures = (
            f"<span><s>{percent(before.accuracy)}</s> → <b>{percent(after.accuracy)} %</b> "
            f"{delta_html(before.accuracy, after.accuracy)}</span>"
            f"<small>{percent(after.low)}–{percent(after.high)} %, n = {after.n}</small>"
        )
    rows = "".join(class_row(name, b, a) for name, b, a in result.per_class)
    return (
        f"<details data-task='{escape(result.task.name)}'{CLASS_TO_FORGET * to_forget}>"
        f"<summary><span>{escape(result.task.title)}</span>{figures}"
        f"</summary><div class='tv-rows'>{rows}</div></details>"
    )
