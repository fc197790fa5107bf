"""Twenty visitors who drag at once: answers must be right and quick, and memory must not grow."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence

import numpy as np

from taskvec_demo.serve.artifacts import Artifacts
from taskvec_demo.serve.workbench import Workbench

from .context import TINY, Context, new_recipe
from .crowd import Answer, Visitor, client
from .measurement import Measurement, Peer, Target, in_turn, measured, median
from .processes import APP, Memory, Server, serving

TITLE = "Twenty visitors at once"
METHOD = (
    "Visitors without a browser use the page's own events over HTTP: each has a session and a clip of its own, drags "
    "for 1 to 3 s (which costs the server nothing), lets go, and asks for both models' answers for the clip; then the "
    "same with what the page also asks, exact figures on the labelled clips, which take most of the time. Every answer "
    "of the edited model is compared with a computation of its own in another process. Memory is that of the app's "
    "process (PSS): the first crowds fill the caches, whose sizes are bounded; the last one must leave no more."
)
VISITORS, DRAG_S = 20, (1.0, 3.0)
LIMIT_S, KEPT_LIMIT = 2.0, 1.05
TOLERANCE = 2e-3  # of a probability
CALM_S = 5  # after the last visitor has left


def run(context: Context) -> list[Measurement]:
    settles = context.repeats(6)
    numbers = itertools.count()
    with serving(APP, folder=context.folder) as app:
        app.model_open()

        def crowd(n: int, exact: bool) -> tuple[list[Answer], Memory]:
            answers = asyncio.run(_crowd(context, app, n, settles, numbers, exact))
            return answers, app.memory()

        _, before = crowd(1, True)  # the first visitor fills caches that all share
        clips_only, filled = crowd(VISITORS, False)
        with_exact, fuller = crowd(VISITORS, True)
        again, after = crowd(VISITORS, True)
    alone = Peer("the same alone", _alone(context), "times")
    found = []
    for what, answers in (("clip's answers only", clips_only), ("exact figures asked too", with_exact + again)):
        name = f"settle to exact predictions, {what}"
        seconds, limit = [answer.seconds for answer in answers], Target("at most", LIMIT_S)
        found.append(measured(name, "s", seconds, peer=alone, target=limit, note=f"{VISITORS} visitors"))
    answers = clips_only + with_exact + again
    wrong, mixed_up = _check(answers)
    note = f"{len(answers)} checked; {mixed_up} would be wrong for the next visitor"
    return [
        *found,
        measured("wrong answers", "answers", [wrong], target=Target("at most", 0), note=note),
        _kept("clip's answers only", filled, "before, one visitor was there", before),
        _kept("exact figures too", fuller, "before", filled),
        _kept("the same again", after, "before", fuller, Target("at most", KEPT_LIMIT, "ratio")),
    ]


def _kept(crowd: str, memory: Memory, before: str, level: Memory, target: Target | None = None) -> Measurement:
    name, peer = f"memory after a crowd left: {crowd}", Peer(before, level.pss, "times")
    return measured(name, "MiB", [memory.pss], peer=peer, target=target)


async def _crowd(
    context: Context, app: Server, n: int, settles: int, numbers: itertools.count, exact: bool
) -> list[Answer]:
    """All answers to `n` visitors, who opened the page at the same time, dragged and left."""
    rng = np.random.default_rng(0)
    features, names = context.tiny.checkpoint.features, list(context.tiny.vectors)

    async def visit(visitor: Visitor) -> list[Answer]:
        await visitor.open()
        for _ in range(settles):
            await asyncio.sleep(rng.uniform(*DRAG_S))
            chosen = rng.choice(names, rng.integers(1, 4), replace=False).tolist()
            await visitor.settle(new_recipe(context.tiny.name, chosen, 97 * next(numbers)), exact)
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
        best = max(exact, key=exact.__getitem__)
        return best == answer.label and abs(exact[best] - answer.probability) < TOLERANCE

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
