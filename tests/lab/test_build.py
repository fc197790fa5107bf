"""`build`: from a checkpoint and four sets in their own layouts to artifacts that the app opens; also after kills, and
on two processes.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from taskvec_demo.clap.laion import PREPROCESSOR
from taskvec_demo.clap.loading import save_checkpoint, save_tokenizer
from taskvec_demo.clap.model import new_model
from taskvec_demo.cli import main
from taskvec_demo.lab.measuring.shipped_tables import stored_book
from taskvec_demo.lab.tiny_clap.captions import all_captions
from taskvec_demo.lab.tiny_clap.tokenizer import MAX_TOKENS, train_tokenizer
from taskvec_demo.serve.artifacts import Artifacts, read_json
from taskvec_demo.serve.workbench import Workbench
from taskvec_demo.ui.app import build_app
from tests.support.layout_copies import (
    ESC50,
    GENDER_EMOTION,
    GENRES,
    URBAN,
    write_esc50,
    write_gender_emotion,
    write_gtzan,
    write_urbansound8k,
)
from tests.support.random_artifacts import AUDIO, DIM, MEL_MEAN, MEL_VARIANCE, SMALL_TEXT, VOCABULARY
from tests.support.short_runs import short_build

TABLES = ("negation", "addition", "analogy", "vectors")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small CLAP of LAION's front end with windows of a second, and tiny copies of the four sets."""
    folder = tmp_path_factory.mktemp("ballanti")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        tokenizer = train_tokenizer(all_captions(), VOCABULARY)
        text = SMALL_TEXT | {"vocab_size": tokenizer.get_vocab_size()}
        model = new_model(AUDIO | {"hidden_dropout_prob": 0.0}, text, DIM)
        norm = model.audio_model.audio_encoder.batch_norm
        norm.running_mean.fill_(MEL_MEAN)
        norm.running_var.fill_(MEL_VARIANCE)
        with tempfile.TemporaryDirectory() as temporary:
            save_tokenizer(Path(temporary), tokenizer, MAX_TOKENS)
            preprocessor = PREPROCESSOR | {"max_length_s": 1, "nb_max_samples": 48_000}
            save_checkpoint(folder / "small-clap", model, preprocessor, Path(temporary), dtype=torch.float32)
    write_esc50(folder / "data" / "ESC-50", ESC50[:10:2])
    write_urbansound8k(folder / "data" / "UrbanSound8K", URBAN[:4])
    write_gtzan(folder / "data" / "GTZAN", GENRES[:3])
    write_gender_emotion(
        folder / "data" / "gender_emotion", [n for n in GENDER_EMOTION if n.endswith(("happy", "sad"))]
    )
    return folder


def options(name: str) -> list[str]:
    """What `build` is given to build into `name`, in the folder of checkpoint and recordings."""
    return ["--checkpoint", "small-clap", "--data", "data", "--work", f"{name}-work", "--artifacts", name]


def written(folder: Path) -> dict[Path, int]:
    """Vectors and sweep points that are there, and when each was written."""
    files = [*folder.glob("alone/vectors/*.safetensors"), *folder.glob("alone-work/sweep-*/*.safetensors")]
    return {path: path.stat().st_mtime_ns for path in files if not path.name.startswith(".")}


@pytest.fixture(scope="module")
def built(folder: Path, start: Callable) -> Path:
    """Built by one process that was killed twice: in the second fine-tuning, and in the sweep."""
    for enough in (lambda: len(written(folder)) >= 1, lambda: any("sweep" in str(p) for p in written(folder))):
        running = start(short_build, *options("alone"), folder=folder)
        while running.running and not enough():
            time.sleep(0.05)
        assert running.running, running.output
        running.kill()
    before = written(folder)
    assert not (folder / "alone" / "manifest.json").exists()
    resumed = start(short_build, *options("alone"), folder=folder)
    assert resumed.codes(300) == [0], resumed.output
    after = written(folder)
    assert {path: after[path] for path in before} == before  # nothing was trained or measured twice
    assert len(after) > len(before)
    return folder / "alone"


def test_the_app_opens_on_the_output(built: Path) -> None:
    workbench = Workbench(Artifacts(built))
    assert workbench.name == "small-clap"
    assert list(workbench.vectors) == ["urban", "music", "female_happy", "male_happy", "female_sad"]
    preset = workbench.artifacts.presets["forget_urban"]
    assert [r["n"] for r in workbench.figures(preset.recipe, "test")] == [5, 4, 6, 8]
    assert [r.task.name for r in workbench.evaluate(preset.recipe)] == ["esc50", "urban", "music", "analogy"]
    answer = workbench.classify(workbench.artifacts.examples[0], preset.recipe)
    assert sum(answer.edited.values()) == pytest.approx(1)
    assert build_app(workbench) is not None


def test_every_vector_was_learned_from_its_own_clips(built: Path) -> None:
    vectors = Artifacts(built).vectors
    clips = {name: vector.metadata["training"]["clips"] for name, vector in vectors.items()}
    assert clips["urban"] == 4 * 8  # eight folds of training clips, of four classes
    assert vectors["urban"].cosine(vectors["music"]) < 0.9
    assert all(vector.norm > 0 for vector in vectors.values())


def test_the_model_card_says_what_was_measured(built: Path) -> None:
    card = (built / "README.md").read_text()
    row = read_json(built / "tables" / "negation.json")["rows"][0]
    assert f"n = {row['target']['n']}" in card
    assert f"{100 * row['target']['edited']['accuracy']:.1f} [" in card
    assert Artifacts(built).pretrained_sha256 in card
    assert "UrbanSound8K" in card


def test_tables_hold_against_the_recordings(built: Path, folder: Path, capsys: pytest.CaptureFixture) -> None:
    options = ["--study", "ballanti", "--data", str(folder / "data"), "--artifacts", str(built)]
    assert main(["tables", *options, "--work", str(folder / "alone-work"), "--check", "--only", "vectors"]) == 0
    assert "Every table is what its checkpoint gives." in capsys.readouterr().out


def test_two_processes_give_the_figures_of_one(built: Path, folder: Path, start: Callable) -> None:
    running = start(short_build, *options("shared"), folder=folder, n=2)
    assert running.codes(400) == [0, 0], running.output
    shared = folder / "shared"
    for name in TABLES:
        alone, together = (stored_book(f / "tables", name) for f in (built, shared))
        assert alone.edits == together.edits  # validation led to the same λ
        pairs = [(alone.predictions[e][t], together.predictions[e][t]) for e in alone.edits for t in alone.labels]
        assert all(np.array_equal(a, b) for a, b in pairs), name
        assert figures(built, name) == figures(shared, name)
    for name, vector in Artifacts(built).vectors.items():
        other = Artifacts(shared).vectors[name]
        assert (vector.metadata["training"]["processes"], other.metadata["training"]["processes"]) == (1, 2)
        assert vector.sha256 == other.sha256  # a batch is computed in two pieces, by whomever


def figures(folder: Path, name: str) -> str:
    """A table without the metadata on the training of its baselines."""
    text = (folder / "tables" / f"{name}.json").read_text()
    return json.dumps(json.loads(text, object_hook=lambda d: {k: v for k, v in d.items() if k != "training"}))


def test_another_checkpoint_in_the_same_folder_is_refused(built: Path, folder: Path, capsys) -> None:
    options = ["--study", "ballanti", "--data", str(folder / "data"), "--artifacts", str(built)]
    assert main(["build", *options, "--checkpoint", "tiny-clap", "--work", str(folder / "alone-work")]) == 2
    assert "is about the checkpoint 'small-clap', not 'tiny-clap'" in capsys.readouterr().err


def test_a_build_must_know_what_to_begin_from(folder: Path, tmp_path: Path, capsys) -> None:
    options = ["--study", "ballanti", "--data", str(folder / "data"), "--artifacts", str(tmp_path / "new")]
    assert main(["build", *options, "--work", str(tmp_path)]) == 2
    assert "say with --checkpoint what to begin from" in capsys.readouterr().err
