"""Musical instruments made from numpy alone, and the building blocks (noise, envelopes, tones) `synth.py` shares.

Every sound is a function of a random generator: the same generator state gives the same samples, another one gives
another note of the same instrument.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

SAMPLE_RATE = 16_000  # Hz
SECONDS = 4
N_SAMPLES = SECONDS * SAMPLE_RATE  # 64,000
PEAK = 0.9  # of full scale

Sound = Callable[[np.random.Generator], np.ndarray]


def times(seconds: float) -> np.ndarray:
    """Sample times in seconds, shape (round(seconds * SAMPLE_RATE),)."""
    return np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE


def filtered(samples: np.ndarray, gain: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """`samples` with its spectrum multiplied by `gain(frequencies in Hz)`; zero phase."""
    frequencies = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)
    return np.fft.irfft(np.fft.rfft(samples) * gain(frequencies), len(samples))


def band(samples: np.ndarray, low: float, high: float) -> np.ndarray:
    """Keep low..high Hz, with third-order slopes on both sides."""
    return filtered(samples, lambda f: 1 / np.sqrt((1 + (low / np.maximum(f, 1)) ** 6) * (1 + (f / high) ** 6)))


def formants(samples: np.ndarray, peaks: Sequence[tuple[float, float]], floor: float = 0.05) -> np.ndarray:
    """Resonances at (centre, width) in Hz above a flat `floor`: what a throat or a body does to a source."""
    centres, widths = np.array(peaks).T[:, :, None]
    return filtered(samples, lambda f: floor + (1 / (1 + ((f - centres) / widths) ** 2)).sum(axis=0))


def noise(rng: np.random.Generator, seconds: float, low: float, high: float) -> np.ndarray:
    """Band-limited noise of standard deviation 1."""
    samples = band(rng.standard_normal(round(seconds * SAMPLE_RATE)), low, high)
    return samples / (samples.std() + 1e-12)


def wander(rng: np.random.Generator, seconds: float, rate: float) -> np.ndarray:
    """A smooth random curve of about `rate` turns a second, standard deviation about 1."""
    t = times(seconds)
    knots = rng.standard_normal(int(seconds * rate) + 3)
    return np.interp(t * rate, np.arange(len(knots)), knots)


def swell(n: int, attack: float, release: float) -> np.ndarray:
    """Envelope of n samples: raised-cosine rise over `attack` s, fall over `release` s."""
    rise = np.clip(np.arange(n) / max(1, attack * SAMPLE_RATE), 0, 1)
    fall = np.clip(np.arange(n)[::-1] / max(1, release * SAMPLE_RATE), 0, 1)
    return 0.25 * (1 - np.cos(np.pi * rise)) * (1 - np.cos(np.pi * fall))


def harmonic(frequency: np.ndarray, amplitudes: Sequence[float] | np.ndarray) -> np.ndarray:
    """Harmonics k = 1.. of a fundamental in Hz that may vary by sample; nothing above the Nyquist frequency."""
    phase = 2 * np.pi * np.cumsum(frequency) / SAMPLE_RATE
    out = np.zeros(len(frequency))
    for k, amplitude in enumerate(amplitudes, start=1):
        if amplitude and k * frequency.min() < SAMPLE_RATE / 2:
            out += amplitude * np.sin(k * phase) * (k * frequency < 0.48 * SAMPLE_RATE)
    return out


def add_at(out: np.ndarray, at: float, grain: np.ndarray) -> None:
    """Add `grain` to `out` in place from `at` seconds on; what hangs over the end is dropped."""
    start = round(at * SAMPLE_RATE)
    stop = min(len(out), start + len(grain))
    if start < stop:
        out[start:stop] += grain[: stop - start]


def room(rng: np.random.Generator, samples: np.ndarray, seconds: float, wet: float) -> np.ndarray:
    """Add the reverberation of a room or a street whose tail falls by 60 dB in `seconds`."""
    t = times(seconds)
    tail = rng.standard_normal(len(t)) * 10 ** (-3 * t / seconds)
    size = len(samples) + len(tail)
    echo = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(tail, size), size)[: len(samples)]
    return samples + wet * echo * np.abs(samples).max() / (np.abs(echo).max() + 1e-12)


def finish(samples: np.ndarray) -> np.ndarray:
    """No DC, 5 ms fades, peak `PEAK`, float32."""
    samples = (samples - samples.mean()) * swell(len(samples), 0.005, 0.005)
    return (PEAK * samples / np.abs(samples).max()).astype(np.float32)


def pluck(rng: np.random.Generator, frequency: float, seconds: float, damping: float, pick: float) -> np.ndarray:
    """A plucked string (Karplus and Strong 1983): a burst of noise in a delay line that loses its treble each round.

    `damping` is the loss factor of a round (just below 1); `pick`, 0..0.5, is where along the string it is plucked.
    """
    period = max(4, round(SAMPLE_RATE / frequency))
    burst = rng.uniform(-1, 1, period)
    burst -= np.roll(burst, max(1, round(pick * period)))  # a pluck at 1/m of the string has no m-th harmonic
    out = np.concatenate([np.zeros(period + 1), burst, np.zeros(round(seconds * SAMPLE_RATE) + period)])
    for start in range(2 * period + 1, len(out) - period, period):
        previous = out[start - period - 1 : start]
        out[start : start + period] = damping * 0.5 * (previous[1:] + previous[:-1])
    return out[period + 1 :][: round(seconds * SAMPLE_RATE)]


@dataclass(frozen=True)
class Voice:
    """What tells one sustained instrument from another."""

    low: float  # range of the fundamental, Hz
    high: float
    slope: float  # harmonic k has amplitude k ** -slope
    even: float = 1.0  # extra factor on even harmonics: near 0 for a closed cylindrical pipe
    body: tuple[tuple[float, float], ...] = ()  # resonances (centre, width), Hz
    attack: float = 0.05  # s
    vibrato: float = 0.0  # depth, share of the frequency
    breath: float = 0.0  # noise of bow or air, share of the tone
    brighten: float = 0.0  # how much darker the attack is: brass


VOICES = {
    "cello": Voice(70, 330, 1.0, body=((220, 90), (500, 200), (1200, 500)), attack=0.12, vibrato=0.006, breath=0.03),
    "double_bass": Voice(45, 150, 1.2, body=((110, 50), (300, 150)), attack=0.15, vibrato=0.004, breath=0.03),
    "flute": Voice(280, 1200, 2.4, attack=0.08, vibrato=0.006, breath=0.08),
    "clarinet": Voice(160, 900, 1.1, even=0.08, body=((1500, 900),), attack=0.04, breath=0.01),
    "bass_clarinet": Voice(70, 250, 1.0, even=0.1, body=((800, 600),), attack=0.06, breath=0.015),
    "oboe": Voice(260, 1000, 1.1, body=((1100, 300), (3000, 600)), attack=0.03, vibrato=0.005),
    "cor_anglais": Voice(180, 600, 1.1, body=((930, 250), (2300, 500)), attack=0.04, vibrato=0.005),
    "bassoon": Voice(65, 350, 0.8, body=((480, 150), (1200, 400)), attack=0.04),
    "contrabassoon": Voice(32, 110, 0.7, body=((350, 150), (800, 400)), attack=0.05),
    "french_horn": Voice(110, 450, 1.6, body=((400, 250),), attack=0.07, brighten=0.8),
    "trombone": Voice(90, 400, 1.2, body=((600, 400), (1500, 900)), attack=0.05, brighten=0.9),
    "saxophone": Voice(140, 700, 1.0, body=((700, 400), (1800, 700)), attack=0.04, vibrato=0.007, breath=0.02),
}


def note_frequency(rng: np.random.Generator, low: float, high: float) -> float:
    """A random note of the tempered scale (A4 = 440 Hz) between `low` and `high` Hz."""
    first, last = np.ceil(12 * np.log2(low / 440)), np.floor(12 * np.log2(high / 440))
    return float(440 * 2 ** (rng.integers(int(first), int(last) + 1) / 12))


def sustained(voice: Voice) -> Sound:
    """One or two single notes of a bowed or blown instrument, each with a rest behind it."""

    def sound(rng: np.random.Generator) -> np.ndarray:
        count = int(rng.integers(1, 3))
        out = np.zeros(N_SAMPLES)
        for i in range(count):
            slot = (SECONDS - 0.2) / count
            seconds = rng.uniform(0.8, 0.95) * slot
            t = times(seconds)
            depth = voice.vibrato * np.clip(3 * t / seconds, 0, 1)  # players let the vibrato grow
            pitch = note_frequency(rng, voice.low, voice.high)
            frequency = pitch * (1 + depth * np.sin(2 * np.pi * rng.uniform(4.8, 6.2) * t))
            k = np.arange(1, 1 + int(0.48 * SAMPLE_RATE / pitch))
            amplitudes = k**-voice.slope * np.where(k % 2, 1.0, voice.even)
            envelope = swell(len(t), voice.attack, 0.12) * (1 + 0.06 * wander(rng, seconds, 6))
            tone = harmonic(frequency, amplitudes)
            if voice.brighten:
                dull = harmonic(frequency, amplitudes * np.exp(-0.5 * (k - 1)))
                bright = swell(len(t), 4 * voice.attack, 0.3) * voice.brighten
                tone = (1 - bright) * dull + bright * tone
            if voice.body:
                tone = formants(tone, voice.body, floor=0.15)
            air = noise(rng, seconds, pitch, min(6000, 6 * pitch)) * tone.std() * voice.breath
            add_at(out, 0.1 + i * slot, envelope * (tone + air) / (np.abs(tone).max() + 1e-12))
        return finish(room(rng, out, 0.8, 0.03))

    return sound


def plucked(low: float, high: float, damping: float, body: tuple[tuple[float, float], ...], rate: float) -> Sound:
    """An arpeggio of `rate` notes a second on a plucked string with the resonances of its body."""

    def sound(rng: np.random.Generator) -> np.ndarray:
        out = np.zeros(N_SAMPLES)
        root = note_frequency(rng, low, high)
        for i, at in enumerate(np.arange(0.05, SECONDS - 0.3, 1 / rate)):
            step = (0, 4, 7, 12, 7, 4)[i % 6]  # a major chord up and down, in semitones
            string = pluck(rng, root * 2 ** (step / 12), min(2.0, SECONDS - at), damping, rng.uniform(0.12, 0.25))
            add_at(out, at, string * rng.uniform(0.7, 1.0))
        return finish(formants(out, body, floor=0.4))

    return sound


def tremolo(rng: np.random.Generator) -> np.ndarray:
    """A mandolin: one note picked over and over, on two strings that are a little out of tune."""
    out = np.zeros(N_SAMPLES)
    pitch = note_frequency(rng, 200, 600)
    for i, at in enumerate(np.arange(0.05, SECONDS - 0.2, 1 / rng.uniform(9, 13))):
        if i and i % 12 == 0:
            pitch = note_frequency(rng, 200, 600)
        for detune in (1.0, 1.006):
            add_at(out, at, pluck(rng, pitch * detune, 0.5, 0.985, 0.1) * rng.uniform(0.6, 1.0))
    return finish(formants(out, ((500, 250), (1800, 900)), floor=0.4))


def drum(rng: np.random.Generator, pitch: float, seconds: float, snap: float) -> np.ndarray:
    """One stroke on a skin: inharmonic modes that drop a little in pitch, and `snap` of noise."""
    t = times(seconds)
    out = snap * noise(rng, seconds, 800, 6500) * np.exp(-t * 18 / seconds)
    for ratio, level in ((1.0, 1.0), (1.59, 0.5), (2.14, 0.35), (2.65, 0.2)):  # modes of an ideal circular membrane
        out += level * harmonic(pitch * ratio * (1 + 0.3 * np.exp(-t * 30)), [1.0]) * np.exp(-t * 6 * ratio / seconds)
    return out


def percussion(rng: np.random.Generator) -> np.ndarray:
    """A bar of drums: low skin, snare and a cymbal-like shimmer."""
    out = np.zeros(N_SAMPLES)
    beat = rng.uniform(0.22, 0.3)
    for i, at in enumerate(np.arange(0.05, SECONDS - 0.1, beat)):
        add_at(out, at, 0.15 * noise(rng, 0.08, 5000, 8000) * np.exp(-times(0.08) * 60))
        if i % 4 == 0:
            add_at(out, at, drum(rng, rng.uniform(60, 80), 0.5, 0.1))
        elif i % 4 == 2:
            add_at(out, at, drum(rng, rng.uniform(170, 210), 0.3, 0.5))
    return finish(room(rng, out, 0.5, 0.08))


def street_music(rng: np.random.Generator) -> np.ndarray:
    """A busker: strummed strings and a drum, outdoors."""
    out = 0.7 * plucked(100, 180, 0.996, ((200, 100), (900, 600)), 5)(rng)
    for i, at in enumerate(np.arange(0.05, SECONDS - 0.2, 0.5)):
        add_at(out, at, 0.6 * drum(rng, 75 if i % 2 == 0 else 190, 0.3, 0.1 if i % 2 == 0 else 0.4))
    return finish(room(rng, out, 0.9, 0.15) + 0.03 * noise(rng, SECONDS, 80, 2500))


INSTRUMENTS: dict[str, Sound] = {
    **{name: sustained(voice) for name, voice in VOICES.items()},
    "guitar": plucked(82, 250, 0.99, ((110, 50), (220, 80), (800, 600)), 1.0),
    "banjo": plucked(150, 330, 0.97, ((600, 250), (1500, 600), (3000, 1000)), 2.0),
    "mandolin": tremolo,
    "percussion": percussion,
}
