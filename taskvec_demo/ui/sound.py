"""The tab "Your sound": a picture of the clip, labels, what both models answer, and where the answer flips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from ..core.zero_shot import MAX_LABELS
from . import live
from .html.answers import EMPTY
from .page import Page
from .plain import plain_html

SOUND_TAB = "Your sound"
OPENING = (
    "<div class='tv-difference tv-muted' role='status'>The models are being opened; their answers come here.</div>"
)


@dataclass(frozen=True)
class SoundTab:
    """The parts of the tab that its events need. The clip is that of the strip (`strip.py`).

    `problem` says what is wrong with the labels; its event `ask` comes when the visitor has written some. `answered`:
    the sentence on both answers, and the table of all labels; `traced`: sentence and figure along λ of `along`, whose
    event `webpage` asks for the same figure in a `file`.
    """

    picture: gr.HTML
    label_set: gr.Dropdown
    labels: gr.Textbox
    problem: gr.HTML
    answered: list[Any]
    along: gr.Dropdown
    traced: list[Any]
    file: gr.File


def build_sound_tab(page: Page) -> SoundTab:
    everything = "\n".join(page.workbench.artifacts.default_labels)
    own = [(t.title, "\n".join(t.prompts)) for t in page.tasks.values() if len(t.prompts) <= MAX_LABELS]
    sets = [("A choice of all tasks", everything), *own]
    templates = ", ".join(f"“{t.format('…')}”" for t in page.workbench.artifacts.templates)
    moved = page.most_moved(page.start) or next(iter(page.vectors), None)
    with gr.Row(elem_id="sound"):
        with gr.Column(scale=3, min_width=330):
            explanation = plain_html(OPENING, elem_id="difference")
            table = plain_html(EMPTY, elem_id="answers")
            along = gr.Dropdown(list(page.vectors), value=moved, label="Follow the clip along λ of", elem_id="along")
            flips = plain_html("", elem_id="flips")
            started = live.on_load("startTrace", "() => trigger('webpage')")
            figure = plain_html("", elem_id="trace", js_on_load=started)
            file = gr.File(visible="hidden")
        with gr.Column(scale=2, min_width=330):
            picture = plain_html("", elem_id="picture")
            label_set = gr.Dropdown(sets, value=everything, label="Labels to choose from", elem_id="label-set")
            labels = gr.Textbox(
                everything,
                label="or your own, one a line",
                lines=6,
                max_lines=12,
                elem_id="labels",
                info=f"Each is read inside the templates {templates}.",
            )
            started = live.on_load("startLabels", "() => trigger('ask')")
            problem = plain_html("", elem_id="label-problem", js_on_load=started)
    return SoundTab(picture, label_set, labels, problem, [explanation, table], along, [flips, figure], file)
