"""The parameters of the audio tower that a fine-tuning trains. The result is always a full set of weights."""

from __future__ import annotations

import re

import torch

from ...clap.model import AudioTower
from ...errors import TaskVecError

_STAGE = re.compile(r"audio_model\.audio_encoder\.layers\.(\d+)\.")
_AFTER_STAGES = ("audio_model.audio_encoder.norm.", "audio_projection.")


def restrict(tower: AudioTower, trains: str, rank: int, alpha: int) -> None:
    """Make only the parameters trainable that `trains` names.

    "full": every parameter. "last-stage": the last Swin stage, the norm after it and the projection. "linear": the
    weights of linear layers (after Jin et al., arXiv:2407.07089, who train those of attention). "lora": in place of
    these, low-rank updates alpha / rank · B A of the linear layers (arXiv:2106.09685), by peft; A starts random, B
    starts at zero. Raises TaskVecError where peft is missing.
    """
    linear = [name for name, module in tower.named_modules() if isinstance(module, torch.nn.Linear)]
    if trains == "lora":
        _add_low_rank(tower, linear, rank, alpha)
        return
    if trains == "full":
        return
    stages = {name: int(match[1]) for name, _ in tower.named_parameters() if (match := _STAGE.match(name))}
    chosen = {f"{name}.weight" for name in linear}
    if trains == "last-stage":
        last = max(stages.values())
        chosen = {n for n, _ in tower.named_parameters() if stages.get(n) == last or n.startswith(_AFTER_STAGES)}
    for name, parameter in tower.named_parameters():
        parameter.requires_grad_(name in chosen)


def _add_low_rank(tower: AudioTower, linear: list[str], rank: int, alpha: int) -> None:
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise TaskVecError("LoRA is trained by peft: run `pip install -r requirements-dev.txt` first.") from error
    inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=alpha, target_modules=linear), tower)


@torch.no_grad()
def trained_tensors(tower: AudioTower) -> dict[str, torch.Tensor]:
    """Name in `Weights` -> present value, for every tensor that a restricted tower trains.

    LoRA updates are merged in.
    """
    low_rank = {name: module for name, module in tower.named_modules() if hasattr(module, "get_delta_weight")}
    if low_rank:
        return {f"{n}.weight": m.get_base_layer().weight + m.get_delta_weight("default") for n, m in low_rank.items()}
    return {name: p.detach() for name, p in tower.named_parameters() if p.requires_grad}
