"""The studies as they are shipped in `precomputed/studies`: small, whole, and about the checkpoint beside them."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

from taskvec_demo.clap.embedded import STUDIES
from taskvec_demo.core.adapters import StageShapes, cost, read_adapters
from taskvec_demo.serve.artifacts import Artifacts
from taskvec_demo.ui.studies.host import shipped_studies
from tests.support.paths import ARTIFACTS

MOST_BYTES = 12e6
NAMES = sorted(path.name for path in STUDIES.iterdir() if path.is_dir())


def contents(name: str) -> dict:
    return json.loads((STUDIES / name / "study.json").read_text(encoding="utf-8"))


def test_what_is_shipped_is_shown():
    page = SimpleNamespace(workbench=SimpleNamespace(artifacts=Artifacts(ARTIFACTS, verify=False)))
    assert sorted(view.name for view in shipped_studies(page)) == NAMES != []


@pytest.mark.parametrize("name", NAMES)
def test_a_study_is_small_and_needs_no_pickle(name):
    files = [p for p in (STUDIES / name).rglob("*") if p.is_file()]
    assert sum(p.stat().st_size for p in files) < MOST_BYTES
    assert {p.suffix for p in files} <= {".json", ".safetensors"}


@pytest.mark.parametrize("name", ["adapters", "relations"])
def test_every_claim_has_a_verdict_and_a_sentence(name):
    claims = contents(name)["claims"]
    assert claims
    for claim in claims:
        assert claim["reached"] in (True, False, None)
        assert claim["says"].endswith(".")


def test_the_adapters_cost_what_their_table_says():
    table = contents("adapters")
    assert table["pretrained_sha256"] == Artifacts(ARTIFACTS, verify=False).pretrained_sha256
    shapes = StageShapes.from_dict(table["shapes"])
    for task in table["tasks"]:
        points = {p["name"]: p for p in task["points"]}
        adapters = read_adapters(STUDIES / "adapters" / "weights" / f"{task['name']}.safetensors", shapes)
        for name, adapter in adapters.items():
            told = cost(shapes, adapter.widths, len(task["classes"]))
            assert (told.parameters, told.flops) == (points[name]["parameters"], points[name]["flops"])
            assert sum(p.numel() for p in adapter.parameters()) == told.parameters


def test_the_sum_is_where_validation_has_its_best_mean_over_the_domains():
    figures = contents("speech-music")
    along = figures["dial"]["accuracy"]
    of = {d: [t["name"] for t in figures["tasks"] if t["domain"] == d] for d in ("speech", "music", "neutral")}
    inside = [i for i, x in enumerate(figures["dial"]["speech"]) if 0 <= x <= 1]
    means = {i: np.mean([np.mean([along[t][i] for t in tasks]) for tasks in of.values()]) for i in inside}
    chosen = figures["dial"]["speech"].index(figures["chosen"]["sum"][0])
    assert means[chosen] == pytest.approx(max(means.values()), abs=1e-4)  # figures are rounded
