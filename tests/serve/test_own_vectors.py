"""Vectors of a visitor: they are checked, kept for a while and used like the shipped ones, and no other visitor sees
them.
"""

from __future__ import annotations

import dataclasses
import json
import re

import gradio as gr
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from taskvec_demo.core.recipe import Recipe
from taskvec_demo.core.task_vector import TaskVector
from taskvec_demo.errors import BadArtifactError, BadRecipeError, IncompatibleWeightsError, TaskVecError
from taskvec_demo.serve import own_vectors
from taskvec_demo.serve.own_vectors import UploadedVectors, read_all, read_own, recipe_name
from taskvec_demo.serve.workbench import Workbench
from taskvec_demo.ui.app import build_app
from taskvec_demo.ui.controls import SLOTS, ControlValues
from taskvec_demo.ui.page import Page, names_of
from tests.support.page_actions import can, number, slider, tab
from tests.support.paths import ARTIFACTS


def recipe(**coefficients):
    return Recipe("tiny-clap", coefficients)


@pytest.fixture(scope="module")
def vector(workbench):
    """A vector that was not measured: half of one shipped vector and a third of another."""
    mixed = 0.5 * workbench.vectors["urban"] + workbench.vectors["emotion"] / 3
    return dataclasses.replace(mixed, name="my birds!", task="birds")


@pytest.fixture
def file(vector, tmp_path):
    path = tmp_path / "birds.safetensors"
    vector.save(path)
    return path


# ---- what is refused ------------------------------------------------------------------------------------------------
def header(vector, **fields):
    own = {"format": "1", "name": "x", "task": "", "pretrained_sha256": vector.pretrained_sha256, "metadata": "{}"}
    return own | fields


def altered(vector, change, **fields):
    """A function that writes the vector's file with its tensors or header changed."""

    def write(path):
        tensors = {name: tensor.half() for name, tensor in vector.tensors().items()}
        change(tensors)
        save_file(tensors, path, header(vector, **fields))

    return write


def first(tensors):
    return next(iter(tensors))


def test_a_vector_of_the_checkpoint_is_read(workbench, vector, file):
    found = read_own(file, workbench.checkpoint.pretrained, "tiny-clap")
    assert (found.name, found.task) == ("my birds!", "birds")
    assert torch.allclose(found.buffer.float(), vector.buffer.float(), rtol=2**-10, atol=2**-20)


@pytest.mark.parametrize(("bits", "nearness"), [(8, 0.02), (6, 0.06)])
def test_a_vector_of_few_bits_is_read(workbench, vector, tmp_path, bits, nearness):
    vector.save(tmp_path / "small.safetensors", bits=bits)
    found = read_own(tmp_path / "small.safetensors", workbench.checkpoint.pretrained, "tiny-clap")
    error = (found.buffer.float() - vector.buffer.float()).norm() / vector.buffer.float().norm()
    assert 0 < error < nearness


@pytest.mark.parametrize(
    ("write", "kind", "sentence"),
    [
        (lambda v: lambda p: p.write_text("Dear all"), BadArtifactError, r"is not a safetensors file; .* is accepted"),
        (lambda v: lambda p: torch.save({}, p), BadArtifactError, r"was written by torch\.save; .* is accepted"),
        (
            lambda v: lambda p: p.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
            BadArtifactError,
            r"v\.safetensors is a Git LFS pointer, .* `git lfs pull`",
        ),
        (lambda v: lambda p: p.write_text("<html>Sign in</html>"), BadArtifactError, "is a web page"),
        (lambda v: lambda p: p.touch(), BadArtifactError, "is empty"),
        (lambda v: lambda p: p.mkdir(), BadArtifactError, r"There is no file v\.safetensors"),
        (lambda v: lambda p: save_file({"a": torch.ones(2)}, p), BadArtifactError, r"without a task vector's header"),
        (lambda v: altered(v, dict.clear), BadArtifactError, "holds no tensor"),
        (lambda v: altered(v, lambda t: None, format="4"), BadArtifactError, "format '4'"),
        (
            lambda v: altered(v, lambda t: None, pretrained_sha256="1" * 64),
            IncompatibleWeightsError,
            r"was made from pre-trained weights 111111111111; only vectors of 'tiny-clap' \([0-9a-f]{12}\)",
        ),
        (
            lambda v: altered(v, lambda t: t.update({first(t): torch.zeros(3, 5).half()})),
            IncompatibleWeightsError,
            r"(?s)'tiny-clap'.*\(3, 5\)",
        ),
        (lambda v: altered(v, lambda t: t.pop(first(t))), IncompatibleWeightsError, r"(?s)'tiny-clap' and v\.saf"),
        (
            lambda v: altered(v, lambda t: t.update({n: x.to(torch.int8) for n, x in t.items()})),
            IncompatibleWeightsError,
            r"is I8; accepted are F16, BF16, F32",
        ),
        (lambda v: altered(v, lambda t: t[first(t)].fill_(float("nan"))), TaskVecError, "NaN or infinite"),
        (lambda v: altered(v, lambda t: None, metadata="[" * 60_000), BadArtifactError, "does not hold a task vector"),
    ],
    ids=[
        "text",
        "torch",
        "pointer",
        "page",
        "nothing",
        "folder",
        "tensors",
        "empty",
        "format",
        "base",
        "shape",
        "missing",
        "dtype",
        "nan",
        "deep",
    ],
)
def test_a_file_of_another_kind_is_refused_by_name(workbench, vector, tmp_path, write, kind, sentence):
    path = tmp_path / "v.safetensors"
    write(vector)(path)
    with pytest.raises(kind, match=sentence) as error:
        read_own(path, workbench.checkpoint.pretrained, "tiny-clap")
    assert str(tmp_path) not in str(error.value)  # the message does not tell where uploads are stored
    assert str(error.value).endswith(".")


def test_a_file_that_is_too_large_is_refused_unread(workbench, file, monkeypatch):
    monkeypatch.setattr(own_vectors, "MAX_BYTES", 10**5)
    monkeypatch.setattr(own_vectors, "safe_open", pytest.fail)
    with pytest.raises(BadArtifactError, match=r"birds\.safetensors has .* MB; .*at most 0 MB\.$"):
        read_own(file, workbench.checkpoint.pretrained, "tiny-clap")


def test_metadata_that_would_fill_the_memory_is_refused(workbench, vector, tmp_path):
    path = tmp_path / "wordy.safetensors"
    dataclasses.replace(vector, metadata={"story": "x" * own_vectors.MAX_METADATA}).save(path)
    with pytest.raises(BadArtifactError, match=r"wordy\.safetensors has metadata of \d+ characters"):
        read_own(path, workbench.checkpoint.pretrained, "tiny-clap")


# ---- what it is called ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "taken", "expected"),
    [
        ("birds", (), "birds"),
        ("my birds!", (), "my_birds"),
        ("0.5 urban + (2 x)", (), "0.5_urban_2_x"),
        ("<b>", (), "b"),
        ("…", (), "own"),
        ("x" * 80, (), "x" * own_vectors.NAME_LENGTH),
        ("2024", (), "v2024"),
        ("ckpt", ("ckpt",), "ckpt-2"),
        ("birds", ("birds", "birds-2"), "birds-3"),
    ],
)
def test_a_name_that_recipes_accept(name, taken, expected):
    found = recipe_name(name, taken)
    assert found == expected
    assert Recipe("tiny-clap", {found: 0.5}).coefficients == {found: 0.5}


def test_files_of_one_name_get_two(workbench, vector, file, tmp_path):
    dataclasses.replace(vector, name="urban").save(tmp_path / "urban.safetensors")
    again = tmp_path / "again.safetensors"
    again.write_bytes(file.read_bytes())
    pretrained = workbench.checkpoint.pretrained
    found = read_all([file, again, tmp_path / "urban.safetensors"], pretrained, "tiny-clap", ["urban"])
    assert list(found) == ["my_birds", "my_birds-2", "urban-2"]


# ---- what is kept for visitors --------------------------------------------------------------------------------------
def test_an_uploaded_vector_is_kept_by_its_hash(workbench, vector, file, tmp_path):
    uploads = UploadedVectors(lambda: workbench.checkpoint.pretrained, "tiny-clap")
    name = uploads.add(file)
    assert re.fullmatch(r"my_birds-[0-9a-f]{8}", name)
    assert name in uploads
    assert uploads.get(name).sha256.startswith(name[-8:])
    assert uploads.add(file) == name
    (2 * vector).save(tmp_path / "twice.safetensors")
    assert uploads.add(tmp_path / "twice.safetensors") != name
    with pytest.raises(BadRecipeError, match=r"no task vector 'nobody-12345678'; .*add its file again\.$"):
        uploads.get("nobody-12345678")


def test_the_least_recently_used_goes_when_the_room_is_full(workbench, vector, tmp_path):
    files = [tmp_path / f"{i}.safetensors" for i in range(3)]
    for i, path in enumerate(files):
        dataclasses.replace((i + 1) * vector, name=f"v{i}").save(path)
    size = read_own(files[0], workbench.checkpoint.pretrained, "").buffer.nbytes
    uploads = UploadedVectors(lambda: workbench.checkpoint.pretrained, "tiny-clap", max_bytes=2 * size)
    names = [uploads.add(path) for path in files[:2]]
    uploads.get(names[0])
    names.append(uploads.add(files[2]))
    assert [name in uploads for name in names] == [True, False, True]


@pytest.fixture
def visited(workbench, file):
    """(workbench, name) after a visitor has added the file."""
    return workbench, workbench.uploads.add(file)


def test_an_uploaded_vector_is_used_like_a_shipped_one(visited, file, vector):
    workbench, name = visited
    clip = workbench.artifacts.examples[0]
    started_with = Workbench(workbench.artifacts, own=[file])
    answer = workbench.classify(clip, recipe(**{name: 0.8, "digits": -0.3}))
    expected = started_with.classify(clip, recipe(my_birds=0.8, digits=-0.3))
    assert np.allclose(list(answer.edited.values()), list(expected.edited.values()), atol=1e-6)
    assert not np.allclose(list(answer.edited.values()), list(answer.pretrained.values()), atol=1e-3)
    exact = [
        list(w.exact(r))[-1] for w, r in ((workbench, recipe(**{name: 0.8})), (started_with, recipe(my_birds=0.8)))
    ]
    assert all(
        np.array_equal(a.predicted_edited, b.predicted_edited)
        for a, b in zip(exact[0].results, exact[1].results, strict=True)
    )
    along = [w.trace(clip, recipe(), n, n_points=3) for w, n in ((workbench, name), (started_with, "my_birds"))]
    for a, b in zip(along[0].probabilities.values(), along[1].probabilities.values(), strict=True):
        assert np.allclose(a, b, atol=1e-6)


def test_what_nobody_measured_has_no_accuracy(visited):
    workbench, name = visited
    assert len(workbench.evaluate(recipe(urban=0.5))) == len(workbench.tasks)
    assert workbench.evaluate(recipe(urban=0.5, **{name: 0.1})) == []
    with pytest.raises(BadRecipeError, match=rf"No accuracy was measured or can be estimated for .*τ_{name}.*--data"):
        workbench.figures(recipe(**{name: 0.1}))
    assert workbench.figures(recipe(**{name: 0.0}))  # λ = 0 is the pre-trained model, which was measured


def test_nobody_else_hears_of_an_uploaded_vector(visited):
    workbench, name = visited
    assert name not in json.dumps(workbench.describe_vectors())
    assert name not in workbench.vectors
    with pytest.raises(BadRecipeError) as error:
        workbench.check(recipe(nobody=0.5))
    assert name not in str(error.value)


def test_controls_of_added_vectors_mean_a_recipe(visited):
    workbench, name = visited
    page = Page(workbench)
    assert name not in page.vectors
    values = list(page.values(recipe(urban=0.5)).values)
    assert page.recipe("", tuple(values)) == recipe(urban=0.5)
    slot = 3 + 2 * len(page.vectors)
    values[slot : slot + 2] = [True, 0.25]
    assert page.recipe(f"{name},,,", tuple(values)) == recipe(urban=0.5, **{name: 0.25})
    assert page.recipe(f",{name},,", tuple(values)) == recipe(urban=0.5)  # the row of no vector means nothing
    assert names_of("") == names_of(",,,") == ("",) * len(SLOTS)
    assert ControlValues.of(recipe(**{name: 0.25}), (name, "", ""), ("a", "b", "c")).recipe("tiny-clap") == recipe(
        **{name: 0.25}
    )


def test_controls_hold_every_recipe_that_they_can_mean():
    """Rows and the analogy together go up to λ = 2, and a link with such a λ gives the same recipe."""
    rng, names, abc = np.random.default_rng(0), ("a", "b", "c", "d"), ("a", "b", "c")
    beyond = 0
    for _ in range(300):
        rows = [x for _ in names for x in (rng.random() < 0.7, round(rng.uniform(-1, 1), 2))]
        operations = (True, True, rng.random() < 0.7)
        meant = ControlValues(names, (*operations, *rows, *abc, round(rng.uniform(0, 1), 2))).recipe("tiny-clap")
        assert ControlValues.of(meant, names, abc).recipe("tiny-clap") == meant
        beyond += any(abs(v) > 1 for v in meant.coefficients.values())
    assert beyond > 50
    for analogy in (0.5, 1.0):  # nothing but an analogy is shown as one
        meant = recipe(a=-analogy, b=analogy, c=analogy)
        assert ControlValues.of(meant, names, abc).values[:3] == (False, False, True)
    beyond = recipe(a=2.0, b=2.0, d=-2.0)
    assert ControlValues.of(beyond, names, abc).recipe("tiny-clap") == recipe(b=2.0, d=-1.0)


def test_a_file_that_is_no_upload_is_refused_and_stays(workbench):
    """Gradio lets the browser name any file of its static paths, which hold the surfaces."""
    app = build_app(workbench)
    add = next(f.fn for f in app.fns.values() if f.fn and f.fn.__qualname__ == "connect_own.<locals>.add")
    surface = workbench.artifacts.surface_files["urban"].path
    before = surface.read_bytes()
    with pytest.raises(gr.Error, match="without a task vector's header"):
        add(str(surface), "", None)
    assert surface.read_bytes() == before


def test_a_vector_that_is_no_longer_kept_is_asked_for_again(workbench):
    with pytest.raises(BadRecipeError, match=r"no task vector 'birds-0123abcd'; .*: add its file again\.$"):
        workbench.check(recipe(**{"birds-0123abcd": 0.5}))


def test_no_vector_has_the_id_of_another_control(workbench, vector, tmp_path):
    names = ("analogy", "slot-1", "rows")
    for name in names:
        dataclasses.replace(vector, name=name).save(tmp_path / f"{name}.safetensors")
    app = build_app(Workbench(workbench.artifacts, own=[tmp_path / f"{name}.safetensors" for name in names]))
    ids = [block.elem_id for block in app.blocks.values() if block.elem_id]
    assert {f"lambda-{name}" for name in names} < set(ids)
    assert len(ids) == len(set(ids))


def test_own_vectors_of_the_start_are_rows_of_their_own(workbench, file):
    page = Page(Workbench(workbench.artifacts, own=[file]))
    assert page.own == ("my_birds",)
    assert page.vectors[-1] == "my_birds"
    assert "my_birds" not in page.measured
    assert Page(workbench).own == ()


# ---- in the browser -------------------------------------------------------------------------------------------------
BADGE = "#chart .tv-badge"


def badge_says(page, text):
    page.page.wait_for_function(
        "([at, text]) => document.querySelector(at)?.textContent.includes(text)", arg=[BADGE, text]
    )


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    """A vector of the embedded checkpoint that the app has never seen."""
    vectors = [TaskVector.load(ARTIFACTS / "vectors" / f"{n}.safetensors") for n in ("urban", "emotion")]
    path = tmp_path_factory.mktemp("mine") / "mine.safetensors"
    dataclasses.replace(sum(vectors) / 2, name="mine", task="mine").save(path)
    return path


def upload(page, path):
    page.page.set_input_files("#own-vectors input[type=file]", path)


@pytest.mark.browser
def test_a_visitor_adds_a_vector_and_takes_it_away(new_visitor, mine):
    page, other = new_visitor(), new_visitor()
    page.open({"urban": 0.4})
    other.open({"urban": 0.4})
    assert not page.page.locator("#own-heading").is_visible()
    upload(page, mine)
    assert "Added τ mine-" in page.toast()
    name = page.page.locator("#row-_slot-1").inner_text().split()[1]
    page.at_rest()
    assert page.chart == {"urban": 0.4}  # it is there, and off
    # a slider moved in the browser: the formula follows, the bars say that they do not know
    number(page, "_slot-1").fill("0.6")
    number(page, "_slot-1").press("Enter")
    page.page.wait_for_function("() => document.querySelector('#formula').textContent.includes('mine-')")
    badge_says(page, f"no estimate for τ_{name}")
    page.at_rest()
    page.page.wait_for_function("() => document.querySelector('#exact .tv-measured').dataset.query.includes('mine')")
    assert page.address == {"urban": 0.4, name: 0.6}
    for task in ("emotion", "urban"):  # accuracies on synthesized sounds do not stand beside those on recordings
        row = page.page.locator(f"#chart .tv-task[data-task={task}]")
        assert row.locator("b").inner_text() == "—"
        assert row.locator("s").inner_text().isdigit()
    badge_says(page, f"no estimate for τ_{name}")
    # nobody else sees it
    assert other.page.locator("#row-_slot-1").count() == 0
    # a preset switches it off and leaves the row where it is; figures come back
    page.page.locator("#reset").click()
    page.shows({})
    page.at_rest()
    assert page.page.locator(BADGE).inner_text() == "measured"
    assert page.page.locator("#row-_slot-1").is_visible()
    page.page.locator("#remove-_slot-1").click()
    page.page.wait_for_selector("#row-_slot-1", state="detached")
    page.at_rest()
    assert page.errors == other.errors == []


@pytest.mark.browser
def test_undo_to_a_removed_vector_says_so_and_changes_nothing(page, mine):
    page.open({"urban": 0.4})
    upload(page, mine)
    page.toast()
    page.at_rest()
    number(page, "_slot-1").fill("0.6")
    number(page, "_slot-1").press("Enter")
    page.page.wait_for_function("() => document.querySelector('#formula').textContent.includes('mine-')")
    page.at_rest()
    page.page.locator("#remove-_slot-1").click()
    page.page.wait_for_selector("#row-_slot-1", state="detached")
    page.shows({"urban": 0.4})
    page.at_rest()
    before = can(page, "undo"), can(page, "redo")
    assert before == (True, False)
    page.page.locator("#undo").click()
    said = page.page.get_by_role("alert").filter(has_text="The sliders stay as they are.")
    said.wait_for()
    assert "mine-" in said.inner_text()
    assert (can(page, "undo"), can(page, "redo")) == before
    page.shows({"urban": 0.4})
    number(page, "urban").fill("0.5")  # the next step goes on from here
    page.shows({"urban": 0.5})
    page.at_rest()
    assert not said.is_visible()
    page.page.locator("#undo").click()
    page.shows({"urban": 0.4})
    assert page.errors == []


@pytest.mark.browser
def test_a_wrong_file_changes_nothing(page, mine, tmp_path):
    page.open({"urban": 0.4})
    wrong = tmp_path / "wrong.safetensors"
    wrong.write_text("Dear all")
    upload(page, wrong)
    text = page.toast()
    assert "wrong.safetensors is not a safetensors file" in text
    assert str(tmp_path) not in text
    page.at_rest()
    assert page.page.locator("#row-_slot-1").count() == 0
    assert page.chart == {"urban": 0.4}


@pytest.mark.browser
def test_a_clip_is_heard_with_an_added_vector(page, mine):
    page.open({})
    upload(page, mine)
    page.toast()
    tab(page, "Your sound")
    page.at_rest()
    slider(page, "_slot-1").evaluate("(e) => { e.value = '1'; e.dispatchEvent(new Event('input', {bubbles: true})); }")
    page.page.wait_for_function(
        "() => !document.querySelector('#difference').textContent.includes('both models are the same')"
    )
    page.at_rest()
    name = page.page.locator("#row-_slot-1").inner_text().split()[1]
    page.page.locator("#along input").click()
    page.page.get_by_role("option", name=name).click()
    page.page.wait_for_function(
        "(name) => document.querySelector('#flips').textContent.includes(`Along λ ${name}`)", arg=name
    )
    assert page.errors == []


@pytest.mark.browser
def test_a_page_at_rest_redraws_nothing(page):
    """Exact figures are handed to the chart, and the chart's recipe to the figures; the two must not trigger each other
    for ever.
    """
    page.open({"urban": 0.41})
    page.page.wait_for_function(
        "() => document.querySelector('#exact .tv-measured').getAttribute('aria-busy') === 'false'"
    )
    page.at_rest()
    changes = page.page.evaluate(COUNT_CHANGES)
    assert changes == 0
    number(page, "urban").fill("0.42")
    assert page.page.evaluate(COUNT_CHANGES) > 0


COUNT_CHANGES = """() => new Promise((resolve) => {
  let count = 0;
  const observer = new MutationObserver((changes) => { count += changes.length; });
  const everything = {attributes: true, childList: true, characterData: true, subtree: true};
  for (const at of ["#chart", "#exact"]) observer.observe(document.querySelector(at), everything);
  setTimeout(() => { observer.disconnect(); resolve(count); }, 600);
})"""
