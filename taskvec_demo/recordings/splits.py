"""Labelled recordings of a set and their splits: the form into which every layout is read.

A split is by source if the sources are known. Clips of one source share their speaker, microphone and room, so that a
figure measured on clips whose source was trained on is too high.
"""

from __future__ import annotations

import csv
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Self

from ..errors import BadArtifactError

TRAIN, VALIDATION, TEST = SPLITS = ("train", "validation", "test")
SPLIT_NAMES = {  # names of splits in published sets -> ours
    **dict.fromkeys(("train", "training", "trn"), TRAIN),
    **dict.fromkeys(("validation", "valid", "val", "dev", "development"), VALIDATION),
    **dict.fromkeys(("test", "testing", "tst", "eval", "evaluation"), TEST),
}
HELD_OUT_SHARE = 0.15  # of the clips, for each split that a set does not bring
AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".au", ".aif", ".aiff")


def is_audio(name: str) -> bool:
    """Whether a file of this name is a recording of a set."""
    return name.lower().endswith(AUDIO_SUFFIXES)


@dataclass(frozen=True)
class Recording:
    """One clip.

    `file` is its path in the set's folder, with slashes; `group` is its source, "" if that is not known.
    """

    file: str
    label: str
    split: str  # of SPLITS
    group: str = ""
    gender: str = ""


@dataclass(frozen=True)
class SetRow:
    """One recording of one of several sets: the set's name and what `Recording` holds."""

    dataset: str
    file: str
    label: str
    split: str
    group: str
    gender: str

    @classmethod
    def of(cls, dataset: str, r: Recording) -> Self:
        return cls(dataset, r.file, r.label, r.split, r.group, r.gender)


@dataclass(frozen=True)
class RecordingSet:
    """The recordings of a folder, in the order of its table or sorted by file; `notes` are whole sentences."""

    layout: str
    recordings: tuple[Recording, ...]
    notes: tuple[str, ...] = ()

    @property
    def class_names(self) -> tuple[str, ...]:
        return tuple(sorted({r.label for r in self.recordings}))


def printable(name: str) -> str:
    """A name of files or folders as it can be written anywhere: "?" in place of bytes that are not UTF-8."""
    return name.encode(errors="replace").decode()


def table_header(table: Path) -> tuple[list[str], str]:
    """Names of the columns of a table (UTF-8), and what stands between them: comma, semicolon or tab.

    There is no name if the first line is none of a table, for instance because a name would be as long as a book.
    """
    with table.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        line = file.readline()
    delimiter = max(",;\t", key=line.count)
    try:
        names = next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        names = []
    return [name.strip() for name in names], delimiter


def table_rows(table: Path, columns: Sequence[str] = ()) -> Iterator[dict[str, str]]:
    """Rows of a table with a header, without surrounding blanks.

    Raises `BadArtifactError` for a missing column, a row that is too short or holds a NUL, and a file that is not text.
    """
    header, delimiter = table_header(table)
    missing = [c for c in columns if c not in header]
    if missing:
        raise BadArtifactError(f"{table} lacks the column {missing[0]!r}; it must have: {', '.join(columns)}.")
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, header, delimiter=delimiter)
            next(reader, None)  # the header itself
            for row in reader:
                if None in row.values():
                    raise BadArtifactError(
                        f"{table}, line {reader.line_num} has too few values; the columns are: {', '.join(header)}."
                    )
                named = {key: value.strip() for key, value in row.items() if key is not None}
                if any("\0" in value for value in named.values()):
                    raise BadArtifactError(f"{table}, line {reader.line_num} holds a NUL; a table of text is accepted.")
                yield named
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadArtifactError(f"{table} is not a table in UTF-8 ({error}).") from error


def audio_files(folder: Path) -> list[Path]:
    """Sound files that lie directly in `folder`, sorted, without hidden ones."""
    found = (p for p in folder.iterdir() if is_audio(p.name) and not p.name.startswith("."))
    return sorted(p for p in found if p.is_file())


def counted(recordings: Sequence[Recording]) -> str:
    """For instance "70 train, 15 validation, 15 test"."""
    n = Counter(r.split for r in recordings)
    return ", ".join(f"{n[split]} {split}" for split in SPLITS)


def with_all_splits(recordings: Sequence[Recording]) -> tuple[list[Recording], list[str]]:
    """Give a set the validation and test clips that it lacks.

    If some clips have no split (""), they are dealt to train and to what is lacking; otherwise what is lacking is taken
    from train. Nothing is done if nothing is lacking, so that a clip without a split stays without one.

    The result depends on the names of files and groups only, never on their order, and a group is never divided.
    Returns the recordings in their order, and a sentence on what was done if anything was.
    """
    present = {r.split for r in recordings}
    lacking = [split for split in (TEST, VALIDATION) if split not in present]
    own = "" if "" in present else TRAIN
    pool = [i for i, r in enumerate(recordings) if r.split == own]
    if not lacking or not pool:
        return list(recordings), []
    shares = {TRAIN: 1 - HELD_OUT_SHARE * len(lacking), **dict.fromkeys(lacking, HELD_OUT_SHARE)}
    completed = list(recordings)
    for i, split in zip(pool, deal([recordings[i] for i in pool], shares), strict=True):
        completed[i] = replace(recordings[i], split=split)
    what = "no splits" if own == "" else f"no {' and no '.join(sorted(lacking, reverse=True))} split"
    unknown = sum(not recordings[i].group for i in pool)
    return completed, [
        f"The set brings {what}, so {'its' if own == '' else 'the training'} clips were dealt by a hash of "
        f"{'their file names' if unknown else 'their sources'}, balanced by class: {counted(completed)}."
        + (" Nobody knows their sources, so one source may lie in two splits." if unknown else "")
    ]


def with_classes_in_both(recordings: Sequence[Recording]) -> tuple[list[Recording], list[str]]:
    """Let every class have validation and test clips, where a set has both splits.

    If the held-out clips of a class all lie in one of the two, half of its sources are moved to the other one. A source
    with held-out clips of another class stays, because it would lie in two splits. Nothing is moved if what is left is
    a single source, and training clips stay where they are. Returns the recordings in their order, and a sentence each
    on the classes that were moved and on those that were left because of their sources, if there are any.
    """
    completed, moved, left = list(recordings), [], []
    classes: dict[str, set[str]] = defaultdict(set)  # of the held-out clips of a source
    for r in recordings:
        if r.split != TRAIN:
            classes[_source(r)].add(_class(r))
    held_out = {split: {_class(r) for r in recordings if r.split == split} for split in (VALIDATION, TEST)}
    for only, lacking in ((VALIDATION, TEST), (TEST, VALIDATION)):
        for name in sorted(held_out[only] - held_out[lacking]) if held_out[lacking] else ():
            clips = [i for i, r in enumerate(recordings) if r.split == only and _class(r) == name]
            pool = [i for i in clips if classes[_source(recordings[i])] == {name}]
            dealt = deal([recordings[i] for i in pool], {only: 0.5, lacking: 0.5})
            if lacking not in dealt:
                if len(pool) < len(clips) and len({_source(recordings[i]) for i in clips}) > 1:
                    left.append(f"{name.removeprefix('_')} ({lacking})")
                continue
            for i, split in zip(pool, dealt, strict=True):
                completed[i] = replace(recordings[i], split=split)
            moved.append(f"{name.removeprefix('_')} ({lacking})")
    notes = [
        f"The set holds out some classes in one split only, so held-out sources of theirs were moved to the split that "
        f"lacked them: {', '.join(moved)}.",
        f"The set holds out some classes in one split only, and they stay there because their sources hold other "
        f"classes too: {', '.join(left)}.",
    ]
    return completed, [note for note, named in zip(notes, (moved, left), strict=True) if named]


def deal(recordings: Sequence[Recording], shares: Mapping[str, float]) -> list[str]:
    """A split for each recording so that every class comes as near to `shares` (split -> share) as whole groups allow.

    Large groups come first, then the order is that of a hash. Each group goes to the split that still lacks most of the
    group's classes, in proportion to the split's share (after iterative stratification, Sechidis et al. 2011). A
    recording without a group is a group of its own.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for i, r in enumerate(recordings):
        groups[_source(r)].append(i)
    total = Counter(_class(r) for r in recordings)
    dealt: dict[str, Counter[str]] = {split: Counter() for split in shares}
    splits = [""] * len(recordings)
    for key in sorted(
        groups, key=lambda k: (-len(groups[k]), hashlib.sha256(k.encode(errors="surrogateescape")).digest())
    ):
        classes = Counter(_class(recordings[i]) for i in groups[key])

        def lack(split: str, classes: Counter[str] = classes) -> float:
            return sum(n * (1 - dealt[split][c] / (shares[split] * total[c])) for c, n in classes.items())

        split = max(shares, key=lack)
        dealt[split].update(classes)
        for i in groups[key]:
            splits[i] = split
    return splits


def _source(recording: Recording) -> str:
    """A name of its source: the group, or the file itself, without suffix, if there is none."""
    return f"group {recording.group}" if recording.group else f"file {PurePosixPath(recording.file).with_suffix('')}"


def _class(recording: Recording) -> str:
    return f"{recording.gender}_{recording.label}"
