"""What stands above and below the rows of the sliders: heads of their columns, and the field that finds a vector."""

from __future__ import annotations

HEAD = "<div class='tv-rows-head'><span>− forget</span><span>learn +</span><b>λ</b></div>"
SHOWN_ROWS = 6  # vectors in view; the others are behind the filter


def filter_html(n_vectors: int) -> str:
    """A search field and a button for the vectors that are not in view; nothing where all are."""
    if n_vectors <= SHOWN_ROWS:
        return ""
    return (
        "<div class='tv-filter'>"
        f"<input type='search' placeholder='Find one of {n_vectors} vectors' aria-label='Find a task vector'>"
        "<button type='button' aria-expanded='false'>All</button></div>"
    )
