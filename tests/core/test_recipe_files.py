"""Recipes as files: what is written is read back, and mergekit's own form is understood or refused."""

from __future__ import annotations

import tracemalloc

import pytest
import yaml

from taskvec_demo.core.recipe import Recipe
from taskvec_demo.core.recipe_files import MAX_CHARACTERS, file_stem, read_recipe, recipe_yaml
from taskvec_demo.errors import BadRecipeError

RECIPES = [
    Recipe("tiny-clap"),
    Recipe("laion/clap-htsat-unfused", {"music": -0.9, "urban": 0.1234}, pretrained_sha256="0f" * 32),
    Recipe(
        "null", {"1e3": 1.0, "true": -0.5, "2024-01-01": 2.0, "no": 0.25}
    ),  # names that YAML takes for something else
]
MINIMAL = """merge_method: task_arithmetic
base_model: tiny-clap
models:
  - model: urban
    parameters: {weight: 0.5}
  - {model: music, parameters: {weight: -1}}
"""


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.checkpoint)
def test_a_file_is_read_back(recipe):
    assert read_recipe(recipe_yaml(recipe)) == recipe
    assert read_recipe("\ufeff\n" + recipe.to_json() + "\n") == recipe


def test_the_file_has_the_form_of_mergekit():
    content = yaml.safe_load(recipe_yaml(RECIPES[1]))
    assert content["merge_method"] == "task_arithmetic"
    assert content["base_model"] == "laion/clap-htsat-unfused"
    assert content["models"] == [
        {"model": "music", "parameters": {"weight": -0.9}},
        {"model": "urban", "parameters": {"weight": 0.1234}},
    ]
    comment = [line for line in recipe_yaml(RECIPES[1]).splitlines() if line.startswith("#")]
    assert "θ_new = θ_pt − 0.90 τ_music + 0.1234 τ_urban" in comment[0]
    assert any("audio tower" in line for line in comment)


def test_a_configuration_of_mergekit_is_read():
    assert read_recipe(MINIMAL) == Recipe("tiny-clap", {"urban": 0.5, "music": -1.0})
    scaled = read_recipe(MINIMAL + "parameters: {lambda: 0.5, normalize: false}\ndtype: bfloat16\n")
    assert scaled.coefficients == {"urban": 0.25, "music": -0.5}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no recipe"),
        ("just a sentence", "holds no recipe"),
        ("a: [1, 2", "neither JSON nor YAML"),
        ("{" * 5000, "not valid JSON"),
        ("[" * 5000, "neither JSON nor YAML"),
        (MINIMAL.replace("task_arithmetic", "ties"), "'ties'; only task_arithmetic"),
        (MINIMAL + "parameters: {normalize: true}", "normalize: false"),
        (MINIMAL + "parameters: {lambda: yes}", "`lambda` is 'True'"),
        (MINIMAL.replace("0.5", "[0.5, 1]"), "The weight of 'urban' is '[0.5, 1]'"),
        (MINIMAL.replace("music", "urban"), "'urban' occurs more than once"),
        (MINIMAL.replace("weight: 0.5", "density: 0.5"), "no entry of `models`"),
        (MINIMAL.replace("urban", "2024-01-01"), "no entry of `models`"),
        (MINIMAL.replace("-1", ".nan"), "must be from -2 to 2"),
        (MINIMAL.replace("base_model: tiny-clap", "base_model: 7"), "The checkpoint must be a name"),
        (MINIMAL.replace("-1", "1" + "0" * 400), "is inf; it must be from -2 to 2"),
        (MINIMAL + f"parameters: {{lambda: 1{'0' * 400}}}", "is inf; it must be from -2 to 2"),
        (MINIMAL[: MINIMAL.index("  -")].replace("models:", "models: 3"), "must be a list"),
        ("#" * (MAX_CHARACTERS + 1), f"{MAX_CHARACTERS + 1} characters"),
        ("!!python/object/apply:os.getcwd []", "neither JSON nor YAML"),
        *(
            (f"a: {value}", "neither JSON nor YAML")
            for value in ("!!bool maybe", '!!int ""', "!!timestamp x", "2026-99-99")
        ),
    ],
)
def test_what_is_no_recipe_is_one_sentence(text, said):
    with pytest.raises(BadRecipeError) as error:
        read_recipe(text)
    assert said in str(error.value)
    assert str(error.value).endswith(".")


def test_a_few_nested_aliases_do_not_fill_the_memory():
    """Six levels of ten stand for a million values; each level more would be ten times as many."""
    levels = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]", *(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 6))]
    bomb = "\n".join([*levels, MINIMAL[: MINIMAL.index("models")] + "models: {m: *a5}"])
    tracemalloc.start()
    try:
        with pytest.raises(BadRecipeError, match=r"^The file holds the alias '\*a0'; a recipe without .* accepted\.$"):
            read_recipe(bomb)
        assert tracemalloc.get_traced_memory()[1] < 10**6  # bytes
    finally:
        tracemalloc.stop()
    assert read_recipe(MINIMAL.replace("{weight: 0.5}", "&half {weight: 0.5}")) == read_recipe(MINIMAL)


def test_a_file_is_named_after_its_recipe():
    assert file_stem(Recipe("a/b", {"music": -0.9, "urban": 0.5})) == "a_b_music-0.9_urban+0.5"
    assert file_stem(Recipe("tiny-clap")) == "tiny-clap_unedited"
    assert len(file_stem(Recipe("x", {f"a-long-name-{i}": 0.5 for i in range(20)}))) == 80
