"""The row of stories: recipes worth seeing, each with a sentence on what to look at."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ...serve.artifacts import Preset


def sentence_html(stories: Sequence[Preset], chosen: str) -> str:
    """The sentences of all stories. The chosen one is shown; stories.js shows another."""
    return "".join(
        f"<p class='tv-sentence' data-story='{escape(s.name)}'{'' if s.name == chosen else ' hidden'}>"
        f"{escape(s.story.sentence)}</p>"
        for s in stories
    )
