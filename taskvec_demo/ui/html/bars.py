"""Results as HTML: formula, tiles, per-class bars, the table of test figures. Pure functions that return strings.

The server writes the first paint; from then on the browser (bars.js) changes numbers and widths in the same elements.
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence
from html import escape

from ...core.evaluation import CONTROL_KEPT, Accuracy, TaskResult, normalized_accuracy, percent
from ...core.recipe import Recipe
from ...core.tasks import Task
from ...serve.artifacts import Preset
from .paper_cells import SCROLL_BOX


def formula_html(recipe: Recipe, order: Sequence[str], spare: int = 0) -> str:
    """The formula line: one term for each vector, hidden while its λ is 0, and a place for a sentence. recipe.js goes
    on.

    The `spare` terms are for vectors that a visitor may add.
    """
    terms = []
    for name in order:
        value = recipe.coefficients.get(name)
        # The term as the recipe writes it, without the parts that get their own markup here
        term = Recipe(recipe.checkpoint, {name: value or 1.0}).formula().removeprefix("θ_new = θ_pt")
        number = term.removesuffix(f"τ_{name}") if value else ""
        terms.append(
            f"<span class='tv-term' data-vector='{escape(name)}'{_hidden(not value)}>"
            f"<span>{number}</span><b>τ<sub>{escape(name)}</sub></b></span>"
        )
    terms += spare * ["<span class='tv-term' data-vector='' hidden><span></span><b>τ<sub></sub></b></span>"]
    return (
        f"<div class='tv-formula'><span class='tv-equation'>θ<sub>new</sub> = θ<sub>pt</sub>{''.join(terms)} "
        f"<span class='tv-muted'{_hidden(bool(recipe.coefficients))}>the pre-trained model: move a slider</span></span>"
        "<span class='tv-message' role='alert' hidden></span></div>"
    )


def _hidden(hidden: bool) -> str:
    return " hidden" if hidden else ""


def results_html(
    results: Sequence[TaskResult],
    recipe: Recipe,
    finetuned: Mapping[str, float],
    hidden: Container[str] = (),
    note: str = "",
) -> str:
    """Tiles and bars of every task. Tasks in `hidden` are there but not shown. bars.js changes the same elements later.

    A result without clips is a task without an estimate; its places are empty. `finetuned`: validation accuracy of each
    task's own vector at λ = 1. `note` is HTML above the bars. When the page opens, the bars grow once from the
    pre-trained to the edited value (class tv-first).
    """
    tiles = "".join(_tile(r, finetuned.get(r.task.name), r.task.name in hidden) for r in results)
    panels = "".join(_panel(r, r.task.name in hidden) for r in results)
    shown = [r for r in results if r.task.name not in hidden]
    return (
        f"<div class='tv-results tv-first' data-query='{escape(recipe.to_query(), quote=True)}'>"
        f"<div class='tv-message' role='alert' hidden></div>{note}<div class='tv-figures'{_hidden(not results)}>"
        f"<div class='tv-tiles'>{tiles}</div>"
        f"{_badge(shown)}<p class='tv-legend'><i class='tv-key tv-pre'></i>pre-trained "
        "<i class='tv-key tv-ed'></i>edited <i class='tv-key tv-ci'></i>95 % Wilson interval. "
        "Share of each class recognised, n clips beside each; validation clips unless the badge says otherwise.</p>"
        f"<div class='tv-panels'>{panels}</div></div>"
        "<div class='tv-spoken' role='status' aria-live='polite'></div></div>"
    )


def _badge(results: Sequence[TaskResult]) -> str:
    """The badge that says what the figures are: measured, or estimated with the largest held-out error of the tasks
    shown.
    """
    if not all(len(r.labels) for r in results):
        return "<p class='tv-state tv-many-lines'><span class='tv-badge tv-none'>not measured yet</span></p>"
    estimates = [r for r in results if r.kind == "estimate"]
    state = "tv-estimate" if estimates else "tv-exact"
    return f"<p class='tv-state'><span class='tv-badge {state}'>{badge_text(estimates)}</span></p>"


def badge_text(estimates: Sequence[TaskResult]) -> str:
    """The words of the badge, as in bars.js. The error of single classes is left out if no surface knows it."""
    if not estimates:
        return "measured at exactly this λ"
    by_class = [e for r in estimates if (e := r.estimate_class_error) is not None and math.isfinite(e)]
    text = f"estimate ± {_points(max(r.estimate_error or 0.0 for r in estimates))} points"
    return text + (f" (single classes ± {_points(max(by_class))})" if by_class else "")


def _points(share: float) -> str:
    """A share in points to one decimal; a half is rounded up, as in the browser."""
    return f"{math.floor(1000 * share + 0.5) / 10:.1f}"


def _tile(result: TaskResult, finetuned: float | None, hidden: bool) -> str:
    before, after = result.pretrained, result.edited
    if not after.n:
        return _tile_of(
            result, "—", "<b>—</b> <span class='tv-delta'></span>", "<span>no estimate</span> <span></span>", hidden
        )
    kept = after.accuracy / before.accuracy if before.accuracy else math.nan
    if result.task.role == "control":
        state = "tv-ok" if kept >= CONTROL_KEPT else "tv-bad"
        said = f"control keeps {percent(kept)}&nbsp;%" if before.accuracy else ""
        note = f"<span class='{state}'>{said}</span>"
    elif finetuned:
        note = f"<span>normalized {normalized_accuracy(after.accuracy, finetuned):.2f}</span>"
    else:
        note = "<span></span>"
    return _tile_of(
        result,
        percent(before.accuracy),
        f"<b>{percent(after.accuracy)} %</b> {delta_html(after.accuracy - before.accuracy)}",
        f"<span>{percent(after.low)}–{percent(after.high)} %, n = {after.n}</span> {note}",
        hidden,
    )


def _tile_of(result: TaskResult, before: str, after: str, notes: str, hidden: bool) -> str:
    return (
        f"<div class='tv-tile' data-task='{escape(result.task.name)}' title='{escape(result.task.source)}'"
        f"{_hidden(hidden)}>"
        f"<div class='tv-tile-name'>{escape(result.task.title)}</div>"
        f"<div class='tv-tile-value'><span class='tv-from'><s>{before}</s> → </span>{after}</div>"
        f"<div class='tv-tile-note'>{notes}</div></div>"
    )


def delta_html(change: float) -> str:
    points = math.floor(round(100 * change, 6) + 0.5)  # as floats, 0.9 − 0.925 is below −0.025
    if not points:
        return "<span class='tv-delta tv-same'>±0</span>"
    direction, sign = ("tv-up", "+") if points > 0 else ("tv-down", "−")
    return f"<span class='tv-delta {direction}'>{sign}{abs(points)}</span>"


def _panel(result: TaskResult, hidden: bool) -> str:
    row = class_row if len(result.labels) else _empty_row
    rows = "".join(row(name, before, after) for name, before, after in result.per_class)
    state = result.task.role if len(result.labels) else f"{result.task.role} tv-unknown"
    return (
        f"<section class='tv-panel tv-{state}' data-task='{escape(result.task.name)}'{_hidden(hidden)}>"
        f"<h4>{escape(result.task.title)} <em>{result.task.role}</em> "
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
        f"<i class='tv-pre' style='width:{100 * before.accuracy:.1f}%'></i>"
        f"<i class='tv-ed' style='width:{100 * after.accuracy:.1f}%;--from:{100 * before.accuracy:.1f}%'></i>"
        f"<i class='tv-ci' style='left:{100 * after.low:.1f}%;width:{100 * (after.high - after.low):.1f}%'></i></span>"
        f"<span class='tv-num'>{percent(after.accuracy)}&hairsp;%</span>"
        f"{delta_html(after.accuracy - before.accuracy)}</div>"
    )


def _empty_row(name: str, before: Accuracy, after: Accuracy) -> str:
    """The row of a class that was not measured yet. bars.js fills it when there are figures."""
    shown = escape(name.replace("_", " "))
    return (
        f"<div class='tv-row' title='{shown}: not measured' role='img' aria-label='{shown}: not measured'>"
        f"<span class='tv-name'>{shown} <small></small></span><span class='tv-track'><i class='tv-pre' style='width:0'>"
        "</i><i class='tv-ed' style='width:0'></i><i class='tv-ci' style='width:0'></i></span>"
        "<span class='tv-num'>—</span><span class='tv-delta'></span></div>"
    )


def _control_titles(tasks: Mapping[str, Task]) -> str:
    return escape(" and ".join(t.title.lower() for t in tasks.values() if t.role == "control"))


def safe_legend_html(tasks: Mapping[str, Task]) -> str:
    """The legend of the bands under the sliders.

    `tasks` are those with a surface; if the control is not among them, there is no legend.
    """
    if not _control_titles(tasks):
        return ""
    return (
        f"<p class='tv-legend'><i class='tv-key tv-safe'></i>λ at which {_control_titles(tasks)} keep "
        f"{percent(CONTROL_KEPT)} % of their accuracy (estimate)</p>"
    )


def curve_html(tasks: Mapping[str, Task]) -> str:
    """The element in which curve.js draws, and a sentence on what is drawn."""
    return (
        "<div class='tv-curve'><p class='tv-muted'>The curves are drawn when the logit surfaces have arrived.</p></div>"
        "<p class='tv-legend'>Validation accuracy. Lines: estimated by the logit surfaces, the other λ as set. "
        "Circles: measured, shown while no other vector is on. Dotted: the operating point. Dashed: "
        f"{percent(CONTROL_KEPT)} % of the pre-trained accuracy on {_control_titles(tasks)}.</p>"
    )


def test_table_html(presets: Sequence[Preset], tasks: Mapping[str, Task], order: Sequence[str]) -> str:
    """The table of test figures of the presets. Test accuracy was measured for no other recipe."""
    head = "".join(f"<th scope='col'>{escape(t.title)}<br><em>{t.role}</em></th>" for t in tasks.values())
    rows = []
    for preset in presets:
        cells = []
        for entry in preset.test:
            before, after, p = entry["pretrained"], entry["edited"], entry["mcnemar_p"]
            cells.append(
                f"<td><b>{percent(before['accuracy'])} → {percent(after['accuracy'])} %</b><br>"
                f"<small>{percent(after['low'])}–{percent(after['high'])} %, n = {entry['n']}<br>"
                f"p {'< 0.001' if p < 0.001 else f'= {p:.3f}'}</small></td>"
            )
        rows.append(
            f"<tbody><tr><th scope='rowgroup' colspan='{len(tasks)}'><div class='tv-lead'>{escape(preset.title)} "
            f"<small>{escape(preset.recipe.formula(order=order))}<br>{escape(preset.explanation)}</small></div></th></tr>"
            f"<tr>{''.join(cells)}</tr></tbody>"
        )
    return (
        "<p>λ was chosen on validation clips; these are other clips. Each cell: pre-trained → edited accuracy, the "
        "edited model's 95 % Wilson interval, McNemar's exact p.</p>"
        f"{SCROLL_BOX}<table class='tv-table tv-test'><thead><tr>{head}</tr></thead>"
        f"{''.join(rows)}</table></div>"
    )
