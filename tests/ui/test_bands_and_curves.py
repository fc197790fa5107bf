"""The band under each slider, and the curves below the bars."""

from __future__ import annotations

import itertools
import re

import pytest

from taskvec_demo.core.surface import LogitSurface
from tests.support.page_actions import BAND, READ_TILES, box, drag, slider, value
from tests.support.paths import ARTIFACTS

pytestmark = pytest.mark.browser


# ---- the safe region ------------------------------------------------------------------------------------------------
def test_the_band_marks_where_the_control_keeps_its_accuracy(page):
    page.open({"urban": 0.3})
    page.page.wait_for_function(f"() => ({BAND})('urban') !== 'none'")
    page.at_rest()
    safe = page.page.evaluate("""() => {
      const control = window.taskvec.state.tasks.find(({task}) => task.role === "control");
      return {name: control.task.name, kept: control.task.controlKept};
    }""")
    surface = LogitSurface.load(ARTIFACTS / "surfaces" / f"{safe['name']}.validation.safetensors")
    before = (surface.measured({}) == surface.labels).mean()

    def holds(x):
        recipe = {"urban": x} if x else {}
        predicted = surface.measured(recipe)
        predicted = surface.logits(recipe).argmax(-1) if predicted is None else predicted
        return (predicted == surface.labels).mean() >= safe["kept"] * before

    expected = [holds(round(i / 40, 4)) for i in range(41)]
    stops = page.page.evaluate(BAND, "urban")
    edges = [float(x) for x in re.findall(r"([\d.]+)%", stops)]
    changes = [i for i in range(1, 41) if expected[i] != expected[i - 1]]
    assert edges[1:-1:2] == pytest.approx([100 * (i - 0.5) / 40 for i in changes], abs=0.06)
    assert edges[0] == 0
    assert edges[-1] == 100
    assert page.page.locator("#rows-head .tv-safe").is_visible()


def test_the_band_follows_the_other_sliders_and_the_negation(page):
    page.open({"urban": -0.05, "kitchen": -0.5})  # to forget both costs the control more than it may
    page.page.wait_for_function(f"() => ({BAND})('kitchen') !== 'none'")
    page.at_rest()
    bands = {name: page.page.evaluate(BAND, name) for name in ("urban", "kitchen")}
    slider(page, "urban").focus()
    page.page.keyboard.press("Home")
    page.page.wait_for_function(f"(old) => ({BAND})('kitchen') !== old", arg=bands["kitchen"])
    page.at_rest()
    assert page.page.evaluate(BAND, "urban") == bands["urban"]  # its own λ does not move its own band
    bands["kitchen"] = page.page.evaluate(BAND, "kitchen")
    page.page.keyboard.press("End")
    page.page.wait_for_function(f"(old) => ({BAND})('kitchen') !== old", arg=bands["kitchen"])
    assert page.errors == []


# ---- the curve ------------------------------------------------------------------------------------------------------
OPERATING = "() => Number(document.querySelector('#curve .tv-operating').getAttribute('x1'))"
PATHS = "() => [...document.querySelectorAll('#curve path')].map((p) => p.getAttribute('d')).join()"
ENDS = """() => [...document.querySelectorAll("#curve .tv-names text")].map((name) => {
  const {left, right, top} = name.getBoundingClientRect();
  const [lines, svg] = ["#curve .tv-grid", "#curve svg"].map((part) => document.querySelector(part));
  return {text: name.textContent, left, right, top, ink: getComputedStyle(name).fill,
    edge: svg.getBoundingClientRect().right, lineEnds: lines.getBoundingClientRect().right};
})"""
TITLE = "(text) => document.querySelector('#curve h3').textContent.startsWith(text)"


def test_the_curves_follow_the_slider_that_was_touched_last(page):
    page.open({"urban": 0.4, "instruments": 0.5})
    drag(page, "urban", 0.4, 0.5)
    page.page.wait_for_function(TITLE, arg="Along λ: τ urban")
    page.page.wait_for_function("() => document.querySelectorAll('#curve path[d]').length > 3")
    page.at_rest()
    assert page.page.locator("#curve .tv-measured").count() == 0  # another vector is on
    before, lines = page.page.evaluate(OPERATING), page.page.evaluate(PATHS)
    drag(page, "urban", 0.5, 0.8)
    page.at_rest()
    assert page.page.evaluate(OPERATING) > before + 20
    assert page.page.evaluate(PATHS) == lines  # along its own way nothing else changes
    assert page.page.locator("#curve .tv-line").count() == len(page.page.evaluate(READ_TILES))
    drag(page, "instruments", 0.5, 0.9)
    page.page.wait_for_function(TITLE, arg="Along λ: τ instruments")
    page.page.wait_for_function(f"(old) => ({PATHS})() !== old", arg=lines)
    tasks = page.page.evaluate("taskvec.state.live.tasks")
    names = {"control" if task["role"] == "control" else task["name"]: task["name"] for task in tasks}
    ends = page.page.evaluate(ENDS)
    assert {names[end["text"]] for end in ends} == page.page.evaluate(READ_TILES).keys()
    for end in ends:
        assert end["ink"] != "rgb(0, 0, 0)"
        assert end["left"] > end["lineEnds"]  # beside the curve, which it does not cover
        assert end["right"] <= end["edge"]
    tops = sorted(end["top"] for end in ends)
    assert min(b - a for a, b in itertools.pairwise(tops)) >= 12  # no name lies over another
    box(page, "on-urban").uncheck()  # alone: measured points are shown
    page.page.wait_for_function("() => document.querySelectorAll('#curve .tv-measured').length > 5")
    assert page.errors == []


def test_dragging_in_the_curves_is_dragging_the_slider(page):
    page.open({"urban": 0.4})
    slider(page, "urban").focus()
    page.page.keyboard.press("ArrowRight")
    page.page.wait_for_function(TITLE, arg="Along λ: τ urban")
    page.at_rest()
    area = page.page.locator("#curve svg").bounding_box()
    y = area["y"] + area["height"] / 2
    before = value(page, "urban")
    page.page.mouse.click(area["x"] + area["width"] * 0.7, y, button="right")  # a menu is asked for, and no edit
    page.page.mouse.move(area["x"] + area["width"] * 0.3, y)
    assert value(page, "urban") == before
    page.page.mouse.down()
    page.page.mouse.move(area["x"] + area["width"] * 0.9, y, steps=8)
    assert page.page.evaluate("document.querySelector('#chart [aria-busy]') !== null")  # it waits for the release
    page.page.mouse.up()
    page.at_rest()
    assert value(page, "urban") > 0.8
    page.shows({"urban": value(page, "urban")})
    assert page.address == {"urban": value(page, "urban")}


def test_a_vector_that_is_off_has_its_points_at_zero_and_the_curves_leave_an_analogy_that_is_off(page):
    handle = "() => Number(document.querySelector('#curve .tv-handle').getAttribute('cx'))"
    page.open({"urban": 0.5})
    drag(page, "urban", 0.5, 0.6)
    page.at_rest()
    moved = page.page.evaluate(handle)
    box(page, "on-urban").uncheck()
    page.shows({})
    page.page.wait_for_function(f"(moved) => ({handle})() < moved", arg=moved)
    box(page, "on-urban").check()
    box(page, "op-analogy").check()
    page.page.wait_for_selector("#analogy-panel", state="visible")
    page.at_rest()
    drag(page, "_analogy", 0.5, 0.6)
    page.page.wait_for_function(TITLE, arg="Along λ: the analogy")
    page.at_rest()
    box(page, "op-analogy").uncheck()
    page.page.wait_for_function(TITLE, arg="Along λ: τ urban")
    assert page.errors == []
