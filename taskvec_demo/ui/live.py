"""What the browser needs to draw by itself: the scripts, and one small JSON of names, limits and file addresses."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import gradio as gr

from ..core.evaluation import CONTROL_KEPT
from ..core.recipe import MEASURED_HIGH, MEASURED_LOW, SLIDER_MAX
from .controls import SLOTS
from .page import Page

HERE = Path(__file__).parent
CHART_SCRIPTS = ("surface.js", "recipe.js", "bars.js", "safe_region.js", "live_chart.js")
# The curve's axis, the names of added vectors and the values of all controls, for changes that are no pointer's:
# presets, undo, number boxes, the address. The chart may not be there yet, hence a variable besides the event.
HAND_OVER = "(...values) => { window.taskvecValues = values; dispatchEvent(new Event('taskvec-values')); return []; }"


def script(*names: str) -> str:
    """The files' text, one after the other: gradio runs it as the body of one function."""
    return "\n".join((HERE / name).read_text(encoding="utf-8") for name in names)


def serve_surfaces(page: Page) -> None:
    """Let the browser fetch the surfaces as they lie in the artifacts, and nothing else of them."""
    gr.set_static_paths([surface_path(page, name) for name in page.workbench.artifacts.surfaces])


def surface_path(page: Page, task: str) -> Path:
    """The very file: what comes from the hub lies in its cache as links, which gradio does not serve."""
    artifacts = page.workbench.artifacts
    return (artifacts.folder / artifacts.surface_file(task)).resolve()


def properties(page: Page) -> dict[str, Any]:
    """The JSON. Coefficients are not in it: they would be part of every page load."""
    artifacts = page.workbench.artifacts

    def task(name: str) -> dict[str, Any]:
        finetuned = page.finetuned.get(name, math.nan)
        return {
            "name": name,
            "title": page.tasks[name].title,
            "role": page.tasks[name].role,
            "classes": [c.replace("_", " ") for c in page.tasks[name].class_names],
            "finetuned": finetuned if finetuned > 0 else None,
            "aside": name in page.aside,
            "file": surface_path(page, name).as_posix() if name in artifacts.surfaces else None,
            # No browser's cache serves an older surface
            "version": artifacts.files.get(artifacts.surface_file(name), "")[:12],
        }

    return {
        "checkpoint": page.workbench.name,
        "vectors": list(page.vectors),
        "rows": [*page.vectors, *SLOTS],
        "measured": sorted(page.measured),
        "extra": list(page.extra),
        "values": list(page.values(page.start).values),
        "axis": page.axis,
        "sliderMax": SLIDER_MAX,
        "low": MEASURED_LOW,
        "high": MEASURED_HIGH,
        "controlKept": CONTROL_KEPT,
        "tasks": [task(name) for name in page.tasks],
    }
