"""Results as JSON, as a table for the terminal and as a document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from taskvec_demo.serve.artifacts import read_json, write_json

from .measurement import Measurement

FORMAT = 2
HEADINGS = ("figure", "median (min – p95)", "n", "held against", "ratio", "target", "verdict")
# Cores, and whether the CPU multiplies bfloat16 -> the letter that such a machine has in every document of ours
LETTERS = {(2, True): "A", (2, False): "B"}
INTRODUCTION = """# Performance

Written by `python -m benchmarks --write-docs` from [{name}]({name}); run `python -m benchmarks` to
measure again. Every figure is a median over repeats, held against a limit of the machine or another way to do the same
job, measured in turn with it in the same run. Where a machine is noisy, the ratio says more than the figure.
"""


@dataclass(frozen=True)
class Section:
    """The results of one benchmark: its question, how and when it was measured, on what machine and how quiet that
    was.
    """

    title: str
    method: str
    date: str
    quick: bool
    seconds: float
    machine: dict[str, Any]
    conditions: dict[str, float]
    measurements: tuple[Measurement, ...]


def save(sections: Mapping[str, Section], path: Path) -> None:
    """Write sections by the name of their benchmark. Sections in `path` that were not measured now stay."""
    content = {name: asdict(s) for name, s in {**(load(path) if path.is_file() else {}), **sections}.items()}
    write_json(path, {"format": FORMAT, "benchmarks": content})


def load(path: Path) -> dict[str, Section]:
    """The sections that `save` wrote. Raises ValueError for another format, BadArtifactError for a missing file."""
    content = read_json(path)
    if content.get("format") != FORMAT:
        raise ValueError(f"{path} has format {content.get('format')!r}; this version reads format {FORMAT}.")
    return {
        name: Section(**{**s, "measurements": tuple(Measurement(**m) for m in s["measurements"])})
        for name, s in content["benchmarks"].items()
    }


def number(value: float) -> str:
    """A number with three significant figures: 0.0123, 1.23, 12.3, 123, 1234."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def verdict(m: Measurement) -> str:
    if m.met is None:
        return ""
    return "met" if m.met else f"missed by {100 * m.missed_by:.0f} %"


def cells(m: Measurement) -> tuple[str, ...]:
    """One row under `HEADINGS`."""
    spread = f" ({number(m.low)} – {number(m.p95)})" if m.n > 1 else ""
    peer = f"{m.peer}: {number(m.peer_value)} {m.unit}" if m.peer_value is not None else ""
    ratio = f"{number(m.ratio)} {m.ratio_unit}" if m.ratio is not None else ""
    name = f"{m.name}; {m.note}" if m.note else m.name
    return (name, f"{number(m.value)} {m.unit}{spread}", str(m.n), peer, ratio, m.target, verdict(m))


def as_text(section: Section) -> str:
    """A readable block for the terminal, with two lines for each figure."""
    lines = [section.title, "-" * len(section.title)]
    for m in section.measurements:
        name, value, n, peer, ratio, target, answer = cells(m)
        lines.append(f"{name}: {value}, n = {n}")
        against = [f"{peer} -> {ratio}" if peer else "", f"target: {target}: {answer.upper()}" if target else ""]
        if any(against):
            lines.append("    " + " | ".join(filter(None, against)))
    return "\n".join(lines)


def summary(sections: Mapping[str, Section]) -> str:
    """One sentence on the targets, then one line for every missed one."""
    judged = [(s.title, m) for s in sections.values() for m in s.measurements if m.met is not None]
    missed = [f"- {title}, {m.name}: {m.target} was {verdict(m)}." for title, m in judged if not m.met]
    return "\n".join([f"{len(judged) - len(missed)} of {len(judged)} targets met.", *missed])


def named(machine: Mapping[str, Any]) -> str:
    """The description of a machine."""
    packages = ", ".join(f"{name} {number_}" for name, number_ in machine["packages"].items())
    return (
        f"{machine['cores']} CPU cores with {', '.join(machine['cpu_features']) or 'no listed features'}; "
        f"{machine['memory_gib']} GiB memory; {machine['torch_threads']} torch threads; Python {machine['python']}, "
        f"{packages}"
    )


def lettered(sections: Mapping[str, Section]) -> dict[str, str]:
    """Machine in words -> its letter, the same in all documents; machines that none of them knows follow from C on."""
    letters: dict[str, str] = {}
    others = iter("CDEFGHIJKLMNOPQRSTUVWXYZ")
    for machine in (section.machine for section in sections.values()):
        if named(machine) not in letters:
            letter = LETTERS.get((machine["cores"], "avx512_bf16" in machine["cpu_features"]))
            letters[named(machine)] = letter if letter and letter not in letters.values() else next(others)
    return letters


def as_markdown(sections: Mapping[str, Section], name: str) -> str:
    """The document of a JSON file of this name. A machine is described where it is first met."""
    letters = lettered(sections)
    parts = [
        INTRODUCTION.format(name=name),
        "\n".join(f"- Machine {letter}: {words}. No GPU is used." for words, letter in letters.items()) + "\n",
        summary(sections) + "\n",
    ]
    for section in sections.values():
        quick = " **A quick run: too few repeats to rely on.**" if section.quick else ""
        parts.append(f"## {section.title}\n\n{section.method}\n")
        rows = [HEADINGS, ("---",) * len(HEADINGS), *(cells(m) for m in section.measurements)]
        parts.append("\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n")
        parts.append(
            f"Measured {section.date} on machine {letters[named(section.machine)]} in {section.seconds:.0f} s; "
            f"load average {section.conditions['load_average']:g}, "
            f"copying {section.conditions['copy_gb_per_s']:g} GB/s.{quick}\n"
        )
    return "\n".join(parts)
