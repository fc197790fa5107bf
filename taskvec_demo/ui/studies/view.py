"""What the tab needs to know of a study."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from ..page import Page


@dataclass(frozen=True)
class StudyView:
    """A study of another paper.

    Its artifacts lie in <studies>/`name`, and it is shown where `needs`, a file of that folder, is there. `lead` says
    in two sentences what it is about. `build(page, folder, clip)` adds the view to the open tab, `clip` being the
    visitor's; it raises TaskVecError before it adds anything if the artifacts cannot be used.
    """

    name: str
    title: str
    lead: str
    paper: str
    link: str
    needs: str
    build: Callable[[Page, Path, gr.Audio], None]
