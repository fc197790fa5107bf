"""The tools that keep and share an edit: undo and redo, a list of recipes, a link, recipes and models as files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from ..core.recipe import SLIDER_MAX, Recipe
from ..core.recipe_files import file_stem, read_recipe, recipe_yaml
from ..errors import TaskVecError, sentence
from ..serve import export
from . import live
from .controls import Controls, ControlValues
from .html.tools import tools_html
from .page import Page, names_of

EXPORT_CONCURRENCY: dict[str, Any] = {"concurrency_id": "export", "concurrency_limit": 1}  # a model's size on the disk


@dataclass(frozen=True)
class Tools:
    """The row of tools, and what the browser does not show: the query of the pinned recipe, what is said while a model
    is built, and its file.
    """

    row: gr.HTML
    pinned: gr.Textbox
    said: gr.Textbox
    model: gr.File


def build_tools(page: Page) -> Tools:
    """Lay out the row of tools. Its buttons ask these functions of the server, which keep nothing."""

    def controls_of(asked: dict[str, str]) -> dict[str, Any]:
        """The values of all controls for the recipe in a text, or the sentence that says why there are none."""
        try:
            recipe = page.workbench.check(read_recipe(str(asked.get("text", ""))))
            rows = (*page.vectors, *names_of(str(asked.get("added", ""))))
            recipe.check_vectors(filter(None, rows))
            values = ControlValues.of(recipe, rows, page.abc)
            if values.recipe(recipe.checkpoint).coefficients != recipe.coefficients:
                return {"error": f"The recipe goes beyond the sliders, which end at {SLIDER_MAX:g}."}
        except TaskVecError as error:
            return {"error": str(error)}
        return {"values": list(values.values)}

    def recipe_file(asked: dict[str, str]) -> dict[str, str]:
        """Name and text of a file of the recipe in a link, which is pinned to the present weights."""
        try:
            recipe = page.workbench.check(Recipe.from_query(str(asked.get("query", ""))))
        except TaskVecError as error:
            return {"error": str(error)}
        pinned = replace(recipe, pretrained_sha256=page.workbench.artifacts.pretrained_sha256)
        text = recipe_yaml(pinned) if asked.get("kind") == "yaml" else pinned.to_json() + "\n"
        return {"name": f"{file_stem(pinned)}.{'yaml' if asked.get('kind') == 'yaml' else 'json'}", "text": text}

    events = "{show: () => trigger('show'), pin: () => trigger('pin'), build: () => trigger('build')}"
    row = gr.HTML(
        tools_html(),
        elem_id="tools",
        js_on_load=live.on_load("startTools", events, "server"),
        server_functions=[controls_of, recipe_file],
    )
    pinned = gr.Textbox("", visible="hidden", elem_id="pinned")
    return Tools(row, pinned, gr.Textbox(visible="hidden"), gr.File(visible="hidden"))


def connect_tools(page: Page, tools: Tools, controls: Controls, opened: Any, **options: Any) -> None:
    """Connect the tools. `opened` is the event after which the recipe of the address is on the controls."""

    def build(added: str, *values: Any) -> Iterator[tuple[str, Any]]:
        """Build the edited model; yields what is being done, then the file, or why there is none."""
        try:
            for said, path in export.build(page.workbench, page.recipe(added, values)):
                yield said, path and str(path)  # gradio copies the file, and deletes its copy after an hour
        except (TaskVecError, OSError) as error:
            yield f"The model was not built: {sentence(error)}", None

    in_browser: dict[str, Any] = {"fn": None, "queue": False, "show_progress": "hidden"}
    opened.then(inputs=controls.inputs, js=live.call("handOpened"), **in_browser)
    tools.row.show(outputs=controls.settable, js=live.call("chosenValues"), **in_browser)
    tools.row.pin(outputs=tools.pinned, js=live.call("pinnedQuery"), **in_browser)
    built = tools.row.build(build, controls.inputs, [tools.said, tools.model], **EXPORT_CONCURRENCY, **options)
    tools.said.change(inputs=tools.said, js=live.call("tellProgress"), **in_browser)
    # A sentence that is said again is no change.
    built.then(inputs=tools.said, js=live.call("tellProgress"), **in_browser)
    built.success(inputs=tools.model, js=live.call("saveGiven"), **in_browser)
