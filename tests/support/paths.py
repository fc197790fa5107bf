"""Paths of the repository and of what it ships, for all tests."""

from __future__ import annotations

from taskvec_demo.clap.embedded import EMBEDDED, REPOSITORY

ROOT = REPOSITORY
ARTIFACTS = EMBEDDED
DATA = ROOT.parent / "shared" / "data"  # the recordings, if the machine has them
