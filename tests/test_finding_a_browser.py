"""The browser that the tests drive, and their message if there is none."""

from __future__ import annotations

import sys
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from playwright.sync_api import Error

from tests.support import browsers
from tests.support.browsers import any_browser, candidates, chromium_places, fetched, first_that_starts
from tests.support.paths import ROOT

pytest_plugins = ["pytester"]


@pytest.fixture
def files(tmp_path):
    """files("a", "b") -> their paths; empty files of these names."""

    def make(*names):
        for name in names:
            (tmp_path / name).touch()
        return [str(tmp_path / name) for name in names]

    return make


# ---- finding one ----------------------------------------------------------------------------------------------------
def test_what_is_on_path_comes_first_and_playwrights_own_last(files):
    chrome, chromium, own = files("chrome", "chromium", "own")
    assert candidates([None, chrome, chrome], [PurePosixPath(chromium), PurePosixPath(chrome)], own) == [
        {"executable_path": chrome},
        {"executable_path": chromium},
        {"channel": "chrome"},
        {"channel": "msedge"},
        {},
    ]


def test_what_is_not_there_is_not_tried(tmp_path):
    gone = str(tmp_path / "gone")
    assert candidates([None], [PurePosixPath(gone)], gone) == [{"channel": "chrome"}, {"channel": "msedge"}]


@pytest.mark.parametrize(
    ("system", "environment", "expected"),
    [
        (
            "Linux",
            {},
            [PurePosixPath(p) for p in ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/snap/bin/chromium")],
        ),
        (
            "Darwin",
            {},
            [PurePosixPath(f"{r}/Applications/Chromium.app/Contents/MacOS/Chromium") for r in ("", "/Users/me")],
        ),
        (
            "Windows",
            {
                "LOCALAPPDATA": r"C:\Users\me\AppData\Local",
                "PROGRAMFILES": r"C:\Program Files",
                "PROGRAMFILES(X86)": "",
            },
            [
                PureWindowsPath(r"C:\Users\me\AppData\Local\Chromium\Application\chrome.exe"),
                PureWindowsPath(r"C:\Program Files\Chromium\Application\chrome.exe"),
            ],
        ),
    ],
)
def test_chromium_is_looked_for_where_each_system_installs_it(system, environment, expected):
    assert chromium_places(system, environment, "/Users/me") == expected


def launcher(*starting):
    """launch(**option) that fails for all options but these, and the list of what it was asked."""
    asked = []

    def launch(**option):
        asked.append(option)
        if option not in starting:
            raise Error("it does not start")
        return "a browser"

    return launch, asked


def test_a_browser_that_does_not_start_is_passed_over():
    options = [{"executable_path": "stub"}, {"channel": "chrome"}, {}]
    launch, asked = launcher({"channel": "chrome"}, {})
    assert first_that_starts(options, launch) == "a browser"
    assert asked == options[:2]
    assert first_that_starts(options, launcher()[0]) is None


# ---- fetching one ---------------------------------------------------------------------------------------------------
def python(code):
    return [sys.executable, "-c", code]


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (python("pass"), ""),
        (python("raise SystemExit('Downloading\\nError: no such host\\nFailed')"), "Error: no such host"),
        (python("raise SystemExit('Failed')"), "Failed"),
        (python("raise SystemExit(3)"), "it says nothing"),
        (["no-such-program"], "No such file"),
    ],
)
def test_a_fetch_says_why_it_failed(monkeypatch, command, why):
    monkeypatch.setattr(browsers, "FETCH", command)
    assert (why in fetched()) if why else fetched() == ""


@pytest.fixture
def found_by(monkeypatch):
    """found_by(launch, problem of a fetch) -> (`any_browser`'s answer, what it said), where nothing is installed."""

    def run(launch, problem):
        said = []
        monkeypatch.setattr(browsers, "candidates", lambda *_: [{"channel": "chrome"}])
        monkeypatch.setattr(browsers, "fetched", lambda: problem)
        return any_browser(launch, "own", said.append), said

    return run


def test_playwrights_own_is_fetched_only_where_nothing_starts(found_by):
    assert found_by(launcher({"channel": "chrome"})[0], "not asked for") == (("a browser", ""), [])
    answer, said = found_by(launcher({})[0], "")
    assert answer == ("a browser", "")
    assert len(said) == 1
    assert "python -m playwright install chromium" in said[0]


@pytest.mark.parametrize(
    ("problem", "why"), [("Error: no such host.", "fetched (Error: no such host). To"), ("", "does not start. To")]
)
@pytest.mark.parametrize(("system", "advice"), [("Linux", "apt-get"), ("Darwin", "brew"), ("Windows", "winget")])
def test_where_that_is_impossible_one_sentence_says_how_to_get_one(found_by, monkeypatch, problem, why, system, advice):
    monkeypatch.setattr(browsers.platform, "system", lambda: system)
    (found, text), _ = found_by(launcher()[0], problem)
    assert found is None
    assert why in text
    assert advice in text


# ---- a test run without one -----------------------------------------------------------------------------------------
HIDDEN = """
import sys
from tests.support import browsers

browsers.candidates = lambda *_: []
browsers.FETCH = [sys.executable, "-c", "raise SystemExit('Error: no such host')"]
pytest_plugins = ["tests.support.browsers"]
"""


@pytest.mark.parametrize(("ci", "outcomes"), [("", {"passed": 2, "skipped": 3}), ("true", {"passed": 2, "errors": 3})])
def test_a_run_without_a_browser_skips_with_a_closing_line_and_fails_in_ci(pytester, monkeypatch, ci, outcomes):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("CI", ci)
    pytester.makeconftest(HIDDEN)
    pytester.makepyfile(
        test_one="def test_a(browser): pass\ndef test_b(browser): pass\ndef test_c(): pass",
        test_two="def test_d(browser): pass\ndef test_e(): pass",
    )
    result = pytester.runpytest_subprocess("-q", "--numprocesses=2")
    result.assert_outcomes(**outcomes)
    assert result.ret == (1 if ci else 0)
    verb = "failed" if ci else "skipped"
    result.stdout.fnmatch_lines([f"3 browser tests {verb}: {browsers.NO_BROWSER}*(Error: no such host). To get one: *"])
    assert "fetching playwright's own" in result.stderr.str()  # at once, out of the workers


def test_a_run_that_has_all_it_needs_closes_without_that_line(pytester, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makeconftest(HIDDEN)
    pytester.makepyfile("import pytest\ndef test_a(): pass\ndef test_b(): pytest.skip('no recordings here')")
    result = pytester.runpytest_subprocess("-q")
    result.assert_outcomes(passed=1, skipped=1)
    assert browsers.NO_BROWSER not in result.stdout.str() + result.stderr.str()
