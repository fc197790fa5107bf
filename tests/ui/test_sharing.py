"""A link to the recipe: the address, the page around a frame, the button that copies it."""

from __future__ import annotations

import pytest

from tests.support.page_actions import number, slider

pytestmark = pytest.mark.browser

HEARD = "<script>heard = []; window.postMessage = (message, to) => heard.push([message, to])</script>"
COPIED = "() => document.querySelector('#copy-link').innerText"
NO_CLIPBOARD = "Object.defineProperty(navigator, 'clipboard', {value: undefined})"
# The browser's own way to copy, overheard
OVERHEAR = "addEventListener('copy', () => { window.copied = document.activeElement.value; }, true)"


def test_the_page_around_a_frame_is_told_the_recipe(page):
    """As a Space is shown: what the outer page listens for, and only its host may read it."""
    outer = page.server.url + "outer.html"
    page.page.route(outer, lambda r: r.fulfill(content_type="text/html", body=HEARD + "<iframe src='./'></iframe>"))
    page.page.goto(outer)
    frame = page.page.frame_locator("iframe")
    frame.locator("#chart .tv-task").first.wait_for(state="attached")
    box = frame.locator("#lambda-urban input[type=number]")
    box.wait_for(state="attached")
    box.fill("0.37")
    page.page.wait_for_function("() => heard.some(([{ queryString }]) => /urban=0.37/.test(queryString))")
    messages = [(m["queryString"], to) for m, to in page.page.evaluate("heard") if isinstance(m, dict) and len(m) == 1]
    assert messages[-1][0].startswith("ckpt=tiny-clap&")
    assert {to for _, to in messages} == {"https://huggingface.co"}
    assert page.errors == []


def test_a_page_of_its_own_tells_nobody(new_visitor):
    page = new_visitor()
    page.page.add_init_script("heard = []; window.postMessage = (message, to) => heard.push(message)")
    page.open({"urban": 0.5})
    number(page, "urban").fill("0.37")
    page.shows({"urban": 0.37})
    page.at_rest()
    assert page.address == {"urban": 0.37}
    assert not any("queryString" in message for message in page.page.evaluate("heard"))


def test_the_button_copies_the_link_of_the_recipe(new_visitor):
    visitor = new_visitor(permissions=["clipboard-read", "clipboard-write"])
    visitor.open({"urban": 0.5})
    slider(visitor, "urban").focus()
    visitor.page.keyboard.press("End")
    visitor.page.wait_for_function("() => taskvec.state.recipe.get('urban') === 1")
    visitor.page.locator("#copy-link").click()  # it does not wait for the sliders to rest
    visitor.page.wait_for_function(f"() => ({COPIED})().includes('Copied')")
    link = visitor.page.evaluate("navigator.clipboard.readText()")
    assert link == f"{visitor.server.url}?ckpt=tiny-clap&urban=1"
    visitor.page.wait_for_function(f"() => ({COPIED})() === 'Copy link'")  # said for a moment


def test_where_pages_have_no_clipboard_it_copies_or_shows_the_link(new_visitor):
    """Over http:// from another machine a page has none."""
    page = new_visitor()
    page.page.add_init_script(f"{NO_CLIPBOARD}; {OVERHEAR}")
    page.open({"urban": 0.5})
    page.page.locator("#copy-link").click()
    page.page.wait_for_function(f"() => ({COPIED})().includes('Copied')")
    assert page.page.evaluate("window.copied") == f"{page.server.url}?ckpt=tiny-clap&urban=0.5"
    assert page.page.evaluate("document.activeElement.id") == "copy-link"

    shown = []

    def answer(dialog):
        shown.append(dialog.default_value)
        dialog.dismiss()

    page.page.on("dialog", answer)
    page.page.evaluate("() => { document.execCommand = () => false; }")  # now nothing can be copied
    page.page.locator("#copy-link").click()
    page.page.wait_for_function(f"() => ({COPIED})() === 'Link shown'")
    assert shown == [f"{page.server.url}?ckpt=tiny-clap&urban=0.5"]
