"""The picture of a clip shows what the model hears: the wave, its spectrogram, repeats and cuts."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from taskvec_demo.serve.clip_picture import COLUMNS, clip_picture


@pytest.fixture
def features(workbench):
    return workbench.checkpoint.features


def tone(features, seconds, hertz=1000.0, loud=0.5):
    time = np.arange(round(seconds * features.sample_rate)) / features.sample_rate
    return (loud * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def picture(features, samples, tmp_path):
    path = tmp_path / "clip.wav"
    soundfile.write(path, samples, features.sample_rate, subtype="FLOAT")
    return clip_picture(path, features)


def test_a_high_tone_is_higher_in_the_picture(features, tmp_path):
    window = features.n_samples / features.sample_rate
    low, high = (picture(features, tone(features, window, hertz), tmp_path).mel.mean(1) for hertz in (400, 4000))
    assert low.argmax() < high.argmax()
    assert low.max() > 200


def test_the_wave_is_that_of_the_clip(features, tmp_path):
    samples = np.concatenate([tone(features, 1.0, loud=0.1), tone(features, 1.0, loud=0.8)])
    found = picture(features, samples, tmp_path)
    assert len(found.low) == len(found.high) == found.mel.shape[1] or found.mel.shape[1] < COLUMNS
    columns_a_second = len(found.high) / found.seconds
    first, second = (
        found.high[int(columns_a_second * a) : int(columns_a_second * b)] for a, b in ((0.1, 0.9), (1.1, 1.9))
    )
    assert first.max() == pytest.approx(0.1, abs=0.01)
    assert second.max() == pytest.approx(0.8, abs=0.01)
    assert found.low.min() == pytest.approx(-0.8, abs=0.01)


def test_a_short_clip_is_filled_up_to_a_window(features, tmp_path):
    window = features.n_samples / features.sample_rate
    found = picture(features, tone(features, 1.0), tmp_path)
    assert found.seconds == pytest.approx(window)
    assert found.filled_from == pytest.approx(1.0)
    assert found.cuts == ()


def test_a_long_clip_has_cuts_and_no_second_twice(features, tmp_path):
    window = features.n_samples / features.sample_rate
    found = picture(features, tone(features, 2.4 * window), tmp_path)
    assert found.seconds == pytest.approx(2.4 * window, abs=0.01)
    assert found.cuts == pytest.approx((window, 2 * window))
    assert found.filled_from == found.seconds
    assert found.mel.shape == (features.n_mels, COLUMNS)
