"""Published sets in their publishers' layouts. Each has a function that recognises a folder, and a reader.

A reader returns the recordings, and notes to show to the user. Splits are the official ones if there are any, else by
speaker if speakers are known, else empty ("").
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ..errors import BadArtifactError, BadAudioError, shortened
from .audio import load_clip
from .splits import SPLITS, TEST, TRAIN, VALIDATION, Recording, audio_files, table_rows
from .tables import SoundFiles, table_named

Read = tuple[list[Recording], list[str]]

# ---- ESC-50 (Piczak 2015) and UrbanSound8K (Salamon et al. 2014): official folds keep a source together -------------
ESC50_TABLE, ESC50_NAMES = "meta/esc50.csv", ("esc50", "esc-50")  # as published; the beginnings of other names
ESC50_FOLDS = {**dict.fromkeys("123", TRAIN), "4": VALIDATION, "5": TEST}
URBAN_TABLE, URBAN_NAMES = "metadata/UrbanSound8K.csv", ("urbansound8k", "urban_sound_8k")
URBAN_FOLDS = {**dict.fromkeys("12345678", TRAIN), "9": VALIDATION, "10": TEST}


def is_esc50(folder: Path) -> bool:
    return table_named(folder, ESC50_NAMES) is not None


def read_esc50(folder: Path) -> Read:
    """Read files such as `audio/5-9032-A-0.wav`: fold, source, take, class.

    All 50 classes are read; the column esc10 is not used.

    Kaggle ships the table beside `audio/audio/`.
    """
    table = table_named(folder, ESC50_NAMES) or folder / ESC50_TABLE
    rows = list(table_rows(table, ("filename", "fold", "category", "src_file")))
    files = SoundFiles(folder).of_rows([r["filename"] for r in rows], "audio")
    return [
        Recording(file, r["category"], _of_fold(table, r["fold"], ESC50_FOLDS), r["src_file"])
        for r, file in zip(rows, files, strict=True)
    ], []


def is_urbansound8k(folder: Path) -> bool:
    return table_named(folder, URBAN_NAMES) is not None


def read_urbansound8k(folder: Path) -> Read:
    """Read files such as `audio/fold5/100032-3-0-0.wav`: source, class, occurrence, slice.

    Kaggle ships the table beside `fold1/` to `fold10/`.
    """
    table = table_named(folder, URBAN_NAMES) or folder / URBAN_TABLE
    rows = list(table_rows(table, ("slice_file_name", "fsID", "fold", "class")))
    files = SoundFiles(folder).of_rows([f"fold{r['fold']}/{r['slice_file_name']}" for r in rows], "audio")
    return [
        Recording(file, r["class"], _of_fold(table, r["fold"], URBAN_FOLDS), r["fsID"])
        for r, file in zip(rows, files, strict=True)
    ], []


def _of_fold(table: Path, fold: str, folds: dict[str, str]) -> str:
    if fold not in folds:
        raise BadArtifactError(f"{table} has the fold {shortened(fold)!r}; the official folds are 1 to {len(folds)}.")
    return folds[fold]


# ---- GTZAN (Tzanetakis & Cook 2002) ---------------------------------------------------------------------------------
GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")
GTZAN_ROOTS = ("genres_original", "genres", "Data/genres_original", "")
GTZAN_FILE = re.compile(rf"({'|'.join(GENRES)})\.\d{{5}}\.(wav|au)")
GTZAN_CORRUPTED = "jazz.00054"  # in the copy that is passed on most
GTZAN_LISTS = {f"{name}_filtered.txt": split for name, split in zip(("train", "valid", "test"), SPLITS, strict=True)}


def is_gtzan(folder: Path) -> bool:
    return bool(_gtzan_files(folder))


def read_gtzan(folder: Path) -> Read:
    """Read files such as `genres_original/blues/blues.00000.wav`, or .au, under genres/ or directly in the folder.

    The split is that of the artist-aware, fault-filtered lists of Kereliuk et al. 2015 (arXiv:1507.04761) if
    {train,valid,test}_filtered.txt lie in the folder, with the genres or beside the folder.
    """
    files, notes = _gtzan_files(folder), []
    for broken in [f for f in files if f.stem == GTZAN_CORRUPTED and not _readable(f)]:
        files.remove(broken)
        notes.append(f"{broken.name} cannot be read and is left out: it is damaged in most copies of GTZAN.")
    splits = _gtzan_splits(folder, files[0].parent.parent)
    if splits:
        unlisted = [f for f in files if f.stem not in splits]
        files = [f for f in files if f.stem in splits]
        if unlisted:
            notes.append(f"{len(unlisted)} files are left out: the artist-aware lists do not name them.")
    else:
        notes.append(
            f"GTZAN does not say who plays, so artists leak across the splits and accuracies are too high; put "
            f"{', '.join(GTZAN_LISTS)} (arXiv:1507.04761) into {folder.name} for splits that keep artists apart."
        )
    return [
        Recording(f.relative_to(folder).as_posix(), f.name.split(".")[0], splits.get(f.stem, "")) for f in files
    ], notes


def _gtzan_files(folder: Path) -> list[Path]:
    for root in (folder / name for name in GTZAN_ROOTS):
        folders = (root / genre for genre in GENRES)
        files = [f for g in folders if g.is_dir() for f in audio_files(g) if GTZAN_FILE.fullmatch(f.name)]
        if files:
            return files
    return []


def _gtzan_splits(folder: Path, root: Path) -> dict[str, str]:
    """Name without suffix -> split; empty if one of the lists is missing."""
    for place in (folder, root, folder.parent):
        if all((place / name).is_file() for name in GTZAN_LISTS):
            return {
                Path(line.strip()).stem: split
                for name, split in GTZAN_LISTS.items()
                for line in (place / name).read_text(encoding="utf-8", errors="replace").splitlines()
            }
    return {}


def _readable(file: Path) -> bool:
    try:
        load_clip(file, 22_050)  # Hz, of the set
    except BadAudioError:
        return False
    return True


# ---- RAVDESS (Livingstone & Russo 2018) and EmoDB (Burkhardt et al. 2005): split by speaker -------------------------
EMOTIONS = dict(
    zip(
        ("01", "02", "03", "04", "05", "06", "07", "08"),
        ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"),
        strict=True,
    )
)
RAVDESS_FILE = re.compile(r"\d\d-(0[12])-(0[1-8])-\d\d-\d\d-\d\d-([01]\d|2[0-4])\.wav")
RAVDESS_SPEECH = "01"  # vocal channel; "02" is song
EMODB_FILE = re.compile(r"(\d\d)[ab]\d\d([WLEAFTN])[a-z]?\.wav")
EMODB_EMOTIONS = dict(zip("WLEAFTN", ("angry", "bored", "disgust", "fearful", "happy", "sad", "neutral"), strict=True))
EMODB_SPEAKERS = {  # speaker -> gender, split
    **dict.fromkeys(("03", "10", "11"), ("male", TRAIN)),
    **dict.fromkeys(("08", "09", "13"), ("female", TRAIN)),
    **{"12": ("male", VALIDATION), "14": ("female", VALIDATION), "15": ("male", TEST), "16": ("female", TEST)},
}


def is_ravdess(folder: Path) -> bool:
    return next(_ravdess_files(folder), None) is not None


def read_ravdess(folder: Path) -> Read:
    """Read files such as `Actor_12/03-01-06-01-02-01-12.wav`. The third field is the emotion; odd actors are men.

    Actors 1-16 train, 17-20 validation, 21-24 test. Songs and second copies of a file are left out.
    """
    first = {f.name: f for f in reversed(list(_ravdess_files(folder)))}  # one published copy holds all actors twice
    recordings, songs = [], 0
    for name in sorted(first):
        channel, emotion, actor = _groups(RAVDESS_FILE, name)
        if channel != RAVDESS_SPEECH:
            songs += 1
            continue
        split = TRAIN if int(actor) <= 16 else VALIDATION if int(actor) <= 20 else TEST
        gender = "male" if int(actor) % 2 else "female"
        file = first[name].relative_to(folder).as_posix()
        recordings.append(Recording(file, EMOTIONS[emotion], split, f"actor{actor}", gender))
    return recordings, [f"{songs} songs are left out: only speech is read."] if songs else []


def _ravdess_files(folder: Path) -> Iterator[Path]:
    for pattern in ("Actor_[0-9][0-9]", "[Aa]udio_[Ss]peech_[Aa]ctors_01-24/Actor_[0-9][0-9]"):
        for actor in sorted(folder.glob(pattern)):
            yield from (f for f in audio_files(actor) if RAVDESS_FILE.fullmatch(f.name))


def is_emodb(folder: Path) -> bool:
    return bool(_emodb_files(folder))


def read_emodb(folder: Path) -> Read:
    """Read files such as `wav/03a01Fa.wav`: speaker, text, German initial of the emotion, version.

    Six speakers train, 12 and 14 validation, 15 and 16 test: a man and a woman each.
    """
    recordings = []
    for file in _emodb_files(folder):
        speaker, letter = _groups(EMODB_FILE, file.name)
        if speaker not in EMODB_SPEAKERS:
            raise BadArtifactError(f"{file} is of speaker {speaker}; EmoDB has {', '.join(sorted(EMODB_SPEAKERS))}.")
        gender, split = EMODB_SPEAKERS[speaker]
        name = file.relative_to(folder).as_posix()
        recordings.append(Recording(name, EMODB_EMOTIONS[letter], split, f"speaker{speaker}", gender))
    return recordings, []


def _emodb_files(folder: Path) -> list[Path]:
    places = (place for place in (folder / "wav", folder) if place.is_dir())
    return next((found for p in places if (found := [f for f in audio_files(p) if EMODB_FILE.fullmatch(f.name)])), [])


def _groups(pattern: re.Pattern[str], name: str) -> tuple[str, ...]:
    match = pattern.fullmatch(name)
    assert match is not None  # only matching names are listed
    return match.groups()
