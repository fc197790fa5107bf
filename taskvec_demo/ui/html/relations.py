"""The matrices of related tasks as HTML: switches, heat map, open pairing. relations_study.js fills them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from ...core.evaluation import percent
from .explore import badge, panel
from .paper_cells import scroll_box

# What was done, by matrix
DONE = {
    "mlp": "One network of three layers learned both tasks at once from summaries of the spectrogram.",
    "cnn": "A small convolutional network learned both tasks at once from the spectrogram itself.",
    "sum": "Learned apart: the partner’s task vector, trained without rehearsal, was added to the task’s own.",
    "disentanglement": "Two vectors of the model that the title names were added: how many clips got another answer?",
}
UNMEASURED = (
    "Two matrices were not measured here: what sums of task vectors gain, and how far vectors disturb each other "
    "(<code>study relations --artifacts FOLDER</code>)."
)
# Keys of the heat map, for matrices of gains and of errors: mark, words
GAINS = (
    ("up", "the partner adds points of test accuracy"),
    ("down", "it takes some"),
    ("pale", "pale: the 95 % interval holds 0"),
    ("sure", "framed: beyond chance, counting all pairings"),
    ("own", "the task alone, % right"),
)
ERRORS = (
    ("error", "disentanglement error ξ(1, 1): the shares of both tasks’ clips whose answer changes, summed, 0 to 2"),
)


def relations_html(contents: Mapping[str, Any], file: str, version: str) -> str:
    """The heat map and what a cell of it opens. `file` holds the figures, `version` is part of its hash."""
    lead = "Each row is a task, each column its partner. Pick a cell by mouse, finger or arrow keys."
    done = "".join(f"<p data-matrix='{name}' hidden>{words}</p>" for name, words in DONE.items())
    body = (
        f"{_switches(contents)}{done}<div class='tv-relations-body'><div>{scroll_box('relations')}"
        "<table class='tv-relations-grid' role='grid' data-table='relations'></table></div>"
        f"{_key('gain', GAINS)}{_key('error', ERRORS)}</div>{_pairing(contents)}</div>{_unmeasured(contents)}"
        "<p class='tv-choices'><button type='button' class='tv-load' data-save='csv'>Save all matrices as CSV</button>"
        "</p><p class='tv-message' hidden></p>"
    )
    return (
        f"<div class='tv-explore tv-relations' data-file='{escape(file, quote=True)}' data-version='{version}' "
        "data-about='test clips; curves: validation clips'>"
        f"{panel('relations', 'Who helps whom?', badge('exact', 'measured · test'), lead, body, wide=True)}</div>"
    )


def _switches(contents: Mapping[str, Any]) -> str:
    titles = {m["name"]: escape(m["title"]) for m in contents["matrices"]}
    shares = {f"{f:g}": f"{percent(f)} %" for f in sorted({m["fraction"] for m in contents["matrices"]})}
    return _radios("matrix", "Matrix", titles) + _radios("fraction", "Share of the training data", shares)


def _radios(name: str, legend: str, options: Mapping[str, str]) -> str:
    buttons = "".join(
        f"<label><input type='radio' name='{name}' value='{escape(value, quote=True)}'{' checked' * (i == 0)}> "
        f"{words}</label>"
        for i, (value, words) in enumerate(options.items())
    )
    return f"<fieldset class='tv-choices tv-switch'><legend>{legend}</legend>{buttons}</fieldset>"


def _key(measure: str, marks: Iterable[tuple[str, str]]) -> str:
    shown = "".join(f"<span><i class='tv-heat-key tv-heat-{mark}'></i>{words}</span>" for mark, words in marks)
    hidden = " hidden" * (measure != "gain")
    return f"<p class='tv-legend tv-heat-legend' data-measure='{measure}'{hidden}>{shown}</p>"


def _pairing(contents: Mapping[str, Any]) -> str:
    seeds = contents["seeds"]
    return (
        "<div class='tv-pairing'><div aria-live='polite'><h4></h4><p class='tv-pairing-said'></p></div>"
        "<div class='tv-pairing-curves'></div>"
        "<p class='tv-legend tv-pairing-key'><span><i class='tv-curve-key tv-alone'></i>alone</span>"
        "<span><i class='tv-curve-key tv-together'></i>together</span>Validation accuracy while training: the mean of "
        f"{seeds} seeds, in a band from the lowest to the highest.</p>"
        "<p class='tv-legend tv-pairing-none' hidden>Task vectors are added after training: a pairing has no learning "
        "curve.</p>"
        "<button type='button' class='tv-load tv-turn'>The other way round</button></div>"
    )


def _unmeasured(contents: Mapping[str, Any]) -> str:
    measured = {m["name"] for m in contents["matrices"]}
    return "" if {"sum", "disentanglement"} <= measured else f"<p class='tv-legend'>{UNMEASURED}</p>"
