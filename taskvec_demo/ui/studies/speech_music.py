"""The view of the study "Distilling a speech and music encoder with task arithmetic"."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gradio as gr

from ...core.files import sha256_of
from ...errors import TaskVecError
from ...serve.studies.contents import CONTENTS
from ...serve.studies.speech_music import NAME, SpeechMusic, point_of
from .. import live
from ..api import TRACE_CONCURRENCY
from ..events import QUIET
from ..html.speech_music import figures_html, neighbours_html
from ..html.speech_music_results import results_html
from ..labelled_sound import sound_function
from ..page import Page
from ..plain import plain_html
from .view import StudyView


class Likenesses:
    """The handlers of the visitor's clip. Nothing of a visitor is kept but features in a bounded cache."""

    def __init__(self, study: SpeechMusic) -> None:
        self.study = study

    def answer(self, event: gr.EventData, clip: str | None) -> str:
        """JSON for the browser: the labelled clips, and a cosine for each at the point that the event names.

        Instead of them there may be an `error`. `serial` is the event's number of the clip.
        """
        told: dict[str, Any] = {"serial": event.serial}
        if not clip:
            return json.dumps(told | {"error": "Upload or record a clip, or pick an example, at the foot of the page."})
        if not self.study.neighbours:
            return json.dumps(told | {"error": "There are no labelled clips here; start the app with --data DIR."})
        try:
            found = self.study.likeness(clip, point_of(event.point))
        except TaskVecError as error:
            return json.dumps(told | {"error": str(error)})
        clips = [[n.index, n.label, n.task] for n in self.study.neighbours]
        return json.dumps(told | {"point": found.point, "cosines": found.cosines, "clips": clips})


def build(page: Page, folder: Path, clip: gr.Audio) -> None:
    """The dial with its figures, the visitor's clip, and the results. Raises TaskVecError for damaged artifacts."""
    study = SpeechMusic(folder, page.workbench)
    likenesses = Likenesses(study)
    file = (folder / CONTENTS).resolve()
    gr.set_static_paths([file])
    figures = figures_html(study.contents, file.as_posix(), sha256_of(file)[:12])
    clips = neighbours_html(len(study.neighbours), page.workbench.labelled.split)
    view = plain_html(
        f"<div class='tv-dial-study'>{figures}{clips}</div>",
        elem_id="dial-study",
        js_on_load=live.on_load(
            "startDial", "server", "(point, serial) => trigger('asked', { point, serial })", module=live.STUDIES
        ),
        server_functions=[sound_function(page.workbench)],
    )
    answer = gr.Textbox("", visible="hidden", elem_id="dial-answer")
    # Not "always_last": with it the newest question was seen to go unanswered
    view.asked(likenesses.answer, clip, answer, trigger_mode="multiple", **TRACE_CONCURRENCY, **QUIET)
    answer.change(
        None, answer, None, js=live.call("handLikeness", module=live.STUDIES), queue=False, show_progress="hidden"
    )
    clip.change(
        None, None, None, js=live.call("tellOtherClip", module=live.STUDIES), queue=False, show_progress="hidden"
    )
    plain_html(
        results_html(study.contents),
        elem_id="dial-results",
        js_on_load=live.on_load("startDialTable", module=live.STUDIES),
    )


VIEW = StudyView(
    NAME,
    "A speech and a music encoder in one",
    "Two copies of one small encoder learned apart from each other: one from models that understand speech, one from a "
    "model that understands music. Their task vectors are added, and a dial decides how much of each goes in.",
    "Ritter-Gutierrez et al. 2025: Distilling a speech and music encoder with task arithmetic",
    "https://arxiv.org/abs/2505.13270",
    CONTENTS,
    build,
)
