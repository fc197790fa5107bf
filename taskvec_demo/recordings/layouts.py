"""Sets of labelled recordings, each read in the layout that it comes in.

`read_set` finds out the layout of a folder. Published sets are known by their own tables and file names (`corpora`);
everything else is a table or a folder per class.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import BadArtifactError
from . import published as corpora
from .published import Read
from .splits import (
    SPLIT_NAMES,
    SPLITS,
    TEST,
    TRAIN,
    VALIDATION,
    Recording,
    RecordingSet,
    audio_files,
    table_header,
    table_rows,
    with_all_splits,
)

__all__ = ["LAYOUTS", "TABLE", "Recording", "RecordingSet", "detect", "read_set"]

TABLE = "clips.csv"
TABLE_COLUMNS = ("file", "split", "label")  # that a clips.csv must have; group and gender may be there too
COLUMN_NAMES = {  # of any other table, in any case; what we call it -> what others do, the first that is there counts
    "file": ("file", "path", "filename", "file_name", "filepath", "audio"),
    "label": ("label", "labels", "class", "category", "genre", "emotion"),
    "split": ("split", "set", "subset", "partition"),
    "fold": ("fold",),
    "group": ("group", "speaker", "speaker_id", "actor", "artist", "src_file", "fsid"),
    "gender": ("gender", "sex"),
}
AUDIO_FOLDERS = ("", "audio", "clips", "wav", "data")  # where the files of a table may start
GENDERS = {"f": "female", "m": "male"}  # short forms
GENDERED = re.compile(r"(female|male)_(.+)")
SPEAKERS = (  # file names that tell the speaker, of corpora which gender_emotion_recognition is made from
    re.compile(r"\d\d-\d\d-\d\d-\d\d-\d\d-\d\d-(?P<actor>\d\d)\."),  # RAVDESS
    re.compile(r"(?P<actor>1\d{3})_[A-Z]{3}_[A-Z]{3}_"),  # CREMA-D
    re.compile(r"(?P<actor>[OY]AF)_"),  # TESS
    re.compile(r"(?P<actor>DC|JE|JK|KL)_?(?:sa|su|[adfhn])\d\d\."),  # SAVEE
)


# ---- tables ---------------------------------------------------------------------------------------------------------
def _is_own(folder: Path) -> bool:
    return (folder / TABLE).is_file()


def _read_own(folder: Path) -> Read:
    """`clips.csv` with the columns file, label and split, and perhaps group and gender; others are not used."""
    table = folder / TABLE
    return [
        Recording(r["file"], r["label"], _split(table, r["split"]), r.get("group", ""), r.get("gender", ""))
        for r in table_rows(table, TABLE_COLUMNS)
    ], []


def _is_table(folder: Path) -> bool:
    return bool(_tables(folder))


def _read_table(folder: Path) -> Read:
    """Any one `.csv` in the folder with columns for the file and the label; for split or fold, group and gender too.

    Without splits but with three folds or more the last fold is test and the one before it validation.
    """
    found = _tables(folder)
    if len(found) != 1:
        names = ", ".join(t.name for t in found) or "none"
        raise BadArtifactError(
            f"{folder} must hold one table with a column for the file ({', '.join(COLUMN_NAMES['file'])}) and one for "
            f"the label ({', '.join(COLUMN_NAMES['label'])}), it holds: {names}."
        )
    table, columns = found[0], _columns(found[0])
    rows = list(table_rows(table))
    splits, notes = _splits_of_rows(table, rows, columns)
    some = [row[columns["file"]] for row in rows[:100]]  # of which not all may be there
    start = next((a for a in AUDIO_FOLDERS if any((folder / a / file).is_file() for file in some)), "")
    recordings = []
    for row, split in zip(rows, splits, strict=True):
        values = {name: row[column] for name, column in columns.items()}
        file = f"{start}/{values['file']}" if start else values["file"]
        recordings.append(
            Recording(file, values["label"], split, values.get("group", ""), gender_of(values.get("gender", "")))
        )
    return recordings, notes


def _tables(folder: Path) -> list[Path]:
    return [t for t in sorted(folder.glob("*.csv")) if {"file", "label"} <= set(_columns(t))]


def _columns(table: Path) -> dict[str, str]:
    """What we call it -> how the table's header spells it."""
    spelled = {column.lower(): column for column in table_header(table)[0]}
    found = {name: next((spelled[a] for a in accepted if a in spelled), "") for name, accepted in COLUMN_NAMES.items()}
    return {name: column for name, column in found.items() if column}


def _splits_of_rows(
    table: Path, rows: Sequence[dict[str, str]], columns: dict[str, str]
) -> tuple[list[str], list[str]]:
    """The split of each row, "" where the table does not say it, and a note on folds."""
    if "split" in columns:
        return [_split(table, r[columns["split"]]) for r in rows], []
    folds = [r[columns["fold"]] for r in rows] if "fold" in columns else []
    by_fold, notes = splits_by_fold(folds)
    return [by_fold.get(fold, "") for fold in folds] or [""] * len(rows), notes


def splits_by_fold(folds: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Fold -> split, and a sentence that says it: of three folds or more the last is test, the one before validation.

    Both are empty for fewer.
    """
    names = sorted(set(folds), key=lambda fold: (len(fold), fold))  # 10 after 9
    if len(names) < 3:
        return {}, []
    *others, validation, test = names
    note = f"Fold {test} is test, fold {validation} validation, the other {len(others)} are train."
    return {**dict.fromkeys(others, TRAIN), validation: VALIDATION, test: TEST}, [note]


def _split(table: Path, value: str) -> str:
    try:
        return SPLIT_NAMES[value.lower()]
    except KeyError:
        raise BadArtifactError(f"{table} has the split {value!r}; accepted are {', '.join(SPLITS)}.") from None


# ---- a folder per class ---------------------------------------------------------------------------------------------
def _is_folders(folder: Path) -> bool:
    return any(len(_class_folders(place)) > 1 for place in _split_folders(folder).values())


def _read_folders(folder: Path) -> Read:
    """`dog/1.wav`, or `train/dog/1.wav` with train, validation (valid, val, dev) and test above; labels are names."""
    return [
        Recording(file.relative_to(folder).as_posix(), label.name, split)
        for split, place in _split_folders(folder).items()
        for label in _class_folders(place)
        for file in audio_files(label)
    ], []


def _split_folders(folder: Path) -> dict[str, Path]:
    """Split -> its folder; the folder itself under "" where none is named as a split."""
    below = {p.name.lower(): p for p in sorted(folder.iterdir()) if p.is_dir()}
    return {SPLIT_NAMES[n]: p for n, p in below.items() if n in SPLIT_NAMES and _class_folders(p)} or {"": folder}


def _class_folders(folder: Path) -> list[Path]:
    """Folders with sounds right in them, but no sets of their own."""
    below = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    return [p for p in below if audio_files(p) and not (_is_table(p) or corpora.is_emodb(p))]


# ---- gender and emotion in one label --------------------------------------------------------------------------------
def _is_gendered(folder: Path) -> bool:
    if _is_table(folder):
        labels = {row[_columns(t)["label"]] for t in _tables(folder) for row in table_rows(t)}
    else:
        labels = {label.name for place in _split_folders(folder).values() for label in _class_folders(place)}
    return bool(labels) and all(GENDERED.fullmatch(label) for label in labels)


def _read_gendered(folder: Path) -> Read:
    """Labels such as female_happy, from a table (`audio`, `labels`) or as folders; read as gender and label.

    As in Huan0806/gender_emotion_recognition on the Hugging Face hub (one split, 11.9k clips, columns audio, labels and
    source; parquet, which `data import` unpacks), whose clips come from several corpora: where a file's name is that
    of RAVDESS, CREMA-D, TESS or SAVEE it tells the speaker, and clips are split by speaker.
    """
    recordings, notes = _read_table(folder) if _is_table(folder) else _read_folders(folder)
    return [replace(r, group=r.group or speaker_of(r.file)) for r in with_genders(recordings)], notes


def with_genders(recordings: Sequence[Recording]) -> list[Recording]:
    """The label female_happy becomes gender and label, if all labels are such."""
    matches = [GENDERED.fullmatch(r.label) for r in recordings]
    pairs = zip(recordings, matches, strict=True)
    read = [replace(r, gender=match[1], label=match[2]) for r, match in pairs if match]
    return read if len(read) == len(recordings) else list(recordings)


def gender_of(value: str) -> str:
    """female or male, of any spelling; what is neither stays as it is, in lower case."""
    return GENDERS.get(value.lower(), value.lower())


def speaker_of(file: str) -> str:
    """The speaker that a file's name tells, in the corpora of SPEAKERS; "" in others."""
    name = file.rsplit("/", 1)[-1]
    return next((match["actor"] for pattern in SPEAKERS if (match := pattern.match(name))), "")


# ---- all of them ----------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Layout:
    """`found` says whether a folder has it; `read` yields its recordings, some perhaps without a split, and notes."""

    looks_like: str
    found: Callable[[Path], bool]
    read: Callable[[Path], Read]


LAYOUTS = {  # in the order in which a folder is tried: what is told apart most surely comes first
    "clips.csv": Layout(f"{TABLE} with {', '.join(TABLE_COLUMNS)}", _is_own, _read_own),
    "esc50": Layout(f"{corpora.ESC50_TABLE}, audio/", corpora.is_esc50, corpora.read_esc50),
    "urbansound8k": Layout(f"{corpora.URBAN_TABLE}, audio/fold1/", corpora.is_urbansound8k, corpora.read_urbansound8k),
    "gtzan": Layout("genres_original/blues/blues.00000.wav", corpora.is_gtzan, corpora.read_gtzan),
    "ravdess": Layout("Actor_01/03-01-06-01-02-01-01.wav", corpora.is_ravdess, corpora.read_ravdess),
    "emodb": Layout("wav/03a01Fa.wav", corpora.is_emodb, corpora.read_emodb),
    "gender_emotion": Layout("labels or folders such as female_happy", _is_gendered, _read_gendered),
    "csv": Layout("one table with columns such as filename and label", _is_table, _read_table),
    "folders": Layout("a folder per class, perhaps under train/, validation/ and test/", _is_folders, _read_folders),
}


def detect(folder: Path) -> str | None:
    """The name in LAYOUTS of the layout that a folder has; none if it has none of them."""
    return next((name for name, layout in LAYOUTS.items() if folder.is_dir() and layout.found(folder)), None)


def read_set(folder: Path, layout: str = "auto") -> RecordingSet:
    """The recordings of a set, each with a split; `layout` is a name in LAYOUTS, "auto" finds it out.

    Whether the files are there and can be decoded is not looked at. Raises `BadArtifactError`.
    """
    accepted = "; ".join(f"{name} ({known.looks_like})" for name, known in LAYOUTS.items())
    name = detect(folder) if layout == "auto" else layout
    if name not in LAYOUTS:
        what = f"{folder} has no known layout" if layout == "auto" else f"There is no layout {layout!r}"
        if not folder.is_dir():
            what = f"{folder} is not a folder"
        elif any(next(folder.glob(pattern), None) for pattern in ("*.parquet", "*/*.parquet", "*/*/*.parquet")):
            what = f"{folder} holds parquet files, which `python -m taskvec_demo data import` unpacks"
        raise BadArtifactError(f"{what}; accepted are: {accepted}.")
    if layout != "auto" and not (folder.is_dir() and LAYOUTS[name].found(folder)):
        raise BadArtifactError(f"{folder} does not have the layout {name}: {LAYOUTS[name].looks_like}.")
    recordings, notes = LAYOUTS[name].read(folder)
    if not recordings:
        raise BadArtifactError(f"{folder} has the layout {name} but lists no recording.")
    unnamed = next((r for r in recordings if not (r.file and r.label)), None)
    if unnamed is not None:
        raise BadArtifactError(
            f"{folder} lists a recording without a file or a label: {unnamed.file or unnamed.label!r}."
        )
    # Our own table says what it wants; sets of others, and parts of them, may lack a split.
    completed, dealt = (recordings, []) if name == "clips.csv" else with_all_splits(recordings)
    return RecordingSet(name, tuple(completed), (*notes, *dealt))
