"""The tab "The paper, replayed": its figures, and buttons that load their recipes."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from html import escape

import gradio as gr

from ..core.recipe import Recipe
from . import live
from .html import bars
from .html.figures import disclosure
from .html.paper import paper_html
from .page import Page


def build_paper_tab(page: Page) -> None:
    """The figures and tables, to be called inside the tab."""
    html = paper_html(page.tables, page.tasks, functools.partial(load_button, page))
    if page.presets:
        table = bars.test_table_html(page.presets, page.tasks, page.vectors)
        html += f"<section class='tv-card'>{disclosure('The recipes of the stories, on test clips', table)}</section>"
    gr.HTML(html, elem_id="paper", js_on_load=live.on_load("startPaper"))


def load_button(page: Page, coefficients: Mapping[str, float], text: str) -> str:
    """A button that sets the controls to a recipe (replay.js); "" if the page lacks one of its vectors."""
    if not set(coefficients) <= set(page.vectors):
        return ""
    values = json.dumps(page.values(Recipe(page.workbench.name, coefficients)).values)
    return f"<button type='button' class='tv-load' data-values='{escape(values, quote=True)}'>{escape(text)}</button>"
