"""Actions of a visitor on the page with mouse and keyboard, and what can be read there."""

from __future__ import annotations

import re

from tests.support.visitor import CHART, FORMULA, PATIENCE

SIDES = ("before", "after")
READ_LABELS = """(side) => Object.fromEntries([...document.querySelectorAll(`.tv-labels tbody tr`)].map((row) => [
  row.querySelector("th").textContent, row.querySelector(`.tv-cell-${side} b`).textContent.replace(/\\s/g, "")]))"""
WATCH = f"""() => {{
  window.seen = {{formula: new Set(), chart: new Set()}};
  const look = () => {{
    window.seen.formula.add(JSON.stringify(({FORMULA})()));
    window.seen.chart.add(JSON.stringify(({CHART})()));
  }};
  window.watcher = new MutationObserver(look);
  for (const id of ["formula", "chart"])
    window.watcher.observe(document.getElementById(id), {{childList: true, subtree: true, characterData: true}});
}}"""
SEEN = "() => { window.watcher.disconnect(); return [window.seen.formula.size, window.seen.chart.size]; }"
READ_TILES = """() => Object.fromEntries([...document.querySelectorAll("#chart .tv-task")].filter((t) => !t.hidden)
  .map((t) => [t.dataset.task, t.innerText.replaceAll("\\n", " ")]))"""
READ_STRIP = """() => Object.fromEntries(["clip-name", "before", "after", "badge"].map((part) => [
  part, document.querySelector(`.tv-strip .tv-${part}`).textContent]))"""
BAND = """(name) => getComputedStyle(document.querySelector(`#lambda-${name} input[type=range]`))
  .getPropertyValue("--tv-safe") || 'none'"""


def slider(visitor, name):
    return visitor.page.locator(f"#lambda-{name} input[type=range]")


def number(visitor, name):
    return visitor.page.locator(f"#lambda-{name} input[type=number]")


def value(visitor, name):
    return float(slider(visitor, name).input_value())


def box(visitor, element):
    return visitor.page.locator(f"#{element} input[type=checkbox]")


def frames(visitor, n=1):
    """Let the page draw `n` frames."""
    visitor.page.evaluate("async (n) => { for (; n > 0; n--) await new Promise(requestAnimationFrame); }", n)


def steps(visitor, name, start, end, n=25):
    """Press the mouse on a slider and move it in `n` steps, a frame each; the button stays down."""
    target = slider(visitor, name)
    target.scroll_into_view_if_needed()
    area = target.bounding_box()
    y = area["y"] + area["height"] / 2
    visitor.page.mouse.move(area["x"] + area["width"] * start, y)
    visitor.page.mouse.down()
    for i in range(1, n + 1):
        visitor.page.mouse.move(area["x"] + area["width"] * (start + (end - start) * i / n), y)
        frames(visitor)
        yield i


def hold(visitor, name, start, end, n=25):
    """All of these steps."""
    for _ in steps(visitor, name, start, end, n):
        pass


def drag(visitor, name, start, end, n=25):
    hold(visitor, name, start, end, n)
    visitor.page.mouse.up()


def finger(visitor, picture, aside, along):
    """Put a finger on the first such picture, move it by so many px, a frame each, and lift it. Waits for the page to
    scroll if it goes up.
    """
    page = visitor.page
    page.locator(picture).first.scroll_into_view_if_needed()
    area = page.locator(picture).first.bounding_box()
    x, y, n = area["x"] + area["width"] * 0.3, area["y"] + area["height"] / 2, 12
    top = page.evaluate("scrollY")
    devtools = page.context.new_cdp_session(page)
    for i in range(n + 1):
        there = {"x": x + aside * i / n, "y": y + along * i / n}
        kind = "touchMove" if i else "touchStart"
        devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [there]})
        frames(visitor)
    devtools.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    if along < 0:
        page.wait_for_function("(top) => scrollY > top", arg=top)
    frames(visitor, 3)


def can(visitor, tool):
    """Whether a button such as undo has something to do."""
    return visitor.page.locator(f"#{tool}").get_attribute("aria-disabled") == "false"


def choose(visitor, element, option):
    visitor.page.locator(f"#{element} input").click()
    visitor.page.get_by_role("option", name=option, exact=True).click()


def tabs(visitor):
    """Names of the tabs in view."""
    return [t.inner_text() for t in visitor.page.get_by_role("tab").all() if t.is_visible()]


def tab(visitor, name):
    visitor.page.get_by_role("tab", name=name, exact=True).locator("visible=true").click()


def labels_of(visitor):
    return {side: visitor.page.evaluate(READ_LABELS, side) for side in SIDES}


def strip_of(visitor):
    """The strip's clip, answers and badge."""
    return visitor.page.evaluate(READ_STRIP)


def difference(visitor):
    return visitor.page.locator("#difference").inner_text()


def changed(visitor, before):
    """Wait until the explanation below the clip is no longer `before`, then for everything else."""
    visitor.page.wait_for_function(
        "(old) => document.querySelector('#difference').innerText !== old", arg=before, timeout=PATIENCE
    )
    visitor.at_rest()
    return labels_of(visitor)


def open_clip(visitor):
    """Open the panel of the strip in which another clip is chosen."""
    if visitor.page.locator(".tv-clip-button").get_attribute("aria-expanded") != "true":
        visitor.page.locator(".tv-clip-button").click()


def clear(visitor):
    open_clip(visitor)
    if visitor.page.locator("#clip button[aria-label='Clear']").count():
        visitor.page.locator("#clip button[aria-label='Clear']").first.click()
        visitor.page.wait_for_selector("#clip input[type=file]", state="attached")
        visitor.at_rest()


def upload(visitor, path):
    clear(visitor)
    visitor.page.locator("#clip input[type=file]").set_input_files(str(path))


def complete(labels):
    """Both sides show percentages over at least two labels."""
    return all(len(p) >= 2 and all(re.fullmatch(r"\d+%", x) for x in p.values()) for p in labels.values())


def one_sentence(text):
    return re.search(r"[A-Z].*\.", text) and "Traceback" not in text and "Error:" not in text
