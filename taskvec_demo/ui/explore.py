"""The tab "Explore": panels that the browser fills from the logit surfaces, and the geometry of the vectors."""

from __future__ import annotations

import functools

import gradio as gr

from . import live
from .events import QUIET
from .html import explore
from .page import Page


def build_explore_tab(page: Page, tab: gr.Tab) -> None:
    """The panels, to be called inside the tab. The geometry of large vectors takes seconds: it waits for the tab."""
    surfaces = page.workbench.artifacts.surfaces
    vectors = {name: page.workbench.vectors[name].task for name in (*page.main, *page.extra)}
    tasks = [task for name, task in page.tasks.items() if name in surfaces]
    gr.HTML(explore.live_panels_html(vectors, tasks), elem_id="explore", js_on_load=live.on_load("startExplore"))
    geometry = gr.HTML(
        "<p class='tv-muted'>Sizes and angles of the vectors are being computed.</p>", elem_id="geometry"
    )
    drawn = functools.cache(lambda: explore.geometry_html(page.workbench.vectors))
    tab.select(drawn, None, geometry, **QUIET)
