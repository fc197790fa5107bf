"""The tab "Studies": which studies it holds, what their numbers are said to carry, and the dial in a browser."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from taskvec_demo.ui.html.speech_music import figures_html, neighbours_html
from taskvec_demo.ui.html.speech_music_results import results_html
from taskvec_demo.ui.html.studies import broken_html
from taskvec_demo.ui.studies import host
from tests.support.page_actions import frames, tab

CLAIM = re.compile(r"<li><span class='tv-claim tv-\w+'>(?:[✓✗] )?([^<]+)</span> <span><b>([^<]+)</b>")


@pytest.fixture(scope="module")
def contents(quick_speech_music) -> dict:
    return json.loads((quick_speech_music / "out" / "study.json").read_text(encoding="utf-8"))


def verdicts(contents: dict) -> dict[str, str]:
    """Claim -> whether it was reached."""
    return {claim: word for word, claim in CLAIM.findall(results_html(contents))}


def figure(value: float, low: float, high: float) -> dict[str, float]:
    return {"value": value, "low": low, "high": high}


# ---- which studies --------------------------------------------------------------------------------------------------
def test_a_study_is_shown_where_its_artifacts_are(tmp_path: Path):
    view = host.STUDIES[0]
    page = SimpleNamespace(workbench=SimpleNamespace(artifacts=SimpleNamespace(studies=tmp_path)))
    assert host.shipped_studies(page) == []
    (tmp_path / view.name).mkdir()
    assert host.shipped_studies(page) == []
    (tmp_path / view.name / view.needs).write_text("{}", encoding="utf-8")
    assert host.shipped_studies(page) == [view]


def test_every_study_has_two_sentences_and_a_paper():
    for view in host.STUDIES:
        assert len(re.findall(r"\.(?: |$)", view.lead)) == 2
        assert view.link.startswith("https://")
        assert "&lt;" in broken_html("<x>")


# ---- what the numbers carry -----------------------------------------------------------------------------------------
def test_claims_are_reached_where_their_figures_say_so(contents):
    good = contents | {
        "ends": {"speech": figure(0.2, 0.1, 0.3), "music": figure(0.06, 0.04, 0.08)},
        "follows": {"speech": figure(0.95, 0.91, 0.99), "music": figure(0.5, 0.2, 0.95)},
        "against_ensemble": {"speech": figure(0, 0, 0), "all": figure(-0.02, -0.04, -0.015)},
    }
    assert list(verdicts(good).values()) == [
        "reached",
        "reached, undecided",
        "reached",
        "not reached, undecided",
        "not reached",
        "measured",
        "measured",
        "measured",
    ]
    bad = good | {"ends": {"speech": figure(0.01, 0.0, 0.02), "music": figure(0.06, 0.055, 0.08)}}
    assert list(verdicts(bad).values())[:2] == ["not reached", "reached"]


def test_every_claim_has_its_n_and_the_tasks_that_differ_are_named(contents):
    one = contents["tasks"][0]
    tested = [dict(m, significant=m["task"] == one["name"], difference=-0.031, p=0.0001) for m in contents["mcnemar"]]
    html = results_html(contents | {"mcnemar": tested})
    assert f"1 differs: {one['title']} −3.1 (p &lt; 0.001, n = {one['clips']['test']} clips of" in html
    assert (html.count("▼"), html.count("▲")) == (2, 1)  # in the lead, and in the cell of the one that differs
    told = [li for li in html.split("<li>")[1:] if "windows" not in li]
    assert all(re.search(r"n = \d", li) for li in told)
    n = sum(t["clips"]["test"] for t in contents["tasks"])
    assert f"{len(contents['tasks'])} tasks, n = {n:,} test answers" in html
    assert all(f"{r['windows']:,} windows" in html for r in contents["cost"] if r["run"] == "ensemble")


def test_every_task_has_a_bar_with_the_marks_of_what_stands_still(contents):
    html = figures_html(contents, "/a b/study.json", "1234")
    assert html.count("class='tv-dial-task ") == len(contents["tasks"])
    assert html.count("data-fixed=") == len(contents["tasks"]) * len(contents["fixed"])
    assert re.findall("data-domain='([a-z]+)'", html) == ["speech", "music", "neutral"]
    assert "108 labelled synthesized clips" in neighbours_html(108, "synthesized")


# ---- in a browser ---------------------------------------------------------------------------------------------------
SHOWN = """() => Object.fromEntries([...document.querySelectorAll(".tv-dial-task")].map((row) =>
  [row.dataset.task, row.querySelector(".tv-num").textContent]))"""
NEAR = "() => [...document.querySelectorAll('.tv-near-row')].map((r) => [r.dataset.index, r.innerText])"
EXACT = "() => document.querySelector('#explore-near .tv-badge').textContent === 'exact'"
RESTS = "() => document.querySelector('.tv-dial').dataset.rest === 'true'"
PLAYED = """() => {
  HTMLMediaElement.prototype.play = function () { window.heard = this.src; return Promise.resolve(); };
}"""


def percents(accuracies: dict[str, list[float]], i: int) -> dict[str, str]:
    return {task: f"{int(100 * values[i] + 0.5)} %" for task, values in accuracies.items()}


@pytest.mark.browser
def test_the_dial_shows_what_was_measured_and_the_neighbours_follow_it(page, contents):
    page.open({"urban": 0.5})
    tab(page, "Studies")
    page.page.wait_for_selector(".tv-dial-figure svg")
    visitor, dial = page.page, page.page.locator(".tv-dial input[name=speech]")
    accuracy, n = contents["dial"]["accuracy"], len(contents["dial"]["speech"])
    dial.focus()
    for i, key in ((n - 1, "End"), (n - 2, "ArrowLeft")):
        visitor.keyboard.press(key)
        visitor.wait_for_function(RESTS)
        assert visitor.evaluate(SHOWN) == percents(accuracy, i)

    # Held between two measured points it is an estimate; at rest it stands on a measured one.
    picture = visitor.locator("figure[data-domain=speech] svg")
    picture.evaluate("(e) => e.scrollIntoView({block: 'center'})")
    area = picture.bounding_box()
    y = area["y"] + area["height"] / 2
    visitor.mouse.move(area["x"] + 0.5 * area["width"], y)
    visitor.mouse.down()
    visitor.mouse.move(area["x"] + 0.3 * area["width"], y)
    frames(page, 2)
    assert visitor.locator("#explore-dial .tv-badge").inner_text() == "between measured points"
    visitor.mouse.up()
    visitor.wait_for_function(RESTS)
    assert visitor.evaluate(SHOWN) in [percents(accuracy, i) for i in range(n)]

    # Both λ by themselves: maps, on whose corner nothing of either vector is left.
    visitor.locator("input[name=unlock]").check()
    visitor.wait_for_selector(".tv-dial-figure .tv-dial-ring")
    for name in ("speech", "music"):
        visitor.locator(f".tv-dial input[name={name}]").focus()
        visitor.keyboard.press("Home")
    visitor.wait_for_function(RESTS)
    assert visitor.evaluate(SHOWN) == {
        task: f"{int(100 * a + 0.5)} %" for task, a in contents["fixed"]["initial"].items()
    }
    visitor.locator("input[name=unlock]").uncheck()

    # The visitor's clip at both ends
    found = []
    for words in ("Music student", "Speech student"):
        visitor.get_by_role("button", name=words).click()
        visitor.locator("#explore-near").scroll_into_view_if_needed()
        visitor.wait_for_function(RESTS)
        visitor.wait_for_function(EXACT)
        found.append(visitor.evaluate(NEAR))
    assert len(found[0]) == 6
    assert found[0] != found[1]
    visitor.evaluate(PLAYED)
    visitor.locator(".tv-near-row button").first.click()
    visitor.wait_for_function("() => window.heard?.startsWith('data:audio/wav;base64,')")

    with visitor.expect_download() as saved:
        visitor.get_by_role("button", name="Save as CSV").click()
    rows = Path(saved.value.path()).read_text(encoding="utf-8").splitlines()
    assert saved.value.suggested_filename == "speech-music.csv"
    assert len(rows) == 1 + len(contents["tasks"])
    assert rows[0].startswith("Task,Domain,n,")
    assert page.errors == []
