"""Undo, redo, the list of recipes, and recipes and models as files, in the page."""

from __future__ import annotations

import json
import re
import zipfile

import pytest

from taskvec_demo.core.recipe_files import read_recipe
from tests.support.page_actions import box, can, number, slider, value
from tests.support.paths import ARTIFACTS

pytestmark = pytest.mark.browser

SAID = "#export-panel .tv-said"


def settle(page, **recipe):
    """Type λ into the number boxes and wait until the page rests."""
    for name, coef in recipe.items():
        number(page, name).fill(f"{coef:g}")
    page.shows(recipe)
    page.at_rest()


def says(page, text):
    page.page.wait_for_function(
        "([at, text]) => document.querySelector(at).textContent.includes(text)", arg=[SAID, text]
    )


def test_keys_undo_and_redo_unless_a_text_is_being_written(page):
    page.open({"urban": 0.5})
    settle(page, urban=0.7)
    slider(page, "urban").focus()
    page.page.keyboard.press("Control+z")
    page.shows({"urban": 0.5})
    page.page.keyboard.press("Control+Shift+z")
    page.shows({"urban": 0.7})
    page.page.keyboard.press("Control+z")
    page.page.keyboard.press("Control+y")
    page.shows({"urban": 0.7})
    page.at_rest()
    number(page, "urban").focus()
    page.page.keyboard.press("Control+z")
    assert page.formula == {"urban": 0.7}
    assert can(page, "undo")
    assert page.errors == []


def test_what_was_just_changed_can_be_undone_before_it_rests(page):
    page.open({"urban": 0.5})
    box(page, "on-urban").click()
    page.page.wait_for_function("() => taskvec.state.recipe.size === 0")
    page.page.locator("#undo").click()
    page.shows({"urban": 0.5})
    page.page.locator("#redo").click()
    page.shows({})


def test_the_list_has_every_recipe_and_goes_back_to_it(page):
    preset = json.loads((ARTIFACTS / "tables" / "presets.json").read_text())[0]
    page.open({"urban": 0.5})
    settle(page, urban=0.7)
    page.page.get_by_role("button", name=preset["title"], exact=True).click()
    page.shows(preset["recipe"]["coefficients"])
    page.at_rest()
    page.page.locator("#history").click()
    rows = page.page.locator("#history-panel .tv-tried button")
    texts = rows.all_inner_texts()
    assert len(texts) == 3
    assert texts[0].startswith(preset["title"])
    assert "+ 0.70 τ_urban" in texts[1]
    assert "+ 0.50 τ_urban" in texts[2]
    assert re.search(r"Urban.* \d+ %", texts[1])
    assert rows.nth(0).get_attribute("aria-current") == "true"
    rows.nth(2).click()
    page.shows({"urban": 0.5})
    page.page.keyboard.press("Escape")
    assert not page.page.locator("#history-panel").is_visible()
    page.at_rest()
    page.page.locator("#undo").click()  # it was a step like any other
    page.shows(preset["recipe"]["coefficients"])
    assert page.errors == []


@pytest.mark.parametrize("kind", ["json", "yaml"])
def test_a_recipe_is_saved_changed_and_opened(page, tmp_path, kind):
    page.open({"urban": 0.5, "emotion": -0.25})
    page.page.locator("#export").click()
    with page.page.expect_download() as saved:
        page.page.locator(f"#save-{kind}").click()
    assert saved.value.suggested_filename == f"tiny-clap_emotion-0.25_urban+0.5.{kind}"
    text = saved.value.path().read_text(encoding="utf-8")
    assert dict(read_recipe(text).coefficients) == {"urban": 0.5, "emotion": -0.25}
    changed = tmp_path / f"changed.{kind}"
    changed.write_text(text.replace("-0.25", "0.75"), encoding="utf-8")
    page.page.locator("#recipe-file").set_input_files(str(changed))
    page.shows({"urban": 0.5, "emotion": 0.75})
    says(page, f"changed.{kind} is on the sliders")
    page.at_rest()
    assert page.address == page.formula
    assert value(page, "emotion") == 0.75
    changed.write_text(text.replace("0.5", "1.5"), encoding="utf-8")
    page.page.locator("#recipe-file").set_input_files(str(changed))
    says(page, "beyond the sliders")
    changed.write_text(text.replace("urban", "nobody"), encoding="utf-8")
    page.page.locator("#recipe-file").set_input_files(str(changed))
    says(page, "no task vector 'nobody'")
    assert page.formula == {"urban": 0.5, "emotion": 0.75}
    assert page.errors == []


def test_the_edited_model_is_saved_as_a_zip(page):
    page.open({"urban": 0.5})
    page.page.locator("#export").click()
    with page.page.expect_download() as saved:
        page.page.locator("#save-model").click()
    name = "tiny-clap_urban+0.5"
    assert saved.value.suggested_filename == f"{name}.zip"
    with zipfile.ZipFile(saved.value.path()) as archive:
        assert archive.testzip() is None
        names = {file.removeprefix(f"{name}/") for file in archive.namelist()}
    assert {"model.safetensors", "config.json", "tokenizer.json", "README.md", "recipe.json", "recipe.yaml"} <= names
    says(page, f"{name}.zip is ready")
    assert page.errors == []
