"""The sliders and checkboxes, and the `Recipe` that their values mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from ..core.recipe import SLIDER_MAX, SLIDER_STEP, Analogy, Recipe, Row, compose
from .html.rows import ANALOGY_PICTURE, BANDS, filter_html, head_html
from .html.words import help_html
from .plain import plain_html

ROW_FIELDS = 2  # on, scaling coefficient
DEFAULT_COEF = 0.5  # of the analogy
ANALOGY = "_analogy"  # the name of the analogy's row
ANALOGY_SIGNS = (-1, 1, 1)  # of A, B and C in τ_B + τ_C − τ_A
FAINT = "changes little"  # said of a vector that changes no task by more than a few points
# Rows for vectors that the visitor may add. No vector's name begins with "_", so that no other row has such an id.
SLOTS = tuple(f"_slot-{i}" for i in range(1, 5))


@dataclass(frozen=True)
class RowControls:
    on: gr.Checkbox
    coef: gr.Slider


@dataclass(frozen=True)
class Slot:
    """A row that is hidden until a visitor adds a vector."""

    group: gr.Group
    row: RowControls
    remove: gr.Button


@dataclass(frozen=True)
class Controls:
    """All controls of the recipe. Their values are passed in the order of `settable`.

    `added` holds the names of the visitor's own vectors, one a slot, separated by commas. It is passed before the
    others. It belongs to the page and not to a recipe, so that presets and undo do not change it.
    """

    addition: gr.Checkbox
    negation: gr.Checkbox
    analogy: gr.Checkbox
    rows: dict[str, RowControls]
    a: gr.Dropdown
    b: gr.Dropdown
    c: gr.Dropdown
    analogy_coef: gr.Slider
    added: gr.Textbox
    slots: tuple[Slot, ...]
    upload: gr.UploadButton

    @property
    def inputs(self) -> list[Any]:
        return [self.added, *self.settable]

    @property
    def settable(self) -> list[Any]:
        rows = [x for r in self.all_rows for x in (r.on, r.coef)]
        return [self.addition, self.negation, self.analogy, *rows, self.a, self.b, self.c, self.analogy_coef]

    @property
    def all_rows(self) -> list[RowControls]:
        return [*self.rows.values(), *(slot.row for slot in self.slots)]


@dataclass(frozen=True)
class ControlValues:
    """The values of `Controls.settable`, and their meaning. `vectors` are those of the rows, "" for a free slot."""

    vectors: tuple[str, ...]
    values: tuple[Any, ...]

    def recipe(self, checkpoint: str) -> Recipe:
        """Raises `BadRecipeError` when an analogy names one vector twice."""
        return self._composed(checkpoint, with_analogy=bool(self.values[2]))

    def without_analogy(self, checkpoint: str) -> Recipe:
        """What the rows alone mean."""
        return self._composed(checkpoint, with_analogy=False)

    @property
    def analogy(self) -> Analogy:
        """The analogy, whether it is on or not. Raises `BadRecipeError` when it names one vector twice."""
        *_, a, b, c, coef = self.values
        return Analogy(a, b, c, float(coef or 0.0))

    def _composed(self, checkpoint: str, with_analogy: bool) -> Recipe:
        addition, negation, _, *rest = self.values
        n = ROW_FIELDS * len(self.vectors)
        rows = {
            name: Row(bool(on), float(coef or 0.0))
            for name, (on, coef) in zip(self.vectors, _chunks(rest[:n]), strict=True)
            if name
        }
        analogy = self.analogy if with_analogy else None
        return compose(checkpoint, rows, addition=bool(addition), negation=bool(negation), analogy=analogy)

    @classmethod
    def of(cls, recipe: Recipe, vectors: Sequence[str], abc: Sequence[str | None]) -> ControlValues:
        """The controls that mean this recipe: rows, and the analogy `abc` if the checkpoint has enough vectors for one.

        Addition is on unless the recipe is nothing but an analogy; negation is on if a row is negative. Coefficients
        that are too large for row and analogy together are cut to a slider's range.
        """
        coef = _analogy_coef(recipe.coefficients, abc)
        in_analogy = {name: sign * coef for name, sign in zip(abc, ANALOGY_SIGNS, strict=True) if name and coef}
        names = (*recipe.coefficients, *in_analogy)
        left = {n: round(recipe.coefficients.get(n, 0.0) - in_analogy.get(n, 0.0), 4) for n in names}
        own = {name: min(max(value, -SLIDER_MAX), SLIDER_MAX) for name, value in left.items() if value}
        rows = [field for name in vectors for field in (name in own, own.get(name, 0.0))]
        operations = (bool(own) or not coef, any(v < 0 for v in own.values()), bool(coef))
        return cls(tuple(vectors), (*operations, *rows, *abc, coef or DEFAULT_COEF))


def _analogy_coef(coefficients: Mapping[str, float], abc: Sequence[str | None]) -> float:
    """λ of the analogy if the recipe is nothing but an analogy, or goes beyond the range of the rows; else 0."""
    signed = {name: sign * coefficients.get(name, 0.0) for name, sign in zip(abc, ANALOGY_SIGNS, strict=True) if name}
    if not signed:
        return 0.0
    alone = coefficients.keys() == signed.keys() and len(set(signed.values())) == 1
    wanted = max(signed.values()) - (0.0 if alone else SLIDER_MAX)
    return round(min(max(wanted, 0.0), SLIDER_MAX), 4)


def _chunks(values: Sequence[Any]) -> list[Sequence[Any]]:
    return [values[i : i + ROW_FIELDS] for i in range(0, len(values), ROW_FIELDS)]


def build_controls(
    measured: Sequence[str],
    own: Sequence[str],
    start: ControlValues,
    series: Mapping[str, int],
    faint: frozenset[str],
    banded: bool,
) -> Controls:
    """Lay out the operations and one row for each vector.

    `own` vectors, which were not measured, are under a heading of their own together with those that the visitor adds.
    `series` is the number of each vector's colour; `faint` vectors change next to nothing, and their rows say so.
    `banded`: the sliders show where the control holds.
    """
    addition, negation, analogy, *rest = start.values
    names = [*measured, *own]
    n = ROW_FIELDS * (len(names) + len(SLOTS))
    row_values = dict(zip([*names, *SLOTS], _chunks(rest[:n]), strict=True))

    def row(name: str) -> RowControls:
        return _row(name, row_values[name], series.get(name, 0), FAINT if name in faint else None)

    with gr.Row(elem_id="operations"):
        plain_html("Allow", elem_id="operations-lead")  # they open ways to go; none of them does anything yet
        add = gr.Checkbox(addition, label="Add", min_width=60, elem_id="op-addition")
        neg = gr.Checkbox(negation, label="Negate", min_width=60, elem_id="op-negation")
        ana = gr.Checkbox(analogy, label="Analogy", min_width=60, visible=len(names) > 2, elem_id="op-analogy")
        plain_html(help_html("operations"), elem_id="operations-help")
    with gr.Column(elem_id="vector-rows"):
        rows = {name: row(name) for name in measured}
        plain_html(head_html(banded), elem_id="rows-head")  # above the rows, but no stop of the Tab key before them
        plain_html(filter_html(len(names)), elem_id="row-filter")
        with gr.Column(elem_id="own-vectors"):
            plain_html("Your vectors <small>no accuracy is known for them in advance</small>", elem_id="own-heading")
            rows |= {name: row(name) for name in own}
            slots = tuple(_slot(name, row) for name in SLOTS)
            upload = gr.UploadButton(  # a .safetensors of at most own_vectors.MAX_BYTES
                "+ Add vector",
                file_types=[".safetensors"],
                size="sm",
                elem_id="add-vector",
            )
    added = gr.Textbox("," * (len(SLOTS) - 1), visible="hidden", elem_id="added-vectors")
    pick_a, pick_b, pick_c, slider = _analogy_panel(names, *rest[n:], banded=banded)
    return Controls(add, neg, ana, rows, pick_a, pick_b, pick_c, slider, added, slots, upload)


def _analogy_panel(names: Sequence[str], a: str, b: str, c: str, coef: float, *, banded: bool) -> tuple[Any, ...]:
    with gr.Column(elem_id="analogy-panel"):
        title = f"<b>A is to B as C is to D</b> {help_html('analogy')}"
        plain_html(f"<div class='tv-analogy-head'>{title}{BANDS * banded}</div>")
        with gr.Row(elem_id="analogy-abc"):
            pick_a = gr.Dropdown(names, value=a, label="A", min_width=80, elem_id="analogy-a")
            pick_b = gr.Dropdown(names, value=b, label="is to B", min_width=80, elem_id="analogy-b")
            pick_c = gr.Dropdown(names, value=c, label="as C is to D", min_width=80, elem_id="analogy-c")
        with gr.Row(elem_id=f"row-{ANALOGY}", elem_classes=["tv-vector", "tv-analogy"]):
            plain_html("λ of D", elem_classes="tv-row-name")
            slider = gr.Slider(
                0, SLIDER_MAX, coef, step=SLIDER_STEP, label="λ of the analogy", buttons=[], elem_id=f"lambda-{ANALOGY}"
            )
        plain_html(ANALOGY_PICTURE)
    return pick_a, pick_b, pick_c, slider


def _slot(name: str, row: Callable[[str], RowControls]) -> Slot:
    with gr.Group(visible=False, elem_id=name, elem_classes="tv-slot") as group:
        controls = row(name)
        remove = gr.Button("✕ remove", size="sm", min_width=60, elem_id=f"remove-{name}", elem_classes="tv-remove")
    return Slot(group, controls, remove)


def _row(name: str, values: Sequence[Any], series: int, info: str | None) -> RowControls:
    on, coef = values
    # The browser narrows the range to what the operations open: gradio would refuse a value that comes before a range.
    with gr.Row(elem_classes=["tv-vector", f"tv-series-{series}"], elem_id=f"row-{name}"):
        switch = gr.Checkbox(on, label=f"τ {name.replace('_', ' ')}", info=info, min_width=60, elem_id=f"on-{name}")
        slider = gr.Slider(
            -SLIDER_MAX, SLIDER_MAX, coef, step=SLIDER_STEP, label=f"λ {name}", buttons=[], elem_id=f"lambda-{name}"
        )
    return RowControls(switch, slider)


def connect_rows(controls: Controls, switched_on: str) -> None:
    """Moving the slider of a vector that is off turns it on, and turning it on at λ = 0 gives it a λ.

    `switched_on` is JavaScript.
    """
    for row in controls.all_rows:
        row.coef.input(None, None, row.on, js="() => true", show_progress="hidden")
        asked = [row.on, row.coef, controls.addition]
        row.on.input(None, asked, row.coef, js=switched_on, queue=False, show_progress="hidden")
