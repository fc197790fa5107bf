"""The strip of the clip, which is in view whatever else is: a player, and what both models answer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from . import live
from .html.strip import STRIP
from .page import Page
from .plain import plain_html


@dataclass(frozen=True)
class Strip:
    """`clip` is the visitor's recording. `shown` is what is seen of it, whose event `touched` asks for a trace.

    `answer` and `trace` are hidden: JSON for the browser (`html/clip_text.py`).
    """

    clip: gr.Audio
    shown: gr.HTML
    answer: gr.Textbox
    trace: gr.Textbox


def build_strip(page: Page) -> Strip:
    with gr.Column(elem_id="clip-panel"):
        clip = gr.Audio(
            page.clip_of(page.opening) or next(iter(page.examples), None),
            sources=["upload", "microphone"],
            type="filepath",
            buttons=["download"],  # gradio's "share" would upload the clip to another host
            label="Your clip",
            elem_id="clip",
        )
        if page.examples:
            gr.Examples(
                [[p] for p in page.examples],
                [clip],
                example_labels=[Path(p).stem.replace("_", " ") for p in page.examples],
                label="Examples, synthesized by this project and picked because edits change their answers",
                examples_per_page=12,
                cache_examples=False,
                api_visibility="private",
            )
        gr.Markdown("Upload wav, flac, ogg, opus or mp3: 0.1 s to 10 min, up to 25 MB; the first 60 s are used.")
    started = live.on_load("startStrip", "(row, serial) => trigger('touched', { row, serial })")
    shown = plain_html(STRIP, elem_id="strip", js_on_load=started)
    answer = gr.Textbox("", visible="hidden", elem_id="strip-answer")
    trace = gr.Textbox("", visible="hidden", elem_id="strip-trace")
    return Strip(clip, shown, answer, trace)
