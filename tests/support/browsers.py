"""The browser that the tests drive: any Chromium, Chrome or Edge of this machine, else playwright's own.

A pytest plugin. The fixture `browser` tries what it finds until one starts, and fetches playwright's own where nothing
did. Where that is impossible too, the tests that need a browser are skipped, and the closing lines say how to get one.
With CI=true in the environment they fail instead, because nobody reads the closing lines there.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge", "msedge")
CHANNELS = ("chrome", "msedge")  # playwright knows where their installers put them on each system
FETCH = [sys.executable, "-m", "playwright", "install", "chromium"]
FETCH_SECONDS = 900  # of about 200 MB
NO_BROWSER = "no Chromium, Chrome or Edge starts on this machine"
ADVICE = {
    "Linux": "`apt-get install chromium`, or `python -m playwright install --with-deps chromium`",
    "Darwin": "`brew install --cask google-chrome`, or `python -m playwright install chromium`",
    "Windows": "`winget install Google.Chrome`, or `python -m playwright install chromium`",
}
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--metrics-recording-only",
    "--disable-domain-reliability",
    "--disable-features=Translate,OptimizationHints,MediaRouter,InterestFeedContentSuggestions",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]


# ---- finding one ----------------------------------------------------------------------------------------------------
def chromium_places(system: str, environment: Mapping[str, str], home: str) -> list[PurePath]:
    """Where Chromium lies when it is not on PATH. Chrome's and Edge's places are playwright's business: `CHANNELS`."""
    if system == "Darwin":
        return [PurePosixPath(f"{root}/Applications/Chromium.app/Contents/MacOS/Chromium") for root in ("", home)]
    if system == "Windows":
        roots = [environment[k] for k in ("LOCALAPPDATA", "PROGRAMFILES", "PROGRAMFILES(X86)") if environment.get(k)]
        return [PureWindowsPath(root, "Chromium", "Application", "chrome.exe") for root in roots]
    return [PurePosixPath(path) for path in ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/snap/bin/chromium")]


def candidates(on_path: Iterable[str | None], places: Iterable[PurePath], own: str) -> list[dict[str, str]]:
    """Options of playwright's `launch`, in the order to try: PATH, Chromium's places, the channels, playwright's own.

    `on_path` are the paths of `NAMES`, None for what is not there; of `places` and `own` only files that exist count.
    """
    files = [*(path for path in on_path if path), *(str(place) for place in places if Path(place).is_file())]
    options = [{"executable_path": path} for path in dict.fromkeys(files)]
    options += [{"channel": channel} for channel in CHANNELS]
    return options + [{}] * Path(own).is_file()


def first_that_starts(options: Iterable[dict[str, str]], launch: Callable[..., Any]) -> Any:
    """The result of `launch(**option)` for the first option with which it does not fail, or None.

    A file that is there need not start. For example, Ubuntu's `chromium-browser` only says how to install a snap.
    """
    from playwright.sync_api import Error

    for option in options:
        try:
            return launch(**option)
        except Error:
            continue
    return None


def fetched() -> str:
    """Fetch playwright's own Chromium. Returns an empty text, or why that failed."""
    try:
        done = subprocess.run(
            FETCH,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=FETCH_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return ""
    said = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    return next((line for line in said if line.startswith("Error:")), said[-1] if said else "it says nothing")


def any_browser(launch: Callable[..., Any], own: str, say: Callable[[str], None]) -> tuple[Any, str]:
    """A running browser and no text, or None and one sentence that says what was tried."""
    system = platform.system()
    places = chromium_places(system, os.environ, os.path.expanduser("~"))
    found = first_that_starts(candidates(map(shutil.which, NAMES), places, own), launch)
    if found:
        return found, ""
    say(f"{NO_BROWSER}: fetching playwright's own, about 200 MB, by `python -m playwright install chromium` ...")
    problem = fetched()
    found = None if problem else first_that_starts([{}], launch)
    if found:
        return found, ""
    advice = ADVICE.get(system, ADVICE["Linux"])
    why = f"could not be fetched ({problem.rstrip('.')})" if problem else "does not start"
    return None, f"{NO_BROWSER}, and playwright's own {why}. To get one: {advice}."


# ---- in pytest ------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="session")
def browser(pytestconfig: pytest.Config) -> Iterator[Any]:
    """A headless browser with a made-up microphone, unable to resolve any host but this machine."""
    from playwright.sync_api import sync_playwright

    def say(text: str) -> None:
        """Write to the terminal at once.

        The standard error of a worker is that of the terminal, if it is not captured.
        """
        with pytestconfig.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            print(f"\n{text}", file=sys.stderr, flush=True)

    with sync_playwright() as driver:
        chromium = driver.chromium
        found, problem = any_browser(
            lambda **options: chromium.launch(headless=True, args=ARGUMENTS, **options), chromium.executable_path, say
        )
        if problem:
            if os.environ.get("CI") == "true":
                pytest.fail(problem, pytrace=False)
            pytest.skip(problem)
        yield found
        found.close()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say how to get a browser if tests were skipped, or failed, for want of one."""
    for outcome, verb in (("skipped", "skipped"), ("error", "failed")):
        reports = terminalreporter.stats.get(outcome, [])
        reasons = [r.longrepr[2] if isinstance(r.longrepr, tuple) else str(r.longrepr) for r in reports]
        wanting = [reason[reason.index(NO_BROWSER) :].splitlines()[0] for reason in reasons if NO_BROWSER in reason]
        if wanting:
            tests = "1 browser test" if len(wanting) == 1 else f"{len(wanting)} browser tests"
            terminalreporter.write_line(f"{tests} {verb}: {wanting[0]}", yellow=True)
