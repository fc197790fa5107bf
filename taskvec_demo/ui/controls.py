"""The sliders and checkboxes, and the `Recipe` that their values mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from ..core.recipe import SLIDER_MAX, SLIDER_STEP, Analogy, Recipe, Row, compose
from ..serve.own_vectors import MAX_BYTES

ROW_FIELDS = 3  # on, negate, scaling coefficient
DEFAULT_COEF = 0.5
ANALOGY_SIGNS = (-1, 1, 1)  # of A, B and C in τ_B + τ_C − τ_A
# Rows for vectors that the visitor may add. No vector's name begins with "_", so that no other row has such an id.
SLOTS = tuple(f"_slot-{i}" for i in range(1, 5))


@dataclass(frozen=True)
class RowControls:
    on: gr.Checkbox
    negate: gr.Checkbox
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
    rows_group: gr.Group
    analogy_group: gr.Group
    added: gr.Textbox
    slots: tuple[Slot, ...]
    upload: gr.UploadButton

    @property
    def inputs(self) -> list[Any]:
        return [self.added, *self.settable]

    @property
    def settable(self) -> list[Any]:
        rows = [x for r in self.all_rows for x in (r.on, r.negate, r.coef)]
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
        addition, negation, analogy, *rest = self.values
        n = ROW_FIELDS * len(self.vectors)
        rows = {
            name: Row(bool(on), bool(negate), float(coef or 0.0))
            for name, (on, negate, coef) in zip(self.vectors, _chunks(rest[:n]), strict=True)
            if name
        }
        a, b, c, coef = rest[n:]
        chosen = Analogy(a, b, c, float(coef or 0.0)) if analogy else None
        return compose(checkpoint, rows, addition=bool(addition), negation=bool(negation), analogy=chosen)

    @classmethod
    def of(cls, recipe: Recipe, vectors: Sequence[str], abc: Sequence[str | None]) -> ControlValues:
        """The controls that mean this recipe: rows, and the analogy `abc` if the checkpoint has enough vectors for one.

        Coefficients that are too large for both are cut to a slider's range.
        """
        coef = _analogy_coef(recipe.coefficients, abc)
        in_analogy = {name: sign * coef for name, sign in zip(abc, ANALOGY_SIGNS, strict=True) if name and coef}
        names = (*recipe.coefficients, *in_analogy)
        left = {n: round(recipe.coefficients.get(n, 0.0) - in_analogy.get(n, 0.0), 4) for n in names}
        own = {name: value for name, value in left.items() if value}
        rows: list[Any] = []
        for name in vectors:
            value = own.get(name, 0.0)
            rows += [name in own, value < 0, min(abs(value), SLIDER_MAX) if name in own else DEFAULT_COEF]
        negative = any(v < 0 for v in own.values())
        positive = any(v > 0 for v in own.values())
        operations = (positive or not (negative or coef), negative, bool(coef))
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


def build_controls(main: Sequence[str], extra: Sequence[str], own: Sequence[str], start: ControlValues) -> Controls:
    """Lay out the operations and one row for each vector.

    `extra` vectors (those of the analogy) are in a closed accordion. `own` vectors, which were not measured, are under
    a heading of their own together with those that the visitor adds.
    """
    addition, negation, analogy, *rest = start.values
    names = [*main, *extra, *own]
    n = ROW_FIELDS * (len(names) + len(SLOTS))
    row_values = dict(zip([*names, *SLOTS], _chunks(rest[:n]), strict=True))

    def row(name: str) -> RowControls:
        return _row(name, row_values[name], bool(addition), bool(negation))

    with gr.Row(elem_id="operations", equal_height=True):
        add = gr.Checkbox(addition, label="Addition", info="learn: + λτ", min_width=90, elem_id="op-addition")
        neg = gr.Checkbox(negation, label="Negation", info="forget: − λτ", min_width=90, elem_id="op-negation")
        ana = gr.Checkbox(
            analogy, label="Analogy", info="B + C − A", min_width=90, visible=len(names) > 2, elem_id="op-analogy"
        )
    with gr.Group(visible=bool(addition or negation), elem_id="vector-rows") as rows_group:
        rows = {name: row(name) for name in main}
        if extra:
            with gr.Accordion("More task vectors", open=False, elem_id="more-vectors"):
                rows |= {name: row(name) for name in extra}
        with gr.Group(elem_id="own-vectors"):
            gr.HTML("Your vectors <small>no accuracy is known for them in advance</small>", elem_id="own-heading")
            rows |= {name: row(name) for name in own}
            slots = tuple(_slot(name, row) for name in SLOTS)
            upload = gr.UploadButton(
                f"+ Add a task vector (.safetensors, ≤ {MAX_BYTES // 10**6} MB)",
                file_types=[".safetensors"],
                size="sm",
                elem_id="add-vector",
            )
    added = gr.Textbox("," * (len(SLOTS) - 1), visible="hidden", elem_id="added-vectors")
    a, b, c, coef = rest[n:]
    with gr.Group(visible=bool(analogy), elem_id="analogy-panel") as analogy_group:
        gr.HTML(
            "<b>A is to B as C is to D.</b><br>τ<sub>D</sub> = τ<sub>B</sub> + τ<sub>C</sub> − τ<sub>A</sub>: "
            "no recording of D is used.",
            elem_classes="tv-note",
        )
        pick_a = gr.Dropdown(names, value=a, label="A", elem_id="analogy-a")
        pick_b = gr.Dropdown(names, value=b, label="is to B", elem_id="analogy-b")
        pick_c = gr.Dropdown(names, value=c, label="as C is to D", elem_id="analogy-c")
        slider = gr.Slider(
            0,
            SLIDER_MAX,
            coef,
            step=SLIDER_STEP,
            label="λ of the analogy",
            buttons=["reset"],
            elem_id="lambda-_analogy",
        )
    controls = Controls(
        add, neg, ana, rows, pick_a, pick_b, pick_c, slider, rows_group, analogy_group, added, slots, upload
    )
    _connect(controls)
    return controls


def _slot(name: str, row: Callable[[str], RowControls]) -> Slot:
    with gr.Group(visible=False, elem_id=name, elem_classes="tv-slot") as group:
        controls = row(name)
        remove = gr.Button("✕ remove", size="sm", min_width=60, elem_id=f"remove-{name}", elem_classes="tv-remove")
    return Slot(group, controls, remove)


def _row(name: str, values: Sequence[Any], addition: bool, negation: bool) -> RowControls:
    on, negate, coef = values
    with gr.Row(elem_classes="tv-vector-row", elem_id=f"row-{name}"):
        switch = gr.Checkbox(on, label=f"τ {name}", min_width=100, scale=4, elem_id=f"on-{name}")
        minus = gr.Checkbox(
            negate,
            label="negate",
            min_width=80,
            scale=3,
            visible=negation,
            interactive=addition,
            elem_id=f"negate-{name}",
        )
    slider = gr.Slider(
        0, SLIDER_MAX, coef, step=SLIDER_STEP, label=f"λ {name}", buttons=["reset"], elem_id=f"lambda-{name}"
    )
    return RowControls(switch, minus, slider)


def _connect(controls: Controls) -> None:
    """Show the controls that an operation needs.

    If the slider of a vector that is off is moved, the browser turns the vector on.
    """
    for row in controls.all_rows:
        row.coef.input(None, None, row.on, js="() => true", show_progress="hidden")
    minus = [row.negate for row in controls.all_rows]

    def reveal(addition: bool, negation: bool, analogy: bool) -> list[Any]:
        # With negation alone every row is subtracted: its box is set and cannot be changed.
        box: dict[str, Any] = {"visible": negation, "interactive": addition}
        update = gr.update(**box) if addition or not negation else gr.update(value=True, **box)
        boxes = [dict(update) for _ in minus]  # a copy each, because gradio removes the value from its own
        return [gr.update(visible=addition or negation), gr.update(visible=analogy), *boxes]

    operations = [controls.addition, controls.negation, controls.analogy]
    gr.on(
        [o.change for o in operations],
        reveal,
        operations,
        [controls.rows_group, controls.analogy_group, *minus],
        show_progress="hidden",
        queue=False,
        api_visibility="private",
    )
