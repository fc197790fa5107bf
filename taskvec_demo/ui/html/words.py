"""The words of the page, explained where they stand: by pointing at them, by a tap, or by keyboard focus."""

from __future__ import annotations

from html import escape

from ...core.evaluation import CONTROL_KEPT, percent

KEPT = f"{percent(CONTROL_KEPT)} %"
WORDS = {
    "formula": (
        "θ (theta) is all the numbers that a model consists of, its weights: θ_pt before the edit, θ_new after it. "
        "τ (tau) is a task vector: the weights after training on one task minus the weights before. λ (lambda) says "
        "how much of it is added: 1 is all of it, 0 nothing, below 0 it is taken away."
    ),
    "operations": (
        "Add teaches: λ above 0. Negate makes the model forget: λ below 0. Analogy adds what B and C have learned and "
        "takes A away."
    ),
    "analogy": "The vector of D is put together as τ_B + τ_C − τ_A. No recording of D is used.",
    "tasks": (
        "Each bar is the share of a task's recordings that the model names rightly, on recordings that it was not "
        "trained on. The control is sounds that no edit is meant to change: it is held while "
        f"{KEPT} of its accuracy are left. Forgotten: half or less is left; weakened: more is. "
        "Learned: 90 % of what training on this task alone reaches (normalized accuracy 0.90); improved: less. ≈: the "
        "first share lies within the interval of the second, so on other recordings there may be no change. The tab "
        "Explore asks the same recordings in pairs, which shows smaller changes."
    ),
    "interval": (
        "The 95 % interval: on other recordings of the same kind the share would mostly lie inside this line. It takes "
        "every recording as independent; those of one source are not, so the truth is a little less certain."
    ),
    "estimate": (
        "Measured or exact: these very weights were built and have answered; circles on the curves are such points. "
        "Estimate: computed in your browser from measured answers nearby, while the slider moves; ± is its mean error "
        "on settings it was not made from."
    ),
    "safe": (
        f"The control keeps {KEPT} of its accuracy at the λ with a green line below the slider (an estimate), and "
        "above the dashed green line of the curves."
    ),
    "clip": (
        "The answer is the most probable of the labels that CLAP may choose from, with its probability: before with "
        "the pre-trained model, after with the edited one, also while a study is open. While a slider moves, it is "
        "read between exact answers at 41 λ (estimate); at rest it is exact."
    ),
}


def help_html(word: str, shown: str = "?", figures: str = "") -> str:
    """A small button that explains a word of `WORDS`. `figures`: the class of an element after the explanation, for
    figures that the browser writes there.
    """
    return explained_html(shown, WORDS[word], f"<span class='{figures}'></span>" if figures else "")


def explained_html(shown: str, explanation: str, more: str = "") -> str:
    """Words that are a button, and their explanation, which words.js shows beside them. `more` is HTML after it."""
    text = escape(explanation, quote=True)
    kind = "tv-word tv-question" if shown == "?" else "tv-word"
    return (
        f"<button type='button' class='{kind}' aria-label=\"{escape(shown)}: {text}\">{escape(shown)}"
        f"<span class='tv-tip' popover='manual' aria-hidden='true'>{text}{more}</span></button>"
    )
