"""`python -m benchmarks`: measure, print a table, keep the figures as JSON, render them as a document."""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from .context import MINUTES, ROOT, Context
from .machine import conditions, describe
from .report import Section, as_markdown, as_text, load, save, summary

NAMES = ("rebuild", "clip", "exact", "trace", "drag", "weight", "startup", "memory", "visitors", "soak")
JSON = ROOT / "docs" / "performance.json"


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0 when everything ran, whether targets were met or not."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--json", type=Path, default=None, metavar="FILE", help="default: docs/performance.json")
    parser.add_argument(
        "--quick", action="store_true", help="few repeats, to see that all runs; written only to --json"
    )
    parser.add_argument("--minutes", type=float, default=MINUTES, help="how long `soak` lasts (default: %(default)g)")
    parser.add_argument("--write-docs", action="store_true", help="measure nothing: the JSON as .md beside it")
    options = parser.parse_args(arguments)
    if options.write_docs:
        path = options.json or JSON
        path.with_suffix(".md").write_text(as_markdown(load(path), path.name), encoding="utf-8")
        return 0
    path = options.json or (None if options.quick else JSON)
    sections = {}
    for name in options.only:
        sections[name] = section = _measure(name, options.quick, options.minutes)
        print(as_text(section) + "\n", flush=True)
        if path is not None:  # saved after each one, so that a stop loses nothing
            save(sections, path)
    print(summary(sections))
    return 0


def _measure(name: str, quick: bool, minutes: float) -> Section:
    benchmark = importlib.import_module(f".{name}", __package__)  # imported late, because some need a browser
    before, start = conditions(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
        measurements = tuple(benchmark.run(Context(quick, Path(folder), minutes)))
    date = datetime.now(UTC).date().isoformat()
    seconds = round(time.monotonic() - start, 1)
    return Section(benchmark.TITLE, benchmark.METHOD, date, quick, seconds, describe(), before, measurements)


if __name__ == "__main__":
    sys.exit(main())
