"""The classes of every task as bars, sorted by how much an edit changes them.

classes.js redraws them while a slider moves.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from html import escape

from ...core.evaluation import Accuracy, TaskResult, percent
from .deltas import delta_html, points_text
from .numbers import width_text

MANY = 24  # classes; a task with more takes the whole width, in columns
LEGEND = (
    "<i class='tv-key tv-pre'></i>before <i class='tv-key tv-ed'></i>after <i class='tv-key tv-ci'></i>95 % interval. "
    "Share of each class recognised, n clips beside each; the classes that an edit changes most come first."
)


def classes_html(
    results: Sequence[TaskResult],
    hidden: Container[str] = (),
    error: float | None = None,
    to_forget: Container[str] = (),
) -> str:
    """A panel for each task. Those in `hidden` are there but not shown. `error`: mean error of a class's estimate.

    In a panel of a task in `to_forget`, which the recipe wants the model to forget, a loss has the colour of success.
    """
    estimates = "" if error is None else f" While figures are an estimate, a class is ± {points_text(error)} points."
    legend = f"<p class='tv-legend'>{LEGEND}{estimates}</p>"
    panels = "".join(_panel(r, r.task.name in hidden, r.task.name in to_forget) for r in results)
    return f"<div class='tv-classes'>{legend}<div class='tv-panels'>{panels}</div></div>"


def _panel(result: TaskResult, hidden: bool, to_forget: bool) -> str:
    row = class_row if len(result.labels) else _empty_row
    rows = "".join(row(name, before, after) for name, before, after in result.per_class)
    state = result.task.role if len(result.labels) else f"{result.task.role} tv-unknown"
    if len(result.task.class_names) > MANY:
        state += " tv-many"
    if to_forget:
        state += " tv-to-forget"
    return (
        f"<section class='tv-panel tv-{state}' data-task='{escape(result.task.name)}'{' hidden' if hidden else ''}>"
        f"<h4 tabindex='-1'>{escape(result.task.title)} <em>{result.task.role}</em> "
        f"<small class='tv-source tv-muted'></small></h4><div class='tv-rows'>{rows}</div></section>"
    )


def class_row(name: str, before: Accuracy, after: Accuracy) -> str:
    shown = escape(name.replace("_", " "))
    if not after.n:
        return f"<div class='tv-row'><span class='tv-name'>{shown}</span><span class='tv-muted'>no clip</span></div>"
    described = (
        f"{shown}: pre-trained {percent(before.accuracy)} %, edited {percent(after.accuracy)} % "
        f"(95 % interval {percent(after.low)} to {percent(after.high)} %), n = {after.n}"
    )
    return (
        f"<div class='tv-row' title='{described}' role='img' aria-label='{described}'>"
        f"<span class='tv-name'>{shown} <small>{after.n}</small></span><span class='tv-track'>"
        f"<i class='tv-pre' style='width:{width_text(before.accuracy)}'></i>"
        f"<i class='tv-ed' style='width:{width_text(after.accuracy)}'></i>"
        f"<i class='tv-ci' style='left:{width_text(after.low)};width:{width_text(after.high - after.low)}'></i></span>"
        f"<span class='tv-num'>{percent(after.accuracy)}&hairsp;%</span>"
        f"{delta_html(before.accuracy, after.accuracy)}</div>"
    )


def _empty_row(name: str, before: Accuracy, after: Accuracy) -> str:
    """The row of a class that was not measured yet. classes.js fills it when there are figures."""
    shown = escape(name.replace("_", " "))
    return (
        f"<div class='tv-row' title='{shown}: not measured' role='img' aria-label='{shown}: not measured'>"
        f"<span class='tv-name'>{shown} <small></small></span><span class='tv-track'><i class='tv-pre' style='width:0'>"
        "</i><i class='tv-ed' style='width:0'></i><i class='tv-ci' style='width:0'></i></span>"
        "<span class='tv-num'>—</span><span class='tv-delta'></span></div>"
    )
