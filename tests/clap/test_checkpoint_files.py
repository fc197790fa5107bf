"""The files of a checkpoint: which hold the weights, what is no weight, what wrappers and tools leave behind."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import ClapModel

from taskvec_demo.clap.checkpoint_files import (
    is_index_buffer,
    read_checkpoint,
    read_torch,
    shared_prefix,
    weight_files,
)
from taskvec_demo.clap.model import AudioTower
from taskvec_demo.clap.sources import open_checkpoint, read_state, resolve
from taskvec_demo.core.weights import Weights
from taskvec_demo.errors import BadArtifactError

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 1234567\n"


@pytest.fixture(scope="module")
def tensors(random_model: Path) -> dict[str, Tensor]:
    """The whole state dict of a small random model in float32, with integer buffers as `ClapModel` saves them."""
    return dict(ClapModel.from_pretrained(random_model, dtype=torch.float32).state_dict())


@pytest.fixture
def bare(random_model: Path, tmp_path: Path) -> Path:
    """A checkpoint folder without weights."""
    return Path(shutil.copytree(random_model, tmp_path / "clap", ignore=shutil.ignore_patterns("model*")))


def audio_of(path: Path) -> Weights:
    return read_state(resolve(str(path))).audio


# ---- two sets of weights in one folder ------------------------------------------------------------------------------
def write_one_file(folder: Path, tensors: dict) -> None:
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def write_shards(folder: Path, tensors: dict, stem: str = "model", suffix: str = "safetensors") -> None:
    names = sorted(tensors)
    halves = {f"{stem}-0000{i + 1}-of-00002.{suffix}": names[i::2] for i in range(2)}
    for file, part in halves.items():
        content = {name: tensors[name] for name in part}
        torch.save(content, folder / file) if suffix == "bin" else save_file(content, folder / file, {"format": "pt"})
    index = {"metadata": {}, "weight_map": {name: file for file, part in halves.items() for name in part}}
    (folder / f"{stem}.{suffix}.index.json").write_text(json.dumps(index))


def write_torch(folder: Path, tensors: dict) -> None:
    torch.save(tensors, folder / "pytorch_model.bin")


def write_torch_shards(folder: Path, tensors: dict) -> None:
    write_shards(folder, tensors, "pytorch_model", "bin")


SETS = {"one file": write_one_file, "shards": write_shards, "torch": write_torch, "torch shards": write_torch_shards}


@pytest.mark.parametrize("there", [c for n in (1, 2) for c in combinations(SETS, n)], ids=" beside ".join)
def test_of_two_sets_the_one_is_read_that_transformers_loads(there: tuple, bare: Path, tensors: dict) -> None:
    for i, name in enumerate(there):
        SETS[name](bare, {n: t * (1 + i) if t.is_floating_point() else t for n, t in tensors.items()})
    plain = AudioTower(ClapModel.from_pretrained(bare, dtype=torch.float32)).weights()
    assert audio_of(bare).sha256 == plain.sha256
    if len(there) > 1:
        assert audio_of(bare).sha256 != AudioTower(_twice(bare, tensors)).weights().sha256  # the other set
    if there == ("one file", "shards"):
        assert open_checkpoint(resolve(str(bare))).pretrained.sha256 == plain.sha256


def _twice(bare: Path, tensors: dict) -> ClapModel:
    config = ClapModel.from_pretrained(bare).config
    model = ClapModel(config)
    model.load_state_dict({n: t * 2 if t.is_floating_point() else t for n, t in tensors.items()})
    return model


def test_an_index_without_its_shards_beside_one_file_is_left_aside(bare: Path, tensors: dict) -> None:
    write_shards(bare, tensors)
    for shard in bare.glob("model-*"):
        shard.unlink()
    with pytest.raises(BadArtifactError, match=r"index\.json names model-00001-of-00002.*, which is not there; 2 of 2"):
        resolve(str(bare))
    write_one_file(bare, tensors)  # transformers leaves the index behind
    assert audio_of(bare).sha256 == AudioTower(ClapModel.from_pretrained(bare, dtype=torch.float32)).weights().sha256


def test_an_index_that_is_none_is_refused(bare: Path) -> None:
    (bare / "model.safetensors.index.json").write_text('{"weight_map": [1]}')
    with pytest.raises(BadArtifactError, match="is not the index"):
        weight_files(bare)


# ---- buffers that a tool has cast -----------------------------------------------------------------------------------
def test_what_is_no_parameter_is_known_by_name(random_model: Path) -> None:
    model = ClapModel.from_pretrained(random_model)
    buffers = [n for n, _ in model.named_buffers() if not n.endswith(("running_mean", "running_var"))]
    assert all(map(is_index_buffer, buffers))
    assert len(buffers) > 3
    assert not any(is_index_buffer(n) for n, _ in model.named_parameters())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float8_e5m2])
def test_a_cast_of_every_tensor_makes_no_weights_of_buffers(dtype: torch.dtype, bare: Path, tensors: dict) -> None:
    """The hash is that of the open checkpoint, whose buffers stay what its architecture says."""
    cast = {name: (tensor + 1000 if "tracked" in name else tensor).to(dtype) for name, tensor in tensors.items()}
    write_one_file(bare, cast)
    save_file(cast, bare.parent / "alone.safetensors")
    exact = {n: t.to(dtype) if t.is_floating_point() else t for n, t in tensors.items()}
    save_file(exact, bare.parent / "exact.safetensors")
    states = [read_state(resolve(str(bare.parent / n))) for n in ("clap", "alone.safetensors", "exact.safetensors")]
    assert len({state.audio.sha256 for state in states}) == len({state.text_sha256 for state in states}) == 1
    opened = open_checkpoint(resolve(str(bare)))
    assert opened.pretrained.sha256 == states[0].audio.sha256
    for name, buffer in opened.model.named_buffers():
        if is_index_buffer(name) and "tracked" not in name:
            assert torch.equal(buffer, tensors[name]), name


# ---- prefixes -------------------------------------------------------------------------------------------------------
NAMES = ["audio_model.a", "audio_projection.linear1.bias", "logit_scale_a"]


@pytest.mark.parametrize(
    "prefix", ["", "module.", "_orig_mod.", "module._orig_mod.", "model.clap.", "audio_model.", "a.b.c.d."]
)
def test_the_prefix_that_all_names_share_is_found(prefix: str) -> None:
    assert shared_prefix([prefix + name for name in NAMES]) == prefix
    assert shared_prefix([prefix + name for name in reversed(NAMES)]) == prefix


def test_what_not_all_names_share_or_what_is_clap_itself_is_no_prefix() -> None:
    assert shared_prefix(["module.audio_model.a", "logit_scale_a"]) == ""
    assert shared_prefix(["audio_model.audio_encoder.a", "audio_model.audio_encoder.b"]) == ""
    assert shared_prefix(["encoder.a", "encoder.b"]) == shared_prefix([]) == ""
    assert shared_prefix(["module.audio_branch.a", "module.text_branch.b"]) == "module."


@pytest.mark.parametrize("prefix", ["module.", "module._orig_mod."])
@pytest.mark.parametrize("form", ["safetensors", "pt", "state_dict in pt", "torch file called safetensors", "folder"])
def test_a_prefix_is_taken_off_in_every_format(form: str, prefix: str, bare: Path, tensors: dict) -> None:
    named = {prefix + name: tensor for name, tensor in tensors.items()}
    file = bare.parent / ("a.safetensors" if "safetensors" in form else "a.pt")
    if form == "folder":
        write_one_file(file := bare, named)
        assert open_checkpoint(resolve(str(file))).pretrained.sha256 == audio_of(file).sha256
    elif form == "safetensors":
        save_file(named, file)
    else:
        torch.save({"state_dict": named} if "state_dict" in form else named, file)
    save_file(tensors, bare.parent / "plain.safetensors")
    assert audio_of(file).sha256 == audio_of(bare.parent / "plain.safetensors").sha256


# ---- files that are not what they are called ------------------------------------------------------------------------
PLACES = (
    "a.safetensors", "a.pt", "clap/model.safetensors", "clap/pytorch_model.bin",
    "clap/model-00002-of-00002.safetensors", "clap/config.json", "clap/tokenizer.json",
    "clap/model.safetensors.index.json",
)  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_a_git_lfs_pointer_is_called_one_wherever_it_lies(place: str, bare: Path, tensors: dict) -> None:
    if "0000" in place:
        write_shards(bare, tensors)
    path = bare.parent / place
    path.write_bytes(POINTER)
    spec = bare if place.startswith("clap/") else path
    with pytest.raises(BadArtifactError, match=rf"^{path} is a Git LFS pointer.*git lfs pull.*\.$"):
        resolve(str(spec))


def test_a_pointer_beside_the_weights_that_are_read_does_no_harm(bare: Path, tensors: dict) -> None:
    write_one_file(bare, tensors)
    (bare / "pytorch_model.bin").write_bytes(POINTER)
    assert resolve(str(bare)).sha256


@pytest.mark.parametrize(("content", "said"), [(b"", "is empty"), (b"<!DOCTYPE html><html>", "is a web page")])
def test_an_empty_file_and_a_web_page_are_called_so(content: bytes, said: str, tmp_path: Path) -> None:
    for name in ("a.safetensors", "a.pt"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(BadArtifactError, match=f"{name} {said}"):
            resolve(str(tmp_path / name))


def test_the_content_decides_and_not_the_suffix(tensors: dict, tmp_path: Path) -> None:
    save_file(tensors, tmp_path / "safetensors.pt")
    torch.save(tensors, tmp_path / "torch.safetensors")
    torch.save(tensors, tmp_path / "old.safetensors", _use_new_zipfile_serialization=False)
    hashes = {audio_of(path).sha256 for path in tmp_path.iterdir()}
    assert len(hashes) == 1


def test_a_folder_without_weights_says_so(bare: Path) -> None:
    with pytest.raises(BadArtifactError, match=r"holds neither model\.safetensors nor pytorch_model\.bin"):
        read_checkpoint(weight_files(bare), str(bare))


# ---- files of torch.save --------------------------------------------------------------------------------------------
class Harmful:
    """An object whose unpickling calls os.system, as any pickle may."""

    def __reduce__(self):
        return os.system, ("true",)


def test_a_python_object_in_the_file_is_refused_by_name(tmp_path: Path) -> None:
    torch.save({"state_dict": {"a": torch.ones(1)}, "extra": Harmful()}, tmp_path / "harmful.pt")
    with pytest.raises(BadArtifactError, match=r"harmful\.pt holds the Python object \w+\.system"):
        read_torch(tmp_path / "harmful.pt")


def test_numpy_scalars_and_optimizer_states_are_accepted(tmp_path: Path) -> None:
    optimizer = {
        "state": {0: {"step": torch.ones(1)}},
        "param_groups": [{"lr": np.float32(1e-4), "betas": (0.9, 0.99)}],
    }
    content = {"epoch": np.int64(3), "optimizer": optimizer, "state_dict": {"module.a.module.b": torch.ones(2)}}
    torch.save(content, tmp_path / "with.pt")
    assert list(read_torch(tmp_path / "with.pt")) == ["module.a.module.b"]
    torch.save(content, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    assert torch.equal(read_torch(tmp_path / "old.pt")["module.a.module.b"], torch.ones(2))
    torch.save({"model_state_dict": content["state_dict"], "epoch": 3}, tmp_path / "trainer.pt")
    assert list(read_torch(tmp_path / "trainer.pt")) == ["module.a.module.b"]


def test_scalars_of_numpy_1_are_accepted(tmp_path: Path) -> None:
    """numpy 2 moved the module of scalars, and LAION's files are older."""
    torch.save({"lr": np.float64(0.1), "state_dict": {"a": torch.ones(1)}}, tmp_path / "new.pt")
    with zipfile.ZipFile(tmp_path / "new.pt") as new, zipfile.ZipFile(tmp_path / "old.pt", "w") as old:
        for entry in new.infolist():
            old.writestr(entry.filename, new.read(entry).replace(b"numpy._core.multi", b"numpy.core.multi"))
    assert b"numpy.core.multiarray" in (tmp_path / "old.pt").read_bytes()
    assert list(read_torch(tmp_path / "old.pt")) == ["a"]


@pytest.mark.parametrize("content", [b"RIFF....WAVE", b"PK\x03\x04 cut short"])
def test_a_file_that_torch_did_not_write_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.pt").write_bytes(content)
    with pytest.raises(BadArtifactError, match=r"x\.pt is damaged or was not written by torch\.save"):
        read_torch(tmp_path / "x.pt")


@pytest.mark.parametrize("content", [torch.ones(3), {"state_dict": {"a": 1.0}}, {"epoch": 3}, {0: torch.ones(3)}])
def test_a_file_without_a_state_dict_is_refused(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "x.pt")
    with pytest.raises(BadArtifactError, match="no state dict"):
        read_torch(tmp_path / "x.pt")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadArtifactError, match=r"There is no file .*gone\.pt"):
        read_torch(tmp_path / "gone.pt")
