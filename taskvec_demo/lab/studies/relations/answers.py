"""Answers in plain words to the four questions of Callebaut's thesis (2021), composed from the figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..wording import points_between, signed
from .claims import (
    Contents,
    agreement_of,
    all_properties,
    beats_chance,
    beats_majority,
    correlation,
    matrix_of,
    share_of_data,
)
from .gains import over_tasks

NAMED = 3  # pairings that an answer names


def answers(contents: Contents) -> list[dict[str, str]]:
    """Each a `question`, a short `answer`, and the figures that it rests on (`says`)."""
    return [
        _answer("Which unrelated audio tasks improve each other?", *_which(contents)),
        _answer("Can one tell in advance which partner helps?", *_what_predicts(contents)),
        _answer("Does it carry over to another kind of network?", *_another_network(contents)),
        _answer("Does it hold for more than two tasks at once?", *_more_tasks(contents)),
    ]


def _answer(question: str, answer: str, says: str) -> dict[str, str]:
    return {"question": question, "answer": answer, "says": says}


def _titles(contents: Contents) -> dict[str, str]:
    return {t["name"]: t["title"] for t in contents["tasks"]}


# ---- which tasks? ---------------------------------------------------------------------------------------------------
def _which(contents: Contents) -> tuple[str, str]:
    first, *others = (m for m in contents["matrices"] if m["name"] == contents["matrices"][0]["name"])
    n, helping = len(first["cells"]), [c for c in first["cells"] if c["significant"] and c["gain"] > 0]
    mutual = len({frozenset((c["task"], c["partner"])) for c in helping if _mirrored(c, helping)})
    both = "No pair helps both its tasks" if not mutual else f"In {mutual} of {n // 2} pairs both tasks gain"
    answer = f"{both}: of {n} pairings {_do(len(helping), 'help')} beyond chance and {_do(first['worse'], 'hurt')}."
    parts = [f"With {share_of_data(first)}:"]
    if helping:
        strongest = sorted(helping, key=lambda c: -c["gain"])[:NAMED]
        parts.append(f"{'; '.join(_cell(contents, c) for c in strongest)}.")
        unrelated = sum(not _related(contents, c) for c in helping)
        parts.append(f"Of those that help {unrelated} of {len(helping)} are of tasks that share no recordings.")
    else:
        best = max(first["cells"], key=lambda c: c["gain"])
        parts.append(f"the largest gain, {_cell(contents, best)}, is within what chance gives.")
    for m in others:
        parts.append(f"With {share_of_data(m)} {_do(m['better'], 'help')} and {_do(m['worse'], 'hurt')}.")
    return answer, " ".join(parts)


def _do(count: int, verb: str) -> str:
    """1 helps, 2 help, none helps"""
    return f"{count or 'none'} {verb}{'' if count > 1 else 's'}"


def _cell(contents: Contents, c: Mapping[str, Any]) -> str:
    titles = _titles(contents)
    same = ", the same recordings" if _related(contents, c) else ""
    return (
        f"“{titles[c['task']]}” with “{titles[c['partner']]}” {signed(100 * c['gain'])} points "
        f"({points_between(c['low'], c['high'])}, n = {c['n_clips']}{same})"
    )


def _related(contents: Contents, c: Mapping[str, Any]) -> bool:
    """Whether the two tasks are about clips of one set."""
    sets = {t["name"]: set(t["sets"]) for t in contents["tasks"]}
    return bool(sets[c["task"]] & sets[c["partner"]])


def _mirrored(c: Mapping[str, Any], among: Sequence[Mapping[str, Any]]) -> bool:
    return any((d["task"], d["partner"]) == (c["partner"], c["task"]) for d in among)


# ---- what predicts it? ----------------------------------------------------------------------------------------------
def _what_predicts(contents: Contents) -> tuple[str, str]:
    found, first = contents["predictors"], contents["matrices"][0]
    single = found["single"]
    marked = [s for s in single if s["significant"]]
    if beats_chance(found) and beats_majority(found):
        answer = "To some degree: properties of the tasks predict it better than chance and majority do."
    elif beats_chance(found):
        answer = "Not shown: the properties sort the pairings a little, and are right about as often as the majority."
    elif marked:
        answer = "Hardly: single properties do better than chance, all of them together do not."
    else:
        answer = "No: nothing that was tried predicts it beyond chance."
    best = marked or single[:1]
    told = "; ".join(f"“{s['features']}” {s['auc']:.2f} (p = {s['p']:.3f})" for s in best[:NAMED])
    listed = f": {told}" if marked else f"; the best is {told}"
    return answer, (
        f"{all_properties(found)} By themselves {len(marked)} of {len(single)} are beyond chance{listed}. Gains of two "
        f"halves of the seeds correlate at {first['split_half']['value']:.2f}: what does not repeat cannot be told."
    )


# ---- another network? -----------------------------------------------------------------------------------------------
def _another_network(contents: Contents) -> tuple[str, str]:
    first = contents["matrices"][0]
    other = matrix_of(contents, "cnn")
    agreed = agreement_of(contents, first["name"], "cnn")
    if other is None or agreed is None:
        return "Not measured.", "There is one network only."
    if agreed["low"] > 0:
        answer = "In part: a small convolutional network ranks the pairings alike."
    elif agreed["high"] < 0:
        answer = "No: a small convolutional network ranks the pairings the other way round."
    else:
        answer = "Not shown: the rankings by the two networks may be unrelated."
    sure = [c for c in first["cells"] if c["significant"]]
    there = {(c["task"], c["partner"]): c["gain"] for c in other["cells"]}
    same = sum(there[c["task"], c["partner"]] * c["gain"] > 0 for c in sure)
    held = f" Of the {len(sure)} pairings beyond chance {same} keep their sign." if sure else ""
    return answer, (
        f"The rank correlation of the two matrices is {correlation(agreed)}; n = {agreed['cells']} pairings of "
        f"{agreed['tasks']} tasks; two halves of the seeds of the first network correlate at "
        f"{first['split_half']['value']:.2f}.{held} With the second network {_do(other['better'], 'help')} and "
        f"{_do(other['worse'], 'hurt')} beyond chance; the mean gain is {signed(100 * other['mean']['value'])} points "
        f"({signed(100 * first['mean']['value'])} with the first)."
    )


# ---- larger combinations? -------------------------------------------------------------------------------------------
def _more_tasks(contents: Contents) -> tuple[str, str]:
    triples = contents["triples"]
    best, worst = ([t for t in triples if t["kind"] == kind] for kind in ("best", "worst"))
    tasks = [t["task"] for t in best]
    gains = np.array([t["gain"] for t in best])
    apart = over_tasks(tasks, _mean(gains - [t["gain"] for t in worst]))
    over = over_tasks(tasks, _mean(gains - [np.mean(t["pairs"]) for t in best]))
    if apart.low > 0:
        answer = "Yes: partners that help one by one help together too, more than those that do not."
    elif apart.high < 0:
        answer = "No: with the partners that helped one by one a task does worse than with the others."
    else:
        answer = "It cannot be told: good and bad partners, two at once, differ by no more than chance."
    marked = sum(t["significant"] for t in triples)
    return answer, (
        f"With the two partners at once that are best on validation clips a task gains {signed(100 * gains.mean())} "
        f"points on average: {signed(100 * over.value)} ({points_between(over.low, over.high)}) against the mean of "
        f"what it gains with one of them, and {signed(100 * apart.value)} ({points_between(apart.low, apart.high)}) "
        f"against its two worst partners; n = {len(tasks)} tasks. Beyond chance are {marked} of {len(triples)} triples."
    )


def _mean(values: np.ndarray) -> Any:
    return lambda places: float(values[places].mean())
