"""`build_app(workbench) -> gr.Blocks`: the page. It is handed everything it calls."""

from __future__ import annotations

import json
from typing import Any

import gradio as gr

from ..core.recipe import Recipe
from ..serve.own_vectors import MAX_BYTES
from ..serve.workbench import Workbench
from . import live
from .about import about_markdown
from .api import EXACT_CONCURRENCY, MODEL_CONCURRENCY, TRACE_CONCURRENCY, add_endpoints
from .controls import SLOTS, Controls, build_controls
from .html import bars
from .html.paper import paper_html
from .own import connect_own
from .page import Page, unmeasured_html
from .sound import SoundTab, build_sound_tab

SOUND_TAB = "Your sound"
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
# One after the other, as they come: two would read the same history and the later would forget the earlier.
HISTORY_CONCURRENCY: dict[str, Any] = {"concurrency_id": "history", "concurrency_limit": 1}
# Passed to `launch`: theme and styles belong there in Gradio 6. No font, script or figure comes from another host.
LAUNCH: dict[str, Any] = {
    "theme": gr.themes.Default(primary_hue="blue", neutral_hue="slate", font=["system-ui", "sans-serif"]).set(
        body_text_color_subdued="*neutral_500"  # 4.8 : 1 on white; the default's neutral_400 has 2.6 : 1
    ),
    "css_paths": [live.HERE / "theme.css"],
    "max_file_size": MAX_BYTES,  # of a task vector; `audio.load_clip` takes much less
    "ssr_mode": False,
    "run_history": False,
    "enable_monitoring": False,
    "footer_links": ["api", "settings"],
    "head": "<script>addEventListener('input', (e) => { if (e.isTrusted && e.target.type === 'range') "
    "window.tvLastSlider = e.target; }, true)</script>",
}


def build_app(workbench: Workbench) -> gr.Blocks:
    """The whole page and the API for one workbench."""
    page = Page(workbench)
    live.serve_surfaces(page)
    with gr.Blocks(title="Task arithmetic on CLAP", delete_cache=(3600, 3600), analytics_enabled=False) as app:
        gr.Markdown(f"# Task arithmetic on CLAP\n{_subtitle(page)}", elem_id="title")
        with gr.Row():
            with gr.Column(scale=2, min_width=330, elem_id="controls"):
                controls, presets, actions = _controls_column(page)
            with gr.Column(scale=5, min_width=330):
                gr.HTML(bars.formula_html(page.start, page.vectors, len(SLOTS)), elem_id="formula")
                if not page.tasks:  # its script moves formula and address, and must not wait for a tab to open
                    chart = _chart(page, visible="hidden")
                with gr.Tabs(selected="accuracy" if page.tasks else "sound") as tabs:
                    with gr.Tab("Accuracy", id="accuracy"):
                        if page.tasks:
                            chart = _chart(page)
                        else:
                            gr.HTML(unmeasured_html(workbench.name))
                        if workbench.labelled:
                            measured = gr.HTML(
                                page.nothing_measured(), elem_id="exact", js_on_load=live.script("exact.js")
                            )
                    with gr.Tab(SOUND_TAB, id="sound"):
                        sound = build_sound_tab(page)
                    curve_axis = _further_tabs(page)
                    with gr.Tab("About", id="about"):
                        gr.Markdown(about_markdown(workbench))
        axis = gr.Textbox("", visible="hidden") if curve_axis is None else curve_axis
        add_endpoints(workbench)
        classified = _connect(app, page, controls, presets, actions, chart, sound, axis)
        _connect_trace(page, controls, tabs, sound, classified)
        connect_own(page, controls, sound.along, **QUIET)
        if workbench.labelled:
            _connect_exact(app, page, controls, chart, measured)
    return app.queue(max_size=256)


def _subtitle(page: Page) -> str:
    what = "Add or subtract what a model has learned, as numbers: drag λ and"
    if {"instruments", "urban"} <= set(page.vectors):
        return f"{what} watch an audio-text model learn instruments, forget street noise, or try an analogy."
    if page.presets:
        return f"{what} watch an audio-text model learn and forget."
    return f"{what} compare what *{page.workbench.name}* answers before and after."


def _chart(page: Page, **options: Any) -> gr.HTML:
    code = live.script(*live.CHART_SCRIPTS)
    return gr.HTML(page.chart(), elem_id="chart", js_on_load=code, live=live.properties(page), **options)


def _further_tabs(page: Page) -> gr.Dropdown | None:
    """The curve and the tables, of what was measured. Returns the choice of the curve's axis, if there is a curve."""
    axis = None
    if page.axis:
        with gr.Tab("Along λ", id="curve"):
            names = [*page.main, *page.extra]
            axis = gr.Dropdown(names, value=page.axis, label="Task vector on the axis", elem_id="axis")
            gr.HTML(bars.curve_html(page.tasks), elem_id="curve", js_on_load=live.script("curve.js"))
    if page.presets:
        with gr.Tab("Test", id="test"):
            gr.HTML(bars.test_table_html(page.presets, page.tasks, page.vectors))
    if page.tables:
        with gr.Tab("The paper, replayed", id="paper"):
            gr.HTML(paper_html(page.tables, page.tasks), elem_id="paper")
    return axis


def _controls_column(page: Page) -> tuple[Controls, list[gr.Button], tuple[gr.Button, gr.Button]]:
    with gr.Row(elem_id="presets", visible=bool(page.presets)):
        presets = [gr.Button(p.title, size="sm", min_width=120) for p in page.presets]
    controls = build_controls(page.main, page.extra, page.own, page.values(page.start))
    with_surface = {n: task for n, task in page.tasks.items() if n in page.workbench.artifacts.surfaces}
    gr.HTML(bars.safe_legend_html(with_surface), elem_id="safe-legend")
    with gr.Row(elem_id="actions"):
        play = gr.Button("▶ Sweep", size="sm", min_width=110, variant="primary", elem_id="play")
        undo = gr.Button("↶ Undo", size="sm", min_width=80, elem_id="undo")
        reset = gr.Button("Reset all", size="sm", min_width=80, elem_id="reset")
    play.click(None, None, None, js=live.script("play.js"), show_progress="hidden")
    return controls, presets, (undo, reset)


def _connect(
    app: gr.Blocks,
    page: Page,
    controls: Controls,
    presets: list[gr.Button],
    actions: tuple[gr.Button, gr.Button],
    chart: gr.HTML,
    sound: SoundTab,
    axis: gr.Component,
) -> list[Any]:
    """One definition an action. The browser redraws by itself; a chart at rest asks for the exact answers.

    Returns the events after which both models have answered for the clip.
    """
    drawn: list[Any] = [axis, *controls.inputs]
    gr.on([c.change for c in drawn], None, drawn, None, js=live.HAND_OVER, queue=False, show_progress="hidden")
    # `settled` is a custom event of gr.HTML, which gr.on does not take: the same definition is given to both.
    classify: dict[str, Any] = {
        "fn": page.classify,
        "inputs": [sound.clip, sound.labels, *controls.inputs],
        "outputs": sound.outputs,
        "trigger_mode": "always_last",
        **MODEL_CONCURRENCY,
        **QUIET,
    }
    past = [gr.State([]), gr.State(None)]  # the history, and what was undone last
    remember: dict[str, Any] = {
        "fn": page.remember,
        "inputs": [*past, *controls.inputs],
        "outputs": past,
        **HISTORY_CONCURRENCY,
        **QUIET,
    }
    asked = [sound.clip.change, sound.button.click, sound.labels.submit, sound.labels.change]
    classified = [gr.on(asked, **classify), chart.settled(**classify)]
    chart.settled(**remember)
    undo, reset = actions
    undo.click(page.undo, past[0], [*past, *controls.settable], **HISTORY_CONCURRENCY, **QUIET)
    recipes = [p.recipe for p in page.presets] + [Recipe(page.workbench.name)]
    for trigger, recipe in zip([*presets, reset], recipes, strict=True):
        values = json.dumps(page.values(recipe).values)
        trigger.click(None, None, controls.settable, js=f"() => {values}", queue=False, show_progress="hidden")
    # The recipe in the address is the first state, and the page's own is none to come back to.
    opened = app.load(page.restore, None, controls.settable, **QUIET)
    opened.then(**remember)
    return [*classified, opened.then(**classify)]


def _connect_trace(page: Page, controls: Controls, tabs: gr.Tabs, sound: SoundTab, classified: list[Any]) -> None:
    """The clip along λ, after the answers at λ, and only while its tab is open."""
    listening = gr.State(not page.tasks)  # without tasks its tab is the first
    trace: dict[str, Any] = {
        "fn": page.trace,
        "inputs": [listening, sound.clip, sound.labels, sound.along, *controls.inputs],
        "outputs": sound.traced,
        "trigger_mode": "always_last",
        **TRACE_CONCURRENCY,
        **QUIET,
    }

    def opened(tab: gr.SelectData) -> bool:
        return tab.value == SOUND_TAB

    tabs.select(opened, None, listening, queue=False, **QUIET).then(**trace)
    sound.along.input(**trace)
    for answered in classified:
        answered.then(**trace)


def _connect_exact(app: gr.Blocks, page: Page, controls: Controls, chart: gr.HTML, measured: gr.HTML) -> None:
    """Exact figures on opening and at rest. A newer run starts beside an older one, which then ends by itself."""
    exact: dict[str, Any] = {
        "fn": page.exact,
        "inputs": controls.inputs,
        "outputs": measured,
        "trigger_mode": "multiple",
        **EXACT_CONCURRENCY,
        **QUIET,
    }
    app.load(**exact)
    chart.settled(**exact)
