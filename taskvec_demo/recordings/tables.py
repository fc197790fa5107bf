"""Tables of labelled recordings, as others write them: the meaning of each column, and the files that the rows name.

A table is CSV or TSV with a header, in the set's folder or in a folder of metadata in it. The column of the files is
told by its name, or by its values if they are names of files that are there.
"""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ..errors import BadArtifactError, shortened
from .splits import (
    SPLIT_NAMES,
    SPLITS,
    TEST,
    TRAIN,
    VALIDATION,
    Recording,
    is_audio,
    table_header,
    table_rows,
)

SUFFIXES = (".csv", ".tsv")
# Words of which one is in the name of a folder of tables, in any case: metadata, FSD50K.ground_truth
PLACES = {"meta", "metadata", "annotation", "annotations", "labels", "csv", "tables", "truth", "groundtruth"}
SHEETS = (".xlsx", ".xls", ".ods", ".parquet")  # tables that are no text
TEXTS = (".json", ".jsonl", ".ndjson", ".txt", ".lst")  # tables if they name sound files
TEXT_LOOKED_AT = 100_000  # characters of such a file
COLUMN_NAMES = {  # in upper or lower case: our name -> names that others use, of which the first that is there counts
    "file": (
        "file", "path", "filename", "file_name", "filepath", "file_path", "audio", "slice_file_name", "fname", "wav",
        "audio_file", "audio_path", "wav_file", "clip", "recording",
    ),
    "label": (
        "label", "labels", "class", "category", "genre", "emotion", "class_name", "classname", "class_label",
        "label_name", "sound_class", "event", "species", "instrument", "target", "classid", "class_id",
    ),
    "split": ("split", "set", "subset", "partition"),
    "fold": ("fold",),
    "group": ("group", "speaker", "speaker_id", "actor", "artist", "src_file", "fsid"),
    "gender": ("gender", "sex"),
}  # fmt: skip
GENDERS = {"f": "female", "m": "male"}  # short forms
LOOKED_AT = 100  # number of rows that tell the column and the folder of the files; not all files need be there


@dataclass(frozen=True)
class Table:
    """A table with columns for the file and the label: `columns`: our names -> the header's."""

    path: Path
    columns: Mapping[str, str]

    def rows(self) -> list[dict[str, str]]:
        """Its rows, with our names of the columns."""
        read = table_rows(self.path)
        return [{name: row[column] for name, column in self.columns.items()} for row in read]


class SoundFiles:
    """The sound files below a folder, among which those are found that a table's rows name."""

    def __init__(self, folder: Path) -> None:
        self.by_name: dict[str, list[str]] = defaultdict(list)  # with suffix and without -> paths from the folder
        for place, folders, names in os.walk(folder):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            below = Path(place).relative_to(folder)
            for name in sorted(names):
                if is_audio(name) and not name.startswith("."):
                    for key in (name, os.path.splitext(name)[0]):
                        self.by_name[key].append((below / name).as_posix())

    def named(self, value: str) -> list[str]:
        """Files that a row's value may mean: a path, the end of one, or a name without its suffix."""
        wanted = _path(value)
        found = self.by_name.get(wanted.rsplit("/", 1)[-1], [])
        ends = [file for file in found if f"/{file}".endswith(f"/{wanted}")]
        return ends or [file for file in found if f"/{os.path.splitext(file)[0]}".endswith(f"/{wanted}")] or found

    def of_rows(self, values: Sequence[str], start: str = "") -> list[str]:
        """The file that each value means, as a path in the folder.

        If there is no such file, its path would be under `start`.

        If a value means several files, the one in the folder of most other values is taken, because a set may hold
        copies of its files at another rate.
        """
        candidates = [self.named(value) for value in values]
        starts = Counter(_start(file, v) for v, files in zip(values, candidates, strict=True) for file in files)
        best = min(starts, key=lambda s: (-starts[s], len(s), s), default=start)
        found = []
        for value, files in zip(values, candidates, strict=True):
            nearest = min(files, key=lambda f: (_start(f, value) != best, len(f), f), default="")
            found.append(nearest or f"{best}/{_path(value)}".lstrip("/"))
        return found


def _path(value: str) -> str:
    return re.sub(r"^(\./|/)+", "", value.replace("\\", "/"))


def _start(file: str, value: str) -> str:
    """The folders in front of the path that a row gives."""
    depth = _path(value).count("/") + 1
    return "/".join(file.split("/")[:-depth])


def tables_in(folder: Path) -> list[Path]:
    """All tables in the folder, and in its folders with a name such as "metadata" or "train"."""
    return _files_of(folder, SUFFIXES)


def tables_of_other_formats(folder: Path) -> list[Path]:
    """Tables that nothing here reads: sheets and parquet, and JSON or text that says something of the sound files."""
    there = _files_of(folder, SHEETS + TEXTS)
    files = SoundFiles(folder) if there else None
    return [path for path in there if files and (path.suffix.lower() in SHEETS or _describes(path, files))]


def _files_of(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """Files with one of these suffixes in the folder, and in its folders with a name such as "metadata" or "train"."""
    below = [p for p in sorted(folder.iterdir()) if p.is_dir() and _may_hold_tables(p.name.lower())]
    there = [p for place in (folder, *below) for p in sorted(place.iterdir())]
    return [p for p in there if p.suffix.lower() in suffixes and not p.name.startswith(".") and p.is_file()]


def _may_hold_tables(name: str) -> bool:
    return name in SPLIT_NAMES or not PLACES.isdisjoint(re.split(r"[^a-z]+", name))


def _describes(path: Path, files: SoundFiles) -> bool:
    """Whether a text says something of sound files: most of its lines name one and hold more than that name.

    A list of names alone only tells a split. A JSON document may be one line, which names several files.
    """
    with path.open(encoding="utf-8", errors="replace") as file:
        lines = [line for line in file.read(TEXT_LOOKED_AT).splitlines() if line.strip()]
    words = [re.split(r"[\s\"',;|:=\[\]{}]+", line.strip(" []{},\"'")) for line in lines]
    named = [{word for word in of_line if is_audio(word) and files.named(word)} for of_line in words]
    if path.suffix.lower() == ".json":
        return len(set().union(*named)) > 1
    return 2 * sum(bool(n) and len(w) > len(n) for n, w in zip(named, words, strict=True)) > len(lines)


def usable_tables(folder: Path) -> list[Table]:
    """The tables that have a column for the file and one for the label."""
    found, files = [], None
    for path in tables_in(folder):
        columns = _columns(path)
        if "label" in columns and "file" not in columns:
            files = files or SoundFiles(folder)
            columns |= _file_column(path, files)
        if {"file", "label"} <= set(columns):
            found.append(Table(path, columns))
    return found


def _columns(table: Path) -> dict[str, str]:
    spelled = {column.lower(): column for column in table_header(table)[0]}
    found = {name: next((spelled[a] for a in accepted if a in spelled), "") for name, accepted in COLUMN_NAMES.items()}
    return {name: column for name, column in found.items() if column}


def _file_column(table: Path, files: SoundFiles) -> dict[str, str]:
    """The column most of whose values are names of sound files, as "file"; empty if there is none."""
    try:
        rows = list(islice(table_rows(table), LOOKED_AT))
    except BadArtifactError:
        return {}
    hits = {column: sum(bool(files.named(row[column])) for row in rows) for column in (rows[0] if rows else {})}
    best = max(hits, key=lambda column: hits[column], default="")
    return {"file": best} if best and 2 * hits[best] > len(rows) else {}


def read_tables(folder: Path) -> tuple[list[Recording], list[str]]:
    """The recordings of one table, or of one table for each split, which is named after it; and a sentence on folds.

    Without splits but with three folds or more, the last fold is test and the one before it is validation. Raises
    `BadArtifactError`, which names the tables that are there.
    """
    tables = usable_tables(folder)
    own = [SPLIT_NAMES.get(_below(folder, t.path).lower()) or _split_of_name(t.path.stem) for t in tables]
    if not tables or (len(tables) > 1 and ("" in own or len(set(own)) < len(own))):
        there = ", ".join(t.name for t in ([t.path for t in tables] or tables_in(folder)))
        raise BadArtifactError(
            f"{folder} must hold one table with a column for the file ({', '.join(COLUMN_NAMES['file'])}) and one for "
            f"the label ({', '.join(COLUMN_NAMES['label'])}), it holds: {there or 'none'}."
        )
    recordings, notes = [], []
    for table, split in zip(tables, own, strict=True):
        rows = table.rows()
        splits, said = _splits_of_rows(table, rows, split if len(tables) > 1 else "")
        notes += said
        place = _below(folder, table.path)  # the rows of train/metadata.csv name files below train/
        start = f"{place}/" if place.lower() in SPLIT_NAMES else ""
        files = SoundFiles(folder / start).of_rows([row["file"] for row in rows])
        for row, file, of_row in zip(rows, files, splits, strict=True):
            gender = gender_of(row.get("gender", ""))
            named = f"{start}{file}" if row["file"] else ""
            recordings.append(Recording(named, row["label"], of_row, row.get("group", ""), gender))
    return recordings, notes


def _below(folder: Path, table: Path) -> str:
    """The name of the folder that a table lies in; "" for the set's own."""
    return "" if table.parent == folder else table.parent.name


def _split_of_name(stem: str) -> str:
    parts = re.split(r"[^a-z]+", stem.lower())
    return next((SPLIT_NAMES[part] for part in parts if part in SPLIT_NAMES), "")


def _splits_of_rows(table: Table, rows: Sequence[Mapping[str, str]], otherwise: str) -> tuple[list[str], list[str]]:
    """The split of each row, "" if neither the table nor its name tells it; and a note on folds."""
    if "split" in table.columns:
        return [split_named(table.path, row["split"]) for row in rows], []
    if otherwise or "fold" not in table.columns:
        return [otherwise] * len(rows), []
    by_fold, notes = splits_by_fold([row["fold"] for row in rows])
    return [by_fold.get(row["fold"], "") for row in rows], notes


def splits_by_fold(folds: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Fold -> split, and a sentence that says it: of three folds or more the last is test, the one before validation.

    Both are empty for fewer. "" is no fold: a clip without one gets no split.
    """
    names = sorted({*folds} - {""}, key=lambda fold: (len(fold), fold))  # 10 after 9
    if len(names) < 3:
        return {}, []
    *others, validation, test = names
    rest = "the other one is" if len(others) == 1 else f"the other {len(others)} are"
    note = f"Fold {test} is test, fold {validation} validation, {rest} train."
    return {**dict.fromkeys(others, TRAIN), validation: VALIDATION, test: TEST}, [note]


def split_named(table: Path, value: str) -> str:
    try:
        return SPLIT_NAMES[value.lower()]
    except KeyError:
        raise BadArtifactError(
            f"{table} has the split {shortened(value)!r}; accepted are {', '.join(SPLITS)}."
        ) from None


def gender_of(value: str) -> str:
    """The gender as "female" or "male", from any spelling of them; anything else in lower case."""
    return GENDERS.get(value.lower(), value.lower())


def table_named(folder: Path, beginnings: Iterable[str]) -> Path | None:
    """The first table whose name begins with one of these, in upper or lower case."""
    names = tuple(beginnings)
    return next((t for t in tables_in(folder) if t.name.lower().startswith(names)), None)
