"""What every study of the tab "Studies" begins with."""

from __future__ import annotations

from html import escape


def head_html(title: str, lead: str, paper: str, link: str) -> str:
    return (
        f"<div class='tv-study'><h2>{escape(title)}</h2><p>{escape(lead)}</p><p class='tv-muted'>After <a href='"
        f"{escape(link, quote=True)}' target='_blank' rel='noopener'>{escape(paper)}</a>, replayed in small.</p></div>"
    )


def broken_html(problem: str) -> str:
    return f"<p class='tv-message'>This study cannot be shown. {escape(problem)}</p>"
