"""The figures of "The paper, replayed", each with a verdict in one sentence. Pure functions that return strings.

A verdict says what its numbers say and no more: a change counts only if McNemar's p is below 0.05, and the control
holds if it keeps 95 % of its accuracy on test clips.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from ...core.evaluation import CONTROL_KEPT, FORGOTTEN, percent
from ...core.table_entries import tenths
from . import reported
from .figures import HeatCell, Mark, Track, disclosure, heat_table, tracks_svg
from .numbers import number_text, range_text
from .paper_cells import lambda_size, lambdas, number, spread_text

Loader = Callable[[Mapping[str, float], str], str]
"""λ by vector, text -> a button that loads the recipe; "" where the page lacks one of the vectors."""
LOAD = "Load this recipe"
CHANCE = 0.05
BAR_END = 1.2  # normalized accuracy at the right end of its axis
GROUPS = ("two", "two_shared")  # sums whose figures are in view; those of larger sums are behind a disclosure


def figure(name: str, title: str, caption: str, picture: str, buttons: str = "") -> str:
    return (
        f"<figure class='tv-figure' data-figure='{escape(name)}'><figcaption><b>{title}</b> <span>{caption}</span> "
        f"{buttons}</figcaption>{picture}</figure>"
    )


def key(*entries: tuple[str, str]) -> str:
    """The legend of some figures: kind of mark and what it stands for."""
    marks = "".join(f"<span><i class='tv-dot-key tv-mark-{kind}'></i>{text}</span>" for kind, text in entries)
    return f"<p class='tv-legend tv-figure-key'>{marks}</p>"


def _from_to(entry: Mapping[str, Any]) -> str:
    n = f", n = {entry['n']}" if entry["n"] else ""
    return f"{tenths(entry['pretrained']['accuracy'])} → {tenths(entry['edited']['accuracy'])} %{n}"


def _changed(entry: Mapping[str, Any]) -> int:
    """−1 for a loss, 1 for a gain, 0 where chance explains the change or there are no clips."""
    before, after = entry["pretrained"]["accuracy"], entry["edited"]["accuracy"]
    if before is None or after is None or entry["mcnemar_p"] >= CHANCE:
        return 0
    return 1 if after > before else -1


def control_said(control: Mapping[str, Any]) -> str:
    """What the control keeps, and whether that is enough."""
    before, after = control["pretrained"]["accuracy"], control["edited"]["accuracy"]
    if not before or after is None:
        return "nobody measured the control"
    share = after / before
    return f"the control keeps {'' if share >= CONTROL_KEPT else 'only '}{percent(share)} %"


# -- negation ---------------------------------------------------------------------------------------------------------
def negation_verdict(row: Mapping[str, Any], title: str) -> str:
    target, control = row["target"], row["control"]
    what = {-1: "weakened", 0: "not clearly forgotten", 1: "better instead of forgotten"}[_changed(target)]
    if what == "weakened" and target["edited"]["accuracy"] <= FORGOTTEN * target["pretrained"]["accuracy"]:
        what = "forgotten"
    said = f"{escape(title)}: {what} ({_from_to(target)}), and {control_said(control)}"
    others = [r["target"] for r in row.get("random", [])]
    if not others or _changed(target) >= 0:  # nothing is forgotten that random vectors could forget too
        return f"{said}."
    moved = sum(_changed(entry) < 0 for entry in others)
    random = "do not do that" if not moved else f"do that in {moved} of {len(others)} cases"
    return f"{said}; random vectors of the same size {random}."


def negation_figure(row: Mapping[str, Any], title: str, load: Loader) -> str:
    tracks = []
    told = reported.NEGATION.get(row["vector"])
    if told:
        tracks.append(_both(f"Reported: {told.name}", told.target, told.control))
    tracks.append(_both(f"Ours, {lambdas(row['coefficients'])}", row["target"], row["control"], ours=True))
    if plain := row.get("plain"):
        name = f"Tuned without rehearsal, {lambdas(plain['coefficients'])}"
        tracks.append(_both(name, plain["target"], plain["control"]))
    if "random" in row:
        tracks.append(_randoms(row["random"], ("target", "control"), ("target", "control")))
    for name, kind in (("stopped in time", "gradient_ascent"), ("to the end", "gradient_ascent_last")):
        if entry := row.get(kind):
            tracks.append(_both(f"Gradient ascent, {name}", entry["target"], entry["control"]))
    picture = tracks_svg(f"Forget {title}: accuracy on test clips in percent", tracks)
    return figure(
        f"negation-{row['vector']}",
        f"Forget {escape(title.lower())}",
        "test accuracy, %",
        picture,
        load(row["coefficients"], LOAD),
    )


def _both(name: str, target: Mapping[str, Any], control: Mapping[str, Any] | None, ours: bool = False) -> Track:
    """A dumbbell of the target, and one of the control below it."""
    lanes = [(f"target {_from_to(target)}", [Mark.of(target)])]
    if control:
        lanes.append((f"control {_from_to(control)}", [Mark.of(control, "control")]))
    return Track(name, lanes, ours)


def _randoms(rows: Sequence[Mapping[str, Any]], parts: tuple[str, str], names: tuple[str, str]) -> Track:
    """The runs of one baseline: a dot each in two lanes."""
    lanes = []
    for part, name, kind in zip(parts, names, ("target", "control"), strict=True):
        entries = [row[part] for row in rows]
        said = f"{name} {spread_text(entries)}, n = {entries[0]['n']}" if entries else f"{name} –"
        lanes.append((said, [Mark.of(e, kind, start=False) for e in entries]))
    return Track(f"Random vectors of the same size, {len(rows)} seeds", lanes)


# -- addition ---------------------------------------------------------------------------------------------------------
def addition_verdict(row: Mapping[str, Any], joint: Mapping[str, Any] | None) -> str:
    shares = [e["normalized"] for e in row["tasks"] if e["normalized"] is not None]
    if not shares:
        return "No test clip was measured."
    least = f"at least {number(min(shares))} of what each task's own vector reaches"
    said = f"The {len(row['tasks'])} tasks in one model keep {least}, and {control_said(row['control'])}."
    mean = joint["mean_normalized"] if joint else None
    return said + (f" Training on both at once reaches {number(mean)} on average." if mean is not None else "")


def addition_figures(
    table: Mapping[str, Any], title_of_row: Callable[[Mapping[str, Any]], str], titles: Mapping[str, str], load: Loader
) -> str:
    drawn = {row["name"]: _sum_figure(table, row, title_of_row(row), titles, load) for row in table["rows"]}
    first = [figure for name, figure in drawn.items() if name in GROUPS] or list(drawn.values())
    more = [figure for figure in drawn.values() if figure not in first]
    return f"<div class='tv-figures-row'>{''.join(first)}</div>" + (
        disclosure("Sums of more vectors", f"<div class='tv-figures-row'>{''.join(more)}</div>") if more else ""
    )


def _sum_figure(
    table: Mapping[str, Any], row: Mapping[str, Any], title: str, titles: Mapping[str, str], load: Loader
) -> str:
    own = {e["task"]: e["edited"]["accuracy"] for e in table["finetuned"]}
    joint = {e["task"]: e for e in table["joint"]["tasks"]} if row["name"] == GROUPS[0] else {}
    told = reported.ADDITION.get(row["name"], {})
    tracks = []
    for entry in row["tasks"]:
        task = entry["task"]
        lanes = [(f"sum {number(entry['normalized'])} ({_from_to(entry)})", [_bar(entry, own.get(task))])]
        if task in joint:
            both = joint[task]
            said = f"joint {number(both['normalized'])} ({_from_to(both)})"
            lanes.append((said, [_bar(both, own.get(task), "control")]))
        if task in told:
            share = told[task].normalized or 0.0
            said = f"reported {number(share)} ({_from_to(told[task].target)})"
            lanes.append((said, [Mark(share, kind="reported", bar=True)]))
        tracks.append(Track(titles.get(task, task), lanes, ours=True))
    picture = tracks_svg(f"{title}: normalized accuracy on test clips", tracks, line=1.0, end=BAR_END)
    caption = f"normalized accuracy, {escape(lambdas(row['coefficients']))}; {escape(control_said(row['control']))}"
    return figure(f"addition-{row['name']}", title, caption, picture, load(row["coefficients"], LOAD))


def _bar(entry: Mapping[str, Any], own: float | None, kind: str = "target") -> Mark | None:
    """The interval is that of the edited accuracy alone, divided like the accuracy itself."""
    if entry["normalized"] is None or not own:
        return None
    after = entry["edited"]
    return Mark(entry["normalized"], (after["low"] / own, after["high"] / own), kind=kind, bar=True)


# -- analogy ----------------------------------------------------------------------------------------------------------
def analogy_figure(table: Mapping[str, Any], load: Loader) -> str:
    first, *swapped = table["rows"]
    before = first["recall_d"]["pretrained"]
    untouched = {"n": first["recall_d"]["n"], "pretrained": before, "edited": before}
    four = {
        "n": first["four_classes"]["n"],
        "pretrained": first["four_classes"]["pretrained"],
        "edited": first["four_classes"]["pretrained"],
    }
    tracks = [_recall("Pre-trained model", untouched, four)]
    tracks.append(_recall(f"Analogy, {lambda_size(first)}", first["recall_d"], first["four_classes"], ours=True))
    tracks += [
        _recall(f"{r['name'][:1].upper()}{r['name'][1:]}, {lambda_size(r)}", r["recall_d"], r["four_classes"])
        for r in swapped
    ]
    tracks.append(_randoms(table["random"], ("recall_d", "four_classes"), ("recall of D", "four classes")))
    buttons = "".join(load(r["coefficients"], f"Load: {r['name']}") for r in table["rows"])
    return figure(
        "analogy",
        "Recall of D",
        "share of D's clips called D, %",
        tracks_svg("Recall of D on test clips in percent", tracks),
        buttons,
    )


def _recall(name: str, recall: Mapping[str, Any], four: Mapping[str, Any], ours: bool = False) -> Track:
    lanes = []
    for entry, what, kind in ((recall, "recall of D", "target"), (four, "four classes", "control")):
        said = f"{what} {tenths(entry['edited']['accuracy'])} %, n = {entry['n']}"
        lanes.append((said, [Mark.of(entry, kind, start=False)]))
    return Track(name, lanes, ours)


# -- vectors ----------------------------------------------------------------------------------------------------------
def vectors_verdict(table: Mapping[str, Any]) -> str:
    """How much a vector changes its own task, how much the others, and how alike two vectors are at most."""
    own = [c for r in table["rows"] for e in r["tasks"] if e["task"] == r["vector"] and (c := _points(e)) is not None]
    others = [c for r in table["rows"] for e in r["tasks"] if e["task"] != r["task"] and (c := _points(e)) is not None]
    angles = [abs(v) for i, line in enumerate(table["cosines"]) for v in line[:i] if v is not None]
    parts = []
    if own:
        parts.append(f"At λ = 1 a vector changes its own task by {range_text(own)} points")
    if others:
        parts.append(f"tasks that it did not learn by {range_text(others)}")
    said = ", and ".join(parts) + "." if parts else ""
    return said + (f" No two vectors have a cosine beyond ±{max(angles):.2f}." if angles else "")


def _points(entry: Mapping[str, Any]) -> float | None:
    before, after = entry["pretrained"]["accuracy"], entry["edited"]["accuracy"]
    return None if before is None or after is None else 100 * (after - before)


def vectors_figures(table: Mapping[str, Any], titles: Mapping[str, str], load: Loader) -> str:
    names = [r["vector"].replace("_", " ") for r in table["rows"]]
    tasks = [f"{titles.get(e['task'], e['task'])} (n = {e['n']})" for e in table["rows"][0]["tasks"]]
    rows = []
    for name, row in zip(names, table["rows"], strict=True):
        cells = [_accuracy_cell(e, framed=e["task"] == row["task"]) for e in row["tasks"]]
        rows.append((f"τ {escape(name)} {load({row['vector']: 1.0}, 'Load')}", cells))
    first = heat_table(
        "vectors",
        "Test accuracy with one vector at λ = 1, %. Colour: points gained (blue) or lost (orange) against the "
        "pre-trained model. Framed: the task that the vector learned.",
        tasks,
        rows,
    )
    lines = [
        (f"τ {escape(n)}", [_cosine_cell(v, i == j) for j, v in enumerate(line)])
        for i, (n, line) in enumerate(zip(names, table["cosines"], strict=True))
    ]
    second = heat_table(
        "cosines",
        "Cosine of the angle between two vectors. Near 0: unrelated directions.",
        [f"τ {n}" for n in names],
        lines,
    )
    return first + second


FULL_TINT = 40.0  # points of change that have the full colour


def _accuracy_cell(entry: Mapping[str, Any], framed: bool) -> HeatCell:
    change, after = _points(entry), entry["edited"]
    if change is None:
        return HeatCell("–", 0.0, framed)
    title = f"{_from_to(entry)}, 95 % interval {tenths(after['low'])} to {tenths(after['high'])} %"
    return HeatCell(percent(after["accuracy"]), change / FULL_TINT, framed, title)


def _cosine_cell(value: float | None, own: bool) -> HeatCell:
    if value is None:
        return HeatCell("–", 0.0)
    return HeatCell(number_text(value), 0.0 if own else value)
