"""Memory of a process that holds a workbench, step by step; run by `memory.py` as a process of its own.

    python -m benchmarks.resident ARTIFACTS N_VECTORS [CLIP…]

It prints a JSON list of MiB (PSS): first when it is warm, then after each fifth of the clips.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from taskvec_demo.serve.cache import share_arenas

from .context import new_recipe
from .processes import Memory

STEPS = 5


def main(folder: str, n_vectors: str, *clips: str) -> None:
    from taskvec_demo.serve.artifacts import Artifacts
    from taskvec_demo.serve.workbench import Workbench

    share_arenas()  # as the app does
    artifacts = Artifacts(Path(folder), verify=False)
    artifacts.vector_names = artifacts.vector_names[: int(n_vectors)]
    workbench = Workbench(artifacts)
    workbench.warm_up()
    found = [Memory.of("self").pss]
    each = max(1, len(clips) // STEPS)
    for i, clip in enumerate(clips, 1):
        workbench.classify(clip, new_recipe(workbench.name, workbench.vectors, i))
        if i % each == 0:
            found.append(Memory.of("self").pss)
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
