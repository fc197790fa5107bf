"""The dial of the speech and music study as HTML: what the browser moves. Pure functions; dial_study.js fills them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from ...core.evaluation import percent
from ...serve.labelled_clips import SYNTHESIZED
from .explore import badge, panel

DOMAIN_TITLES = {"speech": "Speech", "music": "Music", "neutral": "Neutral sounds"}
SERIES = {"speech": 5, "music": 1, "neutral": 2}  # colours of the domains
# What stands still while the dial turns: entry of `fixed`, its words, and the class of its mark
FIXED = {
    "initial": ("initialisation", "tv-fixed-initial"),
    "ensemble": ("ensemble", "tv-fixed-ensemble"),
    "speech_teacher": ("speech teacher", "tv-fixed-teacher"),
    "music_teacher": ("music teacher", "tv-fixed-teacher"),
}
CURVES = (
    "Each curve is the mean accuracy of a domain on validation clips: a linear head was trained on the frozen features "
    "at every measured point. Drag in a picture, or turn the dial."
)


def domain_title(domain: str) -> str:
    return DOMAIN_TITLES.get(domain, domain.replace("_", " "))


def domains(contents: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(task["domain"] for task in contents["tasks"]))


def figures_html(contents: Mapping[str, Any], file: str, version: str) -> str:
    """The dial, one picture a domain, one bar a task. `file` holds the figures, `version` is part of its hash."""
    return (
        f"<div class='tv-explore tv-dial' data-file='{escape(file, quote=True)}' data-version='{version}'>"
        f"{_dial_panel(contents)}{_tasks_panel(contents['tasks'])}</div>"
    )


def _dial_panel(contents: Mapping[str, Any]) -> str:
    low, high = min(contents["dial"]["speech"]), max(contents["dial"]["speech"])
    chosen = contents["chosen"]["sum"][0]
    figures = "".join(_figure(d, contents["tasks"]) for d in domains(contents))
    body = (
        "<p class='tv-dial-formula' role='status' aria-live='off'></p>"
        f"<div class='tv-dial-row'><span>music</span>{_slider('speech', 'λ of speech', low, high, chosen)}"
        "<span>speech</span></div>"
        f"<div class='tv-dial-row' hidden><span>0</span>{_slider('music', 'λ of music', low, high, 1 - chosen)}"
        "<span>music</span></div>"
        f"<p class='tv-choices'>{_shortcut('Music student', 0)}{_shortcut(f'Best on validation ({chosen:g})', chosen)}"
        f"{_shortcut('Speech student', 1)}<label><input type='checkbox' name='unlock'> Set both λ freely</label></p>"
        f"<div class='tv-dial-figures'>{figures}</div><p class='tv-legend tv-dial-key'>{_key()}</p>"
        "<p class='tv-message' hidden></p>"
    )
    return panel(
        "dial",
        "One encoder for both: θ = θ₀ + λ τ<sub>speech</sub> + (1 − λ) τ<sub>music</sub>",
        "<span class='tv-badge tv-exact'>measured · validation</span>",
        CURVES,
        body,
        wide=True,
    )


def _slider(name: str, label: str, low: float, high: float, value: float) -> str:
    return (
        f"<input type='range' name='{name}' aria-label='{label}' min='{low:g}' max='{high:g}' step='0.01' "
        f"value='{value:g}'>"
    )


def _shortcut(text: str, share: float) -> str:
    return f"<button type='button' class='tv-load' data-speech='{share:g}'>{escape(text)}</button>"


def _figure(domain: str, tasks: Sequence[Mapping[str, Any]]) -> str:
    own = [t for t in tasks if t["domain"] == domain]
    n = sum(t["clips"]["validation"] for t in own)
    return (
        f"<figure class='tv-dial-figure tv-series-{SERIES.get(domain, 3)}' data-domain='{escape(domain)}' "
        "data-about='study of a speech and a music encoder, validation clips'>"
        f"<figcaption><b>{domain_title(domain)}</b> <span class='tv-dial-now'></span> <small>mean of {len(own)} "
        f"task{'s' * (len(own) != 1)}, n = {n:,} answers</small></figcaption><div></div></figure>"
    )


def _key() -> str:
    marks = {words: kind for words, kind in FIXED.values() if "teacher" not in words} | {"teachers": "tv-fixed-teacher"}
    fixed = "".join(f"<span><i class='tv-fixed {kind}'></i>{words}</span>" for words, kind in marks.items())
    way = "<span class='tv-dial-way-key'><i class='tv-fixed tv-fixed-way'></i>the dial: both λ add up to 1</span>"
    return f"<span><i class='tv-fixed tv-fixed-sum'></i>the sum</span>{fixed}{way}"


def _tasks_panel(tasks: Sequence[Mapping[str, Any]]) -> str:
    rows = "".join(_task_row(t) for t in tasks)
    lead = (
        "The bar is the sum at the dial, the marks are what stands still. What no two splits of a task share (a "
        "speaker, a track, a source) is named in the table below."
    )
    body = f"<div class='tv-dial-tasks'>{rows}</div>"
    return panel("dial-tasks", "Task by task", badge("exact", "measured · validation"), lead, body, wide=True)


def _task_row(task: Mapping[str, Any]) -> str:
    chance, n = percent(1 / task["classes"]), task["clips"]["validation"]
    said = f"{task['classes']} classes, chance {chance} %, n = {n}, split by {task['split_by']}"
    series = SERIES.get(task["domain"], 3)
    marks = "".join(f"<i class='tv-fixed {kind}' data-fixed='{name}'></i>" for name, (_, kind) in FIXED.items())
    return (
        f"<div class='tv-dial-task tv-series-{series}' data-task='{escape(task['name'])}'"
        f" title='{escape(said, quote=True)}'><span class='tv-name'><i class='tv-dot'></i>{escape(task['title'])} "
        f"<small>n = {n}</small></span><div class='tv-track'><i class='tv-ed'></i>{marks}</div>"
        "<b class='tv-num'></b></div>"
    )


def neighbours_html(n: int, split: str) -> str:
    """The visitor's clip among the labelled clips of this machine."""
    kind = "synthesized" if split == SYNTHESIZED else split
    lead = (
        f"Which of {n} labelled {kind} clips of this machine sound most like yours to this encoder? The order follows "
        "the dial. Pick or record another clip at the foot of the page."
        if n
        else "Which labelled clips of this machine sound most like yours to this encoder?"
    )
    body = "<ol class='tv-near' aria-busy='true'></ol><p class='tv-message' hidden></p>"
    mark = "<span class='tv-badge tv-none' role='status'>…</span>"
    return f"<div class='tv-explore'>{panel('near', 'Your clip and its neighbours', mark, lead, body, wide=True)}</div>"
