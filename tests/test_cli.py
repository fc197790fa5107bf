"""`python -m taskvec_demo`: the commands that a new user types, on the random checkpoint."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from taskvec_demo.cli import _parser, main
from taskvec_demo.core.evaluation import TaskResult
from taskvec_demo.core.recipe import Recipe
from taskvec_demo.core.recipe_files import recipe_yaml
from taskvec_demo.lab.tiny_clap.study import TINY
from taskvec_demo.serve.workbench import Workbench

RECIPE = '{"format": 1, "checkpoint": "tiny-clap", "coefficients": {"urban": -0.5}}'
COMMANDS = (
    "info",
    "classify",
    "evaluate",
    "pretrain",
    "align-text",
    "distil-text",
    "finetune",
    "sweep",
    "tables",
    "build",
    "card",
    "convert",
    "vector",
    "push",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    assert len(capsys.readouterr().out) > 150


@pytest.mark.parametrize("command", ["finetune", "sweep", "tables", "build"])
def test_a_study_still_answers_to_its_old_option(command: str, capsys: pytest.CaptureFixture) -> None:
    for option in ("--study", "--preset"):
        assert _parser().parse_args([command, "--data", "data", option, "ballanti"]).study == "ballanti"
    assert _parser().parse_args([command, "--data", "data"]).study == "tiny"
    with pytest.raises(SystemExit):
        main([command, "--help"])
    shown = capsys.readouterr().out
    assert "--study" in shown
    assert "--preset" not in shown


def test_the_studies_of_the_parser_are_those_that_can_be_built() -> None:
    from taskvec_demo.lab.build import STUDIES
    from taskvec_demo.lab.data import arguments

    assert set(arguments.STUDIES) == set(STUDIES)


def test_info_names_vectors_and_presets(artifacts_folder: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["info", "--artifacts", str(artifacts_folder)]) == 0
    shown = capsys.readouterr().out
    assert "female_happy" in shown
    assert "θ_new = θ_pt" in shown


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_what_the_output_cannot_encode_is_replaced(encoding, artifacts_folder: Path, monkeypatch) -> None:
    output = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", output)
    assert main(["info", "--artifacts", str(artifacts_folder)]) == 0
    output.flush()
    assert b"?_new = ?_pt" in output.buffer.getvalue()


def test_classify_prints_what_the_api_answers(artifacts_folder: Path, workbench, wav, capsys) -> None:
    clip = wav("noise")
    common = ["classify", str(clip), "--labels", "rain, puppy", "--artifacts", str(artifacts_folder)]
    assert main([*common, "--recipe", RECIPE, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer == workbench.classify(clip, workbench.recipe(RECIPE), "rain, puppy").to_dict()
    assert answer["edited"] != answer["pretrained"]
    assert main(common) == 0
    assert "pre-trained" in capsys.readouterr().out


def test_a_recipe_may_be_a_file(tmp_path: Path, artifacts_folder: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "recipe.json").write_text(RECIPE)
    options = ["--artifacts", str(artifacts_folder), "--json"]
    assert main(["evaluate", "--recipe", str(tmp_path / "recipe.json"), *options]) == 0
    from_file = json.loads(capsys.readouterr().out)
    assert main(["evaluate", "--recipe", RECIPE, *options]) == 0
    assert json.loads(capsys.readouterr().out) == from_file
    assert main(["evaluate", *options]) == 0
    assert json.loads(capsys.readouterr().out) != from_file


def test_a_recipe_may_be_a_file_of_the_page_or_of_windows(
    tmp_path: Path, artifacts_folder: Path, capsys: pytest.CaptureFixture
) -> None:
    options = ["--artifacts", str(artifacts_folder), "--json"]
    assert main(["evaluate", "--recipe", RECIPE, *options]) == 0
    expected = json.loads(capsys.readouterr().out)
    file = tmp_path / "recipe"
    for text in ("\ufeff" + RECIPE, recipe_yaml(Recipe.from_json(RECIPE))):
        file.write_text(text, encoding="utf-8")
        assert main(["evaluate", "--recipe", str(file), *options]) == 0
        assert json.loads(capsys.readouterr().out) == expected
    file.write_text(RECIPE, encoding="utf-16")
    assert main(["evaluate", "--recipe", str(file), *options]) == 2
    assert "no text in UTF-8" in capsys.readouterr().err


def test_a_task_without_clips_has_no_accuracy(
    artifacts_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    right, nothing = np.array([0, 1]), np.zeros(0, int)
    measured = [
        TaskResult(TINY.tasks[task], "test", "exact", labels, labels, labels).to_dict()
        for task, labels in (("urban", right), ("music", nothing))
    ]
    monkeypatch.setattr(Workbench, "figures", lambda *_: measured)
    assert main(["evaluate", "--artifacts", str(artifacts_folder)]) == 0
    *_, urban, music = capsys.readouterr().out.splitlines()
    assert [line.count("none") for line in (urban, music)] == [0, 2]
    assert [line.count("100.0 %") for line in (urban, music)] == [2, 0]
    assert len(urban) == len(music)  # the columns stay where they are


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["classify", "nothing.wav"], "nothing.wav does not exist"),
        (["classify", "n" * 300], "n…n"),  # too long for a file's name
        (["evaluate", "--recipe", "r" * 300], "JSON"),
        (["evaluate", "--recipe", "{"], "JSON"),
        (["evaluate", "--recipe", RECIPE.replace("urban", "opera")], "opera"),
        (["evaluate", "--recipe", RECIPE, "--split", "test"], "validation"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(
    arguments: list[str], sentence: str, artifacts_folder: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main([*arguments, "--artifacts", str(artifacts_folder)]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert sentence in said[-1]
    assert said[-1].startswith("taskvec_demo: ")
    assert not [line for line in said if "Traceback" in line]


@pytest.mark.parametrize(("file", "entry"), [("manifest.json", "pretrained"), ("pretrained.json", None)])
def test_the_hub_may_be_asked_for_the_checkpoint_that_a_folder_names(
    file: str, entry: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple] = []
    monkeypatch.setattr("taskvec_demo.clap.hub.allow_hub", lambda *specs: asked.append(specs))
    named = {"repo": "laion/clap-htsat-unfused", "revision": "a" * 40}
    (tmp_path / file).write_text(json.dumps({entry: named} if entry else named))
    main(["info", "--artifacts", str(tmp_path)])
    assert "laion/clap-htsat-unfused" in asked[0]


def test_a_missing_folder_is_named(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["info", "--artifacts", str(tmp_path)]) == 2
    assert "manifest.json" in capsys.readouterr().err
