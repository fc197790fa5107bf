"""The page on a phone, and for those who do not use a mouse."""

from __future__ import annotations

import re

import pytest

from tests.support.page_actions import (
    BAND,
    box,
    finger,
    frames,
    slider,
    tab,
    tabs,
    value,
)

pytestmark = pytest.mark.browser

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
MAIN = ("music", "urban", "emotion")
# Text and tables of few columns that one would have to scroll sideways for.
BEYOND_THE_EDGE = """() => [...document.querySelectorAll('.tv-stacks, .tv-lead')]
    .filter((e) => e.checkVisibility() && e.getBoundingClientRect().right > innerWidth)
    .map((e) => e.textContent.slice(0, 40))"""

# With which modifier keys the page takes an arrow key for itself.
TAKEN = """(selector) => ["none", "alt", "ctrl", "meta"].filter((held) => {
  const options = { key: "ArrowRight", [`${held}Key`]: true, bubbles: true, cancelable: true };
  const event = new KeyboardEvent("keydown", options);
  return !document.querySelector(selector).dispatchEvent(event);
})"""
STUDY_KEYS = {
    "A speech and a music encoder in one": ".tv-dial input[name=speech]",
    "Adapters with a price": "#adapters-study input[name=budget]",
    "Which tasks help each other": "#relations-study td[aria-selected=true]",
}


def test_phone(new_visitor):
    visitor = new_visitor(**PHONE)
    visitor.open({"urban": 0.5})
    box(visitor, "op-negation").check()
    box(visitor, "op-analogy").check()
    visitor.page.wait_for_selector("#analogy-panel", state="visible")
    for name in (*MAIN, "_analogy"):
        assert slider(visitor, name).bounding_box()["height"] >= 24
    names = tabs(visitor)
    assert {"Your sound", "Explore", "The paper, replayed", "About"} < set(names)
    for name in names:
        target = visitor.page.get_by_role("tab", name=name, exact=True).locator("visible=true")
        area = target.bounding_box()
        assert 0 <= area["x"] <= area["x"] + area["width"] <= 390, name
        assert min(area["width"], area["height"]) >= 24
        target.tap()
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


def test_names_and_focus(page):
    page.open({"urban": 0.5})
    box(page, "op-negation").check()
    box(page, "op-analogy").check()
    page.page.wait_for_selector("#analogy-panel", state="visible")
    assert page.page.locator("#chart .tv-task-name").first.get_attribute("aria-label")
    names = tabs(page)
    for name in names:
        tab(page, name)
        page.at_rest()
        nameless = page.page.evaluate(
            """() => [...document.querySelectorAll("input, textarea, select, button")]
            .filter((e) => e.checkVisibility({visibilityProperty: true}))
            .filter((e) => e.type !== "file" && !(e.getAttribute("aria-label") || e.title
              || e.getAttribute("aria-labelledby") || [...(e.labels ?? [])].some((l) => l.innerText.trim())
              || e.innerText.trim()))
            .map((e) => e.outerHTML.slice(0, 200))"""
        )
        assert nameless == []
    tab(page, names[0])
    rows = page.page.locator("#classes .tv-row").all()
    assert all(re.search(r"edited \d+ %.*n = \d+", row.get_attribute("aria-label") or "no clip, n = 0") for row in rows)
    page.page.locator("#skip a").focus()  # the first stop of the Tab key
    for _ in range(11):
        page.page.keyboard.press("Tab")
        if page.page.evaluate("document.activeElement.type") == "range":
            break
    assert page.page.evaluate("document.activeElement.closest('[id^=lambda-]')?.id") == "lambda-music"
    style = "(e) => { const s = getComputedStyle(e); return [s.outlineStyle, s.outlineWidth, s.boxShadow]; }"
    focused = page.page.evaluate(f"({style})(document.activeElement)")
    page.page.evaluate("document.activeElement.blur()")
    assert focused != slider(page, "urban").evaluate(style), "nothing shows which slider has the focus"


def test_arrow_keys_that_are_commands_of_the_browser_are_left_to_it(page):
    """Alt with an arrow is back or on, in toolbars, studies and the map too."""
    page.open({"urban": 0.5})
    tab(page, "Explore")
    page.page.wait_for_selector("#explore-map .tv-map svg")
    page.page.locator("#toolbar button").first.focus()
    assert page.page.evaluate(TAKEN, "#toolbar button") == ["none"]
    assert page.page.evaluate(TAKEN, "#explore-map .tv-map") == ["none"]
    tab(page, "Studies")
    for study, place in STUDY_KEYS.items():
        page.page.get_by_role("tab", name=study, exact=True).click()
        page.page.locator(place).first.wait_for()
        page.page.wait_for_function(f"(place) => ({TAKEN})(place).length", arg=place)  # the study's figures have come
        assert page.page.evaluate(TAKEN, place) == ["none"], study
    assert page.errors == []


def test_the_skip_link_leads_to_the_first_slider_and_loses_nothing(page):
    page.open({"urban": 0.5})
    page.page.evaluate("window.stays = true")
    before = page.page.url
    page.page.locator("#skip a").focus()
    page.page.keyboard.press("Enter")
    page.page.wait_for_function("() => document.activeElement.type === 'range'")
    assert page.page.evaluate("window.stays")  # no new page
    assert page.page.url == before
    page.page.keyboard.press("ArrowRight")
    page.at_rest()
    assert page.formula == {"urban": 0.51}
    assert page.errors == []


def test_a_phone_has_a_slider_and_the_clips_answer_on_one_screen(new_visitor):
    visitor = new_visitor(**PHONE)
    visitor.open({"urban": 0.5})
    visitor.page.wait_for_function(f"() => ({BAND})('urban') !== 'none'")
    assert visitor.page.evaluate("document.documentElement.scrollWidth") <= 390
    slider(visitor, "urban").scroll_into_view_if_needed()
    strip = visitor.page.locator("#strip").bounding_box()
    assert strip["y"] + strip["height"] == pytest.approx(844, abs=1)
    assert slider(visitor, "urban").bounding_box()["y"] + 24 < strip["y"]
    for side in ("before", "after"):
        answer = visitor.page.locator(f"#strip .tv-{side}")
        assert answer.inner_text() not in ("", "…")
        assert answer.bounding_box()["x"] + answer.bounding_box()["width"] <= 391


OUTGROWN = """() => {
  const boxes = document.querySelectorAll("#chart :is(.tv-task-value, .tv-verdict, .tv-state, .tv-delta)");
  return [...boxes].filter((box) => {
    const [own, text] = [box.getBoundingClientRect(), document.createRange()];
    text.selectNodeContents(box);
    return [...text.getClientRects()].some((part) => part.width && own.width && (part.left < own.left - 1.5
      || part.right > own.right + 1.5 || part.top < own.top - 3 || part.bottom > own.bottom + 3));
  }).map((box) => box.innerText);
}"""


def test_no_text_outgrows_the_box_that_is_fixed_for_it(new_visitor):
    visitor = new_visitor(viewport={"width": 1280, "height": 900})
    visitor.open({"urban": -0.9, "instruments": -0.9, "emotion": 1.0})
    for width in (1280, 1000, 390, 360):
        visitor.page.set_viewport_size({"width": width, "height": 844})
        assert visitor.page.evaluate(OUTGROWN) == [], width


SMALLEST = 11  # px
TOO_SMALL = """(least) => {
  const [found, walk] = [[], document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)];
  while (walk.nextNode()) {
    const [text, element] = [walk.currentNode.data.trim(), walk.currentNode.parentElement];
    if (!text || !element.checkVisibility({visibilityProperty: true})) continue;
    const scale = element.getScreenCTM?.(); // of a picture that is drawn in other units
    const size = parseFloat(getComputedStyle(element).fontSize) * (scale ? Math.hypot(scale.a, scale.b) : 1);
    if (size < least - 0.01) found.push(`${text}: ${size.toFixed(1)} px`);
  }
  return found;
}"""


@pytest.mark.parametrize("width", [1280, 390, 360])
def test_no_text_is_under_11_px(new_visitor, width):
    visitor = new_visitor(viewport={"width": width, "height": 844})
    visitor.open({"urban": 0.5, "music": -0.6})
    for name in tabs(visitor):
        tab(visitor, name)
        visitor.at_rest()
        visitor.page.evaluate("for (const more of document.querySelectorAll('details')) more.open = true")
        assert visitor.page.evaluate(TOO_SMALL, SMALLEST) == [], name
    visitor.page.evaluate("document.querySelector('#title p').style.fontSize = '10px'")
    assert len(visitor.page.evaluate(TOO_SMALL, SMALLEST)) == 1


OUT_OF_PICTURE = """() => [...document.querySelectorAll("#further svg text")].filter((text) => {
  const [at, picture] = [text.getBoundingClientRect(), text.closest("svg").parentElement.getBoundingClientRect()];
  return text.checkVisibility() && (at.left < 0 || at.right > picture.right + 1);
}).map((text) => text.textContent)"""


def test_pictures_on_a_phone_have_room_for_their_text(new_visitor):
    visitor = new_visitor(**PHONE)
    visitor.open({"urban": 0.5})
    for name in ("Your sound", "Explore", "The paper, replayed"):
        tab(visitor, name)
        visitor.at_rest()
        visitor.page.wait_for_selector("#further svg text >> visible=true")
        assert visitor.page.evaluate(OUT_OF_PICTURE) == [], name


def test_on_a_phone_the_line_of_the_strip_has_the_control_whatever_the_edit_is_about(new_visitor):
    visitor = new_visitor(**PHONE)
    visitor.open({"music": 0.5, "urban": 0.5, "kitchen": 0.5})
    line = visitor.page.locator(".tv-summary")
    assert line.is_visible()
    assert re.fullmatch(r"validation: control \d+ → \d+ % · music \d+ → \d+ % · and 2 more", line.inner_text())


def test_a_second_finger_changes_nothing(new_visitor):
    visitor = new_visitor(**PHONE)
    visitor.open({"urban": 0.5})
    visitor.page.locator("#curve svg").scroll_into_view_if_needed()
    area = visitor.page.locator("#curve svg").bounding_box()
    y, left, right = area["y"] + area["height"] / 2, area["x"] + area["width"] * 0.3, area["x"] + area["width"] * 0.8
    devtools = visitor.page.context.new_cdp_session(visitor.page)

    def touch(kind, *points):
        points = [{"x": x, "y": y, "id": i} for i, x in enumerate(points)]
        devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        frames(visitor, 2)

    touch("touchStart", left)
    touch("touchMove", left + 20)
    held = visitor.formula
    assert held != {"urban": 0.5}
    touch("touchStart", left + 20, right)
    touch("touchMove", left + 20, right - 10)
    assert visitor.formula == held
    touch("touchEnd")
    visitor.at_rest()
    assert visitor.formula == held


def test_a_finger_that_scrolls_over_the_curves_moves_no_lambda_and_one_that_goes_aside_does(new_visitor):
    visitor = new_visitor(**PHONE)
    visitor.open({"urban": 0.5})
    finger(visitor, "#curve svg", 0, -120)
    assert visitor.formula == visitor.chart == {"urban": 0.5}
    finger(visitor, "#curve svg", 60, 5)
    assert visitor.formula.keys() == {"urban"}
    assert visitor.formula != {"urban": 0.5}


def test_a_tap_on_the_curves_is_an_edit_like_any_other(new_visitor):
    visitor = new_visitor(**PHONE)
    visitor.open({"urban": 0.5})
    picture = visitor.page.locator("#curve svg")
    picture.scroll_into_view_if_needed()
    area = picture.bounding_box()
    visitor.page.touchscreen.tap(area["x"] + area["width"] * 0.3, area["y"] + area["height"] / 2)
    visitor.page.wait_for_function("() => document.querySelector('#chart [aria-busy]')")
    visitor.at_rest()
    assert visitor.formula.keys() == {"urban"}
    assert visitor.formula != {"urban": 0.5}
    assert visitor.address == visitor.formula
    assert visitor.page.locator("#undo").get_attribute("aria-disabled") == "false"
    assert visitor.errors == []


@pytest.mark.parametrize(
    ("study", "picture", "dial"),
    [
        ("A speech and a music encoder in one", ".tv-dial-figure svg", ".tv-dial input[name=speech]"),
        ("Adapters with a price", ".tv-budget-picture svg", "#adapters-study input[name=budget]"),
    ],
)
def test_a_finger_that_scrolls_over_a_study_leaves_its_dial_and_one_that_goes_aside_does_not(
    new_visitor, study, picture, dial
):
    visitor = new_visitor(**PHONE)
    visitor.open()
    tab(visitor, "Studies")
    visitor.page.get_by_role("tab", name=study, exact=True).click()
    visitor.page.locator(picture).first.wait_for()
    before = visitor.page.locator(dial).input_value()
    finger(visitor, picture, 0, -120)
    assert visitor.page.locator(dial).input_value() == before
    finger(visitor, picture, 60, 5)
    assert visitor.page.locator(dial).input_value() != before
