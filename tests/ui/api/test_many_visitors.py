"""Programs that ask at the same time get the answers that they would get alone."""

from __future__ import annotations

import itertools
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from taskvec_demo.core.recipe import Recipe
from tests.support.api_client import classify, close, recipe
from tests.support.paths import ARTIFACTS

pytestmark = pytest.mark.browser  # as slow as the browser: it needs the running app


def test_many_visitors_at_once_get_the_answers_of_one_alone(client, workbench, quiet_log):
    rng, names = random.Random(0), list(workbench.vectors)
    recipes = [{name: round(rng.uniform(-1, 1), 2) for name in rng.sample(names, 1 + i % 3)} for i in range(20)]
    clips = sorted((ARTIFACTS / "examples").iterdir())
    calls = [(clips[i % len(clips)], r) for i, r in enumerate(recipes * 4)]
    rng.shuffle(calls)
    inside, most, lock = 0, 0, threading.Lock()

    def call(job):
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        try:
            return classify(client, job[0], recipe(**job[1]))
        finally:
            with lock:
                inside -= 1

    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(call, calls))
    assert most > 8, "the calls did not overlap"
    expected = {}
    for clip, coefficients in calls:
        key = clip, tuple(coefficients.items())
        if key not in expected:
            expected[key] = workbench.classify(clip, Recipe("tiny-clap", coefficients))
    wrong = 0
    for (clip, coefficients), answer in zip(calls, answers, strict=True):
        alone = expected[clip, tuple(coefficients.items())]
        wrong += not (close(answer["edited"], alone.edited) and close(answer["pretrained"], alone.pretrained))
    assert wrong == 0
    same_clip = [workbench.classify(clips[0], Recipe("tiny-clap", r)).edited for r in recipes]  # negative control
    assert not any(close(a, b) for a, b in itertools.combinations(same_clip, 2))


def test_the_app_asked_nothing_of_other_machines(server):
    assert server.outside_requests == ""
