"""The public endpoints: their names, what they take, and the form of what they answer."""

from __future__ import annotations

import json
import math

import pytest
import soundfile

from taskvec_demo.core.recipe import Recipe
from tests.support.api_client import classify, close, recipe, refused

pytestmark = pytest.mark.browser  # as slow as the browser: it needs the running app

RESULT_KEYS = {"task", "role", "split", "kind", "n", "pretrained", "edited", "per_class", "mcnemar_p"}


def test_three_endpoints_are_public(client):
    endpoints = client.view_api(return_format="dict", print_info=False)
    assert set(endpoints["named_endpoints"]) == {"/classify", "/evaluate", "/vectors"}
    assert endpoints["unnamed_endpoints"] == {}
    names = {n: [p["parameter_name"] for p in e["parameters"]] for n, e in endpoints["named_endpoints"].items()}
    assert names == {"/classify": ["clip", "recipe", "labels"], "/evaluate": ["recipe", "split"], "/vectors": []}


def test_classify(client, workbench, example, quiet_log):
    answer = classify(client, example, recipe(urban=-0.4, emotion=0.3))
    assert set(answer) == {"pretrained", "edited", "windows", "seconds", "notes"}
    for side in ("pretrained", "edited"):
        assert tuple(answer[side]) == workbench.artifacts.default_labels
        assert abs(math.fsum(answer[side].values()) - 1) < 1e-9
        assert all(0 <= p <= 1 for p in answer[side].values())
    assert isinstance(answer["windows"], int)
    assert answer["seconds"] == round(soundfile.info(example).duration, 3)
    assert answer["notes"] == []
    ours = workbench.classify(example, Recipe("tiny-clap", {"urban": -0.4, "emotion": 0.3}))
    assert close(answer["pretrained"], ours.pretrained)
    assert close(answer["edited"], ours.edited)
    assert not close(answer["pretrained"], answer["edited"])


def test_a_recipe_is_an_object_or_its_text(client, example, quiet_log):
    given = recipe(instruments=0.7)
    answers = [classify(client, example, r) for r in (given, json.dumps(given), json.dumps(given, indent=2))]
    assert answers[0] == answers[1] == answers[2]
    full = Recipe("tiny-clap", {"instruments": 0.7})
    assert classify(client, example, full.to_json()) == answers[0]
    figures = [client.predict(r, "validation", api_name="/evaluate") for r in (given, json.dumps(given))]
    assert figures[0] == figures[1]


@pytest.mark.parametrize("nothing", [None, {}, "", "  ", recipe(), recipe(urban=0)])
def test_no_recipe_is_the_pretrained_model(client, example, nothing, quiet_log):
    answer = classify(client, example, nothing)
    assert answer["edited"] == answer["pretrained"]


def test_the_hash_of_the_weights_pins_a_recipe(client, workbench, example, quiet_log):
    pinned = {**recipe(urban=0.5), "pretrained_sha256": workbench.artifacts.pretrained_sha256}
    assert classify(client, example, pinned) == classify(client, example, recipe(urban=0.5))
    pinned["pretrained_sha256"] = 64 * "0"
    refused(lambda: classify(client, example, pinned), "000000000000", "tiny-clap")


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ("a dog barking, rain", ("a dog barking", "rain")),
        ("a dog barking\nrain", ("a dog barking", "rain")),
        ("a dog,\r\n\n  rain\n cello \nRAIN,", ("a dog", "rain", "cello")),
        ("Hund, Glocke, 雨, <b>", ("Hund", "Glocke", "雨", "<b>")),
    ],
)
def test_labels(client, example, labels, expected, quiet_log):
    answer = classify(client, example, recipe(urban=0.5), labels)
    assert tuple(answer["pretrained"]) == tuple(answer["edited"]) == expected
    assert abs(math.fsum(answer["edited"].values()) - 1) < 1e-9


@pytest.mark.parametrize("nothing", ["", "  ", "\n", ",,", None])
def test_no_labels_are_the_default_ones(client, workbench, example, nothing, quiet_log):
    assert tuple(classify(client, example, None, nothing)["edited"]) == workbench.artifacts.default_labels


def _accuracy(entry):
    assert set(entry) == {"accuracy", "low", "high"}
    assert 0 <= entry["low"] <= entry["accuracy"] <= entry["high"] <= 1


@pytest.mark.parametrize("coefficients", [{}, {"urban": 1.0}, {"urban": -0.37, "emotion": 0.21}])
def test_evaluate(client, workbench, coefficients, quiet_log):
    results = client.predict(recipe(**coefficients), "validation", api_name="/evaluate")
    assert [r["task"] for r in results] == list(workbench.tasks)
    assert results == client.predict(recipe(**coefficients), api_name="/evaluate")  # validation is the default
    for result in results:
        estimate = result["kind"] == "estimate"
        assert set(result) == RESULT_KEYS | ({"estimate_error", "estimate_class_error"} if estimate else set())
        assert result["split"] == "validation"
        assert result["role"] in ("control", "target")
        assert (result["mcnemar_p"] is None) == estimate
        assert estimate or 0 <= result["mcnemar_p"] <= 1
        _accuracy(result["pretrained"])
        _accuracy(result["edited"])
        assert [c["class"] for c in result["per_class"]] == list(workbench.tasks[result["task"]].class_names)
        assert sum(c["n"] for c in result["per_class"]) == result["n"]
        for side in ("pretrained", "edited"):
            for entry in result["per_class"]:
                assert set(entry) == {"class", "n", "pretrained", "edited"}
                _accuracy(entry[side])
            right = sum(c["n"] * c[side]["accuracy"] for c in result["per_class"])
            assert right / result["n"] == pytest.approx(result[side]["accuracy"], abs=2e-4)
        if not coefficients:
            assert result["edited"] == result["pretrained"]
            assert result["kind"] != "estimate"
    assert {r["kind"] for r in results} == ({"estimate"} if len(coefficients) == 2 else {"grid"})
    ours = workbench.evaluate(Recipe("tiny-clap", coefficients))
    assert [r["edited"]["accuracy"] for r in results] == [round(r.edited.accuracy, 4) for r in ours]


def test_test_figures_exist_for_the_presets_alone(client, workbench, quiet_log):
    for preset in workbench.artifacts.presets.values():
        results = client.predict(preset.recipe.to_dict(), "test", api_name="/evaluate")
        assert results == json.loads(json.dumps(list(preset.test)))
        for result in results:
            assert set(result) == RESULT_KEYS
            assert (result["split"], result["kind"]) == ("test", "exact")
    refused(lambda: client.predict(recipe(urban=0.123), "test", api_name="/evaluate"), "chosen on validation")


def test_vectors(client, workbench, quiet_log):
    listing = client.predict(api_name="/vectors")
    assert [v["name"] for v in listing] == list(workbench.vectors)
    for entry in listing:
        fields = {"name", "task", "norm", "sha256", "pretrained_sha256", "training", "metrics", "origin", "warnings"}
        assert set(entry) == fields
        assert (entry["origin"], entry["warnings"]) == ({}, [])  # shipped, not made elsewhere
        assert entry["norm"] > 0
        assert len(entry["sha256"]) == 64
        assert entry["pretrained_sha256"] == workbench.artifacts.pretrained_sha256
        assert entry["task"] in workbench.tasks
        assert isinstance(entry["training"], dict)
        assert isinstance(entry["metrics"], dict)
    assert len({v["sha256"] for v in listing}) == len(listing)
