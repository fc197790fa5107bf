"""What the study of related tasks answers: four questions, predictors, triples, and claims. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from ...core.evaluation import percent
from .explore import badge, panel
from .numbers import number_text
from .paper_cells import html_table
from .studies import claims_html

KINDS = {"best": "With the two partners that validation ranks first", "worst": "With the two that it ranks last"}


def results_html(contents: Mapping[str, Any]) -> str:
    """All panels below the heat map."""
    kind = badge("exact", "measured · test")
    return (
        "<div class='tv-explore'>"
        + panel("relations-answers", "Four questions", kind, _ANSWERS_LEAD, _answers(contents), wide=True)
        + panel("relations-predictors", "What tells it in advance?", kind, _PREDICTORS_LEAD, _predictors(contents))
        + panel("relations-triples", "Three tasks at once", kind, _triples_lead(contents), _triples(contents))
        + panel("relations-claims", "What the numbers carry", kind, _CLAIMS_LEAD, claims_html(contents["claims"]), True)
        + "</div>"
    )


_ANSWERS_LEAD = (
    "The thesis asks them and plans a study that it did not run. These answers are composed from the figures here."
)
_PREDICTORS_LEAD = (
    "How well a property of the two tasks sorts the pairings that gain from those that do not (AUC, 1 is perfect). "
    "Each task is left out in turn, so guessing need not reach 0.5: compare a bar with its own mark of chance, below "
    "which 95 % of shuffled gains stay; p is the share that reach the bar. ✓: beyond chance, counting all properties. "
    "Right: pairings whose sign is predicted; the majority always says what is more frequent."
)
_CLAIMS_LEAD = (
    "Set before anything was measured. Intervals of gains draw test sources (single clips where a task has fewer than "
    "twelve) and seeds, those of correlations and means draw tasks. “Undecided”: the interval crosses what "
    "was wanted."
)


def _answers(contents: Mapping[str, Any]) -> str:
    told = "".join(
        f"<li><h4>{escape(a['question'])}</h4><b>{escape(a['answer'])}</b><p>{escape(a['says'])}</p></li>"
        for a in contents["answers"]
    )
    return f"<ol class='tv-questions'>{told}</ol>"


def _predictors(contents: Mapping[str, Any]) -> str:
    """All properties and the two rivals, the best first."""
    found = contents["predictors"]
    rows = [(e["auc"], escape(e["features"]), _predictor(e)) for e in found["single"]]
    rows.append((found["together"]["auc"], "<em>All properties together</em>", _predictor(found["together"])))
    majority = found["majority"]
    cells = f"<td>{_auc(majority['auc'])}</td><td>{percent(majority['accuracy'])} %</td><td>–</td>"
    rows.append((majority["auc"], "<em>Baseline: the majority</em>", cells))
    body = "".join(
        f"<tr><th scope='row'>{name}</th>{cells}</tr>" for _, name, cells in sorted(rows, key=lambda row: -row[0])
    )
    head = "".join(f"<th scope='col'>{text}</th>" for text in ("Property", "AUC", "Right", "p"))
    return (
        f"<table class='tv-table tv-ranked' data-table='relations-predictors'><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table><p class='tv-legend'>n = {found['pairs']} pairings of {found['tasks']} tasks, "
        f"{found['positive']} of which gain. Logistic regression, after Bingel and Søgaard 2017.</p>"
    )


def _predictor(entry: Mapping[str, Any]) -> str:
    mark = " ✓" if entry.get("significant") else ""
    right = f"<td>{percent(entry['accuracy'])} %</td>"
    return f"<td>{_auc(entry['auc'], entry['null_95'])}</td>{right}<td>{entry['p']:.3f}{mark}</td>"


def _auc(auc: float, null: float | None = None) -> str:
    """A bar from 0 to 1 with a mark where chance ends, and the numbers."""
    mark = "" if null is None else f"<u style='left:{100 * null:.0f}%'></u>"
    chance = "" if null is None else f" <small>chance {null:.2f}</small>"
    bar = f"<span class='tv-auc' aria-hidden='true'><i style='width:{100 * auc:.0f}%'></i>{mark}</span>"
    return f"{bar}<b>{auc:.2f}</b>{chance}"


def _triples_lead(contents: Mapping[str, Any]) -> str:
    return (
        "Each task with two partners at once: those that validation clips rank first and last. Points "
        f"of test accuracy against the task alone; ✓: beyond chance, counting all {len(contents['triples'])}."
    )


def _triples(contents: Mapping[str, Any]) -> str:
    titles = {t["name"]: escape(t["title"]) for t in contents["tasks"]}
    cells: dict[str, dict[str, str]] = {}
    for t in contents["triples"]:
        cells.setdefault(t["task"], {})[t["kind"]] = _triple(t, titles)
    rows = [(titles[task], [own[kind] for kind in KINDS]) for task, own in cells.items()]
    return html_table("relations-triples", ["Task", *KINDS.values()], rows)


def _triple(t: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    mark = " ✓" if t["significant"] else ""
    apart = " and ".join(_points(gain) for gain in t["pairs"])
    return (
        f"{' and '.join(titles[p] for p in t['partners'])}<br><b>{_points(t['gain'])}{mark}</b> "
        f"<small>[{_points(t['low'])}, {_points(t['high'])}], n = {t['n_clips']}; one by one {apart}</small>"
    )


def _points(share: float) -> str:
    return number_text(100 * share, "+.1f")
