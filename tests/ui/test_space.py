"""The app as a Hugging Face Space starts it, with variables instead of options; and a visitor who comes at once."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from taskvec_demo.ui.startup import READY
from tests.support.app_server import AppServer, starting_app
from tests.support.page_actions import READ_LABELS, number, tab
from tests.support.visitor import PATIENCE, SHOWS, Visitor

pytestmark = pytest.mark.browser

VARIABLES = {
    "SYSTEM": "spaces",
    "SPACE_ID": "me/demo",
    "SPACE_HOST": "me-demo.hf.space",
    "SPACE_AUTHOR_NAME": "me",
    "SPACE_REPO_NAME": "demo",
    "GRADIO_SERVER_NAME": "0.0.0.0",
}
NO_SUCH_SPACE = re.compile("ERR_NAME_NOT_RESOLVED|[Ss]pace not found|huggingface.co")  # the page asks the hub for it
USUAL = ("* Running on local URL:", "* To create a public link", READY)


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppServer]:
    """From its first answer on, when the model may not be open yet."""
    with starting_app(tmp_path_factory.mktemp("space"), **VARIABLES) as server:
        yield server


def test_who_comes_before_the_model_is_open_loses_nothing(browser, space):
    context = browser.new_context()
    early = Visitor(context.new_page(), space)
    early.page.set_default_timeout(4 * PATIENCE)
    early.page.goto(space.url)
    early.page.wait_for_selector("#chart .tv-ed")
    number(early, "urban").fill("0.37")
    number(early, "urban").press("Enter")
    tab(early, "Your sound")
    early.page.wait_for_selector(".tv-labels .tv-cell-after")
    early.at_rest()
    assert early.chart["urban"] == early.formula["urban"] == 0.37
    assert early.page.evaluate(READ_LABELS, "after") != early.page.evaluate(READ_LABELS, "before")
    assert [error for error in early.errors if not NO_SUCH_SPACE.search(error)] == []
    assert early.toasts() == []
    context.close()


def test_a_copied_link_restores_the_edit_after_a_restart_and_in_a_frame(browser, new_visitor, space):
    """A later process knows only what the link says. The hub shows a Space in a frame, and hands the link on to it."""
    recipe = {"urban": 0.37, "emotion": -0.6}
    first = new_visitor(permissions=["clipboard-read", "clipboard-write"])
    first.open(recipe)
    first.page.locator("#copy-link").click()
    first.page.wait_for_function("() => document.querySelector('#copy-link').innerText.includes('Copied')")
    link = urlsplit(first.page.evaluate("navigator.clipboard.readText()"))
    space.until(lambda: READY in space.log)
    page = browser.new_context().new_page()
    page.set_default_timeout(PATIENCE)
    outer = f"<iframe src='./?{link.query}' width='1200' height='900'></iframe>"
    page.route(space.url + "outer.html", lambda route: route.fulfill(content_type="text/html", body=outer))
    page.goto(space.url + "outer.html")
    page.frame_locator("iframe").locator("#chart .tv-task").first.wait_for(state="attached")
    page.frames[-1].wait_for_function(SHOWS, arg=recipe)
    for name, scaling_coef in recipe.items():
        number = page.frame_locator("iframe").locator(f"#lambda-{name} input[type=number]")
        assert float(number.input_value()) == scaling_coef
    page.context.close()


@pytest.mark.skipif(importlib.util.find_spec("spaces") is None, reason="needs `spaces` (requirements-dev.txt)")
def test_the_log_of_a_space_holds_no_complaint(space):
    """Without a loop that runs while the page is built, a dozen tracebacks of lost loops stand here."""
    space.until(lambda: READY in space.log)
    lines = space.log.splitlines()
    assert [line for line in lines if line.strip() and not line.startswith(USUAL)] == []
    assert len(lines) >= len(USUAL)
