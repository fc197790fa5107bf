"""Two students and their sums: laws of probes, splits, figures and training; the quick study from end to end."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from taskvec_demo.cli import main
from taskvec_demo.core.intervals import MIN_SOURCES, units
from taskvec_demo.errors import TaskVecError
from taskvec_demo.lab.data.datasets import ClipRow
from taskvec_demo.lab.finetuning import training_state
from taskvec_demo.lab.studies.speech_music import command, study
from taskvec_demo.lab.studies.speech_music.distillation import TAUGHT_BY, distil, warm_up
from taskvec_demo.lab.studies.speech_music.figures import compared, difference, mean_accuracy, rank_correlation
from taskvec_demo.lab.studies.speech_music.plan import QUICK, Plan
from taskvec_demo.lab.studies.speech_music.probes import Probe, best_on, fit
from taskvec_demo.lab.studies.speech_music.tasks import Judged, judged_tasks, speaker_clips, utterance
from taskvec_demo.lab.studies.speech_music.teachers import Mix, domain_of, normalized
from taskvec_demo.recordings.splits import SPLITS
from tests.support.speech_music import quick_study

STUDENT = "speech"


# ---- probes ---------------------------------------------------------------------------------------------------------
def made_features(n: int = 90, d: int = 5, classes: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    return draw.normal(size=(n, d)) * 3 + 2 + 2 * np.eye(d)[labels], labels


def loss(probe: Probe, x: np.ndarray, labels: np.ndarray, matrix: np.ndarray, bias: np.ndarray, alpha: float) -> float:
    n_classes = len(bias)
    weight = 1 / (n_classes * np.bincount(labels)[labels])
    scores = (x - probe.mean) / probe.deviation @ matrix + bias
    missed = np.square(scores - np.eye(n_classes)[labels]).sum(1)
    return float(weight @ missed + alpha * np.square(matrix).sum())


def test_a_probe_is_the_minimum_of_its_loss():
    x, labels = made_features()
    draw = np.random.default_rng(1)
    for alpha, probe in zip((0.01, 1.0), fit(x, labels, 3, (0.01, 1.0)), strict=True):
        least = loss(probe, x, labels, probe.matrix, probe.bias, alpha)
        for _ in range(20):
            step, shift = 0.01 * draw.normal(size=probe.matrix.shape), 0.01 * draw.normal(size=3)
            assert loss(probe, x, labels, probe.matrix + step, probe.bias + shift, alpha) > least


def test_classes_count_alike_whatever_their_size():
    x, labels = made_features()
    more = np.concatenate([x, x[labels == 1], x[labels == 1]]), np.concatenate([labels, np.full(60, 1)])
    once, thrice = fit(x, labels, 3, (0.1,))[0], fit(*more, 3, (0.1,))[0]
    assert np.allclose(once.matrix, thrice.matrix)
    assert not np.allclose(once.matrix, fit(x[5:], labels[5:], 3, (0.1,))[0].matrix)


def test_the_ridge_is_chosen_on_other_clips_and_the_larger_of_equals_wins():
    probes = fit(*made_features(), 3)
    equal = replace(probes[0], bias=probes[0].bias + 1)
    lame = replace(probes[0], matrix=-probes[0].matrix)
    assert best_on([lame, probes[0], equal, lame], *made_features(seed=2)) is equal


# ---- tasks ----------------------------------------------------------------------------------------------------------
def speech_rows() -> list[ClipRow]:
    """Six actors, two in each split, who say the same eight utterances in two moods."""
    return [
        ClipRow("ravdess", f"{mood}/03-01-0{m}-01-0{said}-{actor:02}.opus", mood, SPLITS[actor // 2], f"a{actor}", "f")
        for m, mood in enumerate(("happy", "sad"))
        for said in range(8)
        for actor in range(6)
    ]


def test_speakers_are_those_whom_distillation_has_not_heard_and_no_utterance_lies_in_two_splits():
    rows = speech_rows()
    clips = speaker_clips(rows)
    assert set(clips.classes) == {f"ravdess/a{i}" for i in range(2, 6)}
    assert all(rows[i].split != "train" for i in clips.row)
    said = {split: {utterance(rows[clips.row[i]]) for i in clips.of(split)} for split in SPLITS}
    assert all(said.values())
    assert sum(map(len, said.values())) == len(set().union(*said.values())) == 16
    assert all(set(clips.label[clips.of(split)]) == {0, 1, 2, 3} for split in SPLITS)


def test_the_utterance_of_a_file_leaves_out_who_says_it():
    nemo = ClipRow("nemo", "angry/KD0_anger_12.opus", "angry", "test", "KD0", "female")
    assert utterance(nemo) == utterance(replace(nemo, file="angry/SM0_anger_12.opus"))
    assert utterance(nemo) != utterance(replace(nemo, file="angry/KD0_anger_13.opus"))


# ---- figures --------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def tasks(quick_speech_music) -> list[Judged]:
    return judged_tasks(study.clips_of(quick_speech_music / "work", quick_speech_music / "data").rows)


def answers(tasks: list[Judged], share: float, seed: int = 0) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(seed)
    return {t.name: draw.random(len(t.clips.of("test"))) < share for t in tasks}


def test_domains_count_alike_and_the_tasks_in_a_domain_too(tasks):
    nothing, everything = answers(tasks, 0.0), answers(tasks, 1.1)
    speech = [t.name for t in tasks if t.domain == "speech"]
    one = nothing | {speech[0]: everything[speech[0]]}
    assert mean_accuracy(tasks, one, "speech") == pytest.approx(1 / len(speech))
    assert mean_accuracy(tasks, one) == pytest.approx(1 / len(speech) / 3)
    assert mean_accuracy(tasks, one, "music") == 0


def test_a_model_is_no_better_than_itself_and_a_difference_lies_in_its_interval(tasks):
    a, b = answers(tasks, 0.9), answers(tasks, 0.3, seed=1)
    same = difference(tasks, "test", a, a, None)
    assert (same.value, same.low, same.high) == (0, 0, 0)
    found, turned = (difference(tasks, "test", *pair, "speech") for pair in ((a, b), (b, a)))
    assert 0 < found.low < found.value < found.high
    assert turned.value == pytest.approx(-found.value)


def test_clips_are_drawn_where_sources_are_few():
    def drawn(n: int) -> int:
        return len(set(units(np.array([f"s{i % n}" for i in range(60)]))))

    assert [drawn(n) for n in (1, MIN_SOURCES - 1, MIN_SOURCES, 60)] == [60, 60, MIN_SOURCES, 60]


def test_an_average_that_rises_with_the_dial_follows_it(tasks):
    task = next(t for t in tasks if t.domain == "speech")
    n = len(task.clips.of("test"))
    along = [{task.name: np.arange(n) < k} for k in range(n + 1)]
    shares = [k / n for k in range(n + 1)]
    assert rank_correlation([task], "test", shares, along, "speech").value == pytest.approx(1)
    assert rank_correlation([task], "test", shares, along[::-1], "speech").value == pytest.approx(-1)
    assert rank_correlation([task], "test", shares, along[:1] * (n + 1), "speech").value == 0


def test_a_task_that_differs_is_found_among_those_that_do_not(tasks):
    right = {t.name: np.resize([True, False], 60) for t in tasks}
    other = right | {tasks[2].name: np.zeros(60, bool)}
    found = compared(tasks, right, other)
    assert [c["task"] for c in found if c["significant"]] == [tasks[2].name]
    assert found[2]["difference"] == 0.5
    assert all(c["p"] == 1 for c in found if not c["significant"])


# ---- distillation ---------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def mix(quick_speech_music) -> Mix:
    data = quick_speech_music / "data"
    return Mix(study.clips_of(quick_speech_music / "work", data), data)


def quiet(step: str) -> None:
    pass


def test_teachers_are_normalized_and_the_mix_holds_training_clips_of_the_asked_domains(mix):
    outputs = normalized(np.random.default_rng(0).normal(3, 2, (200, 4)))
    assert torch.allclose(outputs.mean(0), torch.zeros(4), atol=1e-5)
    assert {row.split for row in mix.rows} == {"train"}
    assert {domain_of(row) for row in mix.rows} == {"speech", "music", "neutral"}
    neutral = torch.stack([mix.targets["speech"][i] for i in np.flatnonzero(mix.domain == "neutral")])
    drawn = mix.draw(32, ("neutral",)).targets["speech"]
    assert all((neutral == one).all(1).any() for one in drawn)
    assert not all((neutral == one).all(1).any() for one in mix.draw(32).targets["speech"])


def test_a_killed_training_goes_on_to_the_same_bits(mix, tmp_path, monkeypatch):
    plan = replace(QUICK, steps=5)
    first = warm_up(mix, QUICK, tmp_path / "whole", quiet)
    whole = distil(first, STUDENT, mix, plan, tmp_path / "whole", quiet)

    def killed(step: str) -> None:
        if step.startswith(f"{STUDENT}: step 3"):
            raise KeyboardInterrupt

    monkeypatch.setattr(training_state, "SAVE_SECONDS", -1)  # every step is kept
    with pytest.raises(KeyboardInterrupt):
        distil(first, STUDENT, mix, plan, tmp_path / "killed", killed)
    said: list[str] = []
    resumed = distil(first, STUDENT, mix, plan, tmp_path / "killed", said.append)
    assert [s.split(",")[0] for s in said] == [f"{STUDENT}: step {i} of 5" for i in (4, 5)]
    assert all(torch.equal(t, resumed.state[name]) for name, t in whole.state.items())
    assert any(not torch.equal(t, first.state[name]) for name, t in whole.state.items())


# ---- the command ----------------------------------------------------------------------------------------------------
def test_the_ends_of_the_dial_are_the_students_themselves(quick_speech_music):
    students = study.open_students(quick_speech_music / "out")
    encoder = students.encoder
    x = torch.randn(
        3, 1, encoder.features.n_frames, encoder.features.n_mels, generator=torch.Generator().manual_seed(0)
    )
    state = torch.load(quick_speech_music / "work" / "speech-music" / "quick" / "speech.pt", weights_only=True)[
        "student"
    ]
    trained = {name.removeprefix("tower."): t for name, t in state.items()}
    for name, view in students.at(speech=1.0).tensors().items():
        assert torch.allclose(view, trained[name], atol=1e-5), name
    assert torch.equal(students.at().buffer, encoder.initial.buffer)
    assert students.at(music=1.0).sha256 == students.alone("music").sha256
    features = [encoder.embed(x, students.at(*at)) for at in ((1, 0), (0, 1), (0, 0), (0.5, 0.5))]
    assert all(not torch.equal(a, b) for i, a in enumerate(features) for b in features[:i])
    assert features[0].shape == (3, 128)


def test_the_quick_study_holds_every_figure_and_a_check_finds_what_differs(
    quick_speech_music,
    tmp_path,
    capsys,
):
    data, work = quick_speech_music / "data", quick_speech_music / "work"
    assert quick_study(data, work, tmp_path / "none", "--check") == 2
    assert "study.json is missing" in capsys.readouterr().err
    out = shutil.copytree(quick_speech_music / "out", tmp_path / "out")
    contents = json.loads((out / "study.json").read_text(encoding="utf-8"))
    names = [t["name"] for t in contents["tasks"]]
    assert len(names) == 10
    assert all(len(contents["dial"]["accuracy"][n]) == 3 for n in names)
    assert all(len(contents["plane"]["accuracy"][n]) == 9 for n in names)
    half = contents["plane"]["axis"].index(0.5)
    for n in names:  # both ways to one point
        assert contents["plane"]["accuracy"][n][half * 3 + half] == contents["dial"]["accuracy"][n][1]
    assert set(contents["test"]) == {
        "initial", "speech", "music", "sum", "plane", "ensemble", "speech_teacher", "music_teacher",
    }  # fmt: skip
    cost = {c["run"]: c["windows"] for c in contents["cost"]}
    assert cost["ensemble"] == cost["speech"] + cost["music"]
    assert quick_study(data, work, out, "--check") == 0
    contents["dial"]["accuracy"]["digits"][0] += 0.5
    (out / "study.json").write_text(json.dumps(contents), encoding="utf-8")
    assert quick_study(data, work, out, "--check") == 1
    assert "dial, digits, λ_speech = 0" in capsys.readouterr().out


def test_a_quick_run_touches_neither_what_is_shipped_nor_the_states_of_a_full_run(
    quick_speech_music, tmp_path, monkeypatch
):
    shipped, work = tmp_path / "shipped", shutil.copytree(quick_speech_music / "work", tmp_path / "work")
    monkeypatch.setattr(command, "SHIPPED", shipped)
    state = work / "speech-music" / f"{STUDENT}.pt"
    state.write_bytes(b"of a full run")
    options = ["study", "speech-music", "--data", str(quick_speech_music / "data"), "--work", str(work), "--quick"]
    assert main(options) == 0
    assert main([*options, "--check"]) == 0  # what it wrote lies where a check looks for it
    assert (work / "speech-music" / "quick" / "study.json").is_file()
    assert state.read_bytes() == b"of a full run"
    assert not shipped.exists()


def test_a_check_of_figures_at_other_points_is_refused(quick_speech_music, tmp_path, capsys):
    data, work = quick_speech_music / "data", quick_speech_music / "work"
    assert quick_study(data, work, command.SHIPPED, "--check") == 2
    assert "has other points, 25 of the dial and not 3: is it of --quick?" in capsys.readouterr().err
    study.check_points(command.SHIPPED / "study.json", Plan())


def test_a_run_that_is_stopped_while_it_measures_leaves_the_old_students(quick_speech_music, tmp_path, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    data, work = quick_speech_music / "data", shutil.copytree(quick_speech_music / "work", tmp_path / "work")
    with monkeypatch.context() as patch:
        patch.setattr(study, "measure", stopped)
        assert quick_study(data, work, tmp_path / "out") == 130
    assert not (tmp_path / "out").exists()
    assert quick_study(data, work, tmp_path / "out") == 0
    written = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*")}
    assert written == {"study.json", "initial.safetensors", *(f"vectors/{v}.safetensors" for v in TAUGHT_BY)}


def test_a_clip_that_the_teachers_have_not_heard_is_named(quick_speech_music, mix):
    stranger = replace(mix.rows[0], file="stranger.wav")
    with pytest.raises(TaskVecError, match=r"lacks 1 of 1 clips, for instance .*stranger\.wav"):
        study.teacher_outputs(quick_speech_music / "data", "speech", [stranger])
