"""`python -m taskvec_demo vector`: a vector made from two checkpoints, from differences, and what is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from taskvec_demo.clap.checkpoint_files import read_checkpoint, weight_files
from taskvec_demo.clap.embedded import EMBEDDED
from taskvec_demo.clap.model import AudioTower
from taskvec_demo.clap.sources import CheckpointState, read_state, resolve
from taskvec_demo.cli import main
from taskvec_demo.core.edit import apply_recipe
from taskvec_demo.core.recipe import Recipe
from taskvec_demo.core.task_vector import TaskVector
from taskvec_demo.core.weights import Layout, read_safetensors
from taskvec_demo.errors import IncompatibleWeightsError
from taskvec_demo.lab.exchange.make_vector import from_checkpoint, from_deltas, report
from taskvec_demo.lab.exchange.vector_checks import matrix_cosine, rounding_norm
from tests.support.small_clap import small_model, write_state

MATRIX = "audio_model.audio_encoder.layers.3.blocks.0.output.dense.weight"
MEAN = "audio_model.audio_encoder.batch_norm.running_mean"
TEXT = "text_projection.linear1.weight"


def differences(model, size: float = 0.05, seed: int = 1) -> dict[str, Tensor]:
    """A random τ over the audio side. Each part is in proportion to the size of its tensor."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: size * (p.detach().abs().mean() + 0.01) * torch.randn(p.shape, generator=generator)
        for name, p in AudioTower(model).named_parameters()
    }


def shifted(model, deltas: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The model's state dict with `deltas` added."""
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for name, delta in deltas.items():
        state[name] = state[name] + delta
    return state


@pytest.fixture(scope="module")
def model():
    return small_model()


@pytest.fixture(scope="module")
def tau(model) -> dict[str, Tensor]:
    return differences(model)


@pytest.fixture
def pretrained(tmp_path, model) -> CheckpointState:
    return read_state(resolve(str(write_state(tmp_path / "base.safetensors", model.state_dict()))))


@pytest.fixture
def state_of(tmp_path):
    """state_of(tensors) -> what `read_state` reads of a file named tuned.safetensors."""
    return lambda tensors: read_state(resolve(str(write_state(tmp_path / "tuned.safetensors", tensors))))


@pytest.fixture
def vector(tmp_path, capsys):
    """vector(*options) -> (exit code, stdout, the one line on stderr, path of the vector)."""

    def run(*options: object) -> tuple[int, str, str, Path]:
        out = tmp_path / "out" / "mine.safetensors"
        out.unlink(missing_ok=True)
        command = ["vector", "--name", "mine", "--out", str(out), "--artifacts", str(tmp_path), *map(str, options)]
        code = main(command)
        shown = capsys.readouterr()
        return code, shown.out, shown.err, out

    return run


# ---- laws -----------------------------------------------------------------------------------------------------------
def test_from_p_to_p_plus_tau_is_tau(pretrained, model, tau, state_of):
    own = from_checkpoint(pretrained, state_of(shifted(model, tau)), "mine", "birds")
    for name, view in own.vector.tensors().items():
        assert torch.allclose(view, tau[name], rtol=0, atol=1e-6 * float(pretrained.audio.tensors()[name].abs().max()))
    assert own.warnings == ()
    assert own.vector.task == "birds"
    assert own.vector.pretrained_sha256 == pretrained.audio.sha256
    norms = [
        float(torch.cat([t.flatten() for t in tensors.values()]).norm())
        for tensors in (tau, pretrained.audio.tensors())
    ]
    assert own.relative_norm == pytest.approx(norms[0] / norms[1], rel=1e-4)
    other = from_checkpoint(pretrained, state_of(shifted(model, differences(model, seed=2))), "other").vector
    assert abs(own.vector.cosine(other)) < 0.1  # the test can tell vectors apart


def test_the_command_writes_what_the_app_applies(tmp_path, model, tau, vector, pretrained):
    tuned = write_state(tmp_path / "tuned.safetensors", shifted(model, tau))
    code, shown, _, out = vector("--pretrained", tmp_path / "base.safetensors", "--finetuned", tuned, "--task", "birds")
    assert code == 0
    loaded = TaskVector.load(out)
    assert (loaded.name, loaded.task) == ("mine", "birds")
    edited = apply_recipe(pretrained.audio, {"mine": loaded}, Recipe("mine", {"mine": 1.0}))
    finetuned = read_state(resolve(str(tuned))).audio
    assert torch.allclose(
        edited.buffer, finetuned.buffer, rtol=0, atol=2**-11 * float(loaded.buffer.float().abs().max())
    )
    assert not torch.allclose(pretrained.audio.buffer, finetuned.buffer, rtol=0, atol=1e-3)
    origin = loaded.metadata["origin"]
    assert origin["sha256"] == read_state(resolve(str(tuned))).source.sha256
    assert origin["dtype"] == loaded.metadata["pretrained"]["dtype"] == "float32"
    assert str(tmp_path) not in json.dumps(dict(loaded.metadata))  # no path of this machine is in the file
    for said in ("norm by stage: input", "stage 4", pretrained.audio.sha256, "written to", "float16 loses"):
        assert said in shown


@pytest.mark.parametrize("form", ["folder", "sharded folder", "pytorch file"])
def test_a_checkpoint_may_have_any_form(form, tmp_path, model, tau, vector, pretrained):
    changed = small_model()
    changed.load_state_dict(shifted(model, tau))
    tuned = tmp_path / "tuned"
    if form == "pytorch file":
        torch.save(changed.state_dict(), tuned := tmp_path / "tuned.pt")
    else:
        changed.save_pretrained(tuned, max_shard_size="300KB" if form == "sharded folder" else "1GB")
        assert (tuned / "model.safetensors.index.json").is_file() == (form == "sharded folder")
    code, _, said, out = vector("--pretrained", tmp_path / "base.safetensors", "--finetuned", tuned)
    assert code == 0, said
    reference = torch.cat([tau[name].flatten() for name in pretrained.audio.layout.names])
    assert torch.allclose(TaskVector.load(out).buffer.float(), reference, rtol=2**-10, atol=1e-6)


def test_cosines_to_other_vectors_of_the_same_base(pretrained, model, tau, state_of):
    own = from_checkpoint(pretrained, state_of(shifted(model, tau)), "mine")
    foreign = replace(own.vector, pretrained_sha256="0" * 64)
    shown = report(own, pretrained, {"minus": -2 * own.vector, "foreign": foreign})
    assert "cosine to: minus -1.00\n" in f"{shown}\n"
    assert "cosine" not in report(own, pretrained, {"foreign": foreign})


def test_the_shipped_checkpoint_and_its_vectors(tmp_path, capsys):
    folder = EMBEDDED
    out = tmp_path / "again.safetensors"
    command = ["vector", "--pretrained", "tiny-clap", "--delta", str(folder / "vectors" / "urban.safetensors")]
    assert main([*command, "--name", "again", "--out", str(out), "--artifacts", str(folder)]) == 0
    assert re.search(r"cosine to: music [+-]0\.\d\d, urban \+1\.00, ", capsys.readouterr().out)
    assert TaskVector.load(out).sha256 == TaskVector.load(folder / "vectors" / "urban.safetensors").sha256


# ---- refusals, each beside one that passes --------------------------------------------------------------------------
def refused(pretrained, finetuned) -> str:
    with pytest.raises(IncompatibleWeightsError) as caught:
        from_checkpoint(pretrained, finetuned, "mine")
    assert str(caught.value).count(". ") == 0, "one sentence"
    return str(caught.value)


def test_another_architecture_is_refused_by_the_first_tensor(pretrained, model, tau, state_of):
    state = shifted(model, tau)
    state[MATRIX] = state[MATRIX][:, :5]
    said = refused(pretrained, state_of(state))
    assert all(part in said for part in (MATRIX, "(128, 512)", "(128, 5)", "base", "tuned"))
    assert MATRIX in refused(pretrained, state_of({n: t for n, t in shifted(model, tau).items() if n != MATRIX}))
    assert from_checkpoint(pretrained, state_of(shifted(model, tau)), "mine").vector.norm > 0


def test_the_same_weights_are_refused(pretrained, model, tau, state_of):
    assert "hold the same audio weights" in refused(pretrained, state_of(model.state_dict()))
    one = {MATRIX: tau[MATRIX]}
    assert from_checkpoint(pretrained, state_of(shifted(model, one)), "mine").vector.norm > 0


def test_weights_of_another_origin_are_refused(pretrained, model, tau, state_of):
    said = refused(pretrained, state_of(small_model(seed=5).state_dict()))
    assert "was not fine-tuned from base" in said
    assert "audio_model" in said
    only_differences = {n: tau.get(n, torch.zeros_like(t)) for n, t in model.state_dict().items()}
    assert "was not fine-tuned from base" in refused(pretrained, state_of(only_differences))
    strong = differences(model, size=0.5)
    assert from_checkpoint(pretrained, state_of(shifted(model, strong)), "mine").relative_norm > 0.3


def test_nan_is_refused_by_name(tmp_path, pretrained, model, tau, vector):
    state = shifted(model, tau)
    state[MATRIX][3, 3] = torch.nan
    tuned = write_state(tmp_path / "tuned.safetensors", state)
    code, _, said, out = vector("--pretrained", tmp_path / "base.safetensors", "--finetuned", tuned)
    assert (code, out.exists()) == (2, False)
    assert MATRIX in said
    assert "NaN" in said


def test_what_is_not_a_checkpoint_is_one_sentence(tmp_path, pretrained, model, tau, vector):
    base = tmp_path / "base.safetensors"
    for wrong in ("nothing.safetensors", "no-such-thing", tmp_path):
        code, _, said, _ = vector("--pretrained", base, "--finetuned", wrong)
        assert code == 2
        assert said.startswith("taskvec_demo: ")
        assert len(said.strip().splitlines()) == 1


@pytest.mark.parametrize(("option", "value", "says"), [
    ("--name", "a b", "'a b'"), ("--name", "ckpt", "ckpt"), ("--out", "mine.pt", ".safetensors file"),
])  # fmt: skip
def test_names_and_files_are_checked_first(option, value, says, vector):
    code, _, said, _ = vector("--pretrained", "never-read", "--finetuned", "never-read", option, value)
    assert code == 2
    assert says in said


def test_a_file_is_never_overwritten(tmp_path, pretrained, model, tau, vector):
    tuned = write_state(tmp_path / "tuned.safetensors", shifted(model, tau))
    before = tuned.read_bytes()
    options = ("--pretrained", tmp_path / "base.safetensors", "--finetuned", tuned)
    code, _, said, _ = vector(*options, "--out", tuned)
    assert code == 2
    assert "exists already" in said
    assert tuned.read_bytes() == before
    assert vector(*options)[0] == 0


# ---- warnings -------------------------------------------------------------------------------------------------------
def test_a_changed_text_tower_is_a_warning(pretrained, model, tau, state_of):
    state = shifted(model, tau)
    state[TEXT] = 2 * state[TEXT]
    (said,) = from_checkpoint(pretrained, state_of(state), "mine").warnings
    assert "text tower" in said
    text = [n for n, t in state.items() if n.startswith("text") and t.is_floating_point()]
    half = {n: t.half() if n in text else t for n, t in shifted(model, tau).items()}
    assert from_checkpoint(pretrained, state_of(half), "mine").warnings == ()  # stored in float16 only
    audio_only = {n: t for n, t in shifted(model, tau).items() if n.startswith("audio")}
    assert from_checkpoint(pretrained, state_of(audio_only), "mine").warnings == ()


def test_changed_batchnorm_statistics_are_a_warning(tmp_path, pretrained, model, tau, state_of, vector):
    state = shifted(model, tau)
    state[MEAN] = state[MEAN] + 0.5
    own = from_checkpoint(pretrained, state_of(state), "mine")
    assert MEAN in own.warnings[0]
    assert own.vector.sha256 == from_checkpoint(pretrained, state_of(shifted(model, tau)), "mine").vector.sha256
    tuned = write_state(tmp_path / "moved.safetensors", state)
    code, shown, _, out = vector("--pretrained", tmp_path / "base.safetensors", "--finetuned", tuned)
    assert code == 0
    assert "warning: moved has other BatchNorm statistics" in shown
    assert TaskVector.load(out).metadata["warnings"] == [
        line.removeprefix("warning: ") for line in shown.splitlines() if "BatchNorm" in line
    ]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_sixteen_bits_are_a_warning_that_states_their_size(dtype, pretrained, model, tau, state_of):
    exact = shifted(model, tau)
    rounded = {name: t.to(dtype) if t.is_floating_point() else t for name, t in exact.items()}
    own = from_checkpoint(pretrained, state_of(rounded), "mine")
    assert str(dtype).removeprefix("torch.") in own.warnings[0]
    audio = [n for n in tau if n in exact]
    true = float(torch.cat([(rounded[n].float() - exact[n]).flatten() for n in audio]).norm())
    stated = float(own.warnings[0].split("norm of about ")[1].split(",")[0])
    assert stated == pytest.approx(true, rel=0.15)
    exactly = from_checkpoint(pretrained, state_of(exact), "mine").vector
    assert 0 < float((own.vector.buffer - exactly.buffer).norm()) < 1.2 * stated


EIGHT_BITS = [torch.float8_e4m3fn, torch.float8_e5m2]


@pytest.mark.parametrize("dtype", EIGHT_BITS)
def test_eight_bits_of_a_true_difference_are_a_warning(dtype, pretrained, model, state_of):
    tuned = shifted(model, differences(model, size=0.5))
    own = from_checkpoint(pretrained, state_of({n: t.to(dtype) if n in tuned else t for n, t in tuned.items()}), "mine")
    assert str(dtype).removeprefix("torch.") in own.warnings[0]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, *EIGHT_BITS])
def test_a_difference_that_is_only_rounding(dtype, tmp_path, pretrained, model, tau, state_of):
    rounded = {name: t.to(dtype) if t.is_floating_point() else t for name, t in model.state_dict().items()}
    assert "a float32 copy" in refused(pretrained, state_of(rounded))
    base = read_state(resolve(str(write_state(tmp_path / "rounded.safetensors", rounded))))
    (said, *_) = from_checkpoint(base, state_of(model.state_dict()), "mine").warnings
    assert "may be the same model in float32" in said
    strong = shifted(model, differences(model, size=0.5))
    true = from_checkpoint(base, state_of(strong), "mine")  # a true one on a rounded base
    assert [w for w in true.warnings if "perhaps only by rounding" not in w] == []


def test_rounding_norm_is_what_rounding_does():
    values = torch.randn(200_000, generator=torch.Generator().manual_seed(0))
    for dtype in (torch.float16, torch.bfloat16):
        true = float((values.to(dtype).float() - values).norm())
        assert rounding_norm(values, dtype) == pytest.approx(true, rel=0.02)
    assert rounding_norm(torch.ones(4), torch.float16) == pytest.approx((4 * 2**-20 / 12) ** 0.5)


def test_differences_below_float16_are_said_or_refused(pretrained, model, tau, state_of):
    # So small a difference survives only where the weight is zero: beside any other weight float32 loses it.
    name = "audio_projection.linear1.bias"
    assert model.state_dict()[name].count_nonzero() == 0
    tiny = torch.full_like(model.state_dict()[name], 1.3e-7)
    assert "loses" in from_checkpoint(pretrained, state_of(shifted(model, {name: tiny})), "mine").warnings[-1]
    assert "cannot hold" in refused(pretrained, state_of(shifted(model, {name: tiny / 100})))


def test_the_embedded_checkpoint_in_eight_bits_is_no_fine_tune(tmp_path, vector):
    base = read_checkpoint(weight_files(EMBEDDED / "model"), "tiny-clap")
    for dtype in EIGHT_BITS:
        cast = write_state(tmp_path / "cast.safetensors", {n: t.to(dtype) for n, t in base.items()})
        code, _, said, out = vector("--pretrained", "tiny-clap", "--finetuned", cast)
        assert (code, out.exists()) == (2, False)
        assert "a float32 copy of cast is needed" in said


# ---- differences of others ------------------------------------------------------------------------------------------
def test_differences_become_the_same_vector(tmp_path, pretrained, tau, vector):
    deltas = write_state(tmp_path / "deltas.safetensors", tau)
    code, shown, said, out = vector("--pretrained", tmp_path / "base.safetensors", "--delta", deltas)
    assert code == 0, said
    assert "warning" not in shown
    assert torch.equal(
        TaskVector.load(out).buffer.float(), from_deltas(pretrained, deltas, "x").vector.buffer.half().float()
    )
    names = sorted(tau)
    folder = tmp_path / "shards"
    folder.mkdir()
    write_state(folder / "1.safetensors", {n: tau[n] for n in names[:9]})
    write_state(folder / "2.safetensors", {n: tau[n] for n in names[9:]})
    assert from_deltas(pretrained, folder, "x").vector.sha256 == from_deltas(pretrained, deltas, "x").vector.sha256
    torch.save({f"module.{n}": t for n, t in tau.items()}, tmp_path / "deltas.pt")  # of torch, in a wrapper
    torched = from_deltas(pretrained, tmp_path / "deltas.pt", "x").vector
    assert torched.sha256 == from_deltas(pretrained, deltas, "x").vector.sha256
    half = write_state(tmp_path / "half.safetensors", {n: t.bfloat16() for n, t in tau.items()})
    assert from_deltas(pretrained, half, "x").vector.cosine(from_deltas(pretrained, deltas, "x").vector) > 0.999


def test_parts_that_are_missing_or_beside_the_audio_side_are_said(tmp_path, pretrained, tau):
    own = from_deltas(pretrained, write_state(tmp_path / "one.safetensors", {MATRIX: tau[MATRIX]}), "mine")
    assert "holds 1 of" in own.warnings[0]
    assert own.vector.norm == pytest.approx(float(tau[MATRIX].norm()), rel=1e-5)
    beside = {TEXT: torch.ones(3), MEAN: torch.ones(64), "logit_scale_a": torch.zeros(())}
    own = from_deltas(pretrained, write_state(tmp_path / "more.safetensors", tau | beside), "mine")
    assert [("text side" in w, "BatchNorm" in w) for w in own.warnings] == [(False, True), (True, False)]
    zeros = {name: torch.zeros_like(t) for name, t in beside.items()}
    assert from_deltas(pretrained, write_state(tmp_path / "zeros.safetensors", tau | zeros), "mine").warnings == ()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda tau: {"unet.conv.weight": torch.ones(2)}, "'unet.conv.weight'"),
        (lambda tau: {MATRIX: tau[MATRIX].T}, "(512, 128)"),
        (lambda tau: {MATRIX: tau[MATRIX] * torch.nan}, MATRIX),
        (lambda tau: {MATRIX: torch.ones(128, 512, dtype=torch.int32)}, "torch.int32"),
    ],
)
def test_foreign_differences_are_refused_by_name(change, says, tmp_path, pretrained, tau):
    with pytest.raises(IncompatibleWeightsError) as caught:
        from_deltas(pretrained, write_state(tmp_path / "bad.safetensors", tau | change(tau)), "mine")
    assert says in str(caught.value)


def test_a_vector_of_ours_in_few_bits_has_the_values_that_it_stands_for(tmp_path, pretrained, tau):
    own = from_deltas(pretrained, write_state(tmp_path / "wide.safetensors", tau), "mine").vector
    own.save(tmp_path / "small.safetensors", bits=6)
    again = from_deltas(pretrained, tmp_path / "small.safetensors", "mine").vector
    assert torch.linalg.norm(again.buffer.float() - own.buffer.float()) < 0.06 * own.norm


def test_differences_of_another_base_and_whole_checkpoints_are_refused(tmp_path, pretrained, model, tau, vector):
    mine = write_state(tmp_path / "mine.safetensors", tau, pretrained_sha256=pretrained.audio.sha256)
    assert from_deltas(pretrained, mine, "mine").vector.norm > 0
    for name, tensors, header, says in (
        ("foreign", tau, {"pretrained_sha256": "0" * 64}, "000000000000"),
        ("whole", shifted(model, tau), {}, "give it as --finetuned"),
        ("nothing", {n: 0 * t for n, t in tau.items()}, {}, "changes nothing"),
        ("text", {TEXT: torch.ones(2)}, {}, "no parameter of the audio tower"),
    ):
        file = write_state(tmp_path / f"{name}.safetensors", tensors, **header)
        code, _, said, out = vector("--pretrained", tmp_path / "base.safetensors", "--delta", file)
        assert (code, out.exists()) == (2, False)
        assert says in said


def test_exactly_one_origin_is_given(vector):
    for options in ((), ("--finetuned", "a", "--lora", "b")):
        with pytest.raises(SystemExit):
            vector("--pretrained", "tiny-clap", *options)


def test_matrix_cosine_looks_at_matrices_only():
    layout = Layout(("gain", "matrix"), ((2,), (1, 2)))
    a, b = torch.tensor([9.0, 9, 1, 0]), torch.tensor([9.0, 9, 0, 1])
    assert matrix_cosine(layout, a, b) == 0
    assert matrix_cosine(layout, a, -2 * a) == pytest.approx(-1)
    assert matrix_cosine(Layout(("gain",), ((2,),)), a[:2], b[:2]) == 1


def test_a_vector_of_ours_is_read_back_as_differences(tmp_path, pretrained, model, tau, state_of):
    first = from_checkpoint(pretrained, state_of(shifted(model, tau)), "mine").vector
    first.save(tmp_path / "ours.safetensors")
    again = from_deltas(pretrained, tmp_path / "ours.safetensors", "again").vector
    assert torch.equal(again.buffer, first.buffer.half().float())
    with pytest.raises(IncompatibleWeightsError, match="made from pre-trained"):
        from_deltas(replace(pretrained, audio=type(pretrained.audio)(first.layout, first.buffer)),
                    tmp_path / "ours.safetensors", "again")  # fmt: skip
    assert read_safetensors(tmp_path / "ours.safetensors")[1]["name"] == "mine"
