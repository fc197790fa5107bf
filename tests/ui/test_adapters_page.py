"""The budget of the adapters in the browser, on the figures of a quick study."""

from __future__ import annotations

import itertools
import re

import pytest

from taskvec_demo.serve.artifacts import read_json
from tests.support.page_actions import tab

pytestmark = pytest.mark.browser
BUDGETED = ("zero-shot", "multi-head", "adapter")
ANSWERED = "() => document.querySelector('#adapters-study [data-cell=clip]').innerText.endsWith('%)')"
SAID = r"([\d.]+ ?[kMG]?) spent: ([\d.]+) % mean validation accuracy of (\d) tasks?"


def open_study(visitor):
    """The view, with its picture drawn."""
    tab(visitor, "Studies")
    own = visitor.page.get_by_role("tab", name="Adapters with a price", exact=True)
    if own.count():  # beside other studies
        own.click()
    place = visitor.page.locator("#adapters-study")
    place.locator(".tv-budget-picture svg").wait_for()
    return place


def said(place) -> tuple[str, float, int]:
    """What the dial says: the cost, the mean validation accuracy in percent, the number of tasks."""
    cost, mean, tasks = re.search(SAID, place.locator(".tv-budget-said").inner_text()).groups()
    return cost, float(mean), int(tasks)


def best(tasks: list, measure: str, budget: float) -> float:
    """The best mean validation accuracy in percent, of all ways to choose a point for each task."""
    bought = [way for way in ways(tasks) if sum(p[measure] for p in way) <= budget]
    return max(100 * sum(p["validation"]["accuracy"] for p in way) / len(way) for way in bought)


def ways(tasks: list) -> list[tuple]:
    """Every choice of one point for each task."""
    return list(itertools.product(*([p for p in task["points"] if p["kind"] in BUDGETED] for task in tasks)))


def drawn(visitor) -> None:
    """Two frames later: what was asked for is drawn in the next one."""
    visitor.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def press(visitor, place, *keys: str) -> None:
    place.locator("input[name=budget]").focus()
    for key in keys:
        visitor.page.keyboard.press(key)
    drawn(visitor)


def test_the_dial_buys_the_best_and_the_clip_is_answered_by_what_was_bought(page, quick_adapters, tmp_path) -> None:
    tasks = read_json(quick_adapters / "out" / "study.json")["tasks"]
    page.open()
    place = open_study(page)

    press(page, place, "End")
    assert said(place)[1] == pytest.approx(best(tasks, "parameters", 1e12), abs=0.06)
    press(page, place, "Home")
    cheapest = said(place)
    assert cheapest[1] <= best(tasks, "parameters", 1e12)
    press(page, place, "ArrowRight")
    assert said(place)[1] > cheapest[1] or said(place) == cheapest  # where one way is the best and the cheapest

    place.get_by_label("operations (FLOP) for one window").check()
    press(page, place, "End")
    assert said(place)[1] == pytest.approx(best(tasks, "flops", 1e12), abs=0.06)
    place.locator(".tv-budget-picture").click(position={"x": 30, "y": 100})  # as little as can be spent
    page.page.wait_for_function("() => document.querySelector('#tv-budget').value === '0'")
    drawn(page)
    least = min(sum(p["flops"] for p in way) for way in ways(tasks))
    assert said(place)[1] == pytest.approx(best(tasks, "flops", least), abs=0.06)

    first = place.locator("tbody tr").first
    first.locator("input[type=checkbox]").uncheck()
    drawn(page)
    assert said(place)[2] == len(tasks) - 1
    assert first.locator("[data-cell=way]").inner_text() == "–"
    first.locator("input[type=checkbox]").check()

    press(page, place, "End")
    heard = first.locator("[data-cell=clip]")
    heard.scroll_into_view_if_needed()
    page.page.wait_for_function(ANSWERED)
    label = re.fullmatch(r"(.+) \(\d+ %\)", heard.inner_text()).group(1)
    assert label in [c.replace("_", " ") for c in tasks[0]["classes"]]
    assert "FLOP for the tower, once for all tasks" in place.locator(".tv-budget-clip").inner_text()

    with page.page.expect_download() as saved:
        place.get_by_role("button", name="Save the table as CSV").click()
    saved.value.save_as(tmp_path / "adapters.csv")
    rows = (tmp_path / "adapters.csv").read_text().splitlines()
    assert len(rows) == 1 + len(tasks)
    assert re.search(r"\d+/\d+ \d+/\d+", rows[1])

    for row in place.locator("tbody tr input[type=checkbox]").all():
        row.uncheck()
    drawn(page)
    assert "Tick a task" in place.locator(".tv-budget-said").inner_text()
    assert page.errors == []


def test_a_narrow_page_shows_every_cell_with_its_name(new_visitor) -> None:
    visitor = new_visitor(viewport={"width": 390, "height": 844})
    visitor.open()
    place = open_study(visitor)
    assert visitor.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    named = "(cell) => getComputedStyle(cell, '::before').content"
    cells = place.locator("tbody tr").first.locator("td")
    assert [cells.nth(i).evaluate(named) for i in range(cells.count())][1:4] == ['"Way"', '"Cost"', '"Validation"']
