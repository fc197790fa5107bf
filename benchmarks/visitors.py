"""Twenty visitors who drag at once: right answers, soon, and no memory kept."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence

import numpy as np

from taskvec_demo.artifacts import Artifacts
from taskvec_demo.session import Workbench

from .context import TINY, Context, new_recipe
from .crowd import Answer, Visitor, client
from .measurement import Measurement, Peer, Target, in_turn, measured, median
from .processes import APP, Memory, Server, serving

TITLE = "Twenty visitors at once"
METHOD = (
    "Visitors without a browser use the page's own events over HTTP: each has a session and a clip of its own, drags "
    "for 1 to 3 s (which costs the server nothing), lets go, and asks what the page asks: both models' answers for the "
    "clip and exact figures on the labelled clips. Every answer of the edited model is compared with a computation of "
    "its own in another process. Memory is that of the app's process, its share of shared pages included: a first crowd "
    "fills the caches, whose sizes are bounded; a second one must leave no more."
)
VISITORS, DRAG_S = 20, (1.0, 3.0)
LIMIT_S, KEPT_LIMIT = 2.0, 1.05
TOLERANCE = 2e-3  # of a probability
CALM_S = 5  # after the last visitor has left


def run(context: Context) -> list[Measurement]:
    settles = context.repeats(6)
    numbers = itertools.count()
    with serving(APP, folder=context.folder) as app:
        asyncio.run(_crowd(context, app, 1, 2, numbers))  # what the first visitor leaves is everyone's
        before = app.memory()
        first = asyncio.run(_crowd(context, app, VISITORS, settles, numbers))
        filled = app.memory()
        second = asyncio.run(_crowd(context, app, VISITORS, settles, numbers))
        after = app.memory()
    answers = first + second
    wrong, mixed_up = _check(answers)
    alone = _alone(context)
    seconds = [answer.seconds for answer in answers]
    note = f"{VISITORS} visitors, {settles} settles each, twice"
    return [
        measured("settle to exact predictions", "s", seconds, target=Target("at most", LIMIT_S), note=note),
        measured("settle to exact predictions", "s", seconds, peer=Peer("the same computation alone", alone, "times")),
        measured(
            "wrong answers",
            "answers",
            [wrong],
            target=Target("at most", 0),
            note=f"{len(answers)} checked; held against another visitor's, {mixed_up} would be wrong",
        ),
        *_kept(before, filled, after),
    ]


def _kept(before: Memory, filled: Memory, after: Memory) -> list[Measurement]:
    return [
        measured(
            "memory after the first crowd left",
            "MiB",
            [filled.pss],
            peer=Peer("before it, one visitor was there", before.pss, "times"),
        ),
        measured(
            "memory after the second crowd left",
            "MiB",
            [after.pss],
            peer=Peer("after the first", filled.pss, "times"),
            target=Target("at most", KEPT_LIMIT, "ratio"),
        ),
    ]


async def _crowd(context: Context, app: Server, n: int, settles: int, numbers: itertools.count) -> list[Answer]:
    """All answers that `n` visitors got who opened the page at the same time, dragged and left."""
    rng = np.random.default_rng(0)
    features, names = context.tiny.checkpoint.features, list(context.tiny.vectors)

    async def visit(visitor: Visitor) -> list[Answer]:
        await visitor.open()
        for _ in range(settles):
            await asyncio.sleep(rng.uniform(*DRAG_S))
            chosen = rng.choice(names, rng.integers(1, 4), replace=False).tolist()
            await visitor.settle(new_recipe(context.tiny.name, chosen, 97 * next(numbers)))
        await visitor.leave()
        return visitor.answers

    clips = [context.clip(300_000 + i, features.sample_rate, 5) for i in range(n)]
    async with client(app.url) as http:
        found = await asyncio.gather(*(visit(Visitor(http, clip)) for clip in clips))
    await asyncio.sleep(CALM_S)
    return [answer for answers in found for answer in answers]


def _check(answers: Sequence[Answer]) -> tuple[int, int]:
    """(wrong answers, answers that would be wrong for the next visitor): the second shows that the check can fail."""
    workbench = Workbench(Artifacts(TINY))

    def fits(answer: Answer, asked: Answer) -> bool:
        exact = workbench.classify(asked.clip, asked.recipe, asked.labels).edited
        best = sorted(exact, key=exact.__getitem__, reverse=True)[: len(answer.told)]
        told = dict(answer.told)
        near = all(abs(exact[label] - told.get(label, -1)) < TOLERANCE for label in best)
        return near and best[0] == answer.told[0][0]

    turned = [*answers[1:], answers[0]]
    return (
        sum(not fits(answer, answer) for answer in answers),
        sum(not fits(answer, other) for answer, other in zip(answers, turned, strict=True)),
    )


def _alone(context: Context) -> float:
    """Seconds of one classification of a known clip under a new recipe, with nobody else there."""
    workbench, numbers = context.tiny, itertools.count(50)
    names = list(workbench.vectors)[:2]
    clip = context.clip(300_000, workbench.checkpoint.features.sample_rate, 5)
    way = {"alone": lambda: workbench.classify(clip, new_recipe(workbench.name, names, next(numbers)))}
    return median(in_turn(way, context.repeats(15), scale=1)["alone"])
