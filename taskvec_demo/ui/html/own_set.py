"""What a visitor's own set is told: which partner may help, and what one did. Pure functions that return strings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from ...core.evaluation import percent
from ...core.intervals import MIN_SOURCES
from ...serve.studies.relations.gains import Gain
from ...serve.studies.relations.own_set import LIMITS, MIN_CLASSES, MIN_CLIPS
from .explore import badge
from .numbers import number_text, width_text
from .paper_cells import html_table

LEAD = (
    "<p class='tv-lead-in'>Which of the study’s tasks would be the best partner for clips of yours? Upload a .zip with "
    "a folder for each class: the figures of the study guess the partner, and “Measure it” tries it.</p>"
    f"<p class='tv-legend'>At least {MIN_CLASSES} classes of {MIN_CLIPS} clips, at most {LIMITS.files:,} files and "
    f"{LIMITS.bytes / 1e6:.0f} MB when unpacked; the layout of a published set, or a table clips.csv with file, label, "
    "split and perhaps group, is read too. The unpacked clips are deleted as soon as they are heard, the upload within "
    "two hours.</p>"
)
LUCK = 0.05  # of the sign-flip test


def progress_html(share: float, doing: str) -> str:
    doing = escape(doing, quote=True)
    return (
        f"<div class='tv-progress'><progress max='1' value='{share:.2f}' aria-label='{doing}'></progress>"
        f"<span>{doing}: {percent(share)} %</span></div>"
    )


def message_html(text: str) -> str:
    """An error, or why there is nothing to see."""
    return f"<p class='tv-message' role='alert'>{escape(text)}</p>"


def ranking_html(
    helps: Mapping[str, float],
    titles: Mapping[str, str],
    counts: Mapping[str, int],
    accuracy: float,
    beyond: Sequence[str],
    notes: Sequence[str],
    claim: Mapping[str, Any],
) -> str:
    """The partners with the probability that each helps, the best first.

    `counts`: clips by split; `accuracy` is that of the set alone on its test clips. `beyond`: properties in which it is
    unlike every task of the study. `claim` is the study's on whether such predictions work.
    """
    rows = "".join(
        f"<tr><th scope='row'>{escape(titles[name])}</th><td>{_probability(share)}</td></tr>"
        for name, share in helps.items()
    )
    best = escape(titles[next(iter(helps))])
    split = ", ".join(f"{n} {name}" for name, n in counts.items())
    if beyond:
        unlike = f"Your set is unlike every task of the study in: {', '.join(beyond)}."
        notes = (f"{unlike} Trust the prediction less for that.", *notes)
    told = "".join(f"<p class='tv-legend'>{escape(note)}</p>" for note in notes)
    return (
        f"<div class='tv-card'>{_head(f'The best partner may be “{best}”', badge('estimate', 'predicted'))}"
        f"{_worth(claim)}"
        "<table class='tv-table' data-table='own-set'><thead><tr><th scope='col'>Partner</th>"
        f"<th scope='col'>Probability that it helps</th></tr></thead><tbody>{rows}</tbody></table>"
        "<p class='tv-legend'>Each probability is how often pairings with such a score gained, among tasks of the "
        "study that were left out in turn.</p>"
        f"<p class='tv-legend'>Your set alone is right on {percent(accuracy)} % of n = {counts['test']} test clips "
        f"({split}).</p>{told}</div>"
    )


def _worth(claim: Mapping[str, Any]) -> str:
    """How far the study's predictions can be trusted, in its own figures."""
    if claim["reached"] and claim["sure"]:
        verdict = "Such predictions were right more often than chance and the majority on the study’s own tasks."
    else:
        verdict = "It is not shown that such predictions work: on the study’s own tasks they hardly beat a plain guess."
    return f"<p class='tv-message'><b>{verdict}</b> {escape(claim['says'])}</p>"


def _head(title: str, kind: str) -> str:
    return f"<header><h4>{title}</h4>{kind}</header>"


def _probability(share: float) -> str:
    bar = f"<span class='tv-auc' aria-hidden='true'><i style='width:{width_text(share)}'></i></span>"
    return f"{bar}<b>{percent(share)} %</b>"


def unmeasurable_html(missing: Sequence[str], some: bool) -> str:
    """How to start the app so that the partners `missing`, or all, can be measured; "" if nothing is missing."""
    if not missing:
        return ""
    listed = ", ".join(f"“{escape(title)}”" for title in missing)
    why = f"Of {listed} there are no recordings here:" if some else "To measure what a partner really does,"
    return (
        f"<p class='tv-legend'>{why} start the app with the study’s recordings, <code>python app.py --data DIR</code>, "
        "a folder that holds each set by its name.</p>"
    )


def measured_html(gains: Sequence[Gain], titles: Mapping[str, str], seeds: int, fraction: float) -> str:
    """What partners did, the newest first: a sentence for that one, a row for each."""
    if not gains:
        return ""
    newest = gains[0]
    rows = [(escape(titles[g.partner]), _cells(g)) for g in gains]
    more = " One partner in twenty seems to change something by luck alone." if len(gains) > 1 else ""
    few = " So few sources are no sample: the interval draws single clips." if newest.drawn == "clips" else ""
    changed = f"With “{escape(titles[newest.partner])}” {_points(newest.gain)} points"
    head = ["Partner", "Gain, points", "Alone → together", "Sign flips"]
    return (
        f"<div class='tv-card'>{_head(changed, badge('exact', 'measured · your test clips'))}"
        f"<p class='tv-own-said' role='status'>{_sentence(newest, seeds)}{few}{more}</p>"
        f"{html_table('own-set-measured', head, rows)}<p class='tv-legend'>Mean of {seeds} seeds. The partner gave "
        f"{percent(fraction)} % of its training clips, as in the study; your set gave all of its own.</p></div>"
    )


def _sentence(g: Gain, seeds: int) -> str:
    of_sources = f" of {g.n_sources} source{'s' * (g.n_sources > 1)}" if g.n_sources < g.n_clips else ""
    counted = f"n = {g.n_clips} test clips{of_sources}, {seeds} seeds"
    return (
        f"Test accuracy {percent(g.alone)} % alone, {percent(g.alone + g.gain)} % together: {_points(g.gain)} points "
        f"({_interval(g)}, {counted}). {_verdict(g)}"
    )


def _interval(g: Gain) -> str:
    """The interval, where a bootstrap knows one: not of a handful of clips, and not where all changed alike."""
    if g.n_clips < MIN_SOURCES:
        return "too few clips for an interval"
    if g.low == g.high:
        return "all clips alike, so no interval"
    return f"95 % {_points(g.low)} to {_points(g.high)}"


def _verdict(g: Gain) -> str:
    tested = f"a test by sign flips gives p = {g.p:.3f}"
    if g.n_clips < MIN_SOURCES:
        return f"So few clips cannot show that this is more than chance ({tested})."
    if g.low <= 0 <= g.high:
        return f"The interval holds 0: this may be chance ({tested})."
    if g.p >= LUCK:
        return f"The interval leaves 0 out, but {tested}: this may be chance."
    return f"The partner {'helps' if g.gain > 0 else 'hurts'} beyond chance, on these clips ({tested})."


def _cells(g: Gain) -> list[str]:
    return [
        f"<b>{_points(g.gain)}</b> <small>{_interval(g)}, n = {g.n_clips}</small>",
        f"{percent(g.alone)} → {percent(g.alone + g.gain)} %",
        f"p = {g.p:.3f}",
    ]


def _points(share: float) -> str:
    return number_text(100 * share, "+.1f")
