"""The public endpoints: `/classify`, `/evaluate`, `/vectors`. The page calls the same functions."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from ..errors import BadAudioError, TaskVecError
from ..serve.workbench import Workbench

MODEL_CONCURRENCY: dict[str, Any] = {
    "concurrency_id": "model",
    "concurrency_limit": 2,
}  # on two cores more of them would only wait
TRACE_CONCURRENCY: dict[str, Any] = {"concurrency_id": "trace", "concurrency_limit": 1}
# Runs take turns at the model, batch by batch. A run ends an older one of its page only after it has begun, so more
# than one must be allowed
EXACT_CONCURRENCY: dict[str, Any] = {"concurrency_id": "exact", "concurrency_limit": 8}


def user_error(error: TaskVecError) -> gr.Error:
    """The error of gradio that shows a domain error as a toast of the page, without a traceback in the log.

    A sentence may repeat words of a visitor's file, and gradio reads a toast as HTML.
    """
    return gr.Error(escape(str(error), quote=False), duration=12, print_exception=False)


def _api_error(error: TaskVecError) -> gr.Error:
    """The error of gradio whose message is what a client of the API is told: the sentence as it is."""
    return gr.Error(str(error), print_exception=False)


def add_endpoints(workbench: Workbench) -> None:
    """Register the endpoints on hidden components; call inside the Blocks."""

    def classify(clip: str, recipe: dict | str | None, labels: str = "") -> dict[str, Any]:
        """Classify one recording with the pre-trained and with the edited CLAP.

        Args:
            clip: audio file: wav, flac, ogg, opus or mp3, 0.1 s to 10 min, at most 25 MB; the first 60 s are used
            recipe: JSON such as {"format": 1, "checkpoint": "tiny-clap", "coefficients": {"urban": -0.5}}
            labels: one a line, or all on one line between commas; empty for the checkpoint's default set

        Returns:
            {"pretrained": {label: probability}, "edited": {label: probability}, "windows", "seconds", "notes"}
        """
        try:
            if clip is None:
                raise BadAudioError("No recording was given: pass a wav, flac, ogg, opus or mp3 file as `clip`.")
            return workbench.classify(clip, workbench.recipe(recipe), labels or "").to_dict()
        except TaskVecError as error:
            raise _api_error(error) from error

    def evaluate(recipe: dict | str | None, split: str = "validation") -> list[dict[str, Any]]:
        """Accuracies of every task before and after an edit, with 95 % Wilson intervals.

        Args:
            recipe: JSON such as {"format": 1, "checkpoint": "tiny-clap", "coefficients": {"urban": -0.5}}
            split: "validation", or "test" for recipes chosen on validation

        Returns:
            a list of {task, role, split, kind, n, pretrained, edited, per_class, mcnemar_p}; an estimate also says its
            mean held-out error, `estimate_error`, and that of single classes, `estimate_class_error` (null: unknown)
        """
        try:
            return workbench.figures(workbench.recipe(recipe), split or "validation")
        except TaskVecError as error:
            raise _api_error(error) from error

    def vectors() -> list[dict[str, Any]]:
        """The task vectors that recipes can name: norm, hashes, training and metrics of each."""
        return workbench.describe_vectors()

    with gr.Row(visible=False):
        clip = gr.Audio(type="filepath", label="clip")
        recipe = gr.JSON(label="recipe")
        labels = gr.Textbox("", label="labels")
        split = gr.Textbox("validation", label="split")
        answer, figures, listing = gr.JSON(), gr.JSON(), gr.JSON()
        button = gr.Button()
    button.click(classify, [clip, recipe, labels], answer, api_name="classify", **MODEL_CONCURRENCY)
    button.click(evaluate, [recipe, split], figures, api_name="evaluate", **MODEL_CONCURRENCY)
    button.click(vectors, None, listing, api_name="vectors", **MODEL_CONCURRENCY)
