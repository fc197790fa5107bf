"""The answers of both models for one clip: a table with a row for each label."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from ...core.evaluation import percent
from ...core.recipe import Recipe
from ...serve.workbench import Classification
from .numbers import width_text

EMPTY = "<p class='tv-muted'>Upload or record a clip, or pick an example: both models' answers come here.</p>"


def answers_html(result: Classification, recipe: Recipe, pinned: Mapping[str, float] | None = None) -> str:
    """All labels, the edited model's answer first, with the probability before and after and an arrow of the change.

    `pinned` are the probabilities of an edit that the visitor has pinned for comparison.
    """
    columns = {"before": result.pretrained, **({"pinned": pinned} if pinned else {}), "after": result.edited}
    best = {name: max(p, key=lambda label: p[label]) for name, p in columns.items()}
    rows = "".join(
        f"<tr><th scope='row'>{escape(label)}</th>"
        f"{''.join(_cell(name, p[label], best[name] == label) for name, p in columns.items())}"
        f"{_change(result.pretrained[label], result.edited[label])}</tr>"
        for label in sorted(result.edited, key=lambda label: -result.edited[label])
    )
    head = "".join(f"<th scope='col'>{name}</th>" for name in ("label", *columns, "change"))
    query = escape(recipe.to_query(), quote=True)
    return (
        f"<div class='tv-labels-box' tabindex='0'><table class='tv-labels' data-query='{query}'>"
        "<caption>Probability of each label, sorted by the edited model's answer</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _cell(name: str, probability: float, best: bool) -> str:
    bar = f"<i style='width:{width_text(probability)}'></i>"
    return f"<td class='tv-cell-{name}{' tv-best' if best else ''}'>{bar}<b>{percent(probability)}&hairsp;%</b></td>"


def _change(before: float, after: float) -> str:
    """The change in points, as the percentages beside it are rounded."""
    points = int(percent(after)) - int(percent(before))
    if not points:
        return "<td class='tv-shift tv-same'>·</td>"
    arrow, kind, sign = ("▲", "tv-more", "+") if points > 0 else ("▼", "tv-less", "−")
    return f"<td class='tv-shift {kind}'>{arrow} {sign}{abs(points)}</td>"


def problem_html(sentence: str) -> str:
    """Why a list of labels cannot be used; "" if it can."""
    return f"<p class='tv-problem' role='alert'>{escape(sentence)}</p>" if sentence else ""
