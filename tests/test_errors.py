"""What a user gave is repeated in messages, but never in full where it is long."""

from __future__ import annotations

import pytest

from taskvec_demo.core.zero_shot import parse_labels
from taskvec_demo.errors import LONGEST, SHOWN, BadRecipeError, TaskVecError, sentence, shortened

HUGE = 200_000


def test_a_short_text_is_repeated_as_it_is():
    assert shortened("dog bark") == "dog bark"
    assert shortened("x" * SHOWN) == "x" * SHOWN


def test_a_long_text_keeps_its_beginning_and_its_end():
    shown = shortened("beginning" + "x" * HUGE + "end")
    assert len(shown) == SHOWN
    assert shown.startswith("beginning")
    assert shown.endswith("end")


def test_a_name_that_is_not_utf8_can_be_printed():
    name = b"caf\xe9.wav".decode(errors="surrogateescape")
    assert shortened(name) == "caf?.wav"
    assert str(TaskVecError(f"{name} is damaged.")) == "caf?.wav is damaged."


def test_no_message_is_long_whatever_it_names():
    message = str(BadRecipeError(f"The vector {'x' * HUGE!r} is not here; choose urban."))
    assert len(message) == LONGEST
    assert message.endswith("choose urban.")


def test_the_systems_errors_name_what_is_wrong():
    assert sentence(PermissionError(13, "Permission denied", "/somewhere")) == "/somewhere: Permission denied."
    assert sentence(OSError("no\nspace")) == "no space"
    assert sentence(TaskVecError("Said so.")) == "Said so."


@pytest.mark.parametrize("labels", ["x" * HUGE, "x" * HUGE + ", y", "?" * HUGE + ", y"])
def test_labels_are_echoed_shortened(labels):
    with pytest.raises(TaskVecError) as refused:
        parse_labels(labels)
    assert len(str(refused.value)) < 3 * SHOWN


@pytest.mark.parametrize(
    "recipe",
    [
        "x" * HUGE,
        '{"' + "x" * HUGE + '": 1}',
        {"format": "x" * HUGE, "checkpoint": "tiny-clap", "coefficients": {}},
        {"format": 1, "checkpoint": "x" * HUGE, "coefficients": {}},
        {"format": 1, "checkpoint": "tiny-clap", "coefficients": {"x" * HUGE: 1}},
        {"format": 1, "checkpoint": "tiny-clap", "coefficients": {"urban": "x" * HUGE}},
        {"format": 1, "checkpoint": "tiny-clap", "coefficients": {}, "rule": "x" * HUGE},
    ],
    ids=["text", "key", "format", "checkpoint", "vector", "coefficient", "rule"],
)
def test_whatever_is_wrong_with_a_recipe_is_echoed_shortened(recipe, workbench):
    with pytest.raises(BadRecipeError) as refused:
        workbench.recipe(recipe)
    assert len(str(refused.value)) < 400


def test_clips_and_splits_are_echoed_shortened(workbench):
    recipe = workbench.recipe("")
    with pytest.raises(TaskVecError) as refused:
        workbench.figures(recipe, "x" * HUGE)
    assert len(str(refused.value)) < 3 * SHOWN
    with pytest.raises(TaskVecError) as refused:
        workbench.classify("x" * HUGE, recipe)
    assert len(str(refused.value)) <= LONGEST
