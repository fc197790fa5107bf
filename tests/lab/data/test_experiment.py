"""Which checkpoint a folder of artifacts is about, and which study."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from taskvec_demo.clap.embedded import EMBEDDED
from taskvec_demo.core.recipe import Recipe
from taskvec_demo.errors import TaskVecError
from taskvec_demo.lab.data.experiment import PRETRAINED, open_pretrained, place_pretrained, stored_vectors
from taskvec_demo.lab.studies.ballanti import BALLANTI
from taskvec_demo.serve.artifacts import read_json


def test_a_refused_checkpoint_does_not_bar_the_way_that_its_refusal_advises(random_model: Path, tmp_path: Path) -> None:
    file, folder = tmp_path / "x.pt", tmp_path / "my-clap"
    torch.save({"state_dict": {"module.audio_branch.bn0.weight": torch.ones(1)}}, file)
    with pytest.raises(TaskVecError, match=r"run `python -m taskvec_demo convert .*, then give that folder"):
        place_pretrained(folder, str(file))
    place_pretrained(folder, str(random_model))
    assert (folder / "model" / "config.json").is_file()
    with pytest.raises(TaskVecError, match=f"is about the checkpoint '{random_model.name}', not 'tiny-clap'"):
        place_pretrained(folder, "tiny-clap")


def test_a_folder_is_known_by_its_weights_and_not_by_a_path_of_this_machine(random_model: Path, tmp_path: Path) -> None:
    folder, moved = tmp_path / "my-clap", tmp_path / "elsewhere"
    place_pretrained(folder, str(random_model))
    assert str(random_model.parent) not in (folder / PRETRAINED).read_text()  # it is published
    shutil.copytree(random_model, moved)
    place_pretrained(folder, str(moved))
    (folder / PRETRAINED).unlink()
    place_pretrained(folder, str(moved))
    assert read_json(folder / PRETRAINED)["name"] == "elsewhere"


def test_a_folder_of_any_name_has_a_name_that_recipes_accept(random_model: Path, tmp_path: Path) -> None:
    named = tmp_path / "my clap (v2)"
    shutil.copytree(random_model, named)
    place_pretrained(tmp_path / "out", str(named))
    assert Recipe(open_pretrained(BALLANTI, tmp_path / "out").name, {}).checkpoint == "my_clap_v2"


def test_only_what_a_checkpoint_needs_is_copied(random_model: Path, tmp_path: Path) -> None:
    trained, folder = tmp_path / "trained", tmp_path / "my-clap"
    shutil.copytree(random_model, trained)
    for name in ("optimizer.pt", "training_args.bin", "trainer_state.json", ".git/HEAD", "eval/clip.WAV"):
        (trained / name).parent.mkdir(exist_ok=True)
        (trained / name).write_text("{}")
    place_pretrained(folder, str(trained))
    assert {p.name for p in (folder / "model").iterdir()} == {p.name for p in random_model.iterdir()}


def test_a_folder_of_another_study_is_not_said_to_lack_vectors() -> None:
    with pytest.raises(TaskVecError, match="not those of the study 'ballanti': say with --study which one"):
        stored_vectors(EMBEDDED, BALLANTI)
