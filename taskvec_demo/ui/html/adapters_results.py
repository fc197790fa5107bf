"""What the study of adapters claims, and its figures on test clips as tables. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from ...core.table_entries import tenths
from .explore import badge, panel
from .figures import disclosure
from .paper_cells import accuracy, scroll_box
from .studies import claims_html

WAYS = {  # of the table of tasks: name of a point -> head of its column
    "zero-shot": "Zero-shot",
    "multi-head": "Linear head",
    "open": "Adapter, all open",
    "single-task": "Full width",
    "vector": "Own vector",
}
COMPARED = ("multi-head", "open", "single-task", "vector")
REPORTED = (
    "The paper, with another frozen encoder and on eight other tasks, reports means of 53 % for linear heads, 63 to "
    "69 % for adapters and 79 % for networks of full width."
)


def results_html(contents: Mapping[str, Any]) -> str:
    """The claims, the means over all tasks, and every task."""
    claims = claims_html(contents["claims"])
    lead = (
        "Set before anything was measured. Intervals are 95 % intervals over clips; “undecided”: the interval "
        "crosses what was wanted. Clips cut from one recording answer alike: intervals are rather too narrow."
    )
    n = sum(task["n"]["test"] for task in contents["tasks"])
    means = f"Costs are those of one task; means are of {len(contents['tasks'])} tasks (n = {n:,}). "
    means += f"{_with_vectors(contents['tasks'])}{REPORTED}"
    tasks = "Test accuracy, 95 % Wilson interval. ✓: adapter and linear head differ beyond chance, counting all tasks."
    kind = badge("exact", "measured · test")
    return (
        "<div class='tv-explore'>"
        + panel("adapter-claims", "What the numbers carry", kind, lead, claims, wide=True)
        + panel("adapter-means", "What a price buys on average", kind, means, _means(contents["means"]), wide=True)
        + panel("adapter-rivals", "Task by task", kind, tasks, _tasks(contents), wide=True)
        + "</div>"
    )


def _with_vectors(tasks: Sequence[Mapping[str, Any]]) -> str:
    """Means over the tasks that have a vector, if some have none: all ways are then compared on the same tasks."""
    points = [{p["name"]: p["test"]["accuracy"] for p in task["points"]} for task in tasks]
    having = [p for p in points if "vector" in p]
    if len(having) in (0, len(points)):
        return ""
    n = sum(task["n"]["test"] for task, p in zip(tasks, points, strict=True) if "vector" in p)
    told = {way: tenths(sum(p[way] for p in having) / len(having)) for way in COMPARED}
    return (
        f"On the {len(having)} tasks that have a vector (n = {n:,}) linear heads reach {told['multi-head']} %, open "
        f"adapters {told['open']} %, networks of full width {told['single-task']} %, vectors {told['vector']} %. "
    )


def _means(means: Sequence[Mapping[str, Any]]) -> str:
    head = ("Way", "Parameters", "Operations", "Mean test accuracy")
    most = max(m["tasks"] for m in means)
    rows = [
        [
            _way(m, most),
            f"{m['parameters']:,}",
            f"{m['flops']:,}",
            accuracy({**m["test"], "accuracy": m["test"]["mean"]}),
        ]
        for m in means
    ]
    return disclosure(f"All {len(rows)} ways as a table", _table("adapter-means", head, rows))


def _way(mean: Mapping[str, Any], most: int) -> str:
    """The name of a row. If some tasks lack this way, the name says how many have it."""
    if mean["measure"]:
        return f"Adapter, λ = {mean['price']:g} on {'operations' if mean['measure'] == 'flops' else 'parameters'}"
    some = f" <small>({mean['tasks']} of {most} tasks)</small>" if mean["tasks"] < most else ""
    return WAYS.get(mean["name"], escape(mean["name"])) + some


def _tasks(contents: Mapping[str, Any]) -> str:
    tested = {t["task"]: t for c in contents["claims"] if c["name"] == "open" for t in c["figures"]["tasks"]}
    rows = []
    for task in contents["tasks"]:
        points = {p["name"]: p["test"] for p in task["points"]}
        test = tested.get(task["name"], {"p": 1.0, "significant": False})
        p = "&lt; 0.001" if test["p"] < 0.001 else f"{test['p']:.3f}"
        cells = [accuracy(points[way]) if way in points else "–" for way in WAYS]
        name = f"{escape(task['title'])} <small>n = {task['n']['test']}</small>"
        rows.append([name, *cells, f"{p}{' ✓' if test['significant'] else ''}"])
    return _table("adapter-rivals", ("Task", *WAYS.values(), "McNemar p, adapter and head"), rows)


def _table(name: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table. The cells are HTML already."""
    heads = "".join(f"<th scope='col'>{text}</th>" for text in head)
    body = "".join(
        f"<tr><th scope='row'>{first}</th>"
        + "".join(f"<td data-label='{label}'>{cell}</td>" for label, cell in zip(head[1:], cells, strict=True))
        + "</tr>"
        for first, *cells in rows
    )
    return (
        f"{scroll_box(name)}<table class='tv-table tv-stacks' data-table='{name}'><thead><tr>{heads}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )
