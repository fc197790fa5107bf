"""Which of a visitor's runs of one question is the newest, where runs may overtake each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class NewestRun:
    """The newest run of each session. A session that has none is forgotten."""

    def __init__(self) -> None:
        self._newest: dict[str | None, object] = {}

    def __len__(self) -> int:
        return len(self._newest)

    @contextmanager
    def of(self, session: str | None) -> Iterator[Callable[[], bool]]:
        """A run of `session` from here on: a function that tells whether it still is the newest."""
        run = self._newest[session] = object()
        try:
            yield lambda: self._newest.get(session) is run
        finally:
            if self._newest.get(session) is run:
                del self._newest[session]
