"""What the studies of the tab "Studies" have in common: how they begin, and their claims."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any


def head_html(title: str, lead: str, paper: str, link: str) -> str:
    return (
        f"<div class='tv-study'><h2>{escape(title)}</h2><p>{escape(lead)}</p><p class='tv-muted'>After <a href='"
        f"{escape(link, quote=True)}' target='_blank' rel='noopener'>{escape(paper)}</a>, replayed in small. "
        "The two answers at the foot of the page are CLAP’s, whatever model a study is about.</p></div>"
    )


def broken_html(problem: str) -> str:
    return f"<p class='tv-message'>This study cannot be shown. {escape(problem)}</p>"


def claims_html(claims: Iterable[Mapping[str, Any]]) -> str:
    """A list of claims as `study.json` has them, each with its figures and whether they reach it."""
    return f"<ul class='tv-claims'>{''.join(map(_claim, claims))}</ul>"


def _claim(claim: Mapping[str, Any]) -> str:
    said = f"<b>{escape(claim['claim'])}</b> {escape(claim['says'])}"
    if claim["reached"] is None:
        word, side = "not measured", "plain"
    else:
        word, side = ("✓ reached", "up") if claim["reached"] else ("✗ not reached", "down")
        word += "" if claim["sure"] else ", undecided"
    return f"<li><span class='tv-claim tv-{side}'>{word}</span> <span>{said}</span></li>"
