"""The view of the study "Multi-task adapters for on-device audio inference"."""

from __future__ import annotations

import json
from pathlib import Path

import gradio as gr

from ...core.files import sha256_of
from ...errors import BadRecipeError, TaskVecError
from ...serve.studies.adapters import Adapters
from ...serve.studies.contents import CONTENTS
from .. import live
from ..api import TRACE_CONCURRENCY
from ..events import QUIET
from ..html.adapters import adapters_html
from ..html.adapters_results import results_html
from ..html.bars import task_series
from ..page import Page
from ..plain import plain_html
from .view import StudyView

NO_CLIP = "Upload or record a clip, or pick an example, at the foot of the page."


def build(page: Page, folder: Path, clip: gr.Audio) -> None:
    """The dial, what it buys, and the results. Raises TaskVecError for artifacts that cannot be used."""
    study = Adapters(folder, page.workbench)
    file = (folder / CONTENTS).resolve()
    gr.set_static_paths([file])

    def answer(event: gr.EventData, clip: str | None) -> str:
        """JSON for the browser: the serial number of its question, and what `Heard` holds, or an error."""
        told = {"serial": event.serial}
        try:
            if not clip:
                return json.dumps(told | {"error": NO_CLIP})
            return json.dumps(told | study.answer(clip, _chosen(event.chosen)).to_dict())
        except TaskVecError as error:
            return json.dumps(told | {"error": str(error)})

    series = task_series(page.tasks.values())
    view = plain_html(
        adapters_html(study.contents, series, file.as_posix(), sha256_of(file)[:12]),
        elem_id="adapters-study",
        js_on_load=live.on_load(
            "startAdapters", "(chosen, serial) => trigger('asked', { chosen, serial })", module=live.STUDIES
        ),
    )
    told = gr.Textbox("", visible="hidden", elem_id="adapters-answer")
    view.asked(answer, clip, told, trigger_mode="multiple", **TRACE_CONCURRENCY, **QUIET)
    told.change(
        None, told, None, js=live.call("handAdapters", module=live.STUDIES), queue=False, show_progress="hidden"
    )
    clip.change(
        None, None, None, js=live.call("tellAdaptersClip", module=live.STUDIES), queue=False, show_progress="hidden"
    )
    plain_html(results_html(study.contents), elem_id="adapters-results")


def _chosen(asked: object) -> dict[str, str]:
    """The points that a browser sent, by task. Raises BadRecipeError."""
    if not isinstance(asked, dict) or not all(isinstance(name, str) for name in asked.values()):
        raise BadRecipeError("The budget is asked about as a name of a point for each task.")
    return asked


VIEW = StudyView(
    "adapters",
    "Adapters with a price",
    "A device that listens for several things at once cannot run a whole model for each. Here every task gets a small "
    "adapter beside the one frozen audio tower, and a budget decides which of its channels stay.",
    "Tagliasacchi et al. 2020: Multi-task adapters for on-device audio inference",
    "https://openreview.net/forum?id=rkeMj3VtvB",
    CONTENTS,
    build,
)
