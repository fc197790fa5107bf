"""The checkpoint is plain transformers, edited weights are passed beside it, and nothing shared ever changes."""

from __future__ import annotations

import hashlib
import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from transformers import ClapModel, ClapProcessor

from taskvec_demo.clap.features import log_mel
from taskvec_demo.clap.model import BATCH, Checkpoint
from taskvec_demo.core.weights import Weights
from taskvec_demo.errors import BadArtifactError, IncompatibleWeightsError
from tests.support.sounds import noise, tone

TEXTS = ["a dog barking", "rain", "this is a sound of a cello", "A WOMAN speaking in a very happy voice"]


@pytest.fixture(scope="module")
def model_folder(artifacts_folder):
    return artifacts_folder / "model"


@pytest.fixture(scope="module")
def checkpoint(model_folder):
    return Checkpoint.from_folder(model_folder, "tiny-clap")


@pytest.fixture(scope="module")
def clips(checkpoint):
    """Three windows (3, n_samples)."""
    seconds = checkpoint.features.n_samples / checkpoint.features.sample_rate
    return np.stack([noise(seconds), noise(seconds, seed=1) + tone(seconds), 0.01 * noise(seconds, seed=2)])


@pytest.fixture(scope="module")
def mel(checkpoint, clips):
    return log_mel(clips, checkpoint.features)


def other_weights(checkpoint, seed):
    generator = torch.Generator().manual_seed(seed)
    buffer = checkpoint.pretrained.buffer
    return Weights(checkpoint.pretrained.layout, buffer + 0.1 * torch.randn(buffer.shape, generator=generator))


def state_hash(checkpoint):
    digest = hashlib.sha256(checkpoint.pretrained.buffer.numpy().tobytes())
    for name, tensor in checkpoint.model.state_dict().items():
        digest.update(name.encode() + tensor.numpy().tobytes())
    return digest.hexdigest()


# ---- the same as transformers ---------------------------------------------------------------------------------------
def test_audio_embeddings_are_those_of_plain_transformers(model_folder, checkpoint, clips, mel):
    model = ClapModel.from_pretrained(model_folder, dtype=torch.float32).eval()
    processor = ClapProcessor.from_pretrained(model_folder)
    inputs = processor.feature_extractor(list(clips), sampling_rate=16_000, return_tensors="pt")
    with torch.inference_mode():
        theirs = F.normalize(model.get_audio_features(input_features=inputs["input_features"]).pooler_output, dim=-1)
    ours = checkpoint.embed_audio(mel)
    assert ours.shape == (3, checkpoint.dim)
    assert torch.allclose(ours, theirs, rtol=0, atol=1e-4)
    assert not torch.allclose(ours, theirs.roll(1, 0), rtol=0, atol=1e-2)  # clips are told apart


def test_text_embeddings_are_those_of_plain_transformers(model_folder, checkpoint):
    model = ClapModel.from_pretrained(model_folder, dtype=torch.float32).eval()
    processor = ClapProcessor.from_pretrained(model_folder)
    with torch.inference_mode():
        inputs = processor(text=TEXTS, return_tensors="pt", padding=True)
        theirs = F.normalize(model.get_text_features(**inputs).pooler_output, dim=-1)
    ours = checkpoint.embed_text(TEXTS)
    assert torch.allclose(ours, theirs, rtol=0, atol=1e-4)
    assert not torch.allclose(ours, theirs.roll(1, 0), rtol=0, atol=1e-2)
    assert checkpoint.logit_scale == pytest.approx(model.logit_scale_a.exp().item())


def test_text_does_not_depend_on_case_company_or_padding(checkpoint):
    lower = checkpoint.embed_text(["a dog barking"])
    assert torch.allclose(lower, checkpoint.embed_text(["A Dog  BARKING"]), rtol=0, atol=1e-6)
    together = checkpoint.embed_text(["a dog barking", "a woman speaking in a happy voice somewhere far away"])
    assert torch.allclose(lower, together[:1], rtol=0, atol=1e-5)
    assert not torch.allclose(lower, checkpoint.embed_text(["a cat barking"]), rtol=0, atol=1e-2)


def test_a_text_of_any_length_is_embedded(checkpoint):
    embedded = checkpoint.embed_text(["dog " * 500, "", "狗 🐕"])
    assert torch.isfinite(embedded).all()
    assert torch.allclose(embedded.norm(dim=-1), torch.ones(3), atol=1e-5)


def test_embeddings_are_unit_and_batches_do_not_matter(checkpoint, mel):
    many = mel.repeat(BATCH // 2, 1, 1, 1)  # 96 windows: more than one batch
    embedded = checkpoint.embed_audio(many)
    assert len(embedded) == len(many) > BATCH
    assert torch.allclose(embedded.norm(dim=-1), torch.ones(len(many)), atol=1e-5)
    assert torch.allclose(embedded[-3:], checkpoint.embed_audio(mel), rtol=0, atol=1e-5)


# ---- what is edited -------------------------------------------------------------------------------------------------
def test_the_weights_are_the_parameters_of_audio_tower_and_projection(checkpoint):
    names = set(checkpoint.pretrained.layout.names)
    edited = ("audio_model.", "audio_projection.")
    expected = {n for n, _ in checkpoint.model.named_parameters() if n.startswith(edited)}
    assert names == expected
    assert any(n.startswith("audio_projection.") for n in names)
    assert not any(n.startswith(("text_", "logit_scale")) for n in names)


def test_batch_norm_statistics_are_not_weights(checkpoint):
    names = set(checkpoint.pretrained.layout.names)
    buffers = {name for name, _ in checkpoint.model.named_buffers()}
    statistics = {b for b in buffers if "running_" in b or "num_batches" in b}
    assert len(statistics) == 3
    assert not names & buffers
    assert {n for n in names if "batch_norm" in n} == {
        f"audio_model.audio_encoder.batch_norm.{part}" for part in ("weight", "bias")
    }


def test_own_weights_give_the_same_bits_and_others_do_not(checkpoint, mel):
    plain = checkpoint.embed_audio(mel)
    copied = Weights(checkpoint.pretrained.layout, checkpoint.pretrained.buffer.clone())
    assert torch.equal(plain, checkpoint.embed_audio(mel, copied))
    assert not torch.allclose(plain, checkpoint.embed_audio(mel, other_weights(checkpoint, 0)), rtol=0, atol=1e-2)


def test_every_edited_tensor_is_used(checkpoint, mel):
    """A weight that is edited but not used would make an edit silently smaller than its recipe."""
    unused = []
    plain = checkpoint.embed_audio(mel)
    generator = torch.Generator().manual_seed(0)
    for name in checkpoint.pretrained.layout.names:
        buffer = checkpoint.pretrained.buffer.clone()
        view = checkpoint.pretrained.layout.views(buffer)[name]
        view += torch.randn(view.shape, generator=generator)
        if torch.equal(plain, checkpoint.embed_audio(mel, Weights(checkpoint.pretrained.layout, buffer))):
            unused.append(name)
    assert unused == []


# ---- nothing shared changes -----------------------------------------------------------------------------------------
def test_embedding_under_other_weights_changes_nothing(checkpoint, mel):
    before = state_hash(checkpoint)
    checkpoint.embed_audio(mel, other_weights(checkpoint, 0))
    assert state_hash(checkpoint) == before
    norm = checkpoint.model.audio_model.audio_encoder.batch_norm
    norm.bias.add_(1)
    assert state_hash(checkpoint) != before  # the hash does see a change
    norm.bias.sub_(1)


def test_eight_threads_with_different_weights_get_their_own_answers(checkpoint, mel):
    edits = [other_weights(checkpoint, seed) for seed in range(12)]
    alone = [checkpoint.embed_audio(mel, weights) for weights in edits]
    before = state_hash(checkpoint)
    jobs = [i % len(edits) for i in range(96)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda i: checkpoint.embed_audio(mel, edits[i]), jobs))
    wrong = [i for i, answer in zip(jobs, answers, strict=True) if not torch.allclose(answer, alone[i], atol=1e-5)]
    assert wrong == []
    assert state_hash(checkpoint) == before
    assert not torch.allclose(alone[0], alone[1], atol=1e-2)  # negative control: a mixed-up answer would be seen


def test_training_works_on_a_copy(checkpoint, mel):
    before = state_hash(checkpoint)
    tower = checkpoint.trainable_tower()
    assert torch.allclose(tower.eval()(mel.clone()), checkpoint.embed_audio(mel), rtol=0, atol=1e-6)
    parameters = dict(tower.named_parameters())
    assert all(p.requires_grad for p in parameters.values())
    with torch.no_grad():
        for parameter in parameters.values():
            parameter.add_(1)
    assert state_hash(checkpoint) == before
    assert not any(p.requires_grad for p in checkpoint.model.parameters())


# ---- refusals -------------------------------------------------------------------------------------------------------
def test_weights_of_another_layout_are_refused(checkpoint, mel):
    tensors = checkpoint.pretrained.tensors()
    renamed = {name.replace("audio_model", "audio_tower"): tensor for name, tensor in tensors.items()}
    fewer = dict(list(tensors.items())[1:])
    for wrong in (renamed, fewer):
        with pytest.raises(IncompatibleWeightsError, match=r"tiny-clap.*\.$"):
            checkpoint.embed_audio(mel, Weights.from_tensors(wrong))
    checkpoint.embed_audio(mel, Weights.from_tensors(tensors))


def altered_config(folder, tmp_path, change):
    copy = tmp_path / "altered"
    shutil.copytree(folder, copy)
    config = json.loads((copy / "config.json").read_text())
    change(config)
    (copy / "config.json").write_text(json.dumps(config))
    return copy


def test_a_fused_checkpoint_is_refused(model_folder, tmp_path):
    folder = altered_config(model_folder, tmp_path, lambda c: c["audio_config"].update(enable_fusion=True))
    with pytest.raises(BadArtifactError, match=r"altered is a fused CLAP.*unfused.*\.$"):
        Checkpoint.from_folder(folder)


def test_another_model_is_refused(model_folder, tmp_path):
    folder = altered_config(model_folder, tmp_path, lambda c: c.update(model_type="bert"))
    with pytest.raises(BadArtifactError, match=r"altered is a 'bert' model.*'clap'.*\.$"):
        Checkpoint.from_folder(folder)


def test_a_missing_folder_is_refused(tmp_path):
    for folder in (tmp_path / "nothing", tmp_path):
        with pytest.raises(BadArtifactError, match=r"config\.json.*\.$"):
            Checkpoint.from_folder(folder)


def test_an_unaltered_copy_is_accepted(model_folder, tmp_path, checkpoint):
    """Negative control of the refusals above."""
    copy = Checkpoint.from_folder(altered_config(model_folder, tmp_path, lambda c: None))
    assert copy.name == "altered"
    assert copy.pretrained.sha256 == checkpoint.pretrained.sha256
