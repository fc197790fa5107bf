"""`build_app(workbench) -> gr.Blocks`: the page. It is handed everything that it calls."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ..serve.own_vectors import MAX_BYTES
from ..serve.workbench import Workbench
from . import live
from .about import about_markdown
from .api import add_endpoints
from .controls import SLOTS, Controls, build_controls
from .events import QUIET, connect, connect_exact, connect_trace
from .explore import build_explore_tab
from .html import bars
from .own import connect_own
from .page import Page, unmeasured_html
from .replay import build_paper_tab
from .sound import SOUND_TAB, build_sound_tab
from .tools import Tools, build_tools

SESSIONS = 500  # the newest, whose state gradio keeps: 800 objects each, and each call of the API may be one


def launch_options() -> dict[str, Any]:
    """What `launch` is given: theme and styles belong there in gradio 6. Nothing comes from another host."""
    theme = gr.themes.Default(primary_hue="blue", neutral_hue="slate", font=["system-ui", "sans-serif"]).set(
        body_text_color_subdued="*neutral_500"  # 4.8 : 1 on white; the default's neutral_400 has 2.6 : 1
    )
    return {
        "theme": theme,
        "css_paths": sorted(live.WEB.glob("*.css")),
        "max_file_size": MAX_BYTES,  # of a task vector; `audio.load_clip` takes much less
        "ssr_mode": False,
        "run_history": False,
        "state_session_capacity": SESSIONS,
        "enable_monitoring": False,
        "footer_links": ["api", "settings"],
        **live.serve_modules(),
    }


def build_app(workbench: Workbench) -> gr.Blocks:
    """The whole page and the API for one workbench."""
    page = Page(workbench)
    live.serve_surfaces(page)
    with gr.Blocks(title="Task arithmetic on CLAP", delete_cache=(3600, 3600), analytics_enabled=False) as app:
        gr.Markdown(f"# Task arithmetic on CLAP\n{_subtitle(page)}", elem_id="title")
        with gr.Row():
            with gr.Column(scale=2, min_width=330, elem_id="controls"):
                controls, presets, reset, tools = _controls_column(page)
            with gr.Column(scale=5, min_width=330):
                gr.HTML(bars.formula_html(page.start, page.vectors, len(SLOTS)), elem_id="formula")
                if not page.tasks:  # its script writes formula and address, and must run at once
                    chart = _chart(page, visible="hidden")
                with gr.Tabs(selected="accuracy" if page.tasks else "sound") as tabs:
                    with gr.Tab("Accuracy", id="accuracy"):
                        if page.tasks:
                            chart = _chart(page)
                        else:
                            gr.HTML(unmeasured_html(workbench.name))
                        if workbench.labelled:
                            started = live.on_load("startExact")
                            measured = gr.HTML(page.nothing_measured(), elem_id="exact", js_on_load=started)
                    with gr.Tab(SOUND_TAB, id="sound"):
                        sound = build_sound_tab(page)
                    curve_axis = _further_tabs(page)
                    with gr.Tab("About", id="about"):
                        gr.Markdown(about_markdown(workbench))
        axis = gr.Textbox("", visible="hidden") if curve_axis is None else curve_axis
        add_endpoints(workbench)
        classified = connect(app, page, controls, presets, reset, tools, chart, sound, axis)
        connect_trace(page, controls, tabs, sound, classified)
        connect_own(page, controls, sound.along, **QUIET)
        if workbench.labelled:
            connect_exact(app, page, controls, chart, measured)
    return app.queue(max_size=256)


def _subtitle(page: Page) -> str:
    what = "Add or subtract what a model has learned, as numbers: drag λ and"
    if {"instruments", "urban"} <= set(page.vectors):
        return f"{what} watch an audio-text model learn instruments, forget street noise, or try an analogy."
    if page.presets:
        return f"{what} watch an audio-text model learn and forget."
    return f"{what} compare what *{page.workbench.name}* answers before and after."


def _chart(page: Page, **options: Any) -> gr.HTML:
    code = live.on_load("startChart", "props", "() => trigger('settled')")
    return gr.HTML(page.chart(), elem_id="chart", js_on_load=code, live=live.properties(page), **options)


def _further_tabs(page: Page) -> gr.Dropdown | None:
    """The tabs of the curve and of the tables, if there are any.

    Returns the choice of the curve's axis, if there is a curve.
    """
    axis = None
    if page.axis:
        with gr.Tab("Along λ", id="curve"):
            names = [*page.main, *page.extra]
            axis = gr.Dropdown(names, value=page.axis, label="Task vector on the axis", elem_id="axis")
            gr.HTML(bars.curve_html(page.tasks), elem_id="curve", js_on_load=live.on_load("startCurve"))
        with gr.Tab("Explore", id="explore") as tab:
            build_explore_tab(page, tab)
    if page.presets:
        with gr.Tab("Test", id="test"):
            gr.HTML(bars.test_table_html(page.presets, page.tasks, page.vectors))
    if page.tables:
        with gr.Tab("The paper, replayed", id="paper"):
            build_paper_tab(page)
    return axis


def _controls_column(page: Page) -> tuple[Controls, list[gr.Button], gr.Button, Tools]:
    with gr.Row(elem_id="presets", visible=bool(page.presets)):
        presets = [gr.Button(p.title, size="sm", min_width=120) for p in page.presets]
    controls = build_controls(page.main, page.extra, page.own, page.values(page.start))
    with_surface = {n: task for n, task in page.tasks.items() if n in page.workbench.artifacts.surfaces}
    gr.HTML(bars.safe_legend_html(with_surface), elem_id="safe-legend")
    with gr.Row(elem_id="actions"):
        play = gr.Button("▶ Sweep", size="sm", min_width=60, variant="primary", elem_id="play")
        reset = gr.Button("Reset all", size="sm", min_width=60, elem_id="reset")
    play.click(None, None, None, js=live.call("sweep"), show_progress="hidden")
    return controls, presets, reset, build_tools(page)
