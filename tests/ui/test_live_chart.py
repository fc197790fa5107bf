"""The browser draws the bars itself: the same numbers as Python, at once, without asking the server."""

from __future__ import annotations

import re

import pytest

from taskvec_demo.core.evaluation import Accuracy, percent
from taskvec_demo.core.surface import LogitSurface
from tests.support.page_actions import READ_TILES, box, frames, hold, number, slider, value
from tests.support.visitor import FORMULA
from tests.support.web_vectors import SURFACES, random_recipes

pytestmark = pytest.mark.browser

# Every recipe that the chart shows, with what stands in the bars and beside the slider at that moment
RECORD = f"""() => {{
  window.drawn = [];
  new MutationObserver(() => {{
    const shown = Object.fromEntries(new URLSearchParams(document.querySelector("#chart [data-query]").dataset.query));
    window.drawn.push({{shown, formula: ({FORMULA})(), at: performance.now(),
      bars: [...document.querySelectorAll("#chart .tv-ed")].map((e) => e.style.width).join()}});
  }}).observe(document.querySelector("#chart [data-query]"), {{attributes: true, subtree: true}});
}}"""
READ_BARS = """() => Object.fromEntries([...document.querySelectorAll("#classes .tv-panel")].map((p) => [p.dataset.task,
  [...p.querySelectorAll(".tv-row")].map((row) => ({
    name: row.querySelector(".tv-name").firstChild.textContent.trim(),
    number: row.querySelector(".tv-num")?.textContent, described: row.getAttribute("aria-label"),
    edited: parseFloat(row.querySelector(".tv-ed")?.style.width),
    left: parseFloat(row.querySelector(".tv-ci")?.style.left),
    width: parseFloat(row.querySelector(".tv-ci")?.style.width)}))]))"""


# ---- in the app -----------------------------------------------------------------------------------------------------
def expected_bars(recipe):
    """{task: [`Accuracy` of each class]} by Python."""
    counts = {}
    for path in SURFACES:
        surface = LogitSurface.load(path)
        predicted = surface.measured(recipe)
        if predicted is None:
            predicted = surface.logits(recipe).argmax(-1)
        classes = range(surface.directions.shape[-1])
        counts[surface.task] = [Accuracy.of(predicted[surface.labels == c] == c) for c in classes]
    return counts


@pytest.mark.parametrize("seed", [1, 2])
def test_the_bars_in_the_page_are_pythons(page, seed):
    recipe = random_recipes(LogitSurface.load(SURFACES[0]).vectors, 1, seed)[0]
    page.open(recipe)
    page.page.wait_for_function("() => window.taskvec?.state.tasks")
    page.at_rest()
    shown = page.page.evaluate(READ_BARS)
    expected = expected_bars(recipe)
    assert set(shown) == set(expected)
    tiles = page.page.evaluate(READ_TILES)
    compared = 0
    for task, rows in shown.items():
        if task not in tiles:
            continue
        for row, accuracy in zip(rows, expected[task], strict=True):
            if not accuracy.n:
                assert row["number"] is None
                continue
            compared += 1
            assert row["edited"] == pytest.approx(100 * accuracy.accuracy, abs=0.06)
            assert row["left"] == pytest.approx(100 * accuracy.low, abs=0.06)
            assert row["width"] == pytest.approx(100 * (accuracy.high - accuracy.low), abs=0.06)
            assert row["number"] == f"{percent(accuracy.accuracy)}\u200a%"
            assert f"edited {percent(accuracy.accuracy)} %" in row["described"]
            assert row["described"].endswith(f"n = {accuracy.n}")
    assert compared > 30


def test_the_browser_takes_over_without_a_change(page):
    """The first paint is the server's; redrawing the same recipe in the browser leaves every letter and width."""
    texts = (
        "() => ['chart', 'classes'].map((id) => document.getElementById(id).innerText).join() "
        "+ [...document.querySelectorAll(':is(#chart, #classes) i')]"
    )
    widths = ".map((e) => [e.style.left, e.style.width]).join(';')"
    page.page.route("**/surfaces/**", lambda route: page.held.append(route))
    page.held = []
    page.page.goto(page.server.url)
    page.page.wait_for_selector("#chart .tv-task", state="attached")
    page.page.wait_for_selector("#classes", state="attached")
    page.page.wait_for_selector("#lambda-urban input[type=range]", state="attached")
    page.at_rest()
    assert page.page.evaluate("() => window.taskvec.state.tasks") is None
    before = page.page.evaluate(texts + widths)
    for route in page.held:
        route.continue_()
    page.page.wait_for_function("() => window.taskvec.state.tasks && window.taskvec.state.tasks[0].bars.drawn")
    frames(page, 3)
    assert page.page.evaluate(texts + widths) == before
    slider(page, "urban").focus()
    page.page.keyboard.press("Home")
    page.at_rest()
    assert page.page.evaluate(texts + widths) != before  # it does redraw


def test_without_surfaces_one_sentence_says_so(page):
    page.page.route("**/surfaces/**", lambda route: route.fulfill(status=404, body=""))
    page.page.goto(page.server.url)
    page.page.wait_for_selector("#chart .tv-message", state="visible")
    text = page.page.locator("#chart .tv-message").inner_text()
    assert "surfaces did not arrive (HTTP 404)" in text
    page.page.wait_for_function("() => document.querySelectorAll('#classes .tv-row').length > 30")
    page.at_rest()
    slider(page, "urban").focus()
    page.page.keyboard.press("Home")  # the formula still follows, and so does the clip
    page.page.wait_for_function(f"() => ({FORMULA})().urban === -1")
    page.at_rest()
    page.page.wait_for_function("() => document.querySelector('#strip .tv-badge').textContent === 'exact'")
    assert not [e for e in page.errors if "404" not in e]


def test_a_drag_asks_nothing_of_the_network_and_shows_every_step(page):
    page.open({"urban": 0.5})
    asked = []
    page.page.on("request", lambda request: asked.append(request.url))
    page.page.evaluate(RECORD)
    hold(page, "urban", 0.5, 0.9, 20)
    frames(page, 40)  # longer than the rest after which a released slider would settle
    assert asked == []
    drawn = page.page.evaluate("window.drawn")
    shown = [float(d["shown"]["urban"]) for d in drawn if "urban" in d["shown"]]
    assert len(set(shown)) > 10
    assert shown == sorted(shown), "an older value was shown after a newer one"
    assert len({d["bars"] for d in drawn}) > 5
    assert shown[-1] == value(page, "urban")
    assert all(d["formula"].get("urban", 0) == float(d["shown"].get("urban", 0)) for d in drawn)
    page.page.mouse.up()
    page.at_rest()
    assert len(asked) >= 1  # then the exact answers
    assert page.address == page.formula == {"urban": value(page, "urban")}


@pytest.mark.parametrize("latency", [0, 120])
def test_sixty_events_a_second_and_the_last_value_is_the_sliders(new_visitor, latency):
    page = new_visitor()
    page.open({"urban": 0.5})
    page.page.wait_for_function("() => window.taskvec?.state.tasks")
    if latency:
        protocol = page.page.context.new_cdp_session(page.page)
        protocol.send("Network.enable")
        conditions = {"offline": False, "latency": latency, "downloadThroughput": -1, "uploadThroughput": -1}
        protocol.send("Network.emulateNetworkConditions", conditions)
    page.page.evaluate(RECORD)
    page.page.evaluate("""async () => {
      const s = document.querySelector("#lambda-urban input[type=range]");
      for (let i = 1; i <= 90; i++) {
        await new Promise(requestAnimationFrame);
        s.value = (0.05 + 0.9 * Math.abs(Math.sin(i / 15))).toFixed(2);
        s.dispatchEvent(new Event("input", {bubbles: true}));
      }
    }""")
    at = value(page, "urban")
    page.page.wait_for_function(f"(at) => ({FORMULA})().urban === at", arg=at)
    drawn = page.page.evaluate("window.drawn.length")
    assert drawn > 30
    page.at_rest()
    page.shows({"urban": at})


def test_gradio_is_told_when_a_drag_pauses_and_its_controls_follow_all_the_while(page):
    page.open({"urban": 0.5})
    page.page.wait_for_function("() => window.taskvec?.state.tasks")
    seen = page.page.evaluate("""async () => {
      const s = document.querySelector("#lambda-urban input[type=range]");
      const box = document.querySelector("#lambda-urban input[type=number]");
      const seen = {told: 0, boxes: [], tracks: []};
      const row = document.getElementById("row-urban");
      taskvec.controls.follow(() => seen.told++);
      for (let i = 1; i <= 60; i++) {
        await new Promise(requestAnimationFrame);
        s.value = (0.2 + i / 100).toFixed(2);
        s.dispatchEvent(new Event("input", {bubbles: true}));
        await Promise.resolve();
        seen.boxes.push(box.value === s.value);
        seen.tracks.push(parseFloat(row.style.getPropertyValue("--tv-at")) / 100 * s.max - s.value);
      }
      return seen;
    }""")
    assert all(seen["boxes"][1:])  # of the first step gradio itself tells the box, a moment later
    assert max(map(abs, seen["tracks"][1:])) < 0.011
    assert seen["told"] < 20
    page.at_rest()
    page.shows({"urban": 0.8})
    assert float(number(page, "urban").input_value()) == 0.8


def test_programmatic_changes_are_followed(page):
    page.open({"urban": 0.5})
    page.page.wait_for_function("() => window.taskvec?.state.tasks")
    first = page.page.evaluate(READ_TILES)
    number(page, "urban").fill("0.91")
    page.shows({"urban": 0.91})
    page.at_rest()
    page.page.locator("#reset").click()
    page.shows({})
    assert page.page.locator("#chart .tv-badge").inner_text() == "measured"
    page.at_rest()
    page.page.locator("#undo").click()
    page.shows({"urban": 0.91})
    page.page.locator("#undo").click()
    page.shows({"urban": 0.5})
    assert page.page.evaluate(READ_TILES) == first


def test_the_badge_says_what_the_bars_are(page):
    surface = LogitSurface.load(SURFACES[0])
    name = surface.vectors[0]
    point = next(p for p in surface.points if p[0] not in (0, 1) and not p[1:].any())
    page.open({name: float(point[0])})
    page.page.wait_for_function("() => window.taskvec?.state.tasks")
    assert page.page.locator("#chart .tv-badge").inner_text() == "measured"
    page.open({name: round(float(point[0]) + 0.01, 2)})
    page.page.wait_for_function("() => window.taskvec?.state.tasks")
    text = page.page.locator("#chart .tv-badge").inner_text()
    error = float(re.match(r"estimate ± ([\d.]+) points", text)[1])
    errors = [100 * LogitSurface.load(p).error for p in SURFACES]
    assert any(error == pytest.approx(e, abs=0.051) for e in errors)


# What the bars of all tasks say of the model after the edit, where they say anything
READ_AFTER = """() => window.taskvec.state.tasks.filter(({ bars }) => bars.visible && bars.correct !== null)
  .map(({ task }) => task.name)"""


def test_beyond_the_measured_box_a_sentence_takes_the_charts_place(page):
    page.open({"urban": 0.9})
    box(page, "op-analogy").check()
    page.page.wait_for_selector("#analogy-panel", state="visible")
    page.page.locator("#analogy-b input").click()
    page.page.get_by_role("option", name="urban", exact=True).click()
    page.page.wait_for_selector("#chart .tv-message", state="visible")
    text = page.page.locator("#chart .tv-message").inner_text()
    assert text.startswith("Accuracies were measured for λ from −1 to 1 only; this recipe goes beyond: θ_new = θ_pt")
    assert text.endswith("The answers for your clip are still exact.")
    assert not page.page.locator("#chart .tv-tasks").is_visible()
    page.at_rest()
    assert page.page.evaluate(READ_AFTER) == []  # no figure of the recipe before is kept for others to read
    assert page.address["urban"] == pytest.approx(0.9 + value(page, "_analogy"))
    page.page.wait_for_function("() => /this way goes beyond/.test(document.querySelector('#curve').innerText)")
    box(page, "op-analogy").uncheck()
    page.page.wait_for_selector("#chart .tv-tasks", state="visible")
    assert not page.page.locator("#chart .tv-message").is_visible()


def test_what_is_spoken_waits_for_rest(page):
    page.open({"urban": 0.5})
    spoken = page.page.locator("#chart [aria-live]")
    before = spoken.text_content()
    hold(page, "urban", 0.5, 0.8, 10)
    frames(page, 30)  # longer than the rest after which a released slider would be spoken of
    assert spoken.text_content() == before  # the pointer is still down
    page.page.mouse.up()
    page.page.wait_for_function("(old) => document.querySelector('#chart [aria-live]').textContent !== old", arg=before)
    assert f"{value(page, 'urban'):.2f} τ_urban" in spoken.text_content()
    assert page.page.locator("#formula [aria-live]").count() == 0
