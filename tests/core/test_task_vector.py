"""Task vectors are a vector space over one checkpoint, and survive a file within float16."""

import json
import math
from collections.abc import Callable

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from taskvec_demo.core.task_vector import TaskVector
from taskvec_demo.core.weights import Weights
from taskvec_demo.errors import BadArtifactError, IncompatibleWeightsError

ENCODER = "audio_model.audio_encoder."
SHAPES = {
    ENCODER + "patch_embed.proj.weight": (2, 3),
    ENCODER + "batch_norm.weight": (4,),
    ENCODER + "layers.0.blocks.0.mlp.weight": (5,),
    ENCODER + "layers.3.blocks.1.mlp.weight": (2, 4),
    ENCODER + "layers.3.blocks.1.batch_norm.weight": (2,),  # a stage owns what is called like the input's
    ENCODER + "norm.weight": (3,),
    "audio_projection.linear1.weight": (2, 2),
}


def random_weights(seed, shapes=SHAPES):
    generator = torch.Generator().manual_seed(seed)
    return Weights.from_tensors({name: torch.randn(shape, generator=generator) for name, shape in shapes.items()})


@pytest.fixture
def pretrained():
    return random_weights(0)


@pytest.fixture
def v(pretrained):
    return TaskVector.between(pretrained, random_weights(1), name="urban", task="urbansound8k", metadata={"lr": 1e-5})


@pytest.fixture
def w(pretrained):
    return TaskVector.between(pretrained, random_weights(2), name="emotion")


def test_between_is_the_difference(pretrained, v):
    finetuned = random_weights(1)
    assert torch.equal(v.buffer, finetuned.buffer - pretrained.buffer)
    assert v.norm > 0
    assert v.pretrained_sha256 == pretrained.sha256
    assert torch.allclose(pretrained.buffer + v.buffer, finetuned.buffer, rtol=0, atol=1e-6)
    assert TaskVector.between(pretrained, pretrained, name="none").norm == 0


def test_vector_space_laws(v, w):
    assert (v + (-v)).norm == 0
    assert (v - v).norm == 0
    assert torch.equal((v + w).buffer, (w + v).buffer)
    assert torch.equal((v - w).buffer, (v + (-w)).buffer)
    assert torch.equal((0.5 * v).buffer, (v * 0.5).buffer)
    assert torch.equal((v / 2).buffer, (v * 0.5).buffer)
    assert torch.equal((-v).buffer, (v * -1).buffer)
    assert torch.equal(sum([v, w]).buffer, (v + w).buffer)
    assert torch.allclose((2 * (v + w)).buffer, (2 * v + 2 * w).buffer)
    assert not torch.equal((v + w).buffer, v.buffer)  # negative controls
    assert not torch.equal((v - w).buffer, (w - v).buffer)


def test_arithmetic_changes_no_operand(v, w):
    before = v.sha256, w.sha256, v.buffer.clone(), w.buffer.clone()
    result = 0.3 * (v + w) - w / 3
    assert torch.equal(v.buffer, before[2])
    assert torch.equal(w.buffer, before[3])
    assert result.sha256 not in before
    assert result.pretrained_sha256 == v.pretrained_sha256
    assert (v + w).name == "urban + emotion"
    assert (0.5 * (v + w)).name == "0.5 (urban + emotion)"


def test_cosine_and_norm(v, w):
    a, b = v.buffer.double(), w.buffer.double()
    assert v.norm == pytest.approx(a.norm().item(), rel=1e-12)
    assert v.cosine(w) == pytest.approx((a @ b / a.norm() / b.norm()).item(), abs=1e-12)
    assert v.cosine(v) == pytest.approx(1)
    assert v.cosine(-3 * v) == pytest.approx(-1)
    assert abs(v.cosine(w)) < 0.99
    assert math.isnan(v.cosine(v - v))


def test_norm_does_not_lose_digits_over_many_elements():
    n = 2**20 + 3  # more than one chunk
    zero = Weights.from_tensors({"a": torch.zeros(n)})
    assert TaskVector.between(zero, Weights.from_tensors({"a": torch.ones(n)}), name="x").norm == math.sqrt(n)


def test_stage_norms_group_the_parameters(pretrained):
    ones = {name: tensor + 1 for name, tensor in pretrained.tensors().items()}
    vector = TaskVector.between(pretrained, Weights.from_tensors(ones), name="ones")
    norms = vector.stage_norms()
    assert list(norms) == ["input", "stage 1", "stage 4", "head", "projection"]
    assert {stage: round(norm**2, 3) for stage, norm in norms.items()} == {
        "input": 10, "stage 1": 5, "stage 4": 10, "head": 3, "projection": 4,
    }  # fmt: skip
    assert sum(norm**2 for norm in norms.values()) == pytest.approx(vector.norm**2)


def test_a_vector_of_the_projection_alone_changes_nothing_else(pretrained):
    def adding(changed: Callable[[str], bool]) -> TaskVector:
        tensors = {name: tensor + changed(name) for name, tensor in pretrained.tensors().items()}
        return TaskVector.between(pretrained, Weights.from_tensors(tensors), name="x")

    assert adding(lambda name: "projection" in name).is_projection_alone
    assert not adding(lambda name: True).is_projection_alone
    assert not adding(lambda name: False).is_projection_alone


def test_vectors_of_another_checkpoint_are_refused_by_hash(v):
    other = random_weights(9)
    stranger = TaskVector.between(other, random_weights(1), name="stranger")
    operations = (lambda: v + stranger, lambda: v - stranger, lambda: v.cosine(stranger), lambda: sum([v, stranger]))
    for operation in operations:
        with pytest.raises(IncompatibleWeightsError) as caught:
            operation()
        assert v.pretrained_sha256[:12] in str(caught.value)
        assert other.sha256[:12] in str(caught.value)
        assert v.pretrained_sha256 not in str(caught.value)


def test_another_layout_is_refused_by_its_first_tensor(pretrained):
    reshaped = random_weights(1, {**SHAPES, ENCODER + "norm.weight": (5,)})
    with pytest.raises(IncompatibleWeightsError, match=r"encoder\.norm\.weight' of shape \(3,\).*shape \(5,\)"):
        TaskVector.between(pretrained, reshaped, name="urban")
    longer = random_weights(1, {**SHAPES, "z": (1,)})
    with pytest.raises(IncompatibleWeightsError, match="nothing in the one, 'z'"):
        TaskVector.between(pretrained, longer, name="urban")


@pytest.mark.parametrize("other", [1, 0.5, "urban", None])
def test_only_vectors_can_be_added(v, other):
    with pytest.raises(IncompatibleWeightsError):
        v + other
    with pytest.raises(IncompatibleWeightsError):
        other + v


def test_weights_and_vectors_do_not_mix(pretrained, v):
    for operation in (lambda: pretrained + v, lambda: v + pretrained, lambda: v - pretrained):
        with pytest.raises(IncompatibleWeightsError):
            operation()


@pytest.mark.parametrize("factor", [math.nan, math.inf, True, "2"])
def test_only_finite_numbers_scale(v, factor):
    with pytest.raises(IncompatibleWeightsError, match="finite number"):
        v * factor
    with pytest.raises(IncompatibleWeightsError):
        v / 0


def test_not_finite_is_refused_by_name(pretrained):
    buffer = torch.zeros(pretrained.layout.size)
    buffer[0] = math.nan
    with pytest.raises(IncompatibleWeightsError, match=r"'audio_model\.audio_encoder\.batch_norm\.weight'"):
        TaskVector("urban", pretrained.layout, buffer, pretrained.sha256)
    low, high = (Weights.from_tensors({"a": torch.tensor([value])}) for value in (-3e38, 3e38))
    with pytest.raises(IncompatibleWeightsError, match="'a'"):  # each finite, their distance beyond float32
        TaskVector.between(low, high, name="x")


def test_file_keeps_everything_within_float16(v, tmp_path):
    path = tmp_path / "urban.safetensors"
    v.save(path)
    loaded = TaskVector.load(path)
    assert (loaded.name, loaded.task, loaded.pretrained_sha256) == ("urban", "urbansound8k", v.pretrained_sha256)
    assert dict(loaded.metadata) == {"lr": 1e-5}
    assert loaded.layout == v.layout
    assert torch.equal(loaded.buffer, v.buffer.half())
    assert torch.allclose(loaded.buffer.float(), v.buffer, rtol=2**-11, atol=2**-25)
    assert loaded.sha256 != v.sha256
    loaded.save(path)
    assert TaskVector.load(path).sha256 == loaded.sha256
    assert [file.name for file in tmp_path.iterdir()] == ["urban.safetensors"]
    with safe_open(path, framework="pt") as file:
        assert file.metadata()["format"] == "1"
        assert json.loads(file.metadata()["metadata"]) == {"lr": 1e-5}
        assert {file.get_tensor(name).dtype for name in v.layout.names} == {torch.float16}


@pytest.mark.parametrize(
    ("bits", "written_as", "nearness", "kinds"), [(8, "2", 2**-7, {"I8"}), (6, "3", 2**-5, {"U8", "I8"})]
)
def test_a_file_of_few_bits_is_near_and_is_read_and_stored_again_unchanged(
    v, tmp_path, bits, written_as, nearness, kinds
):
    path = tmp_path / "urban.safetensors"
    v.save(path, bits=bits)
    loaded = TaskVector.load(path)
    assert loaded.layout == v.layout
    for name, view in v.tensors().items():
        error = (loaded.tensors()[name].float() - view).abs()
        largest = view.flatten(1).abs().amax(1) if view.dim() > 1 else view.abs()
        assert (error.reshape(len(largest), -1).amax(1) <= largest * nearness).all()
        assert view.dim() == 1 or error.max() > 0
    loaded.save(path, bits=bits)
    assert TaskVector.load(path).sha256 == loaded.sha256
    with safe_open(path, framework="pt") as file:
        assert file.metadata()["format"] == written_as
        found = {name: file.get_slice(name).get_dtype() for name in v.layout.names}
    assert {found[name] for name, view in v.tensors().items() if view.dim() > 1} == kinds
    zero = v - v
    zero.save(path, bits=bits)
    assert TaskVector.load(path).norm == 0


def test_an_int8_file_without_its_scales_is_refused(v, tmp_path):
    header = {"format": "2", "name": "urban", "task": "", "pretrained_sha256": "ab", "metadata": "{}"}
    tensors = {"a": torch.ones(2, 3).to(torch.int8), "a:exponent": torch.zeros(2).to(torch.int8)}
    save_file(tensors, tmp_path / "x.safetensors", metadata=header)
    assert TaskVector.load(tmp_path / "x.safetensors").norm == pytest.approx(6**0.5)
    for broken in ({"a": tensors["a"]}, tensors | {"a:exponent": torch.zeros(3).to(torch.int8)}):
        save_file(broken, tmp_path / "x.safetensors", metadata=header)
        with pytest.raises(BadArtifactError, match="each of its rows"):
            TaskVector.load(tmp_path / "x.safetensors")


def test_beyond_float16_is_refused_by_name(v, tmp_path):
    (v * 1e3).save(tmp_path / "fits.safetensors")
    with pytest.raises(IncompatibleWeightsError, match=r"'a.*65504"):
        (v * 1e6).save(tmp_path / "no.safetensors")
    assert [file.name for file in tmp_path.iterdir()] == ["fits.safetensors"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"format": "4"}, "'4'"),
        ({"name": None}, "lacks name"),
        ({"metadata": "{"}, "does not hold"),
        ({"metadata": "3"}, "does not hold"),
    ],
)
def test_files_of_another_format_are_refused(v, tmp_path, change, says):
    header = {"format": "1", "name": "urban", "task": "", "pretrained_sha256": "ab", "metadata": "{}"}
    tensors = {"a": torch.ones(2).half()}
    save_file(tensors, tmp_path / "good.safetensors", metadata=header)
    assert TaskVector.load(tmp_path / "good.safetensors").norm > 0
    bad = {key: value for key, value in {**header, **change}.items() if value is not None}
    save_file(tensors, tmp_path / "bad.safetensors", metadata=bad)
    with pytest.raises(BadArtifactError, match=r"bad\.safetensors") as caught:
        TaskVector.load(tmp_path / "bad.safetensors")
    assert says in str(caught.value)


def test_a_file_with_nan_is_refused_by_name(v, tmp_path):
    header = {"format": "1", "name": "urban", "task": "", "pretrained_sha256": "ab", "metadata": "{}"}
    save_file({"a": torch.tensor([math.inf]).half()}, tmp_path / "x.safetensors", metadata=header)
    with pytest.raises(BadArtifactError, match="'a'"):
        TaskVector.load(tmp_path / "x.safetensors")
    with pytest.raises(BadArtifactError, match="no file"):
        TaskVector.load(tmp_path / "missing.safetensors")


def test_metadata_is_a_private_copy(pretrained):
    given = {"metrics": {"accuracy": 0.5}}
    zeros = torch.zeros(pretrained.layout.size)
    vector = TaskVector("urban", pretrained.layout, zeros, pretrained.sha256, metadata=given)
    given["metrics"]["accuracy"] = 1.0
    assert vector.metadata["metrics"]["accuracy"] == 0.5
    with pytest.raises(TypeError):
        vector.metadata["metrics"] = {}
