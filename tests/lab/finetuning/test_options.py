"""A training option reaches the command line, the stored metadata and the checks by its declaration alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from taskvec_demo import cli
from taskvec_demo.errors import TaskVecError
from taskvec_demo.lab import build
from taskvec_demo.lab.data import fine_tuning
from taskvec_demo.lab.data.fine_tuning import FROM_ZERO, FineTuning, option, options
from taskvec_demo.lab.finetuning import finetune
from tests.support import finetuning as made_up


@dataclass(frozen=True)
class Dithered(FineTuning):
    """A fine-tuning with one more option, declared as any other."""

    dither_width: float = option(0.25, "width of what is added to each window", FROM_ZERO)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict]:
    """asked("--scale", "2") -> what `finetune_all` is asked for by that command line."""

    def ask(*arguments: str) -> dict:
        monkeypatch.setattr(build, "finetune_all", lambda *_, **found: seen.update(found) or {})
        seen: dict = {}
        assert cli.main(["finetune", "--data", "nowhere", *arguments]) == 0
        return seen

    return ask


def test_a_new_option_is_on_the_command_line(asked: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "dither_width" not in asked()
    monkeypatch.setattr(fine_tuning, "FineTuning", Dithered)
    assert asked("--dither-width", "0.5")["dither_width"] == 0.5
    assert asked()["dither_width"] is None  # the study's


def test_a_new_option_is_kept_with_the_vector(random_model: Path, tmp_path: Path) -> None:
    spec = Dithered("full", "sounds", epochs=1, dither_width=0.5)
    checkpoint = made_up.open_checkpoint(random_model)
    out = tmp_path / "v.safetensors"
    vector = finetune.finetune(checkpoint, made_up.clips(), made_up.STUDY, spec, out, precision="float32")
    assert vector.metadata["training"]["dither_width"] == 0.5
    assert {o.name for o in options(FineTuning)} < set(vector.metadata["training"])


def test_a_new_option_is_checked() -> None:
    with pytest.raises(TaskVecError, match=r"^The option dither-width is a number from 0, not -1\.$"):
        Dithered("full", "sounds", epochs=1, dither_width=-1)


def test_a_flag_may_have_another_name_than_its_field(asked: Callable) -> None:
    assert asked("--rate", "0.001", "--runs", "2") == asked("--runs", "2") | {"peak_rate": 0.001}


def test_what_comes_after_a_training_does_not_make_it_another() -> None:
    spec = FineTuning("v", "sounds", epochs=1)
    assert FineTuning("v", "sounds", epochs=1, runs=3).one_training() == spec
    assert FineTuning("v", "sounds", epochs=1, rehearsal=2.0).one_training() != spec
