"""The sliders and checkboxes, and what their values mean: a `Recipe`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from ..recipe import SLIDER_MAX, SLIDER_STEP, Analogy, Recipe, Row, compose

ROW_FIELDS = 3  # on, negate, scaling coefficient
DEFAULT_COEF = 0.5


@dataclass(frozen=True)
class RowControls:
    on: gr.Checkbox
    negate: gr.Checkbox
    coef: gr.Slider


@dataclass(frozen=True)
class Controls:
    """All controls of the recipe. `inputs` fixes the order in which their values travel."""

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

    @property
    def inputs(self) -> list[Any]:
        rows = [x for r in self.rows.values() for x in (r.on, r.negate, r.coef)]
        return [self.addition, self.negation, self.analogy, *rows, self.a, self.b, self.c, self.analogy_coef]


@dataclass(frozen=True)
class ControlValues:
    """The values of `Controls.inputs`, and their meaning."""

    vectors: tuple[str, ...]
    values: tuple[Any, ...]

    def recipe(self, checkpoint: str) -> Recipe:
        """Raises `BadRecipeError` when an analogy names one vector twice."""
        addition, negation, analogy, *rest = self.values
        n = ROW_FIELDS * len(self.vectors)
        rows = {
            name: Row(bool(on), bool(negate), float(coef or 0.0))
            for name, (on, negate, coef) in zip(self.vectors, _chunks(rest[:n]), strict=True)
        }
        a, b, c, coef = rest[n:]
        chosen = Analogy(a, b, c, float(coef or 0.0)) if analogy else None
        return compose(checkpoint, rows, addition=bool(addition), negation=bool(negation), analogy=chosen)

    @classmethod
    def of(cls, recipe: Recipe, vectors: Sequence[str], abc: Sequence[str]) -> ControlValues:
        """Controls that mean this recipe. Coefficients beyond a slider's range are cut to it."""
        coefficients = dict(recipe.coefficients)
        size = {abs(v) for v in coefficients.values()}
        as_analogy = (
            set(coefficients) == set(abc)
            and len(size) == 1
            and coefficients[abc[0]] < 0 < min(coefficients[abc[1]], coefficients[abc[2]])
        )
        own = {} if as_analogy else coefficients
        rows: list[Any] = []
        for name in vectors:
            value = own.get(name, 0.0)
            rows += [name in own, value < 0, min(abs(value), SLIDER_MAX) if name in own else DEFAULT_COEF]
        negative = any(v < 0 for v in own.values())
        positive = any(v > 0 for v in own.values())
        coef = min(size.pop(), SLIDER_MAX) if as_analogy else DEFAULT_COEF
        return cls(tuple(vectors), (positive or not (negative or as_analogy), negative, as_analogy, *rows, *abc, coef))


def _chunks(values: Sequence[Any]) -> list[Sequence[Any]]:
    return [values[i : i + ROW_FIELDS] for i in range(0, len(values), ROW_FIELDS)]


def build_controls(main: Sequence[str], extra: Sequence[str], start: ControlValues) -> Controls:
    """Lay out operations and one row a vector; `extra` vectors (those of the analogy) sit in a closed accordion."""
    addition, negation, analogy, *rest = start.values
    n = ROW_FIELDS * (len(main) + len(extra))
    row_values = dict(zip([*main, *extra], _chunks(rest[:n]), strict=True))
    with gr.Row(elem_id="operations", equal_height=True):
        add = gr.Checkbox(addition, label="Addition", info="learn: + λτ", min_width=90, elem_id="op-addition")
        neg = gr.Checkbox(negation, label="Negation", info="forget: − λτ", min_width=90, elem_id="op-negation")
        ana = gr.Checkbox(analogy, label="Analogy", info="B + C − A", min_width=90, elem_id="op-analogy")
    rows: dict[str, RowControls] = {}
    with gr.Group(visible=bool(addition or negation), elem_id="vector-rows") as rows_group:
        for name in main:
            rows[name] = _row(name, row_values[name], bool(addition), bool(negation))
        with gr.Accordion("More task vectors", open=False, elem_id="more-vectors"):
            for name in extra:
                rows[name] = _row(name, row_values[name], bool(addition), bool(negation))
    a, b, c, coef = rest[n:]
    choices = [*main, *extra]
    with gr.Group(visible=bool(analogy), elem_id="analogy-panel") as analogy_group:
        gr.HTML(
            "<b>A is to B as C is to D.</b><br>τ<sub>D</sub> = τ<sub>B</sub> + τ<sub>C</sub> − τ<sub>A</sub>: "
            "no recording of D is used.",
            elem_classes="tv-note",
        )
        pick_a = gr.Dropdown(choices, value=a, label="A", elem_id="analogy-a")
        pick_b = gr.Dropdown(choices, value=b, label="is to B", elem_id="analogy-b")
        pick_c = gr.Dropdown(choices, value=c, label="as C is to D", elem_id="analogy-c")
        slider = gr.Slider(
            0, SLIDER_MAX, coef, step=SLIDER_STEP, label="λ of the analogy", buttons=["reset"], elem_id="lambda-analogy"
        )
    controls = Controls(add, neg, ana, rows, pick_a, pick_b, pick_c, slider, rows_group, analogy_group)
    _connect(controls)
    return controls


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
    """Operations reveal what they need; moving the slider of a vector that is off turns it on (in the browser)."""
    for row in controls.rows.values():
        row.coef.input(None, None, row.on, js="() => true", show_progress="hidden")
    minus = [row.negate for row in controls.rows.values()]

    def reveal(addition: bool, negation: bool, analogy: bool) -> list[Any]:
        # With negation alone every row is subtracted: the box shows it and cannot say otherwise.
        box: dict[str, Any] = {"visible": negation, "interactive": addition}
        update = gr.update(**box) if addition or not negation else gr.update(value=True, **box)
        boxes = [dict(update) for _ in minus]  # a copy each: gradio takes the value out of the one that it was given
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
