"""`build_app(workbench) -> gr.Blocks`: the page. It is handed everything it calls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from ..errors import BadRecipeError, TaskVecError
from ..figures import curve_figure
from ..recipe import Recipe
from ..session import Workbench
from . import bars
from .api import MODEL_CONCURRENCY, add_endpoints, user_error
from .controls import Controls, ControlValues, build_controls

HERE = Path(__file__).parent
HISTORY = 50  # states that undo can go back
FIRST_PRESET = "learn_two"  # the page opens on an edit, so that there is something to see
FIRST_EXAMPLE = "dog_bark"  # classified when the page opens, so that the sound tab is never empty
MAX_UPLOAD = "25mb"
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
# Passed to `launch`: theme and styles belong there in Gradio 6. No font, script or figure comes from another host.
LAUNCH: dict[str, Any] = {
    "theme": gr.themes.Default(primary_hue="blue", neutral_hue="slate", font=["system-ui", "sans-serif"]).set(
        body_text_color_subdued="*neutral_500"  # 4.8 : 1 on white; the default's neutral_400 has 2.6 : 1
    ),
    "css_paths": [HERE / "theme.css"],
    "max_file_size": MAX_UPLOAD,
    "ssr_mode": False,
    "run_history": False,
    "enable_monitoring": False,
    "footer_links": ["api", "settings"],
    "head": "<script>addEventListener('input', (e) => { if (e.isTrusted && e.target.type === 'range') "
    "window.tvLastSlider = e.target; }, true)</script>",
}


class Page:
    """Handlers of one page, bound to a workbench. No state of a visitor is kept here."""

    def __init__(self, workbench: Workbench) -> None:
        self.workbench = workbench
        self.tasks = workbench.tasks
        own = [n for n, v in workbench.vectors.items() if v.name == v.task]
        self.main, self.extra = tuple(own), tuple(n for n in workbench.vectors if n not in own)
        self.vectors = self.main + self.extra
        self.abc = tuple((*self.extra, *self.main)[:3])
        self.presets = list(workbench.artifacts.presets.values())
        self.start = next((p.recipe for p in self.presets if p.name == FIRST_PRESET), Recipe(workbench.name))
        self.finetuned = self._finetuned()
        self.examples = [str(p) for p in workbench.artifacts.examples]

    def _finetuned(self) -> dict[str, float]:
        """Validation accuracy of every task under its own vector at λ = 1: what normalized accuracy divides by."""
        own = {n: self.workbench.evaluate(Recipe(self.workbench.name, {n: 1.0})) for n in self.main}
        return {n: r.edited.accuracy for n, results in own.items() for r in results if r.task.name == n}

    def values(self, recipe: Recipe) -> ControlValues:
        return ControlValues.of(recipe, self.vectors, self.abc)

    def recipe(self, values: tuple) -> Recipe:
        return ControlValues(self.vectors, values).recipe(self.workbench.name)

    def refresh(self, *values: Any) -> tuple[Any, Any]:
        """Formula and chart for the controls as they are. A sentence takes the chart's place where nothing is known."""
        try:
            recipe = self.recipe(values)
        except TaskVecError as error:
            return bars.message_html(str(error)), gr.skip()
        return bars.formula_html(recipe, self.vectors), self.chart(recipe)

    def chart(self, recipe: Recipe, first: bool = False) -> str:
        try:
            results = self.workbench.evaluate(recipe)
        except BadRecipeError as error:
            return bars.message_html(f"{error} The answers for your clip are still exact.")
        return bars.results_html(results, recipe, self.finetuned, first)

    def classify(self, clip: str | None, labels: str, *values: Any) -> tuple[Any, Any, Any]:
        """Both models' top labels for the clip under the controls as they are."""
        if not clip:
            return None, None, "<div class='tv-difference tv-muted'>Upload or record a clip, or pick an example.</div>"
        try:
            recipe = self.recipe(values)
            result = self.workbench.classify(clip, recipe, labels)
        except TaskVecError as error:
            raise user_error(error) from error
        return result.pretrained, result.edited, bars.difference_html(result, recipe)

    def curve(self, vector: str, *values: Any) -> Any:
        """Accuracy of every task along one vector, the other λ as they are."""
        try:
            recipe = self.recipe(values)
        except TaskVecError:
            return gr.skip()
        axis, curves = self.workbench.curve(recipe, vector)
        alone = not set(recipe.coefficients) - {vector}
        measured = {t: self.workbench.measured_along(vector, t) for t in curves} if alone else {}
        errors = {t: s.error for t, s in self.workbench.artifacts.surfaces.items()}
        current = recipe.coefficients.get(vector, 0.0)
        return curve_figure(axis, curves, measured, self.tasks, vector, current, errors)

    def remember(self, history: list, *values: Any) -> list:
        """The history with the settled state at its end; states that mean the same recipe are one step of undo."""
        state = list(values)
        try:
            if history and self.recipe(tuple(history[-1])) == self.recipe(values):
                return [*history[:-1], state]
        except TaskVecError:
            return history  # an analogy that is not complete yet is no state to come back to
        return [*history, state][-HISTORY:]

    def undo(self, history: list) -> list:
        """The state before the last settled one, and the shortened history."""
        if len(history) < 2:
            gr.Info("Nothing to undo.", duration=3)
            return [gr.skip()] * (1 + len(self.values(self.start).values))
        return [history[:-1], *history[-2]]

    def restore(self, request: gr.Request) -> list:
        """Controls from the recipe in the address, if there is one."""
        keys = {"ckpt", "rule", "pt", *self.vectors}
        found = {k: v for k, v in dict(request.query_params).items() if k in keys}
        if "ckpt" not in found:
            return [gr.skip()] * len(self.values(self.start).values)
        try:
            query = "&".join(f"{k}={v}" for k, v in found.items())
            return list(self.values(self.workbench.check(Recipe.from_query(query))).values)
        except TaskVecError as error:
            gr.Warning(f"The link's recipe was not used: {error}", duration=10)
            return [gr.skip()] * len(self.values(self.start).values)


def build_app(workbench: Workbench) -> gr.Blocks:
    """The whole page and the API for one workbench."""
    page = Page(workbench)
    with gr.Blocks(title="Task arithmetic on CLAP", delete_cache=(3600, 3600), analytics_enabled=False) as app:
        gr.Markdown(
            "# Task arithmetic on CLAP\nAdd or subtract what a model has learned, as numbers: drag λ and watch an "
            "audio-text model learn instruments, forget street noise, or solve an analogy.",
            elem_id="title",
        )
        history = gr.State([])
        with gr.Row():
            with gr.Column(scale=2, min_width=330, elem_id="controls"):
                controls, presets, actions = _controls_column(page)
            with gr.Column(scale=5, min_width=330):
                formula = gr.HTML(bars.formula_html(page.start, page.vectors), elem_id="formula")
                with gr.Tabs():
                    with gr.Tab("Accuracy", id="accuracy"):
                        chart = gr.HTML(
                            page.chart(page.start, first=True),
                            elem_id="chart",
                            js_on_load=(HERE / "settle.js").read_text(),
                        )
                    with gr.Tab("Your sound", id="sound"):
                        clip, labels, outputs, button = _sound_tab(page)
                    with gr.Tab("Along λ", id="curve"):
                        along = gr.Dropdown(list(page.vectors), value=page.main[0], label="Task vector on the axis")
                        plot = gr.Plot(
                            page.curve(page.main[0], *page.values(page.start).values), show_label=False, elem_id="plot"
                        )
                        gr.Markdown(
                            "Validation accuracy. Lines: estimated by the logit surface, the other λ as set. "
                            "Circles: measured, shown while no other vector is on."
                        )
                    with gr.Tab("Test", id="test"):
                        gr.HTML(bars.test_table_html(page.presets, page.tasks, page.vectors))
                    with gr.Tab("About", id="about"):
                        gr.Markdown(_about(workbench))
        add_endpoints(workbench)
        _connect(
            app, page, controls, presets, actions, formula, chart, clip, labels, outputs, button, along, plot, history
        )
    return app.queue(max_size=256)


def _controls_column(page: Page) -> tuple[Controls, list[gr.Button], tuple[gr.Button, gr.Button]]:
    with gr.Row(elem_id="presets"):
        presets = [gr.Button(p.title, size="sm", min_width=120) for p in page.presets]
    controls = build_controls(page.main, page.extra, page.values(page.start))
    with gr.Row(elem_id="actions"):
        play = gr.Button("▶ Sweep", size="sm", min_width=110, variant="primary", elem_id="play")
        undo = gr.Button("↶ Undo", size="sm", min_width=80, elem_id="undo")
        reset = gr.Button("Reset all", size="sm", min_width=80, elem_id="reset")
    play.click(None, None, None, js=(HERE / "play.js").read_text(), show_progress="hidden")
    return controls, presets, (undo, reset)


def _sound_tab(page: Page) -> tuple[gr.Audio, gr.Textbox, list, gr.Button]:
    first = next((p for p in page.examples if Path(p).stem == FIRST_EXAMPLE), None)
    everything = ", ".join(page.workbench.artifacts.default_labels)
    sets = [("All sounds", everything)] + [(t.title, ", ".join(t.prompts)) for t in page.tasks.values()]
    with gr.Row():
        with gr.Column(min_width=280):
            clip = gr.Audio(
                first,
                sources=["upload", "microphone"],
                type="filepath",
                buttons=["download"],  # gradio's "share" would upload the clip to another host
                label="Your clip",
                elem_id="clip",
            )
            if page.examples:
                gr.Examples(
                    [[p] for p in page.examples],
                    [clip],
                    example_labels=[Path(p).stem.replace("_", " ") for p in page.examples],
                    label="Examples, synthesized by this project",
                    examples_per_page=12,
                    cache_examples=False,
                    api_visibility="private",
                )
            gr.Markdown("Upload wav, flac, ogg, opus or mp3: 0.1 s to 10 min, up to 25 MB; the first 60 s are used.")
        with gr.Column(min_width=280):
            label_set = gr.Dropdown(sets, value=everything, label="Label set", elem_id="label-set")
            labels = gr.Textbox(
                everything,
                label="Labels, yours to edit (commas or new lines)",
                lines=2,
                max_lines=4,
                elem_id="labels",
                info="Each is read inside the templates "
                + ", ".join(f"“{t.format('…')}”" for t in page.workbench.artifacts.templates),
            )
            button = gr.Button("Classify", variant="primary", elem_id="classify")
    start = page.classify(first, everything, *page.values(page.start).values)
    explanation = gr.HTML(start[2], elem_id="difference")
    with gr.Row():
        before = gr.Label(start[0], num_top_classes=5, label="Pre-trained", min_width=240, elem_id="pretrained")
        after = gr.Label(start[1], num_top_classes=5, label="Edited", min_width=240, elem_id="edited")
    label_set.input(lambda chosen: chosen, label_set, labels, **QUIET)
    return clip, labels, [before, after, explanation], button


def _connect(
    app: gr.Blocks,
    page: Page,
    controls: Controls,
    presets: list[gr.Button],
    actions: tuple[gr.Button, gr.Button],
    formula: gr.HTML,
    chart: gr.HTML,
    clip: gr.Audio,
    labels: gr.Textbox,
    outputs: list,
    button: gr.Button,
    along: gr.Dropdown,
    plot: gr.Plot,
    history: gr.State,
) -> None:
    """One definition an action. Controls redraw the chart; a chart at rest asks for exact answers."""
    gr.on(
        [c.change for c in controls.inputs],
        page.refresh,
        controls.inputs,
        [formula, chart],
        preprocess=False,  # a number box half typed is not an error: gradio's own check would drop the update after it
        trigger_mode="always_last",
        concurrency_limit=1,  # in order: a stale redraw must not come after a newer one
        **QUIET,
    )
    # `settled` is a custom event of gr.HTML, which gr.on does not take: the same definition is given to both.
    classify: dict[str, Any] = {
        "fn": page.classify,
        "inputs": [clip, labels, *controls.inputs],
        "outputs": outputs,
        "trigger_mode": "always_last",
        **MODEL_CONCURRENCY,
        **QUIET,
    }
    curve: dict[str, Any] = {
        "fn": page.curve,
        "inputs": [along, *controls.inputs],
        "outputs": plot,
        "trigger_mode": "always_last",
        **QUIET,
    }
    remember: dict[str, Any] = {
        "fn": page.remember,
        "inputs": [history, *controls.inputs],
        "outputs": history,
        **QUIET,
    }
    gr.on([clip.change, button.click, labels.submit, labels.change], **classify)
    along.input(**curve)
    app.load(**remember)
    for event in (classify, curve, remember):
        chart.settled(**event)
    undo, reset = actions
    undo.click(page.undo, history, [history, *controls.inputs], **QUIET)
    recipes = [p.recipe for p in page.presets] + [Recipe(page.workbench.name)]
    for trigger, recipe in zip([*presets, reset], recipes, strict=True):
        values = list(page.values(recipe).values)
        trigger.click(lambda values=values: values, None, controls.inputs, **QUIET)
    app.load(page.restore, None, controls.inputs, **QUIET)


def _about(workbench: Workbench) -> str:
    sources = "\n".join(
        f"- {s['name']} ({s['author']}): {s['licence']}" for s in workbench.artifacts.manifest["sources"]
    )
    size = workbench.checkpoint.pretrained.layout.size / 1e6
    return f"""
A **task vector** is a difference of weights: τ = θ_fine-tuned − θ_pre-trained. Here it covers the {size:.1f} million
parameters of CLAP's audio tower and audio projection; the text tower stays frozen, so every label you type keeps its
meaning. The edited model is

θ_new = θ_pt + Σ λᵢ τᵢ

- **Addition** (λ > 0) teaches tasks that were fine-tuned apart, without training again.
- **Negation** (λ < 0) makes the model forget a task; the *control* task, everyday sounds, should hold at 95 % or more.
- **Analogy**: A is to B as C is to D. τ_B + τ_C − τ_A should move the model towards D, of which no recording was used;
  whether it does is on the Test tab.

**What the numbers are.** Bars come from validation clips, with n and a 95 % Wilson interval. *Measured* means that
exactly this λ was run on every clip; *estimate* comes from a polynomial fitted to measured logits, with its held-out
error. The answers for your own clip are always computed with the rebuilt weights. λ is never chosen on test clips.

**The model.** *{workbench.name}* is a small CLAP (HTSAT audio tower, RoBERTa-style text tower) trained by this project
on 7 hours of sound. It knows few sounds: of a clip of something else, the top label is only the nearest of your list.

**After** Ilharco et al., *Editing Models with Task Arithmetic* (arXiv:2212.04089), and Ballanti, *Task Arithmetic for
Audio Classification* (2024). **Recordings used for training and measuring** (none is shipped):

{sources}
"""
