"""The cells of "The paper, replayed": entries of `tables/*.json` as HTML. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from ...core.table_entries import interval, kept, tenths
from .numbers import number_text
from .reported import Reported


def scroll_box(name: str) -> str:
    """The start tag of a box in which a wide table scrolls; `name` tells it from others."""
    return f"<div class='tv-scroll' tabindex='0' role='region' aria-label='table “{escape(name)}”, scrolls sideways'>"


def accuracy(figures: Mapping[str, Any], more: str = "", bold: bool = True) -> str:
    """<b>19.5 %</b> [16.9, 22.3], then `more` as small as the interval."""
    share = f"{tenths(figures['accuracy'])} %"
    return f"{f'<b>{share}</b>' if bold else share} <small>{interval(figures)}{more}</small>"


def change(entry: Mapping[str, Any], with_p: bool = False) -> str:
    """38.1 → <b>19.5 %</b> [16.9, 22.3], n = 837, p < 0.001"""
    before, after, p = entry["pretrained"], entry["edited"], entry["mcnemar_p"]
    tested = f", p {'&lt; 0.001' if p < 0.001 else f'= {p:.3f}'}" if with_p else ""
    more = f", n = {entry['n']}{tested}"
    return f"{tenths(before['accuracy'])} → {accuracy(after, more)}"


def keeps(control: Mapping[str, Any]) -> str:
    """The share of the control's accuracy that is left."""
    share = kept(control)
    return "has nothing to keep" if share is None else f"keeps {share} %"


def baseline(edit: Mapping[str, Any], what: str) -> str:
    """A baseline in two lines: target with interval, control."""
    target, control = edit["target"], edit["control"]
    if edit.get("training", {}).get("holds_on_validation") is False:
        what += " (no step holds the control)"
    return (
        f"{what}: {accuracy(target['edited'])}<br>"
        f"<small>control {tenths(control['edited']['accuracy'])} %, {keeps(control)}</small>"
    )


def spread(entries: Sequence[Mapping[str, Any]]) -> str:
    """Mean and range of the edited accuracy over runs."""
    mean, _, rest = spread_text(entries).partition(" (")
    return f"<b>{mean}</b> <small>({rest}</small>" if rest else mean


def spread_text(entries: Sequence[Mapping[str, Any]]) -> str:
    """The same without markup: 59.2 % (58.9 to 59.5)"""
    values = [e["edited"]["accuracy"] for e in entries if e["edited"]["accuracy"] is not None]
    if not values:
        return "–"
    return f"{tenths(sum(values) / len(values))} % ({tenths(min(values))} to {tenths(max(values))})"


def lambdas(coefficients: Mapping[str, float]) -> str:
    values = {number_text(value, "g") for value in coefficients.values()}
    if len(values) == 1:
        return f"λ = {values.pop()}"
    pairs = (f"{escape(n.replace('_', ' '))} {number_text(v, 'g')}" for n, v in coefficients.items())
    return "λ: " + ", ".join(pairs)


def apart(row: Mapping[str, Any]) -> str:
    """The control without the classes that the target has too, because those are meant to be forgotten."""
    if "control_apart" not in row:
        return ""
    shared = ", ".join(f"“{escape(name.replace('_', ' '))}”" for name in row["shared"])
    return f"<br><small>without {shared}, in both: {change(row['control_apart'])}</small>"


def unheld(row: Mapping[str, Any]) -> str:
    return "" if row["holds_on_validation"] else "<br><span class='tv-bad'>no λ holds the control on validation</span>"


def reported_cell(told: Reported | None) -> str:
    """What was reported, or that nothing was."""
    if told is None:
        return "<span class='tv-muted'>not reported</span>"
    lines = [escape(told.name), f"target {_reported_change(told.target)}"]
    if told.control:
        lines.append(f"control {_reported_change(told.control)}")
    if told.normalized:
        lines.append(f"normalized {number(told.normalized)}")
    return "<br>".join(lines)


def _reported_change(entry: Mapping[str, Any]) -> str:
    before, after = entry["pretrained"]["accuracy"], entry["edited"]["accuracy"]
    return f"{tenths(before)} → <b>{tenths(after)} %</b>" + (f" (n = {entry['n']})" if entry["n"] else "")


def html_table(name: str, head: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    """A table whose cells are HTML. `name` marks it for those who look for its figures.

    On a phone the cells of a table with few columns stand below each other, each under its heading.
    """
    few = len(head) <= 4
    labels = [f" data-label='{h}'" if few else "" for h in head[1:]]
    top = "".join(f"<th scope='col'>{h}</th>" if h else "<td></td>" for h in head)
    body = "".join(
        f"<tr><th scope='row'>{name}</th>"
        f"{''.join(f'<td{label}>{c}</td>' for label, c in zip(labels, cells, strict=True))}</tr>"
        for name, cells in rows
    )
    kind = f"tv-table{' tv-stacks' if few else ''}"
    return (
        f"{scroll_box(name)}<table class='{kind}' data-table='{name}'><thead><tr>{top}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def title_of(titles: Mapping[str, str], name: str) -> str:
    return escape(titles.get(name, name.replace("_", " ")))


def number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def lambda_size(row: Mapping[str, Any]) -> str:
    """The one λ of an analogy, whose vectors differ in sign only."""
    return f"λ = {max(abs(v) for v in row['coefficients'].values()):g}"


def baseline_entry(entry: Mapping[str, Any]) -> str:
    return accuracy(entry["edited"], f", n = {entry['n']}")
