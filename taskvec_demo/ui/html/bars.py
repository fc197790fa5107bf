"""What stands beside the sliders: the formula, one bar a task, the curve, the table of test figures.

Pure functions that return strings. The server writes the first paint; from then on the browser (bars.js) changes
numbers and widths in the same elements.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from html import escape

from ...core.evaluation import TaskResult, normalized_accuracy, percent
from ...core.recipe import Recipe
from ...core.tasks import Task
from ...serve.artifacts import Preset
from .deltas import delta_html, points_text
from .numbers import width_text
from .paper_cells import scroll_box
from .verdict import aim_of, verdict
from .words import help_html

NO_DELTA = "<span class='tv-delta'></span>"


def formula_html(recipe: Recipe, order: Sequence[str], series: Mapping[str, int], spare: int = 0) -> str:
    """The formula line: one term for each vector, hidden while its λ is 0, and a place for a sentence. formula.js goes
    on.

    `series` is the number of each vector's colour. The `spare` terms are for vectors that a visitor may add.
    """
    terms = []
    for name in order:
        value = recipe.coefficients.get(name)
        # The term as the recipe writes it, without the parts that get their own markup here
        term = Recipe(recipe.checkpoint, {name: value or 1.0}).formula().removeprefix("θ_new = θ_pt")
        number = term.removesuffix(f"τ_{name}") if value else ""
        terms.append(
            f"<span class='tv-term tv-series-{series.get(name, 0)}' data-vector='{escape(name)}'{_hidden(not value)}>"
            f"<span>{number}</span><b>τ<sub>{escape(name)}</sub></b></span>"
        )
    terms += spare * ["<span class='tv-term' data-vector='' hidden><span></span><b>τ<sub></sub></b></span>"]
    return (
        f"<div class='tv-formula'><span class='tv-equation'>θ<sub>new</sub> = θ<sub>pt</sub>{''.join(terms)} "
        f"<span class='tv-muted'{_hidden(bool(recipe.coefficients))}>the pre-trained model: move a slider</span></span>"
        f"<span class='tv-message' role='alert' hidden></span></div>{help_html('formula')}"
    )


def _hidden(hidden: bool) -> str:
    return " hidden" if hidden else ""


def results_html(
    results: Sequence[TaskResult],
    recipe: Recipe,
    finetuned: Mapping[str, float],
    vector_tasks: Mapping[str, str],
    hidden: Container[str] = (),
    note: str = "",
) -> str:
    """One bar for every task. Tasks in `hidden` are there but not shown. bars.js changes the same elements later.

    A result without clips is a task without an estimate; its places are empty. `finetuned`: validation accuracy of each
    task's own vector at λ = 1. `vector_tasks`: the task that each vector was trained on. `note` is HTML above the bars.
    When the page opens, the bars grow once from the pre-trained to the edited value (class tv-first).
    """
    series = task_series(r.task for r in results)
    rows = "".join(
        _task_row(r, recipe, finetuned.get(r.task.name), vector_tasks, series[r.task.name], r.task.name in hidden)
        for r in results
    )
    shown = [r for r in results if r.task.name not in hidden]
    return (
        f"<div class='tv-results tv-first' data-query='{escape(recipe.to_query(), quote=True)}'>"
        f"<div class='tv-message' role='alert' hidden></div>{note}<div class='tv-figures'{_hidden(not results)}>"
        f"<div class='tv-tasks' style='--rows:{len(shown)}'>{rows}</div>"
        f"<div class='tv-foot'><p class='tv-legend'>"
        f"validation: <i class='tv-key tv-pre'></i>before <i class='tv-key tv-ed'></i>after "
        f"<i class='tv-key tv-ci'></i>{help_html('interval', 'interval', figures='tv-intervals')}</p>"
        f"{_badge(shown)}{help_html('estimate')}</div></div>"
        "<div class='tv-spoken' role='status' aria-live='polite'></div></div>"
    )


def task_series(tasks: Iterable[Task]) -> dict[str, int]:
    """The number of each task's colour: 0 for a control, which is drawn in ink, then 1, 2, …"""
    numbers, n = {}, 0
    for task in tasks:
        n += task.role != "control"
        numbers[task.name] = 0 if task.role == "control" else n
    return numbers


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
    """The words of the badge, as in badge.js."""
    if not estimates:
        return "measured"
    return f"estimate ± {points_text(max(r.estimate_error or 0.0 for r in estimates))} points"


def _task_row(
    result: TaskResult,
    recipe: Recipe,
    finetuned: float | None,
    vector_tasks: Mapping[str, str],
    series: int,
    hidden: bool,
) -> str:
    task, before, after = result.task, result.pretrained, result.edited
    found = verdict(aim_of(task, recipe, vector_tasks), task.role, before.accuracy, after, finetuned)
    if not after.n:
        word, state, numbers, described = "no estimate", "tv-plain tv-unknown", ("—", "—", NO_DELTA), "no estimate"
        track = _track(0.0, 0.0, 0.0, 0.0)
    else:
        word, state = (found.word, f"tv-{found.state}") if recipe.coefficients else ("", "tv-plain")
        numbers = (
            percent(before.accuracy),
            f"{percent(after.accuracy)} %",
            delta_html(before.accuracy, after.accuracy),
        )
        track = _track(before.accuracy, after.accuracy, after.low, after.high)
        described = task_sentence(result, word, finetuned)
    was, now, delta = numbers
    control = task.role == "control"
    return (
        f"<div class='tv-task {state}' data-task='{escape(task.name)}' title='{escape(described)}'{_hidden(hidden)}>"
        f"<button type='button' class='tv-task-name' aria-label='{escape(task.title)}{' control' * control}: "
        f"{escape(described)}. Show its classes.'><i class='tv-dot tv-series-{series}'></i>{escape(task.title)}"
        f"{' <em>control</em>' * control}</button>{track}"
        f"<span class='tv-task-value'><s>{was}</s> <i>→</i> <b>{now}</b></span>"
        f"{delta}<span class='tv-verdict'>{word}</span></div>"
    )


def _track(before: float, after: float, low: float, high: float) -> str:
    """The bar: what is left of the accuracy before (tv-ed), the ghost of before (tv-pre), the change, the interval."""
    left, width = min(before, after), abs(after - before)
    return (
        f"<span class='tv-track {'tv-gain' if after > before else 'tv-loss'}'>"
        f"<i class='tv-pre' style='width:{width_text(before)}'></i>"
        f"<i class='tv-ed' style='width:{width_text(after)};--from:{width_text(before)}'></i>"
        f"<i class='tv-change' style='left:{width_text(left)};width:{width_text(width)}'></i>"
        f"<i class='tv-ci' style='left:{width_text(low)};width:{width_text(high - low)}'></i></span>"
    )


def task_sentence(result: TaskResult, word: str, finetuned: float | None) -> str:
    """What a pointer at rest and screen readers learn of a task's bar; bars.js writes the same."""
    before, after = result.pretrained, result.edited
    normalized = (
        f", normalized {normalized_accuracy(after.accuracy, finetuned):.2f}"
        if finetuned and result.task.role != "control"
        else ""
    )
    return (
        f"{percent(before.accuracy)} % before, {percent(after.accuracy)} % after "
        f"(95 % interval {percent(after.low)} to {percent(after.high)} %, n = {after.n}{normalized})"
        f"{f': {word}' if word else ''}"
    )


def curve_html() -> str:
    """The element in which curve.js draws."""
    return "<div class='tv-curve'></div>"


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
        f"{scroll_box('presets')}<table class='tv-table tv-test'><thead><tr>{head}</tr></thead>"
        f"{''.join(rows)}</table></div>"
    )
