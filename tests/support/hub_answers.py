"""What it gives to open checkpoints by their ids on the hub.

    python -m tests.support.hub_answers ID …

prints it as JSON, in a process that asks the hub only if it may.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from taskvec_demo.clap.hub import allow_hub
from taskvec_demo.errors import TaskVecError


def answers(specs: Sequence[str]) -> list[list | str]:
    """For each ID or ID@REVISION: where it was found and what its weights are, or the error's sentence."""
    from taskvec_demo.clap.sources import open_checkpoint, read_state, resolve  # after `allow_hub`

    found: list[list | str] = []
    for spec in specs:
        repo, _, revision = spec.partition("@")
        try:
            source = resolve(repo, revision or None)
            checkpoint = open_checkpoint(source)
            assert checkpoint.pretrained.sha256 == read_state(source).audio.sha256
            found.append([source.kind, source.name, source.revision, checkpoint.pretrained.sha256, checkpoint.name])
        except TaskVecError as error:
            found.append(str(error))
    return found


if __name__ == "__main__":
    allow_hub(*sys.argv[1:])
    print(json.dumps(answers(sys.argv[1:])))
