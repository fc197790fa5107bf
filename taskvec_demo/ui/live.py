"""What the browser needs in order to draw by itself: its modules, and a small JSON of names, limits and file
addresses.
"""

from __future__ import annotations

import functools
import hashlib
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Route

from ..core.evaluation import CONTROL_KEPT
from ..core.recipe import MEASURED_HIGH, MEASURED_LOW, SLIDER_MAX, SLIDER_STEP
from ..serve.artifacts import Preset
from ..serve.labelled_clips import SYNTHESIZED
from .controls import ANALOGY, SLOTS
from .html.bars import task_series
from .page import Page

WEB = Path(__file__).parent / "web"
BUNDLE = "built"  # the folder in it that `npm run build` writes: the same modules as few files
PAGE, STUDIES = "page.js", "studies.js"  # what gradio calls at load, and in the tab of studies only
A_YEAR = 365 * 24 * 3600  # seconds


@functools.cache
def served() -> dict[str, Path]:
    """File name -> file of what browsers fetch: the bundle, which saves 45 requests and half a second, or the modules
    one by one if the bundle was built from others, as while somebody works on them.
    """
    modules, bundle = sorted(WEB.glob("*.js")), sorted((WEB / BUNDLE).glob("*.js"))
    entry = WEB / BUNDLE / PAGE
    fresh = entry.is_file() and entry.read_text("utf-8").startswith(f"// {_digest(modules)}\n")
    return {path.name: path for path in (bundle if fresh else modules)}


@functools.cache
def address() -> str:
    """The address of what is served, below the page. It has a hash of all of it, so that no cache serves older files.

    The hash is a folder's name, because modules import each other relative to their own address.
    """
    return f"web/{_digest(served().values())[:12]}"


def _digest(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def serve_modules() -> dict[str, Any]:
    """Options of `launch`: the modules at their address, and that the browser fetches those of `PAGE` all at once.

    Each is a route of its own: starlette's `Mount` finds no file when the app runs behind a proxy with a root path.
    """
    preloads = "".join(f'<link rel="modulepreload" href="{address()}/{name}">' for name in needed_by(PAGE))
    routes = [Route(f"/{address()}/{name}", functools.partial(_send, path)) for name, path in served().items()]
    return {"app_kwargs": {"routes": routes}, "head": preloads}


def needed_by(module: str) -> list[str]:
    """Names of the files served for a module and for all that it imports, sorted."""
    found, unread = {module}, [module]
    while unread:
        imported = set(re.findall(r'from ?"\./([\w.-]+)"', served()[unread.pop()].read_text("utf-8"))) - found
        found |= imported
        unread += imported
    return sorted(found)


async def _send(path: Path, request: Request) -> FileResponse:
    """A module. Its address changes when it does, so a browser need not ask for it again."""
    kept = {"Cache-Control": f"public, max-age={A_YEAR}, immutable"}
    return FileResponse(path, media_type="text/javascript", headers=kept)


def on_load(function: str, *arguments: str, module: str = PAGE) -> str:
    """`js_on_load` of a gr.HTML: calls a function of a module with `element` and others of gradio's names."""
    return f"{_import(module)}.then((module) => module.{function}({', '.join(('element', *arguments))}))"


def call(function: str, module: str = PAGE) -> str:
    """`js` of an event: calls a function of a module with the values of its inputs."""
    return f"(...values) => {_import(module)}.then((module) => module.{function}(...values))"


def _import(module: str) -> str:
    return f"import(new URL('{address()}/{module}', document.baseURI))"


def serve_files(page: Page) -> None:
    """Let the browser fetch surfaces and example clips from the artifacts' folder, and nothing else of it."""
    surfaces = [file.path for file in page.workbench.artifacts.surface_files.values()]
    gr.set_static_paths([*surfaces, *page.examples])


def properties(page: Page) -> dict[str, Any]:
    """The JSON for the browser.

    The coefficients of surfaces are not in it, because they would be part of every page load.
    """
    files = page.workbench.artifacts.surface_files
    series = task_series(page.tasks.values())

    def task(name: str) -> dict[str, Any]:
        finetuned = page.finetuned.get(name, math.nan)
        return {
            "name": name,
            "title": page.tasks[name].title,
            "role": page.tasks[name].role,
            "classes": [c.replace("_", " ") for c in page.tasks[name].class_names],
            "series": series[name],
            "finetuned": finetuned if finetuned > 0 else None,
            "aside": name in page.aside,
            "file": files[name].path.as_posix() if name in files else None,
            # The hash keeps a browser from using an older surface of its cache
            "version": files[name].sha256[:12] if name in files else "",
        }

    def story(preset: Preset) -> dict[str, Any]:
        return {
            "name": preset.name,
            "recipe": dict(preset.recipe.coefficients),
            "vector": preset.story.vector or ANALOGY,
        }

    return {
        "checkpoint": page.workbench.name,
        "vectors": list(page.vectors),
        "rows": [*page.vectors, *SLOTS],
        "measured": sorted(page.measured),
        "extra": list(page.extra),
        "vectorTasks": page.vector_tasks,
        "values": list(page.values(page.start).values),
        "stories": [story(preset) for preset in page.presets],
        "synthesized": page.workbench.labelled.split == SYNTHESIZED,
        "sliderMax": SLIDER_MAX,
        "sliderStep": SLIDER_STEP,
        "low": MEASURED_LOW,
        "high": MEASURED_HIGH,
        "controlKept": CONTROL_KEPT,
        "presets": [{"title": p.title, "query": p.recipe.to_query()} for p in page.presets],
        "tasks": [task(name) for name in page.tasks],
    }
