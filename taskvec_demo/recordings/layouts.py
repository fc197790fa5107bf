"""Sets of labelled recordings, read in the layout in which they were published.

`read_set` finds out the layout of a folder. Published sets are told by their own tables and file names (`published`);
any other set is a table, or a folder for each class.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from ..errors import BadArtifactError, shortened
from . import published as corpora
from .published import Read
from .splits import (
    SPLIT_NAMES,
    Recording,
    RecordingSet,
    audio_files,
    printable,
    table_header,
    table_rows,
    with_all_splits,
    with_classes_in_both,
)
from .tables import read_tables, split_named, tables_in, tables_of_other_formats, usable_tables

__all__ = ["LAYOUTS", "TABLE", "Recording", "RecordingSet", "detect", "read_set"]

TABLE = "clips.csv"
TABLE_COLUMNS = ("file", "split", "label")  # that a clips.csv must have; group and gender may be there too
AUDIO_FOLDERS = ("", "audio", "audio/audio", "clips", "wav", "data")  # sound of a set with a table
PART = re.compile(r"(fold|cv|part|split|subset|batch|chunk|shard|session|disc|cd)[ _-]?\d+", re.IGNORECASE)  # no class
SHOWN = 5  # names in a message
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
    """Read `clips.csv` with the columns file, label and split, and perhaps group and gender.

    Other columns are not used.
    """
    table = folder / TABLE
    return [
        Recording(r["file"], r["label"], split_named(table, r["split"]), r.get("group", ""), r.get("gender", ""))
        for r in table_rows(table, TABLE_COLUMNS)
    ], []


def _is_table(folder: Path) -> bool:
    """Whether the folder has a table.

    One that cannot be read counts if it lies beside folders that look like classes, because these are no classes then.
    """
    return bool(usable_tables(folder)) or bool(tables_in(folder) and _folders_beside_tables(folder))


def _read_table(folder: Path) -> Read:
    beside = _folders_beside_tables(folder)
    if not usable_tables(folder) and beside:
        header = {t.name: table_header(t)[0] for t in tables_in(folder)}
        named = "; ".join(
            f"{name} with the columns {shortened(', '.join(columns))}" for name, columns in header.items()
        )
        raise BadArtifactError(
            f"{folder} holds {named}, which no reader uses, beside folders that may or may not be classes "
            f"({_some(beside)}); name its columns file and label, or move it elsewhere."
        )
    return read_tables(folder)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (" …" if len(names) > SHOWN else "")


def _folders_beside_tables(folder: Path) -> list[str]:
    """Names of folders that look like classes, in the folder itself or where sets keep their sound."""
    places = [folder / name for name in AUDIO_FOLDERS if (folder / name).is_dir()]
    return next((names for place in places if (names := [p.name for p in _class_folders(place)])), [])


# ---- a folder per class ---------------------------------------------------------------------------------------------
def _is_folders(folder: Path) -> bool:
    return any(len(_class_folders(place)) > 1 for place in _split_folders(folder).values())


def _check_classes(folder: Path) -> None:
    """Raise `BadArtifactError` if something says that the folders are no classes.

    That is a table above them, a table beside them in a format that nothing reads, or names of parts of a set.
    """
    if folder.name.lower() in ("audio", "clips", "wav") and (above := tables_in(folder.resolve().parent)):
        raise BadArtifactError(
            f"{folder} lies beside the table {above[0].name}, which says more than its folders do; give the folder "
            f"{folder.resolve().parent.name}, which holds both."
        )
    names = [label.name for place in _split_folders(folder).values() for label in _class_folders(place)]
    if unread := tables_of_other_formats(folder):
        raise BadArtifactError(
            f"{folder} holds {_some([table.name for table in unread])}, which no reader uses, beside folders that may "
            f"or may not be classes ({_some(names)}); write that as CSV with the columns file and label, or move it "
            "elsewhere."
        )
    if names and all(PART.fullmatch(name) for name in names):
        raise BadArtifactError(
            f"{folder} holds {_some(names)}, which are named like parts of a set and not like classes; add its "
            "table, with the columns file and label, or rename them."
        )


def _read_folders(folder: Path) -> Read:
    """Read folders such as `dog/1.wav`, or `train/dog/1.wav` with train, validation (valid, val, dev) and test above.

    Labels are the names of folders.
    """
    return [
        Recording(file.relative_to(folder).as_posix(), printable(label.name), split)
        for split, place in _split_folders(folder).items()
        for label in _class_folders(place)
        for file in audio_files(label)
    ], []


def _split_folders(folder: Path) -> dict[str, Path]:
    """Split -> its folder. If no folder is named as a split, "" -> the folder itself."""
    below = {p.name.lower(): p for p in sorted(folder.iterdir()) if p.is_dir()}
    return {SPLIT_NAMES[n]: p for n, p in below.items() if n in SPLIT_NAMES and _class_folders(p)} or {"": folder}


def _class_folders(folder: Path) -> list[Path]:
    """Folders that hold sound files themselves and are not sets of their own."""
    below = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    return [p for p in below if audio_files(p) and not (usable_tables(p) or corpora.is_emodb(p))]


# ---- gender and emotion in one label --------------------------------------------------------------------------------
def _is_gendered(folder: Path) -> bool:
    if tables_in(folder):
        labels = {row["label"] for table in usable_tables(folder) for row in table.rows()}
    else:
        labels = {label.name for place in _split_folders(folder).values() for label in _class_folders(place)}
    return bool(labels) and all(GENDERED.fullmatch(label) for label in labels)


def _read_gendered(folder: Path) -> Read:
    """A set with labels such as female_happy, in a table (`audio`, `labels`) or as folders, read as gender and label.

    As in Huan0806/gender_emotion_recognition on the Hugging Face hub (one split, 11.9k clips, columns audio, labels and
    source; parquet, which `data import` unpacks), whose clips come from several corpora. A file name of RAVDESS,
    CREMA-D, TESS or SAVEE tells the speaker, and clips are then split by speaker.
    """
    recordings, notes = _read_table(folder) if tables_in(folder) else _read_folders(folder)
    return [replace(r, group=r.group or speaker_of(r.file)) for r in with_genders(recordings)], notes


def with_genders(recordings: Sequence[Recording]) -> list[Recording]:
    """Turn labels such as female_happy into gender and label, if all labels have this form."""
    matches = [GENDERED.fullmatch(r.label) for r in recordings]
    pairs = zip(recordings, matches, strict=True)
    read = [replace(r, gender=match[1], label=match[2]) for r, match in pairs if match]
    return read if len(read) == len(recordings) else list(recordings)


def speaker_of(file: str) -> str:
    """The speaker that a file's name tells, if the file is of one of the corpora in SPEAKERS; else ""."""
    name = file.rsplit("/", 1)[-1]
    return next((match["actor"] for pattern in SPEAKERS if (match := pattern.match(name))), "")


# ---- all of them ----------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Layout:
    """`found` tells whether a folder has this layout.

    `read` gives its recordings, some perhaps without a split, and notes.
    """

    looks_like: str
    found: Callable[[Path], bool]
    read: Callable[[Path], Read]


LAYOUTS = {  # a folder is tried in this order, the surest layouts first
    "clips.csv": Layout(f"{TABLE} with {', '.join(TABLE_COLUMNS)}", _is_own, _read_own),
    "esc50": Layout(f"{corpora.ESC50_TABLE} or esc50.csv, audio/", corpora.is_esc50, corpora.read_esc50),
    "urbansound8k": Layout(
        f"{corpora.URBAN_TABLE} or UrbanSound8K.csv, audio/fold1/ or fold1/",
        corpora.is_urbansound8k,
        corpora.read_urbansound8k,
    ),
    "gtzan": Layout("genres_original/blues/blues.00000.wav", corpora.is_gtzan, corpora.read_gtzan),
    "ravdess": Layout("Actor_01/03-01-06-01-02-01-01.wav", corpora.is_ravdess, corpora.read_ravdess),
    "emodb": Layout("wav/03a01Fa.wav", corpora.is_emodb, corpora.read_emodb),
    "gender_emotion": Layout("labels or folders such as female_happy", _is_gendered, _read_gendered),
    "csv": Layout("a table, or one for each split, with columns such as filename and label", _is_table, _read_table),
    "folders": Layout("a folder per class, perhaps under train/, validation/ and test/", _is_folders, _read_folders),
}


def detect(folder: Path) -> str | None:
    """The layout of a folder, by its name in LAYOUTS; None if it has none of them."""
    return next((name for name, layout in LAYOUTS.items() if folder.is_dir() and layout.found(folder)), None)


def read_set(folder: Path, layout: str = "auto") -> RecordingSet:
    """The recordings of a set, each with a split; `layout` is a name in LAYOUTS, "auto" finds it out.

    The files themselves are not looked at. Raises `BadArtifactError`.
    """
    accepted = "; ".join(f"{name} ({known.looks_like})" for name, known in LAYOUTS.items())
    name = detect(folder) if layout == "auto" else layout
    if name not in LAYOUTS:
        what = f"{folder} has no known layout" if layout == "auto" else f"There is no layout {shortened(layout)!r}"
        if not folder.is_dir():
            what = f"{folder} is not a folder"
        elif any(next(folder.glob(pattern), None) for pattern in ("*.parquet", "*/*.parquet", "*/*/*.parquet")):
            what = f"{folder} holds parquet files, which `python -m taskvec_demo data import` unpacks"
        raise BadArtifactError(f"{what}; accepted are: {accepted}.")
    if layout != "auto" and not (folder.is_dir() and LAYOUTS[name].found(folder)):
        raise BadArtifactError(f"{folder} does not have the layout {name}: {LAYOUTS[name].looks_like}.")
    if layout == "auto" and name == "folders":
        _check_classes(folder)
    recordings, notes = LAYOUTS[name].read(folder)
    if not recordings:
        raise BadArtifactError(f"{folder} has the layout {name} but lists no recording.")
    unnamed = next((r for r in recordings if not (PurePosixPath(r.file).name and r.label)), None)
    if unnamed is not None:
        raise BadArtifactError(
            f"{folder} lists a recording without a file or a label: {shortened(unnamed.file or unnamed.label)!r}."
        )
    # Our own table gives every clip a split, but a class may lack one. Sets of others may lack a split for all clips or
    # for some; the splits that they bring are kept.
    completed, dealt = (with_classes_in_both if name == "clips.csv" else with_all_splits)(recordings)
    return RecordingSet(name, tuple(completed), tuple(printable(note) for note in (*notes, *dealt)))
