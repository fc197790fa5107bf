"""What a page has to bear: an emptied number box, vectors named like what every JavaScript object has."""

from __future__ import annotations

import dataclasses

import pytest

from taskvec_demo.core.task_vector import TaskVector
from tests.support.app_server import starting_app
from tests.support.page_actions import number, slider
from tests.support.paths import ARTIFACTS
from tests.support.visitor import Visitor

pytestmark = pytest.mark.browser

SETTLE_MS = 250
QUIET_FOR = "(ms) => new Promise((resolve) => setTimeout(resolve, ms))"


def test_an_emptied_number_box_is_not_sent(page):
    page.open({"urban": 0.5})
    before = len(page.server.log)
    number(page, "urban").fill("")
    page.page.evaluate(QUIET_FOR, 2 * SETTLE_MS)  # longer than the rest after which the server is asked
    page.at_rest()
    page.shows({"urban": 0.5})
    number(page, "urban").press("Tab")  # left empty: it says again what the slider says
    assert number(page, "urban").input_value() == "0.5"
    number(page, "urban").fill("")
    number(page, "urban").press_sequentially("0.3")
    number(page, "urban").press("Enter")
    page.shows({"urban": 0.3})
    page.at_rest()
    assert page.address == {"urban": 0.3}
    assert page.toasts() == []
    assert page.server.traceback_since(before) == ""
    assert page.errors == []


def test_vectors_named_like_what_every_object_has(browser, tmp_path):
    """In the formula, the bars, the bands and the curve; before, one of them stopped the whole page."""
    vector = TaskVector.load(ARTIFACTS / "vectors" / "urban.safetensors")
    options = []
    for name in ("constructor", "toString"):
        path = tmp_path / f"{name}.safetensors"
        dataclasses.replace(vector, name=name, task=name).save(path)
        options += ["--vector", str(path)]
    with starting_app(tmp_path, *options) as server:
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        visitor = Visitor(context.new_page(), server)
        visitor.open({"urban": 0.4})
        visitor.page.locator(".tv-filter button").click()  # these vectors are the last of many
        slider(visitor, "constructor").focus()
        visitor.page.keyboard.press("End")
        visitor.shows({"urban": 0.4, "constructor": 1.0})
        badge = visitor.page.locator("#chart .tv-badge")
        assert badge.inner_text().startswith("no estimate for τ_constructor")
        visitor.page.wait_for_function(
            "() => /measured for τ_constructor/.test(document.querySelector('#curve').innerText)"
        )
        slider(visitor, "constructor").focus()
        visitor.page.keyboard.press("Home")
        visitor.shows({"urban": 0.4})
        slider(visitor, "urban").focus()  # the curves are along the slider that was touched last
        visitor.page.keyboard.press("ArrowRight")
        visitor.page.keyboard.press("ArrowLeft")
        visitor.shows({"urban": 0.4})
        visitor.page.wait_for_function("() => document.querySelectorAll('#curve path[d]').length > 3")
        visitor.at_rest()
        assert visitor.address == {"urban": 0.4}
        assert visitor.errors == []
        context.close()
