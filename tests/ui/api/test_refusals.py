"""What the public endpoints refuse: each with one sentence that names what was wrong."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import numpy as np
import pytest
import soundfile

from taskvec_demo.lab.data.synth import synthesize
from tests.support.api_client import classify, recipe, refused
from tests.support.paths import ARTIFACTS

pytestmark = pytest.mark.browser  # as slow as the browser: it needs the running app

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
