"""The view of the study "Which audio tasks improve each other"."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from ...core.files import sha256_of
from ...serve.studies.contents import CONTENTS, read_contents
from ...serve.studies.relations import FORMAT, NAME
from .. import live
from ..html.relations import relations_html
from ..html.relations_results import results_html
from ..page import Page
from ..plain import plain_html
from .own_set import build_own_set
from .view import StudyView


def build(page: Page, folder: Path, clip: gr.Audio) -> None:
    """The heat map with its pairings, a visitor's own set, the results. Raises TaskVecError for another format."""
    contents = read_contents(folder, FORMAT)
    file = (folder / CONTENTS).resolve()
    gr.set_static_paths([file])
    plain_html(
        relations_html(contents, file.as_posix(), sha256_of(file)[:12]),
        elem_id="relations-study",
        js_on_load=live.on_load("startRelations", module=live.STUDIES),
    )
    build_own_set(contents, page.workbench.data)
    plain_html(results_html(contents), elem_id="relations-results")


VIEW = StudyView(
    NAME,
    "Which tasks help each other",
    "For every pair of audio tasks one small network learned both at once, and was compared with networks that learned "
    "one alone. The map says which partner makes a task better or worse, and which differences may be chance.",
    "the questions of Callebaut 2021: CombinaTorch, a thesis on learning several audio tasks at once",
    "https://repository.tudelft.nl/record/uuid:1ebfd66c-79e6-467b-a13a-0173d1c60a3c",
    CONTENTS,
    build,
)
