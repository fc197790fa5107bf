"""The synthesized clips: repeatable, bounded, different from each other, and small enough to ship."""

import numpy as np
import pytest

from taskvec_demo.lab.data.synth import EXAMPLES, SOUNDS, examples, labelled_set, synthesize, write_examples
from taskvec_demo.lab.data.synth_instruments import (
    N_SAMPLES,
    PEAK,
    SAMPLE_RATE,
    VOICES,
    harmonic,
    note_frequency,
    pluck,
)
from taskvec_demo.recordings.audio import load_clip

EVERY = [(task, name) for task, sounds in SOUNDS.items() for name in sounds]


def centroid(samples: np.ndarray) -> float:
    """Centre of gravity of the spectrum in Hz."""
    power = np.abs(np.fft.rfft(samples)) ** 2
    return float((power * np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)).sum() / power.sum())


def envelope(samples: np.ndarray, seconds: float = 0.01) -> np.ndarray:
    """RMS of consecutive frames of `seconds`."""
    n = round(seconds * SAMPLE_RATE)
    return np.sqrt((samples[: len(samples) // n * n].reshape(-1, n) ** 2).mean(axis=1))


def test_the_classes_are_those_of_the_tasks():
    found = {task: len(sounds) for task, sounds in SOUNDS.items()}
    assert found == {"esc50": 10, "urban": 10, "instruments": 16, "music": 10}
    assert {(task, name) for task, name, _ in EXAMPLES.values()} <= set(EVERY)


@pytest.mark.parametrize(("task", "name"), EVERY)
@pytest.mark.parametrize("seed", [0, 1, 17])
def test_a_clip_is_repeatable_bounded_and_sounds(task, name, seed):
    samples = synthesize(task, name, seed)
    assert samples.shape == (N_SAMPLES,)
    assert samples.dtype == np.float32
    assert np.abs(samples).max() == pytest.approx(PEAK)
    assert abs(samples.mean()) < 0.01
    assert abs(samples[0]) < 1e-3  # no click where it begins
    assert abs(samples[-1]) < 1e-3
    assert samples.std() > 0.01
    np.testing.assert_array_equal(samples, synthesize(task, name, seed))


def test_every_clip_of_the_labelled_set_is_another_one():
    clips = labelled_set(seed=0, per_class=2)
    assert [(task, name) for task, name, _ in clips] == [pair for pair in EVERY for _ in range(2)]
    likeness = np.abs(np.corrcoef([samples for *_, samples in clips]))
    assert (likeness - np.eye(len(clips))).max() < 0.95


def test_what_is_unknown_is_a_key_error():
    with pytest.raises(KeyError):
        synthesize("esc50", "siren")


def test_sounds_have_the_traits_of_their_class():
    """Averages over a few variations, so that no single draw decides."""

    def mean(task: str, name: str, measure) -> float:
        return float(np.mean([measure(synthesize(task, name, seed)) for seed in range(4)]))

    def steadiness(samples: np.ndarray) -> float:
        level = envelope(samples, 0.05)
        return float(np.median(level) / level.max())

    assert mean("esc50", "rain", centroid) > 2_000 > 800 > mean("urban", "engine_idling", centroid)
    assert mean("esc50", "rain", steadiness) > 0.6 > 0.2 > mean("esc50", "clock_tick", steadiness)
    assert mean("urban", "air_conditioner", steadiness) > 0.6 > 0.2 > mean("urban", "gun_shot", steadiness)
    assert mean("instruments", "contrabassoon", centroid) < mean("instruments", "bassoon", centroid) + 300
    assert mean("instruments", "double_bass", centroid) < mean("instruments", "flute", centroid)


def test_a_clarinet_lacks_the_even_harmonics_that_an_oboe_has():
    def even_share(name: str) -> float:
        voice = VOICES[name]
        amplitudes = [1, 2**-voice.slope * voice.even, 3**-voice.slope]
        spectrum = np.abs(np.fft.rfft(harmonic(np.full(SAMPLE_RATE, 300.0), amplitudes)))
        return float(spectrum[600] / spectrum[300])

    assert even_share("clarinet") < 0.1 < 0.4 < even_share("oboe")


def test_helicopter_and_jackhammer_beat_at_their_rates():
    for task, name, low, high in (("esc50", "helicopter", 9, 14), ("urban", "jackhammer", 17, 24)):
        level = envelope(synthesize(task, name), 0.005)
        spectrum = np.abs(np.fft.rfft(level - level.mean()))
        rates = np.fft.rfftfreq(len(level), 0.005)
        spectrum[rates < 3] = 0
        assert low - 0.5 <= rates[spectrum.argmax()] <= high + 0.5, name


@pytest.mark.parametrize("frequency", [82.4, 196.0, 440.0])
def test_a_plucked_string_sounds_at_its_pitch_and_dies_away(frequency):
    string = pluck(np.random.default_rng(0), frequency, 1.0, 0.996, 0.2)
    assert len(string) == SAMPLE_RATE
    spectrum = np.abs(np.fft.rfft(string * np.hanning(len(string)), 8 * len(string)))
    near = slice(round(8 * 0.7 * frequency), round(8 * 1.4 * frequency))
    peak = (near.start + spectrum[near].argmax()) / 8
    assert peak == pytest.approx(frequency, rel=0.03)  # the delay line is a whole number of samples long
    level = envelope(string, 0.1)
    assert level[-1] < 0.5 * level[0]


def test_harmonics_stay_below_the_nyquist_frequency():
    rising = harmonic(np.linspace(3_000, 5_000, SAMPLE_RATE), [0, 1])  # the second harmonic passes 8 kHz on the way
    assert np.abs(rising[: SAMPLE_RATE // 4]).max() > 0.9
    assert np.abs(rising[-SAMPLE_RATE // 4 :]).max() == 0


def test_notes_are_of_the_tempered_scale():
    rng = np.random.default_rng(0)
    notes = np.array([note_frequency(rng, 100, 400) for _ in range(200)])
    assert notes.min() >= 100
    assert notes.max() <= 400
    steps = 12 * np.log2(notes / 440)
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-9)


def test_example_files_are_small_whole_and_what_they_say(tmp_path):
    folder = tmp_path / "examples"
    paths = write_examples(folder)
    assert sorted(folder.iterdir()) == sorted(paths)  # no temporary file is left
    assert {path.stem for path in paths} == set(EXAMPLES)
    sizes = [path.stat().st_size for path in paths]
    assert max(sizes) < 150_000
    assert sum(sizes) < 1_000_000
    for path, samples in zip(paths, examples().values(), strict=True):
        clip = load_clip(path, SAMPLE_RATE)
        assert clip.notes == ()
        np.testing.assert_allclose(clip.samples, samples, atol=1 / 2**15)
    first = [path.read_bytes() for path in paths]
    assert [path.read_bytes() for path in write_examples(folder)] == first
