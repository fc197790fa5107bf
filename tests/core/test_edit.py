"""Laws of the edit. Each has a negative control, which shows that the edit did change something."""

import itertools

import pytest
import torch

from taskvec_demo.core.edit import apply_recipe
from taskvec_demo.core.recipe import Analogy, Recipe, compose
from taskvec_demo.core.task_vector import TaskVector
from taskvec_demo.core.weights import Weights
from taskvec_demo.errors import BadRecipeError, IncompatibleWeightsError


def random_weights(seed, width=257):  # odd, so that vectorised loops have a tail
    generator = torch.Generator().manual_seed(seed)
    return Weights.from_tensors(
        {"a": torch.randn(width, generator=generator), "b": torch.randn(31, 33, generator=generator)}
    )


@pytest.fixture
def pretrained():
    return random_weights(0)


@pytest.fixture
def finetuned():
    return {name: random_weights(seed) for seed, name in enumerate(["emotion", "music", "urban"], start=1)}


@pytest.fixture
def vectors(pretrained, finetuned):
    return {name: TaskVector.between(pretrained, weights, name=name) for name, weights in finetuned.items()}


def test_nothing_added_is_bit_exact_in_a_new_buffer(pretrained, vectors):
    for coefficients in ({}, {"urban": 0.0}, {"urban": 0.0, "music": -0.0}):
        edited = apply_recipe(pretrained, vectors, Recipe("tiny", coefficients))
        assert torch.equal(edited.buffer.view(torch.int32), pretrained.buffer.view(torch.int32))  # signs of zeros too
        assert edited.sha256 == pretrained.sha256
        assert edited.buffer.data_ptr() != pretrained.buffer.data_ptr()
    assert apply_recipe(pretrained, vectors, Recipe("tiny", {"urban": 0.01})).sha256 != pretrained.sha256


def test_one_vector_at_one_is_the_fine_tuned_model(pretrained, finetuned, vectors):
    for name, weights in finetuned.items():
        edited = apply_recipe(pretrained, vectors, Recipe("tiny", {name: 1.0}))
        assert torch.allclose(edited.buffer, weights.buffer, rtol=0, atol=1e-6)
        assert not torch.allclose(edited.buffer, pretrained.buffer, rtol=0, atol=1e-1)


def test_a_saved_vector_at_one_is_the_fine_tuned_model_within_float16(pretrained, finetuned, vectors, tmp_path):
    vectors["urban"].save(tmp_path / "urban.safetensors")
    loaded = {"urban": TaskVector.load(tmp_path / "urban.safetensors")}
    edited = apply_recipe(pretrained, loaded, Recipe("tiny", {"urban": 1.0}))
    assert torch.allclose(edited.buffer, finetuned["urban"].buffer, rtol=0, atol=8 * 2**-11)  # |τ| < 8 here
    assert not torch.allclose(edited.buffer, finetuned["urban"].buffer, rtol=0, atol=1e-6)


def test_an_edit_is_the_scaled_sum(pretrained, vectors):
    edited = apply_recipe(pretrained, vectors, Recipe("tiny", {"urban": -0.5, "music": 0.7}))
    expected = pretrained.buffer.double()
    expected = expected - 0.5 * vectors["urban"].buffer.double() + 0.7 * vectors["music"].buffer.double()
    assert torch.allclose(edited.buffer.double(), expected, rtol=0, atol=1e-5)


def test_negation_undoes_addition(pretrained, vectors):
    plus = apply_recipe(pretrained, vectors, Recipe("tiny", {"urban": 1.0}))
    minus = apply_recipe(pretrained, vectors, Recipe("tiny", {"urban": -1.0}))
    assert torch.allclose((plus.buffer + minus.buffer) / 2, pretrained.buffer, rtol=0, atol=1e-6)
    assert not torch.allclose(plus.buffer, minus.buffer)


def test_the_order_of_coefficients_and_vectors_changes_no_bit(pretrained, vectors):
    coefficients = {"urban": 0.31, "music": -0.77, "emotion": 0.13}
    hashes = set()
    for order in itertools.permutations(coefficients):
        recipe = Recipe("tiny", {name: coefficients[name] for name in order})
        hashes.add(apply_recipe(pretrained, {name: vectors[name] for name in order}, recipe).sha256)
    assert len(hashes) == 1

    def add_in(order):
        buffer = pretrained.buffer.clone()
        for name in order:
            buffer.add_(vectors[name].buffer, alpha=coefficients[name])
        return Weights(pretrained.layout, buffer).sha256

    assert len({add_in(order) for order in itertools.permutations(coefficients)}) > 1  # order would matter otherwise


def test_analogy_is_b_plus_c_minus_a(pretrained, vectors):
    recipe = compose("tiny", {}, addition=True, negation=True, analogy=Analogy("emotion", "music", "urban", 0.6))
    edited = apply_recipe(pretrained, vectors, recipe)
    combined = 0.6 * (vectors["music"] + vectors["urban"] - vectors["emotion"])
    assert torch.allclose(edited.buffer, pretrained.buffer + combined.buffer, rtol=0, atol=1e-5)
    swapped = compose("tiny", {}, addition=True, negation=True, analogy=Analogy("music", "emotion", "urban", 0.6))
    assert not torch.allclose(edited.buffer, apply_recipe(pretrained, vectors, swapped).buffer, rtol=0, atol=1e-2)


def test_inputs_are_unchanged_and_edits_do_not_pile_up(pretrained, vectors):
    before = [pretrained.buffer.clone(), *(vector.buffer.clone() for vector in vectors.values())]
    recipe = Recipe("tiny", {"urban": 0.9, "music": -0.4})
    first = apply_recipe(pretrained, vectors, recipe)
    second = apply_recipe(pretrained, vectors, recipe)
    after = [pretrained.buffer, *(vector.buffer for vector in vectors.values())]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert first.sha256 == second.sha256 != pretrained.sha256
    assert first.buffer.data_ptr() != second.buffer.data_ptr()


def test_a_vector_of_another_checkpoint_is_refused_by_hash(pretrained, vectors):
    other = random_weights(9)
    vectors["stranger"] = TaskVector.between(other, random_weights(1), name="stranger")
    assert apply_recipe(pretrained, vectors, Recipe("tiny", {"urban": 1})).sha256 != pretrained.sha256
    with pytest.raises(IncompatibleWeightsError) as caught:
        apply_recipe(pretrained, vectors, Recipe("tiny", {"stranger": 1}))
    assert other.sha256[:12] in str(caught.value)
    assert pretrained.sha256[:12] in str(caught.value)


def test_a_vector_of_another_layout_is_refused(pretrained):
    other = random_weights(1, width=5)
    forged = TaskVector("urban", other.layout, other.buffer, pretrained.sha256)
    with pytest.raises(IncompatibleWeightsError, match="layout"):
        apply_recipe(pretrained, {"urban": forged}, Recipe("tiny", {"urban": 1}))


def test_an_unknown_vector_is_refused_with_the_valid_names(pretrained, vectors):
    with pytest.raises(BadRecipeError, match=r"'speech'.*emotion, music, urban"):
        apply_recipe(pretrained, vectors, Recipe("tiny", {"speech": 1}))


def test_a_recipe_pinned_to_other_weights_is_refused(pretrained, vectors):
    apply_recipe(pretrained, vectors, Recipe("tiny", {"urban": 1}, pretrained_sha256=pretrained.sha256))
    for coefficients in ({"urban": 1}, {}):
        with pytest.raises(BadRecipeError, match=pretrained.sha256[:12]):
            apply_recipe(pretrained, vectors, Recipe("tiny", coefficients, pretrained_sha256="0" * 64))
