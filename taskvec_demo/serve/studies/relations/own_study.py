"""Which of the study's tasks is the best partner for a visitor's own set? Predicted from the shipped figures, or
measured.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from ....errors import BadRecipeError, shortened
from ...threads import one_thread
from .gains import Gain, gain
from .hearing import FrontEnd
from .inputs import signal_to_noise
from .own_set import OWN, OwnSet, read_own_set
from .partners import is_there, read_partner
from .predictors import Regression, left_out_scores, pair_features, probabilities, task_features
from .tasks import TASKS
from .training import Run, Setup, training

Result = TypeVar("Result")
READING = 0.7  # of the time; the rest is training


@dataclass(frozen=True, eq=False)
class Predicted:
    """A visitor's set, the run that learned it alone, and for each partner the probability that it helps, the best
    partner first.

    `beyond`: properties in which the set lies outside of what the study's tasks span, so that a regression fitted to
    them says little.
    """

    own: OwnSet
    alone: Run
    helps: Mapping[str, float]
    beyond: tuple[str, ...]


class OwnStudy:
    """The shipped figures and the recordings of this machine. It keeps nothing of any visitor.

    A set gives the same figures each time, whatever else the process draws: every network has a generator of its own.

    `contents` is a `study.json` with the entry `inputs`; `data` the folder of labelled recordings, if there is one.
    Networks, steps, seeds and the partners' share of the data are those of the first matrix; a visitor's set, which is
    small, is learned whole.
    """

    def __init__(self, contents: Mapping[str, Any], data: Path | None) -> None:
        self.data = data
        self.titles: dict[str, str] = {t["name"]: t["title"] for t in contents["tasks"]}
        self.there = tuple(name for name in self.titles if is_there(TASKS[name], data))
        self.matrix: Mapping[str, Any] = contents["matrices"][0]
        self.seeds = range(contents["seeds"])
        self._features: Mapping[str, Mapping[str, float]] = contents["predictors"]["features"]
        self._front_end = FrontEnd.from_dict(contents["inputs"])

    def predict(self, archive: Path) -> Generator[float, None, Predicted]:
        """Learn the set of a .zip alone, and rank the partners. Yields which share is done.

        Raises as `read_own_set`.
        """
        own = yield from _scaled(read_own_set(archive, self._front_end), 0.0, READING)
        alone = yield from _scaled(training(self._setup(own), [OWN]), READING, 1.0)
        levels, n_train = signal_to_noise(own.summaries), len(own.clips.of("train"))
        features = task_features(own.clips, alone, own.seconds, levels, n_train)
        return Predicted(own, alone, self._helps(features), self._beyond(features))

    def measure(self, predicted: Predicted, partner: str) -> Generator[float, None, Gain]:
        """Learn the set together with a partner. Yields which share is done.

        Raises BadRecipeError for a partner whose recordings are not here, BadArtifactError for unusable ones.
        """
        if self.data is None or partner not in self.there:
            known = ", ".join(self.there) or "none"
            raise BadRecipeError(
                f"There are no recordings of {shortened(partner)!r} on this machine; there are those of: {known}."
            )
        own, share = predicted.own, self.matrix["fraction"]
        reading = read_partner(TASKS[partner], self.data, share, self.seeds, self._front_end)
        found = yield from _scaled(reading, 0.0, READING)
        alone = self._setup(own)
        added = replace(found.clips, row=found.clips.row + len(own.heard))
        inputs = torch.cat([alone.inputs, self._inputs(found.summaries)])
        setup = replace(alone, inputs=inputs, clips={**alone.clips, partner: added})
        together = yield from _scaled(training(setup, [OWN, partner], measured=[OWN]), READING, 1.0)
        return gain(OWN, partner, predicted.alone, together, own.clips.source[own.clips.of("test")])

    def _setup(self, own: OwnSet) -> Setup:
        m = self.matrix
        inputs = self._inputs(own.summaries)
        return Setup(m["name"], m["fraction"], m["steps"], self.seeds, inputs, {OWN: own.clips}, whole=(OWN,))

    def _inputs(self, summaries: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(self._front_end.standard(summaries))

    def _helps(self, own: Mapping[str, float]) -> dict[str, float]:
        """From the features of a set; the regression is fitted to all pairings of the first matrix."""
        features = {**self._features, OWN: own}
        cells = self.matrix["cells"]
        _, known = pair_features(features, [(c["task"], c["partner"]) for c in cells])
        positive = np.array([c["gain"] > 0 for c in cells])
        _, asked = pair_features(features, [(OWN, partner) for partner in self.titles])
        names = list(self.titles)
        scores = Regression.fit(known, positive).scores(asked)
        order = np.argsort(-scores)  # two probabilities may be the same
        helps = probabilities(scores, left_out_scores(known, positive, [c["task"] for c in cells]), positive)
        return {names[i]: float(helps[i]) for i in order}

    def _beyond(self, own: Mapping[str, float]) -> tuple[str, ...]:
        known = self._features.values()
        return tuple(n for n, v in own.items() if not min(f[n] for f in known) <= v <= max(f[n] for f in known))


def _scaled(steps: Generator[float, None, Result], begin: float, end: float) -> Generator[float, None, Result]:
    """The same steps, each computed in one thread, as a part of a longer work."""
    with closing(steps):
        while True:
            try:
                with one_thread():
                    share = next(steps)
            except StopIteration as done:
                return done.value
            yield begin + (end - begin) * share
