"""A recipe means one thing however it is written, and refuses what has no meaning. Controls compose as documented."""

import copy
import itertools
import json
import math

import pytest

from taskvec_demo.core.recipe import (
    FORMAT,
    MAX_SCALING_COEF,
    MEASURED_HIGH,
    MEASURED_LOW,
    SLIDER_MAX,
    Analogy,
    Recipe,
    Row,
    compose,
)
from taskvec_demo.errors import BadRecipeError

SHA = "ab" * 32
GOOD = {"format": 1, "checkpoint": "tiny-clap", "coefficients": {"urban": -0.5}, "rule": "linear"}


def test_bounds_are_consistent():
    assert SLIDER_MAX * 2 <= MAX_SCALING_COEF  # a row plus an analogy term must still be a valid recipe
    assert -MAX_SCALING_COEF <= MEASURED_LOW < 0 < MEASURED_HIGH <= MAX_SCALING_COEF


def test_order_zeros_and_rounding_do_not_matter():
    one = Recipe("tiny-clap", {"urban": 0.1 + 0.2, "emotion": -1, "music": 0.0, "tools": -0.00001})
    two = Recipe("tiny-clap", {"emotion": -1.0, "urban": 0.3})
    assert one == two
    assert hash(one) == hash(two)
    assert list(one.coefficients.items()) == [("emotion", -1.0), ("urban", 0.3)]
    different = [
        Recipe("tiny-clap", {"emotion": -1.0, "urban": 0.3001}),
        Recipe("tiny-clap", {"emotion": -1.0}),
        Recipe("other", {"emotion": -1.0, "urban": 0.3}),
        Recipe("tiny-clap", {"emotion": -1.0, "urban": 0.3}, pretrained_sha256=SHA),
    ]
    assert all(recipe != two for recipe in different)
    assert len({one, two, *different}) == 5


def test_a_recipe_cannot_be_changed_and_copies_its_input():
    given = {"urban": 0.5}
    recipe = Recipe("tiny-clap", given)
    given["urban"] = 1.0
    assert recipe.coefficients["urban"] == 0.5
    with pytest.raises(TypeError):
        recipe.coefficients["urban"] = 1.0
    with pytest.raises(AttributeError):
        recipe.checkpoint = "other"
    recipe.to_dict()["coefficients"]["urban"] = 1.0
    assert copy.deepcopy(recipe) == recipe == Recipe("tiny-clap", {"urban": 0.5})


def test_json_form_is_exact():
    assert Recipe("tiny-clap", {"urban": -0.5}).to_dict() == GOOD
    assert Recipe("tiny-clap", {}, pretrained_sha256=SHA).to_dict() == {
        "format": FORMAT, "checkpoint": "tiny-clap", "coefficients": {}, "rule": "linear", "pretrained_sha256": SHA,
    }  # fmt: skip


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe("tiny-clap"),
        Recipe("tiny-clap", {"urban": -0.5, "speech_emotion": 0.0001, "esc50-animals": 2}),
        Recipe("laion/clap-htsat-unfused", {"urban": 1.2345}, pretrained_sha256=SHA),
    ],
)
def test_every_form_reads_back_equal(recipe):
    assert Recipe.from_json(recipe.to_json()) == recipe
    assert Recipe.from_json(recipe.to_dict()) == recipe
    assert Recipe.from_query(recipe.to_query()) == recipe
    assert Recipe.from_query("?" + recipe.to_query()) == recipe


def test_query_form_is_short():
    assert Recipe("tiny-clap", {"urban": -0.5}).to_query() == "ckpt=tiny-clap&urban=-0.5"
    assert Recipe.from_query("urban=-.5&ckpt=tiny-clap") == Recipe("tiny-clap", {"urban": -0.5})


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"colour": 1}, "'colour'"),
        ({"format": 2}, "format 2"),
        ({"format": True}, "format True"),
        ({"format": 1.0}, "format 1.0"),
        ({"checkpoint": ""}, "''"),
        ({"checkpoint": None}, "None"),
        ({"checkpoint": "../../etc/passwd"}, "passwd"),
        ({"rule": "ties"}, "'ties'; the rules are: linear"),
        ({"rule": None}, "None"),
        ({"coefficients": [1]}, "[1]"),
        ({"coefficients": {"urban": "0.5"}}, "'0.5'"),
        ({"coefficients": {"urban": True}}, "True"),
        ({"coefficients": {"urban": None}}, "None"),
        ({"coefficients": {"urban": math.nan}}, "nan"),
        ({"coefficients": {"urban": math.inf}}, "inf"),
        ({"coefficients": {"urban": 10**400}}, "from -2 to 2"),
        ({"coefficients": {"urban": -2.00001}}, "-2.00001; it must be from -2 to 2"),
        ({"coefficients": {"": 1}}, "not ''"),
        ({"coefficients": {"ckpt": 1}}, "'ckpt'"),
        ({"coefficients": {"__theme": 1}}, "'__theme'"),
        ({"coefficients": {"a\n": 1}}, r"'a\n'"),
        ({"pretrained_sha256": "abc"}, "'abc'"),
    ],
)
def test_invalid_values_are_refused_by_name(change, says):
    assert Recipe.from_json(GOOD)  # negative control: only the change is at fault
    with pytest.raises(BadRecipeError) as caught:
        Recipe.from_json({**GOOD, **change})
    assert says in str(caught.value)
    assert str(caught.value).endswith(".")
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("key", ["format", "checkpoint", "coefficients"])
def test_missing_keys_are_refused(key):
    with pytest.raises(BadRecipeError, match=f"lacks '{key}'"):
        Recipe.from_json({k: v for k, v in GOOD.items() if k != key})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '"tiny-clap"',
        "[" * 100_000,
        '{"format": 1, "checkpoint": "a", "checkpoint": "b", "coefficients": {}}',
        '{"format": 1, "checkpoint": "a", "coefficients": {"urban": 1, "urban": 0}}',
        '{"format": 1, "checkpoint": "a", "coefficients": {"urban": NaN}}',
        '{"format": 1, "checkpoint": "a", "coefficients": {"urban": 1e999}}',
        '{"format": 1, "checkpoint": "a", "coefficients": {"urban": ' + "9" * 5000 + "}}",
    ],
)
def test_bad_json_text_is_refused(text):
    with pytest.raises(BadRecipeError):
        Recipe.from_json(text)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "urban=-0.5",
        "ckpt=",
        "ckpt=a&urban",
        "ckpt=a&urban=",
        "ckpt=a&urban=nan",
        "ckpt=a&urban=1_0",
        "ckpt=a&urban=3",
        "ckpt=a&urban=1e999",
        "ckpt=a&urban=1&urban=0",
        "ckpt=a&ckpt=b",
        "ckpt=a&rule=ties",
        "ckpt=a&" + "&".join(f"v{i}=1" for i in range(100)),
    ],
)
def test_bad_links_are_refused(query):
    with pytest.raises(BadRecipeError):
        Recipe.from_query(query)


def test_unknown_vectors_are_refused_with_the_valid_names():
    recipe = Recipe("tiny-clap", {"urban": 1})
    recipe.check_vectors({"music", "urban"})
    with pytest.raises(BadRecipeError, match=r"'urban'.*emotion, music"):
        recipe.check_vectors(["music", "emotion"])


def test_formula():
    recipe = Recipe("tiny-clap", {"urban": 0.8, "speech_emotion": -0.5})
    assert recipe.formula() == "θ_new = θ_pt \u2212 0.50 τ_speech_emotion + 0.80 τ_urban"
    assert recipe.formula(["urban", "speech_emotion"]) == "θ_new = θ_pt + 0.80 τ_urban \u2212 0.50 τ_speech_emotion"
    assert recipe.formula(["urban"]) == recipe.formula(["urban", "speech_emotion"])
    assert Recipe("tiny-clap").formula() == "θ_new = θ_pt"
    assert Recipe("tiny-clap", {"urban": 0.125}).formula() == "θ_new = θ_pt + 0.125 τ_urban"  # what is applied


@pytest.mark.parametrize(
    ("addition", "negation", "counted"),
    [(True, False, (0, 0.5)), (False, True, (-0.5, 0)), (True, True, (-0.5, 0.5)), (False, False, (0, 0))],
)
@pytest.mark.parametrize("on", [True, False])
def test_compose_truth_table(addition, negation, counted, on):
    for value, expected in zip((-0.5, 0.5), counted, strict=True):
        recipe = compose("tiny-clap", {"urban": Row(on, value)}, addition=addition, negation=negation, analogy=None)
        assert recipe == Recipe("tiny-clap", {"urban": expected if on else 0})


def test_compose_treats_each_row_by_itself():
    rows = {"a": Row(True, -0.3), "b": Row(True, 0.4), "c": Row(False, 1.0), "d": Row(True, 0)}
    recipe = compose("tiny-clap", rows, addition=True, negation=True, analogy=None)
    assert dict(recipe.coefficients) == {"a": -0.3, "b": 0.4}


@pytest.mark.parametrize(("addition", "negation"), list(itertools.product([True, False], repeat=2)))
def test_analogy_is_b_plus_c_minus_a_on_top_of_the_rows(addition, negation):
    analogy = Analogy("a", "b", "c", 0.4)
    alone = compose("tiny-clap", {}, addition=addition, negation=negation, analogy=analogy)
    assert dict(alone.coefficients) == {"a": -0.4, "b": 0.4, "c": 0.4}
    both = compose("tiny-clap", {"a": Row(True, 0.1)}, addition=True, negation=False, analogy=analogy)
    assert dict(both.coefficients) == {"a": -0.3, "b": 0.4, "c": 0.4}


def test_the_extremes_of_the_controls_are_a_valid_recipe():
    rows = {name: Row(True, -SLIDER_MAX if name == "a" else SLIDER_MAX) for name in "abc"}
    recipe = compose("tiny-clap", rows, addition=True, negation=True, analogy=Analogy("a", "b", "c", SLIDER_MAX))
    assert dict(recipe.coefficients) == {"a": -2.0, "b": 2.0, "c": 2.0}


@pytest.mark.parametrize("names", [("a", "a", "b"), ("a", "b", "a"), ("b", "a", "a"), ("a", "a", "a")])
def test_an_analogy_needs_three_different_vectors(names):
    with pytest.raises(BadRecipeError, match="three different"):
        Analogy(*names, 0.5)


@pytest.mark.parametrize("value", [-1.01, 1.01, math.nan, math.inf, True, "0.5", None])
def test_controls_refuse_what_a_slider_cannot_give(value):
    with pytest.raises(BadRecipeError):
        Row(True, value)
    with pytest.raises(BadRecipeError):
        Analogy("a", "b", "c", value)


def test_an_analogy_is_never_negative():
    with pytest.raises(BadRecipeError):
        Analogy("a", "b", "c", -0.01)


def test_json_is_plain():
    assert json.loads(Recipe("tiny-clap", {"urban": -0.5}).to_json()) == GOOD
