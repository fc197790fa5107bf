"""The panel on what a better prompt buys, beside what the edit buys. Pure functions that return strings.

`table` is the content of `tables/prompts.json`, `vectors` that of `tables/vectors.json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from ...core.table_entries import tenths
from ...core.tasks import Task
from .explore import badge, panel
from .figures import Mark, Track, tracks_svg
from .numbers import range_text


def prompts_html(table: Mapping[str, Any], vectors: Mapping[str, Any] | None, tasks: Mapping[str, Task]) -> str:
    """For each task a dumbbell of the best prompt, and one of the task's own vector if it has one."""
    edits = {r["vector"]: e for r in (vectors or {"rows": []})["rows"] for e in r["tasks"] if e["task"] == r["vector"]}
    shown = [row for row in table["rows"] if row["task"] in tasks and row["test"]["n"]]
    tracks = []
    for row in shown:
        lanes = [(f"{_prompt(row['best'])}: {_from_to(row['test'])}", [Mark.of(row["test"], "control")])]
        edit = edits.get(row["task"])
        if edit:
            lanes.append((f"its own vector at λ = 1: {_from_to(edit)}", [Mark.of(edit)]))
        tracks.append(Track(tasks[row["task"]].title, lanes))
    tried = len(table["templates"])
    lead = (
        f"How far words alone get: {tried} ways to put a label into a sentence, tried on the pre-trained model. The "
        "best for each task is chosen on validation clips and shown on test clips, from the checkpoint's own prompts "
        "(hollow) to the best one (filled); below it the task's own vector. Accuracy, %, with its 95 % interval."
    )
    picture = tracks_svg("Best prompt and edit, accuracy on test clips in percent", tracks)
    body = (
        f"<p class='tv-finding'>{escape(prompts_verdict(shown, edits, tried))}</p>"
        f"<figure class='tv-figure' data-figure='prompts'>{picture}</figure>"
    )
    return panel("prompts", "Or just a better prompt?", badge("exact", "test"), lead, body)


def _prompt(template: str | None) -> str:
    if template is None:
        return "no prompt beats its own"
    return "the bare label" if template == "{}" else f"“{template.format('…')}”"


def prompts_verdict(rows: list[Mapping[str, Any]], edits: Mapping[str, Mapping[str, Any]], tried: int) -> str:
    """The range of points that prompts gain, and the range that the vectors of the same tasks gain."""
    if not rows:
        return "No test clip was measured."
    said = f"The best of {tried} prompts changes accuracy by {range_text([_points(r['test']) for r in rows])} points"
    own = [_points(edits[r["task"]]) for r in rows if r["task"] in edits]
    return said + (f"; a task's own vector by {range_text(own)}." if own else ".")


def _points(entry: Mapping[str, Any]) -> float:
    return 100 * ((entry["edited"]["accuracy"] or 0.0) - (entry["pretrained"]["accuracy"] or 0.0))


def _from_to(entry: Mapping[str, Any]) -> str:
    before, after = entry["pretrained"]["accuracy"], entry["edited"]["accuracy"]
    return f"{tenths(before)} → {tenths(after)} %, n = {entry['n']}"
