"""An exported model is what the app computes with, for plain transformers and without a trace in the app."""

from __future__ import annotations

import json
import shutil
import zipfile
from types import SimpleNamespace

import pytest
import soundfile
import torch
import torch.nn.functional as F
from safetensors import safe_open
from transformers import ClapModel, ClapProcessor

from taskvec_demo.core.recipe import Recipe
from taskvec_demo.core.recipe_files import read_recipe
from taskvec_demo.errors import BadArtifactError, BadRecipeError
from taskvec_demo.serve import export
from taskvec_demo.serve.artifacts import Artifacts
from taskvec_demo.serve.export import write_edited, zipped
from taskvec_demo.serve.workbench import Workbench


@pytest.fixture(scope="module")
def exact(artifacts_folder):
    """A workbench that computes in float32, as transformers does by default."""
    return Workbench(Artifacts(artifacts_folder), precision="float32")


@pytest.fixture(scope="module")
def recipe(exact):
    first, second, *_ = exact.vectors
    return Recipe(exact.name, {first: -0.9, second: 0.5})


@pytest.fixture(scope="module")
def exported(exact, recipe, tmp_path_factory):
    """The folder as somebody unpacks it."""
    folder = tmp_path_factory.mktemp("export")
    with zipfile.ZipFile(zipped(write_edited(exact, recipe, folder))) as archive:
        archive.extractall(folder / "unpacked")
    (out,) = (folder / "unpacked").iterdir()
    return out


def plain_answer(folder, clip, labels, templates):
    """What transformers alone answers for one recording, averaged over the templates."""
    model, processor = ClapModel.from_pretrained(folder), ClapProcessor.from_pretrained(folder)
    samples, rate = soundfile.read(clip, dtype="float32")
    assert rate == processor.feature_extractor.sampling_rate
    texts = [template.format(label) for label in labels for template in templates]
    with torch.inference_mode():
        text = processor.tokenizer(texts, padding=True, return_tensors="pt")
        audio = processor.feature_extractor(samples, sampling_rate=rate, return_tensors="pt")
        found = model(**text, **audio)
        heads = F.normalize(found.text_embeds.reshape(len(labels), len(templates), -1).mean(1), dim=-1)
        return (model.logit_scale_a.exp() * found.audio_embeds @ heads.T)[0].softmax(-1).tolist()


def test_plain_transformers_answers_as_the_app(exact, recipe, exported):
    labels = ("a dog barking", "rain", "a siren")
    clip = next(path for path in exact.artifacts.examples if soundfile.info(path).duration < 5)
    ours = exact.classify(clip, recipe, "\n".join(labels))
    plain = plain_answer(exported, clip, labels, exact.artifacts.templates)
    assert plain == pytest.approx([ours.edited[label] for label in labels], abs=1e-4)
    assert plain != pytest.approx([ours.pretrained[label] for label in labels], abs=1e-3)


def test_the_recipe_is_in_every_part(exact, recipe, exported):
    with safe_open(exported / "model.safetensors", "pt") as file:
        header = file.metadata()
    card = (exported / "README.md").read_text(encoding="utf-8")
    texts = [
        header["recipe"],
        (exported / "recipe.json").read_text(encoding="utf-8"),
        (exported / "recipe.yaml").read_text(encoding="utf-8"),
        card.partition("```yaml\n")[2].partition("```")[0],
    ]
    for text in texts:
        found = read_recipe(text)
        assert found.coefficients == recipe.coefficients
        assert found.pretrained_sha256 == exact.artifacts.pretrained_sha256
    assert header["format"] == "pt"
    assert header["edited_sha256"] in card
    assert recipe.formula() in card
    assert "| clips | pre-trained | edited |" in card


def test_the_configuration_says_float32(exported):
    config = json.loads((exported / "config.json").read_text())
    assert config["dtype"] == "float32"
    assert config["architectures"] == ["ClapModel"]
    assert {t.dtype for t in ClapModel.from_pretrained(exported).state_dict().values()} <= {torch.float32, torch.int64}


def test_nothing_of_the_app_changes(exact, recipe, tmp_path):
    before = {name: tensor.clone() for name, tensor in exact.checkpoint.model.state_dict().items()}
    config = exact.checkpoint.model.config.to_json_string()
    write_edited(exact, recipe, tmp_path)
    after = exact.checkpoint.model.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    assert exact.checkpoint.model.config.to_json_string() == config


def test_the_unedited_model_is_exported_bit_for_bit(exact, tmp_path):
    out = write_edited(exact, Recipe(exact.name), tmp_path)
    again = ClapModel.from_pretrained(out).state_dict()
    for name, tensor in exact.checkpoint.model.state_dict().items():
        assert torch.equal(again[name], tensor), name


def test_what_it_was_built_in_is_gone_afterwards(exact, recipe):
    steps = export.build(exact, recipe)
    said = []
    for sentence, path in steps:
        said.append(sentence)
        if path is not None:
            assert zipfile.is_zipfile(path)
    assert len(said) == 3
    assert f"{path.name} is ready" in said[-1]
    assert not path.parent.exists()
    left = export.build(exact, recipe)
    *_, path = (next(left)[1] for _ in range(3))
    left.close()  # the visitor has gone
    assert not path.parent.exists()


def test_what_cannot_be_written_is_one_sentence(exact, recipe, tmp_path, monkeypatch):
    with pytest.raises(BadRecipeError, match="no task vector 'nobody'"):
        write_edited(exact, Recipe(exact.name, {"nobody": 1.0}), tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=1_000_000))
    with pytest.raises(BadArtifactError, match=r"MB are needed in .*, 1 MB are free\.$"):
        write_edited(exact, recipe, tmp_path)
    assert list(tmp_path.iterdir()) == []
