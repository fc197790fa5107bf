"""The page as a visitor uses it: mouse, keyboard, files, microphone, phone. Every wait is for a condition.

The artifacts may be random or real, so nothing here asserts an accuracy or a label: only what must follow from what.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile

from taskvec_demo.lab.data.synth import synthesize
from tests.support.app_server import SITECUSTOMIZE, starting_app
from tests.support.page_actions import (
    READ_LABELS,
    SEEN,
    WATCH,
    box,
    changed,
    choose,
    clear,
    complete,
    difference,
    drag,
    labels_of,
    number,
    one_sentence,
    slider,
    steps,
    tab,
    tabs,
    upload,
    value,
)
from tests.support.paths import ARTIFACTS
from tests.support.visitor import FORMULA, PATIENCE, Visitor

pytestmark = pytest.mark.browser

MAIN = ("urban", "instruments", "emotion")
SOUND = "Your sound"  # the tab
CONTRAST = """(selector) => {
  const context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const over = (colour, below) => {
    context.fillStyle = `rgb(${below})`; context.fillRect(0, 0, 1, 1);
    context.fillStyle = colour; context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const luminance = (c) => c.map((x) => x / 255).map((x) => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4))
    .reduce((sum, x, i) => sum + x * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (e) => {
    const chain = [];
    for (; e; e = e.parentElement) chain.unshift(getComputedStyle(e).backgroundColor);
    return chain.reduce((below, colour) => over(colour, below), [255, 255, 255]);
  };
  const found = {};
  for (const e of document.querySelectorAll(selector)) {
    if (!e.offsetParent || ![...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())) continue;
    const ground = behind(e);
    const [a, b] = [luminance(over(getComputedStyle(e).color, ground)), luminance(ground)].sort((x, y) => y - x);
    const name = e.className || `${e.parentElement.className} ${e.localName}`;
    found[name] = Math.min(found[name] ?? 99, (a + 0.05) / (b + 0.05));
  }
  return found;
}"""


def presets():
    entries = json.loads((ARTIFACTS / "tables" / "presets.json").read_text())
    return [(e["title"], e["recipe"]["coefficients"]) for e in entries]


@pytest.fixture(scope="module", autouse=True)
def logged_before(server):
    """How much the app had logged before this module's visitors: refused attacks of the API's tests are in there."""
    return len(server.log)


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """A wav and an mp3 of one synthesized siren."""
    folder = tmp_path_factory.mktemp("recordings")
    sound = synthesize("urban", "siren", seed=5)
    for kind in ("wav", "mp3"):
        soundfile.write(folder / f"siren.{kind}", sound, 16_000)
    return folder


# ---- opening the page -----------------------------------------------------------------------------------------------
def test_the_page_opens_with_bars_and_without_complaints(page):
    began = time.monotonic()
    page.page.goto(page.server.url)
    page.page.wait_for_selector("#chart .tv-row .tv-ed", timeout=20_000)
    assert time.monotonic() - began < 20  # 1 s on a quiet machine
    assert page.page.locator("#chart .tv-tile").count() >= 4
    assert page.page.locator("#chart .tv-row").count() > 30
    page.at_rest()
    assert page.formula == page.chart != {}
    assert page.page.locator("#chart .tv-badge").count() == 1
    assert page.errors == []


def test_who_comes_before_the_model_is_open_loses_nothing(browser, tmp_path):
    with starting_app(tmp_path) as server:
        context = browser.new_context()
        early = Visitor(context.new_page(), server)
        early.page.set_default_timeout(4 * PATIENCE)
        early.page.goto(server.url)
        early.page.wait_for_selector("#chart .tv-ed")
        number(early, "urban").fill("0.37")
        number(early, "urban").press("Enter")
        tab(early, SOUND)
        early.page.wait_for_selector("#pretrained .confidence-set")
        early.page.wait_for_selector("#edited .confidence-set")
        early.at_rest()
        assert early.chart["urban"] == early.formula["urban"] == 0.37
        assert early.page.evaluate(READ_LABELS, "edited") != early.page.evaluate(READ_LABELS, "pretrained")
        assert early.errors == []
        assert early.toasts() == []
        assert "Traceback" not in server.log
        context.close()


def test_every_tab_has_content(page):
    page.open()
    assert len(tabs(page)) == 6
    assert SOUND in tabs(page)
    for name in tabs(page):
        tab(page, name)
        panel = page.page.locator("[role=tabpanel]:visible")
        panel.wait_for()
        page.page.wait_for_function(
            "() => [...document.querySelectorAll('[role=tabpanel]')].filter((e) => e.offsetParent).some("
            "(e) => e.querySelector('#curve') ? e.querySelector('#curve path[d]') : e.innerText.trim().length > 40)"
        )
    assert page.page.locator("#formula").is_visible()
    assert page.errors == []


# ---- sliders --------------------------------------------------------------------------------------------------------
def test_formula_and_chart_follow_the_mouse(page):
    page.open({"urban": 0.5})
    page.page.evaluate(WATCH)
    began = time.monotonic()
    for _ in steps(page, "urban", 0.5, 0.95):
        page.page.wait_for_timeout(16)
    i = 0
    while min(page.page.evaluate("() => [window.seen.formula.size, window.seen.chart.size]")) < 6:
        assert time.monotonic() - began < 60  # a loaded machine may need more than the 25 steps
        area = slider(page, "urban").bounding_box()
        i += 1
        page.page.mouse.move(area["x"] + area["width"] * (0.3 + 0.01 * (i % 40)), area["y"] + area["height"] / 2)
        page.page.wait_for_timeout(16)
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
        assert float(number(page, "urban").input_value()) == expected
    page.at_rest()
    assert page.address == {}
    assert box(page, "on-urban").is_checked()


def test_number_box_and_reset_button(page):
    page.open()
    first, at_start = page.formula, value(page, "urban")
    for typed, expected in [("0.37", 0.37), ("1", 1.0), ("0", 0.0)]:
        number(page, "urban").fill(typed)
        number(page, "urban").press("Enter")
        page.shows({**first, "urban": expected})
        assert value(page, "urban") == expected
    page.page.locator("#lambda-urban [data-testid=reset-button]").click()
    page.shows({**first, "urban": at_start})


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
def test_addition_and_negation(page):
    page.open({"urban": 0.5, "instruments": 0.3})
    assert not page.page.locator("#negate-urban").is_visible()
    box(page, "op-negation").check()  # both: the boxes decide
    page.page.wait_for_selector("#negate-urban", state="visible")
    page.shows({"urban": 0.5, "instruments": 0.3})
    box(page, "negate-urban").check()
    page.shows({"urban": -0.5, "instruments": 0.3})
    assert "− 0.50 τurban" in page.page.locator("#formula").inner_text().replace("\n", "")
    box(page, "op-addition").uncheck()  # negation alone subtracts whatever is on
    page.shows({"urban": -0.5, "instruments": -0.3})
    page.page.wait_for_function("() => document.querySelector('#negate-instruments input').disabled")
    assert all(box(page, f"negate-{name}").is_checked() for name in MAIN)
    box(page, "op-addition").check()
    page.page.wait_for_function("() => !document.querySelector('#negate-instruments input').disabled")
    page.at_rest()
    page.shows({"urban": -0.5, "instruments": -0.3})  # as the boxes say
    box(page, "negate-instruments").uncheck()
    page.shows({"urban": -0.5, "instruments": 0.3})
    box(page, "op-negation").uncheck()
    page.shows({"urban": 0.5, "instruments": 0.3})
    page.page.wait_for_selector("#negate-urban", state="hidden")
    box(page, "op-addition").uncheck()  # neither
    page.shows({})
    box(page, "op-addition").check()
    page.shows({"urban": 0.5, "instruments": 0.3})
    assert page.errors == []


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


# ---- presets, undo, reset, address ----------------------------------------------------------------------------------
def test_presets_undo_and_reset(page):
    page.open()
    past = [page.formula]
    for title, coefficients in presets():
        page.page.get_by_role("button", name=title, exact=True).click()
        page.shows(coefficients)
        page.at_rest()
        assert page.address == page.formula
        if page.formula != past[-1]:
            past.append(page.formula)
    page.page.locator("#reset").click()
    page.shows({})
    page.at_rest()
    for recipe in reversed(past):
        page.page.locator("#undo").click()
        page.shows(recipe)
    page.at_rest()
    assert page.toasts() == []
    page.page.locator("#undo").click()
    assert "Nothing to undo" in page.toast()
    assert page.formula == past[0]
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
    page.page.locator("#undo").click()
    assert "Nothing to undo" in page.toast()  # the page's own recipe was never on this screen
    assert page.formula == {"urban": 0.5}


@pytest.mark.parametrize(
    "recipe",
    [
        {"urban": 0.25, "emotion": -0.6},
        {"urban": 0.5, "female_happy": -0.4, "male_sad": 0.4, "female_sad": 0.4},
        {},
    ],
)
def test_the_address_carries_the_recipe(page, new_visitor, recipe):
    page.open(recipe)
    assert page.address == recipe
    page.page.reload()
    page.at_rest()
    page.shows(recipe)
    if recipe:
        name = next(iter(recipe))
        if name in MAIN:
            slider(page, name).focus()
            page.page.keyboard.press("ArrowLeft")
            page.at_rest()
            page.page.wait_for_function("(old) => location.search !== old", arg=page.page.url.partition("?")[1])
    other = new_visitor()
    other.page.goto(page.page.url)
    other.page.wait_for_selector("#chart .tv-row", state="attached")
    other.shows(page.formula)
    assert page.toasts() == other.toasts() == []


BAD_QUERIES = (
    "ckpt=tiny-clap&urban=9",
    "ckpt=tiny-clap&urban=nan",
    "ckpt=another-model&urban=0.5",
    "ckpt=tiny-clap&urban=0.5&pt=" + 64 * "0",
    "ckpt=tiny-clap&urban=0.5&rule=magic",
    "ckpt=%3Cimg%20src%3Dx%20onerror%3D%22window.hacked%3D1%22%3E",
    "ckpt=",
)


def test_a_bad_recipe_in_the_address_gives_a_sentence_and_the_default_page(page, new_visitor):
    page.open()
    other = new_visitor()
    for query in BAD_QUERIES:
        other.page.goto(f"{page.server.url}?{query}")
        text = other.toast()
        assert "link's recipe was not used" in text, query
        assert one_sentence(text), query
        other.at_rest()
        other.shows(page.formula)
        assert other.page.evaluate("window.hacked") is None


# ---- the visitor's own sound ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["wav", "mp3"])
def test_upload(page, recording, kind):
    page.open({"urban": 0.5})
    tab(page, SOUND)
    clear(page)
    empty = difference(page)
    page.page.locator("#clip input[type=file]").set_input_files(str(recording / f"siren.{kind}"))
    first = changed(page, empty)
    assert complete(first), first
    assert "%" in difference(page)
    assert "4.0 s, 1 window" in difference(page) or kind == "mp3"
    said = difference(page)
    drag(page, "urban", 0.5, 0.95)
    second = changed(page, said)
    assert second["pretrained"] == first["pretrained"]
    assert second["edited"] != first["edited"]
    page.page.locator("#reset").click()
    page.shows({})
    third = changed(page, difference(page)) if "same" not in difference(page) else labels_of(page)
    assert third["edited"] == third["pretrained"] == first["pretrained"]
    assert "both models are the same" in difference(page)
    assert page.toasts() == []
    assert page.errors == []


def test_example(page):
    page.open({"urban": 0.5})
    tab(page, SOUND)
    before, said = labels_of(page), difference(page)
    assert complete(before), "the page opens with the answers for its first example"
    page.page.locator("button.gallery-item", has_text="siren").click()
    after = changed(page, said)
    assert complete(after)
    assert after["pretrained"] != before["pretrained"]


def test_a_bad_recording_gives_one_sentence_and_leaves_the_answers(page, tmp_path, recording):
    page.open({"urban": 0.5})
    tab(page, SOUND)
    for kind in ("text", "empty", "silence", "short"):
        path = tmp_path / f"my {kind} sound.wav"
        if kind == "text":
            path.write_text("this is a shopping list, not a recording\n" * 50)
        elif kind == "empty":
            path.write_bytes(b"")
        else:
            soundfile.write(path, np.zeros(32_000) if kind == "silence" else synthesize("urban", "siren")[:800], 16_000)
        upload(page, path)
        text = page.toast()
        assert kind in text
        assert one_sentence(text)
        page.at_rest()
        assert complete(labels_of(page)) or labels_of(page) == {"pretrained": {}, "edited": {}}, kind
        assert page.formula == {"urban": 0.5}
    said = difference(page)
    upload(page, recording / "siren.wav")  # the next recording is taken
    assert complete(changed(page, said))


def test_microphone(new_visitor):
    visitor = new_visitor(permissions=["microphone"])
    visitor.open({"urban": 0.5})
    tab(visitor, SOUND)
    clear(visitor)
    empty = difference(visitor)
    visitor.page.locator("#clip button[aria-label='Record audio']").click()
    visitor.page.locator("#clip .record-button").first.click()
    visitor.page.locator("#clip .stop-button").first.wait_for(state="visible")
    visitor.page.wait_for_timeout(2500)  # the length of the recording: the made-up microphone beeps once a second
    visitor.page.locator("#clip .stop-button").first.click()
    assert complete(changed(visitor, empty)), visitor.toasts()


def test_own_labels(page):
    page.open({"urban": 0.5})
    tab(page, SOUND)
    before, said = labels_of(page), difference(page)
    page.page.locator("#labels textarea").fill("puppy, downpour")
    after = changed(page, said)
    assert set(after["pretrained"]) == set(after["edited"]) == {"puppy", "downpour"}
    page.page.locator("#labels textarea").fill("puppy")
    text = page.toast()
    assert one_sentence(text)
    assert "puppy" in text
    page.at_rest()
    assert labels_of(page) == after
    page.page.locator("#labels textarea").fill("")
    page.page.wait_for_function("() => document.querySelectorAll('#edited .confidence-set').length > 2")
    page.at_rest()
    assert labels_of(page) == before


def test_typing_labels_does_not_raise_a_toast_at_every_letter(page):
    page.open({"urban": 0.5})
    tab(page, SOUND)
    page.page.locator("#labels textarea").fill("")
    page.at_rest()
    page.page.locator("#labels textarea").press_sequentially("puppy, downpour", delay=120)
    page.at_rest()
    page.page.locator("#classify").click()
    page.page.wait_for_function("() => document.querySelectorAll('#edited .confidence-set').length === 2")
    page.at_rest()
    assert set(labels_of(page)["edited"]) == {"puppy", "downpour"}
    assert len(page.toasts()) <= 1


def test_labels_are_text_not_markup(page):
    page.open({"urban": 0.5})
    tab(page, SOUND)
    said = difference(page)
    page.page.locator("#labels textarea").fill("<img src=x onerror='window.hacked=1'>, <b>rain</b>")
    after = changed(page, said)
    assert "<b>rain</b>" in after["edited"]
    page.page.locator("#labels textarea").fill("<img src=x onerror='window.hacked=1'>")
    page.toast()
    assert page.page.evaluate("window.hacked") is None


def test_label_set(page):
    page.open({"urban": 0.5})
    tab(page, SOUND)
    said = difference(page)
    chosen = page.page.locator("#labels textarea").input_value()
    page.page.locator("#label-set input").click()
    page.page.get_by_role("option").nth(1).click()
    after = changed(page, said)
    labels = page.page.locator("#labels textarea").input_value()
    assert labels != chosen
    assert set(after["edited"]) <= set(labels.split(", "))


# ---- exact figures, the clip along λ ---------------------------------------------------------------------------------
EXACT = """() => { const f = document.querySelector("#exact .tv-measured"); return {
  recipe: f.dataset.query, done: Number(f.dataset.done), total: f.querySelector("progress").max,
  stale: f.classList.contains("tv-stale"), height: f.offsetHeight, text: f.innerText}; }"""
MEASURED = f"""(query) => {{ const now = ({EXACT})();
  return now.recipe === query && now.done === now.total && !now.stale; }}"""


def test_exact_figures_end_on_the_last_of_quick_changes(page):
    page.open({"urban": 0.5})
    page.page.wait_for_function(MEASURED, arg="ckpt=tiny-clap&urban=0.5")
    before = page.page.evaluate(EXACT)
    page.page.evaluate(
        f"""() => {{ window.runs = []; new MutationObserver(() => window.runs.push(({EXACT})())).observe(
        document.querySelector("#exact .tv-measured"), {{attributeFilter: ["data-query", "data-done", "class"]}}); }}"""
    )
    for typed in ("0.41", "0.42", "0.43"):
        number(page, "urban").fill(typed)
        number(page, "urban").press("Enter")
        page.page.wait_for_timeout(300)  # just at rest: the server is asked, then the recipe changes
    page.at_rest()
    page.page.wait_for_function(MEASURED, arg="ckpt=tiny-clap&urban=0.43")
    runs = page.page.evaluate("window.runs")
    assert runs[0]["stale"]
    assert runs[0]["text"] == before["text"]  # greyed, not blank
    assert {run["height"] for run in runs} == {before["height"]}  # nothing jumps
    order = [run["recipe"] for run in runs]
    assert order == sorted(order, key=lambda r: -1 if r.endswith("0.5") else float(r[-4:])), "an older run came back"
    assert page.page.evaluate(EXACT)["text"] != before["text"]
    assert page.errors == []


def test_figures_turn_stale_once_a_drag_and_a_step_is_drawn_by_its_frame(page):
    page.page.add_init_script(  # before the page's own listeners
        "addEventListener('input', (event) => { window.inStep = event.isTrusted; }, true)"
    )
    page.open({"urban": 0.5})
    page.page.wait_for_function(MEASURED, arg="ckpt=tiny-clap&urban=0.5")
    page.page.evaluate(
        """() => {
        window.counted = { turned: [], drawn: 0, inStep: 0 };
        const figures = document.querySelector("#exact .tv-measured");
        new MutationObserver(() => counted.turned.push(figures.classList.contains("tv-stale"))).observe(
          figures, { attributeFilter: ["class"] });
        addEventListener("input", () => { window.inStep = false; }, true);
        taskvec.follow(() => { counted.drawn++; counted.inStep += Number(window.inStep ?? false); }); }"""
    )
    area = slider(page, "urban").bounding_box()
    for _ in steps(page, "urban", 0.5, 0.7, 8):
        page.page.wait_for_timeout(16)
    for share in [0.6, 0.5, 0.4, 0.5, 0.6] * 2:  # through the measured λ and out again, in one drag
        page.page.mouse.move(area["x"] + area["width"] * share, area["y"] + area["height"] / 2)
        page.page.wait_for_timeout(50)
    counted = page.page.evaluate("counted")
    page.page.mouse.up()
    assert counted["turned"] == [True]
    assert counted["drawn"] > 6
    assert counted["inStep"] == 0
    page.at_rest()
    page.page.wait_for_function(MEASURED, arg=f"ckpt=tiny-clap&urban={value(page, 'urban'):g}")


def test_what_a_visitor_opened_stays_open(page):
    page.open({"urban": 0.5})
    page.page.wait_for_function(MEASURED, arg="ckpt=tiny-clap&urban=0.5")
    page.page.locator("#exact summary").first.click()
    page.page.wait_for_selector("#exact details[open] .tv-row")
    number(page, "urban").fill("0.44")
    number(page, "urban").press("Enter")
    page.page.wait_for_function(MEASURED, arg="ckpt=tiny-clap&urban=0.44")
    assert page.page.locator("#exact details[open]").count() == 1
    page.page.locator("#exact summary").first.click()
    number(page, "urban").fill("0.45")
    number(page, "urban").press("Enter")
    page.page.wait_for_function(MEASURED, arg="ckpt=tiny-clap&urban=0.45")
    assert page.page.locator("#exact details[open]").count() == 0


def test_the_clip_along_a_vector(page):
    page.open({"urban": 0.5})
    flips = page.page.locator("#flips")
    tab(page, SOUND)
    page.page.wait_for_selector("#trace .js-plotly-plot")
    assert re.search(r"^Along λ urban your clip (turns from|stays) “.+”", flips.inner_text())
    choose(page, "along", "emotion")
    page.page.wait_for_function("() => document.querySelector('#flips').innerText.startsWith('Along λ emotion')")
    page.at_rest()
    clear(page)
    page.page.wait_for_selector("#trace", state="hidden")
    assert flips.inner_text().startswith("With a clip")
    assert page.errors == []


# ---- two visitors, sweep --------------------------------------------------------------------------------------------
def test_two_visitors_at_once(new_visitor):
    one, two = new_visitor(), new_visitor()
    one.open({"urban": 0.5})
    two.open({"instruments": 0.5})
    for visitor in (one, two):
        tab(visitor, SOUND)
    alone = labels_of(two)
    for ends in ((0.6, 0.4), (0.8, 0.2)):
        moves = [steps(one, "urban", 0.5, ends[0], 12), steps(two, "instruments", 0.5, ends[1], 12)]
        for _ in zip(*moves, strict=True):
            one.page.wait_for_timeout(8)
        for visitor in (one, two):
            visitor.page.mouse.up()
        for visitor, name in ((one, "urban"), (two, "instruments")):
            visitor.at_rest()
            visitor.shows({name: value(visitor, name)})
            assert visitor.address == visitor.formula
    number(two, "instruments").fill("0.5")
    number(two, "instruments").press("Enter")
    two.shows({"instruments": 0.5})
    two.at_rest()
    assert labels_of(two) == alone, "the answers of one visitor depend on what another does"
    assert one.formula == {"urban": value(one, "urban")}
    assert labels_of(one)["edited"] != alone["edited"]
    assert labels_of(one)["pretrained"] == alone["pretrained"]


def test_the_sweep_ends_where_it_began(page):
    page.open({"urban": 0.4, "instruments": 0.2})
    page.page.evaluate(WATCH)
    page.page.locator("#play").click()
    page.page.wait_for_function("() => window.seen.formula.size > 3")
    page.page.wait_for_function(
        """() => {
        const s = document.querySelector("#lambda-urban input[type=range]");
        window.still = window.still ?? {};
        if (s.value !== window.still.value) window.still = {value: s.value, since: performance.now()};
        return performance.now() - window.still.since > 1500; }"""
    )
    page.at_rest()
    page.shows({"urban": 0.4, "instruments": 0.2})
    assert min(page.page.evaluate(SEEN)) > 3
    assert value(page, "urban") == 0.4


def test_a_key_stops_the_sweep(page):
    page.open({"urban": 0.4})
    page.page.evaluate(WATCH)
    page.page.locator("#play").click()
    page.page.wait_for_function("() => window.seen.formula.size > 3")
    page.page.keyboard.press("Escape")
    at = value(page, "urban")
    page.at_rest()
    assert value(page, "urban") == at
    page.shows({"urban": at})


# ---- phone, dark, accessibility -------------------------------------------------------------------------------------
# Text and tables of few columns that one would have to scroll sideways for.
BEYOND_THE_EDGE = """() => [...document.querySelectorAll('.tv-stacks, .tv-lead')]
    .filter((e) => e.checkVisibility() && e.getBoundingClientRect().right > innerWidth)
    .map((e) => e.textContent.slice(0, 40))"""


def test_phone(new_visitor):
    visitor = new_visitor(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    visitor.open({"urban": 0.5})
    box(visitor, "op-negation").check()
    box(visitor, "op-analogy").check()
    visitor.page.wait_for_selector("#analogy-panel", state="visible")
    for name in (*MAIN, "_analogy"):
        assert slider(visitor, name).bounding_box()["height"] >= 24
    for name in ("Your sound", "Along λ", "Test", "The paper, replayed", "About", "Accuracy"):
        visitor.page.locator("button", has_text=name).last.dispatch_event("click")  # most are in gradio's menu
        visitor.page.get_by_role("tab", name=name, exact=True, selected=True).locator("visible=true").wait_for()
        visitor.at_rest()
        width = visitor.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert width[0] <= width[1], f"{name}: {width}"
        assert visitor.page.evaluate(BEYOND_THE_EDGE) == []
    target = slider(visitor, "urban")
    target.scroll_into_view_if_needed()
    area = target.bounding_box()
    visitor.page.touchscreen.tap(area["x"] + area["width"] * 0.8, area["y"] + area["height"] / 2)
    visitor.page.wait_for_function("() => document.querySelector('#lambda-urban input[type=range]').value > 0.7")
    shown = f"{value(visitor, 'urban'):.2f}"  # the redraw may not even have been asked for yet
    visitor.page.wait_for_function("(v) => document.querySelector('#formula').textContent.includes(v)", arg=shown)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_contrast(new_visitor, theme):
    visitor = new_visitor(color_scheme=theme)
    visitor.open({"urban": 0.5, "emotion": -0.6}, __theme=theme)
    assert visitor.page.evaluate("document.body.classList.contains('dark')") == (theme == "dark")
    found = visitor.page.evaluate(CONTRAST, "#chart .tv-tile *, #chart .tv-legend *, #chart .tv-row *, #formula *")
    assert len(found) > 5
    assert {k: round(v, 2) for k, v in found.items() if v < 4.5} == {}


def test_names_and_focus(page):
    page.open({"urban": 0.5})
    box(page, "op-negation").check()
    box(page, "op-analogy").check()
    page.page.wait_for_selector("#analogy-panel", state="visible")
    names = tabs(page)
    for name in names:
        tab(page, name)
        page.at_rest()
        nameless = page.page.evaluate(
            """() => [...document.querySelectorAll("input, textarea, select, button")]
            .filter((e) => e.offsetParent && e.type !== "file" && !(e.getAttribute("aria-label") || e.title
              || e.getAttribute("aria-labelledby") || [...(e.labels ?? [])].some((l) => l.innerText.trim())
              || e.innerText.trim()))
            .map((e) => e.outerHTML.slice(0, 200))"""
        )
        assert nameless == []
    tab(page, names[0])
    rows = page.page.locator("#chart .tv-row").all()
    assert all(re.search(r"edited \d+ %.*n = \d+", row.get_attribute("aria-label") or "no clip, n = 0") for row in rows)
    page.page.locator("#op-addition input").focus()
    for _ in range(12):
        page.page.keyboard.press("Tab")
        if page.page.evaluate("document.activeElement.type") == "range":
            break
    assert page.page.evaluate("document.activeElement.closest('[id^=lambda-]')?.id") == "lambda-urban"
    style = "(e) => { const s = getComputedStyle(e); return [s.outlineStyle, s.outlineWidth, s.boxShadow]; }"
    focused = page.page.evaluate(f"({style})(document.activeElement)")
    page.page.evaluate("document.activeElement.blur()")
    assert focused != slider(page, "urban").evaluate(style), "nothing shows which slider has the focus"


# ---- the network ----------------------------------------------------------------------------------------------------
def test_the_watch_on_the_process_sees_what_it_should(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(SITECUSTOMIZE)
    code = (
        "import socket\nfor f in (lambda: socket.create_connection(('192.0.2.1', 80), 1), "
        "lambda: socket.getaddrinfo('example.com', 443), lambda: socket.socket().connect_ex(('127.0.0.1', 9))):\n"
        "    try: f()\n    except OSError as e: print(e)\n"
    )
    environment = {"PYTHONPATH": str(tmp_path), "TASKVEC_NETWORK_LOG": str(tmp_path / "log")}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert (tmp_path / "log").read_text() == "socket.getaddrinfo 192.0.2.1\nsocket.getaddrinfo example.com\n"


def test_the_process_asks_nothing_of_other_machines_and_logs_no_traceback(page, logged_before):
    page.open({"urban": 0.5})
    assert page.server.outside_requests == ""
    assert "Traceback" not in page.server.log[logged_before:]
