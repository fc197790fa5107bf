"""Checkpoints by what a user types: the forms that are accepted, the hub's cache, a hub of our own, what is refused."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from transformers import ClapModel

from taskvec_demo.clap.sources import (
    allow_hub,
    describe,
    memory_needed,
    open_checkpoint,
    read_config,
    read_state,
    resolve,
    weight_files,
)
from taskvec_demo.core.weights import read_safetensors, write_safetensors
from taskvec_demo.errors import BadArtifactError
from tests.support.random_artifacts import write_random_model

COMMIT = "0123456789abcdef0123456789abcdef01234567"
BATCH_NORM = "audio_model.audio_encoder.batch_norm."
TEXT = "text_projection.linear1.bias"
AUDIO = "audio_projection.linear1.bias"


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small random model in float16 shards, as `save_pretrained` writes it. Not to be altered."""
    folder = tmp_path_factory.mktemp("model") / "model"
    write_random_model(folder)
    return folder


@pytest.fixture(scope="module")
def tensors(model: Path) -> dict[str, torch.Tensor]:
    """The model's whole state dict in float32."""
    return {name: t.float() if t.is_floating_point() else t for name, t in _read(model).items()}


@pytest.fixture
def folder(model: Path, tensors: dict, tmp_path: Path) -> Path:
    """A copy of the model in one float32 file, to be altered."""
    copy = tmp_path / "my-clap"
    shutil.copytree(model, copy, ignore=shutil.ignore_patterns("model*"))
    write_safetensors(copy / "model.safetensors", tensors, {"format": "pt"})
    return copy


def _read(folder: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = {}
    for path in weight_files(folder):
        found |= read_safetensors(path)[0]
    return found


# ---- the forms ------------------------------------------------------------------------------------------------------
def test_tiny_clap_is_the_embedded_one() -> None:
    source = resolve("tiny-clap")
    assert (source.kind, source.name, source.repo) == ("embedded", "tiny-clap", None)
    assert open_checkpoint("tiny-clap").pretrained.sha256 == read_state("tiny-clap").audio.sha256


def test_a_folder_keeps_its_name_and_precision(folder: Path) -> None:
    checkpoint = open_checkpoint(str(folder), precision="bfloat16")
    assert (checkpoint.name, checkpoint.precision) == ("my-clap", "bfloat16")
    assert resolve(str(folder)).kind == "folder"


def test_every_form_of_the_same_weights_gives_the_same_state(model: Path, tensors: dict, tmp_path: Path) -> None:
    write_safetensors(tmp_path / "a.safetensors", tensors, {})
    torch.save(tensors, tmp_path / "b.pt")
    torch.save({"epoch": 3, "state_dict": {f"module.{n}": t for n, t in tensors.items()}}, tmp_path / "c.ckpt")
    shutil.copytree(model, tmp_path / "old", ignore=shutil.ignore_patterns("model*"))
    torch.save(tensors, tmp_path / "old" / "pytorch_model.bin")
    states = [read_state(str(spec)) for spec in (model, *sorted(tmp_path.iterdir()))]
    assert [state.source.kind for state in states] == ["folder", "tensors", "tensors", "tensors", "folder"]
    assert [state.dtype for state in states] == ["float16", *["float32"] * 4]
    assert len({state.audio.sha256 for state in states}) == 1
    assert len({state.text_sha256 for state in states}) == 1
    opened = open_checkpoint(str(tmp_path / "old"))  # transformers reads the old form as well
    assert opened.pretrained.sha256 == states[0].audio.sha256
    assert opened.pretrained.layout == states[0].audio.layout


def test_statistics_and_text_are_kept_apart_from_the_weights(tensors: dict, tmp_path: Path) -> None:
    def read(name: str, **changed: torch.Tensor):
        write_safetensors(tmp_path / f"{name}.safetensors", tensors | changed, {})
        return read_state(str(tmp_path / f"{name}.safetensors"))

    before = read("before")
    assert sorted(before.statistics) == [BATCH_NORM + "running_mean", BATCH_NORM + "running_var"]
    assert not [name for name in before.audio.layout.names if "running" in name or "tracked" in name]
    moved = read("moved", **{BATCH_NORM + "running_mean": tensors[BATCH_NORM + "running_mean"] + 1})
    assert moved.audio.sha256 == before.audio.sha256
    assert not torch.equal(*(s.statistics[BATCH_NORM + "running_mean"] for s in (before, moved)))
    tuned = read("tuned", **{AUDIO: tensors[AUDIO] + 0.1})
    assert tuned.audio.sha256 != before.audio.sha256
    assert tuned.text_sha256 == before.text_sha256
    text = read("text", **{TEXT: tensors[TEXT] + 0.1})
    assert text.audio.sha256 == before.audio.sha256
    assert text.text_sha256 != before.text_sha256


def test_a_file_without_text_tower_says_so(tensors: dict, tmp_path: Path) -> None:
    audio = {name: t for name, t in tensors.items() if name.startswith("audio_")}
    write_safetensors(tmp_path / "audio.safetensors", audio, {})
    assert read_state(str(tmp_path / "audio.safetensors")).text_sha256 is None


def test_a_mixed_file_names_both_types(tensors: dict, tmp_path: Path) -> None:
    write_safetensors(tmp_path / "mixed.safetensors", tensors | {AUDIO: tensors[AUDIO].bfloat16()}, {})
    assert read_state(str(tmp_path / "mixed.safetensors")).dtype == "bfloat16 and float32"


# ---- hashes and memory ----------------------------------------------------------------------------------------------
def test_the_hash_is_of_the_weight_file_or_of_the_list_of_shards(folder: Path, model: Path) -> None:
    one = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert resolve(str(folder)).sha256 == one
    shutil.copy(folder / "model.safetensors", folder / "model-00001.safetensors")
    index = {"weight_map": {"a": "model-00001.safetensors", "b": "model.safetensors", "c": "model.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    listed = f"{one}  model-00001.safetensors\n{one}  model.safetensors\n"
    assert resolve(str(folder)).sha256 == hashlib.sha256(listed.encode()).hexdigest()
    assert resolve(str(model)).provenance["sha256"] == resolve(str(model)).sha256


def test_memory_is_known_from_the_configuration(folder: Path) -> None:
    source = resolve(str(folder))
    checkpoint = open_checkpoint(str(folder))
    held = sum(4 * p.numel() for p in checkpoint.model.parameters()) + 8 * checkpoint.pretrained.buffer.numel()
    assert memory_needed(read_config(source)) == held
    lines = describe(source)
    assert f"{held / 1e9:.2f} GB of memory" in lines
    assert source.sha256 in lines


def test_a_full_size_configuration_costs_nothing_to_judge() -> None:
    unfused = {"model_type": "clap", "text_config": {}, "audio_config": {}}  # the defaults are LAION's
    assert memory_needed(unfused) == pytest.approx(4 * (153.5e6 + 2 * 28.2e6), rel=0.01)


# ---- what is refused ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("huge-clap", "'huge-clap' is not a checkpoint; accepted are tiny-clap, a folder, a hub id"),
        ("a/b/c", "'a/b/c' is not a checkpoint"),
        ("", "'' is not a checkpoint"),
        ("gone.pt", r"There is no file gone\.pt"),
        ("laion/gone.safetensors", r"There is no file laion/gone\.safetensors"),
    ],
)
def test_what_is_nothing_is_refused(spec: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadArtifactError, match=sentence):
        resolve(spec)


def test_a_folder_that_is_no_unfused_clap_is_refused(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())

    def refusal(content: str) -> str:
        (folder / "config.json").write_text(content)
        with pytest.raises(BadArtifactError) as caught:
            open_checkpoint(str(folder))
        return str(caught.value)

    config["audio_config"]["enable_fusion"] = True
    assert "fused" in refusal(json.dumps(config))
    assert "'bert' model" in refusal(json.dumps(config | {"model_type": "bert"}))
    assert "not the JSON" in refusal("{")
    assert "not the JSON" in refusal("[]")
    config["audio_config"] |= {"enable_fusion": False, "depths": "two"}
    assert "do not fit" in refusal(json.dumps(config))
    with pytest.raises(BadArtifactError, match="not that of a CLAP model"):
        describe(resolve(str(folder)))
    (folder / "config.json").unlink()
    with pytest.raises(BadArtifactError, match=r"holds no config\.json"):
        open_checkpoint(str(folder))


def test_weights_that_are_not_the_models_are_refused_by_name(folder: Path, tensors: dict) -> None:
    def refusal(content: dict[str, torch.Tensor]) -> str:
        write_safetensors(folder / "model.safetensors", content, {"format": "pt"})
        with pytest.raises(BadArtifactError) as caught:
            open_checkpoint(str(folder))
        return str(caught.value)

    for name in (AUDIO, BATCH_NORM + "running_var"):  # transformers would make one up
        assert name in refusal({key: t for key, t in tensors.items() if key != name})
    assert "do not fit" in refusal(tensors | {AUDIO: torch.zeros(3)})
    (folder / "model.safetensors").write_bytes(b"cut short")
    with pytest.raises(BadArtifactError, match="damaged"):
        open_checkpoint(str(folder))
    (folder / "model.safetensors").unlink()
    with pytest.raises(BadArtifactError, match=r"neither model\.safetensors nor"):
        open_checkpoint(str(folder))


def test_a_tokenizer_that_is_missing_or_not_the_models_is_refused(folder: Path) -> None:
    tokenizer = folder / "tokenizer.json"
    content = json.loads(tokenizer.read_text())
    vocabulary = content["model"]["vocab"]
    vocabulary["surplus"] = len(vocabulary)  # a row that the text tower does not have
    tokenizer.write_text(json.dumps(content))
    with pytest.raises(BadArtifactError, match=f"has {len(vocabulary)} tokens"):
        open_checkpoint(str(folder))
    for path in folder.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(BadArtifactError, match="tokenizer"):  # transformers would make up an empty one
        open_checkpoint(str(folder))


def test_tensors_alone_can_be_read_but_not_opened(tensors: dict, tmp_path: Path) -> None:
    write_safetensors(tmp_path / "a.safetensors", tensors, {})
    with pytest.raises(BadArtifactError, match="no configuration"):
        open_checkpoint(str(tmp_path / "a.safetensors"))


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [({AUDIO: torch.full((3,), torch.nan)}, f"{AUDIO}.* NaN"), (None, "holds no audio tower .*'text_projection")],
)
def test_a_state_that_cannot_be_used_is_refused(changed: dict | None, sentence: str, tmp_path: Path) -> None:
    content = changed if changed is not None else {"text_projection.linear1.bias": torch.zeros(3)}
    write_safetensors(tmp_path / "a.safetensors", content, {})
    with pytest.raises(BadArtifactError, match=sentence):
        read_state(str(tmp_path / "a.safetensors"))


# ---- the hub --------------------------------------------------------------------------------------------------------
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
    assert os.environ["HF_HUB_OFFLINE"] == "yes"  # what the user set stands


# Run in processes of their own, since huggingface_hub reads the environment once.
IMPORTS = "import sys, taskvec_demo.clap.sources; sys.exit('huggingface_hub' in sys.modules)"
OPEN = """
import json, sys
from taskvec_demo.clap.sources import allow_hub, open_checkpoint, read_state, resolve
from taskvec_demo.errors import TaskVecError
allow_hub(*sys.argv[1:])
answers = []
for spec in sys.argv[1:]:
    repo, _, revision = spec.partition("@")
    try:
        source = resolve(repo, revision or None)
        checkpoint = open_checkpoint(repo, revision=revision or None)
        assert checkpoint.pretrained.sha256 == read_state(repo, revision or None).audio.sha256
        answers.append([source.kind, source.name, source.revision, checkpoint.pretrained.sha256, checkpoint.name])
    except TaskVecError as error:
        answers.append(str(error))
print(json.dumps(answers))
"""


def _open(*specs: str, **environment: str) -> list:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "TRANSFORMERS_"))}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", OPEN, *specs],
        env=inherited | {"HF_HUB_DISABLE_TELEMETRY": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_importing_the_module_leaves_the_choice_open() -> None:
    assert subprocess.run([sys.executable, "-c", IMPORTS], check=False).returncode == 0


def test_the_hubs_cache_is_used_offline(model: Path, tmp_path: Path) -> None:
    repo = tmp_path / "models--laion--clap-htsat-unfused"
    shutil.copytree(model, repo / "snapshots" / COMMIT)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(COMMIT)
    known = "laion/clap-htsat-unfused"
    found, pinned, unknown, other = _open(
        known, f"{known}@{COMMIT}", "laion/larger_clap_general", f"{known}@v2",
        HF_HUB_CACHE=str(tmp_path), HF_HUB_OFFLINE="1",
    )  # fmt: skip
    assert found == ["hub", known, COMMIT, read_state(str(model)).audio.sha256, known]
    assert pinned == found
    assert unknown.startswith(f"'laion/larger_clap_general' is not in the hub's cache {tmp_path}, and HF_HUB_OFFLINE")
    assert "at revision 'v2' is not in the hub's cache" in other


class Hub(BaseHTTPRequestHandler):
    """The few answers of huggingface.co that a download needs; `files` maps repository -> file -> content."""

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
def hub() -> Iterator[type[Hub]]:
    class Own(Hub):
        files, fetched = {}, []

    server = ThreadingHTTPServer(("127.0.0.1", 0), Own)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Own.url = f"http://127.0.0.1:{server.server_port}"
    yield Own
    server.shutdown()
    server.server_close()


def test_a_hub_id_is_downloaded_with_no_more_than_it_needs(hub, model: Path, tensors: dict, tmp_path: Path) -> None:
    shards = {path.name: path.read_bytes() for path in model.iterdir()}
    torch.save(tensors, tmp_path / "weights")
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
    new, old, *refused = _open(*specs, HF_ENDPOINT=hub.url, HF_HUB_CACHE=str(tmp_path / "cache"))
    assert new == ["hub", "a/new", COMMIT, read_state(str(model)).audio.sha256, "a/new"]
    assert old[2:4] == new[2:4]
    assert "fused CLAP checkpoint" in refused[0]
    assert "a/empty on the hub holds neither model.safetensors nor pytorch_model.bin" in refused[1]
    assert "The hub has no public model 'a/gone'" in refused[2]
    assert "'a/new' at revision 'v9'" in refused[3]
    assert {name for name in hub.fetched if name.startswith("new/")} == {f"new/{name}" for name in shards}
    assert {name for name in hub.fetched if name.startswith("fused/")} == {"fused/config.json"}


def test_an_unreachable_hub_is_one_sentence(tmp_path: Path) -> None:
    (said,) = _open("laion/clap-htsat-unfused", HF_ENDPOINT="http://127.0.0.1:9", HF_HUB_CACHE=str(tmp_path))
    assert said.startswith("'laion/clap-htsat-unfused' cannot be fetched from http://127.0.0.1:9")
    assert "check the network" in said


def test_what_is_opened_is_what_transformers_loads(folder: Path) -> None:
    """The folder is plain: nothing of ours is needed to load it."""
    plain = dict(ClapModel.from_pretrained(folder).named_parameters())
    ours = open_checkpoint(str(folder)).pretrained.tensors()
    assert all(torch.equal(plain[name], tensor) for name, tensor in ours.items())
