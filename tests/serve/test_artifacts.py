"""`precomputed/` is complete, unaltered, small and holds no code.

This is tested of the random folder and of the shipped one.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from taskvec_demo.clap.model import Checkpoint
from taskvec_demo.core.task_vector import TaskVector
from taskvec_demo.core.weights import read_safetensors, write_safetensors
from taskvec_demo.core.zero_shot import ZeroShotHead
from taskvec_demo.errors import BadArtifactError
from taskvec_demo.lab.tiny_clap.study import FINE_TUNINGS, TASKS
from taskvec_demo.serve.artifacts import (
    Artifacts,
    load_head,
    read_json,
    read_table,
    save_head,
    sha256_of,
    write_json,
    write_manifest,
)
from tests.support.paths import ARTIFACTS as SHIPPED

MAX_FILE = 10 * 10**6  # bytes
MAX_SHIPPED = 40 * 2**20  # of the embedded checkpoint with all that was measured of it
# None of these formats can hold code: at worst, loading fails.
EXTENSIONS = {
    "model": {".json", ".safetensors", ".txt"},
    "vectors": {".safetensors"},
    "heads": {".safetensors"},
    "surfaces": {".safetensors"},
    "tables": {".json"},
    "examples": {".flac", ".ogg"},
    "synthesized": {".opus", ".csv"},
    "": {".json", ".md"},
}
PICKLE = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04", b"\x93NUMPY")


@pytest.fixture(params=["random", "shipped"])
def folder(request):
    if request.param == "random":
        return request.getfixturevalue("artifacts_folder")
    assert (SHIPPED / "manifest.json").is_file(), f"{SHIPPED} is not there: run `python -m taskvec_demo build`"
    return SHIPPED


@pytest.fixture
def copy(artifacts_folder, tmp_path):
    return Path(shutil.copytree(artifacts_folder, tmp_path / "copy"))


def rewrite_manifest(folder, **fields):
    kept = {k: v for k, v in read_json(folder / "manifest.json").items() if k not in ("format", "files")}
    write_manifest(folder, kept | fields)


# ---- what is there --------------------------------------------------------------------------------------------------
def test_a_folder_is_complete_and_fits_together(folder):
    artifacts = Artifacts(folder)
    checkpoint = Checkpoint.from_folder(artifacts.model_folder, artifacts.name)
    assert artifacts.name == "tiny-clap"
    assert artifacts.pretrained_sha256 == checkpoint.pretrained.sha256
    assert artifacts.tasks == TASKS
    assert [t.role for t in artifacts.tasks.values()].index("control") == 0
    assert artifacts.vector_names == list(artifacts.vectors) == list(FINE_TUNINGS)
    for name, vector in artifacts.vectors.items():
        assert vector.name == name
        assert vector.layout == checkpoint.pretrained.layout
        assert 0 < vector.norm < np.inf
    for name, task in artifacts.tasks.items():
        head, surface = artifacts.heads[name], artifacts.surfaces[name]
        assert head.labels == task.class_names
        assert head.matrix.shape == (len(task.class_names), checkpoint.dim)
        assert np.allclose(head.matrix.norm(dim=-1), 1, atol=1e-5)
        assert (surface.task, surface.split, surface.vectors) == (name, "validation", tuple(artifacts.vector_names))
        assert surface.measured({}) is not None
        assert surface.labels.max() < len(task.class_names) == surface.directions.shape[-1]
        assert surface.predictions.shape == (len(surface.points), len(surface.labels))
        assert 0 <= surface.error < 0.2
        assert surface.n_held_out >= 20
    assert 2 <= len(artifacts.default_labels) <= 64
    assert len({label.casefold() for label in artifacts.default_labels}) == len(artifacts.default_labels)
    assert len(artifacts.examples) >= 3


def test_heads_are_those_of_the_text_tower(folder):
    artifacts = Artifacts(folder)
    checkpoint = Checkpoint.from_folder(artifacts.model_folder, artifacts.name)
    task = artifacts.tasks["esc50"]
    texts = [template.format(task.prompts[0]) for template in task.templates]
    mean = checkpoint.embed_text(texts).mean(0)
    assert np.allclose(artifacts.heads["esc50"].matrix[0], mean / mean.norm(), atol=1e-4)
    assert not np.allclose(artifacts.heads["esc50"].matrix[1], mean / mean.norm(), atol=1e-2)


def test_presets_are_recipes_of_this_checkpoint_with_test_figures(folder):
    artifacts = Artifacts(folder)
    coefficients = [preset.recipe.coefficients for preset in artifacts.presets.values()]
    assert any(len(c) == 1 and min(c.values()) < 0 for c in coefficients)  # negation
    assert any(len(c) >= 2 and min(c.values()) > 0 for c in coefficients)  # addition
    assert any(len(c) == 3 and len({abs(v) for v in c.values()}) == 1 and min(c.values()) < 0 for c in coefficients)
    for preset in artifacts.presets.values():
        assert preset.recipe.checkpoint == artifacts.name
        preset.recipe.check_vectors(artifacts.vectors)
        assert [entry["task"] for entry in preset.test] == list(artifacts.tasks)
        for entry in preset.test:
            assert entry["split"] == "test"
            assert entry["kind"] == "exact"
            assert entry["n"] == sum(row["n"] for row in entry["per_class"]) > 0
            for model in ("pretrained", "edited"):
                assert 0 <= entry[model]["low"] <= entry[model]["accuracy"] <= entry[model]["high"] <= 1
        assert artifacts.surfaces["esc50"].contains(preset.recipe.coefficients)


def test_nothing_is_pickled_and_nothing_is_large(folder):
    listed = read_json(folder / "manifest.json")["files"]
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 15
    for path in files:
        relative = path.relative_to(folder)
        part = relative.parts[0] if len(relative.parts) > 1 else ""
        assert path.suffix in EXTENSIONS[part], relative
        assert path.stat().st_size < MAX_FILE, relative
        assert not path.read_bytes()[:8].startswith(PICKLE), relative
        assert relative.as_posix() in listed or path.name == "manifest.json", f"{relative} is not in the manifest"
    assert set(listed) == {p.relative_to(folder).as_posix() for p in files} - {"manifest.json"}


def test_the_manifest_says_where_everything_comes_from(folder):
    manifest = read_json(folder / "manifest.json")
    assert manifest["commands"]
    for source in manifest["sources"]:
        assert source["name"]
        assert source["licence"]


def test_what_is_shipped_is_small():
    assert sum(path.stat().st_size for path in SHIPPED.rglob("*") if path.is_file()) < MAX_SHIPPED


def test_what_is_shipped_was_trained():
    """The shipped folder must not be the random one of the tests."""
    sources = {source["name"] for source in read_json(SHIPPED / "manifest.json")["sources"]}
    assert "random numbers" not in sources, f"{SHIPPED} was written by tests.support.random_artifacts"
    assert any("ESC-50" in name for name in sources)


# ---- refusals -------------------------------------------------------------------------------------------------------
ONE_OF_EACH = (
    "model/model.safetensors",
    "model/config.json",
    "vectors/urban.safetensors",
    "heads/esc50.safetensors",
    "surfaces/urban.validation.safetensors",
    "tables/presets.json",
    "examples/siren.flac",
)


def test_an_unaltered_copy_opens(copy):
    """Negative control of the refusals below: an unaltered folder is accepted."""
    assert len(Artifacts(copy).vectors) == len(FINE_TUNINGS)


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_one_altered_byte_is_refused(copy, name):
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(BadArtifactError, match=rf"{name} does not have the sha256.*\.$"):
        Artifacts(copy)


@pytest.mark.parametrize("name", [*ONE_OF_EACH, "manifest.json"])
def test_a_folder_cloned_without_git_lfs_says_so(copy, name):
    (copy / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(BadArtifactError, match=rf"{name} is a Git LFS pointer.*git lfs pull.*\.$"):
        Artifacts(copy)


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_a_missing_file_is_refused(copy, name):
    (copy / name).unlink()
    with pytest.raises(BadArtifactError, match=rf"{name} is listed in the manifest but missing.*\.$"):
        Artifacts(copy)


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_another_manifest_format_is_refused(copy, version):
    manifest = json.loads((copy / "manifest.json").read_text())
    write_json(copy / "manifest.json", manifest | {"format": version})
    with pytest.raises(BadArtifactError, match=r"manifest\.json has format .*reads format 1\.$"):
        Artifacts(copy)


def test_a_manifest_that_is_missing_or_not_json_is_refused(copy):
    (copy / "manifest.json").write_text('{"format": 1,')
    with pytest.raises(BadArtifactError, match=r"manifest\.json is not valid JSON"):
        Artifacts(copy)
    (copy / "manifest.json").unlink()
    with pytest.raises(BadArtifactError, match=r"no file .*manifest\.json; run .*\.$"):
        Artifacts(copy)


def test_a_vector_of_another_checkpoint_is_refused(copy):
    path = copy / "vectors" / "urban.safetensors"
    foreign = dataclasses.replace(TaskVector.load(path), pretrained_sha256="0" * 64)
    foreign.save(path)
    rewrite_manifest(copy)  # the file is what the manifest says, and still does not belong here
    artifacts = Artifacts(copy)
    with pytest.raises(BadArtifactError, match=r"'urban' was made from .* 0{12}, not from 'tiny-clap'"):
        artifacts.vectors  # noqa: B018


def test_a_listed_vector_without_a_file_is_refused(copy):
    rewrite_manifest(copy, vectors=["urban", "rural"])
    with pytest.raises(BadArtifactError, match=r"rural\.safetensors"):
        Artifacts(copy).vectors  # noqa: B018


def test_a_task_with_fields_of_another_version_is_refused(copy):
    tasks = read_json(copy / "manifest.json")["tasks"]
    rewrite_manifest(copy, tasks=[tasks[0] | {"colour": "red"}])
    with pytest.raises(BadArtifactError, match=r"task entry.*colour"):
        Artifacts(copy)


def test_nothing_of_a_strangers_folder_is_html_where_the_page_expects_a_word_or_a_number(copy):
    manifest = read_json(copy / "manifest.json")
    rewrite_manifest(copy, tasks=[manifest["tasks"][0] | {"role": "<img src=x>"}])
    with pytest.raises(BadArtifactError, match="has the role '<img src=x>'; control or target is accepted"):
        Artifacts(copy)
    (copy / "t.json").write_text('{"rows": [{"n": "<img src=x>"}]}')
    with pytest.raises(BadArtifactError, match="'<img src=x>' where a number of clips is expected"):
        read_table(copy / "t.json")


# ---- writing --------------------------------------------------------------------------------------------------------
def test_the_manifest_covers_every_file_but_itself_and_leftovers(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.json").write_text("{}")
    (tmp_path / "a" / ".b.json.123.tmp").write_text("{")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text("x")
    write_manifest(tmp_path, {"checkpoint": "x"})
    write_manifest(tmp_path, {"checkpoint": "x"})  # again: it does not list itself
    assert read_json(tmp_path / "manifest.json") == {
        "format": 1,
        "checkpoint": "x",
        "files": {"a/b.json": sha256_of(tmp_path / "a" / "b.json")},
    }


def test_the_random_folder_makes_a_chart_that_moves(artifacts_folder):
    artifacts = Artifacts(artifacts_folder)
    accuracy = {
        x: (artifacts.surfaces["urban"].measured({"urban": x}) == artifacts.surfaces["urban"].labels).mean()
        for x in (-1.0, 0.0, 1.0)
    }
    assert accuracy[-1.0] + 0.2 < accuracy[0.0] < accuracy[1.0] - 0.2


def test_names_of_bytes_that_are_not_utf8_survive_a_manifest(tmp_path):
    content = {"folder": "caf\udce9", "title": "café"}
    write_json(tmp_path / "manifest.json", content)
    assert read_json(tmp_path / "manifest.json") == content
    assert "café" in (tmp_path / "manifest.json").read_text(encoding="utf-8")


# ---- heads ----------------------------------------------------------------------------------------------------------
HEAD = {"format": "1", "labels": '["a", "b"]'}


def test_a_head_is_read_back(tmp_path):
    head = ZeroShotHead(("a", "b"), torch.eye(2))
    save_head(tmp_path / "x.safetensors", head)
    assert read_safetensors(tmp_path / "x.safetensors")[1] == HEAD
    read = load_head(tmp_path / "x.safetensors")
    assert read.labels == head.labels
    assert torch.equal(read.matrix, head.matrix)


@pytest.mark.parametrize(
    ("header", "name", "problem"),
    [
        ({"labels": HEAD["labels"]}, "matrix", "has head format None; this version reads format '1'"),
        (HEAD | {"format": "2"}, "matrix", "has head format '2'; this version reads format '1'"),
        ({"format": "1"}, "matrix", "does not hold a zero-shot head"),
        (HEAD | {"labels": "a, b"}, "matrix", "does not hold a zero-shot head"),
        (HEAD | {"labels": "2"}, "matrix", "does not hold a zero-shot head"),
        (HEAD, "other", "does not hold a zero-shot head"),
    ],
)
def test_a_file_that_is_no_head_of_this_format_is_refused(tmp_path, header, name, problem):
    write_safetensors(tmp_path / "x.safetensors", {name: torch.eye(2)}, header)
    with pytest.raises(BadArtifactError, match=problem):
        load_head(tmp_path / "x.safetensors")
