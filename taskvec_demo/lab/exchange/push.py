"""Uploading a folder of artifacts to the hub, from where `python app.py --artifacts USER/REPO` opens it."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

from ...clap.hub import is_hub_id
from ...errors import TaskVecError
from ...recordings.splits import is_audio
from ...serve.artifacts import Artifacts
from .model_card import CARD

OURS = ("examples/", "synthesized/")  # clips that the project makes itself


def files_to_push(artifacts: Artifacts) -> list[str]:
    """The relative names of the files to upload: those that the manifest lists, the manifest and the model card.

    Nothing else is uploaded.

    Raises TaskVecError for a recording among them: those of others are never uploaded.
    """
    listed = sorted({*artifacts.manifest["files"], "manifest.json"})
    for name in listed:
        if is_audio(name) and not name.startswith(OURS):
            raise TaskVecError(f"{name} is a recording; only synthesized clips of {' and '.join(OURS)} are uploaded.")
    return listed + [CARD] * (CARD not in listed and (artifacts.folder / CARD).is_file())


def push(folder: Path, repo: str, *, private: bool = False, message: str = "Upload task vectors") -> str:
    """Upload the artifacts in `folder` to the model repository `repo`, made if it is not there; returns a URL.

    Every file is checked against the manifest first. Other files of the repository stay there. Raises TaskVecError for
    a bad name, no token, no permission or no network, and BadArtifactError for altered files.
    """
    if not is_hub_id(repo):
        raise TaskVecError(f"{repo!r} is not the name of a repository of the hub; it must be like USER/REPO.")
    artifacts = Artifacts(folder)
    names, api = files_to_push(artifacts), HfApi()
    try:
        api.create_repo(repo, repo_type="model", private=private, exist_ok=True)
        commit = api.upload_folder(repo_id=repo, folder_path=folder, allow_patterns=names, commit_message=message)
    except LocalTokenNotFoundError as error:
        raise TaskVecError("There is no token for the hub here: run `hf auth login` first, or set HF_TOKEN.") from error
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise TaskVecError(f"{folder} could not be uploaded to {repo!r}: {reason}") from error
    return str(commit.commit_url)
