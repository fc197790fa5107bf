"""Four seconds of music in the manner of a genre, played by a band of numpy: drums, bass, guitars and sustained voices.

Like the sounds of `synth.py` they are sketches: what a genre is known by (beat, line-up, distortion), and no more.
"""

from collections.abc import Sequence

import numpy as np

from .synth_instruments import (
    N_SAMPLES,
    SECONDS,
    Sound,
    add_at,
    band,
    drum,
    finish,
    formants,
    harmonic,
    noise,
    pluck,
    room,
    swell,
    times,
)

MINOR, MAJOR = (0, 3, 7), (0, 4, 7)  # chords, semitones above their root
STEPS = 16  # of a bar: sixteenth notes


def semitones(root: float, steps: float) -> float:
    return float(root * 2 ** (steps / 12))


class Band:
    """A piece of `N_SAMPLES` samples at `bpm` quarter notes a minute; players add to it, `end` gives it back."""

    def __init__(self, rng: np.random.Generator, bpm: float, swing: float = 0.0) -> None:
        self.rng, self.out = rng, np.zeros(N_SAMPLES)
        self.step, self.swing = 15 / bpm, swing
        self.root = semitones(82.4, int(rng.integers(0, 6)))  # from the low E of a guitar

    def on(self, pattern: str) -> list[tuple[int, float]]:
        """The strokes "x" of a bar that is repeated: (index of the step from the start, time in seconds)."""
        found = []
        for i in range(int(SECONDS / self.step)):
            if pattern[i % len(pattern)] == "x":
                found.append((i, 0.02 + self.step * (i + self.swing * (i % 4 == 2))))
        return [(i, at) for i, at in found if at < SECONDS - 0.05]

    def drums(self, kick: str = ".", snare: str = ".", hat: str = ".", ring: float = 0.05, level: float = 0.8) -> None:
        rng = self.rng
        for _, at in self.on(kick):
            add_at(self.out, at, 1.4 * level * drum(rng, rng.uniform(52, 60), 0.3, 0.05))
        for _, at in self.on(snare):
            add_at(self.out, at, level * drum(rng, rng.uniform(180, 200), 0.22, 0.8))
        for _, at in self.on(hat):
            stroke = noise(rng, 4 * ring, 5500, 7900) * np.exp(-times(4 * ring) / ring)
            add_at(self.out, at, 0.16 * level * rng.uniform(0.7, 1.0) * stroke)

    def bass(self, pattern: str, line: Sequence[float], length: float = 2.0, level: float = 0.8) -> None:
        """A plucked bass; `line`: semitones above the root, one for each stroke in turn; `length` in steps."""
        for k, (_, at) in enumerate(self.on(pattern)):
            t = times(length * self.step)
            pitch = np.full(len(t), semitones(self.root / 2, line[k % len(line)]))
            tone = harmonic(pitch, (1, 0.7, 0.4, 0.2, 0.1)) * np.exp(-2 * t) * swell(len(t), 0.008, 0.03)
            add_at(self.out, at, level * tone)

    def guitar(
        self, pattern: str, chords: Sequence[tuple[float, ...]], length: float, gain: float = 0.0, level: float = 1.0
    ) -> None:
        """Strummed chords, one a bar, of `length` steps; with a `gain` through an overdriven amplifier."""
        played = np.zeros(N_SAMPLES)
        for i, at in self.on(pattern):
            chord = chords[i // STEPS % len(chords)]
            for j, note in enumerate(chord):
                string = pluck(self.rng, semitones(self.root, note), length * self.step, 0.996, 0.15)
                add_at(played, at + 0.006 * j, string * swell(len(string), 0.001, 0.02))
        if gain:
            played = band(np.tanh(gain * played), 90, 4500)
        played = formants(played, ((220, 120), (900, 600), (2500, 900)), floor=0.4)
        self.out += level * played / (np.abs(played).max() + 1e-12)

    def voices(
        self, chords: Sequence[tuple[float, ...]], steps: int, slope: float, attack: float, level: float = 0.8
    ) -> None:
        """Sustained voices, bowed or blown, that go through `chords`, one every `steps` steps."""
        played = np.zeros(N_SAMPLES)
        seconds = steps * self.step
        for k, at in enumerate(np.arange(0.02, SECONDS - 0.3, seconds)):
            t = times(min(1.05 * seconds, SECONDS - at))
            for note in chords[k % len(chords)]:
                vibrato = 1 + 0.005 * np.sin(2 * np.pi * (self.rng.uniform(5, 6) * t + self.rng.uniform()))
                amplitudes = np.arange(1, 20) ** -slope
                tone = harmonic(semitones(self.root, note) * vibrato, amplitudes)
                add_at(played, at, tone * swell(len(t), attack, 0.15))
        self.out += level * played / (np.abs(played).max() + 1e-12)

    def end(self, seconds: float = 0.5, wet: float = 0.08) -> np.ndarray:
        return finish(room(self.rng, self.out, seconds, wet))


def blues(rng: np.random.Generator) -> np.ndarray:
    """A shuffle: root and fifth, root and sixth."""
    piece = Band(rng, rng.uniform(95, 115), swing=0.6)
    piece.guitar("x.x.", [(0, 7), (0, 9), (5, 12)], 2, gain=1.5)
    piece.bass("x...", (0, 4, 7, 9))
    piece.drums("x.......", "....x...", "x.x.", level=0.5)
    return piece.end(0.6, 0.12)


def classical(rng: np.random.Generator) -> np.ndarray:
    """Strings in a hall."""
    piece = Band(rng, rng.uniform(60, 76))
    piece.voices([(0, 12, 19, 28), (-5, 14, 19, 26), (-3, 12, 16, 24), (-7, 12, 17, 21)], 4, 1.1, 0.12)
    return piece.end(1.8, 0.3)


def country(rng: np.random.Generator) -> np.ndarray:
    """Boom and chick, and a banjo that rolls."""
    piece = Band(rng, rng.uniform(105, 125))
    piece.bass("x...", (0, 7))
    piece.guitar("..x.", [(12, 16, 19), (17, 21, 24)], 2, level=0.7)
    piece.guitar("x", [(24,), (28,), (31,)], 1.5, level=0.6)
    piece.drums(".", "....x...", "x.x.", level=0.3)
    return piece.end()


def disco(rng: np.random.Generator) -> np.ndarray:
    """Four to the floor, open cymbals between, a bass in octaves, strings."""
    piece = Band(rng, rng.uniform(115, 125))
    piece.drums("x...", "....x...", "..x.", ring=0.1, level=1.0)
    piece.bass("x.x.", (0, 12), length=1.6)
    piece.guitar("x.xx", [(12, 15, 19), (10, 14, 17)], 0.7, level=0.4)
    piece.voices([(24, 31), (26, 29)], 8, 1.0, 0.05, level=0.4)
    return piece.end()


def hiphop(rng: np.random.Generator) -> np.ndarray:
    """A slow, heavy beat and a deep bass."""
    piece = Band(rng, rng.uniform(84, 96))
    piece.drums("x.....x...x.....", "....x.......x...", "x.x.x.xxx.x.x.x.", ring=0.03, level=1.2)
    piece.bass("x.....x...x.....", (0, 0, -2), length=5, level=1.2)
    piece.guitar("x...............", [(12, 15, 19, 22)], 6, level=0.25)
    return piece.end(0.3, 0.04)


def jazz(rng: np.random.Generator) -> np.ndarray:
    """A bass that walks, a cymbal that swings, a saxophone."""
    piece = Band(rng, rng.uniform(120, 150), swing=0.6)
    piece.bass("x...", (0, 4, 7, 9, 10, 9, 7, 4), length=3.6)
    piece.drums(".", ".", "x...x.x.", ring=0.2, level=0.7)
    piece.voices([(12,), (15,), (19,), (22,), (21,), (17,)], 3, 0.9, 0.03, level=0.7)
    return piece.end(0.8, 0.12)


def metal(rng: np.random.Generator) -> np.ndarray:
    """Fast drums with both feet, and power chords through an amplifier turned up."""
    piece = Band(rng, rng.uniform(160, 190))
    piece.guitar("x.xxx.xx", [(0, 7, 12), (1, 8, 13), (-2, 5, 10)], 1.6, gain=25, level=1.2)
    piece.drums("xx", "....x...", "x...", ring=0.15, level=0.9)
    return piece.end(0.3, 0.05)


def pop(rng: np.random.Generator) -> np.ndarray:
    """A synthesizer, a broken chord, a plain beat."""
    piece = Band(rng, rng.uniform(100, 120))
    piece.drums("x.....x.", "....x...", "x.x.", level=0.8)
    piece.voices([(12, 16, 19), (7, 11, 14), (9, 12, 16), (5, 9, 12)], STEPS // 2, 1.2, 0.03, level=0.5)
    piece.guitar("x.x.", [(24,), (28,), (31,)], 2, level=0.4)
    piece.bass("x.x.", (0,), length=1.8)
    return piece.end()


def reggae(rng: np.random.Generator) -> np.ndarray:
    """Chords off the beat, a bass in front, one drop of the drums."""
    piece = Band(rng, rng.uniform(70, 82))
    piece.guitar("..x.", [(12, 15, 19), (10, 14, 17)], 0.8, level=0.7)
    piece.bass("x..xx.x.", (0, 0, 3, 7, 5), length=2.5, level=1.2)
    piece.drums("........x.......", "........x.......", "x.x.", level=0.6)
    return piece.end()


def rock(rng: np.random.Generator) -> np.ndarray:
    """Drums with a back beat, a bass in eighths and an overdriven guitar."""
    piece = Band(rng, rng.uniform(115, 135))
    piece.guitar("x.x.x.x.", [(0, 7, 12), (5, 12, 17), (3, 10, 15)], 2, gain=6)
    piece.bass("x.", (0,))
    piece.drums("x.......x.x.....", "....x.......x...", "x.x.", ring=0.08, level=1.0)
    return piece.end()


MUSIC: dict[str, Sound] = {
    sound.__name__: sound for sound in (blues, classical, country, disco, hiphop, jazz, metal, pop, reggae, rock)
}
