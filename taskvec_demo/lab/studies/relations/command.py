"""`python -m taskvec_demo study relations`: which audio tasks improve each other."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ....errors import TaskVecError
from ....serve.artifacts import read_json, write_json
from ...data.datasets import MelStore
from ...tiny_clap import architecture
from .study import QUICK, Plan, differences, measure
from .tasks import related_rows

FILE = "relations.json"
TOLERANCE = 0.02  # of an accuracy, between machines that round differently


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, help="folder of the sets, as in the model card")
    parser.add_argument("--out", type=Path, required=True, help=f"folder that {FILE} is written to, or checked in")
    parser.add_argument("--work", type=Path, required=True, help="folder for features and finished runs")
    parser.add_argument("--quick", action="store_true", help="three tasks, few steps: shows that everything runs")
    parser.add_argument("--check", action="store_true", help=f"measure again and compare with {FILE}; writes nothing")


def run(options: argparse.Namespace) -> int:
    """Every finished run is kept under --work, so a stopped command goes on where it was."""
    rows = related_rows(options.data)
    store = MelStore.open(options.work, options.data, architecture.FEATURES, rows)
    contents = measure(store, options.data, options.work, QUICK if options.quick else Plan(), _say)
    print(file=sys.stderr)
    if not options.check:
        write_json(options.out / FILE, contents)
        print(f"{options.out / FILE}: {len(contents['tasks'])} tasks, {len(contents['matrices'])} matrices.")
        return 0
    if not (options.out / FILE).is_file():
        raise TaskVecError(f"{options.out / FILE} is missing: run without --check first, or give another --out.")
    wrong = differences(read_json(options.out / FILE), contents, TOLERANCE)
    print("\n".join(wrong) if wrong else "Every accuracy and every gain is as shipped.")
    return 1 if wrong else 0


def _say(step: str) -> None:
    print(f"\r{step:<70}", end="", file=sys.stderr, flush=True)
