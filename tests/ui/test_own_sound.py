"""The visitor's own sound: upload, microphone, labels, the clip along λ.

The artifacts may be random or real, so nothing here asserts a label: only what must follow from what.
"""

from __future__ import annotations

import re

import numpy as np
import pytest
import soundfile

from taskvec_demo.lab.data.synth import synthesize
from tests.support.page_actions import (
    READ_LABELS,
    changed,
    choose,
    clear,
    complete,
    difference,
    drag,
    hold,
    labels_of,
    number,
    one_sentence,
    open_clip,
    strip_of,
    tab,
    upload,
)

pytestmark = pytest.mark.browser

SOUND = "Your sound"  # the tab


# Types a text, a letter a frame, and tells how often the server was asked meanwhile
TYPE = """async (text) => {
  const box = document.querySelector("#labels textarea");
  const before = window.questions.asked;
  for (let i = 1; i <= text.length; i++) {
    box.value = text.slice(0, i);
    box.dispatchEvent(new Event("input", { bubbles: true }));
    await new Promise(requestAnimationFrame);
  }
  return window.questions.asked - before;
}"""


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """A wav and an mp3 of one synthesized siren."""
    folder = tmp_path_factory.mktemp("recordings")
    sound = synthesize("urban", "siren", seed=5)
    for kind in ("wav", "mp3"):
        soundfile.write(folder / f"siren.{kind}", sound, 16_000)
    return folder


@pytest.mark.parametrize("kind", ["wav", "mp3"])
def test_upload(page, recording, kind):
    page.open({"urban": 0.5})
    tab(page, SOUND)
    clear(page)
    empty = difference(page)
    page.page.locator("#clip input[type=file]").set_input_files(str(recording / f"siren.{kind}"))
    first = changed(page, empty)
    assert complete(first), first
    assert "%" in difference(page)
    assert "4.0 s, 1 window" in difference(page) or kind == "mp3"
    said = difference(page)
    drag(page, "urban", 0.5, 0.95)
    second = changed(page, said)
    assert second["before"] == first["before"]
    assert second["after"] != first["after"]
    page.page.locator("#reset").click()
    page.shows({})
    page.page.wait_for_function("() => document.querySelector('#difference').innerText.includes('models are the same')")
    page.at_rest()
    third = labels_of(page)
    assert third["after"] == third["before"] == first["before"]
    assert page.toasts() == []
    assert page.errors == []


def test_example(page):
    page.open({"urban": 0.5})
    tab(page, SOUND)
    before, said = labels_of(page), difference(page)
    assert complete(before), "the page opens with the answers for its first example"
    open_clip(page)
    page.page.locator("button.gallery-item", has_text="siren").click()
    after = changed(page, said)
    assert complete(after)
    assert after["before"] != before["before"]


def test_a_bad_recording_gives_one_sentence_and_leaves_the_answers(page, tmp_path, recording):
    page.open({"urban": 0.5})
    tab(page, SOUND)
    for kind in ("text", "empty", "silence", "short"):
        path = tmp_path / f"my {kind} sound.wav"
        if kind == "text":
            path.write_text("this is a shopping list, not a recording\n" * 50)
        elif kind == "empty":
            path.write_bytes(b"")
        else:
            soundfile.write(path, np.zeros(32_000) if kind == "silence" else synthesize("urban", "siren")[:800], 16_000)
        upload(page, path)
        text = page.toast()
        assert kind in text
        assert one_sentence(text)
        page.at_rest()
        assert complete(labels_of(page)) or labels_of(page) == {"before": {}, "after": {}}, kind
        assert page.formula == {"urban": 0.5}
        # the strip gives no other clip's answers for this one
        assert strip_of(page) == {"clip-name": f"my {kind} sound", "before": "…", "after": "…", "badge": "…"}
    said = difference(page)
    upload(page, recording / "siren.wav")  # the next recording is taken
    assert complete(changed(page, said))
    told = strip_of(page)
    assert (told["clip-name"], told["badge"]) == ("siren", "exact")
    assert "…" not in told.values()
    clear(page)
    page.page.wait_for_function("() => document.querySelector('.tv-clip-name').textContent === 'No clip'")
    page.at_rest()
    assert strip_of(page) == {"clip-name": "No clip", "before": "…", "after": "…", "badge": "…"}


def test_while_a_slider_moves_the_strip_answers_in_the_labels_of_now(page):
    page.open({"urban": 0.5})
    tab(page, SOUND)
    hold(page, "urban", 0.5, 0.6)
    page.page.wait_for_function(
        "() => document.querySelector('.tv-strip .tv-badge.tv-estimate')"
    )  # the trace of the old labels
    page.page.mouse.up()
    page.at_rest()
    said = difference(page)
    page.page.locator("#labels textarea").fill("puppy\ndownpour")
    changed(page, said)
    for share in (0.7, 0.9):
        hold(page, "urban", 0.6, share, 10)
        assert strip_of(page)["after"] in ("puppy", "downpour")
        page.page.mouse.up()
        page.at_rest()


def test_answers_of_another_edit_are_pale_until_the_new_ones_come(page):
    page.open({"urban": 0.5})
    tab(page, SOUND)
    page.at_rest()
    paleness = "() => Number(getComputedStyle(document.querySelector('#difference')).opacity)"
    assert page.page.evaluate(paleness) == 1
    hold(page, "urban", 0.5, 0.9)
    assert page.page.evaluate(paleness) < 1
    page.page.mouse.up()
    page.page.wait_for_function(f"() => ({paleness})() === 1")
    assert page.errors == []


def test_an_answer_among_other_labels_is_not_called_exact(page):
    page.open({"urban": 0.5})
    tab(page, SOUND)
    page.at_rest()
    assert strip_of(page)["badge"] == "exact"
    box = page.page.locator("#labels textarea")
    own = box.input_value()
    box.fill("only one")
    page.page.wait_for_selector(".tv-problem")
    page.at_rest()
    assert strip_of(page)["badge"] == "…"
    box.fill(own)
    page.page.wait_for_function("() => document.querySelector('.tv-strip .tv-badge').textContent === 'exact'")
    assert page.errors == []


def test_microphone(new_visitor):
    visitor = new_visitor(permissions=["microphone"])
    visitor.open({"urban": 0.5})
    tab(visitor, SOUND)
    clear(visitor)
    empty = difference(visitor)
    assert visitor.page.locator("#clip-panel").is_visible()  # who takes a clip away is about to choose another one
    visitor.page.locator("#clip button[aria-label='Record audio']").click()
    visitor.page.locator("#clip .record-button").first.click()
    visitor.page.locator("#clip .stop-button").first.wait_for(state="visible")
    recorded = "() => /0:0[2-9]/.test(document.querySelector('#clip').innerText)"
    visitor.page.wait_for_function(recorded)  # 2 s: the made-up microphone beeps once a second
    visitor.page.locator("#clip .stop-button").first.click()
    assert complete(changed(visitor, empty)), visitor.toasts()


def test_own_labels(page):
    page.open({"urban": 0.5})
    tab(page, SOUND)
    box, problem = page.page.locator("#labels textarea"), page.page.locator("#label-problem .tv-problem")
    before, said = labels_of(page), difference(page)
    box.fill("puppy\ndownpour, heavy")
    after = changed(page, said)
    assert set(after["before"]) == set(after["after"]) == {"puppy", "downpour, heavy"}
    # what is wrong stands beside the box, and the answers are grey
    box.fill("<img src=x onerror='window.hacked=1'>")
    problem.wait_for()
    assert one_sentence(problem.inner_text())
    assert "<img src=x" in problem.inner_text()
    assert labels_of(page) == after
    grey = "() => getComputedStyle(document.querySelector('.tv-labels-box')).opacity < 0.5"
    assert page.page.evaluate(grey)
    said = difference(page)
    box.fill("<b>rain</b>, dog")  # text, not markup
    assert "<b>rain</b>" in changed(page, said)["after"]
    assert problem.count() == 0
    assert not page.page.evaluate(grey)
    said = difference(page)
    box.fill("")  # the checkpoint's own
    assert changed(page, said) == before
    assert page.page.evaluate("window.hacked") is None
    assert page.toasts() == []
    assert page.errors == []


def test_labels_are_read_at_a_pause_at_enter_and_when_the_box_is_left(page):
    page.open({"urban": 0.5})
    tab(page, SOUND)
    page.at_rest()
    box = page.page.locator("#labels textarea")
    assert page.page.evaluate(TYPE, "puppy\nrain\nsiren, far away") == 0, "asked while somebody types"
    page.page.wait_for_function("() => document.querySelectorAll('.tv-labels tbody tr').length === 3")
    page.at_rest()
    box.press_sequentially("\na bell")
    box.press("Enter")
    page.page.wait_for_function("() => document.querySelectorAll('.tv-labels tbody tr').length === 4")
    page.at_rest()
    box.press_sequentially("wind")
    page.page.locator("#label-set input").focus()
    page.page.wait_for_function("() => document.querySelectorAll('.tv-labels tbody tr').length === 5")
    page.at_rest()
    assert page.toasts() == []


def test_label_set(page):
    page.open({"urban": 0.5})
    tab(page, SOUND)
    said = difference(page)
    chosen = page.page.locator("#labels textarea").input_value()
    page.page.locator("#label-set input").click()
    page.page.get_by_role("option").nth(1).click()
    after = changed(page, said)
    labels = page.page.locator("#labels textarea").input_value()
    assert labels != chosen
    assert set(after["after"]) == set(labels.splitlines())


# ---- the clip along λ -----------------------------------------------------------------------------------------------
def test_the_clip_along_a_vector(page):
    page.open({"music": 0.2, "urban": 0.5})  # the clip is followed along the larger λ
    flips = page.page.locator("#flips")
    tab(page, SOUND)
    page.page.wait_for_selector("#trace svg")
    page.page.wait_for_selector("#picture svg image")
    assert re.search(r"^Along λ urban your clip (turns from|stays) “.+”", flips.inner_text())
    assert page.page.locator("#trace .tv-at").inner_text() == "λ = 0.50, as set"
    legend = page.page.locator("#trace .tv-trace-legend span b")
    assert re.fullmatch(r"\d+ %", legend.first.inner_text())  # an exact answer
    number(page, "urban").fill("0.52")
    page.page.wait_for_function(
        "() => /^≈ \\d+ %$/.test(document.querySelector('#trace .tv-trace-legend span b').innerText)"
    )
    page.at_rest()
    mark = page.page.locator("#trace .tv-operating")
    x = float(mark.get_attribute("x1"))
    drag(page, "urban", 0.75, 0.95)
    assert float(mark.get_attribute("x1")) > x  # the mark follows the slider
    page.at_rest()
    choose(page, "along", "emotion")
    page.page.wait_for_function("() => document.querySelector('#flips').innerText.startsWith('Along λ emotion')")
    page.at_rest()
    clear(page)
    page.page.wait_for_selector("#trace svg", state="detached")
    assert flips.inner_text().startswith("With a clip")
    assert page.errors == []


def test_a_pinned_edit_is_compared(page):
    page.open({"urban": 0.9})
    tab(page, SOUND)
    alone = labels_of(page)
    page.page.locator("#pin").click()
    page.page.wait_for_selector(".tv-cell-pinned")
    page.page.locator("#reset").click()
    page.shows({})
    page.at_rest()
    assert page.page.evaluate(READ_LABELS, "pinned") == alone["after"]
    marks = page.page.locator("#chart .tv-task:not([hidden]) .tv-pin")
    bars = page.page.locator("#chart .tv-task:not([hidden])")
    assert marks.count() == bars.count() > 2
    of = "(part) => parseFloat(document.querySelector(`#chart [data-task=urban] ${part}`).style.width)"
    assert page.page.evaluate(of, ".tv-pin") != page.page.evaluate(of, ".tv-ed") > 0
    page.page.locator("#pin").click()
    page.page.wait_for_selector(".tv-cell-pinned", state="detached")
    assert marks.count() == 0
    assert page.errors == []
