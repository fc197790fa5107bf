"""The tab "The paper, replayed": every table renders from what `lab.tables` writes, and says what it shows."""

from __future__ import annotations

import copy
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from taskvec_demo.lab.measuring import shipped_tables as lab_tables
from taskvec_demo.lab.tiny_clap.study import FINE_TUNINGS, TASKS, TINY
from taskvec_demo.ui.html import reported
from taskvec_demo.ui.html.paper import NAMES, load_tables, paper_html
from taskvec_demo.ui.html.paper_figures import addition_verdict, negation_verdict, vectors_verdict
from tests.support.made_up_predictor import MadeUp, random_like


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict:
    folder = tmp_path_factory.mktemp("tables")
    predictor = MadeUp(urban=lambda urban=0.0, **_: max(0.0, 0.6 + 0.5 * urban))
    lab_tables.build_tables(predictor, random_like(), folder)
    return load_tables(folder)


class Balance(HTMLParser):
    """Collects tags that are closed in the wrong order, and the cells of each row."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.rows: list[int] = []
        self.columns: list[set[int]] = []

    def handle_starttag(self, tag, attrs):
        if tag == "table":
            self.columns.append(set())
        if tag in ("td", "th"):
            self.rows[-1] += 1
        if tag == "tr":
            self.rows.append(0)
        if tag != "br":
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        """Parts of an SVG that have nothing inside."""

    def handle_endtag(self, tag):
        if self.open.pop() != tag:
            self.wrong.append(tag)
        if tag == "tr":
            self.columns[-1].add(self.rows.pop())


def parsed(html: str) -> Balance:
    parser = Balance()
    parser.feed(html)
    assert not parser.open
    return parser


def test_every_table_renders_whole(tables: dict) -> None:
    assert set(tables) == set(NAMES)
    html = paper_html(tables, TASKS)
    page = parsed(html)
    assert not page.wrong
    assert [len(c) for c in page.columns] == [1] * 6  # all rows of one width
    assert [c.pop() for c in page.columns] == [4, 4, 4, 1 + len(TASKS), 1 + len(FINE_TUNINGS), 1 + len(TASKS)]
    assert html.count("tv-scroll") == 6  # a phone scrolls the table, not the page
    assert len(set(re.findall("data-table='([^']+)'", html))) == 6
    assert not re.search(r"\bnan\b|None|\{|\}", html)


def test_every_experiment_has_a_verdict_a_figure_and_its_table_behind_a_disclosure(tables: dict) -> None:
    html = paper_html(tables, TASKS)
    sections = html.split("data-experiment='")[1:]
    assert [s.partition("'")[0] for s in sections] == list(NAMES)
    for section in sections:
        assert "tv-finding" in section
        assert re.search("<svg class='tv-tracks'|<table class='tv-heat'", section)
        assert section.index("tv-finding") < section.index("<summary>The table</summary>")
    drawn = re.findall("<svg.*?</svg>", html)
    assert len(drawn) == len(TINY.main) + len(TINY.sums) + 1
    assert all(re.search(r"aria-label='[^']*n = \d+", picture) for picture in drawn)
    assert all("tv-whisker" in picture for picture in drawn)


def test_a_verdict_says_what_its_numbers_say(tables: dict) -> None:
    row = copy.deepcopy(tables["negation"]["rows"][0])
    row["target"] |= {"mcnemar_p": 0.001}
    row["target"]["edited"]["accuracy"] = row["target"]["pretrained"]["accuracy"] / 2
    assert "Music: forgotten (" in negation_verdict(row, "Music")
    row["target"]["edited"]["accuracy"] = 0.6 * row["target"]["pretrained"]["accuracy"]
    assert "Music: weakened (" in negation_verdict(row, "Music")
    row["target"]["mcnemar_p"] = 0.2
    assert "not clearly forgotten" in negation_verdict(row, "Music")
    assert "random" not in negation_verdict(row, "Music")  # what did not happen is not compared with anything
    control = row["control"]
    control["pretrained"]["accuracy"], control["edited"]["accuracy"] = 0.8, 0.76
    assert "control keeps 95 %" in negation_verdict(row, "Music")
    control["edited"]["accuracy"] = 0.72
    assert "control keeps only 90 %" in negation_verdict(row, "Music")
    row["target"]["mcnemar_p"] = 0.001
    for entry in row["random"]:
        entry["target"] |= {"mcnemar_p": 1.0}
    assert "do not do that" in negation_verdict(row, "Music")
    row["random"][0]["target"] |= {"mcnemar_p": 1e-9, "edited": {"accuracy": 0.0, "low": 0.0, "high": 0.1}}
    assert f"in 1 of {len(row['random'])} cases" in negation_verdict(row, "Music")


def test_the_verdicts_on_sums_and_single_vectors(tables: dict) -> None:
    row = copy.deepcopy(tables["addition"]["rows"][0])
    for entry, share in zip(row["tasks"], (0.97, 0.91), strict=True):
        entry["normalized"] = share
    assert "at least 0.91" in addition_verdict(row, None)
    assert "1.02 on average" in addition_verdict(row, {"mean_normalized": 1.02})
    for entry in row["tasks"]:
        entry["normalized"] = None
    assert addition_verdict(row, None) == "No test clip was measured."
    said = vectors_verdict(tables["vectors"] | {"cosines": [[1.0, -0.3], [-0.3, 1.0]]})
    assert "cosine beyond ±0.30" in said


def test_a_reported_figure_has_an_interval_only_with_its_n(tables: dict) -> None:
    music = reported.NEGATION["music"].target["edited"]
    assert (round(music["low"], 3), round(music["high"], 3)) == (0.055, 0.174)
    assert reported.NEGATION["urban"].target["edited"]["low"] is None
    assert "71.8 → <b>50.8 %</b>" in paper_html(tables, TASKS)


def test_a_recipe_of_each_row_can_be_loaded(tables: dict) -> None:
    asked = []

    def load(coefficients: dict, text: str) -> str:
        asked.append(dict(coefficients))
        return f"<button>{text}</button>"

    html = paper_html(tables, TASKS, load)
    rows = [r["coefficients"] for name in NAMES[:3] for r in tables[name]["rows"]]
    rows += [r["coefficients"] for r in tables["negation"]["others"]]
    rows += [{r["vector"]: 1.0} for r in tables["vectors"]["rows"]]
    assert all(row in asked for row in rows)
    assert html.count("<button>") == len(asked) == len(rows)


def test_a_figure_has_n_and_its_interval(tables: dict) -> None:
    html = paper_html(tables, TASKS)
    row = tables["negation"]["rows"][0]
    after, n = row["target"]["edited"], row["target"]["n"]
    shown = (
        f"<b>{100 * after['accuracy']:.1f} %</b> <small>[{100 * after['low']:.1f}, {100 * after['high']:.1f}], n = {n}"
    )
    assert shown in html
    assert f"λ = −{-row['coefficients'][row['vector']]:g}" in html
    assert "83.0 %" in html  # reported
    assert "on validation" in html


def test_the_verdict_on_the_analogy_is_that_of_the_table(tables: dict) -> None:
    assert not tables["analogy"]["works"]
    assert "does not clearly work" in paper_html(tables, TASKS)
    works = copy.deepcopy(tables)
    works["analogy"]["works"] = True
    assert "It works on these clips" in paper_html(works, TASKS)


def test_a_control_that_does_not_hold_is_said(tables: dict) -> None:
    assert "no λ holds the control" not in paper_html(tables, TASKS)
    broken = copy.deepcopy(tables)
    broken["negation"]["rows"][0]["holds_on_validation"] = False
    assert "no λ holds the control" in paper_html(broken, TASKS)
    broken["negation"]["rows"][0]["gradient_ascent"]["training"] = {"holds_on_validation": False}
    assert "no step holds the control" in paper_html(broken, TASKS)


@pytest.mark.parametrize("name", ["negation", "addition"])
def test_rehearsal_is_said_where_vectors_were_rehearsed(tables: dict, name: str) -> None:
    sentence = "to keep their embeddings"
    for rehearsed in ([], ["urban"]):
        html = paper_html({name: tables[name] | {"rehearsed": rehearsed}}, TASKS)
        assert (sentence in html) == bool(rehearsed)


def test_what_the_control_shares_with_the_target_is_set_apart(tables: dict) -> None:
    music, urban = (
        paper_html({"negation": tables["negation"] | {"rows": [r], "others": []}}, TASKS)
        for r in tables["negation"]["rows"]
    )
    assert "without “car horn”, “dog”, “siren”, in both" in urban
    assert "in both" not in music


def test_a_missing_table_is_a_sentence(tables: dict, tmp_path: Path) -> None:
    assert load_tables(tmp_path) == {}
    html = paper_html({}, TASKS)
    assert html.count("has not been measured") == len(NAMES)
    assert not parsed(html).columns
    html = paper_html({"vectors": tables["vectors"]}, TASKS)
    assert "--only negation" in html
    assert "--only vectors" not in html


def test_names_are_escaped(tables: dict) -> None:
    hostile = copy.deepcopy(tables)
    evil = "<script>alert(1)</script>"
    hostile["vectors"]["rows"][0]["vector"] = evil
    hostile["analogy"]["d"] = evil
    hostile["analogy"]["rows"][1]["name"] = evil
    hostile["addition"]["rows"][0]["name"] = evil
    hostile["addition"]["rows"][0]["coefficients"] = {evil: 0.5, "urban": 1.0}
    html = paper_html(hostile, TASKS)
    assert "<script" not in html
    assert html.count("&lt;script") >= 5


def test_clips_that_are_not_there_give_a_dash(tables: dict) -> None:
    empty = copy.deepcopy(tables)
    for row in empty["vectors"]["rows"]:
        for entry in row["tasks"]:
            entry["edited"]["accuracy"], entry["normalized"] = None, None
    empty["vectors"]["cosines"][0][0] = None
    assert "–" in paper_html({"vectors": empty["vectors"]}, TASKS)
