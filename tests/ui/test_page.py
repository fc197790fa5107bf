"""The page's handlers: exact figures of the newest recipe alone, traces only for whoever looks."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest

from taskvec_demo.core.evaluation import percent, wilson
from taskvec_demo.core.recipe import Recipe
from taskvec_demo.errors import TaskVecError
from taskvec_demo.serve.trace import Trace
from taskvec_demo.ui import hearing as hearing_module
from taskvec_demo.ui.api import user_error
from taskvec_demo.ui.hearing import Hearing
from taskvec_demo.ui.html import answers, clip_text
from taskvec_demo.ui.html.exact_panel import exact_html
from taskvec_demo.ui.html.stories import sentence_html
from taskvec_demo.ui.page import Page

NONE_ADDED = ",,,"  # the visitor brought no vector along
VISITOR = SimpleNamespace(session_hash="v")


@pytest.fixture
def page(workbench):
    return Page(workbench)


def values(page, **coefficients):
    return page.values(Recipe("tiny-clap", coefficients)).values


def run(page, session, **coefficients):
    return page.exact(SimpleNamespace(session_hash=session), NONE_ADDED, *values(page, **coefficients))


def figures(steps):
    """The figures among what a run yields; its last word is no change, whatever was measured."""
    *steps, last = steps
    assert last == gr.skip()
    return steps


def shown(html):
    query, done = re.search(r"data-query='([^']*)' data-done='(\d+)'", html).groups()
    return query.replace("&amp;", "&"), int(done)


def test_exact_figures_grow_to_all_clips_of_the_machine(page):
    total = len(page.workbench.labelled)
    steps = [shown(html) for html in figures(run(page, "a", urban=0.52))]
    done = [n for _, n in steps]
    assert len(done) > 1
    assert done == sorted(set(done))
    assert done[-1] == total
    assert {query for query, _ in steps} == {"ckpt=tiny-clap&urban=0.52"}
    assert not len(page._exact_runs)


def test_a_newer_run_of_the_same_page_ends_the_older_one(page):
    older, other = run(page, "a", urban=0.53), run(page, "b", urban=0.53)
    next(older)
    next(other)
    newer = run(page, "a", urban=0.54)
    next(newer)
    assert figures(older) == []
    assert shown(figures(newer)[-1]) == ("ckpt=tiny-clap&urban=0.54", len(page.workbench.labelled))
    assert shown(figures(other)[-1])[1] == len(page.workbench.labelled)  # another visitor's goes on
    assert not len(page._exact_runs)


def test_a_visitor_who_leaves_leaves_nothing_behind(page):
    left = run(page, "a", urban=0.53)
    next(left)
    left.close()
    assert not len(page._exact_runs)


def test_figures_not_there_yet_keep_their_place(page):
    places = re.findall(r"<p class='tv-check' data-task='(\w+)'", page.nothing_measured())
    assert places == [t for t in page.workbench.labelled.tasks if t not in page._hidden(page.start)] != []
    first = next(run(page, "a", urban=0.5))
    assert re.findall(r"<p class='tv-check' data-task='(\w+)'", first) == places
    assert "sounds synthesized by this project" in first
    assert "no second accuracy" in first
    assert page.nothing_measured().count("no clip yet") == len(places)
    assert "no clip yet" not in first  # the tasks take turns, so each has a clip among the first


def test_what_is_right_is_known_of_the_examples_only(page, tmp_path):
    labels = {prompt for task in page.tasks.values() for prompt in task.prompts}
    for example in page.examples:
        right = page.right_labels(example)
        assert right
        assert set(right) <= labels
        name = Path(example).name
        (tmp_path / name).write_bytes(Path(example).read_bytes()[:-1] + b"x")  # a clip of a visitor of the same name
        assert page.right_labels(str(tmp_path / name)) == ()


def test_each_story_says_what_it_does_to_test_clips(page):
    told = sentence_html(page.presets, page.opening.name, page.tasks, page.vector_tasks)
    for preset, sentence in zip(page.presets, told.split("</p>")[:-1], strict=True):
        about = {page.vector_tasks[v] for v in preset.recipe.coefficients}
        control = next(e for e in preset.test if e["role"] == "control")
        assert sentence.endswith(f"{percent(control['edited']['accuracy'])} %.</small>")
        entries = [e for e in preset.test if e["task"] in about]
        shown = [f"{percent(e['pretrained']['accuracy'])} → {percent(e['edited']['accuracy'])} %" for e in entries]
        assert all(text in sentence for text in shown) == (len(entries) <= 2)
        assert all(f"n = {e['n']}" in sentence for e in entries)


def test_a_link_beyond_the_sliders_says_so(page, monkeypatch):
    told = []
    monkeypatch.setattr(gr, "Warning", lambda text, **_: told.append(text))
    asked = SimpleNamespace(query_params={"ckpt": "tiny-clap", "urban": "0.5", "instruments": "-1"})
    assert tuple(page.restore(asked)) == (*values(page, urban=0.5, instruments=-1), "instruments")
    assert told == []
    asked.query_params["urban"] = "1.4"
    assert tuple(page.restore(asked))[:-1] == values(page, urban=1, instruments=-1)
    assert told == ["The link goes beyond the sliders, which end at 1: its λ were cut."]


def test_a_link_with_a_vector_that_is_not_here_says_so(page, monkeypatch):
    told = []
    monkeypatch.setattr(gr, "Warning", lambda text, **_: told.append(text))
    of_others = {"__theme": "dark", "fbclid": "x1", "__sign": "1", "view": "api"}
    asked = {"ckpt": "tiny-clap", "urban": "0.5", "mine": "0.8", "own-0123abcd": "1", **of_others}
    assert tuple(page.restore(SimpleNamespace(query_params=asked)))[:-1] == values(page, urban=0.5)
    assert told == [
        "The link also uses τ mine, which is not here.",
        "The link also uses τ own-0123abcd, which was added from a file: add it again.",
    ]


def test_a_toast_repeats_words_of_a_link_or_a_file_as_text(page, monkeypatch):
    """Gradio reads a toast as HTML."""
    told = []
    monkeypatch.setattr(gr, "Warning", lambda text, **_: told.append(text))
    page.restore(SimpleNamespace(query_params={"ckpt": "<img src=x>"}))
    assert "&lt;img src=x&gt;" in told[0]
    assert "<" not in told[0]
    assert user_error(TaskVecError("no vector '<b>'.")).message == "no vector '&lt;b&gt;'."


def test_a_trace_is_computed_only_for_whoever_looks(page, monkeypatch):
    hearing = Hearing(page)
    clip, at = page.examples[0], values(page, urban=0.5)
    monkeypatch.setattr(page.workbench, "trace", pytest.fail)
    assert hearing.trace(False, clip, "", "urban", NONE_ADDED, *at) == (gr.skip(), gr.skip())
    assert hearing.picture(False, clip) == gr.skip()
    assert hearing.trace(True, None, "", "urban", NONE_ADDED, *at)[1] == ""
    monkeypatch.undo()
    sentence, figure = hearing.trace(True, clip, "", "urban", NONE_ADDED, *at)
    assert "Along λ urban your clip" in sentence
    assert "<svg" in figure
    assert hearing.trace(True, clip, "only one label", "urban", NONE_ADDED, *at) == ("", "")  # `classify` has said why
    assert Path(clip).name in hearing.picture(True, clip)


def test_a_figure_to_keep_is_a_web_page_of_its_own(page):
    steps = Hearing(page).interactive(page.examples[0], "", "urban", NONE_ADDED, *values(page, urban=0.5))
    path = Path(next(steps))
    assert "plotly" in path.read_text(encoding="utf-8")
    assert next(steps, None) is None
    assert not path.exists()


def test_a_pinned_edit_is_answered_beside_the_other(page):
    hearing, clip, at = Hearing(page), page.examples[0], values(page, urban=0.5)
    _, table, problem, _ = hearing.classify(VISITOR, clip, "", "ckpt=tiny-clap&emotion=-0.7", NONE_ADDED, *at)
    assert problem == ""
    assert "tv-cell-pinned" in table
    for gone in ("", "ckpt=tiny-clap&gone-01234567=1", "nonsense"):
        assert "tv-cell-pinned" not in hearing.classify(VISITOR, clip, "", gone, NONE_ADDED, *at)[1]


def test_an_answer_that_a_newer_one_has_overtaken_changes_nothing(page, monkeypatch):
    hearing, (long, short), at = Hearing(page), page.examples[:2], values(page, urban=0.5)
    classify, inner = page.workbench.classify, []

    def slow(clip, *rest):
        if clip == long:  # while it is heard, the visitor picks another clip, which is answered sooner
            inner.append(hearing.classify(VISITOR, short, "", "", NONE_ADDED, *at))
            other = SimpleNamespace(session_hash="another visitor")
            assert hearing.classify(other, short, "", "", NONE_ADDED, *at)[1] == inner[0][1]
        return classify(clip, *rest)

    monkeypatch.setattr(page.workbench, "classify", slow)
    assert hearing.classify(VISITOR, long, "", "", NONE_ADDED, *at) == (gr.skip(),) * 4
    assert json.loads(inner[0][3])["clip"] == short
    assert not len(hearing._runs)


def test_a_clip_that_is_refused_says_so_and_leaves_no_answer_of_another(page, tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(gr, "Warning", lambda text, **_: told.append(text))
    (tmp_path / "a <b>.wav").write_text("no sound")
    said, *rest = Hearing(page).classify(VISITOR, str(tmp_path / "a <b>.wav"), "", "", NONE_ADDED, *values(page))
    assert "a &lt;b&gt;.wav" in told[0]
    assert told[0] in said
    assert rest == [answers.EMPTY, "", ""]


def test_an_upload_that_is_in_use_counts_as_new_and_no_other_file_is_touched(page, tmp_path, monkeypatch):
    monkeypatch.setattr(hearing_module, "get_upload_folder", lambda: str(tmp_path / "uploads"))
    content, hearing = Path(page.examples[0]).read_bytes(), Hearing(page)
    (tmp_path / "uploads").mkdir()
    for file in (tmp_path / "uploads" / "mine.flac", tmp_path / "elsewhere.flac"):
        file.write_bytes(content)
        os.utime(file, (1, 1))
        assert hearing.classify(VISITOR, str(file), "", "", NONE_ADDED, *values(page, urban=0.5))[3]
        assert (file.stat().st_mtime == 1) == (file.name == "elsewhere.flac")


def test_a_trace_in_words():
    axis = np.linspace(-1, 1, 5)
    of = [[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.4, 0.6], [0.6, 0.4]]
    text = clip_text.trace_html(Trace.of("urban", axis, ("a <dog>", "a siren"), np.array(of)))
    assert (
        "Along λ urban your clip turns from “a &lt;dog&gt;” to “a siren” at λ ≈ −0.75, "
        "from “a siren” to “a &lt;dog&gt;” at λ ≈ 0.75." in text
    )
    text = clip_text.trace_html(Trace.of("urban", axis, ("a dog", "a siren"), np.array(of[1:2] * 5), 10.0))
    assert "stays “a siren” everywhere." in text
    assert "Only the first 10.0 s are followed along λ." in text
    often = clip_text.trace_html(Trace.of("x", np.arange(7.0), ("a", "b"), np.array([[0.9, 0.1], [0.1, 0.9]] * 4)[:7]))
    assert often.count(" at λ ≈ ") == clip_text.MAX_FLIPS
    assert ", and 3 times more." in often


@pytest.mark.parametrize(("seconds", "told"), [(0.4, ""), (12.4, ", about 12 s left"), (200, ", about 3 min left")])
def test_the_time_that_is_left_is_told_where_it_matters(page, seconds, told):
    *_, last = page.workbench.exact(Recipe("tiny-clap", {"urban": 0.5}))
    html = exact_html(last, page.start, "clips", seconds_left=seconds)
    assert f"{last.done} / {last.total} clips{told}</span>" in html


def test_what_is_meant_to_be_forgotten_is_marked_so_that_its_loss_is_no_alarm(page):
    about = {page.vector_tasks[vector] for vector, value in page.start.coefficients.items() if value < 0}
    assert about
    panels = re.findall(r"<section class='([^']*)' data-task='(\w+)'", page.classes())
    assert {task for classes, task in panels if "tv-to-forget" in classes} == about
    assert len(panels) > len(about)
    *_, last = page.workbench.exact(page.start)
    html = exact_html(last, page.start, "clips", to_forget=about)
    assert set(re.findall(r"data-task='(\w+)' class='tv-to-forget'", html)) == about & {
        r.task.name for r in last.results
    }


def test_the_check_on_synthesized_sounds_has_n_and_interval(page):
    *_, last = page.workbench.exact(page.start)
    html = page._exact_html(last, page.start)
    told = re.findall(r"<b>(\d+) %</b> \((\d+) of (\d+), interval (\d+) to (\d+) %\)", html)
    assert len(told) == sum(1 for r in last.results if len(r.labels) and f"data-task='{r.task.name}'" in html)
    for share, k, n, low, high in (map(int, found) for found in told):
        assert low <= share <= high
        assert [f"{low}", f"{high}"] == [percent(end) for end in wilson(k, n)]


def test_the_chart_is_handed_the_counts_behind_exact_figures(page):
    *_, last = page.workbench.exact(Recipe("tiny-clap", {"urban": 0.5}))
    text = re.search(r"data-figures='([^']*)'", exact_html(last, page.start, "clips")).group(1)
    counts = json.loads(text.replace("&quot;", '"'))
    assert list(counts) == [r.task.name for r in last.results]
    for result in last.results:
        of_task = counts[result.task.name]
        assert sum(of_task["n"]) == len(result.labels)
        assert sum(of_task["before"]) == (result.predicted_pretrained == result.labels).sum()
        assert sum(of_task["after"]) == (result.predicted_edited == result.labels).sum()
        assert len(of_task["n"]) == len(result.task.class_names)
