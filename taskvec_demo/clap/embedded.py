"""Where the embedded checkpoint, tiny-CLAP, lies: in the repository that the package is run from."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

REPOSITORY = Path(str(files("taskvec_demo"))).resolve().parent
EMBEDDED = REPOSITORY / "precomputed" / "tiny-clap"  # its artifacts; the weights are in its folder `model`
STUDIES = REPOSITORY / "precomputed" / "studies"  # of other papers: a folder each
