"""The edit: a pure function from pre-trained weights, task vectors and a recipe to edited weights."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from taskvec_demo.core.recipe import Recipe
from taskvec_demo.core.task_vector import TaskVector
from taskvec_demo.core.weights import Weights
from taskvec_demo.errors import BadRecipeError, IncompatibleWeightsError

CHUNK = 2**21  # elements of the sum that stay in the cores' shared cache while every vector is added: 8 MiB


def apply_recipe(pretrained: Weights, vectors: Mapping[str, TaskVector], recipe: Recipe) -> Weights:
    """θ_new = θ_pt + Σ λ_i τ_i (Ilharco et al. 2022, arXiv:2212.04089), in a new buffer; no input is changed.

    The sum starts from θ_pt, never from an earlier edit, so that rounding errors do not pile up. An empty recipe gives
    θ_pt bit for bit; equal recipes give equal bits, because the vectors are added in name order. `vectors` maps the
    names that recipes use to vectors of `pretrained`.

    Raises BadRecipeError when the recipe names an unknown vector or pins other pre-trained weights, and
    IncompatibleWeightsError when a vector it uses belongs to other pre-trained weights.
    """
    recipe.check_vectors(vectors)
    if recipe.pretrained_sha256 not in (None, pretrained.sha256):
        raise BadRecipeError(
            f"The recipe is for pre-trained weights {str(recipe.pretrained_sha256)[:12]}; "
            f"those loaded for {recipe.checkpoint!r} are {pretrained.sha256[:12]}."
        )
    for name in recipe.coefficients:
        vector = vectors[name]
        if vector.pretrained_sha256 != pretrained.sha256:
            raise IncompatibleWeightsError(
                f"The task vector {name!r} starts from pre-trained weights {vector.pretrained_sha256[:12]}; "
                f"only vectors of {pretrained.sha256[:12]} can be applied here."
            )
        pretrained.layout.check_same(vector.layout, f"The pre-trained weights and the task vector {name!r}")
    if not recipe.coefficients:
        return Weights(pretrained.layout, pretrained.buffer.clone())
    # Chunk by chunk: every buffer passes through memory once, however many vectors are added.
    edited = torch.empty_like(pretrained.buffer)
    buffers = [vectors[name].buffer.split(CHUNK) for name in recipe.coefficients]
    widened = torch.empty(min(CHUNK, len(edited)))  # torch.add of float16 would make a new one of these every time
    for total, source, *deltas in zip(edited.split(CHUNK), pretrained.buffer.split(CHUNK), *buffers, strict=True):
        # In name order: float addition depends on the order.
        for delta, scaling_coef in zip(deltas, recipe.coefficients.values(), strict=True):
            term = delta if delta.dtype == total.dtype else widened[: len(delta)].copy_(delta)
            source = torch.add(source, term, alpha=scaling_coef, out=total)
    return Weights(pretrained.layout, edited)
