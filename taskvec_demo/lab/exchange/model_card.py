"""The model card of a folder of artifacts, written from its own tables: every figure with n and its interval."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...core.files import whole_file
from ...serve.artifacts import read_json
from ..data.experiment import PRETRAINED, Experiment

CARD = "README.md"


def write_model_card(experiment: Experiment, out: Path) -> None:
    """Write `out`/README.md with the front matter that the hub reads."""
    study, name = experiment.study, experiment.checkpoint.name
    pretrained = read_json(out / PRETRAINED) if (out / PRETRAINED).is_file() else {}
    base = pretrained.get("repo")
    origin = f"`{pretrained['spec']}`" if pretrained else f"`{name}`, trained by this project"
    if base:
        origin += f", revision `{pretrained['revision']}`"
    tables = {n: read_json(out / "tables" / f"{n}.json") for n in ("negation", "addition", "analogy", "vectors")}
    parts = [
        _front_matter(base),
        f"# Task vectors of {name}",
        f"Task vectors (fine-tuned minus pre-trained weights) of the CLAP checkpoint {origin}, with zero-shot heads, "
        f"logit surfaces and measured tables, made by `python -m taskvec_demo build --preset {study.name}`.",
        "Open them in the app:",
        "    python app.py --artifacts USER/REPO",
        f"SHA-256 of the pre-trained weights: `{experiment.checkpoint.pretrained.sha256}`. The vectors fit no others.",
        "## Figures",
        "On test clips that neither training nor the choice of λ has seen; accuracy in percent, 95 % Wilson interval "
        "in brackets. Splits are the sets' own: `python -m taskvec_demo data check` tells where they share sources.",
        _vectors(tables["vectors"]),
        _negation(tables["negation"]),
        _addition(tables["addition"]),
        _analogy(tables["analogy"]),
        "## Sources: recordings and texts",
        "\n".join(f"- {source}, {author}: {licence}" for source, author, licence in study.sources),
        "None of them is in this repository. The weights were trained on them, so the strictest of these licences "
        "applies to their use.",
    ]
    with whole_file(out / CARD) as temporary:
        temporary.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _front_matter(base: str | None) -> str:
    lines = ["---", "library_name: transformers", "pipeline_tag: zero-shot-audio-classification"]
    lines += [f"base_model: {base}"] if base else []
    return "\n".join([*lines, "tags:", *(f"  - {t}" for t in ("clap", "task-arithmetic", "task-vectors")), "---"])


def _accuracy(figures: Mapping[str, Any]) -> str:
    if figures["accuracy"] is None:
        return "none"
    share, low, high = (100 * figures[k] for k in ("accuracy", "low", "high"))
    return f"{share:.1f} [{low:.1f}, {high:.1f}]"


def _change(entry: Mapping[str, Any]) -> str:
    return f"{_accuracy(entry['pretrained'])} → {_accuracy(entry['edited'])}, n = {entry['n']}"


def _markdown(title: str, head: list[str], rows: list[list[str]]) -> str:
    lines = [" | ".join(head), " | ".join("---" for _ in head), *(" | ".join(r) for r in rows)]
    return f"### {title}\n\n" + "\n".join(f"| {line} |" for line in lines)


def _coefficients(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value:+.2f}" for name, value in row["coefficients"].items())


def _vectors(table: Mapping[str, Any]) -> str:
    tasks = [entry["task"] for entry in table["rows"][0]["tasks"]]
    rows = [
        [row["vector"], f"{row['norm']:.2f}", *(_accuracy(entry["edited"]) for entry in row["tasks"])]
        for row in table["rows"]
    ]
    before = ["pre-trained", "0", *(_accuracy(entry["pretrained"]) for entry in table["rows"][0]["tasks"])]
    return _markdown("Every vector at λ = 1", ["vector", "norm", *tasks], [before, *rows])


def _negation(table: Mapping[str, Any]) -> str:
    rows = [
        [row["vector"], _coefficients(row), _change(row["target"]), _change(row["control"])] for row in table["rows"]
    ]
    return _markdown("Forgetting by negation", ["vector", "λ", "target", "control"], rows)


def _addition(table: Mapping[str, Any]) -> str:
    rows = [
        [
            row["name"],
            _coefficients(row),
            "; ".join(f"{e['task']} {_change(e)}" for e in row["tasks"]),
            _change(row["control"]),
        ]
        for row in table["rows"]
    ]
    return _markdown("Learning by addition", ["sum", "λ", "tasks", "control"], rows)


def _analogy(table: Mapping[str, Any]) -> str:
    rows = [[r["name"], _coefficients(r), _change(r["recall_d"]), _change(r["control"])] for r in table["rows"]]
    verdict = "" if table["works"] else "\n\nIt does not clearly work: swapped or random vectors do about as well."
    title = f"Analogy: {table['a']} is to {table['b']} as {table['c']} is to {table['d']}"
    return _markdown(title, ["order", "λ", "recall of D", "control"], rows) + verdict
