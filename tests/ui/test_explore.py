"""The tab "Explore": the map goes with the sliders and takes them along; other panels say what changed."""

from __future__ import annotations

import json
import re

import pytest

from taskvec_demo.core.recipe import Recipe
from taskvec_demo.serve.artifacts import Artifacts
from taskvec_demo.serve.measured_figures import MeasuredFigures
from taskvec_demo.ui.html.explore import geometry_html, live_panels_html
from taskvec_demo.ui.html.prompts import prompts_html
from tests.support.page_actions import box, drag, hold, slider, tab, value
from tests.support.paths import ARTIFACTS

MARKER = """() => document.querySelector("#explore-map .tv-map-marker").getAttribute("transform").match(/[\\d.]+/g)"""
LISTEN = """() => {
  HTMLMediaElement.prototype.play = function () { window.heard = this.src; return Promise.resolve(); };
}"""
SIZES = (
    """(selector) => [...document.querySelectorAll(selector)].map((e) => parseFloat(getComputedStyle(e).fontSize))"""
)
UNNAMED = """(root) => [...document.querySelectorAll(`${root} :is(svg, select, button, [role], [tabindex])`)]
  .filter((e) => !(e.ariaLabel || e.textContent.trim() || e.labels?.[0]?.textContent.trim()) && e.role !== "status")
  .map((e) => e.outerHTML.slice(0, 200))"""
READ = "(selector) => document.querySelector(selector).textContent"
# Three steps to the left, each given to gradio before the next, while the browser draws no frame
KEYS_WITHOUT_FRAMES = """async () => {
  const [map, draw, late] = [document.querySelector("#explore-map .tv-map"), window.requestAnimationFrame, []];
  window.requestAnimationFrame = (callback) => late.push(callback);
  for (let i = 0; i < 3; i++) {
    map.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowLeft", bubbles: true}));
    await new Promise((done) => setTimeout(done, 150));
  }
  window.requestAnimationFrame = draw;
  late.forEach((callback) => draw(callback));
}"""
WHOLE = "() => document.querySelector('#explore-map .tv-map')?.ariaBusy === 'false'"


def on_map(visitor, x: float, y: float) -> dict[str, float]:
    """Where λ = x, y lie on the screen."""
    place = visitor.page.locator("#explore-map .tv-map-area")
    place.evaluate("(e) => e.scrollIntoView({block: 'center'})")
    area = place.bounding_box()
    side = 41  # points on each axis
    share = {"x": ((x + 1) / 2 * (side - 1) + 0.5) / side, "y": 1 - ((y + 1) / 2 * (side - 1) + 0.5) / side}
    return {"x": area["x"] + share["x"] * area["width"], "y": area["y"] + share["y"] * area["height"]}


def test_the_panels_are_there_for_the_tasks_that_have_a_surface() -> None:
    artifacts = Artifacts(ARTIFACTS, verify=False)
    tasks = list(artifacts.tasks.values())
    html = live_panels_html({"a": "urban", "b": "digits"}, tasks[:2])
    assert re.findall("id='explore-([a-z]+)'", html) == ["map", "verdicts", "changed"]
    assert "data-vectors='a'" in html or tasks[1].name != "urban"
    assert tasks[3].title not in html
    assert "explore-map" not in live_panels_html({"a": "urban"}, tasks)  # a map needs two vectors


def test_the_geometry_shows_every_vector_and_every_pair() -> None:
    vectors = Artifacts(ARTIFACTS, verify=False).vectors
    html = geometry_html(vectors)
    n = len(vectors)
    norms, angles = html.split("data-table='angles'")
    assert angles.count("<td class=") + angles.count("<td style=") == n * n
    assert angles.count(">1.00<") == n
    for vector in vectors.values():
        assert f">{vector.norm:.2f}<" in norms
        assert all(f">{size:.2f}<" in norms for size in vector.stage_norms().values())


def test_what_prompts_buy_stands_beside_what_the_edit_buys() -> None:
    tasks = Artifacts(ARTIFACTS, verify=False).tasks
    name, other = list(tasks)[1:3]

    def entry(task: str, before: float, after: float) -> dict:
        edited = {"accuracy": after, "low": after - 0.05, "high": after + 0.05}
        return {"task": task, "n": 300, "pretrained": {"accuracy": before}, "edited": edited, "mcnemar_p": 0.5}

    rows = [
        {"task": name, "best": "a noise of {}", "test": entry(name, 0.5, 0.53)},
        {"task": other, "best": None, "test": entry(other, 0.4, 0.4)},
        {"task": "gone", "best": None, "test": entry("gone", 0.1, 0.9)},
    ]
    vectors = {"rows": [{"vector": name, "tasks": [entry(name, 0.5, 0.8), entry(other, 0.4, 0.1)]}]}
    html = prompts_html({"templates": ["{}", "a noise of {}"], "rows": rows}, vectors, tasks)
    assert "The best of 2 prompts changes accuracy by +0 to +3 points; a task&#x27;s own vector by +30 to +30." in html
    assert "“a noise of …”: 50.0 → 53.0 %, n = 300" in html
    assert "its own vector at λ = 1: 50.0 → 80.0 %, n = 300" in html
    assert "no prompt beats its own" in html
    assert html.count("tv-track-name") == 2  # not the task that this checkpoint lacks


@pytest.mark.browser
def test_a_click_on_the_map_moves_both_sliders_and_the_marker_follows_them(page) -> None:
    page.open({"urban": 0.6, "instruments": 0.4})
    tab(page, "Explore")
    page.page.wait_for_function(WHOLE)
    chosen = {name: page.page.locator(f"#explore-map select[name={name}]").input_value() for name in ("x", "y")}
    assert chosen == {"x": "urban", "y": "instruments"}  # those that are on, the larger λ first

    at = on_map(page, -0.5, 0.25)
    page.page.mouse.click(at["x"], at["y"])
    page.shows({"urban": -0.5, "instruments": 0.25})
    page.at_rest()
    assert (value(page, "urban"), value(page, "instruments")) == (-0.5, 0.25)
    assert box(page, "op-negation").is_checked()
    assert box(page, "op-addition").is_checked()
    assert page.address == {"urban": -0.5, "instruments": 0.25}

    before = page.page.evaluate(MARKER)
    drag(page, "instruments", 0.625, 0.9)
    after = page.page.evaluate(MARKER)
    assert after[0] == before[0]  # urban is across
    assert float(after[1]) < float(before[1])  # and instruments up
    page.at_rest()

    page.page.locator("#undo").click()
    page.shows({"urban": -0.5, "instruments": 0.25})
    page.at_rest()
    page.page.locator("#undo").click()  # the click on the map was one step
    page.shows({"urban": 0.6, "instruments": 0.4})
    page.at_rest()
    assert page.page.evaluate(MARKER) != before
    assert page.errors == []


@pytest.mark.browser
def test_the_map_says_of_the_recipe_what_the_bars_say_and_of_the_pointer_what_its_cell_holds(page) -> None:
    page.open({"digits": -0.32, "urban": 0.11})  # between the points of the map
    tab(page, "Explore")
    page.page.locator("#explore-map select[name=shown]").select_option("digits")
    page.page.wait_for_function(WHOLE)
    page.at_rest()
    readout = page.page.locator("#explore-map .tv-readout")
    bar = page.page.locator("#chart .tv-task[data-task=digits] b").inner_text()
    assert f"→ Spoken digits {bar} (" in readout.inner_text()
    page.page.mouse.move(**on_map(page, -0.32, 0.11))
    assert "Under the pointer: λ digits −0.30, λ urban 0.10 → " in readout.inner_text()
    assert page.errors == []


@pytest.mark.browser
def test_a_drag_on_the_map_draws_at_once_and_keys_move_the_marker(page) -> None:
    page.open({"urban": 0.3, "instruments": 0.2})
    tab(page, "Explore")
    page.page.wait_for_function(WHOLE)
    start, end = on_map(page, 0.3, 0.2), on_map(page, 0.7, 0.9)
    page.page.mouse.move(**start)
    page.page.mouse.down()
    asked = page.page.evaluate("questions.asked")
    page.page.mouse.move(**end, steps=8)
    page.shows({"urban": 0.7, "instruments": 0.9})
    assert page.page.evaluate("questions.asked") == asked, "a trace of values that the server does not know"
    assert (value(page, "urban"), value(page, "instruments")) == (0.7, 0.9)  # before gradio was told
    page.page.mouse.up()
    page.at_rest()
    page.shows({"urban": 0.7, "instruments": 0.9})
    hold(page, "urban", (0.7 + 1) / 2, (0.6 + 1) / 2)  # the clip's answer follows from where the marker was let go
    page.page.wait_for_function("() => document.querySelector('.tv-strip .tv-badge.tv-estimate')")
    page.page.mouse.up()
    page.at_rest()
    page.page.locator("#undo").click()
    page.shows({"urban": 0.7, "instruments": 0.9})
    page.at_rest()

    page.page.locator("#explore-map .tv-map").focus()
    for key in ("ArrowLeft", "ArrowDown", "Shift+ArrowRight"):
        page.page.keyboard.press(key)
    page.shows({"urban": 0.66, "instruments": 0.85})
    page.at_rest()
    assert page.address == {"urban": 0.66, "instruments": 0.85}
    page.page.keyboard.press("Home")
    page.shows({})
    page.at_rest()
    page.page.evaluate(KEYS_WITHOUT_FRAMES)
    page.shows({"urban": -0.15})
    page.at_rest()
    assert page.address == {"urban": -0.15}
    assert page.errors == []


@pytest.mark.browser
def test_the_map_is_of_the_other_vectors_as_they_are_set(page) -> None:
    page.open({"urban": 0.5})
    tab(page, "Explore")
    page.page.wait_for_function(WHOLE)
    picture = "() => document.querySelector('#explore-map .tv-map-image').getAttribute('href')"
    assert page.page.locator("#explore-map select[name=shown]").input_value() == "urban"
    old = page.page.evaluate(picture)
    drag(page, "urban", 0.5, 0.9)
    page.at_rest()
    assert page.page.evaluate(picture) == old  # along its own axes nothing changes
    slider(page, "emotion").focus()
    page.page.keyboard.press("End")
    page.page.wait_for_function(f"(old) => ({picture})() !== old", arg=old)
    page.page.locator("#explore-map select[name=x]").select_option("emotion")
    page.page.wait_for_function(
        "() => document.querySelector('#explore-map svg').getAttribute('aria-label').includes('λ of emotion')"
    )
    assert page.page.locator("#explore-map select[name=shown]").input_value() == "emotion"
    assert page.errors == []


@pytest.mark.browser
def test_what_changed_and_the_verdicts_are_those_of_the_server(page) -> None:
    recipe = {"music": -0.75}  # measured: the figures are exact, and Python has a p for them
    page.open(recipe)
    tab(page, "Explore")
    found = {r.task.name: r for r in MeasuredFigures(Artifacts(ARTIFACTS)).validation(Recipe("tiny-clap", recipe))}
    panel = page.page.locator("#explore-changed")
    panel.scroll_into_view_if_needed()
    result = found["music"]
    lost = int(((result.predicted_pretrained == result.labels) & (result.predicted_edited != result.labels)).sum())
    gained = int(((result.predicted_pretrained != result.labels) & (result.predicted_edited == result.labels)).sum())
    page.page.wait_for_function(f"() => ({READ})('#explore-changed .tv-flips') !== ''")
    said = panel.locator(".tv-flips").inner_text()
    assert said.startswith(
        f"Of {len(result.labels)} clips, {lost} went from right to wrong, {gained} from wrong to right"
    )
    assert panel.locator("svg.tv-matrix").count() == 2
    assert panel.locator(".tv-badge").inner_text() == "measured · validation"
    edited = panel.locator("svg.tv-matrix").nth(1)
    right = sum(int(t) for t in edited.locator(".tv-cell-right text").all_text_contents())
    assert right <= int((result.predicted_edited == result.labels).sum())
    assert edited.locator(".tv-cell-changed").count() > 0

    rows = page.page.locator("#explore-verdicts tbody tr")
    told = {r.locator("th").inner_text(): r.inner_text() for r in rows.all()}
    for result in found.values():
        if result.task.title not in told:
            continue  # shown with the vectors of the analogy only
        assert f"n\u00a0=\u00a0{len(result.labels)}" in told[result.task.title]
        assert result.kind == "grid"
        p = result.mcnemar_p
        assert ("p < 0.001" if p < 0.001 else f"p = {p:.3f}") in told[result.task.title]
        assert ("Not distinguishable" in told[result.task.title] or "very same" in told[result.task.title]) == (
            p >= 0.05
        )
    page.page.wait_for_selector("#explore-geometry")

    page.page.evaluate(LISTEN)
    panel.locator(".tv-heard button").first.click()
    page.page.wait_for_function("() => window.heard?.startsWith('data:audio/wav;base64,')")
    assert min(page.page.evaluate(SIZES, "#explore text, #explore td, #explore p, #explore li, #geometry td")) >= 11
    assert page.page.evaluate(UNNAMED, "#explore") == []
    assert page.errors == []


@pytest.mark.browser
def test_every_recipe_of_the_paper_loads(page) -> None:
    page.open({"urban": 0.1})
    tab(page, "The paper, replayed")
    buttons = page.page.locator("#paper button[data-values]")
    table = json.loads((ARTIFACTS / "tables" / "negation.json").read_text(encoding="utf-8"))
    buttons.first.click()
    page.shows(table["rows"][0]["coefficients"])
    page.at_rest()
    assert buttons.count() > 8
    assert min(page.page.evaluate(SIZES, "#paper text, #paper td, #paper p, #paper button")) >= 11
    assert page.page.evaluate(UNNAMED, "#paper") == []
    assert page.errors == []
