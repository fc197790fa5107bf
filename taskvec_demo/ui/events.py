"""The events of the page: one definition for each action."""

from __future__ import annotations

import json
from typing import Any

import gradio as gr

from ..core.recipe import Recipe
from .api import EXACT_CONCURRENCY, MODEL_CONCURRENCY, TRACE_CONCURRENCY
from .controls import Controls
from .hearing import Hearing
from .live import call
from .page import Page
from .sound import SOUND_TAB, SoundTab
from .strip import Strip
from .tools import Tools, connect_tools

QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


def connect(
    app: gr.Blocks,
    page: Page,
    hearing: Hearing,
    controls: Controls,
    reset: gr.Button,
    tools: Tools,
    chart: gr.HTML,
    strip: Strip,
    sound: SoundTab,
) -> list[Any]:
    """The browser redraws by itself; a chart at rest asks for the exact answers.

    Returns the events after which both models have answered for the clip.
    """
    told = controls.inputs
    gr.on([c.change for c in told], None, told, None, js=call("handOver"), queue=False, show_progress="hidden")
    # `settled` is a custom event of gr.HTML, which gr.on does not take: the same definition is given to both.
    classify: dict[str, Any] = {
        "fn": hearing.classify,
        "inputs": [strip.clip, sound.labels, tools.pinned, *controls.inputs],
        "outputs": [*sound.answered, sound.problem, strip.answer],
        "trigger_mode": "always_last",
        **MODEL_CONCURRENCY,
        **QUIET,
    }
    chosen = sound.label_set.input(lambda labels: labels, sound.label_set, sound.labels, **QUIET)
    asked = [gr.on([strip.clip.change, tools.pinned.change], **classify), chosen.then(**classify)]
    classified = [*asked, chart.settled(**classify), sound.problem.ask(**classify)]
    nothing = json.dumps(page.values(Recipe(page.workbench.name)).values)
    reset.click(None, None, controls.settable, js=f"() => {nothing}", queue=False, show_progress="hidden")
    # The recipe in the address is the first state; undo does not go back to the page's own.
    opened = app.load(page.restore, None, [*controls.settable, sound.along], **QUIET)
    connect_tools(page, tools, controls, opened, **QUIET)
    return [*classified, opened.then(**classify)]


def connect_strip(app: gr.Blocks, hearing: Hearing, controls: Controls, strip: Strip, sound: SoundTab) -> None:
    """Tell the browser of the clip and its answers, and compute the clip's trace along a slider that is touched."""
    told: dict[str, Any] = {"queue": False, "show_progress": "hidden"}
    gr.on([app.load, strip.clip.change], None, strip.clip, None, js=call("handClip"), **told)
    sound.labels.change(None, sound.labels, None, js=call("handLabels"), **told)
    strip.answer.change(None, strip.answer, None, js=call("handAnswer"), **told)
    strip.trace.change(None, strip.trace, None, js=call("handTrace"), **told)
    strip.shown.touched(
        hearing.follow,
        [strip.clip, sound.labels, *controls.inputs],
        strip.trace,
        trigger_mode="multiple",
        **TRACE_CONCURRENCY,
        **QUIET,
    )


def connect_sound_tab(
    hearing: Hearing, controls: Controls, tabs: gr.Tabs, strip: Strip, sound: SoundTab, classified: list[Any]
) -> None:
    """Draw the clip, and follow it along λ after both models have answered; only while the tab is open."""
    listening = gr.State(not hearing.page.tasks)  # without tasks the sound tab is the first
    trace: dict[str, Any] = {
        "fn": hearing.trace,
        "inputs": [listening, strip.clip, sound.labels, sound.along, *controls.inputs],
        "outputs": sound.traced,
        "trigger_mode": "always_last",
        **TRACE_CONCURRENCY,
        **QUIET,
    }

    def opened(tab: gr.SelectData) -> bool:
        return tab.value == SOUND_TAB

    picture: dict[str, Any] = {"fn": hearing.picture, "inputs": [listening, strip.clip], "outputs": sound.picture}
    strip.clip.change(**picture, **QUIET)
    selected = tabs.select(opened, None, listening, queue=False, **QUIET)
    selected.then(**picture, **QUIET).then(**trace)
    sound.along.input(**trace)
    asked = trace["inputs"][1:]
    saved = sound.traced[1].webpage(hearing.interactive, asked, sound.file, **TRACE_CONCURRENCY, **QUIET)
    saved.success(None, sound.file, None, js=call("saveGiven"), queue=False, show_progress="hidden")
    for answered in classified:
        answered.then(**trace)


def connect_exact(app: gr.Blocks, page: Page, controls: Controls, chart: gr.HTML, measured: gr.HTML) -> None:
    """Ask for exact figures when the page opens and when the controls rest.

    A newer run starts beside an older one, which then ends by itself.
    """
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
