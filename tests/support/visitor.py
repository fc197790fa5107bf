"""A visitor of the page: what the page shows, asks of the server and reports as errors.

Fixtures: `new_visitor`, `page`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from tests.support.app_server import AppServer

PATIENCE = 30_000  # ms that one condition may take in the browser: the machine may be busy with something else
QUIET_MS = 300  # without a request: longer than the 250 ms after which a page at rest asks for exact answers
LOST_MS = 20_000  # then an answer will not come: gradio forgets a question that is asked while an event stream ends


@dataclass
class Visitor:
    """One browser context with one page of the app, its requests and its error messages."""

    page: Any
    server: AppServer
    errors: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(PATIENCE)
        self.page.add_init_script(COUNT_QUESTIONS)
        self.page.on("request", self._requested)
        self.page.on("pageerror", lambda e: self.errors.append(f"page error: {e}"))
        self.page.on("console", lambda m: self.errors.append(f"console: {m.text}") if m.type == "error" else None)

    def _requested(self, request: Any) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob", "about") and parts.hostname != "127.0.0.1":
            self.outside.append(request.url)

    def open(self, recipe: dict[str, float] | None = None, **options: str) -> None:
        """Open the page, with a recipe in the address if one is given, and wait until it shows that recipe."""
        query = dict(options)
        if recipe is not None:
            query |= {"ckpt": "tiny-clap", **{k: f"{v:g}" for k, v in recipe.items()}}
        self.page.goto(self.server.url + ("?" + urlencode(query) if query else ""))
        self.page.wait_for_selector("#chart .tv-task", state="attached")
        self.page.wait_for_selector("#lambda-urban input[type=range]", state="attached")
        self.at_rest()
        if recipe is not None:
            self.shows(recipe)
            self.at_rest()

    def at_rest(self) -> None:
        """Wait until every request of the page is answered and no more follow."""
        try:
            self.page.wait_for_function(f"() => {REST}", polling=50)
        except Exception as error:
            raise AssertionError(f"never at rest: {self.page.evaluate('() => window.questions')}") from error

    def shows(self, recipe: dict[str, float]) -> None:
        """Wait until formula and chart both show this recipe."""
        wanted = {name: round(value, 4) for name, value in recipe.items() if value}
        try:
            self.page.wait_for_function(SHOWS, arg=wanted)
        except Exception as error:
            raise AssertionError(f"{wanted} never shown: formula {self.formula}, chart {self.chart}") from error

    @property
    def formula(self) -> dict[str, float]:
        return self.page.evaluate(FORMULA)

    @property
    def chart(self) -> dict[str, float]:
        return self.page.evaluate(CHART)

    @property
    def address(self) -> dict[str, float]:
        """The recipe in the address bar."""
        return self.page.evaluate(f"() => ({READ_QUERY})(location.search)")

    def toasts(self) -> list[str]:
        """Texts of the toasts, which this closes."""
        texts = [t.inner_text() for t in self.page.locator(".toast-body").all()]
        self.page.evaluate("() => document.querySelectorAll('.toast-close').forEach((e) => e.click())")
        self.page.wait_for_selector(".toast-body", state="detached")
        return texts

    def toast(self) -> str:
        """Wait for a toast; its text on one line."""
        self.page.wait_for_selector(".toast-body")
        return " ".join(" ".join(self.toasts()).split())


# Gradio posts a question and reads the answer from an event stream, which it may abort once it has what it wants.
COUNT_QUESTIONS = """(() => {
  const counts = (window.questions = {asked: 0, answered: 0, last: performance.now()});
  const note = (key, n) => { counts[key] += n; if (n) counts.last = performance.now(); };
  const original = window.fetch;
  window.fetch = async (...request) => {
    const url = String(request[0]?.url ?? request[0]);
    if (/\\/run\\/|\\/upload/.test(url)) {
      note("asked", 1);
      try { return await original(...request); } finally { note("answered", 1); }
    }
    if (url.includes("/queue/join")) note("asked", 1);
    const response = await original(...request);
    if (!url.includes("/queue/data")) return response;
    const decoder = new TextDecoder(), end = '"msg":"process_completed"';
    let text = ""; // a message may come in two pieces, cut anywhere
    const count = new TransformStream({transform(chunk, controller) {
      const parts = (text + decoder.decode(chunk, {stream: true})).split(end);
      text = parts.at(-1).slice(1 - end.length);
      note("answered", parts.length - 1);
      controller.enqueue(chunk);
    }});
    return new Response(response.body.pipeThrough(count), response);
  };
})()"""
REST = f"""(() => {{
  const [counts, now] = [window.questions, performance.now()];
  if (document.querySelector("#chart [aria-busy]")) counts.last = now; // the chart is about to ask for exact answers
  const there = document.querySelector("#formula .tv-formula"); // else the page is still loading
  if (counts.asked > counts.answered && now - counts.last > {LOST_MS}) counts.answered = counts.asked;
  return there && counts.asked <= counts.answered && now - counts.last > {QUIET_MS};
}})()"""
READ_QUERY = """(query) => Object.fromEntries([...new URLSearchParams(query)]
  .filter(([k]) => k !== "ckpt" && k[0] !== "_").map(([k, v]) => [k, Number(v)]))"""
FORMULA = """() => Object.fromEntries([...(document.querySelector("#formula")?.textContent ?? "+ 1.0 \u03c4none")
  .matchAll(/([+\u2212]) (\\d+\\.\\d+) \u03c4(\\w+)/g)].map((m) => [m[3], Number(m[2]) * (m[1] === "+" ? 1 : -1)]))"""
CHART = f"""() => ({READ_QUERY})(document.querySelector("#chart [data-query]")?.dataset.query ?? "none=1")"""
SHOWS = f"""(wanted) => {{
  const text = (terms) => JSON.stringify(Object.entries(terms).sort());
  return [({FORMULA})(), ({CHART})()].every((shown) => text(shown) === text(wanted));
}}"""


VIEWPORT = {"width": 1280, "height": 900}


@pytest.fixture
def watched(browser: Any, server: AppServer) -> Iterator[list[Visitor]]:
    """Visitors who may ask nothing of other hosts, as the app may not, which logs no traceback for them."""
    visitors: list[Visitor] = []
    logged = len(server.log)
    yield visitors
    assert [v.outside for v in visitors if v.outside] == [], "the page asked something of another host"
    assert server.outside_requests == ""
    assert server.traceback_since(logged) == ""


@pytest.fixture
def new_visitor(browser: Any, server: AppServer, watched: list[Visitor]) -> Iterator[Any]:
    """new_visitor(**options of the browser context) -> a `Visitor` with a context of its own."""
    visitors: list[Visitor] = []

    def make(**options: Any) -> Visitor:
        context = browser.new_context(**{"viewport": VIEWPORT, **options})
        visitors.append(Visitor(context.new_page(), server))
        watched.append(visitors[-1])
        return visitors[-1]

    yield make
    for visitor in visitors:
        visitor.page.context.close()


@pytest.fixture(scope="session")
def regular(browser: Any, server: AppServer) -> Iterator[Visitor]:
    """A visitor who comes again and again: to load the page into a fresh context takes three times as long."""
    context = browser.new_context(viewport=VIEWPORT)
    yield Visitor(context.new_page(), server)
    context.close()


@pytest.fixture
def page(regular: Visitor, watched: list[Visitor]) -> Iterator[Visitor]:
    """A visitor who has not opened the page yet. Who changes the browser's own settings takes `new_visitor`."""
    watched.append(regular)
    yield regular
    regular.page.unroute_all(behavior="ignoreErrors")
    if regular.page.url.startswith(regular.server.url):
        regular.page.evaluate("() => { localStorage.clear(); sessionStorage.clear(); }")
    regular.page.goto("about:blank")
    regular.page.set_viewport_size(VIEWPORT)
    regular.errors.clear()
    regular.outside.clear()
