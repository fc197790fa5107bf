"""Undo, redo, the list of recipes, and recipes and models as files, in the page."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from xml.etree import ElementTree

import pytest

from taskvec_demo.core.evaluation import percent
from taskvec_demo.core.recipe_files import read_recipe
from tests.support.page_actions import box, can, choose, number, slider, tab, value
from tests.support.paths import ARTIFACTS

pytestmark = pytest.mark.browser

SAID = "#export-panel .tv-said"
SVG = "{http://www.w3.org/2000/svg}"
FOCUSED = "(selector) => document.activeElement.matches(`#history-panel .tv-tried ${selector}`)"
READ_BARS = """() => Object.fromEntries([...document.querySelectorAll("#chart .tv-task:not([hidden])")].map((row) => [
  row.querySelector(".tv-task-name").childNodes[1].textContent.trim(),
  [row.querySelector("s").textContent, row.querySelector("b").textContent.replace(" %", "")]]))"""


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


def test_undo_of_an_analogy_that_cannot_be_goes_back_to_the_edit_before_it(page):
    page.open({"urban": 0.5})
    box(page, "op-analogy").check()
    page.page.wait_for_function("() => taskvec.state.recipe.size > 1")
    page.at_rest()
    whole = page.formula
    a, b = (page.page.locator(f"#analogy-{x} input").input_value() for x in "ab")
    assert a != b
    choose(page, "analogy-a", b)
    page.page.wait_for_function("() => taskvec.state.problem")
    page.at_rest()
    page.page.locator("#undo").click()
    page.shows(whole)
    page.at_rest()
    assert page.page.locator("#analogy-a input").input_value() == a
    page.page.locator("#undo").click()
    page.shows({"urban": 0.5})
    assert page.errors == []


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
    rows.nth(2).focus()
    page.page.keyboard.press("Enter")
    page.shows({"urban": 0.5})
    page.at_rest()
    page.page.wait_for_function(FOCUSED, arg="[aria-current]")  # in the list that was written anew
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


def test_figures_and_tables_in_view_are_saved(page):
    page.open({"urban": 0.5})
    page.page.wait_for_function("() => taskvec.state.tasks && document.querySelector('#curve svg')")
    page.page.locator("#export").click()
    rows = page.page.locator(".tv-files li")
    titles = [row.locator("span").inner_text() for row in rows.all()]
    assert titles[:2] == ["Accuracy of every task", "Accuracy of every class"]
    assert "along λ of τ urban" in titles[2]
    assert saved(page, rows.nth(0), "PNG").startswith(b"\x89PNG")
    for row in (0, 2):
        picture = ElementTree.fromstring(saved(page, rows.nth(row), "SVG"))
        assert picture.findtext(f"{SVG}title") == titles[row]
        about = picture.findtext(f"{SVG}desc")
        assert "θ_new = θ_pt + 0.50 τ_urban" in about
        assert "tiny-clap" in about
        assert "class" not in {key for element in picture.iter() for key in element.attrib}  # no style of the page's
        assert "Urban sounds" in "".join(picture.itertext())
    tasks = list(csv.DictReader(io.StringIO(saved(page, rows.nth(0), "CSV").decode())))
    shown = page.page.evaluate(READ_BARS)
    assert {row["name"]: [percent(float(row["before"])), percent(float(row["after"]))] for row in tasks} == shown
    assert {row["recipe"] for row in tasks} == {"θ_new = θ_pt + 0.50 τ_urban"}
    assert all(re.fullmatch(r"measured|estimate ± [\d.]+ points", row["kind"]) for row in tasks)
    page.page.get_by_role("tab", name="The paper, replayed").click()
    figure = page.page.locator("#paper figure[data-figure]").first
    title = figure.locator("figcaption b").inner_text()
    page.page.locator("#export").click()
    own = page.page.locator(".tv-files li", has=page.page.locator("span", has_text=title)).first
    picture = ElementTree.fromstring(saved(page, own, "SVG"))
    about = picture.findtext(f"{SVG}desc")
    assert about.endswith("test clips")  # of recipes of its own, whatever is on the sliders
    assert "n = " in about
    assert "0.50 τ_urban" not in about
    texts = list(picture.iter(f"{SVG}text"))
    outlined = [text for text in texts if text.get("stroke", "none") != "none"]
    assert outlined
    assert {text.get("paint-order") for text in outlined} == {"stroke"}  # else the outline lies over the letters
    assert page.errors == []


def test_a_saved_figure_has_colours_of_its_own(page):
    """A file knows neither the variables nor the rules of the page."""
    page.open()
    tab(page, "Studies")
    page.page.locator("input[name=unlock]").check()
    page.page.wait_for_selector(".tv-dial-figure .tv-dial-ring")
    title = page.page.locator(".tv-dial-figure svg").first.get_attribute("aria-label")
    page.page.locator("#export").click()
    row = page.page.locator(".tv-files li").filter(has=page.page.get_by_text(title, exact=True)).first
    picture = ElementTree.fromstring(saved(page, row, "SVG"))
    assert "style" not in {key for element in picture.iter() for key in element.attrib}
    cells = {cell.get("fill") for cell in picture.iter(f"{SVG}rect") if cell.find(f"{SVG}title") is not None}
    assert len(cells) > 1
    assert all(re.fullmatch(r"rgb\(\d+, \d+, \d+\)", fill) for fill in cells)


def test_no_two_files_of_a_tab_have_one_name(page):
    page.open({"urban": 0.5})
    for name in ("Explore", "The paper, replayed"):
        tab(page, name)
        page.at_rest()
        page.page.evaluate("for (const more of document.querySelectorAll('#further details')) more.open = true")
        page.page.locator("#export").click()
        rows = page.page.locator(".tv-files li")
        titles = [row.locator("span").inner_text() for row in rows.all()]
        assert sum(row.get_by_role("button", name="CSV").count() for row in rows.all()) > 3
        assert len(titles) == len(set(titles)), sorted(titles)
        page.page.keyboard.press("Escape")


def saved(page, row, kind):
    """The content of the file that a button of the list saves."""
    with page.page.expect_download() as download:
        row.get_by_role("button", name=f"Save as {kind}").click()
    assert download.value.suggested_filename.endswith(f".{kind.lower()}")
    return download.value.path().read_bytes()
