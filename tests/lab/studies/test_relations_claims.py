"""The matrices of task vectors, and what the study says of its figures in words."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from taskvec_demo.core.task_vector import TaskVector
from taskvec_demo.lab.measuring.baselines import baselines_folder
from taskvec_demo.lab.studies.relations.answers import answers
from taskvec_demo.lab.studies.relations.claims import agreement_of, claims
from taskvec_demo.lab.studies.relations.matrices import triples
from taskvec_demo.lab.studies.relations.vectors import (
    ERROR,
    SUM,
    disturbed,
    measure_vectors,
    plain_vectors,
    vector_entries,
    vector_matrices,
)
from taskvec_demo.lab.tiny_clap.study import TINY
from taskvec_demo.serve.artifacts import read_json
from tests.support.made_up_predictor import MadeUp, N, random_like
from tests.support.made_up_recordings import write_recordings
from tests.support.paths import ARTIFACTS
from tests.support.relations_study import made_up


def sources(n: int, each: int = 1) -> np.ndarray:
    return np.array([f"s{i // each}" for i in range(n)])


# ---- vectors --------------------------------------------------------------------------------------------------------
def test_sums_of_vectors_gain_what_they_answer_better_and_disturb_what_they_change():
    """Urban gains four clips of 40 from the plain vector of instruments, which loses nothing; shipped ones disturb."""

    def urban(**coefficients):
        return 0.6 if set(coefficients) == {"plain-urban", "plain-instruments"} else 0.5

    def instruments(**coefficients):
        return 0.3 if set(coefficients) == {"urban", "instruments"} else 0.5

    model = MadeUp(urban=urban, instruments=instruments)
    each = {task: sources(N) for task in ("urban", "instruments")}
    plain = {task: f"plain-{task}" for task in each}
    found = vector_matrices(model, plain, each, lambda step: None)
    assert {c: round(v, 6) for c, v in found.values[SUM].items()} == {
        ("urban", "instruments"): 0.1,
        ("instruments", "urban"): 0.0,
    }
    assert found.values[ERROR] == {cell: pytest.approx(-0.2) for cell in found.values[SUM]}
    assert [d.own for d in found.disturbances] == [pytest.approx(0.2), 0.0]
    assert all(d.low <= d.error <= d.high and d.high > 0 for d in found.disturbances)
    assert {split for split, _ in model.asked} == {"test"}


def test_nothing_that_changes_is_no_disturbance():
    still = {task: np.zeros(30, bool) for task in ("a", "b")}
    each = {task: sources(30, each=3) for task in still}
    assert [(d.error, d.low, d.high) for d in disturbed(("a", "b"), still, each)] == [(0, 0, 0)] * 2
    all_changed = disturbed(("a", "b"), {task: ~of for task, of in still.items()}, each)
    assert [(d.error, d.n_sources) for d in all_changed] == [(2, 10)] * 2


def test_vectors_without_rehearsal_are_the_baselines_own_and_only_missing_ones_are_trained(tmp_path, monkeypatch):
    checkpoint = SimpleNamespace(pretrained=SimpleNamespace(sha256="0" * 64))
    trained = []

    def finetune(checkpoint, store, study, spec, out, seed, work):
        assert study.fine_tunings[spec.task].rehearsal > spec.rehearsal == 0
        assert work == out.parent == baselines_folder(tmp_path, checkpoint)
        trained.append(spec.vector)
        vector = random_like()[spec.task]
        TaskVector(spec.vector, vector.layout, vector.buffer, vector.pretrained_sha256).save(out)

    monkeypatch.setattr("taskvec_demo.lab.studies.relations.vectors.finetune", finetune)
    study = replace(TINY, fine_tunings={n: replace(TINY.fine_tunings[n], rehearsal=1.0) for n in TINY.main[:2]})
    experiment = SimpleNamespace(study=study, checkpoint=checkpoint, store=None)
    names = {name: f"plain-{name}" for name in TINY.main[:2]}
    for _ in range(2):
        found = plain_vectors(experiment, tmp_path, lambda step: None)
        assert {name: vector.name for name, vector in found.items()} == names
    assert trained == list(names.values())


def test_both_matrices_of_a_checkpoint_are_measured_and_not_trained_twice(tmp_path, monkeypatch):
    write_recordings(tmp_path / "data", (("train", 1), ("validation", 1), ("test", 2)))
    names = TINY.main[:2]
    study = replace(TINY, fine_tunings={n: replace(TINY.fine_tunings[n], epochs=1) for n in names})
    places = (ARTIFACTS, tmp_path / "data", tmp_path / "work")
    found = measure_vectors(study, *places, lambda step: None)
    assert [(g.task, g.partner) for g in found.gains] == sorted([names, names[::-1]])
    assert {g.task: g.n_clips for g in found.gains} == {n: 2 * len(TINY.tasks[n].class_names) for n in names}
    monkeypatch.setattr("taskvec_demo.lab.studies.relations.vectors.finetune", None)  # calling it would fail
    assert measure_vectors(study, *places, lambda step: None) == found
    entries = vector_entries(found)
    assert [(m["name"], m["measure"], len(m["cells"])) for m in entries] == [(SUM, "gain", 2), (ERROR, "error", 2)]


# ---- what the figures say -------------------------------------------------------------------------------------------
@pytest.fixture
def figures(made_up_relations):
    return read_json(made_up_relations / "study.json")


def test_claims_are_reached_where_their_figures_say_so(figures):
    told = {c["name"]: c for c in claims(figures)}
    assert told == {c["name"]: c for c in figures["claims"]}
    assert all("n = " in c["says"] or "pairings" in c["says"] for c in told.values())
    halves = figures["matrices"][0]["split_half"]
    for value, low, reached, sure in ((0.9, 0.7, True, True), (0.7, 0.5, True, False), (0.4, 0.3, False, False)):
        halves |= {"value": value, "low": low, "high": 0.95}
        again = claims(figures)[0]
        assert (again["reached"], again["sure"]) == (reached, sure)
        assert f"{value:.2f} (95 % {low:.2f} to 0.95); n = 30 pairings of 6 tasks, 4 seeds" in again["says"]


def test_what_was_not_measured_is_neither_reached_nor_missed(figures):
    joint = [m for m in figures["matrices"] if "alone" in m]
    told = {c["name"]: c["reached"] for c in claims({**figures, "matrices": joint})}
    assert [name for name, reached in told.items() if reached is None] == [
        "agree-mlp-sum",
        "agree-mlp-disentanglement",
        "agree-sum-disentanglement",
    ]


def test_answers_follow_the_figures(figures):
    """Each question, answered from figures that say yes, no, and nothing."""
    first = figures["matrices"][0]
    for cell in first["cells"]:
        cell["significant"] = False
    first |= {"better": 0, "worse": 0}
    together = {"features": "all", "auc": 0.5, "accuracy": 0.7, "null_95": 0.6, "p": 0.5}
    predicted = {"together": together, "majority": {"auc": 0.5, "accuracy": 0.6, "p": 0.01}}
    network = agreement_of(figures, "mlp", "cnn")
    network |= {"low": -0.2, "value": 0.1, "high": 0.4}
    single = [{**s, "significant": False} for s in figures["predictors"]["single"]]
    nothing = {**figures, "predictors": {**figures["predictors"], **predicted, "single": single}}
    nothing["triples"] = [{**t, "gain": 0.01 * (i // 2 % 2)} for i, t in enumerate(figures["triples"])]
    assert [a["answer"].split(":")[0].split(" ")[0] for a in answers(nothing)] == ["No", "No", "Not", "It"]
    assert "none helps beyond chance and none hurts" in answers(nothing)[0]["answer"]
    assert "is within what chance gives" in answers(nothing)[0]["says"]

    helped = next(c for c in first["cells"] if (c["task"], c["partner"]) == ("emotion", "gender"))
    helped |= {"significant": True, "gain": 0.2}
    first["better"] = 1
    network["low"] = 0.05
    together["auc"] = 0.9
    nothing["triples"] = [{**t, "gain": 0.05 if t["kind"] == "best" else -0.02} for t in figures["triples"]]
    said = answers(nothing)
    assert [a["answer"].split(" ")[0] for a in said] == ["No", "To", "In", "Yes:"]
    assert "30 pairings 1 helps" in said[0]["answer"]
    assert "the same recordings" in said[0]["says"]
    assert "Of those that help 0 of 1 are of tasks that share no recordings." in said[0]["says"]
    assert said[0]["answer"].startswith("No pair helps both its tasks: ")
    assert "95 % +7.0 to +7.0) against its two worst" in said[3]["says"]
    predicted["majority"]["p"] = 0.1  # more often right than the majority, as chance may have it
    assert answers(nothing)[1]["answer"].startswith("Not shown: ")
    assert not next(c["reached"] for c in claims(nothing) if c["name"] == "predicted")


def test_partners_of_triples_are_chosen_on_validation_clips(monkeypatch, tmp_path):
    """Where validation curves say the opposite of the test answers, the curves choose."""
    measured = made_up(vectors=False).joint[0]
    for pair, both in measured.together.items():
        for task in pair:
            liked = "urban" in pair
            both.curve[task][:] = 1.0 if liked else 0.5
            both.correct[task][:] = not liked
    asked = []

    def three(setup, tasks, folder):
        asked.append(tasks)
        return measured.alone[tasks[0]]

    monkeypatch.setattr("taskvec_demo.lab.studies.relations.matrices.run", three)
    found = triples(measured, tmp_path, lambda step: None)
    chosen = {(t.gain.task, t.kind): [p.partner for p in t.pairs] for t in found}
    others = [task for task in measured.alone if task != "urban"]
    assert all(chosen[task, "best"][0] == "urban" for task in others)
    assert all("urban" not in chosen[task, "worst"] for task in others)
    assert asked == [[task, *chosen[task, kind]] for task, kind in chosen]
