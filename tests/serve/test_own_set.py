"""A visitor's own set beside the study's tasks: what is read of a .zip, what is predicted, what is measured."""

from __future__ import annotations

import copy
import csv
import io
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from taskvec_demo.clap.embedded import STUDIES
from taskvec_demo.errors import BadArtifactError, BadRecipeError
from taskvec_demo.recordings.splits import SPLITS
from taskvec_demo.serve.artifacts import read_json
from taskvec_demo.serve.studies.relations.hearing import FrontEnd
from taskvec_demo.serve.studies.relations.own_set import OWN, OwnSet, read_own_set
from taskvec_demo.serve.studies.relations.own_study import OwnStudy, Predicted
from taskvec_demo.serve.studies.relations.partners import read_partner
from taskvec_demo.serve.studies.relations.predictors import probabilities
from taskvec_demo.serve.studies.relations.tasks import TASKS, RelatedTask, TaskClips
from taskvec_demo.serve.studies.relations.training import Setup, train, training
from taskvec_demo.serve.threads import one_thread
from tests.support.made_up_recordings import write_set
from tests.support.own_sets import own_zip, wav


@pytest.fixture(scope="module")
def contents(made_up_relations) -> dict:
    """Made-up gains of six tasks, with the features of the real ones."""
    made_up, real = (read_json(folder / "study.json") for folder in (made_up_relations, STUDIES / "relations"))
    features = {t["name"]: real["predictors"]["features"][t["name"]] for t in made_up["tasks"]}
    return {**made_up, "predictors": {**made_up["predictors"], "features": features}}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Recordings of the task "digits", and of one of the two sets of "gender"."""
    folder = tmp_path_factory.mktemp("data")
    write_set(folder / "fsdd", ("digit_0", "digit_1"), (("train", 30), ("validation", 2), ("test", 2)))
    write_set(folder / "nemo", ("happy", "sad"), (("train", 3),), ("male", "female"))
    return folder


def result(steps):
    """What a generator returns. On its way it tells which share is done."""
    shares = []
    while True:
        try:
            shares.append(next(steps))
        except StopIteration as done:
            assert shares[-1] == pytest.approx(1.0)
            return done.value


def read(path: Path, contents: dict) -> OwnSet:
    return result(read_own_set(path, FrontEnd.from_dict(contents["inputs"])))


# ---- what is read ---------------------------------------------------------------------------------------------------
def table(rows: list[tuple[str, ...]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([("file", "label", "split", "group"), *rows])
    return text.getvalue().encode()


def test_folders_are_classes_and_every_split_has_clips(tmp_path, contents):
    before = set(Path(tempfile.gettempdir()).glob("own-set-*"))
    own = read(own_zip(tmp_path / "a.zip"), contents)
    assert own.clips.classes == ("bell", "saw")
    assert sum(len(own.clips.of(split)) for split in SPLITS) == len(own.heard) == 16
    assert all(len(own.clips.of(split)) for split in SPLITS)
    assert own.seconds == pytest.approx(0.5)
    assert "dealt by a hash of their file names" in own.notes[0]
    assert set(Path(tempfile.gettempdir()).glob("own-set-*")) == before


def test_splits_and_sources_of_a_table_are_kept(tmp_path, contents):
    rows = [(f"{i}.wav", "bell" if i % 2 else "saw", SPLITS[i // 2 % 3], f"s{i // 6}-{i // 2 % 3}") for i in range(18)]
    files = {f"mine/{name}": wav(label, name) for name, label, *_ in rows}
    own = read(own_zip(tmp_path / "a.zip", (), more={"mine/clips.csv": table(rows), **files}), contents)
    assert [SPLITS[s] for s in own.clips.split] == [r[2] for r in rows]
    assert list(own.clips.source) == [f"own/{r[3]}" for r in rows]
    assert own.notes == ()


def test_clips_of_one_source_lie_in_one_split(tmp_path, contents):
    rows = [(f"{i}.wav", "bell" if i % 2 else "saw", "", f"s{i // 4}") for i in range(40)]
    files = {name: wav(label, name) for name, label, *_ in rows}
    more = {"labels.csv": table(rows).replace(b"split", b"nothing"), **files}
    own = read(own_zip(tmp_path / "a.zip", (), more=more), contents)
    of_source = {source: set(own.clips.split[own.clips.source == source]) for source in own.clips.source}
    assert len(of_source) == 10
    assert all(len(splits) == 1 for splits in of_source.values())


def test_a_clip_that_cannot_be_read_is_left_out_and_named(tmp_path, contents):
    broken = {"mine/saw/broken.wav": b"RIFF of nothing", "mine/saw/silent.flac": b""}
    own = read(own_zip(tmp_path / "a.zip", more=broken), contents)
    assert len(own.heard) == 16
    assert own.notes[0] == "2 of 18 clips cannot be read and are left out: broken.wav, silent.flac."


@pytest.mark.parametrize(
    ("classes", "clips", "more", "problem"),
    [
        (("bell",), 8, {}, "a.zip has no layout that is known; "),
        (("bell", "saw"), 4, {}, "a.zip holds 4 clips of the class 'bell'; "),
        (("bell",), 8, {"mine/saw/0.wav": b"no sound"}, "a.zip holds one class, 'bell' (1 cannot be read); "),
        ((), 0, {"x/0.wav": b"", "y/0.wav": b""}, "a.zip holds no recording that can be read; "),
        ((), 0, {"readme.txt": b"no clips"}, "a.zip has no layout that is known; "),
    ],
)
def test_too_little_to_learn_from_is_refused_in_one_sentence(tmp_path, contents, classes, clips, more, problem):
    with pytest.raises(BadArtifactError) as error:
        read(own_zip(tmp_path / "a.zip", classes, clips, more), contents)
    assert str(error.value).startswith(problem)
    assert "accepted are at least 2 classes of at least 5 readable clips" in str(error.value)
    assert str(error.value).count(". ") == 0


def test_a_class_without_training_clips_and_a_set_without_test_clips_are_refused(tmp_path, contents):
    def refused(splits: list[str]) -> str:
        rows = [(f"{i}.wav", "bell" if i % 2 else "saw", split, f"s{i}") for i, split in enumerate(splits)]
        more = {"clips.csv": table(rows), **{name: wav(label, name) for name, label, *_ in rows}}
        with pytest.raises(BadArtifactError) as error:
            read(own_zip(tmp_path / "a.zip", (), more=more), contents)
        return str(error.value)

    assert "has no training clip of the class 'saw'" in refused(["validation", "train"] * 5 + ["test"] * 6)
    broken = refused(["train"] * 12 + ["validation"] * 2)
    assert "has no test clips" in broken or "accepted" not in broken


def test_a_table_cannot_name_files_outside(tmp_path, contents):
    secret = tmp_path / "secret.wav"
    secret.write_bytes(wav("bell", "secret"))
    rows = [(f"../../../../../..{secret}", "bell", "train", ""), ("1.wav", "saw", "train", "")]
    with pytest.raises(BadArtifactError, match="which lies outside of it"):
        read(own_zip(tmp_path / "a.zip", (), more={"clips.csv": table(rows), "1.wav": wav("saw", "1")}), contents)


LONG_LINE = b"x" * 200_000 + b",label\n"  # csv takes 131,072 characters in a field


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"clips.csv": LONG_LINE}, "a.zip/clips.csv lacks the column 'file'"),
        ({"some.csv": LONG_LINE, "1.wav": b""}, "a.zip has no layout that is known"),
        ({"labels.csv": b"file,label\n1\0.wav,bell\n2.wav,saw\n"}, "a.zip/labels.csv, line 2 holds a NUL"),
        ({"clips.csv": table([("1.wav\0", "bell", "train", "")])}, "a.zip/clips.csv, line 2 holds a NUL"),
        ({"labels.csv": b"file,label\n.,bell\n2.wav,saw\n"}, "a.zip lists a recording without a file or a label: '.'"),
        ({"clips.csv": table([("/", "bell", "train", "")])}, "a.zip lists a recording without a file or a label: '/'"),
        ({"labels.csv": b"audio,labels\n1.wav,female_happy\n2.wav,caf\xe9\n"}, "a.zip/labels.csv is not a table in"),
    ],
)
def test_a_table_that_is_none_is_refused_in_one_sentence(tmp_path, contents, more, problem):
    with pytest.raises(BadArtifactError) as error:
        read(own_zip(tmp_path / "a.zip", (), more=more), contents)
    assert str(error.value).startswith(problem)
    assert tempfile.gettempdir() not in str(error.value)


def test_a_list_of_splits_in_latin_1_is_read(tmp_path, contents):
    """The names of the files that are there are all ASCII."""
    genres = {f"mine/{genre}/{genre}.{i:05}.wav": wav(genre, str(i)) for genre in ("jazz", "rock") for i in range(15)}
    lists = {f"mine/{name}_filtered.txt": b"caf\xe9/caf\xe9.00099.wav\n" for name in ("train", "valid", "test")}
    for i, name in enumerate(("train", "valid", "test")):
        lines = [f"{g}/{g}.{j:05}.wav\n" for g in ("jazz", "rock") for j in range(5 * i, 5 * i + 5)]
        lists[f"mine/{name}_filtered.txt"] += "".join(lines).encode()
    own = read(own_zip(tmp_path / "a.zip", (), more=genres | lists), contents)
    assert [len(own.clips.of(split)) for split in SPLITS] == [10, 10, 10]


@pytest.mark.parametrize(("inner", "said"), [("", "into a.zip for splits"), ("mine/", "into mine for splits")])
def test_a_note_names_the_archive_or_its_folder_and_no_folder_of_ours(tmp_path, contents, inner, said):
    genres = {f"{inner}{g}/{g}.{i:05}.wav": wav(g, str(i)) for g in ("jazz", "rock") for i in range(8)}
    own = read(own_zip(tmp_path / "a.zip", (), more=genres), contents)
    assert any(said in note for note in own.notes)
    assert not any("own-set-" in note for note in own.notes)


def test_an_error_of_the_layout_names_the_archive_and_no_folder_of_ours(tmp_path, contents):
    with pytest.raises(BadArtifactError) as error:
        read(own_zip(tmp_path / "a.zip", (), more={"clips.csv": b"file,label\n1.wav,bell\n"}), contents)
    assert "a.zip/clips.csv lacks the column 'split'" in str(error.value)
    assert tempfile.gettempdir() not in str(error.value)


def test_a_visitors_clip_sounds_as_it_would_in_the_study(tmp_path, contents):
    front_end = FrontEnd.from_dict(contents["inputs"])
    for i, class_name in enumerate(("bell", "saw")):
        (tmp_path / f"{i}.wav").write_bytes(wav(class_name, "0"))
    heard, other = (front_end.hear(tmp_path / f"{i}.wav").summary for i in range(2))
    assert heard == pytest.approx(front_end.summary_as_measured(tmp_path / "0.wav"), abs=1e-3)
    assert heard != pytest.approx(other, abs=1e-3)


# ---- training -------------------------------------------------------------------------------------------------------
def made_setup() -> Setup:
    draw = np.random.default_rng(0)

    def clips(name: str, n: int, first: int) -> TaskClips:
        task, place = RelatedTask(name, name, (name,), lambda row: row.label), np.arange(n)
        return TaskClips(task, ("a", "b"), first + place, place % 2, place // 2 % 3, place.astype(str))

    inputs = torch.tensor(draw.normal(size=(180, 6)), dtype=torch.float32)
    inputs[:, 0] += 4 * (torch.arange(180) % 2)
    both = {"own": clips("own", 60, 0), "other": clips("other", 120, 60)}
    return Setup("mlp", 0.2, 20, range(2), inputs, both, whole=("own",))


def test_held_out_clips_of_a_partner_change_nothing():
    both, own = train(made_setup(), ["own", "other"]), result(training(made_setup(), ["own", "other"], ["own"]))
    assert np.array_equal(both.correct["own"], own.correct["own"])
    assert np.array_equal(both.curve["own"], own.curve["own"])
    assert set(own.correct) == {"own"}
    assert both.accuracy("own").mean() > 0.6


def test_a_whole_task_gives_all_of_its_clips_and_the_others_their_share():
    setup = made_setup()
    assert list(setup.part("own", 0)) == list(setup.clips["own"].of("train"))
    assert len(setup.part("other", 0)) == pytest.approx(0.2 * 40, abs=1)
    alone = train(setup, ["own"])
    assert np.array_equal(alone.loss["own"], train(replace(setup, fraction=0.7), ["own"]).loss["own"])
    assert not np.array_equal(alone.loss["own"], train(replace(setup, whole=()), ["own"]).loss["own"])


def test_a_training_in_one_thread_leaves_the_threads_as_they_were():
    before = torch.get_num_threads()
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


# ---- prediction and measurement -------------------------------------------------------------------------------------
def test_every_partner_is_ranked_and_the_helpful_one_first(tmp_path, contents):
    """Where a partner of the study helps every task, it is the one that is predicted to help."""
    found: Predicted = result(OwnStudy(contents, None).predict(own_zip(tmp_path / "a.zip")))
    assert set(found.helps) == {t["name"] for t in contents["tasks"]}
    assert list(found.helps.values()) == sorted(found.helps.values(), reverse=True)
    for helpful in ("music", "digits"):
        told = copy.deepcopy(contents)
        for cell in told["matrices"][0]["cells"]:
            cell["gain"] = 0.1 if cell["partner"] == helpful else -0.1
        found = result(OwnStudy(told, None).predict(own_zip(tmp_path / "a.zip")))
        assert next(iter(found.helps)) == helpful


def test_a_probability_is_no_surer_than_the_left_out_pairings_bear_out():
    draw = np.random.default_rng(0)
    left_out = draw.normal(0, 5, 400)
    chance, sure = draw.random(400) < 0.5, left_out > 0
    asked = np.array([-50.0, -5.0, 5.0, 50.0])
    assert probabilities(asked, left_out, chance) == pytest.approx(0.5, abs=0.1)
    assert probabilities(asked, left_out, sure)[1:3] == pytest.approx([0, 1], abs=0.1)
    assert probabilities(asked, left_out, ~sure) == pytest.approx((~sure).mean())  # higher scores gained less often
    assert probabilities(asked, left_out, sure)[3] == probabilities(np.array([left_out.max()]), left_out, sure)[0]


def test_a_gain_is_measured_on_the_own_test_clips(tmp_path, contents, data):
    study = OwnStudy(contents, data)
    assert study.there == ("digits",)  # "gender" lacks a set
    predicted = result(study.predict(own_zip(tmp_path / "a.zip", clips=12)))
    g = result(study.measure(predicted, "digits"))
    test = predicted.own.clips.of("test")
    assert (g.task, g.partner, g.n_clips, g.n_sources) == (OWN, "digits", len(test), len(test))
    assert g.alone == pytest.approx(predicted.alone.accuracy(OWN).mean())
    assert len(g.by_seed) == contents["seeds"]
    assert g.low <= g.gain <= g.high
    assert 0 < g.p <= 1
    assert result(study.measure(predicted, "digits")) == g


def test_a_partner_without_recordings_is_refused_in_one_sentence(tmp_path, contents, data):
    predicted = result(OwnStudy(contents, None).predict(own_zip(tmp_path / "a.zip")))
    with pytest.raises(BadRecipeError, match="no recordings of 'digits' on this machine; there are those of: none"):
        next(OwnStudy(contents, None).measure(predicted, "digits"))
    with pytest.raises(BadRecipeError, match="there are those of: digits"):
        next(OwnStudy(contents, data).measure(predicted, "gender"))


def test_another_clip_is_drawn_for_one_of_the_partner_that_cannot_be_read(tmp_path, contents):
    write_set(tmp_path / "fsdd", ("digit_0", "digit_1"), (("train", 20),))
    front_end = FrontEnd.from_dict(contents["inputs"])

    def heard() -> set[str]:
        partner = result(read_partner(TASKS["digits"], tmp_path, 0.2, range(2), front_end))
        assert len(partner.summaries) == len(partner.clips.row)
        return {partner.clips.source[i] for i in np.flatnonzero(partner.summaries.any(1))}

    first = heard()
    assert 8 <= len(first) <= 16
    for name in first:
        take = name.removeprefix("fsdd/train")
        for label in ("digit_0", "digit_1"):
            (tmp_path / "fsdd" / f"{label}-train{take}-x.wav").write_bytes(b"broken")
    assert heard() & first == set()


def test_two_visitors_do_not_see_each_other(tmp_path, contents, data):
    """Whatever the other one does in between, a visitor gets the same figures."""
    study = OwnStudy(contents, data)
    mine, other = own_zip(tmp_path / "a.zip"), own_zip(tmp_path / "b.zip", ("drip", "hum", "tick"))
    predicted = result(study.predict(mine))
    measured = result(study.measure(predicted, "digits"))
    again = result(study.predict(mine))
    strange = result(study.predict(other))
    result(study.measure(strange, "digits"))
    assert again.helps == predicted.helps
    assert strange.own.clips.classes == ("drip", "hum", "tick")
    assert result(study.measure(again, "digits")) == measured


def test_stopping_removes_what_was_unpacked(tmp_path, contents):
    before = set(Path(tempfile.gettempdir()).glob("own-set-*"))
    steps = OwnStudy(contents, None).predict(own_zip(tmp_path / "a.zip"))
    next(steps)
    assert set(Path(tempfile.gettempdir()).glob("own-set-*")) != before
    steps.close()
    assert set(Path(tempfile.gettempdir()).glob("own-set-*")) == before
