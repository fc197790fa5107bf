"""What the tab "Your sound" shows of a clip: its picture, the table of answers, the figure along λ."""

from __future__ import annotations

import base64
import io
import json
import re
from html import unescape

import numpy as np
import pytest
from PIL import Image

from taskvec_demo.core.recipe import Recipe
from taskvec_demo.serve.clip_picture import ClipPicture
from taskvec_demo.serve.trace import TRACED_LABELS, Trace
from taskvec_demo.serve.workbench import Classification
from taskvec_demo.ui.html.answers import answers_html, problem_html
from taskvec_demo.ui.html.clip_figure import clip_figure
from taskvec_demo.ui.html.png import PALETTE, png
from taskvec_demo.ui.html.trace_svg import trace_svg
from tests.support.traces import AXIS, LABELS, TRACE, VALUES

BEFORE = {"a <dog>": 0.605, "rain": 0.295, "a siren": 0.1}
AFTER = {"a <dog>": 0.104, "rain": 0.295, "a siren": 0.601}
RECIPE = Recipe("tiny-clap", {"urban": 0.5})


def answers(pinned=None):
    return answers_html(Classification(BEFORE, AFTER, 1, 4.0, ()), RECIPE, pinned)


def rows(html):
    """(label, its cells) of each row."""
    body = html.partition("<tbody>")[2]
    found = re.findall(r"<tr><th scope='row'>(.*?)</th>(.*?)</tr>", body)
    return [
        (unescape(label), re.findall(r"<td[^>]*>(?:<i[^>]*></i>)?(?:<b>)?(.*?)(?:</b>)?</td>", cells))
        for label, cells in found
    ]


def test_labels_are_sorted_by_the_edited_answer_and_changes_add_up():
    shown = [(label, [unescape(c) for c in cells]) for label, cells in rows(answers())]
    assert shown == [
        ("a siren", ["10\u200a%", "60\u200a%", "▲ +50"]),
        ("rain", ["30\u200a%", "30\u200a%", "·"]),
        ("a <dog>", ["61\u200a%", "10\u200a%", "▼ −51"]),
    ]
    assert answers().count("tv-best") == 2


def test_a_pinned_edit_has_a_column_of_its_own():
    html = answers({"a <dog>": 0.2, "rain": 0.7, "a siren": 0.1})
    assert [len(cells) for _, cells in rows(html)] == [4, 4, 4]
    assert "<th scope='col'>pinned</th>" in html
    assert html.count("tv-best") == 3
    assert "pinned" not in answers()


def test_a_problem_is_told_as_text():
    assert problem_html("") == ""
    assert "&lt;b&gt;" in problem_html("The label '<b>' holds no letter.")


def test_a_png_holds_the_pixels():
    pixels = np.arange(256, dtype=np.uint8).reshape(8, 32)
    image = Image.open(io.BytesIO(png(pixels)))
    assert image.size == (32, 8)
    assert np.array_equal(np.array(image), pixels)
    assert np.array_equal(np.array(image.convert("RGB")).reshape(-1, 3), PALETTE)
    brightness = PALETTE.astype(float) @ [0.299, 0.587, 0.114]
    assert (np.diff(brightness) > -1).all()
    assert brightness[-1] > brightness[0] + 100


def test_the_picture_of_a_clip():
    mel = np.zeros((4, 10), np.uint8)
    mel[0] = 255  # the lowest band is at the bottom
    found = ClipPicture(5.1, np.full(10, -0.5), np.full(10, 0.5), mel, 1.7, (), (50.0, 8000.0))
    html = clip_figure(found, "a <clip>")
    assert "a &lt;clip&gt;" in html
    assert "8 kHz" in html
    assert "50 Hz" in html
    data = re.search(r"href='data:image/png;base64,([^']*)'", html)[1]
    assert np.array(Image.open(io.BytesIO(base64.b64decode(data))))[-1].tolist() == [255] * 10
    assert "tv-veil" in html
    whole = ClipPicture(5.1, found.low, found.high, mel, 5.1, (2.0,), found.band)
    assert "tv-veil" not in clip_figure(whole, "")
    assert clip_figure(whole, "").count("class='tv-cut'") == 1


# ---- the clip along λ -----------------------------------------------------------------------------------------------
def test_a_trace_draws_its_leading_labels_and_flips():
    html = trace_svg(TRACE, 0.5)
    data = json.loads(unescape(re.search(r"data-trace='([^']*)'", html)[1]))
    assert TRACE.leading == list(LABELS[:TRACED_LABELS])
    assert data["lambdas"] == AXIS.tolist()
    assert np.allclose(data["values"], VALUES[:, :TRACED_LABELS].T)
    assert html.count("<path ") == TRACED_LABELS
    assert [unescape(t) for t in re.findall(r"rotate\(-90 [^>]*>([^<]*→[^<]*)<", html)] == [
        "rain → a dog",
        "a dog → a <cello>",
    ]
    legend = html.partition("<svg")[0]
    assert [int(p) for p in re.findall(r"<b>(\d+) %</b>", legend)] == [10, 60, 20, 4, 3]


@pytest.mark.parametrize("current", [-1.0, 0.3, 1.0, 1.7])
def test_the_mark_stands_at_the_current_value(current):
    html = trace_svg(TRACE, current)
    frame = json.loads(unescape(re.search(r"data-trace='([^']*)'", html)[1]))["frame"]
    share = (min(current, 1.0) + 1) / 2
    x = float(re.search(r"class='tv-operating' x1='([\d.]+)'", html)[1])
    assert x == pytest.approx(frame["left"] + share * (frame["right"] - frame["left"]), abs=0.1)


def test_a_label_on_top_is_drawn_even_when_its_peak_is_not_among_the_highest():
    values = np.full((4, 7), 0.16)
    values[:, 6] = 0.04
    values[2] = [0.13, 0.13, 0.13, 0.13, 0.13, 0.13, 0.15]
    values /= values.sum(1, keepdims=True)
    assert "a bee" in Trace.of("urban", AXIS, LABELS, values).leading
