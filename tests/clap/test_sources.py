"""Checkpoints by what a user types: the forms that are accepted, and what is refused."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import torch
from transformers import ClapModel

from taskvec_demo.clap.checkpoint_files import weight_files
from taskvec_demo.clap.model import MAX_TOWERS
from taskvec_demo.clap.sources import describe, memory_needed, open_checkpoint, read_config, read_state, resolve
from taskvec_demo.core.weights import read_safetensors, write_safetensors
from taskvec_demo.errors import BadArtifactError
from tests.support.random_artifacts import write_random_model

BATCH_NORM = "audio_model.audio_encoder.batch_norm."
TEXT = "text_projection.linear1.bias"
AUDIO = "audio_projection.linear1.bias"


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small random model in float16 shards, as `save_pretrained` writes it. Tests must not alter it."""
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
    assert open_checkpoint(resolve("tiny-clap")).pretrained.sha256 == read_state(resolve("tiny-clap")).audio.sha256


def test_a_folder_keeps_its_name_and_precision(folder: Path) -> None:
    checkpoint = open_checkpoint(resolve(str(folder)), precision="bfloat16")
    assert (checkpoint.name, checkpoint.precision) == ("my-clap", "bfloat16")
    assert resolve(str(folder)).kind == "folder"


def test_every_form_of_the_same_weights_gives_the_same_state(model: Path, tensors: dict, tmp_path: Path) -> None:
    write_safetensors(tmp_path / "a.safetensors", tensors, {})
    torch.save(tensors, tmp_path / "b.pt")
    torch.save({"epoch": 3, "state_dict": {f"module.{n}": t for n, t in tensors.items()}}, tmp_path / "c.ckpt")
    shutil.copytree(model, tmp_path / "old", ignore=shutil.ignore_patterns("model*"))
    torch.save(tensors, tmp_path / "old" / "pytorch_model.bin")
    states = [read_state(resolve(str(spec))) for spec in (model, *sorted(tmp_path.iterdir()))]
    assert [state.source.kind for state in states] == ["folder", "tensors", "tensors", "tensors", "folder"]
    assert [state.dtype for state in states] == ["float16", *["float32"] * 4]
    assert len({state.audio.sha256 for state in states}) == 1
    assert len({state.text_sha256 for state in states}) == 1
    opened = open_checkpoint(resolve(str(tmp_path / "old")))  # transformers reads the old form as well
    assert opened.pretrained.sha256 == states[0].audio.sha256
    assert opened.pretrained.layout == states[0].audio.layout


def test_statistics_and_text_are_kept_apart_from_the_weights(tensors: dict, tmp_path: Path) -> None:
    def read(name: str, **changed: torch.Tensor):
        write_safetensors(tmp_path / f"{name}.safetensors", tensors | changed, {})
        return read_state(resolve(str(tmp_path / f"{name}.safetensors")))

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
    assert read_state(resolve(str(tmp_path / "audio.safetensors"))).text_sha256 is None


def test_a_mixed_file_names_both_types(tensors: dict, tmp_path: Path) -> None:
    write_safetensors(tmp_path / "mixed.safetensors", tensors | {AUDIO: tensors[AUDIO].bfloat16()}, {})
    assert read_state(resolve(str(tmp_path / "mixed.safetensors"))).dtype == "bfloat16 and float32"


# ---- hashes and memory ----------------------------------------------------------------------------------------------
def test_the_hash_is_of_the_weight_file_or_of_the_list_of_shards(folder: Path, model: Path) -> None:
    one = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert resolve(str(folder)).sha256 == one
    shutil.copy(folder / "model.safetensors", folder / "model-00001.safetensors")
    (folder / "model.safetensors").rename(folder / "model-00002.safetensors")
    shards = {"a": "model-00001.safetensors", "b": "model-00002.safetensors", "c": "model-00002.safetensors"}
    index = {"weight_map": shards}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    listed = f"{one}  model-00001.safetensors\n{one}  model-00002.safetensors\n"
    assert resolve(str(folder)).sha256 == hashlib.sha256(listed.encode()).hexdigest()
    assert resolve(str(model)).provenance["sha256"] == resolve(str(model)).sha256


@pytest.mark.parametrize(("cores", "n_towers"), [(1, 1), (3, 3), (8, MAX_TOWERS)])
def test_memory_is_known_from_the_configuration(
    folder: Path, cores: int, n_towers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: cores)
    source = resolve(str(folder))
    checkpoint = open_checkpoint(resolve(str(folder)))
    towers = list(checkpoint._towers.all())
    weights = [*checkpoint.model.parameters(), checkpoint.pretrained.buffer]
    weights += [t for tower in towers for t in (tower.buffer, *tower._module.parameters())]
    held = sum({s.data_ptr(): s.nbytes() for s in (t.untyped_storage() for t in weights)}.values())
    assert memory_needed(read_config(source)) == held
    assert len(towers) == n_towers
    lines = describe(source)
    assert f"{held / 1e9:.2f} GB of memory" in lines
    assert source.sha256 in lines


def test_a_full_size_configuration_costs_nothing_to_judge() -> None:
    unfused = {"model_type": "clap", "text_config": {}, "audio_config": {}}  # the defaults are LAION's
    assert memory_needed(unfused) == pytest.approx(4 * (153.5e6 + 28.2e6), rel=0.01)  # large: one tower


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
            open_checkpoint(resolve(str(folder)))
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
        open_checkpoint(resolve(str(folder)))


def test_weights_that_are_not_the_models_are_refused_by_name(folder: Path, tensors: dict) -> None:
    def refusal(content: dict[str, torch.Tensor]) -> str:
        write_safetensors(folder / "model.safetensors", content, {"format": "pt"})
        with pytest.raises(BadArtifactError) as caught:
            open_checkpoint(resolve(str(folder)))
        return str(caught.value)

    for name in (AUDIO, BATCH_NORM + "running_var"):  # transformers would make one up
        assert name in refusal({key: t for key, t in tensors.items() if key != name})
    assert "do not fit" in refusal(tensors | {AUDIO: torch.zeros(3)})
    (folder / "model.safetensors").write_bytes(b"cut short")
    with pytest.raises(BadArtifactError, match="damaged"):
        open_checkpoint(resolve(str(folder)))
    (folder / "model.safetensors").unlink()
    with pytest.raises(BadArtifactError, match=r"neither model\.safetensors nor"):
        open_checkpoint(resolve(str(folder)))


def test_a_tokenizer_that_is_missing_or_not_the_models_is_refused(folder: Path) -> None:
    tokenizer = folder / "tokenizer.json"
    content = json.loads(tokenizer.read_text())
    vocabulary = content["model"]["vocab"]
    vocabulary["surplus"] = len(vocabulary)  # a row that the text tower does not have
    tokenizer.write_text(json.dumps(content))
    with pytest.raises(BadArtifactError, match=f"has {len(vocabulary)} tokens"):
        open_checkpoint(resolve(str(folder)))
    tokenizer.write_text(json.dumps(content | {"pre_tokenizer": {"type": "Of a version to come"}}))
    with pytest.raises(BadArtifactError, match="of another version"):  # tokenizers raises a bare Exception
        open_checkpoint(resolve(str(folder)))
    for path in folder.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(BadArtifactError, match="tokenizer"):  # transformers would make up an empty one
        open_checkpoint(resolve(str(folder)))


def test_tensors_alone_can_be_read_but_not_opened(tensors: dict, tmp_path: Path) -> None:
    write_safetensors(tmp_path / "a.safetensors", tensors, {})
    with pytest.raises(BadArtifactError, match="no configuration"):
        open_checkpoint(resolve(str(tmp_path / "a.safetensors")))


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [({AUDIO: torch.full((3,), torch.nan)}, f"{AUDIO}.* NaN"), (None, "holds no audio tower .*'text_projection")],
)
def test_a_state_that_cannot_be_used_is_refused(changed: dict | None, sentence: str, tmp_path: Path) -> None:
    content = changed if changed is not None else {"text_projection.linear1.bias": torch.zeros(3)}
    write_safetensors(tmp_path / "a.safetensors", content, {})
    with pytest.raises(BadArtifactError, match=sentence):
        read_state(resolve(str(tmp_path / "a.safetensors")))


def test_what_is_opened_is_what_transformers_loads(folder: Path) -> None:
    """The folder is in transformers' own layout: nothing of ours is needed to load it."""
    plain = dict(ClapModel.from_pretrained(folder).named_parameters())
    ours = open_checkpoint(resolve(str(folder))).pretrained.tensors()
    assert all(torch.equal(plain[name], tensor) for name, tensor in ours.items())
