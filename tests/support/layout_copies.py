"""Small synthetic copies of public sets, in the publishers' own layouts, names and sampling rates.

Every class is one kind of sound (a tone of its own pitch and beat under noise), so that a small model can tell classes
apart; every clip has noise, phase and level of its own. Nothing here was recorded.

    from tests.support.layout_copies import write_esc50
    write_esc50(folder, classes=("dog", "rain"), per_fold=2)
"""

from __future__ import annotations

import csv
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import soundfile


def names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


ESC50 = names(  # in the order of their targets
    "dog rooster pig cow frog cat hen insects sheep crow rain sea_waves crackling_fire crickets chirping_birds "
    "water_drops wind pouring_water toilet_flush thunderstorm crying_baby sneezing clapping breathing coughing "
    "footsteps laughing brushing_teeth snoring drinking_sipping door_wood_knock mouse_click keyboard_typing "
    "door_wood_creaks can_opening washing_machine vacuum_cleaner clock_alarm clock_tick glass_breaking helicopter "
    "chainsaw siren car_horn engine train church_bells airplane fireworks hand_saw"
)
URBAN = names(  # in the order of their classIDs
    "air_conditioner car_horn children_playing dog_bark drilling engine_idling gun_shot jackhammer siren street_music"
)
URBAN_RATES = (44_100, 48_000, 22_050, 96_000)  # Hz: the set keeps what was uploaded
GENRES = names("blues classical country disco hiphop jazz metal pop reggae rock")
EMOTIONS = names("neutral calm happy sad angry fearful disgust surprised")  # RAVDESS 01 to 08
EMODB_LETTERS = "WLEAFTN"
GENDER_EMOTION = tuple(f"{g}_{e}" for g in ("female", "male") for e in names("angry disgust fear happy neutral sad"))
SECONDS = 0.4


def sound(index: int, seed: str, rate: int, seconds: float = SECONDS) -> np.ndarray:
    """A clip (n,) float32 of the class `index` at `rate` Hz. Each `seed` gives another clip."""
    rng = np.random.default_rng(zlib.crc32(f"{index} {seed}".encode()))
    t = np.arange(round(seconds * rate)) / rate
    hertz = 150 * 40 ** (index % 50 / 49)  # 150 to 6000 Hz: below the Nyquist frequency of 16 kHz
    beat = 1 + np.sin(2 * np.pi * (0, 6, 15)[index % 3] * t)
    tone = np.sin(2 * np.pi * hertz * t + rng.uniform(0, 6.28)) * beat
    return (rng.uniform(0.1, 0.3) * (tone + 0.1 * rng.standard_normal(len(t)))).astype(np.float32)


def write_wav(path: Path, samples: np.ndarray, rate: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, subtype="PCM_16")


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(columns)
        table.writerows(rows)


def write_esc50(folder: Path, classes: Sequence[str] = ESC50, per_fold: int = 1, rate: int = 44_100) -> Path:
    """`per_fold` clips a class in each of the five folds, each of a source of its own."""
    rows = []
    for label in classes:
        target = ESC50.index(label)
        for fold in range(1, 6):
            for i in range(per_fold):
                source = 100_000 + 1000 * target + 100 * fold + i
                name = f"{fold}-{source}-A-{target}.wav"
                write_wav(folder / "audio" / name, sound(target, name, rate), rate)
                rows.append((name, fold, target, label, target in (0, 1, 10, 11, 12, 20, 21, 38, 40, 41), source, "A"))
    write_csv(folder / "meta" / "esc50.csv", names("filename fold target category esc10 src_file take"), rows)
    return folder


def write_urbansound8k(folder: Path, classes: Sequence[str] = URBAN, per_fold: int = 1) -> Path:
    """`per_fold` clips a class in each of the ten folds, two slices a source; several rates, every third in stereo."""
    rows = []
    for label in classes:
        class_id = URBAN.index(label)
        for fold in range(1, 11):
            for i in range(per_fold):
                source = 50_000 + 1000 * class_id + 50 * fold + i // 2
                name, rate = f"{source}-{class_id}-0-{i % 2}.wav", URBAN_RATES[len(rows) % len(URBAN_RATES)]
                samples = sound(class_id, name, rate)
                samples = np.stack([samples, 0.5 * samples], axis=1) if len(rows) % 3 == 0 else samples
                write_wav(folder / "audio" / f"fold{fold}" / name, samples, rate)
                rows.append((name, source, 0, SECONDS, 1, fold, class_id, label))
    columns = names("slice_file_name fsID start end salience fold classID class")
    write_csv(folder / "metadata" / "UrbanSound8K.csv", columns, rows)
    return folder


def write_gtzan(
    folder: Path,
    classes: Sequence[str] = GENRES,
    per_class: int = 10,
    root: str = "genres_original",
    suffix: str = ".wav",
    lists: bool = False,
    corrupted: bool = True,
) -> Path:
    """Clips at 22.05 kHz.

    `corrupted` adds the jazz.00054 that cannot be read; `lists` adds the artist-aware split files.

    The lists name all clips but number 0 of each genre, one of ten as valid and two of ten as test.
    """
    rate = 22_050
    named: dict[str, list[str]] = {"train": [], "valid": [], "test": []}
    for genre in classes:
        for i in range(per_class):
            name = f"{genre}/{genre}.{i:05}{suffix}"
            path = folder / root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, sound(5 * GENRES.index(genre), name, rate), rate, subtype="PCM_16")
            if i:
                named["valid" if i % 10 == 1 else "test" if i % 10 in (2, 3) else "train"].append(name)
    if corrupted and "jazz" in classes:
        (folder / root / "jazz" / f"jazz.00054{suffix}").write_bytes(bytes(range(256)) * 40)
    for split, listed in named.items() if lists else ():
        (folder / f"{split}_filtered.txt").write_text("\n".join(listed) + "\n")
    return folder


def write_ravdess(
    folder: Path,
    actors: Iterable[int] = range(1, 25),
    emotions: Sequence[str] = EMOTIONS,
    repetitions: int = 1,
    songs: bool = False,
) -> Path:
    """Speech at 48 kHz, `repetitions` (1 or 2) clips an actor and emotion; `songs` adds one song an actor."""
    rate = 48_000
    for actor in actors:
        for label in emotions:
            emotion = EMOTIONS.index(label)
            for repetition in range(1, repetitions + 1):
                name = f"03-01-{emotion + 1:02}-01-01-{repetition:02}-{actor:02}.wav"
                kind = 3 * (2 * emotion + actor % 2)
                write_wav(folder / f"Actor_{actor:02}" / name, sound(kind, name, rate), rate)
        if songs:
            name = f"03-02-01-01-01-01-{actor:02}.wav"
            write_wav(folder / f"Actor_{actor:02}" / name, sound(49, name, rate), rate)
    return folder


def write_emodb(
    folder: Path,
    speakers: Iterable[str] = ("03", "08", "09", "10", "11", "12", "13", "14", "15", "16"),
    letters: str = EMODB_LETTERS,
    texts: Sequence[str] = ("a01", "b02"),
) -> Path:
    """Speech at 16 kHz, one clip a speaker, emotion and text."""
    for speaker in speakers:
        for letter in letters:
            for text in texts:
                name = f"{speaker}{text}{letter}a.wav"
                write_wav(folder / "wav" / name, sound(7 * EMODB_LETTERS.index(letter), name, 16_000), 16_000)
    return folder


def write_gender_emotion(
    folder: Path, classes: Sequence[str] = GENDER_EMOTION, per_class: int = 10, table: bool = False
) -> Path:
    """Folders such as `female_happy`, or one folder and `metadata.csv` with the columns audio, labels and source.

    Clips have 16 kHz. Their names are those of no corpus, so that speakers are unknown, as in the set itself.
    """
    rows = []
    for label in classes:
        for i in range(per_class):
            name = f"clip_{label}_{i}.wav" if table else f"{label}/clip_{i}.wav"
            write_wav(folder / name, sound(4 * GENDER_EMOTION.index(label), name, 16_000), 16_000)
            rows.append((name, label, "synthetic"))
    if table:
        write_csv(folder / "metadata.csv", ("audio", "labels", "source"), rows)
    return folder


def write_folders(
    folder: Path, classes: Sequence[str] = ("dog", "rain"), per_class: int = 10, splits: Sequence[str] = ("",)
) -> Path:
    """`<split>/<class>/<i>.wav` at 32 kHz; no split: a folder per class only."""
    for split in splits:
        for k, label in enumerate(classes):
            for i in range(per_class):
                path = folder / split / label / f"{i}.wav"
                write_wav(path, sound(10 * k, f"{split} {label} {i}", 32_000), 32_000)
    return folder


def write_table(folder: Path, columns: Sequence[str], rows: Sequence[Sequence[str]], name: str = "clips.csv") -> Path:
    """A table and, for every row, a sound of its own at 16 kHz: the first column is the file, the second the label."""
    labels = sorted({row[1] for row in rows})
    for row in rows:
        write_wav(folder / row[0], sound(10 * labels.index(row[1]), " ".join(row), 16_000), 16_000)
    write_csv(folder / name, columns, rows)
    return folder


# ---- what goes wrong with sets --------------------------------------------------------------------------------------
def drop_column(table: Path, column: str) -> None:
    with table.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    kept = [i for i, name in enumerate(header) if name != column]
    assert len(kept) < len(header), column
    write_csv(table, [header[i] for i in kept], [[row[i] for i in kept] for row in rows])


def corrupt(file: Path) -> None:
    """Overwrite the header, as an interrupted download of another file does."""
    content = file.read_bytes()
    file.write_bytes(b"<html>" + content[6:])
