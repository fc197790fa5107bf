"""Recordings that `/classify` answers: every format, rate and number of channels, and long ones in part."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from taskvec_demo.lab.data.synth import synthesize
from tests.support.api_client import classify, close, recipe

pytestmark = pytest.mark.browser  # as slow as the browser: it needs the running app


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
