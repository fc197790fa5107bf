"""The field that finds a vector among many."""

from __future__ import annotations

SHOWN_ROWS = 6  # vectors in view; the others are behind the filter


def filter_html(n_vectors: int) -> str:
    """A search field and a button for the vectors that are not in view; nothing where all are."""
    if n_vectors <= SHOWN_ROWS:
        return ""
    return (
        "<div class='tv-filter'>"
        f"<input type='search' placeholder='Find one of {n_vectors} vectors' aria-label='Find a task vector'>"
        "<button type='button' aria-expanded='false'>Show all</button></div>"
    )
