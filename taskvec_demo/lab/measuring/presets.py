"""Recipes worth showing, with a sentence on their test figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...core.evaluation import CONTROL_KEPT, FORGOTTEN, LEARNED, percent
from ...core.recipe import Recipe
from ...core.table_entries import analogy_verdict
from ..data.study import Study
from .table_contents import AnswerBook

SIGNIFICANT = 0.05  # above this p of McNemar's test, an edit made no difference
SUMS = {
    "two": ("learn_two", "Learn {pair}", "Addition of two vectors, each with its own λ."),
    "all": ("learn_all", "Learn all", "Addition of all vectors with one λ."),
}
CHOSEN = "λ was chosen on validation."


def preset_entries(
    study: Study, contents: Mapping[str, Mapping[str, Any]], books: Mapping[str, AnswerBook]
) -> list[dict]:
    """The entries of `tables/presets.json` from the tables negation, addition and analogy.

    Each explanation says what the test clips show, above all if the edit does not do what its title promises.
    """
    entries = []

    def add(table: str, edit: str, name: str, title: str, explanation: str) -> None:
        book = books[table]
        recipe = Recipe(book.checkpoint_name, book.edits[edit])
        entries.append(
            {
                "name": name,
                "title": title,
                "explanation": explanation,
                "recipe": recipe.to_dict(),
                "test": book.results(edit, study.tasks),
            }
        )

    others = [row for row in contents["negation"].get("others", []) if row["holds_on_validation"] and _forgotten(row)]
    for row in [*contents["negation"]["rows"], *others]:
        vector = row["vector"]
        add(
            "negation",
            f"forget {vector}",
            f"forget_{vector}",
            f"Forget {vector}",
            f"Negation. {CHOSEN} {_forgetting(row)}",
        )
    for row in contents["addition"]["rows"]:
        if row["name"] in SUMS:
            name, title, what = SUMS[row["name"]]
            title = title.format(pair=" + ".join(study.pair))
            add("addition", row["name"], name, title, f"{what} {CHOSEN} {_learning(row, study)}")
    a, b, c, d = (_person(name) for name in study.analogy)
    what = f"{a.capitalize()} is to {b} as {c} is to {d}: τ_B + τ_C − τ_A, none of them trained on {d}."
    add("analogy", "analogy", "analogy", f"Analogy: {d}", f"{what} {CHOSEN} {_solving(contents['analogy'])}")
    return entries


def _person(name: str) -> str:
    """female_sad -> a sad woman"""
    gender, emotion = name.split("_")
    return f"a {emotion} {'woman' if gender == 'female' else 'man'}"


def _percent(share: float | None) -> str:
    return "no" if share is None else f"{percent(share)} %"


def _apart(row: Mapping[str, Any]) -> str:
    if "control_apart" not in row:
        return ""
    shared = ", ".join(f"“{name.replace('_', ' ')}”" for name in row["shared"])
    return f" It shares {shared} with the task; the rest of it goes {_change(row['control_apart'])}."


def _change(entry: Mapping[str, Any]) -> str:
    return f"from {_percent(entry['pretrained']['accuracy'])} to {_percent(entry['edited']['accuracy'])}"


def _control(row: Mapping[str, Any]) -> str:
    entry = row["control"]
    before, after = (entry[m]["accuracy"] for m in ("pretrained", "edited"))
    if "recall_d" in row:  # the rule of the analogy does not ask for the control
        return f"The control goes {_change(entry)}."
    if not row["holds_on_validation"]:
        return f"No λ of the grid keeps 95 % of the control on validation; this one keeps most ({_change(entry)})."
    if before and after < CONTROL_KEPT * before:
        return f"The control, held on validation, falls below 95 % on test: {_change(entry)}.{_apart(row)}"
    return f"The control holds: {_change(entry)}."


def _forgotten(row: Mapping[str, Any]) -> bool:
    """Half or more of what was known."""
    entry = row["target"]
    before, after = (entry[m]["accuracy"] for m in ("pretrained", "edited"))
    return bool(before) and entry["mcnemar_p"] <= SIGNIFICANT and after <= FORGOTTEN * before


def _forgetting(row: Mapping[str, Any]) -> str:
    entry = row["target"]
    before, after = (entry[m]["accuracy"] for m in ("pretrained", "edited"))
    if entry["mcnemar_p"] > SIGNIFICANT or after >= before:
        verdict = "It does not forget: no more than chance explains."
    else:
        verdict = "It forgets half or more." if _forgotten(row) else "It forgets less than half."
    return f"On test the task goes {_change(entry)}. {verdict} {_control(row)}"


def _learning(row: Mapping[str, Any], study: Study) -> str:
    worst = min(row["tasks"], key=lambda e: e["normalized"] if e["normalized"] is not None else -1.0)
    title = study.tasks[worst["task"]].title.lower()
    share = worst["normalized"] or 0.0
    found = f"has {_percent(share)} of the accuracy of its own vector"
    if share and (before := worst["pretrained"]["accuracy"] * share / worst["edited"]["accuracy"]):
        found += f" ({_percent(before)} without any edit)"
    if share >= LEARNED:
        return f"On test every task does well: the worst, {title}, {found}. {_control(row)}"
    return f"On test the tasks get in each other's way: the worst, {title}, {found}. {_control(row)}"


def _solving(content: Mapping[str, Any]) -> str:
    row = content["rows"][0]
    recall, four = row["recall_d"], row["four_classes"]
    return (
        f"On test the recall of D goes {_change(recall)} (n = {recall['n']}), the accuracy of the four classes "
        f"{_change(four)}. {analogy_verdict(content)} {_control(row)}"
    )
