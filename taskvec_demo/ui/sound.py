"""The tab "Your sound": a clip, labels, and what both models answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from ..core.zero_shot import labels_text
from .page import Page

SOUND_TAB = "Your sound"
OPENING = (
    "<div class='tv-difference tv-muted' role='status'>The models are being opened; their answers come here.</div>"
)


@dataclass(frozen=True)
class SoundTab:
    """The parts of the tab that its events need. The clip is that of the strip (`strip.py`).

    `outputs`: both models' labels and the sentence on their difference; `traced`: sentence and figure along λ.
    """

    labels: gr.Textbox
    button: gr.Button
    outputs: list[Any]
    along: gr.Dropdown
    traced: list[Any]


def build_sound_tab(page: Page) -> SoundTab:
    everything = labels_text(page.workbench.artifacts.default_labels)
    sets = [("All sounds", everything)] + [(t.title, labels_text(t.prompts)) for t in page.tasks.values()]
    label_set = gr.Dropdown(sets, value=everything, label="Label set", elem_id="label-set")
    labels = gr.Textbox(
        everything,
        label="Labels, yours to edit (commas or new lines)",
        lines=2,
        max_lines=4,
        elem_id="labels",
        info="Each is read inside the templates "
        + ", ".join(f"“{t.format('…')}”" for t in page.workbench.artifacts.templates),
    )
    button = gr.Button("Classify", variant="primary", elem_id="classify")
    explanation = gr.HTML(OPENING, elem_id="difference")
    with gr.Row():
        before = gr.Label(num_top_classes=5, label="Pre-trained", min_width=240, elem_id="pretrained")
        after = gr.Label(num_top_classes=5, label="Edited", min_width=240, elem_id="edited")
    label_set.input(lambda chosen: chosen, label_set, labels, show_progress="hidden", api_visibility="private")
    moved = next((name for name in page.vectors if page.start.coefficients.get(name)), next(iter(page.vectors), None))
    along = gr.Dropdown(list(page.vectors), value=moved, label="Follow along λ of", elem_id="along")
    flips = gr.HTML(elem_id="flips")
    figure = gr.Plot(label="The clip along λ", visible=False, elem_id="trace")
    return SoundTab(labels, button, [before, after, explanation], along, [flips, figure])
