"""An element of the page's own HTML."""

from __future__ import annotations

from typing import Any

import gradio as gr


def plain_html(value: str, **options: Any) -> gr.HTML:
    """A gr.HTML without gradio's typography, whose buttons and headings look as theme.css says."""
    return gr.HTML(value, apply_default_css=False, **options)
