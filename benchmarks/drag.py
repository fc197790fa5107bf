"""Time from a moving pointer on a slider until the bars are painted, in headless Chromium, against gr.Plot. Curves, map
and the clip's answer are in view meanwhile."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .context import Context
from .measurement import Measurement, Peer, Target, measured, median
from .processes import APP, async_chromium, serving

TITLE = "Slider to paint"
METHOD = (
    "The real app in headless Chromium at 60 frames a second, with the bars, the curves, the map of λ and the strip of "
    "the clip in view, all of which follow. *Pointer*: the mouse is pressed on a slider and moved "
    "back and forth, 120 steps a second by the clock, as a mouse reports, whether the page keeps up or not; the "
    "browser merges some. Times are Chromium's own (`EventLatency` of its trace): from the step of the mouse to the "
    "screen that shows the frame it led to; updates are such frames. The bars are drawn in the frame that takes the "
    "step, which the page's clock checks. *Script*: the page itself sends `input` events in every frame, without "
    "waiting; the page follows each to the end of the frame after the one that painted the bars, and updates are the "
    "different values drawn. The peer redraws as many bars by `gr.Plot` from the server; both are compared by the "
    "page's clock, which a pointer under way makes late. A first short drag, with the server still warming up, is not "
    "counted. 120 ms are added to every request by the browser's own emulation."
)
LIMIT_MS, P95_LIMIT_MS, RATE_LIMIT, LATENCY_LIMIT = 40, 50, 55, 1.1
LATENCY_MS = 120
HZ = 120  # steps of the pointer a second
FRAMES_A_SECOND = 60
LOW, HIGH, PERIOD = 0.05, 0.95, 1.5  # of the slider's range; seconds there and back
PLOT_PEER = str(Path(__file__).with_name("plot_peer.py"))
VIEW = {"width": 1280, "height": 1600}  # px: the first screen, the map below it, and the strip


@dataclass(frozen=True)
class Place:
    """A page with a slider and a chart: CSS selectors, and JavaScript for the λ that the chart shows.

    `tab` is opened first; what `in_view` selects must lie inside the window.
    """

    url: str
    slider: str
    chart: str
    shown: str
    ready: str
    tab: str = ""
    in_view: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pace:
    """ms from an input to the paint of its value; how many were painted a second."""

    delays: list[float]
    rate: float


@dataclass(frozen=True)
class Drag:
    """The times of one drag by the page's own clock, and for a pointer by Chromium's trace too."""

    page: Pace
    drawing: list[float]  # ms from an input to the new bars, not painted yet
    screen: Pace | None
    asked: float  # inputs a second
    last_is_sliders: bool

    @property
    def pace(self) -> Pace:
        return self.screen or self.page


LISTEN = """addEventListener("input", (e) => {
  if (e.target.matches(SLIDER)) (window.inputs ??= []).push([performance.now(), Number(e.target.value)]);
}, true);"""  # before any script of the page: it may draw as soon as it hears of the event
RECORD = """([chart, shown]) => {
  const read = new Function(`return ${shown}`);
  const seen = window.dragged = {inputs: window.inputs = [], updates: []};
  let last = read();
  let [changed, painted] = [[], []]; // since the last frame; in it
  new MutationObserver(() => {
    const value = read();
    if (value === last) return;
    last = value;
    const update = [performance.now(), value, null];
    seen.updates.push(update);
    changed.push(update);
  }).observe(document.querySelector(chart), {attributes: true, childList: true, subtree: true, characterData: true});
  requestAnimationFrame(function frame() {
    requestAnimationFrame(frame);
    setTimeout(() => { // after this frame's layout and paint
      for (const update of painted) update[2] = performance.now();
      [changed, painted] = [[], changed];
    }, 0);
  });
}"""
SCRIPT = """async ([slider, values]) => {
  const range = document.querySelector(slider);
  for (const value of values) {
    await new Promise(requestAnimationFrame);
    range.value = value;
    range.dispatchEvent(new Event("input", {bubbles: true}));
  }
  range.dispatchEvent(new Event("change", {bubbles: true}));
  range.dispatchEvent(new PointerEvent("pointerup", {bubbles: true}));
}"""
TRACE_CATEGORY, LAST_STAGE = "input.scrolling", "SubmitCompositorFrameToPresentationCompositorFrame"
CAUGHT_UP = "([slider, shown]) => new Function(`return ${shown}`)() === Number(document.querySelector(slider).value)"
IN_VIEW = """(selectors) => selectors.every((selector) => {
  const area = document.querySelector(selector)?.getBoundingClientRect();
  return area?.width && area.top >= 0 && area.bottom <= innerHeight;
})"""
FRAMES = """async () => {
  const at = [];
  for (let i = 0; i < 60; i++) at.push(await new Promise(requestAnimationFrame));
  return at.slice(1).map((t, i) => t - at[i]);
}"""


def run(context: Context) -> list[Measurement]:
    return asyncio.run(_measure(context.folder, 90 if context.quick else 450))


async def _measure(folder: Path, n: int) -> list[Measurement]:
    async with async_chromium() as browser:
        page = await browser.new_page(viewport=VIEW)
        frame = Peer("frame of this browser", median(await page.evaluate(FRAMES)), "times")
        await page.close()
        with serving(APP, folder=folder) as app:
            app.model_open()
            place = Place(
                app.url + "?ckpt=tiny-clap&urban=0.5",
                "#lambda-urban input[type=range]",
                "#chart",
                "Number(new URLSearchParams(document.querySelector('#chart [data-query]').dataset.query).get('urban'))",
                "() => window.taskvec?.state.tasks && !document.querySelector('#chart [aria-busy]')",
                "Explore",
                ("#chart .tv-tasks", "#curve svg", "#strip", ".tv-map[aria-busy=false] svg"),
            )
            ours = await _drags(browser, place, n)
            async with _page(browser, place) as page:
                bars = await page.locator("#chart .tv-task:visible").count()
        with serving(PLOT_PEER, "--bars", str(bars), folder=folder) as plot:
            place = Place(
                plot.url,
                "#peer-slider input[type=range]",
                "#peer-plot",
                "Number(document.querySelector('#peer-plot .gtitle')?.textContent)",
                "() => document.querySelector('#peer-plot .gtitle')",
            )
            theirs = await _drags(browser, place, n)
    return list(_figures(ours, theirs, frame, bars))


async def _drags(browser: Any, place: Place, n: int) -> dict[tuple[str, int], Drag]:
    """(how, latency) -> a drag of `n` frames on a page of its own."""
    await _drag(browser, place, "pointer", 0, FRAMES_A_SECOND)
    ways = itertools.product(("pointer", "script"), (0, LATENCY_MS))
    return {(how, ms): await _drag(browser, place, how, ms, n) for how, ms in ways}


@asynccontextmanager
async def _page(browser: Any, place: Place) -> AsyncIterator[Any]:
    context = await browser.new_context(viewport=VIEW)
    page = await context.new_page()
    await page.add_init_script(LISTEN.replace("SLIDER", json.dumps(place.slider)))
    await page.goto(place.url)
    await page.wait_for_function(place.ready)
    await page.wait_for_selector(place.slider)
    if place.tab:
        await page.get_by_role("tab", name=place.tab, exact=True).click()
    await page.wait_for_function(IN_VIEW, arg=list(place.in_view))
    await page.wait_for_timeout(1500)  # the work of the page on opening is not part of a drag
    yield page
    await context.close()


async def _drag(browser: Any, place: Place, how: str, latency: int, n: int) -> Drag:
    async with _page(browser, place) as page:
        if latency:
            protocol = await page.context.new_cdp_session(page)
            await protocol.send("Network.enable")
            slow = {"offline": False, "latency": latency, "downloadThroughput": -1, "uploadThroughput": -1}
            await protocol.send("Network.emulateNetworkConditions", slow)
        await page.evaluate(RECORD, [place.chart, place.shown])
        screen = None
        if how == "script":
            await page.evaluate(SCRIPT, [place.slider, [f"{share:.2f}" for share in _shares(n)]])
        else:
            await browser.start_tracing(page=page, categories=[TRACE_CATEGORY])
            await _move(page, place, n * HZ // FRAMES_A_SECOND)
            screen = _on_screen(json.loads(await browser.stop_tracing())["traceEvents"])
        last_is_sliders = await _catches_up(page, place)
        seen = await page.evaluate("window.dragged")
    return _judge(seen["inputs"], seen["updates"], screen, last_is_sliders)


def _shares(n: int, hz: int = FRAMES_A_SECOND) -> np.ndarray:
    """The place of the pointer in the slider's range at each of `n` steps back and forth, with `hz` steps a second."""
    seconds = np.arange(1, n + 1) / hz
    return LOW + (HIGH - LOW) * (1 - np.abs(1 - 2 * (seconds % PERIOD) / PERIOD))


async def _move(page: Any, place: Place, n: int) -> None:
    """Press, move back and forth for `n` steps, release.

    No step waits until the page has handled the last one. A mouse does not wait either, and with waiting the page would
    set the pace.
    """
    slider = page.locator(place.slider)
    await slider.scroll_into_view_if_needed()
    area = await slider.bounding_box()
    y = area["y"] + area["height"] / 2
    await page.mouse.move(area["x"] + area["width"] * LOW, y)
    await page.mouse.down()
    protocol, sent = await page.context.new_cdp_session(page), []
    begun = time.perf_counter()
    for i, share in enumerate(_shares(n, HZ), start=1):
        await asyncio.sleep(max(0.0, begun + i / HZ - time.perf_counter()))
        at = {"type": "mouseMoved", "x": area["x"] + area["width"] * share, "y": y, "button": "left", "buttons": 1}
        sent.append(asyncio.create_task(protocol.send("Input.dispatchMouseEvent", at)))
    await asyncio.gather(*sent)
    await page.mouse.up()


async def _catches_up(page: Any, place: Place) -> bool:
    """Whether the chart shows the slider's value in the end, and still does a second later."""
    from playwright.async_api import TimeoutError as TooLate

    wanted = [place.slider, place.shown]
    try:
        await page.wait_for_function(CAUGHT_UP, arg=wanted, timeout=15_000)
    except TooLate:
        return False
    await page.wait_for_timeout(1000)
    return bool(await page.evaluate(CAUGHT_UP, wanted))


def _on_screen(events: list[dict[str, Any]]) -> Pace:
    """The steps of a pointer whose frame came to the screen, of a trace's events. Chromium writes each step as an
    interval that ends there, and its stages by the same id; steps that it merged into later ones have no last stage."""
    under_way: dict[tuple[str, str], float] = {}  # by id, which a later step may have again
    begun, delays, frames = [], [], set()
    for event in sorted(events, key=lambda event: event.get("ts", 0)):
        step, ms = (str(event.get("id") or event.get("id2")), str(event["pid"])), event.get("ts", 0) / 1000
        if event["name"] == "EventLatency" and event["ph"] == "b":
            under_way.pop(step, None)
            if event["args"]["event_latency"]["event_type"] == "MOUSE_DRAGGED":
                under_way[step] = ms
                begun.append(ms)
        elif event["name"] == LAST_STAGE and event["ph"] == "e" and step in under_way:
            delays.append(ms - under_way.pop(step))
            frames.add(ms)
    return Pace(delays, len(frames) / ((begun[-1] - begun[0]) / 1000))


def _judge(inputs: list[list[float]], updates: list[list[Any]], screen: Pace | None, last_is_sliders: bool) -> Drag:
    """`inputs` are (ms, value), `updates` (ms, value, painted ms), both in order of time."""
    delays, drawing = [], []
    for at, value, painted in updates:
        asked = [t for t, v in inputs if v == value and t <= at]
        if asked and painted is not None:
            delays.append(painted - asked[-1])
            drawing.append(at - asked[-1])
    seconds = (inputs[-1][0] - inputs[0][0]) / 1000
    while_dragging = sum(at <= inputs[-1][0] for at, *_ in updates)
    return Drag(Pace(delays, while_dragging / seconds), drawing, screen, len(inputs) / seconds, last_is_sliders)


def _figures(
    ours: dict[tuple[str, int], Drag], theirs: dict[tuple[str, int], Drag], frame: Peer, bars: int
) -> Iterator[Measurement]:
    for (how, latency), drag in ours.items():
        network = f", {latency} ms latency" if latency else ""
        what, plot, pace = f"{how}{network}", theirs[how, latency], drag.pace
        note = f"{bars} bars; last value {'is' if drag.last_is_sliders else 'IS NOT'} the slider's"
        yield measured(f"{what}: input to paint", "ms", pace.delays, peer=frame, target=Target("at most", LIMIT_MS))
        p95 = [float(np.percentile(pace.delays, 95))]
        yield measured(f"{what}: 95th percentile", "ms", p95, target=Target("at most", P95_LIMIT_MS), note=note)
        if drag.screen:
            yield measured(f"{what}: input to new bars, before their paint", "ms", drag.drawing, peer=frame)
        slow = Peer("gr.Plot", median(plot.page.delays))
        yield measured(f"{what}: input to paint, by the page's clock", "ms", drag.page.delays, peer=slow)
        limit = Target("at least", RATE_LIMIT)
        rate = f"{what}: updates at {drag.asked:.0f} inputs/s"
        yield measured(rate, "a second", [pace.rate], target=limit, note=f"gr.Plot: {plot.page.rate:.1f} a second")
        if latency:
            quick = Peer("without latency", median(ours[how, 0].pace.delays), "times")
            yield measured(
                f"{what}: input to paint",
                "ms",
                pace.delays,
                peer=quick,
                target=Target("at most", LATENCY_LIMIT, "ratio"),
            )
    right = [float(np.mean([100 * drag.last_is_sliders for drag in ours.values()]))]
    yield measured("drags whose last shown value is the slider's", "%", right, target=Target("at least", 100))
