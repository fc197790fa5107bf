"""Where the repository lies and what it ships, said once for all tests."""

from __future__ import annotations

from taskvec_demo.clap.embedded import EMBEDDED, REPOSITORY

ROOT = REPOSITORY
ARTIFACTS = EMBEDDED
DATA = ROOT.parent / "shared" / "data"  # the recordings, where they are on the machine
