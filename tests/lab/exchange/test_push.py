"""Only files that the manifest lists are uploaded, after a check; every error is one sentence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

from taskvec_demo.cli import main
from taskvec_demo.errors import BadArtifactError, TaskVecError
from taskvec_demo.lab.exchange import push as module
from taskvec_demo.lab.exchange.push import push
from taskvec_demo.serve.artifacts import Artifacts, fetch_artifacts


class Hub:
    """A stand-in for `HfApi`: a repository is a folder, and an upload copies files into it."""

    def __init__(self, root: Path) -> None:
        self.root, self.made = root, []

    def create_repo(self, repo, **options):
        self.made.append((repo, options))

    def upload_folder(self, *, repo_id, folder_path, allow_patterns, commit_message):
        for name in allow_patterns:
            target = self.root / repo_id / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(Path(folder_path) / name, target)
        return SimpleNamespace(commit_url=f"https://hub/{repo_id}/commit/1")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    hub = Hub(tmp_path / "hub")
    monkeypatch.setattr(module, "HfApi", lambda: hub)
    return hub


@pytest.fixture
def folder(tmp_path: Path, artifacts_folder: Path) -> Path:
    shutil.copytree(artifacts_folder, tmp_path / "mine")
    return tmp_path / "mine"


def test_what_was_pushed_is_what_the_app_opens(hub: Hub, folder: Path, capsys, monkeypatch) -> None:
    (folder / "private-notes.txt").write_text("not listed")
    (folder / "README.md").write_text("# card")
    assert main(["push", str(folder), "someone/vectors", "--private"]) == 0
    assert "https://hub/someone/vectors/commit/1" in capsys.readouterr().out
    assert hub.made == [("someone/vectors", {"repo_type": "model", "private": True, "exist_ok": True})]
    pushed = hub.root / "someone/vectors"
    assert Artifacts(pushed).manifest == Artifacts(folder).manifest
    assert (pushed / "README.md").is_file()
    assert not (pushed / "private-notes.txt").exists()
    monkeypatch.setattr("taskvec_demo.serve.artifacts.download", lambda repo: hub.root / repo)
    assert Artifacts(fetch_artifacts("someone/vectors")).vector_names == Artifacts(folder).vector_names


def test_an_altered_file_and_a_recording_stay_here(hub: Hub, folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "dog.wav").write_bytes(b"RIFF")
    digest = "a" * 64
    (folder / "manifest.json").write_text(json.dumps(manifest | {"files": manifest["files"] | {"dog.wav": digest}}))
    with pytest.raises(BadArtifactError, match="sha256"):
        push(folder, "someone/vectors")
    artifacts = Artifacts(folder, verify=False)
    with pytest.raises(TaskVecError, match=r"dog\.wav is a recording"):
        module.files_to_push(artifacts)
    artifacts.manifest["files"] = {"model/CLIP.AIFF": digest}
    with pytest.raises(TaskVecError, match=r"CLIP\.AIFF is a recording"):
        module.files_to_push(artifacts)
    assert not hub.made


@pytest.mark.parametrize("name", ["vectors", "a/b/c", "someone/", "../x"])
def test_a_name_that_is_no_repository_is_refused(hub: Hub, folder: Path, name: str) -> None:
    with pytest.raises(TaskVecError, match="must be like USER/REPO"):
        push(folder, name)
    assert not hub.made


def test_what_the_hub_answers_is_one_sentence(hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = httpx.Request("POST", "https://hub")
    refused = HfHubHTTPError(
        "403 Forbidden: you may not write there.\nmore", response=httpx.Response(403, request=request)
    )
    for error, said in (
        (refused, "403 Forbidden: you may not write there."),
        (LocalTokenNotFoundError(), "hf auth login"),
    ):

        def fail(*_, error=error, **__):
            raise error

        monkeypatch.setattr(hub, "create_repo", fail)
        with pytest.raises(TaskVecError) as caught:
            push(folder, "someone/vectors")
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)
