"""LoRA adapters: our reading gives the same weights as peft's own merge; everything else is refused by name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file

from taskvec_demo.clap.model import AudioTower
from taskvec_demo.clap.sources import CheckpointState, read_state, resolve
from taskvec_demo.cli import main
from taskvec_demo.core.task_vector import TaskVector
from taskvec_demo.core.weights import Weights
from taskvec_demo.errors import BadArtifactError, IncompatibleWeightsError
from taskvec_demo.lab.exchange.lora import read_adapter
from taskvec_demo.lab.exchange.make_vector import from_adapter
from tests.support.small_clap import small_model, write_state

QUERY = "audio_model.audio_encoder.layers.0.blocks.0.attention.self.query"
LINEARS = r"audio_model\..*\.(query|value|dense)"
pytestmark = pytest.mark.filterwarnings("ignore")  # of transformers and peft about themselves


def trained_adapter(folder: Path, seed: int = 3, *, tower: bool = False, **options) -> Weights:
    """Save a LoRA adapter with random A and B as peft does, on a small CLAP or on its audio tower alone.

    Returns the weights that peft merges.
    """
    model = get_peft_model(
        AudioTower(small_model()) if tower else small_model(),
        LoraConfig(**{"r": 4, "lora_alpha": 12, "target_modules": LINEARS} | options),
    )
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    model.save_pretrained(folder)
    merged = model.merge_and_unload()
    return merged.weights() if tower else AudioTower(merged).weights()


def edit_config(folder: Path, **changes) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def edit_tensors(folder: Path, change) -> None:
    path = folder / "adapter_model.safetensors"
    save_file(change(load_file(path)), path)


@pytest.fixture(scope="module")
def base_file(tmp_path_factory) -> Path:
    return write_state(tmp_path_factory.mktemp("base") / "base.safetensors", small_model().state_dict())


@pytest.fixture(scope="module")
def base(base_file) -> CheckpointState:
    return read_state(resolve(str(base_file)))


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    """A plain adapter that tests copy before they alter it."""
    folder = tmp_path_factory.mktemp("adapters") / "plain"
    trained_adapter(folder)
    return folder


@pytest.fixture
def adapter(plain, tmp_path) -> Path:
    return Path(shutil.copytree(plain, tmp_path / "adapter"))


# ---- equal to peft --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"use_rslora": True},
        {"rank_pattern": {"query": 2, r"layers\.3\..*dense": 6}, "alpha_pattern": {"value": 5}},
        {"use_rslora": True, "rank_pattern": {"query": 2}, "alpha_pattern": {"query": 5}},
        {"modules_to_save": ["audio_projection"]},
        {"bias": "all", "tower": True},
        {"bias": "lora_only", "lora_bias": True},
        {"target_modules": r"audio_model\..*(patch_embed\.proj|\.key)"},
        {"init_lora_weights": False},
    ],
    ids=lambda options: " ".join(options) or "plain",
)
def test_equal_to_what_peft_merges(options, tmp_path, base):
    merged = trained_adapter(tmp_path / "adapter", **options)
    vector = from_adapter(base, tmp_path / "adapter", "mine").vector
    difference = merged.buffer - base.audio.buffer
    assert torch.allclose(vector.buffer, difference, rtol=1e-5, atol=1e-6)
    assert vector.norm > 1
    other = trained_adapter(tmp_path / "other", seed=4, **options).buffer - base.audio.buffer
    assert not torch.allclose(vector.buffer, other, rtol=1e-2, atol=1e-2)


def test_the_scale_is_alpha_over_r_or_over_its_root(adapter, base):
    plain = from_adapter(base, adapter, "plain").vector
    edit_config(adapter, use_rslora=True)
    stabilised = from_adapter(base, adapter, "stabilised").vector
    assert torch.allclose(stabilised.buffer, 2 * plain.buffer)  # α / √4 against α / 4
    edit_config(adapter, use_rslora=False, lora_alpha=3)
    assert torch.allclose(from_adapter(base, adapter, "weak").vector.buffer, plain.buffer / 4)


def test_fan_in_fan_out_is_transposed(adapter, base):
    square = f"base_model.model.{QUERY}.lora_"
    edit_tensors(adapter, lambda tensors: {n: t for n, t in tensors.items() if n.startswith(square)})
    straight = read_adapter(adapter, base.audio).deltas
    edit_config(adapter, fan_in_fan_out=True)
    turned = read_adapter(adapter, base.audio).deltas
    assert list(turned) == [f"{QUERY}.weight"]
    assert torch.equal(turned[f"{QUERY}.weight"], straight[f"{QUERY}.weight"].T)
    assert not torch.equal(turned[f"{QUERY}.weight"], straight[f"{QUERY}.weight"])


def test_an_adapter_of_the_audio_tower_alone_fits_too(adapter, base):
    whole = from_adapter(base, adapter, "whole").vector
    edit_tensors(adapter, lambda tensors: {n.replace("audio_model.", ""): t for n, t in tensors.items()})
    assert from_adapter(base, adapter, "alone").vector.sha256 == whole.sha256


def test_sixteen_bit_adapters_are_multiplied_in_float32(adapter, base):
    exact = from_adapter(base, adapter, "exact").vector
    edit_tensors(adapter, lambda tensors: {n: t.bfloat16() for n, t in tensors.items()})
    rounded = from_adapter(base, adapter, "rounded").vector
    assert rounded.cosine(exact) > 0.9999
    assert rounded.sha256 != exact.sha256


def test_the_command_writes_a_vector_that_the_app_reads(adapter, base, base_file, tmp_path, capsys):
    out = tmp_path / "mine.safetensors"
    edit_config(adapter, base_model_name_or_path="laion/clap-htsat-unfused")
    command = ["vector", "--pretrained", str(base_file), "--name", "mine", "--artifacts", str(tmp_path)]
    assert main([*command, "--lora", str(adapter), "--out", str(out)]) == 0
    assert "warning: The adapter says that it was trained on 'laion/clap-htsat-unfused'" in capsys.readouterr().out
    loaded = TaskVector.load(out)
    assert loaded.pretrained_sha256 == base.audio.sha256
    assert loaded.metadata["origin"]["trained_on"] == "laion/clap-htsat-unfused"
    assert torch.equal(loaded.buffer.float(), from_adapter(base, adapter, "x").vector.buffer.half().float())
    edit_config(adapter, base_model_name_or_path="/home/somebody/base")
    assert from_adapter(base, adapter, "mine").warnings == ()


# ---- refused by name ------------------------------------------------------------------------------------------------
def refused(kind: type[Exception], folder: Path, base: CheckpointState) -> str:
    with pytest.raises(kind) as caught:
        read_adapter(folder, base.audio)
    return str(caught.value)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"use_dora": True}, "DoRA"),
        ({"kasa_config": {"beta": 1}}, "KaSA"),
        ({"target_parameters": ["x"]}, "target_parameters"),
        ({"init_lora_weights": "pissa_niter_4"}, "'pissa_niter_4'"),
        ({"init_lora_weights": "olora"}, "'olora'"),
        ({"peft_type": "IA3"}, "'IA3'"),
        ({"r": "many"}, "not the configuration"),
        ({"rank_pattern": {"(": 3}}, "not the configuration"),
        ({"alpha_pattern": [1]}, "not the configuration"),
    ],
)
def test_other_kinds_of_adapters(changes, says, adapter, base):
    assert read_adapter(adapter, base.audio).deltas
    edit_config(adapter, **changes)
    said = refused(BadArtifactError, adapter, base)
    assert says in said
    assert "adapter_config.json" in said


def test_a_true_dora_adapter(tmp_path, base):
    trained_adapter(tmp_path / "dora", use_dora=True)
    assert "DoRA" in refused(BadArtifactError, tmp_path / "dora", base)
    edit_config(tmp_path / "dora", use_dora=False)  # the tensors betray it all the same
    assert "lora_magnitude_vector" in refused(IncompatibleWeightsError, tmp_path / "dora", base)


def test_an_adapter_of_the_text_tower(tmp_path, base):
    trained_adapter(tmp_path / "text", target_modules=r".*\.query")
    said = refused(IncompatibleWeightsError, tmp_path / "text", base)
    assert "'text_model.encoder.layer.0.attention.self.query.weight' of the text side" in said
    trained_adapter(tmp_path / "biases", bias="all")  # of the whole model: the text tower's biases too
    assert "'text_model." in refused(IncompatibleWeightsError, tmp_path / "biases", base)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: {n: x[:, :3] if n.endswith("query.lora_A.weight") else x for n, x in t.items()}, "(4, 3)"),
        (lambda t: {n: x[:5] if n.endswith("query.lora_B.weight") else x for n, x in t.items()}, "(5, 4)"),
        (lambda t: {n: x[:2] if n.endswith("query.lora_A.weight") else x for n, x in t.items()}, "is 4"),
        (lambda t: {n: x for n, x in t.items() if not n.endswith("query.lora_B.weight")}, "lora_B"),
        (lambda t: t | {f"base_model.model.{QUERY}.bias": torch.ones(3)}, "(3,)"),
        (lambda t: t | {f"base_model.model.{QUERY}.gate": torch.ones(3)}, "not an edited parameter"),
    ],
    ids=["A", "B", "rank", "no B", "bias", "unknown"],
)
def test_tensors_that_do_not_fit(change, says, adapter, base):
    edit_tensors(adapter, lambda tensors: {n: t.contiguous() for n, t in change(tensors).items()})
    with pytest.raises((IncompatibleWeightsError, BadArtifactError)) as caught:
        read_adapter(adapter, base.audio)
    assert QUERY in str(caught.value)
    assert says in str(caught.value)


def test_a_base_of_another_size(adapter, base):
    wide = {n: torch.cat([t, t]) if t.dim() > 1 else t for n, t in base.audio.tensors().items()}
    said = refused(
        IncompatibleWeightsError, adapter, CheckpointState(base.source, Weights.from_tensors(wide), {}, None, "float32")
    )
    assert "which do not give the shape" in said


def test_folders_that_are_no_adapters(adapter, tmp_path, base):
    assert "holds no adapter_config.json" in refused(BadArtifactError, tmp_path / "nowhere", base)
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    assert "holds no adapter_model.safetensors" in refused(BadArtifactError, adapter, base)
    (adapter / "adapter_model.bin").unlink()
    save_file({}, adapter / "adapter_model.safetensors")
    assert "holds no tensor" in refused(BadArtifactError, adapter, base)
    (adapter / "adapter_config.json").write_text("[1]")
    assert "not the configuration" in refused(BadArtifactError, adapter, base)


def test_an_untrained_adapter_is_no_vector(tmp_path, base):
    model = get_peft_model(small_model(), LoraConfig(target_modules=LINEARS))
    model.save_pretrained(tmp_path / "new")
    with pytest.raises(IncompatibleWeightsError, match="changes nothing"):
        from_adapter(base, tmp_path / "new", "mine")
