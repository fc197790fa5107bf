"""What the page answers about the visitor's clip: both models' labels, their path along λ, a picture of the sound."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from ..core.recipe import Recipe
from ..errors import BadLabelsError, TaskVecError
from ..serve.clip_picture import clip_picture
from .api import user_error
from .controls import ANALOGY
from .html import answers, clip_text
from .html.clip_figure import clip_figure
from .html.trace_figure import trace_figure
from .html.trace_svg import trace_svg
from .newest import NewestRun
from .page import Page

NO_CLIP = "<div class='tv-difference tv-muted'>Upload or record a clip, or pick an example.</div>"
NO_TRACE = "<div class='tv-difference tv-muted'>With a clip, its answers along λ are drawn here.</div>"


class Hearing:
    """The handlers of everything that is about a clip. Nothing of a visitor is kept."""

    def __init__(self, page: Page) -> None:
        self.page, self.workbench = page, page.workbench
        self._runs = NewestRun()

    def classify(
        self, request: gr.Request, clip: str | None, labels: str, pinned: str, added: str, *values: Any
    ) -> tuple[Any, ...]:
        """A sentence, the table of all labels, what is wrong with the labels, and the answer of the strip.

        `pinned` is the query of a pinned recipe, or "". A run that a newer one has overtaken changes nothing.
        """
        with self._runs.of(request.session_hash) as is_newest:
            answered = self._classify(clip, labels, pinned, added, values)
            return answered if is_newest() else (gr.skip(),) * 4

    def _classify(
        self, clip: str | None, labels: str, pinned: str, added: str, values: tuple[Any, ...]
    ) -> tuple[Any, ...]:
        if not clip:
            return NO_CLIP, answers.EMPTY, "", ""
        _keep(clip)
        try:
            recipe = self.page.recipe(added, values)
        except TaskVecError:  # the controls are not a recipe yet: the line of the formula says what is missing
            return (gr.skip(),) * 4
        try:
            result = self.workbench.classify(clip, recipe, labels)
        except BadLabelsError as error:
            return gr.skip(), gr.skip(), answers.problem_html(str(error)), gr.skip()
        except TaskVecError as error:  # after an exception gradio would forget what was asked meanwhile
            said = escape(str(error), quote=False)  # it may repeat words of a file, and gradio reads a toast as HTML
            gr.Warning(said, duration=12)
            return f"<div class='tv-difference'>{said}</div>", answers.EMPTY, "", ""
        table = answers.answers_html(result, recipe, self._pinned(clip, labels, pinned))
        told = clip_text.answer_json(result, clip, labels, recipe, self.page.right_labels(clip))
        return clip_text.difference_html(result, recipe), table, "", told

    def _pinned(self, clip: str, labels: str, query: str) -> dict[str, float] | None:
        """The answers of a pinned edit; none where nothing is pinned, or a vector of it is gone."""
        if not query:
            return None
        try:
            return self.workbench.classify(clip, Recipe.from_query(query), labels).edited
        except TaskVecError:
            return None

    def follow(self, event: gr.EventData, clip: str | None, labels: str, added: str, *values: Any) -> str:
        """What the strip reads while a slider is dragged: the clip along λ of the row that the event names.

        "" where there is nothing to follow.
        """
        if not clip:
            return ""
        controls, name = self.page.control_values(added, values), self.workbench.name
        try:
            if event.row == ANALOGY:
                rest, signs = controls.without_analogy(name), controls.analogy.signs
                trace = self.workbench.trace_analogy(clip, rest, controls.analogy, labels)
            else:
                others = {v: x for v, x in controls.recipe(name).coefficients.items() if v != event.row}
                rest, signs = Recipe(name, others), {event.row: 1}
                trace = self.workbench.trace(clip, rest, event.row, labels)
            return clip_text.trace_json(trace, rest, signs, event.serial)
        except TaskVecError:  # `classify` is asked the same and says why
            return ""

    def trace(
        self, listening: bool, clip: str | None, labels: str, vector: str | None, added: str, *values: Any
    ) -> tuple[Any, Any]:
        """A sentence and a figure on the clip along λ of `vector`. Nothing is computed unless the tab is open."""
        if not listening or not vector:
            return gr.skip(), gr.skip()
        if not clip:
            return NO_TRACE, ""
        try:
            recipe = self.page.recipe(added, values)
            trace = self.workbench.trace(clip, recipe, vector, labels)
        except TaskVecError:  # `classify` was asked the same and said why
            return "", ""
        return clip_text.trace_html(trace), trace_svg(trace, recipe.coefficients.get(vector, 0.0))

    def interactive(
        self, clip: str | None, labels: str, vector: str | None, added: str, *values: Any
    ) -> Iterator[str | None]:
        """Yield the file of a web page with the clip along λ as a figure of Plotly, which needs no network."""
        try:
            recipe = self.page.recipe(added, values)
            trace = self.workbench.trace(clip or "", recipe, vector or "", labels)
        except TaskVecError as error:
            raise user_error(error) from error
        with tempfile.TemporaryDirectory(prefix="taskvec-figure-") as folder:
            path = Path(folder) / f"clip-along-{trace.vector}.html"
            trace_figure(trace, recipe.coefficients.get(trace.vector, 0.0)).write_html(path, include_plotlyjs=True)
            yield str(path)  # gradio copies the file, and deletes its copy after an hour

    def picture(self, listening: bool, clip: str | None) -> Any:
        """The wave and the spectrogram of the clip, as the model hears it."""
        if not listening:
            return gr.skip()
        try:
            return clip_figure(clip_picture(clip, self.workbench.checkpoint.features), Path(clip).name) if clip else ""
        except TaskVecError:
            return ""


def _keep(clip: str) -> None:
    """A clip that is in use counts as new: gradio deletes uploads by their age (`ui/app.py`)."""
    with suppress(OSError):  # it is not there any more, which `classify` says
        if Path(clip).resolve().is_relative_to(Path(get_upload_folder()).resolve()):
            os.utime(clip)
