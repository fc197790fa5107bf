"""Commands of ours on few points, short grids and short trainings, for processes that a test starts."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np

from taskvec_demo.cli import main
from taskvec_demo.lab import build
from taskvec_demo.lab.measuring import baselines, choose_lambda, sweep
from taskvec_demo.lab.studies.ballanti import BALLANTI


def sweep_on(points: np.ndarray, held_out: np.ndarray, *arguments: str) -> None:
    """`sweep` with these arguments, on these points instead of its own."""
    sweep.sweep_points = lambda main, extra: (points, held_out)
    sys.exit(main(["sweep", *arguments]))


def short_build(*arguments: str) -> None:
    """`build` of Ballanti's study with these arguments: two values of λ, two epochs a vector, every 30th point."""
    choose_lambda.STEPS, choose_lambda.OWN_STEPS = (0.5, 1.0), (0.5, 1.0)
    baselines.ASCENT_STEPS, baselines.ASCENT_EVERY = 2, 1
    short = {n: replace(f, epochs=2, peak_rate=1e-3) for n, f in BALLANTI.fine_tunings.items()}
    build.STUDIES["ballanti"] = replace(BALLANTI, fine_tunings=short)
    all_points = sweep.sweep_points

    def few_points(main: list[str], extra: list[str]) -> tuple[np.ndarray, np.ndarray]:
        points, held_out = all_points(main, extra)
        chosen = np.r_[np.arange(0, len(points), 30), np.flatnonzero(held_out)[:3], np.flatnonzero(~points.any(1))]
        chosen = np.unique(chosen)
        return points[chosen], held_out[chosen]

    sweep.sweep_points = few_points
    sys.exit(main(["build", "--study", "ballanti", *arguments]))
