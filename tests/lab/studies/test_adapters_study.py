"""The study of adapters from end to end on made-up recordings, and what the page makes of its artifacts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from taskvec_demo.core.adapters import StageShapes, read_adapters
from taskvec_demo.core.zero_shot import clip_embedding
from taskvec_demo.errors import BadArtifactError, BadRecipeError
from taskvec_demo.lab.studies.adapters.study import QUICK, TABLE
from taskvec_demo.serve.artifacts import Artifacts, read_json, write_json
from taskvec_demo.serve.one_clip import hear
from taskvec_demo.serve.studies.adapters import Adapters
from taskvec_demo.serve.workbench import Workbench
from tests.support.adapters_study import quick_study
from tests.support.paths import ARTIFACTS


@pytest.fixture(scope="module")
def study(quick_adapters) -> Adapters:
    return Adapters(quick_adapters / "out", Workbench(Artifacts(ARTIFACTS, verify=False)))


def test_the_quick_study_writes_small_weights_and_honest_figures(quick_adapters):
    out = quick_adapters / "out"
    contents = read_json(out / TABLE)
    assert len(contents["tasks"]) == QUICK.tasks
    assert contents["pretrained_sha256"] == Artifacts(ARTIFACTS, verify=False).pretrained_sha256
    shapes = StageShapes.from_dict(contents["shapes"])
    for task in contents["tasks"]:
        points = {p["name"]: p for p in task["points"]}
        assert points["multi-head"]["widths"] == [0] * len(contents["widths"])
        assert points["open"]["widths"] == contents["widths"]
        assert sum(points["parameters 30"]["widths"]) < sum(contents["widths"])  # a high price closes gates
        assert points["open"]["parameters"] < points["single-task"]["parameters"]
        for p in points.values():
            assert 0 <= p["test"]["low"] <= p["test"]["accuracy"] <= p["test"]["high"] <= 1
        shipped = read_adapters(out / "weights" / f"{task['name']}.safetensors", shapes)
        assert {name for name, p in points.items() if p["kind"] in ("multi-head", "adapter")} == set(shipped)
        assert {name: list(adapter.widths) for name, adapter in shipped.items()} == {
            name: points[name]["widths"] for name in shipped
        }
    assert {c["name"] for c in contents["claims"]} >= {"open", "monotone-parameters", "monotone-flops", "allocate"}
    assert sum(f.stat().st_size for f in out.rglob("*") if f.is_file()) < 4e6


def test_a_second_call_trains_nothing_and_writes_the_same(quick_adapters, monkeypatch):
    monkeypatch.setattr("taskvec_demo.lab.studies.adapters.training._Training.finish", None)
    before = read_json(quick_adapters / "out" / TABLE)
    assert quick_study(quick_adapters) == 0
    assert read_json(quick_adapters / "out" / TABLE) | {"seconds": 0} == before | {"seconds": 0}


def test_a_killed_training_ends_with_the_same_weights(quick_adapters, tmp_path, monkeypatch):
    """It is stopped after its first half, with a state from somewhat before that."""
    from taskvec_demo.lab.finetuning import training_state
    from taskvec_demo.lab.studies.adapters.training import _Training

    folder = tmp_path / "again"
    shutil.copytree(quick_adapters, folder, symlinks=True)
    (whole,) = [f for f in (folder / "work" / "adapters").glob("*.safetensors") if first_training(f, folder)]
    weights = whole.read_bytes()
    whole.unlink()
    step = _Training._step

    def killed(self, number):
        if number == 13:
            raise KeyboardInterrupt
        step(self, number)

    monkeypatch.setattr(training_state, "SAVE_SECONDS", 0)
    monkeypatch.setattr(_Training, "_step", killed)
    assert quick_study(folder) == 130
    numbers = []
    monkeypatch.setattr(_Training, "_step", lambda self, number: (numbers.append(number), step(self, number)))
    assert quick_study(folder) == 0
    assert numbers == list(range(13, QUICK.steps))
    assert whole.read_bytes() == weights


def first_training(file: Path, folder: Path) -> bool:
    """Whether this is the file of the first task's priced adapters."""
    first = read_json(folder / "out" / TABLE)["tasks"][0]["name"]
    return file.name.startswith(f"{first}-{QUICK.share:g}-")


def test_check_measures_what_is_shipped_and_finds_a_wrong_figure(quick_adapters, tmp_path, capsys):
    assert quick_study(quick_adapters, "--check") == 0
    contents = read_json(quick_adapters / "out" / TABLE)
    contents["tasks"][0]["points"][2]["test"]["accuracy"] += 0.5
    contents["tasks"][1]["points"][2]["flops"] += 2
    write_json(tmp_path / TABLE, contents)
    (tmp_path / "weights").symlink_to(quick_adapters / "out" / "weights")
    assert quick_study(quick_adapters, "--check", "--out", str(tmp_path)) == 1
    said = capsys.readouterr().out
    assert "test accuracy" in said
    assert "operations, not" in said


def test_a_visitors_clip_is_answered_by_the_chosen_points(study):
    first, second, *_ = study.tasks
    clip = study.workbench.artifacts.examples[0]
    chosen = {first: "open", second: "zero-shot"}
    heard = study.answer(clip, chosen)
    assert [a.task for a in heard.answers] == [first, second]
    spent = [p["flops"] for task, name in chosen.items() for p in study.tasks[task]["points"] if p["name"] == name]
    assert heard.flops - heard.tower_flops == heard.windows * sum(spent)
    assert heard.tower_flops == heard.windows * study.contents["tower"]["flops"]
    for answer in heard.answers:
        assert answer.label in [c.replace("_", " ") for c in study.tasks[answer.task]["classes"]]
    json.dumps(heard.to_dict())


def test_zero_shot_is_the_checkpoints_own_answer(study):
    artifacts, checkpoint = study.workbench.artifacts, study.workbench.checkpoint
    for clip in artifacts.examples[:3]:
        embedding = clip_embedding(checkpoint.embed_audio(hear(clip, checkpoint.features)[1]))
        for name, task in study.tasks.items():
            probable = artifacts.heads[name].logits(embedding[None], checkpoint.logit_scale)[0].softmax(-1)
            heard = study.answer(clip, {name: "zero-shot"}).answers[0]
            told = [c.replace("_", " ") for c in task["classes"]].index(heard.label)
            assert probable[told] > 0.9 * probable.max()  # one of them may have been computed in bfloat16
            assert heard.probability == pytest.approx(float(probable[told]), abs=0.05)


def test_an_unknown_task_or_point_is_refused_by_name(study):
    clip = study.workbench.artifacts.examples[0]
    first = next(iter(study.tasks))
    for chosen, words in (({"nothing": "open"}, "no task of this study"), ({first: "single-task"}, "has no adapter")):
        with pytest.raises(BadRecipeError, match=words):
            study.answer(clip, chosen)


def test_figures_of_another_checkpoint_are_refused(study, tmp_path):
    write_json(tmp_path / TABLE, study.contents | {"pretrained_sha256": "0" * 64})
    with pytest.raises(BadArtifactError, match="measured on the checkpoint"):
        Adapters(tmp_path, study.workbench)
