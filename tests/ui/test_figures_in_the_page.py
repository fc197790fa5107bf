"""Exact figures follow the recipe; two visitors do not disturb each other; the sweep ends where it began."""

from __future__ import annotations

import pytest

from tests.support.page_actions import (
    SEEN,
    WATCH,
    box,
    frames,
    hold,
    labels_of,
    number,
    slider,
    steps,
    tab,
    value,
)

pytestmark = pytest.mark.browser

SOUND = "Your sound"  # the tab


# ---- exact figures --------------------------------------------------------------------------------------------------
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
        asked = page.page.evaluate("questions.asked")
        number(page, "urban").fill(typed)
        number(page, "urban").press("Enter")
        page.page.wait_for_function("(n) => questions.asked > n", arg=asked)  # then the recipe changes
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


def test_figures_turn_stale_once_a_drag_and_a_step_is_drawn_by_its_frame(new_visitor):
    page = new_visitor()
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
    hold(page, "urban", 0.5, 0.7, 8)
    for share in [0.6, 0.5, 0.4, 0.5, 0.6] * 2:  # through the measured λ and out again, in one drag
        page.page.mouse.move(area["x"] + area["width"] * share, area["y"] + area["height"] / 2)
        frames(page, 3)
    counted = page.page.evaluate("counted")
    page.page.mouse.up()
    assert counted["turned"] == [True]
    assert counted["drawn"] > 6
    assert counted["inStep"] == 0
    page.at_rest()
    page.page.wait_for_function(MEASURED, arg=f"ckpt=tiny-clap&urban={value(page, 'urban'):g}")


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
            pass
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
    assert labels_of(one)["after"] != alone["after"]
    assert labels_of(one)["before"] == alone["before"]


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


@pytest.mark.parametrize("how", ["key", "box", "reset"])
def test_what_stops_a_sweep_finds_everything_as_it_was(page, how):
    page.open({"urban": 0.4})
    page.page.evaluate(WATCH)
    page.page.locator("#play").click()
    page.page.wait_for_function("() => window.seen.formula.size > 3")
    assert page.address == {"urban": 0.4}
    if how == "key":
        page.page.keyboard.press("Escape")
    elif how == "box":
        box(page, "on-urban").uncheck()
    else:
        page.page.locator("#reset").click()
    page.shows({"urban": 0.4} if how == "key" else {})
    page.at_rest()
    undo = page.page.locator("#undo")
    if how == "key":
        assert undo.get_attribute("aria-disabled") == "true"  # the sweep left no step
    else:
        undo.click()
        page.shows({"urban": 0.4})
        assert value(page, "urban") == 0.4
