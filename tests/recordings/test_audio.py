"""Uploads: the limits, the clip that is made of one, and the sentence with which one is refused."""

import os
import time
import tracemalloc

import numpy as np
import pytest

from taskvec_demo.errors import BadAudioError
from taskvec_demo.recordings.audio import Clip, clip_from_array, load_clip, windows
from tests.support.audio_files import (
    CODECS,
    MP3,
    OPUS,
    RATE,
    VORBIS,
    encode,
    peak_frequency,
    refusal,
    saved,
    tone,
)


@pytest.mark.parametrize("codec", CODECS, ids="-".join)
@pytest.mark.parametrize("channels", [1, 2])
def test_every_accepted_format_decodes_to_the_same_tone(tmp_path, codec, channels):
    rate = 48_000 if codec == OPUS else 44_100
    samples = np.repeat(tone(1.5, rate)[:, None], channels, axis=1)
    clip = load_clip(saved(tmp_path, encode(samples, rate, codec)), RATE)
    assert (clip.samples.dtype, clip.samples.ndim, clip.sample_rate) == (np.float32, 1, RATE)
    assert clip.seconds == pytest.approx(1.5, abs=0.06)  # mp3 pads to its frames of 26 ms
    assert len(clip.samples) == pytest.approx(clip.seconds * RATE, abs=2)
    assert peak_frequency(clip.samples, RATE) == pytest.approx(440, abs=1)
    assert np.abs(clip.samples).max() == pytest.approx(0.5, rel=0.15)
    assert clip.notes == ()


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 44_100, 48_000, 96_000, 192_000])
@pytest.mark.parametrize("target", [16_000, 48_000])
def test_a_tone_keeps_its_pitch_and_length_at_any_rate(tmp_path, rate, target):
    clip = load_clip(saved(tmp_path, encode(tone(1.0, rate), rate)), target)
    assert peak_frequency(clip.samples, target) == pytest.approx(440, abs=1)
    assert abs(len(clip.samples) - target) <= 1
    assert np.abs(clip.samples[target // 10 : -target // 10]).max() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("channels", range(1, 7))
def test_channels_are_averaged(tmp_path, channels):
    samples = np.zeros((RATE, channels))
    samples[:, -1] = tone(1.0, RATE)
    clip = load_clip(saved(tmp_path, encode(samples, RATE, ("WAV", "FLOAT"))), RATE)
    np.testing.assert_allclose(clip.samples, tone(1.0, RATE) / channels, atol=1e-6)


def test_treble_above_the_new_limit_does_not_fold_back(tmp_path):
    samples = tone(1.0, 48_000) + tone(1.0, 48_000, 15_000)  # 15 kHz would alias to 1 kHz
    clip = load_clip(saved(tmp_path, encode(samples / 2, 48_000)), RATE)
    spectrum = np.abs(np.fft.rfft(clip.samples * np.hanning(len(clip.samples))))
    assert spectrum[1000] < 1e-3 * spectrum[440]


def test_channels_that_cancel_fall_back_to_one_and_say_so(tmp_path):
    left = tone(1.0, RATE)
    clip = load_clip(saved(tmp_path, encode(np.stack([left, -left], axis=1), RATE, ("WAV", "FLOAT"))), RATE)
    np.testing.assert_allclose(clip.samples, left, atol=1e-6)
    assert clip.notes == ("The channels cancel each other out, so only channel 1 is used.",)
    silent_first = np.stack([0 * left, left, -left], axis=1)
    assert "only channel 2" in clip_from_array(silent_first, RATE, RATE).notes[0]


def barking(seconds: float = 3.0) -> np.ndarray:
    """Strokes of noise that loses its treble, as barking does."""
    rng, n = np.random.default_rng(3), round(seconds * RATE)
    noise = np.convolve(rng.standard_normal(n), np.ones(8) / 8, "same") + 0.1 * rng.standard_normal(n)
    return 0.5 * noise * np.exp(-8 * (np.arange(n) / RATE % 0.5))


OPPOSITE = {
    "exactly": lambda x: np.stack([x, -x], axis=1),
    "5 % quieter": lambda x: np.stack([x, -0.95 * x], axis=1),
    "30 % louder": lambda x: np.stack([x, -1.3 * x], axis=1) / 1.3,
    "with a level": lambda x: np.stack([x + 0.1, 0.05 - x], axis=1),
    "with noise": lambda x: np.stack([x, -x], axis=1) + 0.01 * np.random.default_rng(0).standard_normal((len(x), 2)),
    "of four": lambda x: np.stack([x, -x, 0.9 * x, -0.9 * x], axis=1),
}
STEREO = {
    "alike": lambda x: np.stack([x, x], axis=1),
    "one side": lambda x: np.stack([x, 0 * x], axis=1),
    "independent": lambda x: np.stack([x, np.random.default_rng(1).permutation(x)], axis=1),
    "1 ms apart": lambda x: np.stack([x, np.roll(x, 16)], axis=1),
    "more side than middle": lambda x: np.stack([x + 1.4 * x[::-1], x - 1.4 * x[::-1]], axis=1) / 3,
    "of six": lambda x: np.stack([x, 0 * x, 0 * x, 0 * x, 0 * x, 0 * x], axis=1),
}
LOSSY = [("WAV", "PCM_U8"), ("WAV", "ULAW"), ("WAV", "IMA_ADPCM"), VORBIS, OPUS, MP3]


@pytest.mark.parametrize("how", OPPOSITE)
def test_channels_that_nearly_cancel_fall_back_to_one(how):
    wave = barking()
    clip = clip_from_array(OPPOSITE[how](wave), RATE, RATE)
    (note,) = clip.notes
    assert note.startswith("The channels cancel each other out")
    assert abs(np.corrcoef(clip.samples, wave)[0, 1]) > 0.98


@pytest.mark.parametrize("codec", LOSSY, ids="-".join)
@pytest.mark.parametrize("how", ["exactly", "5 % quieter"])
def test_channels_that_a_codec_made_nearly_opposite_fall_back_to_one(tmp_path, codec, how):
    clip = load_clip(saved(tmp_path, encode(OPPOSITE[how](barking()), RATE, codec)), RATE)
    assert [note for note in clip.notes if note.startswith("The channels cancel each other out")]
    assert clip.samples.std() > 0.8 * barking().std()  # the residue alone has much less


@pytest.mark.parametrize("how", STEREO)
def test_the_channels_of_ordinary_stereo_are_averaged(how):
    wide = STEREO[how](barking())
    clip = clip_from_array(wide, RATE, RATE)
    assert clip.notes == ()
    np.testing.assert_allclose(clip.samples, wide.mean(axis=1), atol=1e-6)


@pytest.mark.parametrize("name", ["clip.wav", "clip.raw", "clip.txt", "clip", "глас 🎵.mp3"])
def test_content_decides_not_the_name(tmp_path, name):
    clip = load_clip(saved(tmp_path, encode(tone(0.5, RATE), RATE, ("FLAC", "PCM_16")), name), RATE)
    assert len(clip.samples) == RATE // 2


@pytest.mark.parametrize(("frames", "rate"), [(1_600, 16_000), (4_410, 44_100), (1_103, 11_025)])
def test_a_tenth_of_a_second_is_enough_and_less_is_not(tmp_path, frames, rate):
    samples = tone(1.0, rate)
    assert load_clip(saved(tmp_path, encode(samples[:frames], rate)), RATE).seconds >= 0.1
    assert "is too short (0.1" in refusal(saved(tmp_path, encode(samples[: frames - 1], rate)))


def test_only_the_first_minute_of_ten_is_decoded_and_kept(tmp_path):
    samples = np.concatenate([tone(60, 8_000), tone(540, 8_000, 1_000)])
    path = saved(tmp_path, encode(samples, 8_000, ("FLAC", "PCM_16")))
    tracemalloc.start()
    clip = load_clip(path, RATE)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (clip.seconds, len(clip.samples)) == (600, 60 * RATE)
    assert peak_frequency(clip.samples, RATE) == pytest.approx(440, abs=1)
    assert clip.notes == ("Only the first 60 s of 10 min 0.0 s are used.",)
    # 60 s at 16 kHz are 3.8 MB, held twice while being joined; ten minutes at 8 kHz alone are 19 MB.
    assert peak < path.stat().st_size + 15e6


def test_longer_than_ten_minutes_is_refused(tmp_path):
    assert "is too long (11 min 0.0 s)" in refusal(saved(tmp_path, encode(tone(660, 8_000), 8_000)))


@pytest.mark.parametrize(("seconds", "accepted"), [(70, True), (601, False)])
def test_a_flac_stream_of_unknown_length_is_measured(tmp_path, seconds, accepted):
    content = bytearray(encode(tone(seconds, 8_000), 8_000, ("FLAC", "PCM_16")))
    content[21] &= 0xF0  # the 36-bit number of samples in STREAMINFO: 0 means unknown, as in a pipe
    content[22:26] = bytes(4)
    path = saved(tmp_path, bytes(content))
    assert load_clip(path, RATE).seconds == seconds if accepted else "is too long" in refusal(path)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty (0 bytes)"),
        (b"These are only words, saved as a wav.\n" * 50, "is not a recording that can be decoded"),
        (b"\x89PNG\r\n\x1a\n" + bytes(500), "is not a recording that can be decoded"),
        (b"\0\0\0\x20ftypM4A " + bytes(500), "is an MP4 or M4A file"),
        (b"\x1aE\xdf\xa3" + bytes(500), "is a WebM or Matroska file"),
        (b"RIFF\x24\0\0\0WAVE", "is damaged or cut off"),
        (bytes(25 * 10**6 + 1), "is too large (25.0 MB)"),
        (encode(np.zeros(0), RATE), "holds no samples"),
        (encode(np.zeros(RATE), RATE), "is silent"),
        (encode(np.full(RATE, 5e-5), RATE, ("WAV", "FLOAT")), "is silent (no sample reaches -80 dBFS)"),
        (encode(np.full(RATE, 0.25), RATE), "holds one constant level (about 0.25)"),
        (encode(np.full(RATE, np.nan), RATE, ("WAV", "FLOAT")), "not numbers"),
        (encode(np.append(tone(1, RATE), np.inf), RATE, ("WAV", "FLOAT")), "not numbers"),
        (encode(np.full(RATE, 3e38) * tone(1, RATE, level=1), 44_100, ("WAV", "FLOAT")), "far beyond full scale"),
        (encode(tone(1, RATE), 500), "has a sample rate of 500 Hz"),
        (encode(tone(1, 768_000), 768_000), "has a sample rate of 768000 Hz"),
        (encode(tone(1, RATE), RATE, ("VOC", "PCM_16")), "is a VOC file"),
    ],
)
def test_what_cannot_be_classified_is_refused_in_one_sentence(tmp_path, content, problem):
    assert problem in refusal(saved(tmp_path, content))


@pytest.mark.parametrize("codec", [*CODECS[:-1], ("AIFF", "PCM_16")], ids="-".join)  # mp3 frames stand alone
@pytest.mark.parametrize(("seconds", "share"), [(5, 0.5), (5, 0.97), (70, 0.95)])  # 66 s: behind the used part
def test_a_file_that_is_cut_off_is_refused(tmp_path, codec, seconds, share):
    content = encode(0.2 * np.random.default_rng(0).standard_normal(seconds * 16_000), 16_000, codec)
    assert load_clip(saved(tmp_path, content), RATE).seconds == pytest.approx(seconds, abs=0.01)
    assert "cut off" in refusal(saved(tmp_path, content[: int(share * len(content))]))


def test_a_wav_whose_recorder_never_wrote_its_length_is_read(tmp_path):
    content = bytearray(encode(tone(1.0, RATE), RATE))
    content[40:44] = b"\xff\xff\xff\xff"
    assert load_clip(saved(tmp_path, bytes(content)), RATE).seconds == 1


def test_what_is_no_file_is_refused(tmp_path):
    assert "does not exist" in refusal(tmp_path / "missing.wav")
    assert "is a folder" in refusal(tmp_path)
    os.mkfifo(tmp_path / "pipe.wav")
    assert "does not exist" in refusal(tmp_path / "pipe.wav")
    with pytest.raises(BadAudioError, match=r"cannot be read|does not exist"):
        load_clip("a\0b.wav", RATE)
    with pytest.raises(BadAudioError, match=r"^a\?b"):
        load_clip(tmp_path / "a\nb.wav", RATE)


def test_clipped_and_quiet_recordings_are_accepted_with_a_note():
    assert "are clipped" in clip_from_array(np.clip(tone(1.0, RATE, level=3.0), -1, 1), RATE, RATE).notes[0]
    quiet = clip_from_array(tone(1.0, RATE, level=0.003), RATE, RATE)
    assert quiet.notes == ("The recording is very quiet (peak -50 dBFS).",)


def test_samples_are_within_full_scale_and_read_only(tmp_path):
    clip = load_clip(saved(tmp_path, encode(tone(1.0, RATE, level=4.0), RATE, ("WAV", "FLOAT"))), RATE)
    np.testing.assert_allclose(clip.samples, tone(1.0, RATE, level=1.0), atol=1e-5)
    with pytest.raises(ValueError, match="read-only"):
        clip.samples[0] = 0


def test_nothing_is_written_and_the_answer_is_always_the_same(tmp_path):
    path = saved(tmp_path, encode(tone(2.0, 44_100), 44_100, MP3))
    np.testing.assert_array_equal(load_clip(path, RATE).samples, load_clip(path, RATE).samples)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.uint8, np.uint16, np.float32, np.float64])
def test_arrays_are_scaled_by_their_type(dtype):
    wave = tone(1.0, RATE)
    kind = np.dtype(dtype).kind
    full = 1.0 if kind == "f" else 2.0 ** (8 * np.dtype(dtype).itemsize - 1)
    array = (wave * full + (full if kind == "u" else 0)).astype(dtype)
    clip = clip_from_array(array, RATE, RATE)
    np.testing.assert_allclose(clip.samples, wave, atol=0.01)
    np.testing.assert_array_equal(clip.samples, clip_from_array(array[:, None].repeat(2, 1), RATE, RATE).samples)


def test_a_file_and_its_array_give_the_same_clip(tmp_path):
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, (70 * 22_050, 2)).astype(np.float32)
    from_file = load_clip(saved(tmp_path, encode(wave, 22_050, ("WAV", "FLOAT"))), RATE)
    from_array = clip_from_array(wave, 22_050, RATE)
    np.testing.assert_array_equal(from_file.samples, from_array.samples)
    assert (from_file.seconds, from_file.notes) == (from_array.seconds, from_array.notes)


@pytest.mark.parametrize(
    ("array", "rate", "problem"),
    [
        (np.zeros(0), RATE, "no samples"),
        (np.zeros(RATE), RATE, "silent"),
        (np.ones(RATE), RATE, "one constant level"),
        (np.full(RATE, np.nan), RATE, "not numbers"),
        (np.full(RATE, 1e300), RATE, "not numbers"),
        (tone(0.09, RATE), RATE, "too short"),
        (np.zeros(601 * 1000, np.int8), 1000, "too long"),
        (np.zeros((2, 2, 2)), RATE, "shape (2, 2, 2)"),
        (np.array(["a"]), RATE, "type <U1"),
        (tone(1, RATE), 0, "sample rate of 0 Hz"),
    ],
)
def test_arrays_meet_the_same_checks(array, rate, problem):
    with pytest.raises(BadAudioError) as caught:
        clip_from_array(array, rate, RATE)
    assert problem in str(caught.value)


@pytest.mark.parametrize("n", [1, 7, 50, 99, 100, 101, 109, 110, 199, 200, 205, 250, 1234])
def test_windows_cover_the_clip_and_never_pad_a_long_one(n):
    samples = np.arange(1, n + 1, dtype=np.float32)
    cut = windows(samples, 100)
    assert (cut.dtype, cut.shape[1]) == (np.float32, 100)
    np.testing.assert_array_equal(cut, windows(samples, 100))
    dropped = n % 100 if n > 100 and n % 100 < 10 else 0
    assert set(cut.ravel()) - {0} == set(samples[: n - dropped])
    if n >= 100:
        assert len(cut) == n // 100 + (n % 100 >= 10)
        assert (np.diff(cut, axis=1) == 1).all()  # consecutive samples, so no padding
        assert cut[-1, -1] == n - dropped


@pytest.mark.parametrize("n", [800, 3_000, 4_000, 5_333, 7_999])
def test_a_short_clip_is_padded_as_the_feature_extractor_does(n):
    from transformers import ClapFeatureExtractor  # seconds to import: only where it is needed

    extractor = ClapFeatureExtractor(sampling_rate=8_000, max_length_s=1, frequency_max=4_000, hop_length=80)
    options = {"truncation": "rand_trunc", "sampling_rate": 8_000, "return_tensors": "np"}
    samples = tone(n / 8_000, 8_000)
    expected = extractor(samples, padding="repeatpad", **options)["input_features"]
    ours = extractor(windows(samples, 8_000)[0].astype(np.float64), **options)["input_features"]
    np.testing.assert_allclose(ours, expected, atol=0.05)  # dB; float32 samples move the -100 dB floor a little
    if n == 5_333:  # the test can tell one padding from another
        assert np.abs(ours - extractor(samples, padding="repeat", **options)["input_features"]).max() > 10


def test_random_and_damaged_files_are_clips_or_refusals(tmp_path):
    rng, began = np.random.default_rng(0), time.perf_counter()
    valid = [encode(0.3 * rng.standard_normal((4_000, 2)), RATE, codec) for codec in CODECS]
    heads = [b"", b"RIFF\0\1\0\0WAVEfmt ", b"fLaC\0\0\0\x22", b"OggS\0\2", b"ID3\3", b"\xff\xfb\x90\x64"]
    outcomes: dict[type, int] = {Clip: 0, BadAudioError: 0}
    for i in range(600):
        if i % 2:
            content = heads[i // 2 % len(heads)] + rng.bytes(int(rng.integers(1, 3_000)))
        else:
            damaged = bytearray(valid[i // 2 % len(valid)])
            reach = len(damaged) if i % 4 else 128  # half of them only in the header
            for _ in range(int(rng.integers(1, 12))):
                damaged[int(rng.integers(reach))] = int(rng.integers(256))
            content = bytes(damaged[: int(rng.integers(1, len(damaged)))] if i % 5 == 0 else damaged)
        try:
            outcomes[type(load_clip(saved(tmp_path, content), RATE))] += 1
        except BadAudioError:
            outcomes[BadAudioError] += 1
    assert min(outcomes.values()) > 20  # both happen, and nothing else does
    assert time.perf_counter() - began < 15
