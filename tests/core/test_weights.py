"""A flat buffer behaves like the tensors that it was made from, has one hash, and cannot be mistaken for a task
vector.
"""

import hashlib
import json
import struct

import pytest
import torch
from safetensors.torch import save_file

from taskvec_demo.core.weights import Layout, Weights
from taskvec_demo.errors import BadArtifactError, IncompatibleWeightsError


@pytest.fixture
def tensors():
    generator = torch.Generator().manual_seed(0)
    b, a = torch.randn(3, 2, generator=generator), torch.randn(4, generator=generator)
    return {"b": b, "a": a, "c": torch.tensor(7.0)}


def test_layout_and_views(tensors):
    weights = Weights.from_tensors(tensors)
    assert weights.layout == Layout(("a", "b", "c"), ((4,), (3, 2), ()))
    assert (weights.layout.offsets, weights.layout.size) == ((0, 4, 10), 11)
    assert hash(weights.layout) == hash(Layout(("a", "b", "c"), ((4,), (3, 2), ())))
    assert weights.buffer.shape == (11,)
    views = weights.tensors()
    assert list(views) == ["a", "b", "c"]
    for name, tensor in tensors.items():
        assert torch.equal(views[name], tensor)
        assert views[name].untyped_storage().data_ptr() == weights.buffer.untyped_storage().data_ptr()


def test_the_source_tensors_are_copied(tensors):
    weights = Weights.from_tensors(tensors)
    tensors["a"].zero_()
    assert weights.tensors()["a"].abs().sum() > 0


def test_parameters_half_precision_and_strided_tensors_are_taken():
    source = {"p": torch.nn.Parameter(torch.ones(2)), "h": torch.ones(2).half(), "t": torch.arange(6.0).view(2, 3).T}
    weights = Weights.from_tensors(source)
    assert weights.buffer.dtype == torch.float32
    assert not weights.buffer.requires_grad
    assert torch.equal(weights.tensors()["t"], source["t"])


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_not_finite_is_refused_by_name(tensors, bad):
    tensors["b"][1, 1] = bad
    with pytest.raises(IncompatibleWeightsError, match="'b'"):
        Weights.from_tensors(tensors)


def test_what_float32_cannot_hold_is_refused(tensors):
    with pytest.raises(IncompatibleWeightsError, match="'d'"):
        Weights.from_tensors({**tensors, "d": torch.tensor([1e300], dtype=torch.float64)})


def test_integers_are_refused_by_name(tensors):
    with pytest.raises(IncompatibleWeightsError, match=r"'num_batches_tracked'.*int64"):
        Weights.from_tensors({**tensors, "num_batches_tracked": torch.tensor(3)})


def test_no_tensors_are_refused():
    with pytest.raises(IncompatibleWeightsError):
        Weights.from_tensors({})


@pytest.mark.parametrize(
    "buffer",
    [
        torch.zeros(3),
        torch.zeros(2, 2),
        torch.zeros(4).double(),
        torch.zeros(8)[::2],
        torch.zeros(4, requires_grad=True),
    ],
)
def test_a_buffer_that_does_not_fit_is_refused(buffer):
    layout = Layout(("a",), ((4,),))
    Weights(layout, torch.zeros(4))
    with pytest.raises(IncompatibleWeightsError, match="buffer"):
        Weights(layout, buffer)


@pytest.mark.parametrize("names", [("b", "a"), ("a", "a")])
def test_a_layout_is_sorted_and_unique(names):
    with pytest.raises(IncompatibleWeightsError, match="sorted"):
        Layout(names, ((1,), (1,)))


def test_hash_covers_names_shapes_and_bytes(tensors):
    original = Weights.from_tensors(tensors).sha256
    assert original == Weights.from_tensors(dict(sorted(tensors.items()))).sha256
    changed = tensors["a"].clone()
    changed[0] = torch.nextafter(changed[0], torch.tensor(9.0))  # the smallest change there is
    others = [
        {**tensors, "a": changed},
        {**tensors, "b": tensors["b"].reshape(2, 3)},
        {("d" if name == "c" else name): tensor for name, tensor in tensors.items()},
    ]
    assert len({original, *(Weights.from_tensors(other).sha256 for other in others)}) == 4


def test_hash_is_what_the_docstring_says():
    expected = hashlib.sha256(json.dumps([["a", [2]]]).encode() + b"\0" + struct.pack("<2f", 1.0, -2.0)).hexdigest()
    assert Weights.from_tensors({"a": torch.tensor([1.0, -2.0])}).sha256 == expected


def test_save_and_load_are_bit_exact(tensors, tmp_path):
    weights = Weights.from_tensors(tensors)
    path = tmp_path / "new" / "model.safetensors"
    weights.save(path)
    weights.save(path)  # over an existing file
    loaded = Weights.load(path)
    assert torch.equal(loaded.buffer, weights.buffer)
    assert loaded.sha256 == weights.sha256
    assert [file.name for file in path.parent.iterdir()] == ["model.safetensors"]  # no temporary left


def test_unreadable_files_are_refused(tmp_path):
    with pytest.raises(BadArtifactError, match="no file"):
        Weights.load(tmp_path / "missing.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(b"not safetensors")
    with pytest.raises(BadArtifactError, match="cut"):
        Weights.load(tmp_path / "cut.safetensors")
    save_file({"a": torch.tensor([float("nan")])}, tmp_path / "nan.safetensors")
    with pytest.raises(BadArtifactError, match=r"nan\.safetensors.*'a'"):
        Weights.load(tmp_path / "nan.safetensors")


@pytest.mark.parametrize(
    "operation",
    [
        lambda w: w + w,
        lambda w: w - w,
        lambda w: w * 0.5,
        lambda w: 0.5 * w,
        lambda w: w / 2,
        lambda w: -w,
        lambda w: sum([w, w]),
    ],
)
def test_weights_have_no_arithmetic(tensors, operation):
    with pytest.raises(IncompatibleWeightsError, match=r"TaskVector\.between"):
        operation(Weights.from_tensors(tensors))
