"""An answer of the workbench depends on the question alone, not on earlier questions and not on questions at the same
time.
"""

from __future__ import annotations

import itertools
import math
import random
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from taskvec_demo.clap import model as clap
from taskvec_demo.clap.features import log_mel
from taskvec_demo.core.recipe import Recipe
from taskvec_demo.errors import BadArtifactError, BadAudioError, BadLabelsError, BadRecipeError, TaskVecError
from taskvec_demo.recordings.audio import load_clip, windows
from taskvec_demo.serve import workbench as session
from taskvec_demo.serve.artifacts import Artifacts
from taskvec_demo.serve.workbench import Workbench


def recipe(**coefficients):
    return Recipe("tiny-clap", coefficients)


def fresh(workbench):
    """Another workbench on the same files, with empty caches."""
    return Workbench(workbench.artifacts)


def same(a, b):
    """Two classifications agree: labels and order exactly, probabilities to float32 rounding."""
    return (
        list(a.pretrained) == list(b.pretrained)
        and a.notes == b.notes
        and np.allclose(list(a.pretrained.values()), list(b.pretrained.values()), rtol=0, atol=1e-6)
        and np.allclose(list(a.edited.values()), list(b.edited.values()), rtol=0, atol=1e-6)
    )


@pytest.fixture(scope="module")
def example(workbench):
    return workbench.artifacts.examples[0]


# ---- classify -------------------------------------------------------------------------------------------------------
def test_zero_is_the_pretrained_model_exactly(workbench, wav):
    for clip in (*workbench.artifacts.examples[:3], wav("noise")):
        for nothing in (recipe(), recipe(urban=0.0), recipe(urban=0.00004)):
            answer = workbench.classify(clip, nothing)
            assert answer.edited == answer.pretrained  # bit for bit
        assert workbench.classify(clip, recipe(urban=0.5)).edited != answer.pretrained


def test_an_edit_changes_probabilities_more_the_larger_it_is(workbench, example):
    answers = {x: workbench.classify(example, recipe(urban=x)) for x in (0.01, 0.1, 1.0)}
    moved = [max(abs(a.edited[k] - a.pretrained[k]) for k in a.edited) for a in answers.values()]
    assert moved[0] < moved[1] < moved[2]
    assert moved[2] > 0.02
    assert len({tuple(a.pretrained.values()) for a in answers.values()}) == 1


def test_every_vector_and_both_signs_count(workbench, example):
    single = [recipe(**{name: sign}) for name in workbench.vectors for sign in (-1.0, 1.0)]
    answers = [tuple(workbench.classify(example, r).edited.values()) for r in single]
    assert all(not np.allclose(a, b, atol=1e-3) for a, b in itertools.combinations(answers, 2))


def test_probabilities_add_up_over_the_default_labels(workbench, example):
    answer = workbench.classify(example, recipe(emotion=0.3))
    for probabilities in (answer.pretrained, answer.edited):
        assert tuple(probabilities) == workbench.artifacts.default_labels
        assert abs(math.fsum(probabilities.values()) - 1) < 1e-9


def test_labels_of_the_visitor_replace_the_default(workbench, example):
    answer = workbench.classify(example, recipe(urban=0.4), "rain, A Dog, whale song, RAIN")
    assert tuple(answer.pretrained) == tuple(answer.edited) == ("rain", "A Dog", "whale song")
    for probabilities in (answer.pretrained, answer.edited):
        assert abs(math.fsum(probabilities.values()) - 1) < 1e-9
    turned = workbench.classify(example, recipe(urban=0.4), "whale song, rain, a dog")
    assert turned.edited["rain"] == pytest.approx(answer.edited["rain"], abs=1e-6)
    assert tuple(workbench.classify(example, recipe(), "  \n").edited) == workbench.artifacts.default_labels
    with pytest.raises(BadLabelsError):
        workbench.classify(example, recipe(), "rain")


def test_the_answer_as_json(workbench, wav):
    answer = workbench.classify(wav("noise", seconds=12.3), recipe(urban=0.5), "rain, dog")
    assert (answer.windows, answer.seconds) == (3, pytest.approx(12.3))
    assert answer.to_dict() == {
        "pretrained": answer.pretrained,
        "edited": answer.edited,
        "windows": 3,
        "seconds": 12.3,
        "notes": [],
    }


def test_a_clip_is_known_by_content_and_not_by_name(workbench, wav):
    first, second = wav("noise"), wav("tone")
    expected = [workbench.classify(p, recipe(urban=0.5)) for p in (first, second)]
    shutil.copyfile(second, first)  # the same name, another recording, as upload folders do
    assert same(workbench.classify(first, recipe(urban=0.5)), expected[1])
    assert not same(*expected)


def test_a_file_that_is_no_recording_is_refused(workbench, tmp_path):
    text = tmp_path / "letter.wav"
    text.write_text("Dear all")
    for path in (text, tmp_path / "nothing.wav", str(tmp_path)):
        with pytest.raises(BadAudioError):
            workbench.classify(path, recipe())


# ---- independence ---------------------------------------------------------------------------------------------------
def questions(workbench):
    draw = random.Random(0)
    names = list(workbench.vectors)
    recipes = [recipe()]
    while len(recipes) < 20:
        chosen = draw.sample(names, draw.randint(1, 3))
        recipes.append(recipe(**{name: round(draw.uniform(-1, 1), 2) for name in chosen}))
    clips = workbench.artifacts.examples[:4]
    return [(clips[i % len(clips)], r, "" if i % 3 else "rain, a dog, a cello") for i, r in enumerate(recipes)]


@pytest.fixture(scope="module")
def single_threaded(workbench):
    other = fresh(workbench)
    return [other.classify(*question) for question in questions(workbench)]


def test_answers_do_not_depend_on_the_order_of_questions(workbench, single_threaded):
    asked, other = questions(workbench), fresh(workbench)
    order = list(range(len(asked)))
    random.Random(1).shuffle(order)
    assert order != sorted(order)
    for i in order:
        assert same(other.classify(*asked[i]), single_threaded[i])
    assert not same(single_threaded[1], single_threaded[5])  # the same clip and labels, another recipe


def test_answers_do_not_depend_on_other_visitors(workbench, single_threaded, monkeypatch):
    monkeypatch.setattr(session, "EDITED_CACHE_BYTES", 0)  # every edit has to be computed
    other, jobs = fresh(workbench), list(range(20)) * 8
    random.Random(2).shuffle(jobs)
    asked = questions(workbench)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda i: other.classify(*asked[i]), jobs))
    assert [i for i, answer in zip(jobs, answers, strict=True) if not same(answer, single_threaded[i])] == []


def test_asking_changes_nothing_that_is_shared(workbench, example):
    def content():
        return [workbench.checkpoint.pretrained.buffer.clone(), *(v.buffer.clone() for v in workbench.vectors.values())]

    before = content()
    workbench.classify(example, recipe(urban=1.0, emotion=-1.0))
    workbench.evaluate(recipe(urban=0.31))
    assert all((a == b).all() for a, b in zip(before, content(), strict=True))


def test_the_cache_of_edits_stays_within_its_bytes(workbench, example, monkeypatch):
    edit_bytes = 4 * workbench.checkpoint.pretrained.layout.size
    monkeypatch.setattr(session, "EDITED_CACHE_BYTES", 3 * edit_bytes + 1)
    other, made, apply = fresh(workbench), [], session.apply_recipe
    monkeypatch.setattr(session, "apply_recipe", lambda p, v, r: made.append(r) or apply(p, v, r))
    recipes = [recipe(urban=x / 10) for x in range(1, 8)]
    for r in (*recipes, *recipes):
        assert same(other.classify(example, r), workbench.classify(example, r))
        assert other._edits.nbytes <= 3 * edit_bytes
    assert other._edits.nbytes == 3 * edit_bytes
    assert workbench._edits.max_bytes == 120 * 2**20
    before = len(made)
    other.classify(example, recipes[-1])
    other.classify(example, recipe())  # the pre-trained model takes no room
    assert len(made) == before  # it is a cache, after all
    other.classify(example, recipes[0])
    assert len(made) == before + 1


def test_visitors_with_one_recipe_share_its_edit(workbench, example, monkeypatch):
    other, made, apply = fresh(workbench), [], session.apply_recipe
    monkeypatch.setattr(session, "apply_recipe", lambda p, v, r: made.append(r) or apply(p, v, r))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: other.classify(example, recipe(urban=0.37)), range(8)))
    assert made == [recipe(urban=0.37)]
    assert all(same(a, answers[0]) for a in answers)


def test_warming_up_changes_no_answer(workbench, example):
    other = fresh(workbench)
    other.warm_up()
    assert same(other.classify(example, recipe(urban=0.5)), workbench.classify(example, recipe(urban=0.5)))


# ---- opening the model ----------------------------------------------------------------------------------------------
def test_the_model_is_opened_once_whoever_asks(workbench, example, monkeypatch):
    other, opened, really = fresh(workbench), [], workbench.artifacts.open_checkpoint
    monkeypatch.setattr(other.artifacts, "open_checkpoint", lambda p: opened.append(p) or really(p))
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: other.classify(example, recipe(urban=0.5)), range(4)))
    assert opened == ["float32"]
    assert same(answers[-1], workbench.classify(example, recipe(urban=0.5)))


def test_a_model_that_cannot_be_opened_is_said_to_everyone_who_asks(workbench, example, monkeypatch):
    other = fresh(workbench)

    def damaged(precision):
        raise BadArtifactError("The weights are damaged.")

    with monkeypatch.context() as changed:
        changed.setattr(other.artifacts, "open_checkpoint", damaged)
        for ask in (other.warm_up, lambda: other.classify(example, recipe()), lambda: next(other.exact(recipe()))):
            with pytest.raises(BadArtifactError, match="damaged"):
                ask()
    assert same(other.classify(example, recipe()), workbench.classify(example, recipe()))  # nothing stays broken


# ---- precision ------------------------------------------------------------------------------------------------------
def test_without_bfloat16_in_hardware_everything_is_float32(workbench, monkeypatch):
    monkeypatch.setattr(clap, "has_bfloat16", lambda: False)
    assert fresh(workbench).checkpoint.precision == "float32"


def test_bfloat16_is_taken_only_where_it_changes_no_answer(workbench, example, monkeypatch):
    exact = Workbench(workbench.artifacts, precision="float32").classify(example, recipe(urban=0.5))
    monkeypatch.setattr(clap, "has_bfloat16", lambda: True)
    features = workbench.checkpoint.features
    mel = log_mel(windows(load_clip(example, features.sample_rate).samples, features.n_samples), features)
    one_class = torch.ones(1, workbench.checkpoint.dim)  # whose answer cannot change
    for least, precision in ((-1.0, "bfloat16"), (1.1, "float32")):  # no cosine reaches 1.1
        monkeypatch.setattr(clap, "BFLOAT16_COSINE", least)
        other = Workbench(workbench.artifacts, precision="float32").checkpoint
        assert other.precision == "float32"
        assert other.try_bfloat16(mel, one_class) == (precision == "bfloat16")
        assert other.precision == precision
    assert fresh(workbench).checkpoint.precision == "float32"  # the probe's cosine bound still is 1.1
    monkeypatch.setattr(clap, "BFLOAT16_COSINE", -1.0)
    assert Workbench(workbench.artifacts, checkpoint=other).checkpoint is other  # tried out, too
    other.precision = "float32"
    rounded = Workbench(workbench.artifacts, precision="bfloat16").checkpoint.embed_audio(mel[:1])[0]
    exactly = other.embed_audio(mel[:1])[0]
    head = torch.stack([exactly - rounded, rounded - exactly])  # two unit embeddings: each is on its own side
    assert not other.try_bfloat16(mel[:1], head)  # a flipped answer says no, however near the embedding
    assert other.precision == "float32"
    rounded = Workbench(workbench.artifacts, precision="bfloat16")
    assert rounded.checkpoint.precision == "bfloat16"
    answer = rounded.classify(example, recipe(urban=0.5))
    assert not same(answer, exact)  # it does compute otherwise
    weights = rounded.edited(recipe(urban=0.5))
    plainly = Workbench(workbench.artifacts, precision="float32")._embed_patiently(mel, weights)
    assert torch.equal(rounded._embed_patiently(mel, weights), plainly)  # accuracies are the same on every machine
    assert answer.edited == rounded.classify(example, recipe(urban=0.5)).edited
    assert (
        answer.edited
        == Workbench(workbench.artifacts, precision="bfloat16").classify(example, recipe(urban=0.5)).edited
    )


# ---- recipes --------------------------------------------------------------------------------------------------------
def test_recipes_from_text(workbench):
    for empty in (None, "", "  ", {}):
        assert workbench.recipe(empty) == recipe()
    assert workbench.recipe(recipe(urban=-0.5).to_json()) == recipe(urban=-0.5)
    assert workbench.recipe(recipe(urban=-0.5).to_dict()) == recipe(urban=-0.5)
    with pytest.raises(BadRecipeError):
        workbench.recipe("{")


@pytest.mark.parametrize("call", ["check", "classify", "evaluate", "recipe"])
def test_recipes_of_another_checkpoint_or_vector_are_refused(workbench, example, call):
    ask = {
        "check": workbench.check,
        "classify": lambda r: workbench.classify(example, r),
        "evaluate": workbench.evaluate,
        "recipe": lambda r: workbench.recipe(r.to_json()),
    }[call]
    with pytest.raises(BadRecipeError, match=r"'larger-clap'.*'tiny-clap'\.$"):
        ask(Recipe("larger-clap", {"urban": 0.5}))
    with pytest.raises(BadRecipeError, match=r"'rural'.*urban"):
        ask(recipe(rural=0.5))
    with pytest.raises(BadRecipeError, match=r"pre-trained weights 0{12}"):
        ask(Recipe("tiny-clap", {"urban": 0.5}, pretrained_sha256="0" * 64))
    with pytest.raises(BadRecipeError, match=r"pre-trained weights 0{12}"):
        ask(Recipe("tiny-clap", pretrained_sha256="0" * 64))
    ask(Recipe("tiny-clap", {"urban": 0.5}, pretrained_sha256=workbench.checkpoint.pretrained.sha256))


# ---- evaluate -------------------------------------------------------------------------------------------------------
def test_measured_recipes_are_measured_and_others_estimated(workbench):
    for r, kind in ((recipe(), "grid"), (recipe(urban=0.5), "grid"), (recipe(urban=0.513), "estimate")):
        results = workbench.evaluate(r)
        assert [found.kind for found in results] == [kind] * len(workbench.tasks)
        assert [found.task.name for found in results] == list(workbench.tasks)
        assert results[0].task.role == "control"
        assert {found.split for found in results} == {"validation"}
        for found in results:
            assert (found.estimate_error is not None) == (kind == "estimate") == (found.mcnemar_p is None)
            error = workbench.artifacts.surfaces[found.task.name].class_error if kind == "estimate" else None
            assert found.estimate_class_error == error


def test_zero_changes_no_accuracy_and_an_edit_does(workbench):
    for found in workbench.evaluate(recipe()):
        assert np.array_equal(found.predicted_edited, found.predicted_pretrained)
        assert found.mcnemar_p == 1.0
    change = {r.task.name: r.edited.accuracy - r.pretrained.accuracy for r in workbench.evaluate(recipe(urban=0.55))}
    assert change["urban"] > 0.2
    negated = {r.task.name: r.edited.accuracy - r.pretrained.accuracy for r in workbench.evaluate(recipe(urban=-0.55))}
    assert negated["urban"] < -0.2


def test_estimates_lie_near_the_measurements_around_them(workbench):
    estimates, measurements = (workbench.evaluate(recipe(urban=x)) for x in (0.501, 0.5))
    for near, measured in zip(estimates, measurements, strict=True):
        assert near.edited.accuracy == pytest.approx(measured.edited.accuracy, abs=0.1)
        assert np.array_equal(near.predicted_pretrained, measured.predicted_pretrained)


def test_beyond_the_measured_box_there_are_no_accuracies(workbench, example):
    for outside in (recipe(urban=1.01), recipe(urban=0.5, emotion=-2.0)):
        with pytest.raises(BadRecipeError, match=r"-1 to 1 only.*θ_new = .*\.$"):
            workbench.evaluate(outside)
        workbench.classify(example, outside)  # the model itself can be edited that far
    workbench.evaluate(recipe(urban=1.0, emotion=-1.0))


def test_test_figures_are_for_presets_alone(workbench):
    for preset in workbench.artifacts.presets.values():
        assert workbench.figures(preset.recipe, "test") == list(preset.test)
    chosen = next(iter(workbench.artifacts.presets.values())).recipe.coefficients
    near = recipe(**{name: value + 0.01 for name, value in chosen.items()})
    with pytest.raises(BadRecipeError, match=r"chosen on validation.*'validation'"):
        workbench.figures(near, "test")
    with pytest.raises(BadRecipeError, match=r"no split 'train'.*validation, test\.$"):
        workbench.figures(near, "train")


# ---- descriptions and refusals --------------------------------------------------------------------------------------
def test_vectors_are_described(workbench):
    rows = workbench.describe_vectors()
    assert [row["name"] for row in rows] == list(workbench.vectors)
    assert rows[0]["task"] == "music"
    assert {row["pretrained_sha256"] for row in rows} == {workbench.checkpoint.pretrained.sha256}
    assert len({row["sha256"] for row in rows}) == len(rows)
    assert all(row["norm"] > 0 for row in rows)


def test_every_refusal_is_an_error_of_ours(workbench, tmp_path):
    questions = (lambda: Artifacts(tmp_path), lambda: workbench.figures(recipe(), "x"), lambda: workbench.recipe("[]"))
    for wrong in questions:
        with pytest.raises(TaskVecError):
            wrong()
