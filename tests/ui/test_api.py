"""The public endpoints of the real app, called as programs call them: by name, over HTTP, many at once."""

from __future__ import annotations

import itertools
import json
import math
import random
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import gradio_client
import numpy as np
import pytest
import soundfile

from taskvec_demo.core.recipe import Recipe
from taskvec_demo.lab.data.synth import synthesize
from tests.support.paths import ARTIFACTS

pytestmark = pytest.mark.browser  # as slow as the browser: it needs the running app

VECTORS = ("urban", "instruments", "emotion", "animals", "digits", "female_sad", "male_sad", "female_happy")
RESULT_KEYS = {"task", "role", "split", "kind", "n", "pretrained", "edited", "per_class", "mcnemar_p"}
TOLERANCE = 1e-5  # of a probability, between the app's process and this one


def recipe(**coefficients):
    return {"format": 1, "checkpoint": "tiny-clap", "coefficients": coefficients}


@pytest.fixture(scope="module")
def client(server):
    return gradio_client.Client(server.url, verbose=False, analytics_enabled=False)


@pytest.fixture(scope="module")
def workbench():
    """On the same files as the app, in this process."""
    from taskvec_demo.serve.artifacts import Artifacts
    from taskvec_demo.serve.workbench import Workbench

    return Workbench(Artifacts(ARTIFACTS))


@pytest.fixture
def quiet_log(server):
    """The app's log gains no traceback during the test."""
    before = len(server.log)
    yield
    assert "Traceback" not in server.log[before:]


@pytest.fixture(scope="module")
def example():
    return sorted((ARTIFACTS / "examples").iterdir())[0]


def classify(client, clip, recipe=None, labels=""):
    file = None if clip is None else gradio_client.handle_file(str(clip))
    return client.predict(clip=file, recipe=recipe, labels=labels, api_name="/classify")


def refused(call, *words):
    """The call fails with a sentence of ours that holds these words."""
    with pytest.raises(gradio_client.exceptions.AppError) as caught:
        call()
    message = str(caught.value)
    assert message.endswith("."), message
    assert "upstream Gradio app" not in message
    for word in words:
        assert word in message, message


def close(a, b, tolerance=TOLERANCE):
    return list(a) == list(b) and np.allclose(list(a.values()), list(b.values()), rtol=0, atol=tolerance)


# ---- shapes ---------------------------------------------------------------------------------------------------------
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
    assert set(VECTORS) <= {v["name"] for v in listing}
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


# ---- what is refused ------------------------------------------------------------------------------------------------
BAD_RECIPES = [
    ("nonsense", "not valid JSON"),
    ('{"format": 1', "not valid JSON"),
    ('{"format": 1, "checkpoint": "tiny-clap", "coefficients": {"urban": NaN}}', "nan"),
    ('{"format": 1, "checkpoint": "tiny-clap", "coefficients": {"urban": 1, "urban": 2}}', "more than once"),
    ("[" * 100_000, "not valid JSON"),
    ([1], "JSON object"),
    (3, "JSON object"),
    (True, "JSON object"),
    ({"format": 1}, "lacks 'checkpoint'"),
    ({**recipe(), "format": 2}, "format"),
    ({**recipe(), "format": True}, "format"),
    ({**recipe(), "extra": 1}, "Unknown key 'extra'"),
    ({**recipe(), "rule": "magic"}, "magic"),
    ({**recipe(), "checkpoint": "other"}, "other"),
    ({**recipe(), "checkpoint": "../../etc"}, "checkpoint"),
    ({**recipe(), "coefficients": [["urban", 1]]}, "coefficients"),
    ({**recipe(), "pretrained_sha256": "abc"}, "hex"),
    (recipe(nosuch=0.5), "no task vector 'nosuch'"),
    (recipe(urban=2.5), "from -2 to 2"),
    (recipe(urban="0.5"), "number"),
    (recipe(urban=True), "number"),
    (recipe(urban=None), "number"),
    (recipe(**{"../x": 1.0}), "vector name"),
]


@pytest.mark.parametrize(("bad", "word"), BAD_RECIPES, ids=[w for _, w in BAD_RECIPES])
def test_bad_recipes(client, example, bad, word, quiet_log):
    refused(lambda: classify(client, example, bad), word)
    refused(lambda: client.predict(bad, "validation", api_name="/evaluate"), word)


@pytest.mark.parametrize(
    ("labels", "word"),
    [
        ("one", "Only one label"),
        ("one, ONE", "Only one label"),
        (", ".join(f"label {i}" for i in range(65)), "at most 64"),
        ("rain, " + "x" * 101, "longer than 100"),
        ("rain, ---", "no letter or digit"),
    ],
)
def test_bad_labels(client, example, labels, word, quiet_log):
    refused(lambda: classify(client, example, recipe(urban=0.5), labels), word)


def test_bad_splits_and_recipes_that_were_not_measured(client, quiet_log):
    refused(lambda: client.predict(recipe(), "train", api_name="/evaluate"), "'train'", "validation")
    refused(lambda: client.predict(recipe(urban=1.7), "validation", api_name="/evaluate"), "-1 to 1")


@pytest.mark.parametrize("kind", ["none", "text", "empty", "silence", "short", "cut", "long"])
def test_bad_clips(client, tmp_path, kind, quiet_log):
    path = tmp_path / f"{kind}.wav"
    sound = synthesize("urban", "siren", seed=1)
    if kind == "none":
        refused(lambda: classify(client, None, recipe()), "No recording")
        return
    if kind == "text":
        path.write_text("hello " * 1000)
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "cut":
        soundfile.write(path, sound, 16_000)
        path.write_bytes(path.read_bytes()[:20_000])
    elif kind == "long":
        path = tmp_path / "long.flac"
        soundfile.write(path, np.tile(sound, 160), 16_000)
    else:
        soundfile.write(path, {"silence": np.zeros(16_000), "short": sound[:1000]}[kind], 16_000)
    refused(lambda: classify(client, path, recipe(urban=0.5)), path.stem, "wav, flac, ogg, opus or mp3")


def test_a_path_of_the_server_is_not_a_clip(server):
    """The request is made without the client, which would upload the file: only uploaded files are read."""
    for path in ("/etc/passwd", str(ARTIFACTS / "manifest.json"), "../../../etc/passwd"):
        clip = {"path": path, "meta": {"_type": "gradio.FileData"}}
        body = json.dumps({"data": [clip, None, ""]}).encode()
        base = f"{server.url}gradio_api/call/classify"
        request = urllib.request.Request(base, body, {"Content-Type": "application/json"})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as answer:
                event = json.load(answer)["event_id"]
            with opener.open(f"{base}/{event}", timeout=60) as answer:
                text = answer.read().decode()
        except urllib.error.HTTPError as error:
            text = f"event: error {error.read().decode()}"
        assert "event: error" in text, text
        assert "probab" not in text
        assert "root:" not in text


# ---- recordings -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("wav", {"subtype": "PCM_16"}),
        ("wav", {"subtype": "PCM_24"}),
        ("wav", {"subtype": "FLOAT"}),
        ("wav", {"subtype": "PCM_U8"}),
        ("flac", {}),
        ("ogg", {"subtype": "VORBIS"}),
        ("opus", {"format": "OGG", "subtype": "OPUS"}),
        ("mp3", {}),
    ],
    ids=lambda x: x if isinstance(x, str) else x.get("subtype", ""),
)
def test_every_format(client, tmp_path, kind, options, quiet_log):
    sound = synthesize("urban", "siren", seed=1)
    soundfile.write(tmp_path / "reference.wav", sound, 16_000)
    soundfile.write(tmp_path / f"clip.{kind}", sound, 16_000, **options)
    reference = classify(client, tmp_path / "reference.wav", recipe(urban=0.5))
    answer = classify(client, tmp_path / f"clip.{kind}", recipe(urban=0.5))
    assert answer["seconds"] == pytest.approx(reference["seconds"], abs=0.2)  # mp3 pads
    assert answer["windows"] == reference["windows"]
    assert set(answer["edited"]) == set(reference["edited"])
    if kind in ("wav", "flac") and options.get("subtype") != "PCM_U8":
        assert close(answer["edited"], reference["edited"], 0.02)


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (22_050, 2), (44_100, 1), (48_000, 2), (96_000, 6)])
def test_rates_and_channels(client, tmp_path, rate, channels, quiet_log):
    at = np.arange(3 * rate) / rate
    tone = 0.4 * np.sin(2 * np.pi * (500 + 200 * np.sin(6 * at)) * at)
    soundfile.write(tmp_path / "clip.wav", np.repeat(tone[:, None], channels, 1), rate)
    answer = classify(client, tmp_path / "clip.wav", recipe(urban=0.5))
    assert (answer["seconds"], answer["windows"], answer["notes"]) == (3.0, 1, [])


def test_a_long_clip_says_how_much_was_used(client, tmp_path, quiet_log):
    sound = np.tile(synthesize("urban", "siren", seed=1), 16)[: 61 * 16_000]
    soundfile.write(tmp_path / "long.flac", sound, 16_000)
    answer = classify(client, tmp_path / "long.flac", recipe(urban=0.5))
    assert answer["seconds"] == 61.0
    assert answer["windows"] == 12
    assert any("60 s" in note and "61.0 s" in note for note in answer["notes"])


# ---- many at once ---------------------------------------------------------------------------------------------------
def test_many_visitors_at_once_get_the_answers_of_one_alone(client, workbench, quiet_log):
    rng = random.Random(0)
    recipes = [{name: round(rng.uniform(-1, 1), 2) for name in rng.sample(VECTORS, 1 + i % 3)} for i in range(20)]
    clips = sorted((ARTIFACTS / "examples").iterdir())
    calls = [(clips[i % len(clips)], r) for i, r in enumerate(recipes * 10)]
    rng.shuffle(calls)
    inside, most, lock = 0, 0, threading.Lock()

    def call(job):
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        try:
            return classify(client, job[0], recipe(**job[1]))
        finally:
            with lock:
                inside -= 1

    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(call, calls))
    assert most > 8, "the calls did not overlap"
    expected = {}
    for clip, coefficients in calls:
        key = clip, tuple(coefficients.items())
        if key not in expected:
            expected[key] = workbench.classify(clip, Recipe("tiny-clap", coefficients))
    wrong = 0
    for (clip, coefficients), answer in zip(calls, answers, strict=True):
        alone = expected[clip, tuple(coefficients.items())]
        wrong += not (close(answer["edited"], alone.edited) and close(answer["pretrained"], alone.pretrained))
    assert wrong == 0
    same_clip = [workbench.classify(clips[0], Recipe("tiny-clap", r)).edited for r in recipes]  # negative control
    assert not any(close(a, b) for a, b in itertools.combinations(same_clip, 2))


def test_the_app_asked_nothing_of_other_machines(server):
    assert server.outside_requests == ""
