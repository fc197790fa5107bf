"""Recipes as files: JSON, and the YAML of mergekit (arcee-ai/mergekit, merge method `task_arithmetic`)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import yaml

from ..errors import BadRecipeError, shortened
from .recipe import Recipe

MAX_CHARACTERS = 100_000  # of a file; a recipe of 64 vectors takes 5,000
METHOD = "task_arithmetic"
LONGEST_STEM = 80  # characters of a file's name before its suffix
COMMENT = """\
# {formula}
#
# The edit changes the audio tower of a CLAP model alone: the parameters audio_model.* and audio_projection.*.
# Each entry of `models` stands for its task vector, fine-tuned minus pre-trained weights, times `weight`.
"""


class _Loader(yaml.SafeLoader):
    """A loader of YAML without aliases: a few nested ones stand for a structure larger than the memory."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise BadRecipeError(
                f"The file holds the alias {shortened(f'*{self.peek_event().anchor}')!r}; "
                "a recipe without aliases is accepted."
            )
        return super().compose_node(parent, index)


def recipe_yaml(recipe: Recipe) -> str:
    """The recipe as a configuration of mergekit, with a comment that says what it edits; `read_recipe` reads it back.

    The hash of the pre-trained weights, if the recipe has one, is a key of its own, which mergekit ignores.
    """
    models = [{"model": name, "parameters": {"weight": value}} for name, value in recipe.coefficients.items()]
    content: dict[str, Any] = {
        "merge_method": METHOD,
        "base_model": recipe.checkpoint,
        "models": models,
        "parameters": {"normalize": False},
        "dtype": "float32",
    }
    if recipe.pretrained_sha256 is not None:
        content["pretrained_sha256"] = recipe.pretrained_sha256
    return COMMENT.format(formula=recipe.formula()) + yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


# What PyYAML raises for values that are none of their kind, such as 2026-99-99, `!!bool maybe` and `!!int ""`
_NO_VALUE = (ValueError, KeyError, IndexError, AttributeError, TypeError)


def read_recipe(text: str) -> Recipe:
    """The recipe in the text of a file, JSON or YAML. Raises `BadRecipeError`."""
    if len(text) > MAX_CHARACTERS:
        raise BadRecipeError(
            f"The file has {len(text)} characters; a recipe of at most {MAX_CHARACTERS} in JSON or YAML is accepted."
        )
    if text.lstrip("\ufeff \t\r\n").startswith("{"):
        return Recipe.from_json(text.lstrip("\ufeff"))
    try:
        content = yaml.load(text, _Loader)  # a SafeLoader: nothing of the file is run
    except (yaml.YAMLError, RecursionError, *_NO_VALUE) as error:
        raise BadRecipeError("The file is neither JSON nor YAML, so it is no recipe.") from error
    return _from_mergekit(content)


def file_stem(recipe: Recipe) -> str:
    """The name, without a suffix, of a file about the recipe: tiny-clap_music-0.9_urban+0.5"""
    terms = "".join(f"_{name}{value:+g}" for name, value in recipe.coefficients.items())
    return f"{recipe.checkpoint.replace('/', '_')}{terms or '_unedited'}"[:LONGEST_STEM]


def _from_mergekit(content: Any) -> Recipe:
    keys = "merge_method, base_model and models"
    if not isinstance(content, Mapping) or not {"merge_method", "base_model", "models"} <= content.keys():
        raise BadRecipeError(f"The file holds no recipe: a JSON recipe, or YAML with {keys} is expected.")
    if content["merge_method"] != METHOD:
        raise BadRecipeError(f"The merge method is {shortened(content['merge_method'])!r}; only {METHOD} is accepted.")
    shared = _parameters(content)
    if shared.get("normalize"):
        raise BadRecipeError("The recipe asks for normalized weights; only `normalize: false` is accepted.")
    factor = _number(shared.get("lambda", 1), "`lambda`")
    models = content["models"]
    if not isinstance(models, list):
        raise BadRecipeError(f"`models` must be a list of models with their weight, not {shortened(models)!r}.")
    coefficients: dict[str, float] = {}
    for entry in models:
        name = entry.get("model") if isinstance(entry, Mapping) else None
        if not isinstance(name, str) or "weight" not in _parameters(entry):
            raise BadRecipeError(f"{shortened(entry)!r} is no entry of `models`; it needs `model` and a `weight`.")
        if name in coefficients:
            raise BadRecipeError(f"The model {shortened(name)!r} occurs more than once; each may occur once.")
        coefficients[name] = factor * _number(_parameters(entry)["weight"], f"The weight of {shortened(name)!r}")
    return Recipe(content["base_model"], coefficients, pretrained_sha256=content.get("pretrained_sha256"))


def _parameters(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    found = entry.get("parameters")
    return found if isinstance(found, Mapping) else {}


def _number(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadRecipeError(f"{what} is {shortened(value)!r}; one number is accepted.")
    try:
        return float(value)
    except OverflowError:  # an integer that is too large for float64; `Recipe` refuses it as infinite
        return math.inf
