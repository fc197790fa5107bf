"""The example clips and a small labelled set, synthesized with numpy alone. They contain nobody's recording.

They are sketches of sounds (harmonics, formants, noise bands, envelopes), good enough for the Examples row, for tests
and for a demonstration without data sets. Accuracies on them are not accuracies on recordings.
"""

import io
import os
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import soundfile

from taskvec_demo.core.files import whole_file
from taskvec_demo.lab.data.synth_instruments import (
    INSTRUMENTS,
    N_SAMPLES,
    SAMPLE_RATE,
    SECONDS,
    Sound,
    add_at,
    band,
    filtered,
    finish,
    formants,
    harmonic,
    noise,
    room,
    street_music,
    swell,
    times,
    wander,
)
from taskvec_demo.lab.data.synth_music import MUSIC

EXAMPLES = {  # file name -> (task, class, seed); some are heard rightly only before or only after an edit
    "dog_bark": ("esc50", "dog", 0),
    "sea_waves": ("esc50", "sea_waves", 0),
    "siren": ("urban", "siren", 8),
    "car_horn": ("urban", "car_horn", 5),
    "engine_idling": ("urban", "engine_idling", 11),
    "guitar": ("instruments", "guitar", 5),
    "double_bass": ("instruments", "double_bass", 5),
    "rock": ("music", "rock", 8),
    "jazz": ("music", "jazz", 0),
    "classical": ("music", "classical", 1),
}


def dog(rng: np.random.Generator) -> np.ndarray:
    """Barks of 0.2 s in pairs: a pitch that rises and falls, a rough voice and an open mouth."""
    out = np.zeros(N_SAMPLES)
    size = rng.uniform(0.8, 1.3)  # a small dog is above 1
    at = rng.uniform(0.1, 0.3)
    while at < SECONDS - 0.4:
        seconds = rng.uniform(0.16, 0.24)
        arch = np.sin(np.pi * np.linspace(0.1, 0.95, round(seconds * SAMPLE_RATE)))
        pitch = size * (260 + 300 * arch) * (1 + 0.03 * wander(rng, seconds, 90))
        voice = harmonic(pitch, 1 / np.arange(1, 20) ** 0.7) + 0.9 * noise(rng, seconds, 400, 4000)
        voice = formants(voice, ((850 * size, 200), (1700 * size, 300), (3000, 500)))
        add_at(out, at, voice * swell(len(voice), 0.015, 0.12))
        at += seconds + rng.choice([0.18, 0.25, 0.7])
    return finish(room(rng, out, 0.5, 0.12))


def rooster(rng: np.random.Generator) -> np.ndarray:
    """Cock-a-doodle-doo: three short calls and a long one that falls."""
    out = np.zeros(N_SAMPLES)
    base = rng.uniform(480, 620)
    calls = ((0.2, 0.22, 0.9, 1.1), (0.5, 0.16, 1.1, 1.3), (0.75, 0.45, 1.35, 1.5), (1.3, 1.5, 1.55, 0.95))
    for at, seconds, first, last in calls:
        pitch = base * np.linspace(first, last, round(seconds * SAMPLE_RATE)) * (1 + 0.012 * wander(rng, seconds, 60))
        voice = harmonic(pitch, 1 / np.arange(1, 13) ** 0.4) + 0.3 * noise(rng, seconds, 900, 6000)
        voice = formants(voice, ((1400, 350), (2600, 500)), floor=0.08)
        add_at(out, at + 0.3, voice * swell(len(voice), 0.04, 0.3 * seconds))
    return finish(room(rng, out, 0.7, 0.1))


def rain(rng: np.random.Generator) -> np.ndarray:
    """A steady hiss and thousands of drops."""
    out = 0.5 * noise(rng, SECONDS, 600, 7800)
    grain_times = times(0.012)
    for at in rng.uniform(0, SECONDS, int(rng.uniform(1200, 2500))):
        ring = np.sin(2 * np.pi * rng.uniform(1500, 6500) * grain_times) * np.exp(-grain_times * 500)
        add_at(out, at, rng.exponential(0.8) * ring)
    return finish(out)


def sea_waves(rng: np.random.Generator) -> np.ndarray:
    """One or two breakers: noise that swells, brightens and drains away over a low rumble."""
    t = times(SECONDS)
    rise = (t / rng.uniform(2.2, 3.2) + rng.uniform(0, 1)) % 1
    swash = np.where(rise < 0.4, rise / 0.4, (1 - rise) / 0.6)
    low, high = noise(rng, SECONDS, 60, 500), noise(rng, SECONDS, 500, 6000)
    pink = filtered(high, lambda f: 1 / np.sqrt(np.maximum(f, 50) / 500))
    return finish(0.5 * low * (0.4 + swash) + pink * (0.12 + swash**2.5))


def crackling_fire(rng: np.random.Generator) -> np.ndarray:
    """Crackles of very different loudness over a soft roar."""
    out = 0.03 * noise(rng, SECONDS, 60, 900) * (1 + 0.4 * wander(rng, SECONDS, 4))
    for at in rng.uniform(0, SECONDS, int(rng.uniform(90, 180))):
        t = times(rng.uniform(0.004, 0.025))
        snap = noise(rng, len(t) / SAMPLE_RATE, rng.uniform(600, 2500), 7500) * np.exp(-t * 5 / t[-1])
        add_at(out, at, 0.06 * rng.pareto(1.6) * snap)
    return finish(np.tanh(out))


def crying_baby(rng: np.random.Generator) -> np.ndarray:
    """Wails of about a second on an arch of pitch, each followed by a gasp."""
    out = np.zeros(N_SAMPLES)
    base, at = rng.uniform(380, 470), 0.1
    while at < SECONDS - 0.5:
        seconds = min(rng.uniform(0.8, 1.2), SECONDS - at)
        arch = np.sin(np.pi * np.linspace(0.08, 0.9, round(seconds * SAMPLE_RATE)))
        pitch = base * (0.85 + 0.35 * arch) * (1 + 0.015 * wander(rng, seconds, 25))
        voice = harmonic(pitch, 1 / np.arange(1, 16) ** 0.5) + 0.15 * noise(rng, seconds, 1000, 6000)
        voice = formants(voice, ((1050, 220), (2900, 450), (4200, 600)))
        add_at(out, at, voice * swell(len(voice), 0.08, 0.25) / np.abs(voice).max())
        gasp = noise(rng, 0.2, 1200, 5000)
        add_at(out, at + seconds + 0.08, 0.06 * gasp * swell(len(gasp), 0.1, 0.08))
        at += seconds + rng.uniform(0.3, 0.45)
    return finish(room(rng, out, 0.4, 0.06))


def sneezing(rng: np.random.Generator) -> np.ndarray:
    """Ah - ah - tchoo: two breaths in, a burst out and a voiced tail."""
    out = np.zeros(N_SAMPLES)
    for at, seconds in ((0.3, 0.3), (0.8, 0.45)):
        breath = formants(noise(rng, seconds, 500, 5000), ((800, 200), (1500, 300)))
        add_at(out, at, 0.12 * breath * swell(len(breath), 0.8 * seconds, 0.05))
    burst = noise(rng, 0.45, rng.uniform(1500, 2200), 7800) * np.exp(-times(0.45) * 9)
    add_at(out, 1.4, burst * swell(len(burst), 0.008, 0.1))
    pitch = rng.uniform(180, 330) * np.linspace(1.2, 0.7, round(0.35 * SAMPLE_RATE))
    tail = formants(harmonic(pitch, 1 / np.arange(1, 25)), ((350, 120), (900, 200)))
    add_at(out, 1.48, 1.5 * tail * swell(len(tail), 0.03, 0.25))
    return finish(room(rng, out, 0.4, 0.1))


def clock_tick(rng: np.random.Generator) -> np.ndarray:
    """Tick, tock: short metallic clicks in strict time."""
    out = 0.001 * noise(rng, SECONDS, 100, 4000)
    period, tone = rng.choice([0.25, 0.5, 1.0]), rng.uniform(1800, 3200)
    t = times(0.06)
    for i, at in enumerate(np.arange(0.1, SECONDS - 0.1, period)):
        pitch = tone * (1.0 if i % 2 else 0.86)
        modes = pitch * np.array([[1.0], [1.52], [2.31]])
        ring = (np.sin(2 * np.pi * modes * t) * np.exp(-90 * t * modes / pitch)).sum(axis=0)
        add_at(out, at, ring + 0.8 * noise(rng, 0.06, 1500, 7500) * np.exp(-t * 400))
        add_at(out, at + 0.02, 0.25 * ring)  # the escapement falls back
    return finish(out)


def helicopter(rng: np.random.Generator) -> np.ndarray:
    """Blade slap about 11 times a second over a turbine's whine."""
    t = times(SECONDS)
    slap = ((1 + np.cos(2 * np.pi * rng.uniform(9, 14) * t)) / 2) ** 4
    out = noise(rng, SECONDS, 40, 350) * (0.15 + slap) + 0.35 * noise(rng, SECONDS, 350, 2500) * (0.25 + slap)
    whine = harmonic(np.full(N_SAMPLES, rng.uniform(500, 800)), [0.04, 0.02, 0.01])
    return finish((out + whine) * (1 + 0.25 * wander(rng, SECONDS, 0.6)))


def chainsaw(rng: np.random.Generator) -> np.ndarray:
    """A two-stroke engine that is revved, buzzing and rough."""
    revs = np.clip(0.75 + 0.35 * np.sin(2 * np.pi * rng.uniform(0.3, 0.7) * times(SECONDS) + rng.uniform(0, 6)), 0.5, 1)
    pitch = rng.uniform(110, 150) * revs * (1 + 0.01 * wander(rng, SECONDS, 40))
    buzz = np.tanh(2 * harmonic(pitch, 1 / np.arange(1, 45) ** 0.6)) * (1 + 0.3 * wander(rng, SECONDS, 80))
    return finish(formants(buzz + 0.5 * noise(rng, SECONDS, 500, 7000) * revs, ((700, 300), (2600, 900)), floor=0.15))


def air_conditioner(rng: np.random.Generator) -> np.ndarray:
    """A fan's steady rush with the hum of its motor."""
    rush = filtered(noise(rng, SECONDS, 60, 5000), lambda f: 1 / np.maximum(f, 80) ** 0.6)
    hum = harmonic(np.full(N_SAMPLES, rng.choice([50.0, 60.0])), [0.3, 1.0, 0.2, 0.5, 0.1, 0.25])
    return finish(rush / rush.std() + rng.uniform(0.2, 0.5) * hum)


def car_horn(rng: np.random.Generator) -> np.ndarray:
    """Two reeds about a third apart, in two or three honks."""
    out = np.zeros(N_SAMPLES)
    low, at = rng.uniform(330, 440), 0.2
    while at < SECONDS - 0.3:
        seconds = min(rng.uniform(0.3, 1.3), SECONDS - at)
        n = round(seconds * SAMPLE_RATE)
        amplitudes = 1 / np.arange(1, 18) ** 0.5
        reeds = harmonic(np.full(n, low), amplitudes) + harmonic(np.full(n, 1.26 * low), amplitudes)
        honk = formants(reeds, ((1300, 600), (2600, 900)), floor=0.25)
        add_at(out, at, honk * swell(n, 0.02, 0.04))
        at += seconds + rng.uniform(0.2, 0.5)
    return finish(room(rng, out, 0.9, 0.12) + 0.02 * noise(rng, SECONDS, 60, 900))


def children_playing(rng: np.random.Generator) -> np.ndarray:
    """Shouts and vowels of high voices, near and far, over a yard's murmur."""
    vowels = ((900, 1500, 3200), (450, 2600, 3500), (550, 1100, 3000), (400, 1000, 2900))
    out = np.zeros(N_SAMPLES)
    for at in rng.uniform(0, SECONDS - 0.3, 22):
        seconds = rng.uniform(0.15, 0.6)
        n = round(seconds * SAMPLE_RATE)
        pitch = rng.uniform(280, 520) * np.interp(np.linspace(0, 2, n), [0, 1, 2], rng.uniform(0.8, 1.35, 3))
        voice = harmonic(pitch, 1 / np.arange(1, 16)) + 0.1 * noise(rng, seconds, 1000, 6000)
        voice = formants(voice, [(f, 150) for f in vowels[rng.integers(4)]])
        add_at(out, at, rng.uniform(0.1, 1.0) * voice * swell(n, 0.04, 0.1) / np.abs(voice).max())
    return finish(room(rng, out, 0.8, 0.2) + 0.03 * noise(rng, SECONDS, 100, 3000))


def drilling(rng: np.random.Generator) -> np.ndarray:
    """A hammer drill: 45 blows a second, a motor's whine, and pauses."""
    phase = np.cumsum(rng.uniform(38, 55) * (1 + 0.02 * wander(rng, SECONDS, 5))) / SAMPLE_RATE
    blows = noise(rng, SECONDS, 500, 7500) * np.exp(-7 * (phase % 1))
    whine = harmonic(rng.uniform(320, 480) * (1 + 0.01 * wander(rng, SECONDS, 8)), 1 / np.arange(1, 15))
    gate = np.clip(np.interp(times(SECONDS), [0, 0.15, 2.2, 2.4, 2.8, 2.95, 4], [0, 1, 1, 0, 0, 1, 1]), 0, 1)
    return finish(gate * (blows + 0.35 * whine) + 0.01 * noise(rng, SECONDS, 60, 2000))


def engine_idling(rng: np.random.Generator) -> np.ndarray:
    """A four-stroke engine at idle: some 25 soft, uneven explosions a second."""
    phase = np.cumsum(rng.uniform(20, 30) * (1 + 0.02 * wander(rng, SECONDS, 6))) / SAMPLE_RATE
    uneven = 1 + 0.25 * rng.standard_normal(4)[phase.astype(int) % 4]  # each cylinder has its own loudness
    thump = uneven * np.exp(-4 * (phase % 1))
    out = band(thump, 30, 300) * 2 + thump * (noise(rng, SECONDS, 60, 500) + 0.25 * noise(rng, SECONDS, 500, 3500))
    return finish(out + 0.08 * noise(rng, SECONDS, 100, 3000))


def gun_shot(rng: np.random.Generator) -> np.ndarray:
    """One to three shots: a crack of all frequencies and the street's echo."""
    out = np.zeros(N_SAMPLES)
    for i in range(int(rng.integers(1, 4))):
        t = times(0.4)
        crack = noise(rng, 0.4, 80, 7800) * np.exp(-t * 60) + 0.6 * noise(rng, 0.4, 40, 400) * np.exp(-t * 14)
        add_at(out, 0.3 + i * rng.uniform(0.5, 0.9), crack)
    return finish(room(rng, out, 1.6, 0.15))


def jackhammer(rng: np.random.Generator) -> np.ndarray:
    """About 20 blows of a steel chisel a second, with the compressor's drone."""
    out = 0.1 * noise(rng, SECONDS, 60, 1200)
    t = times(0.05)
    chisel = rng.uniform(1600, 2600)
    for at in np.arange(0.02, SECONDS - 0.05, 1 / rng.uniform(17, 24)) + 0.001 * rng.standard_normal():
        blow = noise(rng, 0.05, 200, 6500) * np.exp(-t * 110) + 0.8 * np.sin(2 * np.pi * 95 * t) * np.exp(-t * 60)
        ring = np.sin(2 * np.pi * chisel * t) + np.sin(2 * np.pi * 1.68 * chisel * t)
        add_at(out, at, rng.uniform(0.8, 1.0) * (blow + 0.3 * ring * np.exp(-t * 120)))
    return finish(room(rng, out, 0.3, 0.08))


def siren(rng: np.random.Generator) -> np.ndarray:
    """A police siren: a wail that sweeps between about 600 and 1400 Hz, slowly or in yelps."""
    rate = rng.choice([0.3, 0.5, 3.2])
    sweep = 0.5 * (1 - np.cos(2 * np.pi * (rate * times(SECONDS) + rng.uniform(0, 1))))
    pitch = rng.uniform(560, 680) * rng.uniform(2.0, 2.4) ** sweep
    tone = formants(harmonic(pitch, 1 / np.arange(1, 9) ** 1.1), ((1200, 500), (2500, 800)), floor=0.3)
    return finish(room(rng, tone, 1.0, 0.15) + 0.03 * noise(rng, SECONDS, 60, 1500))


def _by_name(*sounds: Sound) -> dict[str, Sound]:
    return {sound.__name__: sound for sound in sounds}


SOUNDS: dict[str, dict[str, Sound]] = {  # task -> class -> sound
    "esc50": _by_name(
        dog, rooster, rain, sea_waves, crackling_fire, crying_baby, sneezing, clock_tick, helicopter, chainsaw
    ),
    "urban": _by_name(
        air_conditioner,
        car_horn,
        children_playing,
        drilling,
        engine_idling,
        gun_shot,
        jackhammer,
        siren,
        street_music,
    )
    | {"dog_bark": dog},
    "instruments": dict(sorted(INSTRUMENTS.items())),
    "music": MUSIC,
}


def synthesize(task: str, name: str, seed: int = 0) -> np.ndarray:
    """One clip of a class: float32 (64000,), mono, 16 kHz, peak 0.9; the same for the same arguments.

    Raises KeyError for a task or class that is not in `SOUNDS`.
    """
    return SOUNDS[task][name](np.random.default_rng([seed, zlib.crc32(f"{task}/{name}".encode())]))


def examples() -> dict[str, np.ndarray]:
    """File name, which is the name of a class -> clip, for the Examples row."""
    return {name: synthesize(*made_as) for name, made_as in EXAMPLES.items()}


def labelled_set(seed: int, per_class: int) -> list[tuple[str, str, np.ndarray]]:
    """(task, class, clip) with `per_class` variations of every class in `SOUNDS`, all different."""
    return [
        (task, name, synthesize(task, name, seed * per_class + i))
        for task, sounds in SOUNDS.items()
        for name in sounds
        for i in range(per_class)
    ]


def write_examples(folder: str | os.PathLike[str]) -> list[Path]:
    """Write `examples()` as FLAC files named for what they are."""
    return [_write(Path(folder) / f"{name}.flac", samples, "FLAC", "PCM_16") for name, samples in examples().items()]


def write_labelled_set(folder: Path, clips: Iterable[tuple[str, str, np.ndarray]]) -> None:
    """Write clips of a `labelled_set` and `clips.csv`: columns file, task, label.

    The clips are Opus, a seventh of the size of FLAC: they are shipped, and only show that figures are measured.
    """
    lines = ["file,task,label"]
    for i, (task, name, samples) in enumerate(clips):
        path = _write(folder / task / f"{name}_{i}.opus", samples, "OGG", "OPUS")
        lines.append(f"{path.relative_to(folder).as_posix()},{task},{name}")
    (folder / "clips.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write(path: Path, samples: np.ndarray, container: str, codec: str) -> Path:
    """Write a recording, which appears whole or not at all."""
    encoded = io.BytesIO()
    soundfile.write(encoded, samples, SAMPLE_RATE, format=container, subtype=codec)
    with whole_file(path) as temporary:
        temporary.write_bytes(encoded.getvalue())
    return path
