"""The study "Which audio tasks improve each other" as it is shipped: figures alone.

<folder>/study.json
"""

from __future__ import annotations

FORMAT = 1
NAME = "relations"
