"""What the page opens with, and the handlers that its events call."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from ..core.evaluation import TaskResult
from ..core.recipe import QUERY_KEYS, SLIDER_MAX, Recipe, is_coefficient
from ..errors import TaskVecError, shortened
from ..serve.artifacts import Preset
from ..serve.exact_figures import ExactFigures
from ..serve.labelled_clips import SYNTHESIZED, VALIDATION
from ..serve.own_vectors import UPLOADED
from ..serve.workbench import Workbench
from .api import user_error
from .controls import SLOTS, ControlValues
from .html import bars
from .html.classes import classes_html
from .html.exact_panel import check_html, exact_html
from .html.paper import load_tables
from .html.verdict import aim_of
from .newest import NewestRun

FAINT_POINTS = 0.03  # a vector that changes no task by more does next to nothing


class Page:
    """The handlers of a page, bound to a workbench. All that is kept of a visitor is the newest run of exact figures.

    Vectors are `main` (they have a task of their own name), `extra` (the analogy's) or `own` (no surface knows them).
    `aside` are target tasks without a vector of their own, which are shown only while an extra vector is on. `opening`
    is the story that the page opens with, if there are any. Handlers get `added`, the names in `Controls.added`, before
    the values.
    """

    def __init__(self, workbench: Workbench) -> None:
        self.workbench = workbench
        self.tasks = workbench.tasks
        self.presets = list(workbench.artifacts.presets.values())
        self.measured = {v for surface in workbench.artifacts.surfaces.values() for v in surface.vectors}
        known = {name: v for name, v in workbench.vectors.items() if name in self.measured}
        self.main = tuple(name for name, vector in known.items() if vector.task == name)
        self.extra = tuple(name for name in known if name not in self.main)
        self.own = tuple(name for name in workbench.vectors if name not in known)
        self.vectors = self.main + self.extra + self.own
        self.vector_tasks = {name: vector.task for name, vector in workbench.vectors.items()}
        suggested = (*self.extra, *self.main, *self.own)
        self.abc: tuple[str | None, ...] = suggested[:3] if len(suggested) > 2 else (None, None, None)
        targets = {t.name for t in self.tasks.values() if t.role == "target"}
        self.aside = targets - set(self.main) if self.extra else set()
        self.opening = _most_telling(self.presets)
        self.start = self.opening.recipe if self.opening else Recipe(workbench.name)
        self.finetuned = self._finetuned()
        self.faint = frozenset(name for name in known if self._is_faint(name))
        self.tables = load_tables(workbench.artifacts.tables) if workbench.artifacts.tables else {}
        self._exact_runs = NewestRun()
        self.examples = [str(p) for p in workbench.artifacts.examples]
        self._known_clips = {p.read_bytes(): self._labels_of(p.stem) for p in workbench.artifacts.examples}

    def _finetuned(self) -> dict[str, float]:
        """Validation accuracy of every task under its own vector at λ = 1, by which normalized accuracy divides."""
        own = {n: self.workbench.evaluate(Recipe(self.workbench.name, {n: 1.0})) for n in self.main}
        return {n: r.edited.accuracy for n, results in own.items() for r in results if r.task.name == n}

    def _is_faint(self, vector: str) -> bool:
        """Whether no task's accuracy changes by more than `FAINT_POINTS` at either end of the vector's slider."""
        ends = [Recipe(self.workbench.name, {vector: value}) for value in (-SLIDER_MAX, SLIDER_MAX)]
        results = [result for end in ends for result in self.workbench.evaluate(end)]
        return all(abs(r.edited.accuracy - r.pretrained.accuracy) <= FAINT_POINTS for r in results)

    @property
    def vector_series(self) -> dict[str, int]:
        """The number of each vector's colour: that of the task it was trained on."""
        of_task = bars.task_series(self.tasks.values())
        return {name: of_task.get(task) or 1 + i for i, (name, task) in enumerate(self.vector_tasks.items())}

    @property
    def banded(self) -> bool:
        """Whether there are estimates of a control, so that a slider can show where it holds."""
        return any(self.tasks[name].role == "control" for name in self.workbench.artifacts.surfaces)

    def clip_of(self, preset: Preset | None) -> str | None:
        """The file of a story's clip, if it has one."""
        return next((p for p in self.examples if preset and Path(p).stem == preset.story.clip), None)

    def _labels_of(self, class_name: str) -> tuple[str, ...]:
        """The labels of a class, which is named after the same sound in each task that has it."""
        named = [dict(zip(task.class_names, task.prompts, strict=True)) for task in self.tasks.values()]
        return tuple(dict.fromkeys(prompts[class_name] for prompts in named if class_name in prompts))

    def right_labels(self, clip: str) -> tuple[str, ...]:
        """The labels that are right for a clip: those of an example's class, none for a clip of the visitor."""
        path = Path(clip)
        if path.stat().st_size not in map(len, self._known_clips):
            return ()
        return self._known_clips.get(path.read_bytes(), ())

    def values(self, recipe: Recipe) -> ControlValues:
        return ControlValues.of(recipe, (*self.vectors, *("" for _ in SLOTS)), self.abc)

    def recipe(self, added: str, values: tuple) -> Recipe:
        return self.control_values(added, values).recipe(self.workbench.name)

    def control_values(self, added: str, values: tuple) -> ControlValues:
        return ControlValues((*self.vectors, *names_of(added)), values)

    @cached_property
    def opening_results(self) -> list[TaskResult]:
        """Every task under the recipe that the page opens with; one without an estimate has no clips."""
        none = np.empty(0, np.int64)
        known = {result.task.name: result for result in self.workbench.evaluate(self.start)}
        return [known.get(n) or TaskResult(t, VALIDATION, "exact", none, none, none) for n, t in self.tasks.items()]

    def chart(self) -> str:
        """The bars of the recipe that the page opens with. The browser takes them over from there."""
        note = (
            "" if not self.tasks or self.measured or self.workbench.labelled else unmeasured_html(self.workbench.name)
        )
        hidden = self._hidden(self.start)
        return bars.results_html(self.opening_results, self.start, self.finetuned, self.vector_tasks, hidden, note)

    def classes(self) -> str:
        """The classes of every task under that recipe."""
        errors = [s.class_error for s in self.workbench.artifacts.surfaces.values() if math.isfinite(s.class_error)]
        error = max(errors, default=None)
        return classes_html(self.opening_results, self._hidden(self.start), error, self._to_forget(self.start))

    def _hidden(self, recipe: Recipe) -> set[str]:
        return set() if set(recipe.coefficients) & set(self.extra) else self.aside

    def _to_forget(self, recipe: Recipe) -> set[str]:
        """The tasks that a recipe wants the model to forget."""
        return {name for name, task in self.tasks.items() if aim_of(task, recipe, self.vector_tasks) == "forget"}

    def nothing_measured(self) -> str:
        """What stands in the place of the exact figures before the first of them."""
        labelled, none = self.workbench.labelled, np.empty(0, np.int64)
        results = [TaskResult(task, labelled.split, "exact", none, none, none) for task in labelled.tasks.values()]
        return self._exact_html(ExactFigures(results, 0, len(labelled)), self.start)

    def _exact_html(self, figures: ExactFigures, recipe: Recipe, seconds_left: float = 0.0) -> str:
        hidden = self._hidden(recipe)
        if self.workbench.labelled.split != SYNTHESIZED:
            clips = f"validation recordings in {shortened(self.workbench.data)}"
            return exact_html(figures, recipe, clips, hidden, seconds_left, self._to_forget(recipe))
        expected = {
            r.task.name: float((r.predicted_edited != r.predicted_pretrained).mean()) for r in self._evaluated(recipe)
        }
        return check_html(figures, recipe, expected, hidden, seconds_left)

    def _evaluated(self, recipe: Recipe) -> list[TaskResult]:
        """The estimates of a recipe; none where it goes beyond what was measured."""
        try:
            return self.workbench.evaluate(recipe)
        except TaskVecError:
            return []

    def exact(self, request: gr.Request, added: str, *values: Any) -> Iterator[Any]:
        """Yield exact figures of the recipe batch by batch, and no change at the end.

        The run stops when a newer run of the page has begun.
        """
        try:
            recipe = self.recipe(added, values)
        except TaskVecError:  # the controls are not a recipe yet: the line of the formula says what is missing
            yield gr.skip()
            return
        began = time.monotonic()
        try:
            with self._exact_runs.of(request.session_hash) as is_newest:
                for figures in self.workbench.exact(recipe):
                    if not is_newest():
                        break
                    a_clip = (time.monotonic() - began) / max(figures.done, 1)
                    yield self._exact_html(figures, recipe, a_clip * (figures.total - figures.done))
                # When a run ends, gradio sends its last value once more, which would overwrite a newer run's figures
                yield gr.skip()
        except TaskVecError as error:
            raise user_error(error) from error

    def restore(self, request: gr.Request) -> list:
        """The controls of the recipe in the address, if there is one, and the vector to follow the clip along."""
        unchanged = [gr.skip()] * (len(self.values(self.start).values) + 1)
        keys = {*QUERY_KEYS, *self.vectors}
        asked = dict(request.query_params)
        found = {k: v for k, v in asked.items() if k in keys}
        if "ckpt" not in found:
            return unchanged
        for name in sorted(asked.keys() - keys):
            if not is_coefficient(name, asked[name]):
                continue  # hosts and mailers put keys of their own into an address
            why = "which was added from a file: add it again" if UPLOADED.fullmatch(name) else "which is not here"
            gr.Warning(f"The link also uses τ {name}, {why}.", duration=10)
        try:
            query = "&".join(f"{k}={v}" for k, v in found.items())
            recipe = self.workbench.check(Recipe.from_query(query))
        except TaskVecError as error:
            said = escape(str(error), quote=False)  # it repeats words of the link, and gradio reads a toast as HTML
            gr.Warning(f"The link's recipe was not used: {said}", duration=10)
            return unchanged
        values = self.values(recipe)
        if values.recipe(recipe.checkpoint).coefficients != recipe.coefficients:
            gr.Warning(f"The link goes beyond the sliders, which end at {SLIDER_MAX:g}: its λ were cut.", duration=10)
        return [*values.values, self.most_moved(recipe) or gr.skip()]

    def most_moved(self, recipe: Recipe) -> str | None:
        """The vector with the largest |λ|; none where nothing is edited."""
        return max(recipe.coefficients, key=lambda name: abs(recipe.coefficients[name]), default=None)


def _most_telling(presets: Sequence[Preset]) -> Preset | None:
    """The story that the page opens with: of those whose clip flips one of the fewest vectors, and among these the one
    whose task changes most on test. Where no clip flips, the first.
    """
    flipping = [preset for preset in presets if preset.story.clip]
    return (
        min(flipping, key=lambda p: (len(p.recipe.coefficients), -_change(p)))
        if flipping
        else next(iter(presets), None)
    )


def _change(preset: Preset) -> float:
    """How much the accuracy of the task changes whose vector is dragged."""
    of_task = {entry["task"]: entry for entry in preset.test}
    entry = of_task[preset.story.vector]
    return abs(entry["edited"]["accuracy"] - entry["pretrained"]["accuracy"])


def names_of(added: str) -> tuple[str, ...]:
    """The names in `Controls.added`, one for each slot, "" for a free one."""
    names = (added or "").split(",")[: len(SLOTS)]
    return (*names, *("" for _ in SLOTS[len(names) :]))


def unmeasured_html(checkpoint: str) -> str:
    """What a visitor can do to get figures if there are neither surfaces nor labelled recordings."""
    return (
        f"<div class='tv-note tv-unmeasured'><b>No accuracy of {escape(checkpoint)} has been measured.</b><br>"
        "The answers for your own sound are exact. For accuracies with intervals start the app with labelled "
        "recordings: <code>--data DIR</code>, a folder of sets such as ESC-50, UrbanSound8K, GTZAN, or one folder for "
        "each class. They are then measured here whenever the sliders rest. Estimates while a slider moves need the "
        "surfaces that <code>python -m taskvec_demo build</code> makes.</div>"
    )
