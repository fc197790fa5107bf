"""Results -> HTML: the tiles and per-class bars, the clip's explanation, the table of test figures. Pure strings."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ..artifacts import Preset
from ..evaluation import Accuracy, TaskResult, normalized_accuracy
from ..recipe import Recipe
from ..session import Classification
from ..tasks import Task

CONTROL_KEPT = 0.95  # below this share of its pre-trained accuracy the control counts as damaged


def percent(value: float) -> str:
    return f"{100 * value:.0f}"


def formula_html(recipe: Recipe, order: Sequence[str]) -> str:
    """The live formula line; task vectors are set off from the numbers."""
    text = escape(recipe.formula(order=order)).replace("θ_new", "θ<sub>new</sub>").replace("θ_pt", "θ<sub>pt</sub>")
    for name in sorted(recipe.coefficients, key=len, reverse=True):
        text = text.replace(f"τ_{name}", f"<b>τ<sub>{escape(name)}</sub></b>")
    note = "" if recipe.coefficients else " <span class='tv-muted'>the pre-trained model: move a slider</span>"
    return f"<div class='tv-formula' role='status' aria-live='polite'>{text}{note}</div>"


def message_html(text: str) -> str:
    return f"<div class='tv-message' role='alert'>{escape(text)}</div>"


def results_html(
    results: Sequence[TaskResult], recipe: Recipe, finetuned: dict[str, float], first: bool = False
) -> str:
    """Tiles and bars of every task. `finetuned`: validation accuracy of each task's own vector at λ = 1.

    `first` lets the bars grow from the pre-trained to the edited value once, when the page opens.
    """
    shown = [r for r in results if r.task.name != "analogy" or any("_" in v for v in recipe.coefficients)]
    tiles = "".join(_tile(r, finetuned.get(r.task.name)) for r in shown)
    panels = "".join(_panel(r) for r in shown)
    return (
        f"<div class='tv-results{' tv-first' if first else ''}' data-query='{escape(recipe.to_query(), quote=True)}'>"
        f"<div class='tv-tiles'>{tiles}</div>"
        f"<p class='tv-legend'>{_badge(shown)} <i class='tv-key tv-pre'></i>pre-trained "
        "<i class='tv-key tv-ed'></i>edited <i class='tv-key tv-ci'></i>95 % Wilson interval. "
        "Share of each class recognised; validation clips, n beside each class.</p>"
        f"<div class='tv-panels'>{panels}</div></div>"
    )


def _badge(results: Sequence[TaskResult]) -> str:
    """What the figures are: measured, or estimated with the largest held-out error among the tasks shown."""
    if results[0].kind != "estimate":
        return "<span class='tv-badge tv-exact'>measured at exactly this λ</span>"
    error = max(r.estimate_error or 0.0 for r in results)
    return f"<span class='tv-badge tv-estimate'>estimate ± {100 * error:.1f} points</span>"


def _tile(result: TaskResult, finetuned: float | None) -> str:
    before, after = result.pretrained, result.edited
    kept = after.accuracy / before.accuracy if before.accuracy else float("nan")
    if result.task.role == "control":
        state = "tv-ok" if kept >= CONTROL_KEPT else "tv-bad"
        note = f" · <span class='{state}'>control keeps {percent(kept)} %</span>"
    elif finetuned:
        note = f" · normalized {normalized_accuracy(after.accuracy, finetuned):.2f}"
    else:
        note = ""
    return (
        f"<div class='tv-tile' title='{escape(result.task.source)}'>"
        f"<div class='tv-tile-name'>{escape(result.task.title)} <em>{result.task.role}</em></div>"
        f"<div class='tv-tile-value'><s>{percent(before.accuracy)}</s> → <b>{percent(after.accuracy)} %</b> "
        f"{_delta(after.accuracy - before.accuracy)}</div>"
        f"<div class='tv-tile-note'>{percent(after.low)}–{percent(after.high)} %, n = {after.n}{note}</div></div>"
    )


def _delta(change: float) -> str:
    points = round(100 * change)
    if not points:
        return "<span class='tv-same'>±0</span>"
    return f"<span class='{'tv-up' if points > 0 else 'tv-down'}'>{'+' if points > 0 else '−'}{abs(points)}</span>"


def _panel(result: TaskResult) -> str:
    rows = "".join(_row(name, before, after) for name, before, after in result.per_class)
    return (
        f"<section class='tv-panel tv-{result.task.role}'><h4>{escape(result.task.title)}"
        f" <em>{result.task.role}</em></h4><div class='tv-rows'>{rows}</div></section>"
    )


def _row(name: str, before: Accuracy, after: Accuracy) -> str:
    shown = escape(name.replace("_", " "))
    if not after.n:
        return f"<div class='tv-row'><span class='tv-name'>{shown}</span><span class='tv-muted'>no clip</span></div>"
    delta = _delta(after.accuracy - before.accuracy)
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
        f"<span class='tv-num'>{percent(after.accuracy)}&hairsp;%</span>{delta}</div>"
    )


def difference_html(result: Classification, recipe: Recipe) -> str:
    """One line on why the two answers differ, and what was done to the clip."""
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


def _share(p: float) -> str:
    return f"{100 * p:.0f} %" if p >= 0.005 else "< 1 %"


def test_table_html(presets: Sequence[Preset], tasks: dict[str, Task], order: Sequence[str]) -> str:
    """Test figures of the presets: the only recipes whose test accuracy was ever measured."""
    head = "".join(f"<th>{escape(t.title)}<br><em>{t.role}</em></th>" for t in tasks.values())
    rows = []
    for preset in presets:
        cells = []
        for entry in preset.test:
            before, after, p = entry["pretrained"], entry["edited"], entry["mcnemar_p"]
            cells.append(
                f"<td><b>{percent(before['accuracy'])} → {percent(after['accuracy'])} %</b><br>"
                f"<small>{percent(after['low'])}–{percent(after['high'])} %, n = {entry['n']}<br>"
                f"McNemar p {'< 0.001' if p < 0.001 else f'= {p:.3f}'}</small></td>"
            )
        rows.append(
            f"<tr><th scope='row'>{escape(preset.title)}<br><small>{escape(preset.recipe.formula(order=order))}<br>"
            f"{escape(preset.explanation)}</small></th>{''.join(cells)}</tr>"
        )
    return (
        "<p>λ was chosen on validation clips; these test clips are of other recording sources. Each cell: pre-trained "
        "→ edited accuracy, the edited model's 95 % Wilson interval, McNemar's exact p. The rule by which additions "
        "are chosen was changed once after a first look at test; docs/decisions.md has both figures.</p>"
        f"<div class='tv-scroll'><table class='tv-table'><thead><tr><th>Recipe</th>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )
