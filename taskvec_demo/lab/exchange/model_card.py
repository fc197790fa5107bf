"""The model card of a folder of artifacts, written from its own tables: every figure with n and its interval.

Text on one checkpoint only comes from the `card` of its study, which has no figure of the tables. The part above its
line `<!-- figures -->` stands before the figures; the part below ends the section "What it cannot do".
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ...core.files import sha256_of, whole_file
from ...core.surface import LogitSurface
from ...core.table_entries import analogy_verdict, interval, kept, tenths
from ...serve.artifacts import Artifacts, read_json, write_json
from ..data.experiment import PRETRAINED, check_study
from ..data.study import Study

CARD = "README.md"
FIGURES = "<!-- figures -->"
LIMITS = """- It always answers with one of the labels that it is given. For any other sound it names the nearest
  label, often with confidence.
- Intervals count clips as independent. Clips of one source are not, so the true uncertainty is wider.
- It was never tested for fairness across speakers; do not use it to judge people."""


def write_model_card(study: Study, name: str, sha256: str, out: Path) -> None:
    """Write `out`/README.md. `name` and `sha256` are those of the pre-trained checkpoint."""
    with whole_file(out / CARD) as temporary:
        temporary.write_text(model_card(study, name, sha256, out), encoding="utf-8")


def model_card(study: Study, name: str, sha256: str, out: Path) -> str:
    """The text of the card, with the front matter that the hub reads."""
    pretrained = read_json(out / PRETRAINED) if (out / PRETRAINED).is_file() else {}
    base = pretrained.get("repo")
    origin = f"`{pretrained['spec']}`" if pretrained else f"`{name}`, trained by this project"
    if base:
        origin += f", revision `{pretrained['revision']}`"
    tables = {path.stem: read_json(path) for path in (out / "tables").glob("*.json")}
    own = study.card.read_text(encoding="utf-8") if study.card and not pretrained else ""  # of no other checkpoint
    before, _, after = own.partition(FIGURES)
    parts = [
        _front_matter(base),
        f"# Task vectors of {name}",
        f"Task vectors (fine-tuned minus pre-trained weights) of the CLAP checkpoint {origin}, with zero-shot heads, "
        f"logit surfaces and measured tables, made by `python -m taskvec_demo build --study {study.name}`. "
        "`python -m taskvec_demo card` writes this text from the tables.",
        "Open them in the app:",
        "    python app.py --artifacts USER/REPO",
        f"SHA-256 of the pre-trained weights: `{sha256}`. The vectors fit no others.",
        before.strip(),
        "## Figures",
        "On test clips that no training used; accuracy in percent, 95 % Wilson interval in brackets. λ was chosen on "
        "validation clips. `python -m taskvec_demo data check` tells where the splits share sources.",
        _recipes(tables["vectors"], tables["presets"]),
        _negation(tables["negation"], tables["presets"]),
        _addition(tables["addition"]),
        _analogy(tables["analogy"]),
        _estimates(study, out),
        _rewordings(tables["rewordings"]) if "rewordings" in tables else "",
        "## What it cannot do",
        f"{LIMITS}\n{after.strip()}".strip(),
        "## Sources: recordings and texts",
        "\n".join(f"- {source}, {author}: {licence}" for source, author, licence in study.sources),
        "None of them is in this repository. The weights were trained on them, so the strictest of these licences "
        "applies to their use.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _front_matter(base: str | None) -> str:
    lines = ["---", "library_name: transformers", "pipeline_tag: zero-shot-audio-classification", "language: en"]
    # Recordings under many licences went in; none of the hub's names fits them all.
    lines += ["license: other", "license_name: strictest-of-the-sources"]
    lines += [f"base_model: {base}"] if base else []
    return "\n".join([*lines, "tags:", *(f"  - {t}" for t in ("clap", "task-arithmetic", "task-vectors")), "---"])


# ---- cells ----------------------------------------------------------------------------------------------------------


def _accuracy(figures: Mapping[str, Any]) -> str:
    return "none" if figures["accuracy"] is None else f"{tenths(figures['accuracy'])} {interval(figures)}"


def _change(entry: Mapping[str, Any]) -> str:
    return f"{_accuracy(entry['pretrained'])} → {_accuracy(entry['edited'])}, n = {entry['n']}"


def _kept(control: Mapping[str, Any]) -> str:
    share = kept(control)
    return "none kept" if share is None else f"{share} % kept"


def _coefficients(coefficients: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:+.2f}" for name, value in coefficients.items())


def _markdown(title: str, head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [" | ".join(head), " | ".join("---" for _ in head), *(" | ".join(r) for r in rows)]
    return f"### {title}\n\n" + "\n".join(f"| {line} |" for line in lines)


# ---- sections -------------------------------------------------------------------------------------------------------


def _recipes(vectors: Mapping[str, Any], presets: list[Mapping[str, Any]]) -> str:
    tasks = vectors["rows"][0]["tasks"]
    rows = [["pre-trained", "", *(_accuracy(entry["pretrained"]) for entry in tasks)]]
    for row in vectors["rows"]:
        alone = ", projection alone" if row.get("projection_alone") else ""
        rows.append(
            [
                f"τ {row['vector']}, norm {row['norm']:.2f}{alone}",
                "1.00",
                *(_accuracy(e["edited"]) for e in row["tasks"]),
            ]
        )
    for preset in presets:
        by_task = {entry["task"]: _accuracy(entry["edited"]) for entry in preset["test"]}
        λ = _coefficients(preset["recipe"]["coefficients"])
        rows.append([preset["title"], λ, *(by_task.get(entry["task"], "") for entry in tasks)])
    head = ["model", "λ", *(f"{entry['task']} (n = {entry['n']})" for entry in tasks)]
    return _markdown("Every vector at λ = 1, and every recipe that was chosen on validation", head, rows)


BASELINES = {
    "plain": "fine-tuned without rehearsal, at a λ of its own",
    "random": "random vector of the same size",
    "gradient_ascent": "gradient ascent, same rule",
    "gradient_ascent_last": "gradient ascent, to its end",
}


def _negation(table: Mapping[str, Any], presets: list[Mapping[str, Any]]) -> str:
    rows, notes = [], []
    for row in [*table["rows"], *table.get("others", [])]:
        λ = _coefficients(row["coefficients"])
        rows.append([row["vector"], λ, _change(row["target"]), _change(row["control"]), _kept(row["control"])])
        for kind, title in BASELINES.items():
            found = row.get(kind) or []
            for other in found if isinstance(found, list) else [found]:
                λ = "" if kind.startswith("gradient") else f"{next(iter(other['coefficients'].values())):+.2f}"
                rows.append([title, λ, _change(other["target"]), _change(other["control"]), _kept(other["control"])])
        if row.get("shared"):
            apart = row["control_apart"]
            notes.append(
                f"- {row['vector']}: the control has {', '.join(row['shared'])} too. Without what both have, the "
                f"control changes from {_change(apart)}."
            )
        notes += _classes_left(row, presets)
    head = ["vector", "λ", "target", "control", "of the control"]
    return _markdown("Forgetting by negation", head, rows) + "\n\n" * bool(notes) + "\n".join(notes)


def _classes_left(row: Mapping[str, Any], presets: list[Mapping[str, Any]]) -> list[str]:
    """The classes of the target that keep more than half of their recall."""
    for preset in presets:
        if preset["recipe"]["coefficients"] == row["coefficients"]:
            task = next(entry for entry in preset["test"] if entry["task"] == row["target"]["task"])
            recalls = [(c["class"], c["pretrained"]["accuracy"], c["edited"]["accuracy"]) for c in task["per_class"]]
            known = [(name, before, after) for name, before, after in recalls if before and after is not None]
            left = [f"{n} ({100 * b:.0f} → {100 * a:.0f} %)" for n, b, a in known if a > b / 2]
            of = f"of the {len(known)} classes of which the pre-trained model names any clip correctly"
            return [f"- {row['vector']}: {of}, {len(known) - len(left)} lose half or more. " + _others(left)]
    return []


def _others(left: list[str]) -> str:
    return f"The others: {', '.join(left)}." if left else ""


def _normalized(entry: Mapping[str, Any]) -> str:
    if entry["normalized"] is None:
        return "not normalized, as the task's own vector knows nothing of it"
    return f"normalized {entry['normalized']:.2f}"


def _addition(table: Mapping[str, Any]) -> str:
    named = [(row["name"], _coefficients(row["coefficients"]), row) for row in table["rows"]]
    named += [("joint fine-tuning", "", table["joint"])] if table.get("joint") else []
    rows = []
    for name, λ, row in named:
        tasks = "; ".join(f"{e['task']} {_change(e)}, {_normalized(e)}" for e in row["tasks"])
        rows.append([name, λ, tasks, _change(row["control"]), _kept(row["control"])])
    about = "\n\nNormalized: the accuracy divided by that of the task's own vector at λ = 1."
    entries = [entry for row in table["rows"] for entry in row["tasks"] if entry["normalized"]]
    shares = [e["pretrained"]["accuracy"] * e["normalized"] / e["edited"]["accuracy"] for e in entries]
    about += f" Without any edit it is {min(shares):.2f} to {max(shares):.2f}." if shares else ""
    return _markdown("Learning by addition", ["sum", "λ", "tasks", "control", "of the control"], rows) + about


def _analogy(table: Mapping[str, Any]) -> str:
    rows = [
        [r["name"], _coefficients(r["coefficients"]), _change(r["recall_d"]), _change(r["control"])]
        for r in table["rows"]
    ]
    title = f"Analogy: {table['a']} is to {table['b']} as {table['c']} is to {table['d']}"
    text = analogy_verdict(table)
    if as_paper := [(r["name"], r["as_the_paper_d"]) for r in table["rows"] if r.get("as_the_paper_d")]:
        text += " As the paper measures it, D as “something” among the labels of the control: "
        text += "; ".join(f"{name} {_change(entry)}" for name, entry in as_paper) + "."
    return _markdown(title, ["order", "λ", "recall of D", "control"], rows) + "\n\n" + text


def _estimates(study: Study, out: Path) -> str:
    """The error of the bars that the page shows while a slider moves."""
    rows, n = [], 0
    for task in study.tasks.values():
        if (file := out / "surfaces" / f"{task.name}.validation.safetensors").is_file():
            surface = LogitSurface.load(file)
            n = surface.n_held_out
            errors = (f"{100 * surface.error:.1f}", f"{100 * surface.class_error:.1f}")
            rows.append([task.name, str(len(surface.labels)), *errors])
    if not rows:
        return ""
    head = ["task", "validation clips", "accuracy", "accuracy of single classes"]
    title = "Estimates while a slider moves: mean absolute error in points"
    return _markdown(title, head, rows) + f"\n\nMeasured on {n} recipes that the surfaces were not fitted on."


def _rewordings(table: Mapping[str, Any]) -> str:
    rates = {name: entry for name, entry in table["phrases"].items() if isinstance(entry, Mapping) and "rate" in entry}
    rows = [[name, f"{tenths(e['rate'])} {interval(e)}", str(e["n"])] for name, e in rates.items()]
    sets, (low, high) = table["control"], table["control"]["reworded_95_percent_of_sets"]
    text = (
        f"With all labels of the control reworded at once, the accuracy on {sets['n_clips']} test clips is "
        f"{100 * sets['reworded']:.0f} % on average over {sets['n_label_sets']} draws (95 % of them {100 * low:.0f} to "
        f"{100 * high:.0f} %); with the canonical labels it is {100 * sets['canonical']:.1f} %."
    )
    if far := table.get("far_fetched"):  # older tables have none
        rows.append(["far-fetched, not among all", f"{tenths(far['rate'])} {interval(far)}", str(far["n"])])
        text += " The far-fetched phrases are of validation: settings of training may have been chosen on them."
    title = "Other words: phrases that no training used, nearest to their own label among the task's"
    return _markdown(title, ["labels", "share in percent", "n"], rows) + "\n\n" + text


# ---- the command ----------------------------------------------------------------------------------------------------


def run(options: argparse.Namespace, study: Study) -> None:
    """`python -m taskvec_demo card`: write the card of a built folder anew, and its hash into the manifest.

    Raises TaskVecError if the folder has other tasks than `study`, whose sources and licences the card would name.
    """
    check_study(options.artifacts, study)
    artifacts = Artifacts(options.artifacts, verify=False)
    write_model_card(study, artifacts.name, artifacts.pretrained_sha256, options.artifacts)
    manifest = artifacts.manifest | {"files": artifacts.files | {CARD: sha256_of(options.artifacts / CARD)}}
    write_json(options.artifacts / "manifest.json", manifest)
    print(f"{options.artifacts / CARD} is written.")
