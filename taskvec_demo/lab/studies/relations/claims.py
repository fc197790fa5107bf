"""What the study was to show: each claim with its figures, and whether they reach what was set beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..wording import claim_entry, points_between, signed
from .vectors import ERROR, SUM

HALVES = 0.6  # correlation of the gains of two halves of the seeds, with the least data
FALSE_ALARMS = 0.05  # of the test against the majority
UNMEASURED = "Not measured here: the command was run without --artifacts, so without task vectors."

Contents = Mapping[str, Any]


def claims(contents: Contents) -> list[dict[str, Any]]:
    """From the figures of `study.json`; each is an entry of `wording.claim_entry`."""
    gains = [m for m in contents["matrices"] if m["measure"] == "gain"]
    first = gains[0]["name"]
    compared = [
        _agree(contents, first, SUM, "Joint training and sums of task vectors rank the pairings alike."),
        _agree(contents, first, ERROR, "Pairs that learn well together have vectors that disturb each other little."),
        _agree(contents, SUM, ERROR, "Sums gain more where vectors disturb each other little."),
    ]
    return [_halves(contents), *(_beyond_chance(m) for m in gains), *compared, _predicted(contents["predictors"])]


def matrix_of(contents: Contents, name: str) -> dict[str, Any] | None:
    """The matrix of this name; of several the one with the least data, which comes first."""
    return next((m for m in contents["matrices"] if m["name"] == name), None)


def agreement_of(contents: Contents, a: str, b: str) -> dict[str, Any] | None:
    """How alike two matrices rank the pairings; of several shares of the data the least."""
    wanted = {(m["name"], m["fraction"]) for m in (matrix_of(contents, a), matrix_of(contents, b)) if m}
    for entry in contents["agreement"]:
        if {(m["name"], m["fraction"]) for m in entry["matrices"]} == wanted:
            return entry
    return None


def share_of_data(matrix: Mapping[str, Any]) -> str:
    """In words: 10 % of the data"""
    return f"{100 * matrix['fraction']:.0f} % of the data"


def correlation(entry: Mapping[str, Any]) -> str:
    """0.45 (95 % 0.31 to 0.60)"""
    value, low, high = (f"{entry[k]:.2f}".replace("-", "−") for k in ("value", "low", "high"))
    return f"{value} (95 % {low} to {high})"


def one_sided(entry: Mapping[str, Any], limit: float = 0.0) -> bool:
    """Whether the whole interval lies on one side."""
    return bool(entry["low"] >= limit or entry["high"] < limit)


def _halves(contents: Contents) -> dict[str, Any]:
    first = contents["matrices"][0]
    halves = first["split_half"]
    return claim_entry(
        "halves",
        f"Halves of the seeds agree: with {share_of_data(first)} their gains correlate at {HALVES} or more.",
        halves["value"] >= HALVES,
        f"They correlate at {correlation(halves)}; n = {len(first['cells'])} pairings of {len(first['tasks'])} tasks, "
        f"{contents['seeds']} seeds in all their halvings. Both halves answer the same test clips.",
        halves,
        sure=one_sided(halves, HALVES),
    )


def _beyond_chance(m: Mapping[str, Any]) -> dict[str, Any]:
    n, mean = len(m["cells"]), m["mean"]
    more = n - m["better"] - m["worse"] - m["covering_zero"]
    others = f", of {more} more it leaves 0 out by itself but not counting all pairings" if more else ""
    figures = {k: m[k] for k in ("better", "worse", "covering_zero")} | {"n": n, "mean": mean}
    return claim_entry(
        f"significant-{m['name']}-{100 * m['fraction']:.0f}",
        f"{m['title']}, {share_of_data(m)}: some pairings change a task beyond chance.",
        m["better"] + m["worse"] > 0,
        f"Of {n} pairings {m['better']} help and {m['worse']} hurt: sign flips (Benjamini–Hochberg at 5 %) "
        f"and the interval say so. Of {m['covering_zero']} the 95 % interval holds 0{others}. The mean gain is "
        f"{signed(100 * mean['value'])} points ({points_between(mean['low'], mean['high'])}, {len(m['tasks'])} tasks).",
        figures,
    )


def _agree(contents: Contents, a: str, b: str, claim: str) -> dict[str, Any]:
    name = f"agree-{a}-{b}"
    if not (matrix_of(contents, a) and matrix_of(contents, b)):
        return claim_entry(name, claim, None, UNMEASURED, {})
    entry = agreement_of(contents, a, b)
    if entry is None:
        return claim_entry(name, claim, None, "Not measured here: the matrices share too few tasks.", {})
    return claim_entry(
        name,
        claim,
        entry["low"] > 0,
        f"Their rank correlation is {correlation(entry)}, little disturbance counting as high; asked was an interval "
        f"above 0. n = {entry['cells']} pairings of {entry['tasks']} tasks.",
        entry,
        sure=one_sided(entry) or entry["value"] <= 0,
    )


def _predicted(found: Mapping[str, Any]) -> dict[str, Any]:
    together = found["together"]
    return claim_entry(
        "predicted",
        "Properties of data and learning curves tell which pairings gain better than chance and majority do.",
        beats_chance(found) and beats_majority(found),
        f"{all_properties(found)} {found['positive']} of the pairings gain.",
        {**together, "majority": found["majority"]},
        sure=not beats_chance(found) or beats_majority(found) or found["majority"]["accuracy"] > together["accuracy"],
    )


def beats_chance(found: Mapping[str, Any]) -> bool:
    """Whether all properties together sort the pairings better than 95 % of shuffled gains do."""
    return bool(found["together"]["auc"] > found["together"]["null_95"])


def beats_majority(found: Mapping[str, Any]) -> bool:
    """Whether all properties together are right more often than always saying what is more frequent, beyond chance."""
    return bool(found["together"]["accuracy"] > found["majority"]["accuracy"] and found["majority"]["p"] < FALSE_ALARMS)


def all_properties(found: Mapping[str, Any]) -> str:
    """How well all properties together predict, beside what chance and the majority reach."""
    together = found["together"]
    return (
        f"With each task left out in turn, all properties together reach an AUC of {together['auc']:.2f} (of shuffled "
        f"gains 95 % stay below {together['null_95']:.2f}, p = {together['p']:.3f}). They are right on "
        f"{100 * together['accuracy']:.0f} % of the pairings; always saying what is more frequent is right on "
        f"{100 * found['majority']['accuracy']:.0f} % (McNemar p = {found['majority']['p']:.3f}). "
        f"n = {found['pairs']} pairings of {found['tasks']} tasks."
    )
