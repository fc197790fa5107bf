"""A new clip under a new recipe until both models have answered: against two transformers pipelines."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import soundfile
import torch
from transformers import ClapModel, ClapProcessor, pipeline

from taskvec_demo.core.edit import apply_recipe
from taskvec_demo.serve.artifacts import Artifacts
from taskvec_demo.serve.workbench import Workbench

from .context import Context, new_recipe
from .measurement import Measurement, Peer, Target, in_turn, measured, median

TITLE = "Clip to both predictions"
METHOD = (
    "`Workbench.classify` of a file that it has not heard, under a recipe of all vectors that it has not seen: decode, "
    "features, rebuild, both embeddings, both predictions. The label set is known, as it is while a visitor drags. The "
    "peer is two `zero-shot-audio-classification` pipelines of transformers, one with the pre-trained, one with an "
    "already edited model, both loaded before, given the decoded file, the same labels and one template. Ours averages "
    "the checkpoint's own: four of tiny-CLAP, one of LAION's size."
)
LIMITS_MS = {"tiny-CLAP": 150, "full size": 600}
PEER_LIMIT = 1.5


def run(context: Context) -> list[Measurement]:
    return _size(context, "tiny-CLAP", context.tiny) + _size(context, "full size", context.full_workbench())


def _size(context: Context, size: str, workbench: Workbench) -> list[Measurement]:
    features = workbench.checkpoint.features
    seconds = features.n_samples / features.sample_rate  # one window: what both sides hear of it
    labels = list(workbench.artifacts.default_labels)
    pipelines = _pipelines(workbench)
    seeds, numbers = itertools.count(), itertools.count()
    clips = {"ours": 0, "ours, new labels": 1, "pipelines": 2}  # a clip of its own for everyone

    def path(way: str) -> Any:
        return context.clip(10 * next(seeds) + clips[way], features.sample_rate, seconds)

    def ours(clip: Any, labels_given: str = "") -> object:
        recipe = new_recipe(workbench.name, workbench.vectors, next(numbers))
        return workbench.classify(clip, recipe, labels_given)

    def both(clip: Any) -> object:
        samples, _ = soundfile.read(clip, dtype="float32")
        template = workbench.artifacts.templates[-1]
        return [p(samples, candidate_labels=labels, hypothesis_template=template) for p in pipelines]

    repeats = context.repeats(25, 3)
    ready = {way: iter([path(way) for _ in range(repeats + 2)]) for way in clips}  # written before, read when timed
    new_labels = (", ".join(f"{label} {i}" for label in labels) for i in itertools.count())
    ways: dict[str, Callable[[], object]] = {
        "ours": lambda: ours(next(ready["ours"])),
        "ours, new labels": lambda: ours(next(ready["ours, new labels"]), next(new_labels)),
        "pipelines": lambda: both(next(ready["pipelines"])),
    }
    taken = in_turn(ways, repeats, warm_up=2)
    peer = Peer("two pipelines", median(taken["pipelines"]))
    note = f"{len(workbench.vectors)} vectors, computed in {workbench.checkpoint.precision}"
    limit = Target("at most", LIMITS_MS[size])
    return [
        measured(f"{size}, {seconds:g} s", "ms", taken["ours"], target=limit, note=note),
        measured(
            f"{size}, {seconds:g} s", "ms", taken["ours"], peer=peer, target=Target("at least", PEER_LIMIT, "ratio")
        ),
        measured(f"{size}, {seconds:g} s, {len(labels)} labels never seen", "ms", taken["ours, new labels"], peer=peer),
    ]


def _pipelines(workbench: Workbench) -> list[Any]:
    """Pipelines with the pre-trained and with an edited model, ready to call."""
    artifacts = workbench.artifacts
    assert isinstance(artifacts, Artifacts)
    folder = artifacts.model_folder
    processor = ClapProcessor.from_pretrained(folder, local_files_only=True)
    recipe = new_recipe(workbench.name, workbench.vectors, -1)
    edited = apply_recipe(workbench.checkpoint.pretrained, workbench.vectors, recipe)
    found = []
    for weights in (workbench.checkpoint.pretrained, edited):
        model = ClapModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32).eval()
        model.load_state_dict(weights.tensors(), strict=False)
        found.append(
            pipeline(
                "zero-shot-audio-classification",
                model=model,
                tokenizer=processor.tokenizer,
                feature_extractor=processor.feature_extractor,
                device="cpu",
            )
        )
    return found
