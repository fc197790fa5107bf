"""The study of adapters as HTML: a dial for the budget, a picture, and a row for each task.

The functions are pure. adapters_study.js writes the figures into what they return.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from .explore import badge, panel
from .paper_cells import scroll_box

MEASURES = {"parameters": "parameters", "flops": "operations (FLOP) for one window"}
CELLS = {  # of a row, in order -> head of its column
    "gates": "Open channels, layer by layer",
    "way": "Way",
    "cost": "Cost",
    "validation": "Validation",
    "test": "Test",
    "clip": "Your clip",
}
STEPS = 1000  # of the dial, from the cheapest way to the dearest
# Marks of the picture: kind of a point, its words
RIVALS = {
    "zero-shot": "zero-shot: nothing trained",
    "multi-head": "linear heads on the shared embedding",
    "open": "adapters, all gates open",
    "single-task": "a network of full width for each task",
    "vector": "a task vector for each task that has one",
}


def adapters_html(contents: Mapping[str, Any], series: Mapping[str, int], file: str, version: str) -> str:
    """The dial, the picture, and one row a task. `file` holds the figures, `version` is part of its hash."""
    about = escape(f"checkpoint {contents['checkpoint']}, validation clips", quote=True)
    return (
        f"<div class='tv-explore tv-adapters' data-file='{escape(file, quote=True)}' data-version='{version}' "
        f"data-about='{about}'>"
        f"{_budget_panel(contents)}{_tasks_panel(contents, series)}</div>"
    )


def _budget_panel(contents: Mapping[str, Any]) -> str:
    radios = "".join(
        f"<label><input type='radio' name='measure' value='{name}'{' checked' * (i == 0)}> {words}</label>"
        for i, (name, words) in enumerate(MEASURES.items())
    )
    marks = "".join(f"<span>{_mark(kind)} {words}</span>" for kind, words in RIVALS.items())
    body = (
        f"<fieldset class='tv-choices tv-measures'><legend>Count</legend>{radios}</fieldset>"
        "<div class='tv-budget-row'><label for='tv-budget'>Budget</label>"
        f"<input id='tv-budget' type='range' name='budget' min='0' max='{STEPS}' step='1' value='{STEPS * 2 // 3}'>"
        "<output for='tv-budget' aria-live='off'></output></div>"
        "<p class='tv-budget-said'></p><div class='tv-budget-picture'></div>"
        "<p class='tv-legend tv-budget-key'><span><i class='tv-budget-line'></i> best way to spend a budget</span>"
        f"<span>{_mark('priced')} one price λ for all tasks</span>{marks}</p><p class='tv-message' hidden></p>"
    )
    tower = contents["tower"]
    lead = (
        f"The tower, {_millions(tower['parameters'])} M parameters and {_millions(tower['flops'])} M operations for "
        f"{contents['window_seconds']:.1f} s of sound, is shared. What each task adds to it is bought from the budget, "
        "so that the mean validation accuracy is the best that the budget can buy; that flatters it, so read the test "
        "figure beside it. Turn the dial, or drag in the picture. A task vector changes the tower itself, so that each "
        "further task costs one more pass of it."
    )
    return panel("budget", "Spend a budget", badge("exact", "measured · validation"), lead, body, wide=True)


def _mark(kind: str) -> str:
    """The mark of a kind of point, as in the picture (adapters_picture.js has the same shapes)."""
    box = "width='14' height='14' viewBox='-7 -7 14 14' aria-hidden='true'"
    return f"<svg class='tv-rival tv-rival-{kind}' {box}></svg>"


def _tasks_panel(contents: Mapping[str, Any], series: Mapping[str, int]) -> str:
    names = [*(f"stage {i + 1}" for i in range(len(contents["beside"]) - 1)), "projection"]
    layers = zip(contents["widths"], contents["beside"], names, strict=True)
    beside = ", ".join(f"{width} beside the {channels} of the {name}" for width, channels, name in layers)
    head = "".join(f"<th scope='col'>{text}</th>" for text in ("Task", *CELLS.values()))
    rows = "".join(_row(task, series.get(task["name"], 1)) for task in contents["tasks"])
    body = (
        f"{scroll_box('adapters')}<table class='tv-table tv-stacks tv-adapter-tasks' data-table='adapters'>"
        f"<caption>What the budget buys each task</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        "</div><p class='tv-budget-clip' role='status'></p>"
        "<p class='tv-choices'><button type='button' class='tv-load' data-save='csv'>Save the table as CSV</button></p>"
        f"<p class='tv-legend'>Each square is a channel, lit where its gate is open: {escape(beside)}. Closed channels "
        "are cut out of the network. Ways were chosen on validation clips; test clips were looked at once.</p>"
    )
    lead = (
        "Tick the tasks that the device is to hear at the same time. Training closed gates for a price; the budget "
        "picks for each task among the ways that were trained."
    )
    return panel("gates", "What it buys", badge("exact", "measured · test"), lead, body, wide=True)


def _row(task: Mapping[str, Any], series: int) -> str:
    name, title, n = escape(task["name"], quote=True), escape(task["title"]), task["n"]["test"]
    control = " <em>control</em>" if task["role"] == "control" else ""
    cells = "".join(f"<td data-cell='{cell}' data-label='{label}'></td>" for cell, label in CELLS.items())
    return (
        f"<tr class='tv-series-{series}' data-task='{name}'><th scope='row'><label><input type='checkbox' checked> "
        f"{title}{control}</label> <small>n = {n}</small></th>{cells}</tr>"
    )


def _millions(count: int) -> str:
    return f"{count / 1e6:.1f}"
