"""The part "Your own set" of the study of related tasks: a visitor's clips, a predicted partner, a measured one."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr

from ...errors import TaskVecError, sentence
from ...recordings.splits import SPLITS
from ...serve.studies.relations.gains import Gain
from ...serve.studies.relations.own_set import OWN
from ...serve.studies.relations.own_study import OwnStudy, Predicted
from ..events import QUIET
from ..html.own_set import LEAD, measured_html, message_html, progress_html, ranking_html, unmeasurable_html
from ..plain import plain_html

Result = TypeVar("Result")
OWN_CONCURRENCY: dict[str, Any] = {"concurrency_id": "own-set", "concurrency_limit": 1}  # one training at a time
KEPT_SECONDS = 3600  # of a visitor's features, 1.3 MB at most, since the last result
STEP = 0.01  # of the work, between two pictures of its progress
WAITING = progress_html(0.0, "Waiting for its turn")


@dataclass(frozen=True, eq=False)
class Visit:
    """What one visitor's page has: the prediction, and the measured gains with the newest first."""

    predicted: Predicted
    gains: tuple[Gain, ...] = ()


class OwnSetHandlers:
    """The handlers of the events. What they know of a visitor is handed to them and handed back."""

    def __init__(self, study: OwnStudy, contents: Mapping[str, Any]) -> None:
        self.study = study
        self.claim = next(c for c in contents["claims"] if c["name"] == "predicted")

    def predict(self, file: str) -> Iterator[list[Any]]:
        """Yields the visit, the ranking, the row to measure in, its partners, what was measured."""
        steps = self.study.predict(Path(file))
        try:
            found: Predicted = yield from _shown(
                steps, "Listening and learning", lambda shown: [gr.skip(), shown, *_SAME]
            )
        except (TaskVecError, OSError) as error:
            yield [None, message_html(sentence(error)), gr.update(visible=False), gr.skip(), ""]
            return
        partners = [(self.study.titles[name], name) for name in found.helps if name in self.study.there]
        choice = gr.update(choices=partners, value=partners[0][1] if partners else None)
        yield [Visit(found), self._ranking(found), gr.update(visible=bool(partners)), choice, ""]

    def nothing(self) -> list[Any]:
        """What stands there without a set: the same, and the buttons."""
        return [None, "", gr.update(visible=False), gr.skip(), "", *_BUTTONS[False]]

    def measure(self, visit: Visit | None, partner: str) -> Iterator[list[Any]]:
        """Yields the visit, what was measured, and the buttons "Measure it" and "Stop"."""
        if visit is None:
            yield [None, message_html("The set is no longer here: upload it again."), *_BUTTONS[False]]
            return
        steps = self.study.measure(visit.predicted, partner)
        doing = f"Learning together with “{self.study.titles.get(partner, '')}”"
        try:
            gained: Gain = yield from _shown(steps, doing, lambda shown: [gr.skip(), shown, *_BUTTONS[True]])
        except (TaskVecError, OSError) as error:
            yield [visit, message_html(sentence(error)), *_BUTTONS[False]]
            return
        others = tuple(g for g in visit.gains if g.partner != partner)
        visit = Visit(visit.predicted, (gained, *others))
        yield [visit, self.measured(visit), *_BUTTONS[False]]

    def stopped(self, visit: Visit | None) -> list[Any]:
        """What was measured before, and the buttons."""
        return [self.measured(visit), *_BUTTONS[False]]

    def measured(self, visit: Visit | None) -> str:
        gains = visit.gains if visit else ()
        return measured_html(gains, self.study.titles, len(self.study.seeds), self.study.matrix["fraction"])

    def _ranking(self, found: Predicted) -> str:
        study = self.study
        counts = {split: len(found.own.clips.of(split)) for split in SPLITS}
        alone = float(found.alone.accuracy(OWN).mean())
        missing = [study.titles[name] for name in found.helps if name not in study.there]
        ranking = ranking_html(found.helps, study.titles, counts, alone, found.beyond, found.own.notes, self.claim)
        return ranking + unmeasurable_html(missing, bool(study.there))


_SAME = [gr.skip()] * 3
_BUTTONS = {  # whether a training runs -> "Measure it" and "Stop"
    running: [gr.update(interactive=not running), gr.update(interactive=running)] for running in (False, True)
}


def _shown(
    steps: Generator[float, None, Result], doing: str, as_outputs: Callable[[str], list[Any]]
) -> Generator[list[Any], None, Result]:
    """Yields pictures of the progress of `steps`, which end with this; returns their result."""
    last = -STEP
    with closing(steps):
        while True:
            try:
                share = next(steps)
            except StopIteration as done:
                return done.value
            if share - last >= STEP:
                last = share
                yield as_outputs(progress_html(share, doing))


def build_own_set(contents: Mapping[str, Any], data: Path | None) -> None:
    """The part as a disclosure; to be called inside the tab. Figures without the entry `inputs` have none."""
    if "inputs" not in contents:
        return
    handlers = OwnSetHandlers(OwnStudy(contents, data), contents)
    with gr.Accordion("Your own set", open=False, elem_id="own-set"):
        plain_html(LEAD)
        visit = gr.State(None, time_to_live=KEPT_SECONDS)
        file = gr.File(file_types=[".zip"], label="Your clips, as a .zip", height=140, elem_id="own-set-file")
        ranking = plain_html("", elem_id="own-set-ranking")
        with gr.Row(visible=False, elem_id="own-set-measure") as row:
            partner = gr.Dropdown([], label="Partner", min_width=230, elem_id="own-set-partner")
            measure = gr.Button("Measure it", size="sm", scale=0, min_width=110, elem_id="own-set-start")
            stop = gr.Button("Stop", interactive=False, size="sm", scale=0, min_width=80, elem_id="own-set-stop")
        measured = plain_html("", elem_id="own-set-measured")
    outputs, buttons = [visit, ranking, row, partner, measured], [measure, stop]
    at_once: dict[str, Any] = {"queue": False, **QUIET}
    in_turn: dict[str, Any] = {**OWN_CONCURRENCY, **QUIET}
    predicting = file.upload(lambda: WAITING, None, ranking, **at_once).then(handlers.predict, file, outputs, **in_turn)
    measuring = measure.click(lambda: [WAITING, *_BUTTONS[True]], None, [measured, *buttons], **at_once).then(
        handlers.measure, [visit, partner], [visit, measured, *buttons], **in_turn
    )
    # What is shown comes after the cancelling, because a generator that is cancelled sends its last value once more
    stopping = stop.click(None, None, None, cancels=[measuring], **at_once)
    stopping.then(handlers.stopped, visit, [measured, *buttons], **at_once)
    cleared = file.clear(None, None, None, cancels=[predicting, measuring], **at_once)
    cleared.then(handlers.nothing, None, [*outputs, *buttons], **at_once)
