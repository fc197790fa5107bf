"""Figures of the measured tables in words, the same on the page and in the model card.

An entry holds `n` and, under "pretrained" and "edited", an accuracy with its interval (`Accuracy.to_dict`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .evaluation import percent

NO_CLIPS = "–"


def tenths(share: float | None) -> str:
    """Percent with one decimal."""
    return NO_CLIPS if share is None else f"{100 * share:.1f}"


def interval(accuracy: Mapping[str, Any]) -> str:
    """The 95 % interval of an accuracy in percent: [16.9, 22.3]"""
    return f"[{tenths(accuracy['low'])}, {tenths(accuracy['high'])}]"


def kept(entry: Mapping[str, Any]) -> str | None:
    """The whole percent of the pre-trained accuracy that is left; none where there was nothing to keep."""
    before, after = (entry[model]["accuracy"] for model in ("pretrained", "edited"))
    return percent(after / before) if before else None


def analogy_verdict(table: Mapping[str, Any]) -> str:
    """Whether the analogy of the table works; where it does not, what else reaches the interval of its recall of D."""
    if table["works"]:
        return (
            "It works on these clips: its recall of D, down to the lower end of its interval, is above that of no "
            "edit, of the swapped sums and of every random vector."
        )
    own, *swapped = table["rows"]
    found = own["recall_d"]["edited"]
    if found["accuracy"] is None:
        return "It does not clearly work: there is no test clip of D."
    shares = {"no edit": own["recall_d"]["pretrained"]["accuracy"]}
    shares |= {row["name"]: row["recall_d"]["edited"]["accuracy"] for row in swapped}
    shares |= {f"random vector {row['seed'] + 1}": row["recall_d"]["edited"]["accuracy"] for row in table["random"]}
    rivals = [f"{name} {tenths(share)} %" for name, share in shares.items() if share >= found["low"]]
    below = [share for share in shares.values() if share < found["low"]]
    rest = f" What else it is compared with stays at {tenths(min(below))} to {tenths(max(below))} %." if below else ""
    return (
        f"It does not clearly work: its recall of D is {tenths(found['accuracy'])} % {interval(found)}, and what "
        f"should not work reaches that too: {', '.join(rivals)}.{rest}"
    )
