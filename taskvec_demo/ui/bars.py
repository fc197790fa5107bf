"""Results -> HTML: formula, tiles and per-class bars, the clip's explanation, the table of test figures. Pure strings.

The server writes the first paint; from then on the browser (bars.js) changes numbers and widths in the same elements.
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence
from html import escape

from ..artifacts import Preset
from ..evaluation import Accuracy, TaskResult, normalized_accuracy
from ..exact import ExactFigures
from ..recipe import Recipe
from ..session import Classification
from ..tasks import Task
from ..trace import Trace

MAX_FLIPS = 3  # of a trace that are told in words
CONTROL_KEPT = 0.95  # below this share of its pre-trained accuracy the control counts as damaged


def percent(value: float) -> str:
    """Whole percent, halves upwards as in the browser, so that it takes over without a flicker."""
    return f"{math.floor(100 * value + 0.5)}"


def formula_html(recipe: Recipe, order: Sequence[str]) -> str:
    """The formula line: one term a vector, hidden while its λ is 0, and a place for a sentence. recipe.js goes on."""
    terms = []
    for name in order:
        value = recipe.coefficients.get(name)
        # The term as the recipe writes it, without the ends that are marked up here
        term = Recipe(recipe.checkpoint, {name: value or 1.0}).formula().removeprefix("θ_new = θ_pt")
        number = term.removesuffix(f"τ_{name}") if value else ""
        terms.append(
            f"<span class='tv-term' data-vector='{escape(name)}'{_hidden(not value)}>"
            f"<span>{number}</span><b>τ<sub>{escape(name)}</sub></b></span>"
        )
    return (
        f"<div class='tv-formula'><span class='tv-equation'>θ<sub>new</sub> = θ<sub>pt</sub>{''.join(terms)} "
        f"<span class='tv-muted'{_hidden(bool(recipe.coefficients))}>the pre-trained model: move a slider</span></span>"
        "<span class='tv-message' role='alert' hidden></span></div>"
    )


def _hidden(hidden: bool) -> str:
    return " hidden" if hidden else ""


def results_html(
    results: Sequence[TaskResult], recipe: Recipe, finetuned: Mapping[str, float], hidden: Container[str] = ()
) -> str:
    """Tiles and bars of every task; those in `hidden` are there but not shown. bars.js finds its places in it.

    `finetuned`: validation accuracy of each task's own vector at λ = 1. The bars grow from the pre-trained to the
    edited value once, when the page opens (class tv-first).
    """
    tiles = "".join(_tile(r, finetuned.get(r.task.name), r.task.name in hidden) for r in results)
    panels = "".join(_panel(r, r.task.name in hidden) for r in results)
    shown = [r for r in results if r.task.name not in hidden]
    return (
        f"<div class='tv-results tv-first' data-query='{escape(recipe.to_query(), quote=True)}'>"
        "<div class='tv-message' role='alert' hidden></div><div class='tv-figures'>"
        f"<div class='tv-tiles'>{tiles}</div>"
        f"<p class='tv-legend'>{_badge(shown)} <i class='tv-key tv-pre'></i>pre-trained "
        "<i class='tv-key tv-ed'></i>edited <i class='tv-key tv-ci'></i>95 % Wilson interval. "
        "Share of each class recognised; validation clips, n beside each class.</p>"
        f"<div class='tv-panels'>{panels}</div></div>"
        "<div class='tv-spoken' role='status' aria-live='polite'></div></div>"
    )


def _badge(results: Sequence[TaskResult]) -> str:
    """What the figures are: measured, or estimated with the largest held-out error among the tasks shown."""
    estimates = [r for r in results if r.kind == "estimate"]
    state = "tv-estimate" if estimates else "tv-exact"
    return f"<span class='tv-badge {state}'>{badge_text(estimates)}</span>"


def badge_text(estimates: Sequence[TaskResult]) -> str:
    """The badge's words, as in bars.js; the error of single classes is left out where no surface knows it."""
    if not estimates:
        return "measured at exactly this λ"
    by_class = [e for r in estimates if (e := r.estimate_class_error) is not None and math.isfinite(e)]
    text = f"estimate ± {_points(max(r.estimate_error or 0.0 for r in estimates))} points"
    return text + (f" (single classes ± {_points(max(by_class))})" if by_class else "")


def _points(share: float) -> str:
    """A share in points to one decimal, halves upwards as in the browser."""
    return f"{math.floor(1000 * share + 0.5) / 10:.1f}"


def _tile(result: TaskResult, finetuned: float | None, hidden: bool) -> str:
    before, after = result.pretrained, result.edited
    kept = after.accuracy / before.accuracy if before.accuracy else math.nan
    if result.task.role == "control":
        state = "tv-ok" if kept >= CONTROL_KEPT else "tv-bad"
        note = f"<span class='{state}'>control keeps {percent(kept)} %</span>" if before.accuracy else "<span></span>"
    elif finetuned:
        note = f"<span>normalized {normalized_accuracy(after.accuracy, finetuned):.2f}</span>"
    else:
        note = "<span></span>"
    return (
        f"<div class='tv-tile' data-task='{escape(result.task.name)}' title='{escape(result.task.source)}'"
        f"{_hidden(hidden)}>"
        f"<div class='tv-tile-name'>{escape(result.task.title)}</div>"
        f"<div class='tv-tile-value'><span class='tv-from'><s>{percent(before.accuracy)}</s> → </span>"
        f"<b>{percent(after.accuracy)} %</b> {_delta(after.accuracy - before.accuracy)}</div>"
        f"<div class='tv-tile-note'><span>{percent(after.low)}–{percent(after.high)} %, n = {after.n}</span> "
        f"{note}</div></div>"
    )


def _delta(change: float) -> str:
    points = math.floor(100 * change + 0.5)
    if not points:
        return "<span class='tv-delta tv-same'>±0</span>"
    direction, sign = ("tv-up", "+") if points > 0 else ("tv-down", "−")
    return f"<span class='tv-delta {direction}'>{sign}{abs(points)}</span>"


def _panel(result: TaskResult, hidden: bool) -> str:
    rows = "".join(_row(name, before, after) for name, before, after in result.per_class)
    return (
        f"<section class='tv-panel tv-{result.task.role}' data-task='{escape(result.task.name)}'{_hidden(hidden)}>"
        f"<h4>{escape(result.task.title)} <em>{result.task.role}</em></h4><div class='tv-rows'>{rows}</div></section>"
    )


def _row(name: str, before: Accuracy, after: Accuracy) -> str:
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
        f"{_delta(after.accuracy - before.accuracy)}</div>"
    )


def exact_html(figures: ExactFigures, recipe: Recipe, clips: str, hidden: Container[str] = ()) -> str:
    """Figures measured now, as far as they have come; `clips` says what they are measured on.

    Results of no clips keep their place, so that nothing moves when figures come in; tasks in `hidden` are left out.
    exact.js greys what is of another recipe than the controls.
    """
    panels = "".join(_exact_panel(r) for r in figures.results if r.task.name not in hidden)
    done, total = figures.done, figures.total
    return (
        f"<section class='tv-measured' data-query='{escape(recipe.to_query(), quote=True)}' data-done='{done}' "
        f"aria-busy='{'false' if done == total else 'true'}'>"
        "<h4>Measured now with these very weights <span class='tv-badge tv-exact'>exact</span></h4>"
        f"<p class='tv-legend'>On {total} labelled clips of this machine: {escape(clips)}. Pre-trained → edited, 95 % "
        "Wilson interval. Open a task for its classes.</p>"
        f"<div class='tv-progress'><progress max='{total}' value='{done}' aria-label='Clips measured'></progress>"
        f"<span>{done} / {total} clips</span></div><div class='tv-panels'>{panels}</div></section>"
    )


def _exact_panel(result: TaskResult) -> str:
    before, after = result.pretrained, result.edited
    figures = "<span class='tv-muted'>no clip yet</span><span></span>"
    if after.n:
        figures = (
            f"<span><s>{percent(before.accuracy)}</s> → <b>{percent(after.accuracy)} %</b> "
            f"{_delta(after.accuracy - before.accuracy)}</span>"
            f"<small>{percent(after.low)}–{percent(after.high)} %, n = {after.n}</small>"
        )
    rows = "".join(_row(name, b, a) for name, b, a in result.per_class)
    return (
        f"<details data-task='{escape(result.task.name)}'><summary><span>{escape(result.task.title)}</span>{figures}"
        f"</summary><div class='tv-rows'>{rows}</div></details>"
    )


def _control_titles(tasks: Mapping[str, Task]) -> str:
    return escape(" and ".join(t.title.lower() for t in tasks.values() if t.role == "control"))


def safe_legend_html(tasks: Mapping[str, Task]) -> str:
    """What the bands under the sliders mean."""
    return (
        f"<p class='tv-legend'><i class='tv-key tv-safe'></i>λ at which {_control_titles(tasks)} keep "
        f"{percent(CONTROL_KEPT)} % of their accuracy (estimate)</p>"
    )


def curve_html(tasks: Mapping[str, Task]) -> str:
    """The place where curve.js draws, and what is drawn."""
    return (
        "<div class='tv-curve'><p class='tv-muted'>The curves are drawn when the logit surfaces have arrived.</p></div>"
        "<p class='tv-legend'>Validation accuracy. Lines: estimated by the logit surfaces, the other λ as set. "
        "Circles: measured, shown while no other vector is on. Dotted: the operating point. Dashed: "
        f"{percent(CONTROL_KEPT)} % of the pre-trained accuracy on {_control_titles(tasks)}.</p>"
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


def trace_html(trace: Trace) -> str:
    """Where the answer flips along λ, in one sentence, and what was left out."""
    along = f"Along λ {escape(trace.vector)} your clip"
    if trace.flips:
        turns = [
            f"{'turns ' if i == 0 else ''}from “{escape(a)}” to “{escape(b)}” at λ ≈ {_signed(x)}"
            for i, (x, a, b) in enumerate(trace.flips[:MAX_FLIPS])
        ]
        more = len(trace.flips) - MAX_FLIPS
        text = f"{along} {', '.join(turns)}{f', and {more} times more' if more > 0 else ''}."
    else:
        always = max(trace.probabilities, key=lambda label: trace.probabilities[label][0])
        text = f"{along} stays “{escape(always)}” everywhere."
    notes = "".join(f"<br><span class='tv-muted'>{escape(n)}</span>" for n in trace.notes)
    return f"<div class='tv-difference' role='status'>{text}{notes}</div>"


def _signed(scaling_coef: float) -> str:
    return f"{scaling_coef:.2f}".replace("-", "−")


def _share(p: float) -> str:
    return f"{100 * p:.0f} %" if p >= 0.005 else "< 1 %"


def test_table_html(presets: Sequence[Preset], tasks: Mapping[str, Task], order: Sequence[str]) -> str:
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
