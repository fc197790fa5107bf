"""The row of stories above everything: a press sets the sliders and the clip."""

from __future__ import annotations

import json
from typing import Any

import gradio as gr

from ..serve.artifacts import Preset
from . import live
from .controls import Controls
from .html.stories import sentence_html
from .page import Page
from .plain import plain_html


def build_stories(page: Page) -> dict[str, gr.Button]:
    """The buttons by the names of their stories, and the sentence of the chosen one."""
    if page.opening is None:
        return {}
    with gr.Row(elem_id="stories"):
        buttons = {
            p.name: gr.Button(p.title, size="sm", min_width=60, elem_id=f"story-{p.name}", elem_classes="tv-story")
            for p in page.presets
        }
    started = live.on_load("startStories")
    plain_html(
        sentence_html(page.presets, page.opening.name, page.tasks, page.vector_tasks),
        elem_id="sentence",
        js_on_load=started,
    )
    return buttons


def connect_stories(
    page: Page, buttons: dict[str, gr.Button], controls: Controls, clip: gr.Audio, along: gr.Dropdown
) -> None:
    """The browser sets the sliders at once, and the vector to follow the clip along; the clip comes from the server."""
    quiet: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}

    def clip_of(preset: Preset) -> Any:
        return lambda: page.clip_of(preset) or gr.skip()  # a story without a clip leaves the visitor's

    for preset in page.presets:
        moved = preset.story.vector or page.most_moved(preset.recipe)
        values = json.dumps([*page.values(preset.recipe).values, moved])
        buttons[preset.name].click(None, None, [*controls.settable, along], js=f"() => {values}", **quiet)
        buttons[preset.name].click(clip_of(preset), None, clip, **quiet)
