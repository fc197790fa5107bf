"""The figures show the results. This is read from their data; nothing is drawn."""

from __future__ import annotations

import numpy as np
import pytest

from taskvec_demo.serve.trace import TRACED_LABELS, Trace
from taskvec_demo.ui.html.trace_figure import trace_figure
from tests.support.traces import AXIS, LABELS, TRACE, VALUES


def test_flips_lie_midway_between_the_points_where_the_answer_changes():
    assert TRACE.flips == ((-0.5, "rain", "a dog"), (0.75, "a dog", "a <cello>"))
    assert Trace.of("urban", AXIS, LABELS, VALUES[[0, 0, 0, 0]]).flips == ()
    assert np.array_equal(TRACE.probabilities["a <cello>"], VALUES[:, 2])
    assert list(TRACE.probabilities) == list(LABELS)


def test_a_trace_shows_its_leading_labels_in_percent():
    figure = trace_figure(TRACE, 0.3)
    assert [line.name for line in figure.data] == list(LABELS[:TRACED_LABELS])
    for line in figure.data:
        assert np.array_equal(line.x, AXIS)
        assert np.allclose(line.y, 100 * TRACE.probabilities[line.name])


def test_a_trace_marks_flips_and_the_current_value():
    figure = trace_figure(TRACE, 0.3)
    verticals = {shape.x0: shape.line.dash for shape in figure.layout.shapes}
    assert verticals == {-0.5: None, 0.75: None, 0.3: "dot"}
    assert [(a.x, a.text) for a in figure.layout.annotations] == [(-0.5, "rain → a dog"), (0.75, "a dog → a <cello>")]


def test_a_label_on_top_is_shown_even_when_its_peak_is_not_among_the_highest():
    values = np.full((4, 7), 0.16)
    values[:, 6] = 0.04
    values[2] = [0.13, 0.13, 0.13, 0.13, 0.13, 0.13, 0.15]
    values /= values.sum(1, keepdims=True)
    trace = Trace.of("urban", AXIS, LABELS, values)
    assert "a bee" in {label for _, a, b in trace.flips for label in (a, b)}
    assert "a bee" in {line.name for line in trace_figure(trace, 0.0).data}


def test_figures_fit_both_themes():
    layout = trace_figure(TRACE, 0.0).layout
    assert layout.paper_bgcolor == layout.plot_bgcolor == "rgba(0,0,0,0)"
    assert layout.font.color == "#8a8f98"
    assert layout.xaxis.title.text == "λ of τ urban"
    assert layout.yaxis.range == pytest.approx((0, 101))
