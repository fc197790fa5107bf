"""The view of the adapters: the budget, what it buys, the visitor's clip, and the results in words."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest

from taskvec_demo.serve.artifacts import read_json
from taskvec_demo.ui.html.adapters import RIVALS, adapters_html
from taskvec_demo.ui.html.adapters_results import WAYS, results_html


@pytest.fixture(scope="module")
def contents(quick_adapters):
    return read_json(quick_adapters / "out" / "study.json")


def test_every_task_has_a_row_and_a_box_to_tick(contents):
    html = adapters_html(contents, {}, "/a/study.json", "abc")
    assert re.findall(r"data-task='([^']+)'", html) == [task["name"] for task in contents["tasks"]]
    assert html.count("<input type='checkbox' checked>") == len(contents["tasks"])
    for task in contents["tasks"]:
        assert f"n = {task['n']['test']}" in html
    assert all(f"tv-rival-{kind}" in html for kind in (*RIVALS, "priced"))


def test_names_are_text_and_never_markup(contents):
    odd = json.loads(json.dumps(contents))
    odd["tasks"][0] |= {"name": "a'b", "title": "<b>bold</b>"}
    for html in (adapters_html(odd, {}, "/x'y.json", "1"), results_html(odd)):
        assert "<b>bold</b>" not in html
        assert "&lt;b&gt;bold&lt;/b&gt;" in html
    assert "data-file='/x&#x27;y.json'" in adapters_html(odd, {}, "/x'y.json", "1")


def test_claims_say_whether_they_are_reached_and_carry_their_figures(contents):
    html = unescape(results_html(contents))
    for claim in contents["claims"]:
        assert claim["claim"] in html
        assert claim["says"] in html
        assert re.search(r"n = \d|\d tasks|nothing to keep", claim["says"])
    reached = sum(claim["reached"] for claim in contents["claims"])
    assert html.count("✓ reached") == reached
    assert html.count("✗ not reached") == len(contents["claims"]) - reached


def test_the_tables_hold_every_way_and_every_task(contents):
    html = results_html(contents)
    means, tasks = html.split("data-table='adapter-rivals'")
    assert means.count("<tr><th scope='row'>") == len(contents["means"])
    for mean in contents["means"]:
        assert f"{mean['parameters']:,}" in means
    for task in contents["tasks"]:
        for point in task["points"]:
            if point["name"] in WAYS:
                assert f"<b>{100 * point['test']['accuracy']:.1f} %</b>" in tasks
