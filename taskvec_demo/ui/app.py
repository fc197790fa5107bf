"""`build_app(workbench) -> gr.Blocks`: the page. It is handed everything that it calls."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ..serve.own_vectors import MAX_BYTES
from ..serve.workbench import Workbench
from . import live
from .about import about_markdown
from .api import add_endpoints
from .controls import SLOTS, Controls, build_controls, connect_rows
from .events import QUIET, connect, connect_exact, connect_sound_tab, connect_strip
from .explore import build_explore_tab
from .hearing import Hearing
from .html import bars
from .html.frame import HELP, SKIP, TITLE
from .html.words import help_html
from .own import connect_own
from .page import Page, unmeasured_html
from .plain import plain_html
from .replay import build_paper_tab
from .sound import SOUND_TAB, build_sound_tab
from .stories import build_stories, connect_stories
from .strip import build_strip
from .studies.host import TAB, build_studies_tab, shipped_studies
from .tools import Tools, build_tools

SESSIONS = 500  # the newest, whose state gradio keeps: 800 objects each, and each call of the API may be one


def launch_options() -> dict[str, Any]:
    """What `launch` is given: theme and styles belong there in gradio 6. Nothing comes from another host."""
    theme = gr.themes.Default(primary_hue="blue", neutral_hue="slate", font=["system-ui", "sans-serif"]).set(
        body_text_color_subdued="*neutral_600"  # 7 : 1 on the page's grey; the default's neutral_400 has 2.4 : 1
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
    live.serve_files(page)
    with gr.Blocks(title="Task arithmetic on CLAP", delete_cache=(3600, 3600), analytics_enabled=False) as app:
        tools = _header(page)
        stories = build_stories(page)
        with gr.Row(elem_id="screen"):
            with gr.Column(scale=0, min_width=330, elem_id="controls"):
                controls, reset = _controls_column(page)
            with gr.Column(scale=1, min_width=330, elem_id="know"):
                chart = _know_column(page)
        strip = build_strip(page)
        with gr.Tabs(elem_id="further", selected="classes" if page.tasks else "sound") as tabs:
            measured = _classes_tab(page)
            with gr.Tab(SOUND_TAB, id="sound"):
                sound = build_sound_tab(page)
            if page.measured:
                with gr.Tab("Explore", id="explore") as explored:
                    build_explore_tab(page, explored)
            if page.tables:
                with gr.Tab("The paper, replayed", id="paper"):
                    build_paper_tab(page)
            if studies := shipped_studies(page):
                with gr.Tab(TAB, id="studies"):
                    build_studies_tab(page, studies, strip.clip)
            with gr.Tab("About", id="about"):
                gr.Markdown(about_markdown(workbench))
        add_endpoints(workbench)
        connect_rows(controls, live.call("switchedOn"))
        connect_stories(page, stories, controls, strip.clip, sound.along)
        hearing = Hearing(page)
        connect_strip(
            app, hearing, controls, strip, sound
        )  # first: gradio asks in this order, and the browser answers at once
        classified = connect(app, page, hearing, controls, reset, tools, chart, strip, sound)
        connect_sound_tab(hearing, controls, tabs, strip, sound, classified)
        connect_own(page, controls, sound.along, **QUIET)
        if measured is not None:
            connect_exact(app, page, controls, chart, measured)
    return app.queue(max_size=256)


def _header(page: Page) -> Tools:
    """The skip link, the title, the tools, and the help."""
    plain_html(SKIP, elem_id="skip")
    with gr.Row(elem_id="header"):
        plain_html(TITLE, elem_id="title", js_on_load=live.on_load("startWords"))
        with gr.Row(elem_id="toolbar"):
            tools = build_tools(page)
            plain_html(HELP, elem_id="help-box", js_on_load=live.on_load("startToolbar"))
    return tools


def _controls_column(page: Page) -> tuple[Controls, gr.Button]:
    """What the model is made of: formula, operations, sliders. The button "Reset" is returned with the controls."""
    series = page.vector_series
    with gr.Row(elem_id="build-head"):
        plain_html("<h2>Build a model</h2>")
        play = gr.Button("▶ Sweep", size="sm", min_width=60, elem_id="play")
        reset = gr.Button("Reset", size="sm", min_width=60, elem_id="reset")
    plain_html(bars.formula_html(page.start, page.vectors, series, len(SLOTS)), elem_id="formula")
    measured = (*page.main, *page.extra)
    controls = build_controls(measured, page.own, page.values(page.start), series, page.faint, page.banded)
    play.click(None, None, None, js=live.call("sweep"), show_progress="hidden")
    return controls, reset


def _know_column(page: Page) -> gr.HTML:
    """What the model knows: one bar a task, and the curve along λ of the slider that was touched last."""
    plain_html(f"<h2>What it knows {help_html('tasks')}</h2>", elem_id="know-head")
    code = live.on_load("startChart", "props", "() => trigger('settled')")
    chart = plain_html(page.chart(), elem_id="chart", js_on_load=code, live=live.properties(page))
    if not page.tasks:
        plain_html(unmeasured_html(page.workbench.name))
    if page.measured:
        plain_html(bars.curve_html(), elem_id="curve", js_on_load=live.on_load("startCurve"))
    return chart


def _classes_tab(page: Page) -> gr.HTML | None:
    """The classes of every task. The place of the exact figures is returned, if there are clips to measure them on."""
    if not page.tasks:
        return None
    with gr.Tab("Classes", id="classes"):
        plain_html(page.classes(), elem_id="classes", js_on_load=live.on_load("startClasses"))
        if not page.workbench.labelled:
            return None
        return plain_html(page.nothing_measured(), elem_id="exact", js_on_load=live.on_load("startExact"))
