"""The model card of an edited checkpoint that somebody exports from the app."""

from __future__ import annotations

from ..core.evaluation import Accuracy, TaskResult
from ..core.recipe import Recipe
from ..core.recipe_files import file_stem, recipe_yaml
from ..core.weights import Weights
from ..errors import BadRecipeError
from .workbench import Workbench

USE = """import librosa
from transformers import ClapModel, ClapProcessor

model, processor = ClapModel.from_pretrained("{folder}"), ClapProcessor.from_pretrained("{folder}")
sound, rate = librosa.load("a recording.wav", sr={rate}, mono=True)
labels = ["dog barking", "rain"]
text = processor.tokenizer(["{template}".format(label) for label in labels], padding=True, return_tensors="pt")
audio = processor.feature_extractor(sound[:{n}], sampling_rate=rate, max_length={n}, return_tensors="pt")
print(dict(zip(labels, model(**text, **audio).logits_per_audio.softmax(-1)[0].tolist())))"""
LIMITS = """- It always answers with one of the labels that it is given. For any other sound it names the nearest label,
  often with confidence.
- It was made by adding task vectors, without training. Beyond the tasks above nobody has measured what it has learned
  or lost.
- Subtracting a task hides it from zero-shot answers. A classifier trained on the embeddings may still find it.
- It was never tested for fairness across speakers; do not use it to judge people."""


def edited_card(workbench: Workbench, recipe: Recipe, weights: Weights) -> str:
    """The text of README.md with the front matter that the hub reads."""
    artifacts = workbench.artifacts
    repo = (artifacts.pretrained or {}).get("repo")
    sources = "\n".join(f"- {s['name']}, {s['author']}: {s['licence']}" for s in artifacts.sources)
    heard = workbench.checkpoint.features
    use = USE.format(
        folder=file_stem(recipe), template=artifacts.templates[-1], rate=heard.sample_rate, n=heard.n_samples
    )
    parts = [
        _front_matter(repo),
        f"# {workbench.name}, edited",
        f"**{recipe.formula()}**",
        f"The CLAP checkpoint {f'[{repo}](https://hf.co/{repo})' if repo else f'*{workbench.name}*'} with task vectors "
        "added to the weights of its audio tower and audio projection (task arithmetic, arXiv:2212.04089). Text tower, "
        "logit scales and BatchNorm statistics are those of the checkpoint.",
        f"```python\n{use}\n```",
        f"One window has {heard.n_samples / heard.sample_rate:g} s, which is {heard.n_samples} samples. The app cuts "
        "longer recordings into windows and averages their embeddings, and it averages each label over "
        f"{len(artifacts.templates)} templates.",
        f"## The recipe\n\n```yaml\n{recipe_yaml(recipe)}```",
        f"SHA-256 of the edited parameters: `{artifacts.pretrained_sha256}` before, `{weights.sha256}` after.",
        f"## Figures\n\n{_figures(workbench, recipe)}",
        f"## What it cannot do\n\n{LIMITS}",
        f"## Sources of the task vectors: recordings and texts\n\n{sources}\n\nThe strictest of these licences applies "
        "to the use of the weights."
        if sources
        else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _front_matter(repo: str | None) -> str:
    lines = ["---", "library_name: transformers", "pipeline_tag: zero-shot-audio-classification"]
    lines += ["license: other", "license_name: strictest-of-the-sources"]
    lines += [f"base_model: {repo}", "base_model_relation: merge"] if repo else []
    return "\n".join([*lines, "tags:", *(f"  - {t}" for t in ("clap", "task-arithmetic", "merge")), "---"])


def _figures(workbench: Workbench, recipe: Recipe) -> str:
    """A table of validation accuracies; where there are none, a sentence that says so."""
    try:
        results = workbench.evaluate(recipe)
    except BadRecipeError as error:  # outside the box that was measured
        return str(error)
    if not results:
        return "No accuracy of this recipe has been measured."
    rows = "\n".join(f"| {' | '.join(_cells(result))} |" for result in results)
    return (
        "Accuracy on validation clips in percent, 95 % Wilson interval in brackets. λ of a recipe that somebody chose "
        f"by looking at these figures is tuned to them.\n\n| task | clips | pre-trained | edited | |\n"
        f"|---|---|---|---|---|\n{rows}"
    )


def _cells(result: TaskResult) -> list[str]:
    error = f", ± {100 * result.estimate_error:.1f} points" if result.estimate_error is not None else ""
    kind = f"estimated{error}" if result.kind == "estimate" else "measured"
    name = f"{result.task.title} (control)" if result.task.role == "control" else result.task.title
    return [name, str(len(result.labels)), _percent(result.pretrained), _percent(result.edited), kind]


def _percent(accuracy: Accuracy) -> str:
    return f"{100 * accuracy.accuracy:.1f} [{100 * accuracy.low:.1f}, {100 * accuracy.high:.1f}]"
