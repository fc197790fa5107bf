"""The tab "Explore": panels that the browser fills from the logit surfaces, and the geometry of the vectors."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import gradio as gr

from ..core.recipe import Recipe
from ..errors import TaskVecError
from ..serve.artifacts import read_table
from ..serve.flipped import flipped_clips
from . import live
from .events import QUIET
from .html import explore
from .html.prompts import prompts_html
from .labelled_sound import sound_function
from .page import Page

PROMPTS = "prompts.json"


def server_functions(page: Page) -> list[Callable[[dict[str, Any]], dict[str, Any]]]:
    """What the browser asks of the server: clips that flipped, and the sound of one of them."""

    def flipped(asked: dict[str, Any]) -> dict[str, Any]:
        try:
            recipe = Recipe.from_query(str(asked.get("query", "")))
            clips = flipped_clips(page.workbench, recipe, str(asked.get("task", "")))
        except TaskVecError as error:
            return {"error": str(error)}
        return {"clips": [dataclasses.asdict(clip) for clip in clips]}

    return [flipped, sound_function(page.workbench)]


def build_explore_tab(page: Page, tab: gr.Tab) -> None:
    """The panels, to be called inside the tab. The geometry of large vectors takes seconds: it waits for the tab."""
    surfaces = page.workbench.artifacts.surfaces
    vectors = {name: page.workbench.vectors[name].task for name in (*page.main, *page.extra)}
    tasks = [task for name, task in page.tasks.items() if name in surfaces]
    gr.HTML(
        explore.live_panels_html(vectors, tasks),
        elem_id="explore",
        js_on_load=live.on_load("startExplore", "server"),
        server_functions=server_functions(page),
    )
    geometry = gr.HTML(
        "<p class='tv-muted'>Sizes and angles of the vectors are being computed.</p>", elem_id="geometry"
    )
    drawn = functools.cache(lambda: explore.geometry_html(page.workbench.vectors))
    tab.select(drawn, None, geometry, **QUIET)
    tables = page.workbench.artifacts.tables
    if tables and (tables / PROMPTS).is_file():
        gr.HTML(prompts_html(read_table(tables / PROMPTS), page.tables.get("vectors"), page.tasks))
