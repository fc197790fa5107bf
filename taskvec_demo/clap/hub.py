"""The hub of Hugging Face: the only module that downloads from it, and the one place that says why it could not.

huggingface_hub reads HF_HUB_OFFLINE once, when it is imported, so that `allow_hub` has to run before: this module
imports it inside the function that needs it.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Literal

from ..errors import BadArtifactError

TORCH_SUFFIXES = (".pt", ".pth", ".bin", ".ckpt")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_CANNOT_WRITE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC)


def is_hub_id(spec: str | None) -> bool:
    """Whether `spec` has the form owner/name and is nothing on this machine."""
    return bool(spec) and _HUB_ID.fullmatch(str(spec)) is not None and not os.path.exists(str(spec))


def allow_hub(*specs: str | None) -> None:
    """Go offline unless a spec is a hub id, or a `.pt`, whose tokenizer may be there; a set HF_HUB_OFFLINE stands.

    This must be called before anything imports huggingface_hub, which reads the variable once.
    """
    asks = any(is_hub_id(spec) or str(spec).endswith(TORCH_SUFFIXES) for spec in specs)
    os.environ.setdefault("HF_HUB_OFFLINE", "0" if asks else "1")


def download(
    repo: str,
    revision: str | None = None,
    files: Collection[str] | None = None,
    what: Literal["model", "data set"] = "model",
) -> Path:
    """The folder of a repository in the hub's cache, named by its commit, with the files that match the patterns.

    Files that are there are not fetched again; without a network, an earlier download counts. Raises BadArtifactError
    in one sentence: no such repository or revision, no network, offline by choice, a cache that cannot be written.
    """
    from huggingface_hub import constants, errors, snapshot_download

    named = f"{repo!r}{f' at revision {revision!r}' if revision else ''}"
    kind = {"model": "model", "data set": "dataset"}[what]
    try:
        patterns = None if files is None else list(files)
        return Path(snapshot_download(repo, repo_type=kind, revision=revision, allow_patterns=patterns))
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as error:
        raise BadArtifactError(
            f"The hub has no public {what} {named}, nor is there such a folder here; the id of a {what} is OWNER/NAME."
        ) from error
    except Exception as error:  # the network, and the client that the hub's library uses, raise errors of many kinds
        if isinstance(error, OSError) and error.errno in _CANNOT_WRITE:
            raise BadArtifactError(
                f"{named} cannot be kept in the hub's cache {constants.HF_HUB_CACHE} ({error.strerror}); set HF_HOME "
                "to a folder that can be written and has room."
            ) from error
        if constants.HF_HUB_OFFLINE:
            raise BadArtifactError(
                f"{named} is not in the hub's cache {constants.HF_HUB_CACHE}, and HF_HUB_OFFLINE forbids to fetch "
                "it; unset it, or give a local folder."
            ) from error
        raise BadArtifactError(
            f"{named} cannot be fetched from {constants.ENDPOINT} ({type(error).__name__}); "
            "check the network, or give a local folder."
        ) from error
