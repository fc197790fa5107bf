"""`data import`: a Hugging Face `datasets` repository, from the hub or a folder, as a folder of FLAC with `clips.csv`.

Everything else then reads it as any other set. The package `datasets` is imported here only, and only when needed.
"""

from __future__ import annotations

import argparse
import csv
import io
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from tqdm import tqdm

from ...clap.hub import allow_hub, download, is_hub_id
from ...core.files import whole_folder
from ...errors import BadArtifactError, BadAudioError, TaskVecError, shortened
from ...recordings.layouts import TABLE, speaker_of, with_genders
from ...recordings.source import identified
from ...recordings.splits import SPLIT_NAMES, SPLITS, Recording, counted, with_all_splits
from ...recordings.tables import COLUMN_NAMES, gender_of, splits_by_fold
from ...serve.artifacts import write_json

COLUMNS = ("file", "label", "split", "group", "gender")
DEEP = ("PCM_24", "PCM_32", "FLOAT", "DOUBLE")  # subtypes that do not fit 16 bits
NAMED = 5  # unreadable clips that a note names
MISSING = -1  # number that `datasets` stores for a label that is not known


@dataclass(frozen=True)
class Imported:
    """What was written to `folder`; `notes` are whole sentences. `source.json` in the folder holds the same."""

    folder: Path
    recordings: tuple[Recording, ...]
    notes: tuple[str, ...]
    revision: str | None  # commit of the hub's repository


def import_set(
    source: str,
    to: Path,
    audio: str | None = None,
    label: str | None = None,
    config: str | None = None,
    revision: str | None = None,
) -> Imported:
    """Write `to`/audio/*.flac at the clips' own rates and `to`/clips.csv, under a temporary name until all is there.

    `audio` and `label` are columns, by default the one that holds sound and the first that is named as labels are.
    Splits of the repository are kept; where it has one only, official folds are used if it names them, and missing
    splits are dealt from train by a hash, by source if sources are known. Raises TaskVecError.
    """
    to = to.resolve()
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise TaskVecError(f"{to} is there already: --to takes a new or an empty folder.")
    folder, commit = _local(source, revision)
    repository = _opened(folder, source, config)
    with whole_folder(to) as partial:
        (partial / "audio").mkdir()
        recordings, notes = _written(repository, partial / "audio", audio, label)
        with (partial / TABLE).open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow(COLUMNS)
            table.writerows([r.file, r.label, r.split, r.group, r.gender] for r in recordings)
        origin = {"source": source, "revision": commit, "config": config, "clips": len(recordings), "notes": notes}
        write_json(partial / "source.json", origin)
    return Imported(to, tuple(recordings), tuple(notes), commit)


def _local(source: str, revision: str | None) -> tuple[Path, str | None]:
    """The folder of a repository.

    It is fetched from the hub, and kept in the hub's cache, if it is not on this machine.
    """
    if Path(source).is_dir():
        return Path(source), None
    if not is_hub_id(source):
        raise BadArtifactError(f"{source} is neither a folder nor the id of a repository such as ashraq/esc50.")
    allow_hub(source)
    folder = download(source, revision, what="data set")
    return folder, folder.name


def _opened(folder: Path, source: str, config: str | None) -> Mapping[str, Any]:
    """Split -> iterable data set."""
    try:
        import datasets
    except ImportError as error:
        raise TaskVecError("`data import` needs the package datasets: pip install -r requirements-dev.txt.") from error
    datasets.disable_progress_bars()
    try:
        return datasets.load_dataset(str(folder), config, streaming=True)
    except Exception as error:  # the readers of files raise errors of many kinds
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise BadArtifactError(
            f"{source} cannot be read as a repository of `datasets` ({reason}); accepted are folders of parquet, "
            "webdataset or audio files, and `--revision refs/convert/parquet` where the hub converted a script's data."
        ) from error


def _written(
    repository: Mapping[str, Any], out: Path, audio: str | None, label: str | None
) -> tuple[list[Recording], list[str]]:
    """Write the clips of all splits. Returns their recordings, in order, and notes."""
    recordings: list[Recording] = []
    folds: list[str] = []
    unreadable: list[str] = []
    unlabelled = 0
    taken: set[str] = set()
    single = len(repository) == 1
    for name, rows in repository.items():
        columns = _Columns.of(rows.features, audio, label)
        split = "" if single else _split_of(name, repository)
        for i, row in enumerate(tqdm(_plain(rows, columns), desc=f"{name} clips", unit="clip")):
            if columns.lacks_label(row):
                unlabelled += 1
                continue
            sound = row[columns.audio]
            content, path = (None, sound) if isinstance(sound, str) else (sound.get("bytes"), sound.get("path"))
            stem = _stem(path, f"{name}-{i:06}", taken)
            try:
                _write_flac(out / f"{stem}.flac", io.BytesIO(content) if content else path)
            except (soundfile.SoundFileError, BadAudioError, OSError, TypeError, ValueError):
                unreadable.append(f"{name} {i} ({path})")
                continue
            recordings.append(replace(columns.recording(row, path), file=f"audio/{stem}.flac", split=split))
            fold = row[columns.fold] if columns.fold else None
            folds.append("" if fold is None else str(fold))
    of = len(recordings) + len(unreadable) + unlabelled
    if not recordings:
        raise BadArtifactError(f"None of the {of} clips can be decoded{' and has a label' if unlabelled else ''}.")
    notes = []
    if unlabelled:
        notes.append(f"{unlabelled} of {of} clips have no label and are left out.")
    if unreadable:
        named = f"{', '.join(unreadable[:NAMED])}{' and others' if len(unreadable) > NAMED else ''}"
        notes.append(f"{len(unreadable)} of {of} clips cannot be decoded and are left out: {named}.")
    if single:
        by_fold, note = splits_by_fold(folds)
        recordings = [replace(r, split=by_fold.get(fold, "")) for r, fold in zip(recordings, folds, strict=True)]
        notes += note
    completed, dealt = with_all_splits(with_genders(recordings))
    return completed, notes + dealt


@dataclass(frozen=True)
class _Columns:
    """Names of a repository's columns, "" for a column that it does not have."""

    audio: str
    label: str
    group: str
    gender: str
    fold: str
    class_names: tuple[str, ...]  # of the label, if it is stored as a number

    @classmethod
    def of(cls, features: Mapping[str, Any] | None, audio: str | None, label: str | None) -> _Columns:
        """Raises `BadArtifactError` naming the columns that there are."""
        features = features or {}
        kinds = {name: type(feature).__name__ for name, feature in features.items()}
        there = f"its columns are {', '.join(features) or 'unknown'}."
        sounds = [n for n, kind in kinds.items() if kind == "Audio"] or [
            n for n in ("audio", "wav", "flac") if n in kinds
        ]
        spelled = {name.lower(): name for name in features}

        def named(what: str) -> str:
            return next((spelled[n] for n in COLUMN_NAMES[what] if n in spelled and spelled[n] not in sounds), "")

        for option, given in (("--audio", audio), ("--label", label)):
            if given is not None and given not in features:
                raise BadArtifactError(f"{option} {given!r} is no column of the repository; {there}")
        audio = audio or (sounds[0] if len(sounds) == 1 else "")
        label = label or named("label") or next((n for n, kind in kinds.items() if kind == "ClassLabel"), "")
        if not audio or not label:
            what, option = ("sound", "--audio") if not audio else ("labels", "--label")
            raise BadArtifactError(f"Say with {option} which column of the repository holds the {what}; {there}")
        return cls(
            audio,
            label,
            named("group"),
            named("gender"),
            named("fold"),
            tuple(getattr(features[label], "names", ()) or ()),
        )

    @property
    def names(self) -> tuple[str, ...]:
        return self.audio, self.label, self.group, self.gender, self.fold

    def lacks_label(self, row: Mapping[str, Any]) -> bool:
        """Whether a row has the number -1, by which `datasets` says that a clip of a known set of classes has none."""
        return bool(self.class_names) and row[self.label] == MISSING

    def recording(self, row: Mapping[str, Any], path: str | None) -> Recording:
        """The clip of a row, without a file and a split so far. The name that the file had may tell the speaker."""
        value = row[self.label]
        if isinstance(value, (list, dict, float)) or value is None:
            raise BadArtifactError(
                f"The column {self.label!r} holds {shortened(value)!r}; it must hold one name or number a clip."
            )
        label = self.class_names[value] if self.class_names and isinstance(value, int) else str(value)
        gender = gender_of(str(row[self.gender] or "")) if self.gender else ""
        group = speaker_of(path or "")
        if self.group:
            group = "" if row[self.group] is None else str(row[self.group])
        return Recording("", label, "", group, gender)


def _split_of(name: str, repository: Iterable[str]) -> str:
    if name not in SPLIT_NAMES:
        raise BadArtifactError(
            f"The repository has the splits {', '.join(repository)}, of which {name!r} is none of {', '.join(SPLITS)}."
        )
    return SPLIT_NAMES[name]


def _plain(rows: Any, columns: _Columns) -> Iterator[Mapping[str, Any]]:
    """Rows with the used columns. The sound is not decoded: it is a dictionary of bytes and path, or a path.

    `datasets` needs torchcodec, which needs FFmpeg, even to give the bytes of a column of type Audio. So the column is
    read as the struct or string that it is stored as, which needs neither.
    """
    from datasets import Value

    used = rows.select_columns([c for c in columns.names if c])
    for feature in ({"bytes": Value("binary"), "path": Value("string")}, Value("string")):
        plain = used.cast_column(columns.audio, feature)
        try:
            next(iter(plain), None)
        except (AttributeError, TypeError, ValueError):
            continue
        return iter(plain)
    raise BadArtifactError(f"The column {columns.audio!r} holds neither sound files nor paths of them.")


def _stem(path: str | None, otherwise: str, taken: set[str]) -> str:
    """The file's own name if it has one, made safe and unique. Speakers and sources can be told from it."""
    wanted = re.sub(r"[^\w.-]+", "_", Path(path).stem).strip("._") if path else ""
    stem, n = wanted or otherwise, 1
    while stem.lower() in taken:
        n += 1
        stem = f"{wanted or otherwise}-{n}"
    taken.add(stem.lower())
    return stem


def _write_flac(file: Path, source: io.BytesIO | str | None) -> None:
    """Write the same samples at the same rate.

    Samples beyond full scale, as in decoded mp3, are scaled down and not clipped.
    """
    content = Path(source).read_bytes() if isinstance(source, str) else source.read() if source else b""
    sound = identified(content, "The clip").content  # put right where its container is slightly off
    if sound is None:
        raise ValueError("of a codec that libsndfile does not decode")
    with soundfile.SoundFile(io.BytesIO(sound)) as decoded:
        samples, rate, subtype = decoded.read(dtype="float64", always_2d=True), decoded.samplerate, decoded.subtype
    if not len(samples) or not np.isfinite(samples).all():
        raise ValueError("no samples, or samples that are no numbers")
    samples /= max(1.0, float(np.abs(samples).max()))
    soundfile.write(file, samples, rate, subtype="PCM_24" if subtype in DEEP else "PCM_16")


# ---- the command ----------------------------------------------------------------------------------------------------
def run(options: argparse.Namespace) -> int:
    """Write the set of `data import` and print what is in it. Exit code 0."""
    done = import_set(options.source, options.to, options.audio, options.label, options.config, options.revision)
    for note in done.notes:
        print(note, file=sys.stderr)
    classes = len({(r.gender, r.label) for r in done.recordings})
    print(f"{done.folder}: {len(done.recordings)} clips, {classes} classes: {counted(done.recordings)}.")
    return 0
