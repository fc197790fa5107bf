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
    changed,
    choose,
    clear,
    complete,
    difference,
    drag,
    labels_of,
    one_sentence,
    open_clip,
    tab,
    upload,
)

pytestmark = pytest.mark.browser

SOUND = "Your sound"  # the tab


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
    assert second["pretrained"] == first["pretrained"]
    assert second["edited"] != first["edited"]
    page.page.locator("#reset").click()
    page.shows({})
    third = changed(page, difference(page)) if "same" not in difference(page) else labels_of(page)
    assert third["edited"] == third["pretrained"] == first["pretrained"]
    assert "both models are the same" in difference(page)
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
    assert after["pretrained"] != before["pretrained"]


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
        assert complete(labels_of(page)) or labels_of(page) == {"pretrained": {}, "edited": {}}, kind
        assert page.formula == {"urban": 0.5}
    said = difference(page)
    upload(page, recording / "siren.wav")  # the next recording is taken
    assert complete(changed(page, said))


def test_microphone(new_visitor):
    visitor = new_visitor(permissions=["microphone"])
    visitor.open({"urban": 0.5})
    tab(visitor, SOUND)
    clear(visitor)
    empty = difference(visitor)
    open_clip(visitor)
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
    before, said = labels_of(page), difference(page)
    page.page.locator("#labels textarea").fill("puppy, downpour")
    after = changed(page, said)
    assert set(after["pretrained"]) == set(after["edited"]) == {"puppy", "downpour"}
    page.page.locator("#labels textarea").fill("puppy")
    text = page.toast()
    assert one_sentence(text)
    assert "puppy" in text
    page.at_rest()
    assert labels_of(page) == after
    page.page.locator("#labels textarea").fill("")
    page.page.wait_for_function("() => document.querySelectorAll('#edited .confidence-set').length > 2")
    page.at_rest()
    assert labels_of(page) == before


def test_typing_labels_does_not_raise_a_toast_at_every_letter(page):
    page.open({"urban": 0.5})
    tab(page, SOUND)
    page.page.locator("#labels textarea").fill("")
    page.at_rest()
    page.page.locator("#labels textarea").press_sequentially("puppy, downpour", delay=120)
    page.at_rest()
    page.page.locator("#classify").click()
    page.page.wait_for_function("() => document.querySelectorAll('#edited .confidence-set').length === 2")
    page.at_rest()
    assert set(labels_of(page)["edited"]) == {"puppy", "downpour"}
    assert len(page.toasts()) <= 1


def test_labels_are_text_not_markup(page):
    page.open({"urban": 0.5})
    tab(page, SOUND)
    said = difference(page)
    page.page.locator("#labels textarea").fill("<img src=x onerror='window.hacked=1'>, <b>rain</b>")
    after = changed(page, said)
    assert "<b>rain</b>" in after["edited"]
    page.page.locator("#labels textarea").fill("<img src=x onerror='window.hacked=1'>")
    page.toast()
    assert page.page.evaluate("window.hacked") is None


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
    assert set(after["edited"]) <= set(labels.split(", "))


# ---- the clip along λ -----------------------------------------------------------------------------------------------
def test_the_clip_along_a_vector(page):
    page.open({"urban": 0.5})
    flips = page.page.locator("#flips")
    tab(page, SOUND)
    page.page.wait_for_selector("#trace .js-plotly-plot")
    assert re.search(r"^Along λ urban your clip (turns from|stays) “.+”", flips.inner_text())
    choose(page, "along", "emotion")
    page.page.wait_for_function("() => document.querySelector('#flips').innerText.startsWith('Along λ emotion')")
    page.at_rest()
    clear(page)
    page.page.wait_for_selector("#trace", state="hidden")
    assert flips.inner_text().startswith("With a clip")
    assert page.errors == []
