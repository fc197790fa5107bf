"""Parts that only the artifacts of tiny-CLAP have: a model joined from trained towers, its wordings, synthesized
clips.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

from ...clap.checkpoint_files import read_checkpoint, weight_files
from ...clap.features import log_mel
from ...clap.loading import save_checkpoint, save_tokenizer
from ...clap.model import Checkpoint, new_model
from ...core.files import whole_folder
from ...core.weights import write_safetensors
from ...core.zero_shot import ZeroShotHead, clip_embedding
from ...errors import TaskVecError
from ...recordings.audio import windows
from ...serve.artifacts import write_json
from ..data.experiment import Experiment
from ..data.synth import labelled_set, write_labelled_set
from . import architecture as tiny
from .rewording_accuracy import rewording_accuracy
from .tokenizer import MAX_TOKENS

TOWERS = {"audio.safetensors": "pretrain", "text/text.safetensors": "distil-text"}  # in a work folder; what trains each
SYNTHESIZED_SEED, PER_CLASS = 1, 3  # of the labelled clips; the examples have seed 0


def assemble(work: Path, out: Path) -> None:
    """Join the trained audio and text towers into one `ClapModel` folder, in float16."""
    for file, command in TOWERS.items():
        if not (work / file).is_file():
            raise TaskVecError(f"{work / file} is missing: run `python -m taskvec_demo {command}` first.")
    text_config = json.loads((work / "text" / "text_config.json").read_text())
    model = new_model(tiny.AUDIO, text_config, tiny.DIM)
    state = {name: tensor for file in TOWERS for name, tensor in load_file(work / file).items()}
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


def take_text_tower(start: Path, work: Path) -> None:
    """Put the text tower and the tokenizer of the model folder `start` where `assemble` looks for them.

    A text tower that is there already stays.
    """
    out = work / "text"
    if (out / "text.safetensors").is_file():
        return
    config = json.loads((start / "config.json").read_text(encoding="utf-8"))
    write_json(out / "text_config.json", config["text_config"])
    save_tokenizer(out / "tokenizer", Tokenizer.from_file(str(start / "tokenizer.json")), MAX_TOKENS)
    write_safetensors(out / "text.safetensors", tiny.tower_state(start, "text_"), {"format": "pt"})


def holds_towers(model: Path, work: Path) -> bool:
    """Whether the folder `model` has the weights of the trained towers in `work`, rounded as `assemble` rounds them.

    A tower that is not in `work` is not asked for.
    """
    held = read_checkpoint(weight_files(model), str(model))
    towers = [read_checkpoint([work / file], file) for file in TOWERS if (work / file).is_file()]
    return all(
        name in held and torch.equal(tensor.to(held[name].dtype), held[name])
        for tower in towers
        for name, tensor in tower.items()
    )


def write_extras(experiment: Experiment, work: Path, out: Path) -> None:
    """Write how well other wordings work, how well the text tower agrees with its teacher, and labelled synthesized
    clips of the classes that the pre-trained model hears in them.
    """
    write_json(out / "tables" / "rewordings.json", rewording_accuracy(experiment))
    agreement = work / "text" / "text_agreement.json"
    if agreement.is_file():
        write_json(out / "tables" / agreement.name, json.loads(agreement.read_text()))
    clips = labelled_set(SYNTHESIZED_SEED, PER_CLASS)
    heard = heard_classes(experiment.checkpoint, experiment.heads, clips)
    write_labelled_set(out / "synthesized", [clip for clip in clips if clip[:2] in heard])


def heard_classes(
    checkpoint: Checkpoint, heads: Mapping[str, ZeroShotHead], clips: Iterable[tuple[str, str, np.ndarray]]
) -> set[tuple[str, str]]:
    """(task, class) of the clips of which at least half are named right: others would say little of an edit."""
    right: dict[tuple[str, str], list[bool]] = {}
    for task, name, samples in clips:
        heard = log_mel(windows(samples, checkpoint.features.n_samples), checkpoint.features)
        logits = heads[task].logits(clip_embedding(checkpoint.embed_audio(heard))[None], 1.0)
        right.setdefault((task, name), []).append(heads[task].labels[int(logits.argmax())] == name)
    return {of for of, answers in right.items() if 2 * sum(answers) >= len(answers)}
