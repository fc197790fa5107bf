"""`data check`: what a folder of recordings holds, and what would make figures wrong that are measured on it."""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tqdm import tqdm

from ...errors import BadAudioError, TaskVecError
from ...recordings.as_measured import header_of, read_clip
from ...recordings.audio import load_clip
from ...recordings.layouts import Recording, RecordingSet, detect, read_set
from ...recordings.limits import MIN_SECONDS, TooShortError
from ...recordings.splits import SPLITS, printable

UNKNOWN_RATE = 16_000  # Hz at which clips are decoded if their header does not tell the rate
SHOWN = 8  # lines of one kind that the table shows; --json has all


@dataclass(frozen=True)
class CheckedClip:
    """A recording as a file. If it cannot be read, `error` is a sentence and the other fields are 0 or ""."""

    dataset: str
    recording: Recording
    rate: int = 0  # Hz
    seconds: float = 0.0
    sha256: str = ""  # hash of the decoded sound and its length
    error: str = ""
    too_short: bool = False  # the clip is whole, and left out

    @property
    def name(self) -> str:
        return printable(f"{self.dataset}/{self.recording.file}")


@dataclass(frozen=True)
class SetReport:
    """`classes`: class -> split -> n; `rates`: Hz -> n; `seconds`: shortest, median and longest clip.

    `unreadable`: file -> why; `leaks`: source -> its splits, where it has more than one.
    """

    name: str
    layout: str
    notes: tuple[str, ...]
    n: dict[str, int]
    classes: dict[str, dict[str, int]]
    genders: dict[str, int]
    rates: dict[int, int]
    seconds: tuple[float, float, float] | None
    unreadable: dict[str, str]
    leaks: dict[str, list[str]]


@dataclass(frozen=True)
class DataReport:
    """All sets of a folder. `duplicates` are lists of clips that sound the same, as "set/file (split, label)".

    Those in `crossing` lie in two splits, of one set or of two, so that clips would be measured on that were trained
    on.
    """

    folder: str
    sets: tuple[SetReport, ...]
    duplicates: tuple[tuple[str, ...], ...]
    crossing: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()

    @property
    def problems(self) -> int:
        """Unreadable files, sources that leak, and duplicates across splits."""
        return len(self.crossing) + sum(len(s.unreadable) + len(s.leaks) for s in self.sets)


def check(folder: Path, layout: str = "auto", rate: int | None = None) -> DataReport:
    """Decode every clip of a set, or of every set in a folder of sets, as training at `rate` Hz would.

    Without a rate each is decoded at its own. Raises `BadArtifactError` where no set is found, and TaskVecError for a
    rate below 1.
    """
    if rate is not None and rate < 1:
        raise TaskVecError(f"--rate is a sampling rate in Hz, at least 1, not {rate}.")
    sets, notes = _sets(folder, layout)
    clips = [CheckedClip(name, r) for name, (_, found) in sets.items() for r in found.recordings]
    checked = [_checked(sets[c.dataset][0], c, rate) for c in tqdm(clips, desc="decoding", unit="clip")]
    same: dict[str, list[CheckedClip]] = defaultdict(list)
    for clip in checked:
        if clip.sha256:
            same[clip.sha256].append(clip)
    duplicates = sorted((group for group in same.values() if len(group) > 1), key=lambda group: group[0].name)
    crossing = [group for group in duplicates if len({c.recording.split for c in group}) > 1]
    by_set: dict[str, list[CheckedClip]] = {name: [] for name in sets}
    for clip in checked:
        by_set[clip.dataset].append(clip)
    return DataReport(
        printable(str(folder)),
        tuple(_report(name, found, by_set[name]) for name, (_, found) in sets.items()),
        tuple(_told(group) for group in duplicates),
        tuple(_told(group) for group in crossing),
        notes,
    )


def _sets(folder: Path, layout: str) -> tuple[dict[str, tuple[Path, RecordingSet]], tuple[str, ...]]:
    """Name -> folder and recordings, of the folder itself or of the sets in it; and a note on everything else in the
    folder.
    """
    if layout != "auto" or detect(folder):
        return {folder.resolve().name: (folder, read_set(folder, layout))}, ()
    below = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")) if folder.is_dir() else []
    sets = {p.name: (p, read_set(p)) for p in below if detect(p)}
    if not sets:
        read_set(folder)  # raises a sentence that says what is accepted
    other = [p.name for p in below if p.name not in sets]
    return sets, (f"Of no known layout, and not looked at: {printable(', '.join(other))}.",) if other else ()


def _checked(folder: Path, clip: CheckedClip, rate: int | None) -> CheckedClip:
    file = folder / clip.recording.file
    own = header_of(file)[0]
    target = rate or own or UNKNOWN_RATE
    try:
        heard = load_clip(file, target)
        own, seconds, samples = heard.recorded_rate, heard.seconds, heard.samples
    except TooShortError as error:
        return replace(clip, error=str(error), too_short=True)
    except BadAudioError as error:
        try:  # silence is trained on too
            samples = read_clip(file, target)
        except BadAudioError:
            return replace(clip, error=str(error))
        seconds = len(samples) / target
    content = hashlib.sha256(f"{own} {seconds} ".encode() + samples.tobytes())
    return replace(clip, rate=own, seconds=seconds, sha256=content.hexdigest())


def _report(name: str, found: RecordingSet, clips: Sequence[CheckedClip]) -> SetReport:
    classes: dict[str, dict[str, int]] = {c: dict.fromkeys(SPLITS, 0) for c in found.class_names}
    splits: dict[str, set[str]] = defaultdict(set)
    for r in found.recordings:
        classes[r.label][r.split] += 1
        splits[r.group].add(r.split)
    lengths = [c.seconds for c in clips if not c.error]
    return SetReport(
        printable(name),
        found.layout,
        (*found.notes, *_short(clips)),
        {split: sum(n[split] for n in classes.values()) for split in SPLITS},
        classes,
        dict(sorted(Counter(r.gender for r in found.recordings if r.gender).items())),
        dict(sorted(Counter(c.rate for c in clips if not c.error).items())),
        (min(lengths), statistics.median(lengths), max(lengths)) if lengths else None,
        {printable(c.recording.file): c.error for c in clips if c.error and not c.too_short},
        {g: [s for s in SPLITS if s in found_in] for g, found_in in splits.items() if g and len(found_in) > 1},
    )


def _short(clips: Sequence[CheckedClip]) -> list[str]:
    """A note on clips that are whole but too short to be used.

    Published sets have some; they are not an error of the user.
    """
    short = [printable(clip.recording.file) for clip in clips if clip.too_short]
    if not short:
        return []
    more = f" and {len(short) - SHOWN} more" if len(short) > SHOWN else ""
    return [
        f"{len(short)} of {len(clips)} clips {'is' if len(short) == 1 else 'are'} shorter than {MIN_SECONDS:g} s and "
        f"left out: {', '.join(short[:SHOWN])}{more}."
    ]


def _told(group: Iterable[CheckedClip]) -> tuple[str, ...]:
    return tuple(f"{c.name} ({c.recording.split}, {c.recording.label})" for c in group)


# ---- the command ----------------------------------------------------------------------------------------------------
def run(options: argparse.Namespace) -> int:
    """Print the report of `data check`. Exit code 1 if something in the data would make figures wrong."""
    report = check(options.folder, options.layout, options.rate)
    if options.json:
        print(json.dumps({**asdict(report), "problems": report.problems}, ensure_ascii=False, indent=1))
    else:
        print("\n".join(_lines(report, options.rate)))
    return int(report.problems > 0)


def _lines(report: DataReport, rate: int | None) -> Iterable[str]:
    yield from report.notes
    for found in report.sets:
        yield from _set_lines(found, rate)
    yield ""
    yield from _some("duplicates across splits", [" = ".join(group) for group in report.crossing])
    within = [" = ".join(group) for group in report.duplicates if group not in report.crossing]
    yield from _some("duplicates in one split", within)
    yield f"\n{report.problems} problem{'s' * (report.problems > 1)}." if report.problems else "\nNo problem found."


def _set_lines(found: SetReport, rate: int | None) -> Iterable[str]:
    n = ", ".join(f"{n} {split}" for split, n in found.n.items())
    yield f"\n{found.name}: layout {found.layout}, {sum(found.n.values())} clips, {len(found.classes)} classes: {n}"
    yield from (f"  {note}" for note in found.notes)
    width = max(12, *(len(c) for c in found.classes))
    yield f"  {'class':{width}} " + " ".join(f"{split:>10}" for split in SPLITS)
    for name, splits in found.classes.items():
        yield f"  {name:{width}} " + " ".join(f"{splits[s]:10}" for s in SPLITS)
    if found.genders:
        yield "  " + ", ".join(f"{n} {gender}" for gender, n in found.genders.items())
    yield "  sampling rates: " + ", ".join(f"{n} at {hz} Hz" for hz, n in found.rates.items())
    low = sum(n for hz, n in found.rates.items() if rate and hz < rate)
    if low:
        yield f"  {low} have less than {rate} Hz: what lies above half their own rate is missing in them"
    if found.seconds:
        shortest, median, longest = found.seconds
        yield f"  seconds: {shortest:.2f} to {longest:.2f}, median {median:.2f}"
    yield from (f"  {line}" for line in _some("cannot be read", list(found.unreadable.values())))
    leaks = [f"{group}: {', '.join(splits)}" for group, splits in found.leaks.items()]
    yield from (f"  {line}" for line in _some("sources in two splits", leaks))


def _some(title: str, items: Sequence[str]) -> Iterable[str]:
    yield f"{title}: {len(items) or 'none'}"
    yield from (f"  {item}" for item in items[:SHOWN])
    if len(items) > SHOWN:
        yield f"  and {len(items) - SHOWN} more"
