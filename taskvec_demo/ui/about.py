"""The text of the About tab."""

from __future__ import annotations

from ..clap.embedded import EMBEDDED
from ..serve.workbench import Workbench


def about_markdown(workbench: Workbench) -> str:
    """The text on what a task vector is, what the numbers are, and whose recordings they come from."""
    sources = "\n".join(f"- {s['name']} ({s['author']}): {s['licence']}" for s in workbench.artifacts.sources)
    recordings = f"\n\n**Sources: recordings and texts** (none is shipped):\n\n{sources}" if sources else ""
    size = workbench.edited_parameters / 1e6
    return f"""
A **task vector** is a difference of weights: τ = θ_fine-tuned − θ_pre-trained. Here it covers the {size:.1f} million
parameters of CLAP's audio tower and audio projection; the text tower stays frozen, so every label you type keeps its
meaning. The edited model is

θ_new = θ_pt + Σ λᵢ τᵢ

- **Addition** (λ > 0) teaches tasks that were fine-tuned apart, without training again.
- **Negation** (λ < 0) makes the model forget a task; the *control* task, everyday sounds, should hold at 95 % or more.
- **Analogy**: A is to B as C is to D. τ_B + τ_C − τ_A should move the model towards D, of which no recording was used;
  whether it does is in the tab “The paper, replayed”.

**What the numbers are.** Bars come from validation clips, with n and a 95 % Wilson interval. *Measured* means that
exactly this λ was run on every clip; *estimate* comes from a polynomial fitted to measured logits, with its held-out
error. The answers for your own clip are always computed with the rebuilt weights. λ is never chosen on test clips.

**The model.** {_model(workbench)}

**After** Ilharco et al., *Editing Models with Task Arithmetic* (arXiv:2212.04089), and Ballanti, *Task Arithmetic for
Audio Classification* (2024).{recordings}
"""


def _model(workbench: Workbench) -> str:
    name = workbench.name
    if name == EMBEDDED.name:
        return (
            f"*{name}* is a small CLAP (HTSAT audio tower, RoBERTa-style text tower) trained by this project on ten "
            "hours of sound. It knows about a hundred sounds. For any other sound, the top label is only the label of "
            "your list that comes nearest. While a vector learned its task, training clips of the other sets, the "
            "control's among them, were to keep their embeddings. Test clips come from other recording sources than "
            "the clips for training and validation."
        )
    where = workbench.artifacts.pretrained or {}
    origin = f"the hub, revision {where.get('revision')}" if where.get("repo") else "this machine"
    return (
        f"*{name}* was opened from {origin}; the hash of its weights is {workbench.artifacts.pretrained_sha256[:12]}."
    )
