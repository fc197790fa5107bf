"""How the page opens: with its first bars, by a link, by a bad link; and the watch on the network."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from tests.support.app_server import SITECUSTOMIZE
from tests.support.page_actions import one_sentence, slider, tab, tabs

pytestmark = pytest.mark.browser

SOUND = "Your sound"  # the tab


def test_the_page_opens_with_bars_and_without_complaints(page):
    began = time.monotonic()
    page.page.goto(page.server.url)
    page.page.wait_for_selector("#chart .tv-task .tv-ed", timeout=20_000)
    assert time.monotonic() - began < 20  # 1 s on a quiet machine
    assert page.page.locator("#chart .tv-task").count() >= 4
    page.page.wait_for_function("() => document.querySelectorAll('#classes .tv-row').length > 30")  # a part of its own
    page.at_rest()
    assert page.formula == page.chart != {}
    assert page.page.locator("#chart .tv-badge").count() == 1
    assert page.errors == []


# Numbers with a hyphen for a minus sign, in texts and in those for a pointer at rest and for screen readers
HYPHENS = """() => {
  const about = [...document.querySelectorAll("[title], [aria-label]")].flatMap((e) => [e.title, e.ariaLabel]);
  const titles = [...document.querySelectorAll("svg title")].map((e) => e.textContent);
  const boxes = [...document.querySelectorAll(".tv-vector")].map((e) => e.style.getPropertyValue("--tv-lambda"));
  const texts = [document.body.innerText, ...about, ...titles, ...boxes];
  return texts.flatMap((text) => text?.match(/(?:^|[\\s(=≈"])-\\d.*/gm) ?? []);
}"""


def test_every_tab_has_content(page):
    page.open({"urban": -0.9})
    assert tabs(page)[0] == "Classes"
    assert {SOUND, "The paper, replayed", "About"} <= set(tabs(page))
    for name in tabs(page):
        tab(page, name)
        panel = page.page.locator("[role=tabpanel]:visible").first  # that of a study lies in its tab's
        panel.wait_for()
        page.page.wait_for_function(
            "() => [...document.querySelectorAll('[role=tabpanel]')].filter((e) => e.offsetParent).some("
            "(e) => e.innerText.trim().length > 40)"
        )
        page.at_rest()
        assert page.page.evaluate(HYPHENS) == [], name
    assert page.page.locator("#formula").is_visible()
    assert page.errors == []


# ---- recipes in the address -----------------------------------------------------------------------------------------
RECIPES = (
    {},
    {"urban": 0.5, "female_happy": -0.4, "male_happy": 0.4, "female_sad": 0.4},
    {"urban": 0.25, "emotion": -0.6},
)


def test_the_address_carries_the_recipe(page, new_visitor):
    for recipe in RECIPES:
        page.open(recipe)
        assert page.address == recipe
    slider(page, "urban").focus()
    page.page.keyboard.press("ArrowLeft")
    page.at_rest()
    assert page.formula != RECIPES[-1]
    assert page.address == page.formula
    other = new_visitor()
    other.page.goto(page.page.url)
    other.page.wait_for_selector("#chart .tv-task", state="attached")
    other.shows(page.formula)
    assert page.toasts() == other.toasts() == []


BAD_QUERIES = (
    "ckpt=tiny-clap&urban=9",
    "ckpt=another-model&urban=0.5",
    "ckpt=tiny-clap&urban=0.5&pt=" + 64 * "0",
    "ckpt=%3Cimg%20src%3Dx%20onerror%3D%22window.hacked%3D1%22%3E",
)


def test_a_bad_recipe_in_the_address_gives_a_sentence_and_the_default_page(page):
    page.open()
    default = page.formula
    for query in BAD_QUERIES:
        page.page.goto(f"{page.server.url}?{query}")
        text = page.toast()
        assert "link's recipe was not used" in text, query
        assert one_sentence(text), query
        page.at_rest()
        page.shows(default)
        assert page.page.evaluate("window.hacked") is None


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
