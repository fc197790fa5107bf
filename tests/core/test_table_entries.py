"""The verdict on an analogy names what it has to be compared with."""

from __future__ import annotations

from typing import Any

from taskvec_demo.core.table_entries import analogy_verdict


def recall(before: float, after: float | None, low: float = 0.6) -> dict[str, Any]:
    edited = {"accuracy": after, "low": low, "high": 0.9}
    return {"n": 40, "pretrained": {"accuracy": before, "low": 0.1, "high": 0.5}, "edited": edited}


def table(own: float | None, swapped: tuple[float, float], random: tuple[float, ...], before: float = 0.3) -> dict:
    names = zip(("analogy", "swapped A and B", "swapped A and C"), (own, *swapped), strict=True)
    rows = [{"name": name, "recall_d": recall(before, share)} for name, share in names]
    return {
        "works": False,
        "rows": rows,
        "random": [{"seed": i, "recall_d": recall(before, share)} for i, share in enumerate(random)],
    }


def test_what_reaches_the_interval_is_named_and_the_rest_is_a_range() -> None:
    said = analogy_verdict(table(0.8, (0.95, 0.2), (0.6, 0.4)))
    assert "80.0 % [60.0, 90.0]" in said
    assert "reaches that too: swapped A and B 95.0 %, random vector 1 60.0 %." in said
    assert said.endswith("stays at 20.0 to 40.0 %.")
    assert "no edit 70.0 %" in analogy_verdict(table(0.8, (0.2, 0.2), (0.2,), before=0.7))


def test_without_rivals_below_or_clips_nothing_is_made_up() -> None:
    assert analogy_verdict(table(0.8, (0.9, 0.9), (0.9,), before=0.9)).endswith("random vector 1 90.0 %.")
    assert "no test clip" in analogy_verdict(table(None, (0.9, 0.9), (0.9,)))


def test_an_analogy_that_works_says_beyond_what() -> None:
    assert analogy_verdict(table(0.8, (0.2, 0.2), (0.2,)) | {"works": True}).startswith("It works")
