"""What each preset is shown with: the vector to drag, an example clip whose answer flips on its way, and a sentence.

The clips are the artifacts' own examples, which the project synthesizes; their answers are measured along the slider.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from ...serve.artifacts import Artifacts, Preset, Story, write_json
from ...serve.trace import Trace
from ...serve.workbench import Workbench
from .shipped_tables import refresh_manifest

STORIES = "stories.json"


@dataclass(frozen=True)
class Flip:
    """A clip whose answer is `before` at λ = 0 of `vector` and `after` at the preset's λ, everything else as set.

    `share` is the smaller one of both probabilities.
    """

    vector: str
    clip: str
    before: str
    after: str
    share: float


def write_stories(folder: Path) -> dict[str, Story]:
    """Choose the story of each preset in a folder of artifacts and write `tables/stories.json` and the manifest."""
    workbench = Workbench(Artifacts(folder, verify=False), precision="float32")
    stories = {name: story_of(workbench, preset) for name, preset in workbench.artifacts.presets.items()}
    write_json(folder / "tables" / STORIES, {name: asdict(story) for name, story in stories.items()})
    refresh_manifest(folder)
    return stories


def story_of(workbench: Workbench, preset: Preset) -> Story:
    """The story with the clearest flip. Where no clip flips, the vector with the largest |λ| is dragged."""
    own = [v for v in preset.recipe.coefficients if workbench.vectors[v].task == v]  # each has a task of its own name
    flips = [flip for vector in own for flip in flips_of(workbench, preset, vector)]
    if flips:
        best = max(flips, key=lambda flip: flip.share)
        return Story(_sentence(best, preset), best.vector, best.clip)
    if not own:
        return Story("Drag λ: its vector is put together from three others, none of which was trained on it.", "")
    vector = max(own, key=lambda v: abs(preset.recipe.coefficients[v]))
    return Story(f"Drag τ {vector} to 0 and back, and watch its bar and the control.", vector)


def flips_of(workbench: Workbench, preset: Preset, vector: str) -> Iterator[Flip]:
    """The example clips whose answer at λ = 0 of a vector differs from that at the preset's λ, as the edit means it.

    It means to forget the right answer to a clip of the vector's task, or to learn it: other flips would tell nothing,
    or the opposite.
    """
    task = workbench.tasks[vector]
    prompts = dict(zip(task.class_names, task.prompts, strict=True))
    coefficient = preset.recipe.coefficients[vector]
    for path in workbench.artifacts.examples:
        trace = workbench.trace(path, preset.recipe, vector)
        (before, p), (after, q) = (answer_at(trace, value) for value in (0.0, coefficient))
        known = before if coefficient < 0 else after
        if before != after and prompts.get(path.stem) == known:
            yield Flip(vector, path.stem, before, after, min(p, q))


def answer_at(trace: Trace, scaling_coef: float) -> tuple[str, float]:
    """The most probable label, and its probability, at the point of a trace that is nearest to a λ."""
    at = int(abs(trace.scaling_coefs - scaling_coef).argmin())
    return max(((label, float(p[at])) for label, p in trace.probabilities.items()), key=lambda found: found[1])


def _sentence(flip: Flip, preset: Preset) -> str:
    turns = "turns back into" if preset.recipe.coefficients[flip.vector] < 0 else "turns into"
    return f"Drag τ {flip.vector} to 0: “{flip.after}” {turns} “{flip.before}”."
