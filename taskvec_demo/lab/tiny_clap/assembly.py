"""Parts that only the artifacts of tiny-CLAP have: a model joined from trained towers, its wordings, synthesized
clips.
"""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file

from ...clap.loading import save_checkpoint
from ...clap.model import new_model
from ...core.files import whole_folder
from ...errors import TaskVecError
from ...serve.artifacts import write_json
from ..data.experiment import Experiment
from ..data.synth import write_labelled_set
from . import architecture as tiny
from .rewording_accuracy import rewording_accuracy


def assemble(work: Path, out: Path) -> None:
    """Join the trained audio and text towers into one `ClapModel` folder, in float16."""
    for needed, command in (
        (work / "audio.safetensors", "pretrain"),
        (work / "text" / "text.safetensors", "distil-text"),
    ):
        if not needed.is_file():
            raise TaskVecError(f"{needed} is missing: run `python -m taskvec_demo {command}` first.")
    text_config = json.loads((work / "text" / "text_config.json").read_text())
    model = new_model(tiny.AUDIO, text_config, tiny.DIM)
    state = load_file(work / "audio.safetensors") | load_file(work / "text" / "text.safetensors")
    state["logit_scale_t"] = torch.tensor(math.log(1 / 0.07))  # text -> audio: untrained, as nothing here uses it
    missing, unexpected = model.load_state_dict(state, strict=False)
    # The constructor makes index buffers. If anything else is missing, the two halves do not fit.
    missing = [m for m in missing if not m.endswith(("relative_position_index", "position_ids", "token_type_ids"))]
    if missing or unexpected:
        raise TaskVecError(
            f"The trained towers do not fit the model: missing {missing[:3]}, unexpected {unexpected[:3]}."
        )
    with whole_folder(out) as temporary:
        save_checkpoint(temporary, model, tiny.PREPROCESSOR, work / "text" / "tokenizer")
        shutil.rmtree(out, ignore_errors=True)


def write_extras(experiment: Experiment, work: Path, out: Path) -> None:
    """Write how well other wordings work, how well the text tower agrees with its teacher, and the labelled synthesized
    clips.
    """
    write_json(out / "tables" / "rewordings.json", rewording_accuracy(experiment))
    agreement = work / "text" / "text_agreement.json"
    if agreement.is_file():
        write_json(out / "tables" / agreement.name, json.loads(agreement.read_text()))
    write_labelled_set(out / "synthesized")
