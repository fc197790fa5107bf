"""One clip along 41 λ of a vector: against load_state_dict and a forward pass for each λ."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import torch
from transformers import ClapModel

from taskvec_demo.clap.features import log_mel
from taskvec_demo.core.recipe import MEASURED_HIGH, MEASURED_LOW
from taskvec_demo.recordings.audio import load_clip, windows
from taskvec_demo.serve.workbench import TRACE_POINTS

from .context import TINY, Context, new_recipe
from .machine import multiply_adds, product_seconds
from .measurement import Measurement, Peer, Target, in_turn, measured, median
from .peers import edit

TITLE = "A clip along λ"
METHOD = (
    f"`Workbench.trace` at {TRACE_POINTS} λ of one vector, the others on, for a clip of one window that was classified "
    "before, as on the page. The peer has the clip's features: for each λ an edit by dictionaries, `load_state_dict` "
    "and `get_audio_features`."
)
LIMIT_MS = 250


def run(context: Context) -> list[Measurement]:
    workbench = context.tiny
    features = workbench.checkpoint.features
    moved, *others = list(workbench.vectors)[:4]
    model = ClapModel.from_pretrained(TINY / "model", local_files_only=True, dtype=torch.float32).eval()
    base, delta = workbench.checkpoint.pretrained.tensors(), workbench.vectors[moved].tensors()
    axis = np.linspace(MEASURED_LOW, MEASURED_HIGH, TRACE_POINTS).tolist()
    repeats, numbers = context.repeats(15), itertools.count()
    recipe = new_recipe(workbench.name, others, 8_000)
    clips: list[Path] = []
    for i in range(repeats + 1):
        clips.append(context.clip(200_000 + i, features.sample_rate, features.n_samples / features.sample_rate))
        workbench.classify(clips[-1], recipe)
    mel = log_mel(windows(load_clip(clips[0], features.sample_rate).samples, features.n_samples), features)

    def naive() -> None:
        with torch.inference_mode():
            for scaling_coef in axis:
                model.load_state_dict(edit(base, [delta], [scaling_coef]), strict=False)
                model.get_audio_features(input_features=mel)

    taken = in_turn({"ours": lambda: workbench.trace(clips[next(numbers)], recipe, moved), "naive": naive}, repeats)
    peer = Peer("naive loop", median(taken["naive"]))
    work = TRACE_POINTS * multiply_adds(lambda: model.get_audio_features(input_features=mel))
    limit = Peer("their matrix products, by a large one's speed", 1e3 * product_seconds(work), "times")
    what = f"tiny-CLAP, {TRACE_POINTS} λ, one window"
    return [
        measured(what, "ms", taken["ours"], peer=peer, target=Target("at most", LIMIT_MS)),
        measured(what, "ms", taken["ours"], peer=limit),
    ]
