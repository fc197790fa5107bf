"""The band under each slider, and the curves of the tab "Along λ"."""

from __future__ import annotations

import re

import pytest

from taskvec_demo.core.surface import LogitSurface
from tests.support.page_actions import BAND, READ_TILES, box, drag, slider, tab, tabs, value
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
    assert page.page.locator("#safe-legend").is_visible()


def test_the_band_follows_the_other_sliders_and_the_negation(page):
    page.open({"emotion": -0.05, "instruments": -0.5})  # to forget both costs the control more than it may
    page.page.wait_for_function(f"() => ({BAND})('instruments') !== 'none'")
    page.at_rest()
    bands = {name: page.page.evaluate(BAND, name) for name in ("emotion", "instruments")}
    slider(page, "emotion").focus()
    page.page.keyboard.press("End")
    page.page.wait_for_function(f"(old) => ({BAND})('instruments') !== old", arg=bands["instruments"])
    page.at_rest()
    assert page.page.evaluate(BAND, "emotion") == bands["emotion"]  # its own λ does not move its own band
    bands["instruments"] = page.page.evaluate(BAND, "instruments")
    box(page, "op-addition").check()
    page.page.wait_for_selector("#negate-emotion", state="visible")
    box(page, "negate-emotion").uncheck()
    page.page.wait_for_function(f"(old) => ({BAND})('instruments') !== old", arg=bands["instruments"])
    assert page.errors == []


# ---- the curve ------------------------------------------------------------------------------------------------------
def test_the_curves_and_their_operating_point(page):
    page.open({"urban": 0.4})
    tab(page, "Along λ")
    page.page.wait_for_function("() => document.querySelectorAll('#curve path[d]').length > 3")
    page.at_rest()
    assert page.page.locator("#curve .tv-measured").count() > 5  # alone: measured points are shown
    operating = "() => Number(document.querySelector('#curve .tv-operating').getAttribute('x1'))"
    paths = "() => [...document.querySelectorAll('#curve path')].map((p) => p.getAttribute('d')).join()"
    before, lines = page.page.evaluate(operating), page.page.evaluate(paths)
    drag(page, "urban", 0.4, 0.8)
    page.at_rest()
    assert page.page.evaluate(operating) > before + 20
    assert page.page.evaluate(paths) == lines  # along its own axis nothing else changes
    assert f"λ = {value(page, 'urban'):.2f}, as set" in page.page.locator("#curve").inner_text()
    tiles = page.page.evaluate(READ_TILES)
    entries = page.page.locator("#curve .tv-curve-entry b").all_inner_texts()
    assert len(entries) == len(tiles)
    drag(page, "instruments", 0.5, 0.9)
    page.page.wait_for_function(f"(old) => ({paths})() !== old", arg=lines)
    assert page.page.locator("#curve .tv-measured").count() == 0
    page.page.locator("#axis input").click()
    page.page.get_by_role("option", name="instruments", exact=True).click()
    page.page.wait_for_function("() => document.querySelector('#curve svg').textContent.includes('τ instruments')")
    page.at_rest()
    other = page.page.evaluate(paths)
    tab(page, tabs(page)[0])
    drag(page, "urban", 0.8, 0.2)
    page.at_rest()
    tab(page, "Along λ")  # back again: redrawn for what was changed meanwhile
    page.page.wait_for_function(f"(old) => ({paths})() !== old", arg=other)
    assert page.errors == []


def test_the_pointer_reads_the_curves(page):
    page.open({"urban": 0.4})
    tab(page, "Along λ")
    page.page.wait_for_function("() => document.querySelectorAll('#curve path[d]').length > 3")
    area = page.page.locator("#curve svg").bounding_box()
    page.page.mouse.move(area["x"] + 60, area["y"] + area["height"] / 2)
    page.page.wait_for_function("() => /λ = −(1|0\\.9)/.test(document.querySelector('.tv-curve-at').textContent)")
    page.page.mouse.move(area["x"] + 60, area["y"] - 60)
    page.page.wait_for_function("() => document.querySelector('.tv-curve-at').textContent === 'λ = 0.40, as set'")
