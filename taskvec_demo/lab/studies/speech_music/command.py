"""`python -m taskvec_demo study speech-music`: a speech and a music encoder in one, by task arithmetic."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

from ....clap.embedded import STUDIES
from ...data.arguments import add_command, add_recordings

SHIPPED = STUDIES / "speech-music"
TOLERANCE = 0.01  # of an accuracy, between machines that round differently


def register(studies: Any) -> None:
    """Add the study to the command `study`."""
    help = "Distil a speech and a music student and add their vectors (Ritter-Gutierrez et al. 2025); resumes."
    parser = add_command(studies, "speech-music", _run, help)
    add_recordings(parser)
    out = f"folder to write, or to check (default: {SHIPPED}; with --quick one under --work)"
    parser.add_argument("--out", type=Path, help=out)
    parser.add_argument("--quick", action="store_true", help="few steps and clips, to see that everything runs")
    parser.add_argument("--check", action="store_true", help="measure the shipped students again; writes no artifact")


def _run(options: argparse.Namespace) -> int:
    """Train, measure and write, or measure what is there and compare. A second call resumes from --work.

    States of --quick have a folder of their own. Nothing is written into the folder --out before all is measured.
    """
    from ....errors import TaskVecError
    from ....serve.artifacts import read_json, write_json
    from ....serve.studies.contents import CONTENTS
    from .plan import QUICK, Plan
    from .study import CHECKED, FOLDER, MADE, check_points, clips_of, copy_students, differences, measure, train

    plan, folder = (QUICK, options.work / FOLDER / "quick") if options.quick else (Plan(), options.work / FOLDER)
    out = options.out or (folder if options.quick else SHIPPED)
    shipped = out / CONTENTS
    if options.check:
        if not shipped.is_file():
            raise TaskVecError(f"{shipped} is missing: run without --check first, or give another --out.")
        check_points(shipped, plan)
    store = clips_of(options.work, options.data)
    say = _saying()
    if options.check:
        found = measure(store, options.data, folder, out, plan, say, CHECKED)
        shutil.rmtree(folder / CHECKED)  # the next check measures anew
        wrong = differences(read_json(shipped), found, TOLERANCE)
        print("\n" + "\n".join(wrong) if wrong else "\nEvery accuracy is as shipped.")
        return int(bool(wrong))
    costs = train(store, options.data, folder, folder / MADE, plan, say)
    found = measure(store, options.data, folder, folder / MADE, plan, say)
    copy_students(folder / MADE, out)
    write_json(shipped, {**found, "cost": costs})
    print(f"\n{shipped}: {len(found['tasks'])} tasks, {len(found['dial']['speech'])} points of the dial.")
    return 0


def _saying() -> Any:
    """A line on stderr that is written over, at most a few times a second."""
    import time

    last = 0.0

    def say(step: str) -> None:
        nonlocal last
        if time.monotonic() - last > 0.3:
            last = time.monotonic()
            print(f"\r{step:<70}", end="", file=sys.stderr, flush=True)

    return say
