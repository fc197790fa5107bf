"""The page on a phone, in the dark, and for those who do not use a mouse."""

from __future__ import annotations

import re

import pytest

from tests.support.page_actions import (
    BAND,
    box,
    slider,
    tab,
    tabs,
    value,
)

pytestmark = pytest.mark.browser

MAIN = ("urban", "instruments", "emotion")
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
    for name in ("Your sound", "The paper, replayed", "About", "Classes"):
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
    everywhere = "#header *, #stories *, #sentence *, #controls *, #know *, #strip *, #further *"
    found = visitor.page.evaluate(CONTRAST, everywhere)
    assert len(found) > 5
    assert {k: round(v, 2) for k, v in found.items() if v < 4.5} == {}


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
    assert page.page.evaluate("document.activeElement.closest('[id^=lambda-]')?.id") == "lambda-urban"
    style = "(e) => { const s = getComputedStyle(e); return [s.outlineStyle, s.outlineWidth, s.boxShadow]; }"
    focused = page.page.evaluate(f"({style})(document.activeElement)")
    page.page.evaluate("document.activeElement.blur()")
    assert focused != slider(page, "urban").evaluate(style), "nothing shows which slider has the focus"


def test_a_phone_has_a_slider_and_the_clips_answer_on_one_screen(new_visitor):
    visitor = new_visitor(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
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
