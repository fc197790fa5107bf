"""Which studies are shipped, and the tab that holds them."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from ...errors import TaskVecError
from ..html.studies import broken_html, head_html
from ..page import Page
from ..plain import plain_html
from . import adapters, relations, speech_music
from .view import StudyView

STUDIES: tuple[StudyView, ...] = (speech_music.VIEW, adapters.VIEW, relations.VIEW)
TAB = "Studies"


def shipped_studies(page: Page) -> list[StudyView]:
    """The studies whose artifacts are there; a checkpoint that nobody measured has none."""
    folder = page.workbench.artifacts.studies
    return [view for view in STUDIES if folder and (folder / view.name / view.needs).is_file()]


def build_studies_tab(page: Page, views: list[StudyView], clip: gr.Audio) -> None:
    """All views, to be called inside the tab: one of several at a time."""
    folder = page.workbench.artifacts.studies
    if folder is None:
        return
    if len(views) == 1:
        _build(page, folder, views[0], clip)
        return
    with gr.Tabs(elem_id="studies"):
        for view in views:
            with gr.Tab(view.title, id=view.name):
                _build(page, folder, view, clip)


def _build(page: Page, folder: Path, view: StudyView, clip: gr.Audio) -> None:
    plain_html(head_html(view.title, view.lead, view.paper, view.link), elem_classes="tv-study-head")
    try:
        view.build(page, folder / view.name, clip)
    except TaskVecError as error:
        plain_html(broken_html(str(error)))
