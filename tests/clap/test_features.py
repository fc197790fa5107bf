"""The torch front end gives the features of the checkpoint's own feature extractor, and is deterministic."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from transformers import ClapFeatureExtractor

from taskvec_demo.clap import laion
from taskvec_demo.clap.features import FeatureConfig, log_mel
from taskvec_demo.lab.tiny_clap import architecture as tiny
from taskvec_demo.recordings.audio import windows
from tests.support.sounds import noise, tone

PREPROCESSORS = {"tiny": tiny.PREPROCESSOR, "laion": laion.PREPROCESSOR}
TOLERANCE = 1e-2  # dB, of a float32 against a float64 transform
FRAMES = {"tiny": 256, "laion": 1001}


@pytest.fixture(params=PREPROCESSORS)
def name(request):
    return request.param


@pytest.fixture
def config(name):
    return FeatureConfig.from_preprocessor(PREPROCESSORS[name])


def recordings(config):
    """Window-long and short clips of several kinds."""
    whole, rate = config.n_samples / config.sample_rate, config.sample_rate
    return {
        "noise": noise(whole, rate),
        "quiet noise": 1e-3 * noise(whole, rate, seed=1),
        "tone and noise": tone(whole, rate) + 0.01 * noise(whole, rate, seed=2),
        "short noise": noise(0.3 * whole, rate, seed=3),
        "short tone and noise": tone(0.45 * whole, rate, 1000) + 0.01 * noise(0.45 * whole, rate, seed=4),
    }


def reference(samples, name):
    """Features (n_frames, n_mels) by transformers, which pads by itself."""
    rate = PREPROCESSORS[name]["sampling_rate"]
    extractor = ClapFeatureExtractor(**PREPROCESSORS[name])
    found = extractor(samples, sampling_rate=rate, return_tensors="np")
    return torch.from_numpy(found["input_features"][0, 0]).float()


def test_equals_the_feature_extractor_of_transformers(name, config):
    for kind, samples in recordings(config).items():
        ours = log_mel(windows(samples, config.n_samples), config)[0, 0]
        theirs = reference(samples, name)
        assert ours.shape == theirs.shape
        assert float((ours - theirs).abs().max()) < TOLERANCE, kind


def test_a_pure_tone_differs_only_where_float32_has_no_digits_left(name, config):
    """70 dB below the loudest bin the spectrum of a sine is rounding noise of the transform, in either library."""
    samples = tone(config.n_samples / config.sample_rate, config.sample_rate)
    ours = log_mel(windows(samples, config.n_samples), config)[0, 0]
    theirs = reference(samples, name)
    audible = theirs > theirs.max() - 70
    assert float(audible.float().mean()) > 0.05
    assert float((ours - theirs)[audible].abs().max()) < TOLERANCE
    assert float((ours - theirs).abs().max()) < 1.0


@pytest.mark.parametrize("change", [{"f_min": 0.0}, {"hop_length": 300}, {"n_fft": 512}, {"sample_rate": 22_050}])
def test_another_front_end_is_told_apart(change):
    """Negative control: the comparison above fails with one wrong number."""
    config = FeatureConfig.from_preprocessor(tiny.PREPROCESSOR)
    samples = noise(config.n_samples / config.sample_rate)
    theirs = reference(samples, "tiny")
    ours = log_mel(windows(samples, config.n_samples), dataclasses.replace(config, **change))[0, 0]
    assert ours.shape != theirs.shape or float((ours - theirs).abs().max()) > 10 * TOLERANCE


def test_shape_type_and_frames(name, config):
    mel = log_mel(np.zeros((2, config.n_samples)), config)
    assert config.n_frames == FRAMES[name]
    assert mel.shape == (2, 1, FRAMES[name], 64)
    assert mel.dtype == torch.float32
    assert mel.is_contiguous()
    assert not mel.requires_grad


def test_silence_lies_on_the_floor(config):
    mel = log_mel(np.zeros((1, config.n_samples), np.float32), config)
    assert torch.equal(mel, torch.full_like(mel, -100.0))


def test_a_batch_is_its_windows_one_by_one(config):
    batch = np.stack([noise(config.n_samples / config.sample_rate, config.sample_rate, seed) for seed in range(3)])
    together, apart = log_mel(batch, config), torch.cat([log_mel(one[None], config) for one in batch])
    assert torch.allclose(together, apart, rtol=0, atol=1e-4)
    assert not torch.allclose(together[0], together[1], rtol=0, atol=1)


def test_the_same_every_time(config):
    samples = noise(config.n_samples / config.sample_rate, config.sample_rate)[None]
    assert torch.equal(log_mel(samples, config), log_mel(samples.copy(), config))
