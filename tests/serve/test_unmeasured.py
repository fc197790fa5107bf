"""A checkpoint on which nothing was measured: the app opens on it, and says so."""

from __future__ import annotations

import re
import shutil
import socket
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest

import app
from taskvec_demo.clap import hub
from taskvec_demo.clap.embedded import EMBEDDED
from taskvec_demo.clap.sources import Source
from taskvec_demo.core.recipe import Recipe, recipe_checkpoint
from taskvec_demo.core.task_vector import TaskVector
from taskvec_demo.errors import BadArtifactError, BadRecipeError, IncompatibleWeightsError
from taskvec_demo.serve import artifacts as module
from taskvec_demo.serve.artifacts import Artifacts, fetch_artifacts, read_json, write_json
from taskvec_demo.serve.opening import Wanted, named_in
from taskvec_demo.serve.unmeasured import tasks_of, unmeasured_artifacts
from taskvec_demo.serve.workbench import Workbench
from taskvec_demo.ui.about import about_markdown
from taskvec_demo.ui.app import build_app
from taskvec_demo.ui.hearing import Hearing
from taskvec_demo.ui.live import properties
from taskvec_demo.ui.page import Page
from tests.support.app_server import running_app
from tests.support.layout_copies import write_esc50, write_folders, write_gender_emotion
from tests.support.visitor import Visitor

PACKAGE = Path(__file__).parents[2] / "taskvec_demo"


@pytest.fixture(scope="module")
def model(artifacts_folder):
    return artifacts_folder / "model"


@pytest.fixture(scope="module")
def files(artifacts_folder):
    return [artifacts_folder / "vectors" / f"{name}.safetensors" for name in ("urban", "emotion")]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Sets in three layouts, and a folder that is none."""
    folder = tmp_path_factory.mktemp("data")
    write_esc50(folder / "ESC-50-master", ["dog", "rain", "clapping"])
    write_gender_emotion(folder / "voices", ["female_happy", "male_sad"])
    write_folders(folder / "my sounds", ["door_slam", "kettle"])
    (folder / "notes").mkdir()
    return folder


@pytest.fixture(scope="module")
def alone(model, files):
    """A workbench of a checkpoint and two vectors, without recordings."""
    return opened(model, files)


@pytest.fixture(scope="module")
def measured(model, files, data):
    """The same with recordings."""
    return opened(model, files, data)


def opened(model, vectors, data=None):
    artifacts = unmeasured_artifacts(str(model), vectors, data)
    return Workbench(artifacts, data, checkpoint=artifacts.checkpoint)


# ---- what is known -------------------------------------------------------------------------------------------------
def test_a_checkpoint_alone_answers_for_a_clip_as_with_all_artifacts(alone, workbench, monkeypatch):
    bench = alone
    assert (bench.name, list(bench.vectors), bench.tasks) == ("model", ["urban", "emotion"], {})
    clip = bench.artifacts.examples[0]
    labels = "rain, a dog, a cello"
    answers = [w.classify(clip, Recipe(w.name, {"urban": 0.7, "emotion": -0.4}), labels) for w in (bench, workbench)]
    # The templates differ, so compare what the audio tower says: where the edit moves the clip
    assert set(answers[0].edited) == set(answers[1].edited)
    mel = bench._heard(clip, "x").mel
    for w in (bench, workbench):  # a machine with bfloat16 may have switched to it for one and not for the other
        monkeypatch.setattr(w.checkpoint, "precision", "float32")
    embedded = [
        w.checkpoint.embed_audio(mel, w.edited(Recipe(w.name, {"urban": 0.7, "emotion": -0.4})))
        for w in (bench, workbench)
    ]
    assert np.allclose(embedded[0], embedded[1], atol=1e-5)
    assert not np.allclose(embedded[0], bench.checkpoint.embed_audio(mel), atol=1e-2)


def test_nothing_is_known_but_the_weights_and_the_vectors(alone, files):
    artifacts = alone.artifacts
    assert artifacts.surfaces == artifacts.surface_files == artifacts.presets == artifacts.heads == {}
    assert artifacts.tables is artifacts.synthesized is None
    assert artifacts.open_checkpoint() is alone.checkpoint
    assert artifacts.pretrained_sha256 == alone.checkpoint.pretrained.sha256
    assert {n: v.sha256 for n, v in alone.vectors.items()} == {p.stem: TaskVector.load(p).sha256 for p in files}
    assert "was opened from this machine" in about_markdown(alone)


def test_it_has_all_that_the_app_asks_of_artifacts(alone, artifacts_folder):
    """Every name that Workbench and page read of `Artifacts`; the folder itself is none of them."""
    asked = set()
    for path in [*(PACKAGE / "ui").rglob("*.py"), PACKAGE / "serve" / "workbench.py"]:
        asked |= set(re.findall(r"\bartifacts\.(\w+)", path.read_text("utf-8"))) - {"Artifacts"}
    asked -= {"Preset", "read_json"}  # of the module
    assert {"vectors", "surface_files", "examples"} <= asked
    for artifacts in (alone.artifacts, Artifacts(artifacts_folder, verify=False)):
        assert [name for name in sorted(asked) if not hasattr(artifacts, name)] == []


def test_nothing_is_written(model, files, data, tmp_path, monkeypatch):
    """So that a home that cannot be written is none of its business."""
    for name in ("HOME", "XDG_CACHE_HOME", "TMPDIR"):
        monkeypatch.setenv(name, str(tmp_path / "there is none"))

    def refuse(*_, **__):
        raise AssertionError("something was written")

    monkeypatch.setattr(Path, "mkdir", refuse)
    monkeypatch.setattr(Path, "write_text", refuse)
    monkeypatch.setattr(Path, "write_bytes", refuse)
    bench = opened(model, files, data)
    assert bench.classify(bench.artifacts.examples[0], Recipe(bench.name, {"urban": 0.5}), "rain, a dog").edited
    assert list(tmp_path.iterdir()) == []


def test_sets_of_recordings_become_tasks(measured, data):
    assert list(measured.tasks) == ["esc-50-master", "my_sounds", "voices"]
    esc, own, voices = measured.tasks.values()
    assert (esc.title, esc.role, own.title, own.role) == ("ESC-50", "control", "my sounds", "target")
    assert (own.class_names, own.prompts) == (("door_slam", "kettle"), ("door slam", "kettle"))
    assert voices.class_names == ("female_happy", "male_sad")
    assert voices.templates == ("This is a sound of {}.",)
    texts = [f"This is a sound of {prompt}." for prompt in own.prompts]
    assert np.allclose(measured.artifacts.heads["my_sounds"].matrix, measured.checkpoint.embed_text(texts), atol=1e-5)
    assert {"door slam", "dog", "male sad"} <= set(measured.artifacts.default_labels)


def test_figures_are_measured_and_never_estimated(measured):
    recipe = Recipe(measured.name, {"urban": 0.6})
    *_, last = measured.exact(recipe)
    assert [r.task.name for r in last.results] == list(measured.tasks)
    assert last.done == len(measured.labelled) > 0
    assert {r.split for r in last.results} == {"validation"}
    assert measured.evaluate(recipe) == measured.evaluate(Recipe(measured.name)) == []
    with pytest.raises(BadRecipeError, match="No accuracy was measured or can be estimated"):
        measured.figures(recipe)


def test_a_folder_of_one_set_is_that_set(tmp_path):
    (task,) = tasks_of(write_folders(tmp_path / "kitchen", ["kettle", "door_slam"]))
    assert (task.name, task.clips_folders) == ("kitchen", (".",))
    assert task.class_names == ("door_slam", "kettle")


@pytest.mark.parametrize(
    ("name", "role"),
    [("esc10", "control"), ("ESC-50-master", "control"), ("Esc_50", "control"), ("esc 10", "control")]
    + [(name, "target") for name in ("crescendo", "rescue", "my esc10", "esc", "esc500", "escalators")],
)
def test_only_a_folder_named_as_esc_is_the_control(tmp_path, name, role):
    (task,) = tasks_of(write_folders(tmp_path / name, ["kettle", "door_slam"]))
    assert task.role == role


def test_data_without_a_set_is_refused(tmp_path, data):
    with pytest.raises(BadArtifactError, match="has no known layout"):
        tasks_of(tmp_path)
    with pytest.raises(BadArtifactError, match="nowhere is not a folder"):
        tasks_of(tmp_path / "nowhere")
    write_folders(tmp_path / "a b", ["x", "y"])
    write_folders(tmp_path / "a_b", ["x", "y"])
    with pytest.raises(
        BadArtifactError, match=r"two sets that would both be called 'a_b'; rename one of the folders\.$"
    ):
        tasks_of(tmp_path)


def test_a_vector_of_another_checkpoint_is_refused(model, artifacts_folder, tmp_path):
    vector = TaskVector.load(artifacts_folder / "vectors" / "urban.safetensors")
    foreign = TaskVector("x", vector.layout, vector.buffer, "1" * 64)
    foreign.save(tmp_path / "foreign.safetensors")
    with pytest.raises(IncompatibleWeightsError, match=r"foreign\.safetensors was made from .* 111111111111"):
        unmeasured_artifacts(str(model), [tmp_path / "foreign.safetensors"])


def test_steps_are_told(model, files):
    told = []
    unmeasured_artifacts(str(model), files, say=told.append)
    assert told[0].startswith(f"opening {model}: ")
    assert told[0].endswith(" GB of weights")
    assert "reading 2 task vectors" in told


@pytest.mark.parametrize(
    ("name", "expected"),
    [("laion/clap-htsat-unfused", "laion/clap-htsat-unfused"), ("my model (2)", "my_model_2"), ("…", "checkpoint")],
)
def test_a_name_that_recipes_accept(name, expected):
    assert recipe_checkpoint(name) == expected
    assert Recipe(expected).checkpoint == expected


def test_the_embedded_checkpoint_keeps_its_tasks(tmp_path):
    model = shutil.copytree(EMBEDDED / "model", tmp_path / "copied")
    artifacts = unmeasured_artifacts(str(model))
    assert list(artifacts.tasks) == [t["name"] for t in read_json(EMBEDDED / "manifest.json")["tasks"]]
    assert set(artifacts.heads) == set(artifacts.tasks)
    assert artifacts.surfaces == {}


# ---- the page -------------------------------------------------------------------------------------------------------
def tabs_of(blocks):
    return [block.label for block in blocks.blocks.values() if isinstance(block, gr.Tab)]


def test_the_page_of_a_checkpoint_alone(alone):
    bench = alone
    page = Page(bench)
    assert (page.own, page.main, page.extra, page.opening) == (("urban", "emotion"), (), (), None)
    assert properties(page)["tasks"] == []
    blocks = build_app(bench)
    assert tabs_of(blocks) == ["Your sound", "About"]
    assert "No accuracy of model has been measured" in str(blocks.get_config_file())
    values = page.values(Recipe("model", {"urban": 0.5})).values
    visitor = SimpleNamespace(session_hash="v")
    assert "tv-cell-after" in Hearing(page).classify(visitor, str(bench.artifacts.examples[0]), "", "", "", *values)[1]


def test_the_page_of_a_checkpoint_with_recordings(measured):
    page = Page(measured)
    assert [task["file"] for task in properties(page)["tasks"]] == [None] * 3
    chart = page.chart()
    assert chart.count("tv-unknown") == 3
    assert "not measured yet" in chart
    assert chart.count("<b>—</b>") == 3
    assert "No accuracy" not in chart  # there will be one in a moment
    assert tabs_of(build_app(measured)) == ["Classes", "Your sound", "About"]


def test_a_page_without_vectors_opens(model):
    bench = opened(model, ())
    page = Page(bench)
    assert page.values(Recipe("model")).recipe("model") == Recipe("model")
    assert tabs_of(build_app(bench)) == ["Your sound", "About"]


def test_partial_artifacts(artifacts_folder, tmp_path):
    """A task without a surface in the manifest has no estimate; other tasks keep theirs."""
    folder = shutil.copytree(artifacts_folder, tmp_path / "copy")
    manifest = read_json(folder / "manifest.json")
    surface = "surfaces/urban.validation.safetensors"
    (folder / surface).unlink()
    with pytest.raises(BadArtifactError, match="is listed in the manifest but missing"):
        Artifacts(folder)
    write_json(
        folder / "manifest.json", manifest | {"files": {k: v for k, v in manifest["files"].items() if k != surface}}
    )
    bench = Workbench(Artifacts(folder))
    found = [r.task.name for r in bench.evaluate(Recipe("tiny-clap", {"urban": 0.5}))]
    assert found == [name for name in bench.tasks if name != "urban"]
    page = Page(bench)
    assert page.chart().count("tv-unknown") == 1
    assert [t["name"] for t in properties(page)["tasks"] if t["file"] is None] == ["urban"]


def test_surfaces_that_are_links_are_served_as_what_they_point_to(artifacts_folder, tmp_path):
    """The hub's cache holds links, and gradio serves no file whose real path is outside of its static paths."""
    folder = tmp_path / "snapshot"
    shutil.copytree(artifacts_folder, folder, copy_function=lambda source, target: Path(target).symlink_to(source))
    page = Page(Workbench(Artifacts(folder)))
    served = [Path(task["file"]) for task in properties(page)["tasks"]]
    assert len(served) == len(page.tasks)
    assert all(path.is_relative_to(artifacts_folder.resolve()) for path in served)


# ---- the command line and the hub -----------------------------------------------------------------------------------
def test_a_manifest_is_asked_for_its_checkpoint(tmp_path):
    assert named_in(tmp_path) == []
    write_json(tmp_path / "manifest.json", {"pretrained": {"repo": "laion/clap-htsat-unfused", "revision": "abc"}})
    assert "laion/clap-htsat-unfused" in named_in(tmp_path)
    write_json(tmp_path / "manifest.json", ["pretrained"])
    assert named_in(tmp_path) == []


def test_tiny_clap_is_the_embedded_one_whatever_the_artifacts_are(tmp_path, monkeypatch, capsys):
    """They are those of $TASKVEC_ARTIFACTS where it is set."""
    write_json(tmp_path / "manifest.json", {"pretrained": {"repo": "laion/clap-htsat-unfused", "revision": "abc"}})
    asked = []
    monkeypatch.setattr(hub, "allow_hub", lambda *specs: asked.append(specs))
    for artifacts in (str(tmp_path), "someone/vectors"):
        wanted = Wanted(artifacts, checkpoint="tiny-clap")
        wanted.allow_hub()
        bench = wanted.open()
        assert isinstance(bench.artifacts, Artifacts)
        assert bench.artifacts.folder == EMBEDDED
    assert asked == 2 * [("tiny-clap", None)]
    assert capsys.readouterr().err == ""  # the embedded one opens in a moment
    Wanted(str(tmp_path)).allow_hub()
    assert "laion/clap-htsat-unfused" in asked[-1]


def test_what_cannot_be_opened_is_one_sentence(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(hub, "allow_hub", lambda *specs: None)  # it sets a variable of the process
    assert app.main(["--checkpoint", str(tmp_path / "nothing.pt")]) == 2
    assert app.main(["--artifacts", str(tmp_path)]) == 2
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert app.main(["--port", port]) == 2
    for number in ("0", "-1", "99999"):
        assert app.main(["--port", number]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("taskvec_demo: ")]
    assert len(lines) == 6
    assert "nothing.pt" in lines[0]
    assert f"port {port}: it is taken" in lines[2]
    assert [line.split(";")[0].split()[-1] for line in lines[3:]] == ["0", "-1", "99999"]
    assert all(line.endswith(".") for line in lines)


def test_artifacts_of_the_hub_come_from_its_cache_when_there_is_no_network(artifacts_folder, tmp_path, monkeypatch):
    import huggingface_hub.constants as constants

    commit = "0123456789abcdef0123456789abcdef01234567"
    repo = tmp_path / "models--me--my-clap"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text(commit)
    snapshot = Path(shutil.copytree(artifacts_folder, repo / "snapshots" / commit))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    assert fetch_artifacts("me/my-clap") == snapshot
    with pytest.raises(BadArtifactError, match=r"'me/other' is not in the hub's cache .* give a local folder\.$"):
        fetch_artifacts("me/other")
    (snapshot / "manifest.json").unlink()
    with pytest.raises(BadArtifactError, match=r"holds no manifest\.json"):
        fetch_artifacts("me/my-clap")


def test_the_checkpoint_is_opened_by_what_the_manifest_says(alone, artifacts_folder, tmp_path, monkeypatch):
    """Its weights lie on the hub; others than those that everything here is about are refused."""
    asked = []
    monkeypatch.setattr(module, "resolve", lambda *spec: asked.append(spec))
    monkeypatch.setattr(module, "open_checkpoint", lambda source, precision: alone.checkpoint)
    copy = shutil.copytree(artifacts_folder, tmp_path / "copy")
    manifest = read_json(copy / "manifest.json")
    manifest |= {"pretrained": {"repo": "laion/clap-htsat-unfused", "revision": "abc"}}
    write_json(copy / "manifest.json", manifest)
    assert Artifacts(copy).open_checkpoint() is alone.checkpoint
    assert asked == [("laion/clap-htsat-unfused", "abc")]
    monkeypatch.setattr(module, "resolve", lambda *spec: Source(spec[0], "folder", tmp_path, "x"))
    write_json(copy / "manifest.json", manifest | {"pretrained_sha256": "0" * 64})
    with pytest.raises(BadArtifactError, match=r"has pre-trained weights [0-9a-f]{12}; .* made from 000000000000\.$"):
        Artifacts(copy).open_checkpoint()


# ---- in the browser -------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def bare_server(model, files, data, tmp_path_factory):
    vectors = [argument for file in files for argument in ("--vector", str(file))]
    folder = tmp_path_factory.mktemp("bare app")
    with running_app(folder, "--checkpoint", str(model), *vectors, "--data", str(data)) as server:
        yield server


@pytest.mark.browser
def test_bars_of_a_checkpoint_alone_are_what_was_measured_at_rest(bare_server, browser):
    visitor = Visitor(browser.new_context(viewport={"width": 1280, "height": 900}).new_page(), bare_server)
    page = visitor.page
    page.goto(bare_server.url)
    measured = (
        "() => document.querySelector('#chart .tv-badge')?.textContent === 'measured now with these very weights'"
    )
    page.wait_for_function(measured)
    visitor.at_rest()
    bars = page.evaluate(BARS)
    assert page.locator("#own-heading").is_visible()
    slider = page.locator("#lambda-emotion input[type=range]")
    slider.evaluate("(e) => { e.value = '0.9'; e.dispatchEvent(new Event('input', {bubbles: true})); }")
    page.wait_for_function(
        "() => document.querySelector('#chart .tv-badge')?.textContent === 'no estimate for τ_emotion'"
    )
    assert set(page.evaluate(BARS)) == {"0%"}
    page.wait_for_function(measured)
    visitor.at_rest()
    assert page.evaluate(BARS) != bars
    page.locator("#exact summary").first.click()
    page.wait_for_selector("#exact details[open] .tv-row")
    slider.evaluate("(e) => { e.value = '1'; e.dispatchEvent(new Event('input', {bubbles: true})); }")
    page.wait_for_function("() => document.querySelector('#exact .tv-measured').dataset.query.includes('emotion=1')")
    page.wait_for_function(measured)
    visitor.at_rest()
    assert page.locator("#exact details[open]").count() == 1  # what a visitor opened stays open
    exact = page.locator("#exact details[data-task=my_sounds] summary b").inner_text()
    assert page.locator("#chart .tv-task[data-task=my_sounds] b").inner_text() == exact
    assert visitor.errors == visitor.outside == []
    assert "GB of weights" in bare_server.log
    page.context.close()


BARS = "() => [...document.querySelectorAll('#chart .tv-track .tv-ed')].map((e) => e.style.width)"
