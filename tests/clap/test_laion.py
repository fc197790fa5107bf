"""LAION `.pt` files against the laion-clap package itself: real towers, random weights, a small RoBERTa."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from taskvec_demo.clap import sources
from taskvec_demo.clap.checkpoint_files import read_torch, shared_prefix
from taskvec_demo.clap.laion import PREPROCESSOR, convert
from taskvec_demo.clap.loading import SPECIAL_TOKENS, save_tokenizer
from taskvec_demo.clap.sources import open_checkpoint, read_state, resolve
from taskvec_demo.cli import main
from taskvec_demo.core.weights import read_safetensors, write_safetensors
from taskvec_demo.errors import BadArtifactError
from taskvec_demo.lab.exchange import convert as conversion
from taskvec_demo.lab.exchange import laion_comparison
from taskvec_demo.serve import unmeasured
from taskvec_demo.serve.workbench import Workbench
from tests.support.paths import ROOT

WORDS = ("dog", "cat", "rain", "siren", "blues", "song", "the", "distance", "silence", "sound", "of", "audio")
POSITIONS = 66  # of the small RoBERTa

# Saves HTSAT-tiny, HTSAT-base and a fused HTSAT-tiny as laion-clap's training does, and what HTSAT-base answers.
SAVE = f"""
import sys
folder, = sys.argv[1:]
sys.argv[1:] = []  # laion_clap parses them
import numpy, torch, transformers
torch.manual_seed(0)
roberta = transformers.RobertaConfig(
    vocab_size=100, hidden_size=768, num_hidden_layers=2, num_attention_heads=12, intermediate_size=256,
    max_position_embeddings={POSITIONS}, type_vocab_size=1, pad_token_id=1, layer_norm_eps=1e-5)
transformers.RobertaModel.from_pretrained = lambda *_, **__: transformers.RobertaModel(roberta)
import laion_clap
from clap_module import create_model
towers = ("tiny", "HTSAT-tiny", {{}}), ("base", "HTSAT-base", {{}}), ("fused", "HTSAT-tiny", {{
    "enable_fusion": True, "fusion_type": "aff_2d"}})
for name, amodel, options in towers:
    model, _ = create_model(amodel, "roberta", **options)
    with torch.no_grad():  # biases and norms start at 0 and 1: a mistaken one would not be seen
        for parameter in model.parameters():
            if parameter.requires_grad:  # the log-mel front end does not
                parameter.add_(0.02 * torch.randn_like(parameter))
        model.audio_branch.bn0.running_mean.uniform_(-40, -20)
        model.audio_branch.bn0.running_var.uniform_(100, 300)
    state = {{"module." + key: tensor for key, tensor in model.state_dict().items()}}
    torch.save({{"epoch": numpy.int64(3), "best": numpy.float64(0.5), "name": name, "state_dict": state}},
               f"{{folder}}/{{name}}.pt")
    if name == "base":
        base = model
model, probes, answers = base, f"{{folder}}/probes.safetensors", f"{{folder}}/answers.safetensors"
{laion_comparison.ANSWER}
"""


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tiny.pt, base.pt and fused.pt as laion-clap saves them, tokenizer/, probes, and base's answers."""
    folder = tmp_path_factory.mktemp("laion")
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)]
    words = {word: i for i, word in enumerate(dict.fromkeys((*SPECIAL_TOKENS, *WORDS, *letters)))}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    roles = [("<s>", SPECIAL_TOKENS.index("<s>")), ("</s>", SPECIAL_TOKENS.index("</s>"))]
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=roles)
    save_tokenizer(folder / "tokenizer", tokenizer, POSITIONS)
    given = laion_comparison.probes(PREPROCESSOR["sampling_rate"], folder / "tokenizer")
    write_safetensors(folder / "probes.safetensors", given, {})
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "ignore", "-c", SAVE, str(folder)]
    subprocess.run(command, check=True, env=environment, cwd=folder, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def tiny(files: Path) -> dict[str, torch.Tensor]:
    """LAION's state dict of tiny.pt, as it lies in the file but for the prefix; tests alter copies."""
    return _state(files / "tiny.pt")


def _state(path: Path) -> dict[str, torch.Tensor]:
    tensors = read_torch(path)
    return {name.removeprefix(shared_prefix(tensors)): tensor for name, tensor in tensors.items()}


@dataclass(frozen=True)
class Converted:
    """One run of `convert --verify`. `answers` holds the answers of laion-clap for the probes."""

    code: int
    folder: Path
    said: str
    result: laion_comparison.Comparison
    answers: dict[str, torch.Tensor]


def _convert(files: Path, tower: str) -> Converted:
    results, answers = [], []
    real_compare = laion_comparison.compare

    def keep(kept: list, real: Callable, *arguments):
        kept.append(real(*arguments))
        return kept[0]

    def at_the_saving(_: sources.Source, given: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The answers of the very model that base.pt was saved from."""
        asked = read_safetensors(files / "probes.safetensors")[0]
        assert all(torch.equal(given[name], tensor) for name, tensor in asked.items())
        return read_safetensors(files / "answers.safetensors")[0]

    reference = at_the_saving if tower == "base" else laion_comparison._reference
    folder = files / f"converted-{tower}"
    arguments = ["convert", str(files / f"{tower}.pt"), "--out", str(folder), "--verify"]
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as said:
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setattr(conversion, "compare", partial(keep, results, real_compare))
        patch.setattr(laion_comparison, "_reference", partial(keep, answers, reference))
        code = main([*arguments, "--tokenizer", str(files / "tokenizer")])
    return Converted(code, folder, said.getvalue(), results[0], answers[0])


@pytest.fixture(scope="module")
def converted(files: Path) -> Converted:
    """tiny.pt, converted and verified."""
    return _convert(files, "tiny")


@pytest.mark.parametrize("tower", ["tiny", "base"])
def test_a_converted_file_answers_as_laion_clap_does(tower: str, files: Path, converted: Converted) -> None:
    run = converted if tower == "tiny" else _convert(files, tower)
    assert run.code == 0
    result = run.result
    assert min(*result.audio, *result.text, *result.audio_centred, *result.text_centred) > 0.9999
    assert len(result.audio) == len(result.text) == 4
    assert result.mel_difference < 0.01  # dB: our log-mel is laion-clap's
    assert "GB of memory" in run.said
    assert "equal to laion-clap" in run.said
    folder, file = read_state(resolve(str(run.folder))), read_state(resolve(str(files / f"{tower}.pt")))
    assert (folder.audio.sha256, folder.text_sha256) == (file.audio.sha256, file.text_sha256)  # lossless
    assert not [path for path in files.iterdir() if path.name.startswith(".")]  # nothing temporary stays


def test_two_swapped_tensors_are_found_by_the_verification(
    files: Path, converted: Converted, tiny: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = (f"audio_branch.layers.2.blocks.{block}.mlp.fc1.weight" for block in (0, 1))
    torch.save({"state_dict": tiny | {one: tiny[other], other: tiny[one]}}, tmp_path / "swapped.pt")
    assert conversion.convert_file(str(tmp_path / "swapped.pt"), tmp_path / "swapped", str(files / "tokenizer"))
    monkeypatch.setattr(laion_comparison, "_reference", lambda *_: converted.answers)
    result = laion_comparison.compare(resolve(str(files / "tiny.pt")), tmp_path / "swapped")
    assert not result.passed
    assert min(*result.audio, *result.audio_centred) < laion_comparison.LEAST_COSINE
    assert min(result.text) > laion_comparison.LEAST_COSINE
    assert "NOT equal" in str(result)


def test_a_failed_verification_is_exit_code_1_and_leaves_no_folder(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    wrong = laion_comparison.Comparison((0.99995, 0.9998), (1.0,), (0.99995, 0.99995), (1.0,), 0.0)
    monkeypatch.setattr(conversion, "compare", lambda *_: wrong)
    arguments = ["convert", str(files / "tiny.pt"), "--out", str(tmp_path / "out"), "--verify"]
    assert main([*arguments, "--tokenizer", str(files / "tokenizer")]) == 1
    assert "least cosine 0.9998000" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_a_pt_opens_without_conversion_and_equals_its_folder(files: Path, converted: Converted) -> None:
    file = open_checkpoint(resolve(str(files / "tiny.pt")), tokenizer=str(files / "tokenizer"))
    folder = open_checkpoint(resolve(str(converted.folder)))
    assert file.features == folder.features
    assert file.features.sample_rate == 48_000
    assert file.features.n_frames == 1001
    assert file.pretrained.sha256 == folder.pretrained.sha256
    assert torch.allclose(file.embed_text(["dog", "rain"]), folder.embed_text(["dog", "rain"]), atol=1e-6)


def test_a_start_resolves_and_reads_a_pt_once(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def counted(name: str, really: Callable) -> Callable:
        return lambda *given, **options: calls.append(name) or really(*given, **options)

    monkeypatch.setattr(torch, "load", counted("load", torch.load))
    monkeypatch.setattr(sources, "is_laion", counted("resolve", sources.is_laion))  # a part of `resolve`
    monkeypatch.setattr(unmeasured, "resolve", counted("start", unmeasured.resolve))
    artifacts = unmeasured.unmeasured_artifacts(str(files / "tiny.pt"), tokenizer=str(files / "tokenizer"))
    bench = Workbench(artifacts, checkpoint=artifacts.checkpoint, precision="float32")
    assert bench.checkpoint.pretrained.sha256 == bench.artifacts.pretrained_sha256
    assert calls == ["start", "load", "resolve"]


def test_queries_keys_and_values_come_from_their_thirds(tiny: dict) -> None:
    older = {"text_branch.embeddings.position_ids": torch.arange(POSITIONS)[None]}  # a buffer of earlier releases
    state = convert(tiny | older, "tiny.pt").state
    block = "audio_model.audio_encoder.layers.1.blocks.1.attention.self"
    qkv = tiny["audio_branch.layers.1.blocks.1.attn.qkv.weight"]
    assert torch.equal(state[f"{block}.query.weight"], qkv[:192])
    assert torch.equal(state[f"{block}.key.weight"], qkv[192:384])
    assert torch.equal(state[f"{block}.value.weight"], qkv[384:])
    assert state["logit_scale_a"] == tiny["logit_scale_a"]


def test_the_configuration_follows_from_the_shapes(files: Path, tiny: dict) -> None:
    small, large = convert(tiny, "tiny.pt"), convert(_state(files / "base.pt"), "base.pt")
    assert (small.amodel, large.amodel) == ("HTSAT-tiny", "HTSAT-base")
    assert small.config["audio_config"]["depths"] == [2, 2, 6, 2]
    assert large.config["audio_config"]["depths"] == [2, 2, 12, 2]
    assert large.config["audio_config"]["hidden_size"] == 1024
    assert small.config["text_config"] == large.config["text_config"]
    text = {"vocab_size": 100, "num_hidden_layers": 2, "intermediate_size": 256, "max_position_embeddings": POSITIONS}
    assert text.items() <= small.config["text_config"].items()


def _without(name: str) -> Callable[[dict], dict]:
    return lambda state: {key: tensor for key, tensor in state.items() if key != name}


def _with(name: str, alter: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[dict], dict]:
    return lambda state: state | {name: alter(state[name].clone())}


def _with_extra(name: str) -> Callable[[dict], dict]:
    return lambda state: state | {name: torch.ones(768)}


def _nan(tensor: torch.Tensor) -> torch.Tensor:
    tensor.view(-1)[-1] = torch.nan
    return tensor


QKV, BN = "audio_branch.layers.3.blocks.1.attn.qkv.bias", "audio_branch.bn0.running_var"
PATCH, WORD = "audio_branch.patch_embed.proj.weight", "text_branch.embeddings.word_embeddings.weight"


@pytest.mark.parametrize(
    ("tamper", "named"),
    [
        (_without(QKV), QKV),
        (_without(PATCH), PATCH),
        (_without(WORD), WORD),
        (_without("text_branch.encoder.layer.0.output.dense.bias"), "layer.0.output.dense.bias"),
        (_without(BN), BN),
        (_with(QKV, lambda t: t[:-1]), r"\(2303,\); it must have \(2304,\)"),
        (_with(PATCH, lambda t: t[:64]), "64 channels; HTSAT-tiny has 96 and HTSAT-base 128"),
        (_with(PATCH, lambda t: t.repeat(1, 4, 1, 1)), "fused"),
        (_with(WORD, lambda t: t[0]), "2 dimensions"),
        (_with("audio_projection.2.weight", _nan), "audio_projection.2.weight.* NaN"),
        (_with(BN, _nan), f"{BN}.* NaN"),
        (_with(QKV, lambda t: t.long()), "torch.int64"),
        (_with_extra("audio_branch.layers.4.gate"), r"layers\.4\.gate"),
        (_with_extra("text_branch.encoder.layer.2.output.dense.bias"), r"encoder\.layer\.2\."),
        (_with("audio_branch.logmel_extractor.melW", lambda t: t.roll(1)), "melW"),
    ],
)
def test_a_tampered_file_is_refused_by_the_name_of_the_tensor(tamper: Callable, named: str, tiny: dict) -> None:
    with pytest.raises(BadArtifactError, match=named) as caught:
        convert(tamper(tiny), "tiny.pt")
    assert "tiny.pt" in str(caught.value)


def test_a_fused_file_is_refused_in_one_sentence(files: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["convert", str(files / "fused.pt"), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert "fused.pt is a fused CLAP checkpoint" in said
    assert "only unfused ones" in said
    assert not (tmp_path / "out").exists()


def test_a_folder_that_exists_is_not_overwritten(files: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["convert", str(files / "tiny.pt"), "--out", str(tmp_path)]) == 2
    assert "exists already" in capsys.readouterr().err


def test_a_missing_tokenizer_is_named(files: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    arguments = ["convert", str(files / "tiny.pt"), "--out", str(tmp_path / "out"), "--tokenizer"]
    assert main([*arguments, str(tmp_path / "nothing")]) == 2
    assert "nothing" in capsys.readouterr().err.strip().splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_file_of_which_every_tensor_was_cast_is_read(dtype: torch.dtype, tiny: dict) -> None:
    """Index buffers and the batch counter too, as merge tools do."""
    assert any(not tensor.is_floating_point() for tensor in tiny.values())
    cast = convert({name: tensor.to(dtype) for name, tensor in tiny.items()}, "tiny.pt").state
    exact = convert(tiny, "tiny.pt").state
    assert list(cast) == list(exact)
    assert all(torch.equal(tensor, exact[name].to(dtype)) for name, tensor in cast.items())
