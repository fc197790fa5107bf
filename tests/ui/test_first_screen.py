"""The first screen: few words and figures, a story at work, and a clip whose answer follows the drag."""

from __future__ import annotations

import dataclasses
import itertools
import json
import re

import pytest

from taskvec_demo.core.task_vector import TaskVector
from tests.support.app_server import starting_app
from tests.support.many_vectors import TITLES, write_many
from tests.support.page_actions import box, drag, hold, slider, tab, tabs, upload, value
from tests.support.paths import ARTIFACTS
from tests.support.visitor import Visitor

pytestmark = pytest.mark.browser

FOLD = 800  # px
MOST_NUMBERS, MOST_WORDS = 60, 120
SEEN = r"""() => {
  const seen = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const [node, element] = [walk.currentNode, walk.currentNode.parentElement];
    const range = document.createRange();
    range.selectNodeContents(node);
    const {left, top, width, height} = range.getBoundingClientRect();
    const on = document.elementFromPoint(left + width / 2, top + height / 2);
    if (width > 2 && height > 2 && on && (on.contains(element) || element.contains(on))) seen.push(node.data.trim());
  }
  for (const box of document.querySelectorAll("input[type=number]")) if (box.checkVisibility()) seen.push(box.value);
  const text = seen.join(" ");
  return {numbers: text.match(/\d+(\.\d+)?/g).length, words: text.match(/\p{L}[\p{L}_'-]+/gu).length, text};
}"""
NAMED = "#curve .tv-names text[visibility=visible]"
STRIP = """() => { const strip = document.querySelector(".tv-strip"); return {
  before: strip.querySelector(".tv-before").textContent, after: strip.querySelector(".tv-after").textContent,
  badge: strip.querySelector(".tv-badge").textContent,
  marks: [...strip.querySelectorAll("em")].map((m) => m.textContent),
  share: parseFloat(strip.querySelector(".tv-after + span").textContent)}; }"""
CHANGES = """() => [...document.querySelectorAll(".tv-task:not([hidden])")].map((row) => [
  100 * row.querySelector(".tv-change").getBoundingClientRect().width
    / row.querySelector(".tv-track").getBoundingClientRect().width,
  Math.abs(parseInt(row.querySelector("b").textContent) - parseInt(row.querySelector("s").textContent))])"""
LOADED = "() => window.taskvec?.state.tasks && !document.querySelector('.tv-strip[aria-busy]')"


def stories():
    entries = json.loads((ARTIFACTS / "tables" / "stories.json").read_text())
    return {name: story for name, story in entries.items() if story["clip"]}


def recipes():
    entries = json.loads((ARTIFACTS / "tables" / "presets.json").read_text())
    return {entry["name"]: entry["recipe"]["coefficients"] for entry in entries}


def opened(page, width=1280):
    page.page.set_viewport_size({"width": width, "height": FOLD})
    page.open()
    page.page.wait_for_function(LOADED)
    page.at_rest()


def test_one_screen_holds_the_whole_story_in_few_words(page):
    opened(page)
    seen = page.page.evaluate(SEEN)
    assert seen["numbers"] <= MOST_NUMBERS, seen
    assert seen["words"] <= MOST_WORDS, seen
    strip = page.page.locator("#strip").bounding_box()
    assert strip["y"] + strip["height"] == pytest.approx(FOLD, abs=1)
    for part in ("#header", "#stories", "#sentence", "#controls", "#know", "#curve"):
        area = page.page.locator(part).bounding_box()
        assert area["y"] >= 0
        assert area["y"] + area["height"] <= strip["y"] + 1, part
    chosen = page.page.locator(".tv-story[aria-pressed=true]")
    assert chosen.count() == 1
    name = chosen.get_attribute("id").removeprefix("story-")
    assert page.page.locator("#sentence span:visible").inner_text() == stories()[name]["sentence"]
    shown = page.page.evaluate(STRIP)
    assert shown["before"] != shown["after"]
    assert sorted(shown["marks"]) == ["✓", "✗"]  # one answer is that of the example's class
    assert shown["badge"] == "exact"
    for width, points in page.page.evaluate(CHANGES):  # as wide as the change, whose ends were rounded
        assert width == pytest.approx(points, abs=1.1)


def test_a_story_sets_sliders_clip_and_curve(page):
    page.open()
    page.page.wait_for_function(LOADED)
    for name, story in list(stories().items())[-2:]:
        page.page.locator(f"#story-{name}").click()
        page.shows(recipes()[name])
        page.page.wait_for_function(
            "(name) => document.querySelector('.tv-clip-name').textContent === name",
            arg=story["clip"].replace("_", " "),
        )
        page.at_rest()
        # The name of a clip is there before its answers
        page.page.wait_for_function(f"(told) => told.includes(`“${{({STRIP})().after}}”`)", arg=story["sentence"])
        assert page.page.evaluate(STRIP)["badge"] == "exact"
        assert f"τ {story['vector']}" in page.page.locator("#curve h3").inner_text()
    assert page.errors == []


def test_the_clips_answer_follows_the_drag_and_is_exact_at_rest(page):
    name, story = next(iter(stories().items()))
    vector = story["vector"]
    page.open()
    page.page.locator(f"#story-{name}").click()
    page.shows(recipes()[name])
    page.page.wait_for_function(LOADED)
    page.at_rest()
    first = page.page.evaluate(STRIP)
    asked = page.page.evaluate("questions.asked")
    low, high = (float(slider(page, vector).get_attribute(end)) for end in ("min", "max"))
    start, zero = ((x - low) / (high - low) for x in (value(page, vector), 0.0))
    hold(page, vector, start, zero)
    held = page.page.evaluate(STRIP)
    assert held["badge"] == "estimate"
    assert held["after"] != first["after"]
    assert page.page.evaluate("questions.asked") == asked  # it was read from the trace that the page had
    assert rested_like(page, held)["before"] == first["before"]
    other = next(v for v in recipes()["learn_all"] if v != vector)
    drag(page, other, 0.5, 0.9)  # a trace of another vector
    page.at_rest()
    assert page.page.evaluate("questions.asked") > asked
    assert page.errors == []


def rested_like(page, held):
    """Let the slider go: the exact answer is that which was `held`, and is returned."""
    page.page.mouse.up()
    page.at_rest()
    rested = page.page.evaluate(STRIP)
    assert rested["badge"] == "exact"
    assert rested["after"] == held["after"]
    assert abs(rested["share"] - held["share"]) <= 5
    return rested


def test_the_clips_answer_follows_the_drag_of_an_analogy_too(page):
    page.open({"urban": 0.3})
    box(page, "op-analogy").check()
    page.page.wait_for_selector("#analogy-panel", state="visible")
    page.at_rest()
    hold(page, "_analogy", 0.5, 0.95)
    page.page.wait_for_function(f"() => ({STRIP})().badge === 'estimate'")  # its trace has come
    held = page.page.evaluate(STRIP)
    rested_like(page, held)
    assert page.errors == []


def test_of_a_long_clip_the_strip_says_which_part_it_follows(page, wav):
    page.open({"urban": 0.3})
    upload(page, wav("noise", 12.0))
    page.page.wait_for_function(LOADED)
    page.at_rest()
    hold(page, "urban", 0.6, 0.9)
    page.page.wait_for_function(f"() => ({STRIP})().badge === 'estimate · first 10 s'")
    page.page.mouse.up()
    page.at_rest()
    assert page.page.evaluate(STRIP)["badge"] == "exact"
    assert page.errors == []


def test_the_strip_is_in_view_on_every_tab_and_a_bar_opens_its_classes(page):
    opened(page)
    for name in tabs(page):
        tab(page, name)
        page.page.evaluate("scrollTo(0, 1e6)")
        strip = page.page.locator("#strip").bounding_box()
        assert strip["y"] + strip["height"] == pytest.approx(FOLD, abs=1), name
    page.page.evaluate("scrollTo(0, 0)")
    page.page.locator(".tv-task-name").nth(1).click()
    panel = page.page.locator("#classes .tv-panel").nth(1)
    page.page.wait_for_function("() => document.activeElement.closest('.tv-panel')")
    assert panel.bounding_box()["y"] < FOLD
    page.page.evaluate("scrollTo(0, 0)")
    drag(page, "urban", 0.5, 0.9)
    page.at_rest()
    rows = """(rows) => rows.map((row) => [row.getBoundingClientRect().top,
      Math.abs(Number(row.querySelector(".tv-delta").textContent.replace("\\u2212", "-").replace("±", "")))])"""
    changes = [change for _, change in sorted(panel.locator(".tv-row").evaluate_all(rows))]
    assert changes[0] > 0
    assert all(a >= b - 1 for a, b in itertools.pairwise(changes)), changes  # rounded


def test_a_class_that_was_to_be_forgotten_is_no_loss(page):
    opened(page)
    panel = page.page.locator("#classes .tv-panel[data-task=instruments]")
    colours = "(changes) => [...new Set(changes.map((change) => getComputedStyle(change).color))]"
    success = page.page.locator("#chart .tv-good .tv-delta").evaluate_all(colours)
    panel.scroll_into_view_if_needed()
    forgotten = panel.locator(".tv-down").evaluate_all(colours)
    assert forgotten == success
    drag(page, "instruments", 0.0, 0.98)
    page.at_rest()
    assert value(page, "instruments") > 0.8
    alarm = page.page.locator("#classes .tv-down").evaluate_all(colours)  # classes that learning instruments cost
    assert len(alarm) == 1
    assert alarm != forgotten


def test_rows_of_buttons_are_one_stop_each_and_words_explain_themselves(page):
    page.open()
    for row in ("#stories", "[role=tablist]"):
        buttons = page.page.locator(f"{row} >> css=button:visible")
        buttons.first.focus()
        page.page.keyboard.press("ArrowRight")
        assert buttons.nth(1).evaluate("(e) => e === document.activeElement"), row
        assert [b.get_attribute("tabindex") for b in buttons.all()].count("0") == 1
    assert buttons.nth(1).get_attribute("aria-selected") == "true"
    word = page.page.locator("#formula .tv-word")
    assert not word.locator(".tv-tip").is_visible()
    word.focus()
    assert word.locator(".tv-tip").is_visible()
    assert "task vector" in word.get_attribute("aria-label")
    page.page.locator("#help").click()
    assert page.page.locator("#tv-steps li:visible").count() == 3
    page.page.keyboard.press("Escape")
    page.page.wait_for_selector("#tv-steps", state="hidden")
    assert page.page.locator("#skip a").evaluate("(e) => { e.focus(); return e.getBoundingClientRect().top; }") >= 0


IN_VIEW = """(tip) => {
  const { left, top, right, bottom } = tip.getBoundingClientRect();
  tip.style.pointerEvents = "auto"; // so that it is found where it is in front
  const corners = [[left + 5, top + 5], [right - 5, top + 5], [left + 5, bottom - 5], [right - 5, bottom - 5]];
  const there = corners.every(([x, y]) => tip.contains(document.elementFromPoint(x, y)));
  tip.style.pointerEvents = "";
  return there;
}"""


@pytest.mark.parametrize("width", [1280, 390])
def test_every_explanation_is_in_the_window_and_in_front(new_visitor, width):
    page = new_visitor(viewport={"width": width, "height": FOLD}, has_touch=True)
    page.open()
    words = page.page.locator(".tv-word:visible").all()
    assert len(words) > 6
    for word in words:
        word.scroll_into_view_if_needed()
        word.tap()
        name = word.get_attribute("aria-label")
        assert word.locator(".tv-tip").is_visible(), name
        assert word.locator(".tv-tip").evaluate(IN_VIEW), name
        assert page.page.locator(".tv-tip:visible").count() == 1
    page.page.keyboard.press("Escape")
    assert page.page.locator(".tv-tip:visible").count() == 0
    page.page.add_style_tag(content=f".tv-tip {{ left: {width - 99}px !important; }}")
    words[0].tap()
    assert not words[0].locator(".tv-tip").evaluate(IN_VIEW)


def test_a_tap_or_a_key_tells_n_and_interval_of_every_bar(page):
    opened(page)
    story = page.page.locator(".tv-sentence:visible .tv-word")
    story.focus()
    assert re.search(r"\d+ to \d+ %, n = \d+", story.locator(".tv-tip").inner_text())
    word = page.page.locator("#chart .tv-legend .tv-word")
    for urban in (0.0, 0.9):
        if urban:
            drag(page, "urban", 0.5, 0.95)
            page.at_rest()
        word.focus()
        told = word.locator(".tv-intervals > span").all_inner_texts()
        bars = page.page.locator("#chart .tv-task:visible").all()
        assert len(told) == len(bars)
        for line, bar in zip(told, bars, strict=True):
            interval = re.search(r"interval (.*? %), (n = \d+)", bar.get_attribute("title")).groups()
            assert ", ".join(interval) + "; guessing has " in line.replace("\xa0", " ")
        assert told[0].endswith("guessing has 2\xa0%")  # one of 50 sounds
        page.page.locator("#help").focus()


def test_twenty_vectors_and_twelve_tasks_fit_the_screen(browser, random_model, tmp_path):
    artifacts = tmp_path / "built"
    write_many(artifacts, random_model)
    vector = TaskVector.load(artifacts / "vectors" / "urban.safetensors")
    dataclasses.replace(vector, name="birds", task="birds").save(tmp_path / "birds.safetensors")
    options = ("--artifacts", str(artifacts), "--vector", str(tmp_path / "birds.safetensors"))
    with starting_app(tmp_path, *options) as server:
        page = Visitor(browser.new_context(viewport={"width": 1280, "height": FOLD}).new_page(), server)
        page.open({"collection_9": 0.4, "extra_8": -0.3})
        _bars_and_curves_fit(page)
        _rows_are_behind_a_filter(page)
        page.at_rest()
        assert page.errors == []
        page.page.context.close()


def _bars_and_curves_fit(page):
    page.page.wait_for_function("() => window.taskvec?.state.tasks && document.querySelector('#curve svg')")
    strip = page.page.locator("#strip").bounding_box()
    bars = [bar.bounding_box() for bar in page.page.locator("#chart .tv-task:visible").all()]
    assert len(bars) == len(TITLES)
    assert all(b["y"] - a["y"] >= max(a["height"], 24) for a, b in itertools.pairwise(bars))
    curve = page.page.locator("#curve").bounding_box()
    assert bars[-1]["y"] + bars[-1]["height"] <= curve["y"]
    assert curve["y"] + curve["height"] <= strip["y"] + 1
    page.page.wait_for_function(f"() => document.querySelectorAll('{NAMED}').length > 7")
    tops = sorted(name.bounding_box()["y"] for name in page.page.locator(NAMED).all())
    assert all(b - a >= 12 for a, b in itertools.pairwise(tops))
    assert page.page.evaluate("document.documentElement.scrollWidth") <= 1280


def _rows_are_behind_a_filter(page):
    rows = page.page.locator(".tv-vector:visible")
    tops = {row.get_attribute("id"): row.bounding_box()["y"] for row in rows.all()}
    assert sorted(tops, key=tops.__getitem__)[:2] == ["row-collection_9", "row-extra_8"]  # those that are on
    assert len(tops) <= 7
    page.page.locator(".tv-filter input").fill("bir")
    page.page.wait_for_selector("#row-birds", state="visible")
    page.page.locator(".tv-filter input").fill("collection 2")  # as a row writes it
    page.page.wait_for_selector("#row-collection_2", state="visible")
    page.page.locator(".tv-filter input").fill("extra")
    page.page.wait_for_selector("#row-birds", state="hidden")
    assert page.page.locator("#row-extra_1").is_visible()
    assert not page.page.locator("#row-collection_2").is_visible()
    box(page, "on-extra_1").check()
    page.page.locator(".tv-filter input").fill("")
    page.page.wait_for_selector("#row-extra_2", state="hidden")
    assert page.page.locator("#row-extra_1").is_visible()  # it is on
    page.page.locator(".tv-filter button").click()
    page.page.wait_for_selector("#row-birds", state="visible")
