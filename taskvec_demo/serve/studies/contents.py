"""The figures of a study as they are shipped: `study.json` in its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import BadArtifactError
from ..artifacts import read_json

CONTENTS = "study.json"


def read_contents(folder: Path, version: int) -> dict[str, Any]:
    """The figures in `folder`. Raises BadArtifactError for another format than `version`."""
    contents = read_json(folder / CONTENTS)
    if contents.get("format") != version:
        raise BadArtifactError(
            f"{folder / CONTENTS} has format {contents.get('format')!r}; this version reads format {version}."
        )
    return contents
