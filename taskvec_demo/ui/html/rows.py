"""What stands around the rows of the sliders: heads of their columns, the field that finds a vector, the analogy."""

from __future__ import annotations

from .words import help_html

SHOWN_ROWS = 6  # vectors in view; the others are behind the filter
BANDS = f"<span class='tv-bands'><i class='tv-key tv-safe'></i>{help_html('safe', 'control held')}</span>"

# rows.js names the corners as the boxes above do.
ANALOGY_PICTURE = (
    "<figure class='tv-square'><b data-corner='a'></b><i>→</i><b data-corner='b'></b><i>↓</i><span></span><i>↓</i>"
    "<b data-corner='c'></b><i>→</i><b class='tv-made'>D</b>"
    "<figcaption>The step from A to B, taken from C, leads to D.</figcaption></figure>"
)


def head_html(banded: bool) -> str:
    """The heads of the columns. `banded`: there are green bands below the sliders, which this explains."""
    bands = BANDS if banded else "<span></span>"
    return f"<div class='tv-rows-head'>{bands}<span>− forget</span><span>learn +</span><b>λ</b></div>"


def filter_html(n_vectors: int) -> str:
    """A search field and a button for the vectors that are not in view; nothing where all are."""
    if n_vectors <= SHOWN_ROWS:
        return ""
    return (
        "<div class='tv-filter'>"
        f"<input type='search' placeholder='Find a vector ({n_vectors})' aria-label='Find a task vector'>"
        "<button type='button' aria-expanded='false'>All</button></div>"
    )
