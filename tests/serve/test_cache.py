"""The shared cache: its bytes stay bounded, and nothing is made twice at once."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from taskvec_demo.serve.cache import BoundedCache


def cache(max_bytes):
    return BoundedCache(max_bytes, len)


def test_a_value_is_made_once_and_the_least_recently_used_goes_first():
    made = []

    def get(key):
        return kept.get(key, lambda: made.append(key) or key * 4)

    kept = cache(12)
    assert [get(k) for k in "abca"] == ["aaaa", "bbbb", "cccc", "aaaa"]
    assert made == ["a", "b", "c"]
    get("d")  # b was used longest ago
    assert "b" not in kept
    assert {"a", "c", "d"} == {k for k in "abcd" if k in kept}
    get("b")
    assert made == ["a", "b", "c", "d", "b"]


def test_what_is_larger_than_the_bound_is_handed_out_and_not_kept():
    kept = cache(3)
    kept.get("small", lambda: "xy")
    assert kept.get("large", lambda: "wxyz") == "wxyz"
    assert "large" not in kept
    assert "small" in kept  # and pushes nothing out


def test_bytes_stay_within_the_bound_under_threads():
    kept, seen = cache(100), []

    def ask(seed):
        draw = random.Random(seed)
        for _ in range(300):
            size = draw.randint(1, 40)
            assert kept.get(size, lambda size=size: "x" * size) == "x" * size
            seen.append(kept.nbytes)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(8)))
    assert 0 < max(seen) <= 100
    assert kept.nbytes == sum(size for size in range(41) if size in kept)


def test_threads_that_ask_at_once_get_one_value():
    kept, made, all_there = cache(100), [], threading.Barrier(6)
    started, go = threading.Event(), threading.Event()

    def make():
        made.append(threading.get_ident())
        started.set()
        assert go.wait(10)
        return "value"

    def ask(_):
        all_there.wait(10)
        return kept.get("key", make)

    with ThreadPoolExecutor(6) as pool:
        answers = pool.map(ask, range(6))
        assert started.wait(10)
        assert kept.get("other", lambda: "now") == "now"  # a value that is being made holds up no other
        go.set()
        assert list(answers) == ["value"] * 6
    assert len(made) == 1


def test_a_failure_reaches_its_askers_and_is_forgotten():
    kept = cache(100)

    def fail():
        raise ValueError("no")

    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            kept.get("key", fail)
    assert kept.get("key", lambda: "yes") == "yes"
