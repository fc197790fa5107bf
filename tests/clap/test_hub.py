"""The hub: when it may be asked, what is downloaded from it, and each way in which that fails as one sentence.

The hub of these tests is a server of our own, or a cache that somebody has filled before.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from taskvec_demo.clap.checkpoint_files import read_checkpoint, weight_files
from taskvec_demo.clap.hub import allow_hub, download
from taskvec_demo.clap.sources import read_state, resolve
from taskvec_demo.errors import BadArtifactError
from tests.support.hub_answers import answers
from tests.support.paths import ROOT

PACKAGE = Path(__file__).parents[2] / "taskvec_demo"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.mark.parametrize(
    ("specs", "offline"),
    [
        (("tiny-clap", None, ""), "1"),
        (("laion/clap-htsat-unfused",), "0"),
        (("tiny-clap", "laion/clap-htsat-unfused"), "0"),
        (("/data/630k-audioset-best.pt",), "0"),  # its tokenizer
        (("precomputed/tiny-clap", "/data/model", "./a/b", "a/b/c"), "1"),
    ],
)
def test_the_hub_is_asked_only_for_what_may_be_there(
    specs: tuple, offline: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "precomputed" / "tiny-clap").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HF_HUB_OFFLINE")
    allow_hub(*specs)
    assert os.environ["HF_HUB_OFFLINE"] == offline
    monkeypatch.setenv("HF_HUB_OFFLINE", "yes")
    allow_hub(*specs)
    assert os.environ["HF_HUB_OFFLINE"] == "yes"  # a value that the user set stays


# Run in processes of their own, because huggingface_hub reads the environment once.
IMPORTS = (
    "import sys, taskvec_demo.clap.sources, taskvec_demo.serve.artifacts; sys.exit('huggingface_hub' in sys.modules)"
)


def test_importing_the_module_leaves_the_choice_open() -> None:
    assert subprocess.run([sys.executable, "-c", IMPORTS], check=False).returncode == 0


def test_the_hubs_cache_is_used_offline(random_model: Path, tmp_path: Path) -> None:
    repo = tmp_path / "models--laion--clap-htsat-unfused"
    shutil.copytree(random_model, repo / "snapshots" / COMMIT)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(COMMIT)
    known = "laion/clap-htsat-unfused"
    specs = (known, f"{known}@{COMMIT}", "laion/larger_clap_general", f"{known}@v2")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "TRANSFORMERS_"))}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.support.hub_answers", *specs],
        env=inherited | {"HF_HUB_CACHE": str(tmp_path), "HF_HUB_OFFLINE": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found, pinned, unknown, other = json.loads(done.stdout.splitlines()[-1])
    assert found == ["hub", known, COMMIT, read_state(resolve(str(random_model))).audio.sha256, known]
    assert pinned == found
    assert unknown.startswith(f"'laion/larger_clap_general' is not in the hub's cache {tmp_path}, and HF_HUB_OFFLINE")
    assert "at revision 'v2' is not in the hub's cache" in other


class Hub(BaseHTTPRequestHandler):
    """A server with the few answers of huggingface.co that a download needs.

    `files` maps repository -> file -> content.
    """

    files: dict[str, dict[str, bytes]]
    fetched: list[str]

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        parts = self.path.split("?")[0].strip("/").split("/")
        api = parts[:2] == ["api", "models"]
        owner, name, action, revision, *rest = (*(parts[2:] if api else parts), "", "")
        files = self.files.get(f"{owner}/{name}")
        if files is None:
            return self._send(404, b"", {"X-Error-Code": "RepoNotFound"})
        if revision not in ("main", COMMIT):
            return self._send(404, b"", {"X-Error-Code": "RevisionNotFound"})
        if api and action == "revision":
            return self._send(200, json.dumps({"id": f"{owner}/{name}", "sha": COMMIT, "siblings": []}).encode(), {})
        if api:
            rows = [{"type": "file", "path": n, "size": len(c), "oid": _etag(c)} for n, c in files.items()]
            return self._send(200, json.dumps(rows).encode(), {})
        content = files["/".join(part for part in rest if part)]
        if self.command == "GET":
            self.fetched.append(f"{name}/{rest[0]}")
        return self._send(200, content, {"ETag": f'"{_etag(content)}"', "X-Repo-Commit": COMMIT})

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(content)), "Content-Type": "application/json", **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


def _etag(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """ask(url) lets huggingface_hub fetch from there, whatever it read of the environment when it was imported."""
    from huggingface_hub import constants

    def at(url: str) -> None:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "ENDPOINT", url)
        files = url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", files)

    return at


@pytest.fixture
def hub(ask: Callable[[str], None]) -> Iterator[type[Hub]]:
    class Own(Hub):
        files, fetched = {}, []

    server = ThreadingHTTPServer(("127.0.0.1", 0), Own)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    ask(f"http://127.0.0.1:{server.server_port}")
    yield Own
    server.shutdown()
    server.server_close()


def test_a_hub_id_is_downloaded_with_no_more_than_it_needs(hub, random_model: Path, tmp_path: Path) -> None:
    shards = {path.name: path.read_bytes() for path in random_model.iterdir()}
    torch.save(read_checkpoint(weight_files(random_model), "the model"), tmp_path / "weights")
    only_torch = {name: content for name, content in shards.items() if not name.startswith("model")}
    only_torch["pytorch_model.bin"] = (tmp_path / "weights").read_bytes()
    config = json.loads(shards["config.json"])
    config["audio_config"]["enable_fusion"] = True
    hub.files = {
        "a/new": shards | {"pytorch_model.bin": b"never fetched", "tf_model.h5": b"never fetched"},
        "a/old": only_torch,
        "a/fused": shards | {"config.json": json.dumps(config).encode()},
        "a/empty": {"config.json": shards["config.json"]},
    }
    specs = ("a/new", "a/old", "a/fused", "a/empty", "a/gone", "a/new@v9")
    new, old, *refused = answers(specs)
    assert new == ["hub", "a/new", COMMIT, read_state(resolve(str(random_model))).audio.sha256, "a/new"]
    assert old[2:4] == new[2:4]
    assert "fused CLAP checkpoint" in refused[0]
    assert "a/empty on the hub holds neither model.safetensors nor pytorch_model.bin" in refused[1]
    assert "The hub has no public model 'a/gone'" in refused[2]
    assert "'a/new' at revision 'v9'" in refused[3]
    assert {name for name in hub.fetched if name.startswith("new/")} == {f"new/{name}" for name in shards}
    assert {name for name in hub.fetched if name.startswith("fused/")} == {"fused/config.json"}


def test_an_unreachable_hub_is_one_sentence(ask: Callable[[str], None]) -> None:
    ask("http://127.0.0.1:9")
    (said,) = answers(["laion/clap-htsat-unfused"])
    assert said.startswith("'laion/clap-htsat-unfused' cannot be fetched from http://127.0.0.1:9")
    assert "check the network" in said


def test_a_cache_that_cannot_be_written_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("huggingface_hub.snapshot_download", full)
    with pytest.raises(BadArtifactError, match=r"^'a/b' cannot be kept .* \(Read-only .*\); set HF_HOME .*\.$"):
        download("a/b")


@pytest.mark.parametrize("what", ["model", "data set"])
def test_a_kind_of_repository_is_named(what, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub.errors import RevisionNotFoundError

    def none(repo: str, repo_type: str, **_: object) -> None:
        assert repo_type == {"model": "model", "data set": "dataset"}[what]
        raise RevisionNotFoundError.__new__(RevisionNotFoundError)

    monkeypatch.setattr("huggingface_hub.snapshot_download", none)
    with pytest.raises(BadArtifactError, match=f"^The hub has no public {what} 'a/b' at revision 'v1', nor"):
        download("a/b", "v1", what=what)


def test_nothing_else_downloads() -> None:
    downloads = re.compile(r"snapshot_download|hf_hub_download|load_dataset\(.?[\"']|urlopen|urlretrieve|requests\.")
    found = {p.relative_to(PACKAGE).as_posix() for p in PACKAGE.rglob("*.py") if downloads.search(p.read_text("utf-8"))}
    assert found == {"clap/hub.py"}
