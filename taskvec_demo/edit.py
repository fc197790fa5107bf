"""The edit itself: pre-trained weights, task vectors and a recipe in, edited weights out. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from taskvec_demo.errors import BadRecipeError, IncompatibleWeightsError
from taskvec_demo.recipe import Recipe
from taskvec_demo.task_vector import TaskVector
from taskvec_demo.weights import Weights


def apply_recipe(pretrained: Weights, vectors: Mapping[str, TaskVector], recipe: Recipe) -> Weights:
    """θ_new = θ_pt + Σ λ_i τ_i (Ilharco et al. 2022, arXiv:2212.04089), in a new buffer; no input is changed.

    Always from θ_pt, never from an earlier edit, so rounding does not pile up. An empty recipe gives θ_pt bit for bit;
    equal recipes give equal bits, because the vectors are added in name order. `vectors` maps the names that recipes
    use to vectors of `pretrained`.

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
    edited = pretrained.buffer.clone()
    for name, scaling_coef in recipe.coefficients.items():  # in name order: float addition depends on the order
        edited.add_(vectors[name].buffer, alpha=scaling_coef)
    return Weights(pretrained.layout, edited)
