"""Opening a workbench: on measured artifacts of a folder or of the hub, or on a checkpoint alone."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..clap.embedded import EMBEDDED

if TYPE_CHECKING:  # imported only after `allow_hub`
    from ..clap.model import Checkpoint
    from .workbench import Workbench


@dataclass(frozen=True)
class Wanted:
    """What the app shall open: the artifacts of a checkpoint or, if `checkpoint` is given, this checkpoint alone.

    `artifacts` is a folder or a hub repository, `checkpoint` and `tokenizer` are what `clap.sources` reads. The
    checkpoint tiny-clap stands for its own artifacts, whatever `artifacts` is. `vectors` are files of further task
    vectors, `data` a folder of labelled recordings.
    """

    artifacts: str
    checkpoint: str | None = None
    tokenizer: str | None = None
    vectors: tuple[Path, ...] = ()
    data: Path | None = None

    @property
    def _artifacts(self) -> str:
        return str(EMBEDDED) if self.checkpoint == "tiny-clap" else self.artifacts

    def allow_hub(self) -> None:
        """Allow requests to the hub only if one of these is there.

        Must be called before anything imports huggingface_hub.
        """
        from ..clap.hub import allow_hub

        allow_hub(self.checkpoint or self._artifacts, self.tokenizer, *named_in(Path(self._artifacts)))

    def open(self) -> Workbench:
        """The workbench. Slow steps are reported on stderr. Raises `TaskVecError`."""
        from ..clap.hub import is_hub_id
        from .artifacts import Artifacts, fetch_artifacts
        from .workbench import Workbench

        began = time.monotonic()
        embedded = self.checkpoint in (None, "tiny-clap") and self._artifacts == str(EMBEDDED)

        def say(step: str) -> None:
            if not embedded:  # the embedded one opens in a moment
                print(f"{time.monotonic() - began:5.1f} s  {step}", file=sys.stderr, flush=True)

        checkpoint: Checkpoint | None = None
        if self.checkpoint and self.checkpoint != "tiny-clap":  # which lies here with all that was measured of it
            from .unmeasured import unmeasured_artifacts

            unmeasured = unmeasured_artifacts(
                self.checkpoint, self.vectors, self.data, tokenizer=self.tokenizer, say=say
            )
            say("trying out bfloat16")
            workbench = Workbench(unmeasured, self.data, checkpoint=unmeasured.checkpoint)
        else:
            folder = Path(self._artifacts)
            if is_hub_id(self._artifacts):
                say(f"fetching {self._artifacts}")
                folder = fetch_artifacts(self._artifacts)
            say(f"opening {folder}")
            artifacts = Artifacts(folder)
            # The manifest has no hash of weights that lie elsewhere, so they are opened and checked now
            if "pretrained" in artifacts.manifest:
                checkpoint = artifacts.open_checkpoint()
            workbench = Workbench(artifacts, self.data, own=self.vectors, checkpoint=checkpoint)
        say("starting the page")
        return workbench


def named_in(artifacts: Path) -> list[str]:
    """The checkpoint that a folder of artifacts without weights names, in its manifest or while it is built."""
    found = []
    for file, entry in (("manifest.json", "pretrained"), ("pretrained.json", None)):
        try:
            content = json.loads((artifacts / file).read_text(encoding="utf-8"))
            found.append((content[entry] if entry else content)["repo"])
        except (OSError, ValueError, KeyError, TypeError):  # the error is reported when they are opened
            continue
    return [str(repo) for repo in found if repo]
