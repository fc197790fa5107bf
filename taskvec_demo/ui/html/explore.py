"""The panels of the tab "Explore" as HTML. Pure functions that return strings; map.js and others fill the panels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from ...core.evaluation import CONTROL_KEPT, percent
from ...core.geometry import cosines
from ...core.task_vector import TaskVector
from ...core.tasks import Task
from .figures import HeatCell, heat_table
from .numbers import number_text


def live_panels_html(vectors: Mapping[str, str], tasks: Sequence[Task]) -> str:
    """The panels that the browser draws. `vectors`: those that were measured, each with its task."""
    first = _map_panel(vectors, tasks) if len(vectors) > 1 else ""
    return f"<div class='tv-explore'>{first}{_verdicts_panel()}{_changed_panel(vectors, tasks)}</div>"


def panel(name: str, title: str, badge: str, lead: str, body: str, wide: bool = False) -> str:
    """A panel: its title, what its figures are (validation, estimate, exact), a sentence on what it shows, its body."""
    return (
        f"<section class='tv-card{' tv-wide' * wide}' id='explore-{name}' aria-labelledby='explore-{name}-title'>"
        f"<header><h3 id='explore-{name}-title'>{title}</h3>{badge}</header><p class='tv-lead-in'>{lead}</p>"
        f"{body}</section>"
    )


def badge(kind: str, words: str) -> str:
    """`kind`: "estimate" or "exact"."""
    return f"<span class='tv-badge tv-{kind}'>{words}</span>"


def select(name: str, label: str, options: Iterable[str]) -> str:
    return f"<label>{label} <select name='{name}'>{''.join(options)}</select></label>"


def task_options(tasks: Iterable[Task]) -> list[str]:
    return [
        f"<option value='{escape(t.name)}'>{escape(t.title)}{' (control)' if t.role == 'control' else ''}</option>"
        for t in tasks
    ]


def _map_panel(vectors: Mapping[str, str], tasks: Sequence[Task]) -> str:
    axis = [f"<option value='{escape(n)}' data-task='{escape(t)}'>τ {escape(n)}</option>" for n, t in vectors.items()]
    mean = "<option value=''>Mean of all targets</option>"
    controls = escape(" and ".join(t.title for t in tasks if t.role == "control"))
    kept = f" Hatched: {controls} keep less than {percent(CONTROL_KEPT)} % of their accuracy." if controls else ""
    body = (
        f"<p class='tv-choices'>{select('x', 'Across', axis)}{select('y', 'Up', axis)}"
        f"{select('shown', 'Colour', [*task_options(tasks), mean])}</p>"
        "<div class='tv-map' tabindex='0' role='application' aria-label='Map of two λ: arrow keys move the marker'>"
        "</div>"
        "<p class='tv-readout' role='status'></p>"
    )
    return panel(
        "map",
        "Map of two λ",
        badge("estimate", "estimate · validation"),
        "Every point is an edited model; its colour is its accuracy. The ring is where your sliders are: click, drag "
        f"or use the arrow keys to take them elsewhere.{kept}",
        body,
    )


def _changed_panel(vectors: Mapping[str, str], tasks: Sequence[Task]) -> str:
    def option(task: Task) -> str:
        own = " ".join(v for v, of in vectors.items() if of == task.name)
        return f"<option value='{escape(task.name)}' data-vectors='{escape(own)}'>{escape(task.title)}</option>"

    body = (
        f"<p class='tv-choices'>{select('task', 'Task', map(option, tasks))}</p><p class='tv-flips' role='status'></p>"
        "<div class='tv-movers'></div><div class='tv-heard' hidden></div><div class='tv-matrices'></div>"
    )
    lead = "Which clips got another answer, and which classes they are of. Figures are numbers of clips."
    return panel("changed", "What changed", badge("estimate", "estimate · validation"), lead, body, wide=True)


def _verdicts_panel() -> str:
    head = "".join(f"<th scope='col'>{h}</th>" for h in ("Task", "Verdict", "Clips that flipped", "Test"))
    body = (
        "<table class='tv-table tv-stacks' data-table='mcnemar'><thead><tr>" + head + "</tr></thead><tbody></tbody>"
        "</table><p class='tv-legend'>McNemar's exact test on the same validation clips: how surprising the flips were "
        "if the edit did nothing. “Not distinguishable” does not mean equal: with few clips only large changes show. "
        "Of many tests, one in twenty is below 0.05 by chance. An estimate's test says nothing of its own error.</p>"
    )
    lead = "Whether the edited model is better or worse than the pre-trained one beyond chance, task by task."
    return panel("verdicts", "Better, worse, or chance?", badge("estimate", "validation"), lead, body)


def geometry_html(vectors: Mapping[str, TaskVector]) -> str:
    """The panel on sizes and angles of the vectors."""
    norms = {name: vector.stage_norms() for name, vector in vectors.items()}
    stages = list(dict.fromkeys(stage for own in norms.values() for stage in own))
    sizes = [
        (f"τ {escape(name)}", [*(_size_cell(own, stage) for stage in stages), HeatCell(f"{vectors[name].norm:.2f}", 0)])
        for name, own in norms.items()
    ]
    table = cosines(list(vectors.values())).tolist()
    angles = [
        (f"τ {escape(name)}", [_angle_cell(value, i == j) for j, value in enumerate(row)])
        for i, (name, row) in enumerate(zip(vectors, table, strict=True))
    ]
    body = heat_table(
        "norms",
        "Size (Euclidean norm, in units of the weights) by stage of the audio tower, from input to output. Colour: "
        "share of the vector's squared size.",
        [*stages, "whole"],
        sizes,
    ) + heat_table(
        "angles",
        "Cosine of the angle between two vectors: 1 the same direction, 0 unrelated, below 0 against each other.",
        [f"τ {name}" for name in vectors],
        angles,
    )
    alone = [f"τ {escape(name)}" for name, vector in vectors.items() if vector.is_projection_alone]
    if alone:
        body += (
            f"<p class='tv-legend'>The audio projection, the tower's last two layers, is all that these change: "
            f"{', '.join(alone)}.</p>"
        )
    lead = "Where a vector changes the audio tower, and how alike two vectors are. Computed from all of their elements."
    return (
        f"<div class='tv-explore'>{panel('geometry', 'Geometry', badge('exact', 'exact'), lead, body, wide=True)}</div>"
    )


def _size_cell(norms: Mapping[str, float], stage: str) -> HeatCell:
    if stage not in norms:
        return HeatCell("–", 0)
    share = norms[stage] ** 2 / (sum(norm**2 for norm in norms.values()) or 1)
    return HeatCell(f"{norms[stage]:.2f}", share, title=f"{percent(share)} % of the squared size")


def _angle_cell(cosine: float, own: bool) -> HeatCell:
    if math.isnan(cosine):
        return HeatCell("–", 0)
    return HeatCell(number_text(cosine), 0 if own else cosine)
