"""Sliders, checkboxes, operations, presets and undo, by mouse and keyboard."""

from __future__ import annotations

import json

import pytest

from tests.support.page_actions import (
    SEEN,
    WATCH,
    box,
    can,
    choose,
    drag,
    hold,
    number,
    slider,
    value,
)
from tests.support.paths import ARTIFACTS
from tests.support.visitor import FORMULA

pytestmark = pytest.mark.browser

MAIN = ("urban", "instruments", "emotion")


def presets():
    entries = json.loads((ARTIFACTS / "tables" / "presets.json").read_text())
    return [(e["title"], e["recipe"]["coefficients"]) for e in entries]


# ---- sliders --------------------------------------------------------------------------------------------------------
def test_formula_and_chart_follow_the_mouse(page):
    page.open({"urban": 0.5})
    page.page.wait_for_function("() => window.taskvec?.state.tasks")
    page.page.evaluate(WATCH)
    hold(page, "urban", 0.5, 0.95)
    while_down = page.page.evaluate(SEEN)
    page.page.mouse.up()
    assert min(while_down) >= 6, while_down
    page.at_rest()
    page.shows({"urban": value(page, "urban")})
    assert page.address == page.formula
    assert page.errors == []


def test_keyboard(page):
    page.open({"urban": 0.5})
    slider(page, "urban").focus()
    for key, expected in [("ArrowRight", 0.51), ("ArrowLeft", 0.5), ("ArrowUp", 0.51), ("End", 1.0), ("Home", 0.0)]:
        page.page.keyboard.press(key)
        page.shows({"urban": expected})
        assert value(page, "urban") == expected
        page.page.wait_for_function(
            "(value) => Number(document.querySelector('#lambda-urban input[type=number]').value) === value",
            arg=expected,
        )
    page.at_rest()
    assert page.address == {}
    assert box(page, "on-urban").is_checked()


def test_number_box(page):
    page.open()
    first = page.formula
    for typed, expected in [("0.37", 0.37), ("1", 1.0), ("0", 0.0)]:
        number(page, "urban").fill(typed)
        number(page, "urban").press("Enter")
        page.shows({**first, "urban": expected})
        assert value(page, "urban") == expected


def test_a_number_outside_the_slider_is_cut_to_it(page):
    page.open({"urban": 0.5})
    for typed, key in (("7", "Tab"), ("-3", "Enter"), ("", "Enter")):
        number(page, "urban").fill(typed)
        number(page, "urban").press(key)
        page.at_rest()
        assert 0 <= value(page, "urban") <= 1, typed
        assert float(number(page, "urban").input_value()) == value(page, "urban"), typed
        page.shows({"urban": value(page, "urban")})
        drag(page, "urban", 0.4, 0.7, 8)  # it still works
        page.at_rest()
        page.shows({"urban": value(page, "urban")})


def test_the_checkbox_switches_a_vector_and_keeps_its_coefficient(page):
    page.open({"urban": 0.42, "instruments": 0.3})
    box(page, "on-urban").uncheck()
    page.shows({"instruments": 0.3})
    assert value(page, "urban") == 0.42
    box(page, "on-urban").check()
    page.shows({"urban": 0.42, "instruments": 0.3})


@pytest.mark.parametrize("how", ["mouse", "keyboard", "number"])
def test_moving_the_slider_of_a_vector_that_is_off_turns_it_on(page, how):
    page.open({"urban": 0.5})
    assert not box(page, "on-emotion").is_checked()
    if how == "mouse":
        drag(page, "emotion", 0.5, 0.8)
    elif how == "keyboard":
        slider(page, "emotion").focus()
        page.page.keyboard.press("ArrowRight")
    else:
        number(page, "emotion").fill("0.66")
        number(page, "emotion").press("Enter")
    page.page.wait_for_function("() => document.querySelector('#on-emotion input').checked")
    page.at_rest()
    page.shows({"urban": 0.5, "emotion": value(page, "emotion")})


# ---- operations -----------------------------------------------------------------------------------------------------
RANGE = "(name) => ['min', 'max', 'value'].map((k) => Number(document.querySelector(`#lambda-${name} input`)[k]))"
TRACK = """(name) => { const row = document.getElementById(`row-${name}`), style = getComputedStyle(row);
  return {off: row.classList.contains("tv-off"), at: style.getPropertyValue("--tv-at"),
    zero: style.getPropertyValue("--tv-zero")}; }"""


def test_the_operations_open_the_halves_of_the_track(page):
    """Addition opens the λ above 0, negation those below; what is closed counts as 0 and comes back with its box."""
    page.open({"urban": 0.5, "instruments": 0.3})
    assert page.page.evaluate(RANGE, "urban") == [0, 1, 0.5]
    box(page, "op-negation").check()
    page.page.wait_for_function("() => document.querySelector('#lambda-urban input[type=range]').min === '-1'")
    assert page.page.evaluate(RANGE, "urban") == [-1, 1, 0.5]
    drag(page, "urban", 0.75, 0.2)  # left of 0: it is taken away
    page.at_rest()
    assert value(page, "urban") < -0.5
    page.shows({"urban": value(page, "urban"), "instruments": 0.3})
    at = value(page, "urban")
    box(page, "op-addition").uncheck()
    page.shows({"urban": at})
    assert page.page.evaluate(RANGE, "instruments") == [-1, 0, 0]
    box(page, "op-addition").check()
    page.shows({"urban": at, "instruments": 0.3})
    box(page, "op-negation").uncheck()
    page.shows({"instruments": 0.3})
    assert page.page.evaluate(RANGE, "urban") == [0, 1, 0]
    box(page, "op-addition").uncheck()  # neither
    page.shows({})
    assert not page.page.locator("#vector-rows").is_visible()
    box(page, "op-addition").check()
    box(page, "op-negation").check()
    page.shows({"urban": at, "instruments": 0.3})
    assert page.errors == []


def test_a_slider_shows_what_is_on(page):
    page.open({"urban": -0.5})
    assert page.page.evaluate(TRACK, "urban") == {"off": False, "at": "25.0%", "zero": "50.0%"}
    assert page.page.evaluate(TRACK, "emotion") == {"off": True, "at": "50.0%", "zero": "50.0%"}
    box(page, "on-emotion").check()  # at λ = 0 it would change nothing
    page.shows({"urban": -0.5, "emotion": 0.5})
    assert page.page.evaluate(TRACK, "emotion") == {"off": False, "at": "75.0%", "zero": "50.0%"}
    box(page, "on-urban").uncheck()
    page.shows({"emotion": 0.5})
    assert page.page.evaluate(TRACK, "urban")["off"]
    box(page, "on-urban").check()
    page.shows({"urban": -0.5, "emotion": 0.5})  # the λ that it had


def test_analogy(page):
    page.open({})
    assert not page.page.locator("#analogy-panel").is_visible()
    box(page, "op-analogy").check()
    page.page.wait_for_selector("#analogy-panel", state="visible")
    a, b, c = (page.page.locator(f"#analogy-{x} input").input_value() for x in "abc")
    coef = value(page, "_analogy")
    page.shows({a: -coef, b: coef, c: coef})
    slider(page, "_analogy").focus()
    page.page.keyboard.press("ArrowRight")
    coef = value(page, "_analogy")
    page.shows({a: -coef, b: coef, c: coef})
    choose(page, "analogy-a", b)
    page.page.wait_for_selector("#formula .tv-message")
    assert "three different task vectors" in page.page.locator("#formula").inner_text()
    other = next(v for v in MAIN if v not in (a, b, c))
    choose(page, "analogy-a", other)
    page.shows({other: -coef, b: coef, c: coef})
    choose(page, "analogy-a", a)
    page.shows({a: -coef, b: coef, c: coef})
    page.at_rest()
    assert page.toasts() == []
    box(page, "op-analogy").uncheck()
    page.shows({})
    page.page.wait_for_selector("#analogy-panel", state="hidden")
    assert page.errors == []


def test_analogy_on_top_of_rows(page):
    page.open({"urban": 0.5})
    box(page, "op-analogy").check()
    page.page.wait_for_selector("#analogy-panel", state="visible")
    choose(page, "analogy-b", "urban")
    a, c = (page.page.locator(f"#analogy-{x} input").input_value() for x in "ac")
    coef = value(page, "_analogy")
    page.shows({"urban": 0.5 + coef, a: -coef, c: coef})


# ---- presets, undo, reset -------------------------------------------------------------------------------------------
def test_stories_undo_and_reset(page):
    page.open()
    past = [page.formula]
    for title, coefficients in presets():
        page.page.get_by_role("button", name=title, exact=True).click()
        page.shows(coefficients)
        page.at_rest()
        pressed = page.page.locator(".tv-story[aria-pressed=true]").all_inner_texts()
        assert pressed == [title]
        if page.formula != past[-1]:
            past.append(page.formula)
            assert page.address == page.formula
    page.page.locator("#reset").click()
    page.shows({})
    page.at_rest()
    for recipe in reversed(past):
        page.page.locator("#undo").click()
        page.shows(recipe)
    assert not can(page, "undo")
    for recipe in [*past[1:], {}]:
        page.page.locator("#redo").click()
        page.shows(recipe)
    assert not can(page, "redo")
    page.at_rest()
    assert page.toasts() == []
    drag(page, "urban", 0.2, 0.9)  # after all this the sliders still count
    page.at_rest()
    assert page.formula["urban"] == value(page, "urban")
    assert page.errors == []


def test_undo_takes_back_one_drag_not_its_steps(page):
    page.open({"urban": 0.5})
    for start, end in [(0.5, 0.8), (0.8, 0.2)]:
        drag(page, "urban", start, end)
        page.at_rest()
    page.shows({"urban": value(page, "urban")})
    page.page.locator("#undo").click()
    page.page.wait_for_function(f"() => Math.abs(({FORMULA})().urban - 0.8) < 0.06")
    page.at_rest()
    page.page.locator("#undo").click()
    page.shows({"urban": 0.5})
    page.at_rest()
    assert not can(page, "undo")  # the page's own recipe was never on this screen
