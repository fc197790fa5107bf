"""The part "Your own set" of the study of related tasks: what it says, and how it is used in a browser."""

from __future__ import annotations

import itertools
import re
import threading
from html import unescape
from pathlib import Path

import pytest

from taskvec_demo.serve.artifacts import read_json
from taskvec_demo.serve.studies.relations.gains import Gain
from taskvec_demo.serve.studies.relations.own_study import OwnStudy
from taskvec_demo.ui.html.own_set import measured_html, ranking_html, unmeasurable_html
from taskvec_demo.ui.studies.own_set import OwnSetHandlers, build_own_set
from tests.support.own_sets import own_zip
from tests.support.page_actions import tab
from tests.support.paths import ROOT

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
TITLES = {"music": "Music genres", "digits": "Spoken <digits>"}


def text(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def ranking(claim: dict, **more) -> str:
    options = {"beyond": (), "notes": (), **more}
    counts = {"train": 10, "validation": 3, "test": 4}
    return ranking_html({"digits": 0.71, "music": 0.4}, TITLES, counts, 0.75, claim=claim, **options)


def a_gain(gain: float, low: float, high: float, p: float, **more) -> Gain:
    n, n_sources, drawn = more.get("n", 40), more.get("n_sources", 20), more.get("drawn", "sources")
    return Gain("own", "digits", 0.5, gain, low, high, p, n, n_sources, drawn, (gain,))


# ---- what it says ---------------------------------------------------------------------------------------------------
def test_beside_a_prediction_stands_what_predictions_are_worth_in_figures_of_the_study():
    claim = {"reached": False, "sure": False, "says": "They are right on 56 % of the pairings."}
    html = text(ranking(claim))
    assert "It is not shown that such predictions work" in html
    assert "They are right on 56 % of the pairings." in html
    assert html.index("not shown") < html.index("Probability that it helps")
    assert "not shown" not in text(ranking({**claim, "reached": True, "sure": True}))


def test_a_ranking_has_its_probabilities_and_names_are_text():
    html = ranking({"reached": False, "sure": True, "says": ""}, beyond=("length of clips",), notes=("<b>note</b>",))
    assert "Spoken <digits> 71 % Music genres 40 %" in text(html)
    assert "75 % of n = 4 test clips (10 train, 3 validation, 4 test)" in text(html)
    assert "unlike every task of the study in: length of clips." in text(html)
    assert "<b>note</b>" not in html
    assert "<digits>" not in html


def test_a_measured_gain_carries_interval_and_n_and_says_whether_it_may_be_chance():
    def said(*figures: float, **more: str) -> str:
        return text(measured_html([a_gain(*figures, **more)], TITLES, 4, 0.1))

    sure = said(0.08, 0.02, 0.15, 0.01)
    assert (
        "50 % alone, 58 % together: +8.0 points (95 % +2.0 to +15.0, n = 40 test clips of 20 sources, 4 seeds)" in sure
    )
    assert "helps beyond chance, on these clips (a test by sign flips gives p = 0.010)" in sure
    assert "gave 10 % of its training clips" in sure
    assert "hurts beyond chance" in said(-0.08, -0.15, -0.02, 0.01)
    assert "The interval holds 0: this may be chance (a test by sign flips gives p = 0.600)" in said(
        0.01, -0.1, 0.1, 0.6
    )
    assert "leaves 0 out, but a test by sign flips gives p = 0.070: this may be chance" in said(0.05, 0.01, 0.1, 0.07)
    assert "n = 40 test clips of 20 sources" in said(0.01, -0.1, 0.1, 0.6)
    assert "draws single clips" in said(0.01, -0.1, 0.1, 0.6, drawn="clips")


def test_a_handful_of_clips_or_clips_that_changed_alike_have_no_interval():
    few = text(measured_html([a_gain(0.5, 0.5, 0.5, 0.02, n=2, n_sources=2, drawn="clips")], TITLES, 4, 0.1))
    assert "(too few clips for an interval, n = 2 test clips" in few
    assert "cannot show that this is more than chance" in few
    assert "95 %" not in few
    assert "(all clips alike, so no interval, n = 40" in text(
        measured_html([a_gain(0.0, 0.0, 0.0, 1.0)], TITLES, 4, 0.1)
    )
    assert measured_html([], TITLES, 4, 0.1) == ""


def test_without_recordings_one_sentence_says_how_to_start_the_app():
    assert unmeasurable_html([], True) == ""
    assert text(unmeasurable_html(["A", "B"], False)).startswith("To measure what a partner really does, start the app")
    assert text(unmeasurable_html(["A", "<B>"], True)).startswith("Of “A”, “<B>” there are no recordings here: start")
    assert "<code>python app.py --data DIR</code>" in unmeasurable_html(["A"], True)


def test_figures_that_do_not_say_how_inputs_were_standardized_have_no_such_part(made_up_relations):
    contents = read_json(made_up_relations / "study.json")
    del contents["inputs"]
    build_own_set(contents, None)  # outside of any page: a component would be an error of gradio


def test_a_set_that_is_no_longer_kept_is_asked_for_again():
    handlers = OwnSetHandlers.__new__(OwnSetHandlers)
    (outputs,) = handlers.measure(None, "digits")
    assert "upload it again" in outputs[1]


# ---- in a browser ---------------------------------------------------------------------------------------------------
def opened(page, url: str) -> None:
    page.goto(url)
    page.get_by_role("button", name="Your own set").press("Enter")
    page.locator("#own-set-file input[type=file]").wait_for(state="attached")


def upload(page, file: Path) -> None:
    page.locator("#own-set-file input[type=file]").set_input_files(file)


def serious(page) -> list[str]:
    if not AXE.is_file():
        return []
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("async () => (await axe.run('#own-set')).violations")
    return [f"{v['id']}: {v['nodes'][0]['target']}" for v in found if v["impact"] in ("serious", "critical")]


@pytest.mark.browser
def test_a_set_is_ranked_measured_and_taken_back(browser, own_set_page, made_up_relations, tmp_path, monkeypatch):
    page = browser.new_page(viewport={"width": 390, "height": 844})
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    opened(page, own_set_page)
    (tmp_path / "broken.zip").write_bytes(b"no zip")
    upload(page, tmp_path / "broken.zip")
    message = page.locator("#own-set-ranking .tv-message")
    assert "broken.zip is no .zip that can be unpacked; accepted is" in message.inner_text()
    assert page.locator("#own-set-measure").is_hidden()
    page.locator("#own-set-file button[aria-label*=lear]").click()
    message.wait_for(state="detached")

    upload(page, own_zip(tmp_path / "mine.zip", clips=12))
    page.locator("[data-table=own-set]").wait_for()
    contents = read_json(made_up_relations / "study.json")
    says = next(c["says"] for c in contents["claims"] if c["name"] == "predicted")
    assert says in message.inner_text()
    ranked = page.locator("[data-table=own-set] tbody th").all_inner_texts()
    assert sorted(ranked) == sorted(t["title"] for t in contents["tasks"])
    assert "there are no recordings here: start the app" in page.locator("#own-set-ranking").inner_text()
    assert page.locator("#own-set-partner input").input_value() == "Spoken digits"  # the only one that is here

    page.get_by_role("button", name="Measure it").click()
    said = page.locator(".tv-own-said")
    said.wait_for()
    assert re.search(
        r"points \(too few clips for an interval, n = \d+ test clips(?: of \d+ sources)?, 4 seeds\)", said.inner_text()
    )
    assert page.locator("[data-table=own-set-measured] tbody tr").count() == 1
    assert page.get_by_role("button", name="Stop").is_disabled()
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    assert serious(page) == []

    stopped, pace = threading.Event(), threading.Event()

    def endless(*asked):
        try:
            for share in itertools.count(0.0, 0.01):
                pace.wait(0.1)
                yield share
        finally:
            stopped.set()

    monkeypatch.setattr(OwnStudy, "measure", endless)
    page.get_by_role("button", name="Measure it").click()
    page.locator("#own-set-measured progress[aria-label*=together]").wait_for()
    page.get_by_role("button", name="Stop").click()
    said.wait_for()  # what was measured before
    assert stopped.wait(20)
    assert page.get_by_role("button", name="Measure it").is_enabled()

    other = browser.new_page()
    opened(other, own_set_page)
    assert other.locator("#own-set-ranking").inner_text() == ""
    assert other.locator("#own-set-measure").is_hidden()
    other.close()

    page.locator("#own-set-file button[aria-label*=lear]").click()
    said.wait_for(state="detached")
    assert page.locator("#own-set-measure").is_hidden()
    assert errors == []
    page.close()


@pytest.mark.browser
def test_it_is_a_closed_disclosure_below_the_map(page):
    page.open()
    tab(page, "Studies")
    page.page.get_by_role("tab", name="Which tasks help each other", exact=True).click()
    head = page.page.get_by_role("button", name="Your own set")
    head.wait_for()
    assert page.page.locator("#own-set-file").is_hidden()
    order = "(id) => document.getElementById(id).getBoundingClientRect().top"
    tops = [page.page.evaluate(order, name) for name in ("relations-study", "own-set", "relations-results")]
    assert tops == sorted(tops)
