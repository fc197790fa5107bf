"""The view of the related tasks: the heat map in the browser on made-up figures, and what stands below it."""

from __future__ import annotations

import csv
import math
import re
from html import unescape

import numpy as np
import pytest

from taskvec_demo.serve.artifacts import read_json
from taskvec_demo.ui.html.relations import relations_html
from taskvec_demo.ui.html.relations_results import results_html
from tests.support.page_actions import tab


@pytest.fixture
def contents(made_up_relations):
    return read_json(made_up_relations / "study.json")


# ---- the HTML -------------------------------------------------------------------------------------------------------
def test_switches_offer_what_was_measured_and_the_rest_is_named(contents):
    html = relations_html(contents, "/a b/x'y.json", "12")
    assert re.findall(r"name='matrix' value='([^']+)'", html) == ["mlp", "cnn", "sum", "disentanglement"]
    assert re.findall(r"name='fraction' value='([^']+)'", html) == ["0.1", "1"]
    assert "data-file='/a b/x&#x27;y.json'" in html
    assert "not measured here" not in html
    joint = {**contents, "matrices": [m for m in contents["matrices"] if "alone" in m]}
    assert "not measured here" in relations_html(joint, "/a", "1")


def test_answers_claims_and_tables_carry_their_figures(contents):
    html = unescape(results_html(contents))
    for entry in contents["answers"]:
        assert all(entry[part] in html for part in ("question", "answer", "says"))
    for claim in contents["claims"]:
        assert f"<b>{claim['claim']}</b> {claim['says']}" in html
    assert f"{100 * contents['predictors']['majority']['accuracy']:.0f} %</td><td>–" in html
    aucs = [float(a) for a in re.findall(r"</span><b>(\d\.\d\d)</b>", html)]
    assert aucs == sorted(aucs, reverse=True)
    assert len(aucs) == len(contents["predictors"]["single"]) + 2  # all together, and the majority
    triples = html.split("data-table='relations-triples'")[1]
    assert triples.count("; one by one ") == len(contents["triples"])
    assert triples.count("<tr><th scope='row'>") == len(contents["tasks"])


def test_names_are_text_and_never_markup(contents):
    for entry in (contents["tasks"][0], *contents["matrices"]):
        entry["title"] = "<b>bold</b>"
    contents["answers"][0]["says"] = contents["claims"][0]["says"] = "<b>bold</b>"
    for html in (relations_html(contents, "/a", "1"), results_html(contents)):
        assert "<b>bold</b>" not in html
        assert "&lt;b&gt;bold&lt;/b&gt;" in html


# ---- in a browser ---------------------------------------------------------------------------------------------------
SHOWN = """() => [...document.querySelectorAll('.tv-relations-grid tbody tr')].map((row) =>
  [...row.querySelectorAll('td')].map((cell) => cell.innerText))"""
PALE = "() => document.querySelectorAll('.tv-relations-grid .tv-pale').length"
OPEN = "() => document.querySelector('.tv-relations-grid [aria-selected=true]').getAttribute('aria-label')"


def open_study(visitor):
    tab(visitor, "Studies")
    visitor.page.get_by_role("tab", name="Which tasks help each other", exact=True).click()
    place = visitor.page.locator("#relations-study")
    place.locator("td[aria-selected=true]").wait_for()
    return place


def values(matrix: dict) -> list[list[float]]:
    """The numbers of the cells, row by row: points, or errors; on the diagonal percent alone, or nan."""
    names = [task["name"] for task in matrix["tasks"]]
    cells = {(c["task"], c["partner"]): c for c in matrix["cells"]}
    alone = {c["task"]: 100 * c["alone"] for c in matrix["cells"] if "alone" in c}

    def value(task: str, partner: str) -> float:
        if task == partner:
            return alone.get(task, math.nan)
        return 100 * cells[task, partner]["gain"] if matrix["measure"] == "gain" else cells[task, partner]["error"]

    return [[value(task, partner) for partner in names] for task in names]


def read(text: str) -> float:
    """The number of a cell; a gain has its sign."""
    assert re.fullmatch(r"|0\.0|[+−]\d+\.\d|\d\.\d\d|\d+ %", text), text
    return float(text.replace("−", "-").removesuffix(" %")) if text else math.nan


@pytest.mark.browser
def test_switches_show_every_matrix_and_a_cell_opens_its_curves(page, contents, tmp_path):
    page.open()
    place = open_study(page)
    measured = {(m["name"], m["fraction"]): m for m in contents["matrices"]}
    for name, share in (("mlp", "1"), ("cnn", None), ("sum", None), ("disentanglement", None), ("mlp", "0.1")):
        place.locator(f"input[name=matrix][value={name}]").check()
        if share:
            place.locator(f"input[name=fraction][value='{share}']").check()
        matrix = measured[name, float(place.locator("input[name=fraction]:checked").get_attribute("value"))]
        shown = np.array([[read(text) for text in row] for row in page.page.evaluate(SHOWN)])
        off_diagonal = ~np.eye(len(shown), dtype=bool)
        rounding = 0.051 if matrix["measure"] == "gain" else 0.0051
        assert shown[off_diagonal] == pytest.approx(np.array(values(matrix))[off_diagonal], abs=rounding), name
        assert shown.diagonal() == pytest.approx(np.array(values(matrix)).diagonal(), abs=0.51, nan_ok=True)
        zero = sum(c["low"] <= 0 <= c["high"] for c in matrix["cells"]) if matrix["measure"] == "gain" else 0
        assert page.page.evaluate(PALE) == zero
        assert place.locator(".tv-pairing-curves svg").count() == ("curves" in matrix)
        disabled = [place.locator(f"input[name=fraction][value='{s}']").is_disabled() for s in ("0.1", "1")]
        assert disabled == [(name, 0.1) not in measured, (name, 1.0) not in measured]

    first = measured["mlp", 0.1]
    a, b, c = (task["title"] for task in first["tasks"][:3])
    place.locator(".tv-relations-grid tbody tr").first.locator("td").nth(1).click()
    assert place.locator(".tv-pairing h4").inner_text() == f"{a} with {b}"
    cell = next(x for x in first["cells"] if [x["task"], x["partner"]] == [t["name"] for t in first["tasks"][:2]])
    said = place.locator(".tv-pairing-said").inner_text()
    assert f"n = {cell['n_clips']} test clips of {cell['n_sources']} sources, {contents['seeds']} seeds" in said
    assert place.locator(".tv-pairing-curves .tv-mean").count() == 2

    page.page.keyboard.press("ArrowRight")
    assert page.page.evaluate(OPEN).startswith(f"{a} with {c}: ")
    page.page.keyboard.press("ArrowDown")
    assert page.page.evaluate(OPEN).startswith(f"{b} with {c}: ")
    assert page.page.evaluate("() => document.activeElement.getAttribute('aria-selected')") == "true"
    place.get_by_role("button", name="The other way round").click()
    assert place.locator(".tv-pairing h4").inner_text() == f"{c} with {b}"

    with page.page.expect_download() as saved:
        place.get_by_role("button", name="Save all matrices as CSV").click()
    saved.value.save_as(tmp_path / "relations.csv")
    with (tmp_path / "relations.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(len(m["cells"]) for m in contents["matrices"])
    assert float(rows[0]["value"]) == first["cells"][0]["gain"]
    assert page.errors == []


@pytest.mark.browser
def test_a_phone_has_the_whole_map_and_a_tap_opens_a_cell(new_visitor):
    visitor = new_visitor(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    visitor.open()
    place = open_study(visitor)
    cell = place.locator(".tv-relations-grid tbody tr").last.locator("td").first
    cell.tap()
    assert cell.get_attribute("aria-selected") == "true"
    area = cell.bounding_box()
    assert min(area["width"], area["height"]) >= 24
    assert visitor.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    curves = place.locator(".tv-pairing-curves svg").bounding_box()
    assert 0 <= curves["x"] <= curves["x"] + curves["width"] <= 390
