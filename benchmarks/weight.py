"""Bytes that a browser fetches when it opens the page for the first time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from .context import Context
from .measurement import Measurement, Target, measured
from .processes import APP, chromium, serving

TITLE = "Weight of the page"
METHOD = (
    "The real app, opened in headless Chromium with an empty cache until bars, curves and the clip's answers are "
    "there. "
    "Bytes are those on the wire, headers included and as compressed as the server sends them (`encodedDataLength` of "
    "`Network.loadingFinished`); a MB is a million. The largest files follow the sum."
)
LIMIT_MB = 8
LARGEST = 5  # files that are listed
MB = 1e6
LOADED = "() => window.taskvec?.state.tasks && !document.querySelector('.tv-strip[aria-busy]')"
LATE_MS = 3000  # for what the page fetches after it is usable


def run(context: Context) -> Iterator[Measurement]:
    with serving(APP, folder=context.folder) as app, chromium() as browser:
        app.model_open()
        fetched = _fetched(browser, app.url)
    total = sum(size for _, size in fetched) / MB
    yield measured("everything", "MB", [total], target=Target("at most", LIMIT_MB), note=f"{len(fetched)} files")
    for url, size in sorted(fetched, key=lambda one: -one[1])[:LARGEST]:
        name = urlsplit(url).path.rsplit("/", 1)[-1]
        yield measured(name or "the page itself", "MB", [size / MB])


def _fetched(browser: Any, url: str) -> list[tuple[str, int]]:
    """(address, bytes) of every answer that arrived in full."""
    page = browser.new_context().new_page()
    protocol = page.context.new_cdp_session(page)
    protocol.send("Network.enable")
    addresses: dict[str, str] = {}
    sizes: dict[str, int] = {}
    protocol.on("Network.responseReceived", lambda e: addresses.update({e["requestId"]: e["response"]["url"]}))
    protocol.on("Network.loadingFinished", lambda e: sizes.update({e["requestId"]: e["encodedDataLength"]}))
    page.goto(url)
    page.wait_for_function(LOADED)
    page.wait_for_timeout(LATE_MS)
    page.context.close()
    return [(addresses[request], size) for request, size in sizes.items() if request in addresses]
