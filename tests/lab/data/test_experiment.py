"""Which checkpoint a folder of artifacts is about."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from taskvec_demo.errors import TaskVecError
from taskvec_demo.lab.data.experiment import PRETRAINED, place_pretrained
from taskvec_demo.serve.artifacts import read_json


def test_a_refused_checkpoint_does_not_bar_the_way_that_its_refusal_advises(random_model: Path, tmp_path: Path) -> None:
    file, folder = tmp_path / "x.pt", tmp_path / "my-clap"
    torch.save({"state_dict": {"module.audio_branch.bn0.weight": torch.ones(1)}}, file)
    with pytest.raises(TaskVecError, match=r"run `python -m taskvec_demo convert .*, then give that folder"):
        place_pretrained(folder, str(file))
    place_pretrained(folder, str(random_model))
    assert read_json(folder / PRETRAINED)["spec"] == str(random_model)
    assert (folder / "model" / "config.json").is_file()
    with pytest.raises(TaskVecError, match=f"is about the checkpoint '{random_model}'"):
        place_pretrained(folder, "tiny-clap")
