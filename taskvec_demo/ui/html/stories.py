"""The row of stories: recipes worth seeing, each with a sentence on what to look at and its figures on test clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from ...core.evaluation import percent
from ...core.tasks import Task
from ...serve.artifacts import Preset
from .verdict import aim_of
from .words import explained_html

UNSEEN = (
    "This story on test clips; the bars show validation clips. λ was chosen on validation; which stories are told, and "
    "which first, by such figures. 95 % intervals after:"
)
SINGLE = 2  # tasks that are told one by one; more are told as their mean


def sentence_html(
    stories: Sequence[Preset], chosen: str, tasks: Mapping[str, Task], vector_tasks: Mapping[str, str]
) -> str:
    """The sentences of all stories. The chosen one is shown; stories.js shows another."""
    return "".join(
        f"<p class='tv-sentence' data-story='{escape(s.name)}'{'' if s.name == chosen else ' hidden'}>"
        f"<span>{escape(s.story.sentence)}</span>{_on_test(s, tasks, vector_tasks)}</p>"
        for s in stories
    )


def _on_test(story: Preset, tasks: Mapping[str, Task], vector_tasks: Mapping[str, str]) -> str:
    """What the story does to test clips, on which its λ was not chosen: the tasks it is about, and the control.

    The bars show validation clips, and λ was chosen on those.
    """
    aimed = [e for e in story.test if aim_of(tasks[e["task"]], story.recipe, vector_tasks) != "hold"]
    control = [e for e in story.test if e["role"] == "control"]
    if not aimed:
        return ""
    told = [_told("control" if e["role"] == "control" else e["task"], [e]) for e in (*aimed, *control)]
    if len(aimed) > SINGLE:
        told[: len(aimed)] = [_told(f"mean of {len(aimed)} tasks", aimed)]
    intervals = "; ".join(
        f"{tasks[e['task']].title} {percent(e['edited']['low'])} to {percent(e['edited']['high'])} %, n = {e['n']}"
        for e in (*aimed, *control)
    )
    return f" <small>{explained_html('Test clips', f'{UNSEEN} {intervals}.')}: {', '.join(told)}.</small>"


def _told(name: str, entries: Sequence[dict[str, Any]]) -> str:
    was, now = (sum(e[side]["accuracy"] for e in entries) / len(entries) for side in ("pretrained", "edited"))
    return f"{escape(name)} {percent(was)} → {percent(now)} %"
