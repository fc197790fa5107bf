"""Fine-tuning: what trains and what does not.

Stops, the number of processes and the memory do not change the result.
"""

from __future__ import annotations

import math
import re
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from taskvec_demo.clap.model import Checkpoint
from taskvec_demo.core.task_vector import TaskVector
from taskvec_demo.core.weights import Weights
from taskvec_demo.errors import TaskVecError
from taskvec_demo.lab import build
from taskvec_demo.lab.build import finetune_all
from taskvec_demo.lab.data.datasets import ClipRow, MelStore
from taskvec_demo.lab.data.embedding import window_batch
from taskvec_demo.lab.data.fine_tuning import TRAINS, FineTuning
from taskvec_demo.lab.data.study import ANALOGY
from taskvec_demo.lab.finetuning import finetune, training_run, training_state
from tests.support.finetuning import CLASSES, N_TRAIN, N_VALIDATION, SPECS, STUDY, clips, train_all, trained
from tests.support.paths import ROOT


def same_training(checkpoint: Checkpoint, a: TaskVector, b: TaskVector) -> bool:
    """Whether two vectors agree except for the order in which floats were added, and their figures agree exactly.

    Adam divides a gradient by its size. If a gradient is next to nothing, rounding decides the step. That is so for the
    bias of attention keys, which softmax does not see; it changes no embedding, so it is left out.
    """
    seen = [n for n in a.layout.names if not n.endswith("attention.self.key.bias")]
    close = all(torch.allclose(a.tensors()[n], b.tensors()[n], rtol=0, atol=3e-5) for n in seen)
    windows = window_batch(clips(), range(20))
    one, other = (checkpoint.embed_audio(windows, edited(checkpoint, v)) for v in (a, b))
    return close and torch.allclose(one, other, rtol=0, atol=1e-5) and a.metadata["metrics"] == b.metadata["metrics"]


def edited(checkpoint: Checkpoint, vector: TaskVector) -> Weights:
    return Weights(vector.layout, checkpoint.pretrained.buffer + vector.buffer)


def labelled(checkpoint: Checkpoint, split: str = "train") -> finetune.Labelled:
    return finetune.labelled_set(checkpoint, clips(), STUDY, SPECS["full"], split)[1]


def new_run(checkpoint: Checkpoint, name: str = "full", at_once: int = 64) -> training_run.Run:
    return training_run.Run(checkpoint, SPECS[name], 4, 0, "float32", at_once)


# -- what trains -----------------------------------------------------------------------------------------------------


def test_it_learns(checkpoint: Checkpoint, whole: Callable) -> None:
    buffers = {k: v.clone() for k, v in checkpoint.model.named_buffers()}
    sha256 = checkpoint.pretrained.sha256
    vector = whole("long")
    figures, training = vector.metadata["metrics"]["validation"], vector.metadata["training"]
    assert figures["finetuned"]["accuracy"] > figures["pretrained"] + 0.3
    assert figures["n"] == N_VALIDATION
    assert vector.pretrained_sha256 == sha256
    assert (training["clips"], training["classes"]) == (N_TRAIN, list(CLASSES))
    assert (training["trains"], training["precision"], training["processes"]) == ("full", "float32", 1)
    assert all(torch.equal(v, buffers[k]) for k, v in checkpoint.model.named_buffers())
    assert checkpoint.model.audio_projection.linear1.weight.equal(
        checkpoint.pretrained.tensors()["audio_projection.linear1.weight"]
    )


def test_without_a_rate_nothing_is_learned(checkpoint: Checkpoint, tmp_path: Path) -> None:
    vector = trained(checkpoint, tmp_path, "still")
    figures = vector.metadata["metrics"]["validation"]
    assert figures["finetuned"]["accuracy"] == pytest.approx(figures["pretrained"], abs=1e-4)
    assert not vector.buffer.any()


def test_the_projection_is_trained_first_and_alone(checkpoint: Checkpoint, tmp_path: Path) -> None:
    vector = trained(checkpoint, tmp_path, "projection")  # without a rate, its epochs change nothing
    figures = vector.metadata["metrics"]["validation"]
    assert figures["finetuned"]["accuracy"] > figures["pretrained"] + 0.1
    assert moved(vector) == {name for name in vector.layout.names if name.startswith("audio_projection.")}


def moved(vector: TaskVector) -> set[str]:
    return {name for name, delta in vector.tensors().items() if delta.any()}


@pytest.mark.parametrize("trains", TRAINS)
def test_only_the_chosen_parameters_move(whole: Callable, trains: str) -> None:
    vector = whole(trains)
    every = set(vector.layout.names)
    matrices = {n for n in every if n.endswith(".weight") and "norm" not in n and "patch_embed" not in n}
    last = {n for n in every if n.startswith(("audio_model.audio_encoder.layers.3.", "audio_projection."))}
    expected = {
        "full": every,
        "linear": matrices,
        "lora": matrices,
        "last-stage": last | {f"audio_model.audio_encoder.norm.{p}" for p in ("weight", "bias")},
    }
    assert moved(vector) == expected[trains]
    assert 10 < len(matrices) < len(every)
    assert vector.metadata["training"]["trains"] == trains


def test_lora_is_of_low_rank(whole: Callable) -> None:
    rank, name = SPECS["lora"].rank, "audio_model.audio_encoder.layers.3.blocks.0.intermediate.dense.weight"

    def outside(vector: TaskVector) -> float:
        """Share of a matrix's squared norm beyond its first `rank` singular values."""
        squares = torch.linalg.svdvals(vector.tensors()[name].double()).square()
        return float(squares[rank:].sum() / squares.sum())

    assert outside(whole("lora")) < 3e-4  # vectors are stored in 8 bits
    assert outside(whole("linear")) > 1e-3


def test_a_step_leaves_the_statistics_alone(checkpoint: Checkpoint) -> None:
    run, task = new_run(checkpoint), labelled(checkpoint)
    before = {k: v.clone() for k, v in run.tower.named_buffers()}
    x, target = task.batch(torch.arange(16), clips())
    run.update(x, target, task.head)
    assert any("running_mean" in name for name in before)
    assert all(torch.equal(v, before[k]) for k, v in run.tower.named_buffers())
    run.tower.train()
    run.update(x, target, task.head)
    assert not all(torch.equal(v, before[k]) for k, v in run.tower.named_buffers())


def test_bfloat16_takes_about_the_same_way(checkpoint: Checkpoint, tmp_path: Path, whole: Callable) -> None:
    rounded = trained(checkpoint, tmp_path, "full", precision="bfloat16")
    assert 0.9 < rounded.cosine(whole("full")) < 0.99999
    assert rounded.metadata["training"]["precision"] == "bfloat16"


# -- when it ends ----------------------------------------------------------------------------------------------------


def plain_train(checkpoint: Checkpoint, task: finetune.Labelled, spec: FineTuning, **options) -> tuple[Weights, int]:
    options = {"score": lambda weights: 0.0, "precision": "float32", **options}
    return finetune.train(checkpoint, clips(), [task], spec, name="test", **options)


def test_the_best_epoch_is_kept_and_patience_ends_it(checkpoint: Checkpoint) -> None:
    task, seen = labelled(checkpoint), []

    def score(weights: Weights) -> float:
        seen.append(weights)
        return {2: 0.9}.get(len(seen), 0.5)

    weights, epoch = plain_train(checkpoint, task, SPECS["long"], score=score, patience=3)
    assert (epoch, len(seen)) == (2, 5)
    assert torch.equal(weights.buffer, seen[1].buffer)
    assert not torch.equal(weights.buffer, seen[2].buffer)
    seen.clear()
    assert plain_train(checkpoint, task, SPECS["full"], score=lambda w: seen.append(w) or 0.5)[1] == 2  # the latest


def test_an_epoch_shows_every_clip_of_sets_whose_classes_are_equal(checkpoint: Checkpoint) -> None:
    sets = [labelled(checkpoint), labelled(checkpoint, "validation")]
    first, again, second = (finetune.epoch_batches(sets, 0, epoch) for epoch in (0, 0, 1))
    for s in sets:
        shown = torch.cat([chosen for of, chosen in first if of is s])
        assert sorted(shown.tolist()) == list(range(len(s.windows)))
    assert [c.tolist() for _, c in first] == [c.tolist() for _, c in again]
    assert [c.tolist() for _, c in first] != [c.tolist() for _, c in second]


@pytest.mark.parametrize("sizes", [(40, 3, 1), (5, 5, 7), (1, 1), (9,)])
def test_a_class_comes_as_often_as_another_and_as_a_whole_before_it_comes_again(sizes: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    target = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    drawn = finetune.evenly_drawn(target)
    assert len(drawn) == len(target)
    times = torch.bincount(drawn, minlength=len(target))
    for c in range(len(sizes)):
        own = times[target == c]
        assert abs(int(own.sum()) - len(target) / len(sizes)) < 1
        assert int(own.max() - own.min()) <= 1


# -- stops -----------------------------------------------------------------------------------------------------------


class Stop(Exception):
    pass


def train_until(checkpoint: Checkpoint, folder: Path, name: str, steps: int, **options) -> None:
    """Train and break off before step `steps`, with the state of the step before on disk."""
    taken, update = [0], training_run.Run.update

    def counted(self, *batch):
        if taken[0] == steps:
            raise Stop
        taken[0] += 1
        return update(self, *batch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_run.Run, "update", counted)
        patch.setattr(training_state, "SAVE_SECONDS", -1)
        with pytest.raises(Stop):
            trained(checkpoint, folder, name, **options)


@pytest.mark.parametrize(("name", "steps"), [("full", 1), ("full", 2), ("full", 3), ("lora", 3)])
def test_a_stop_anywhere_changes_nothing(
    checkpoint: Checkpoint, tmp_path: Path, whole: Callable, name: str, steps: int
) -> None:
    train_until(checkpoint, tmp_path, name, steps)
    assert (tmp_path / f"finetune-{name}.pt").is_file()
    resumed = trained(checkpoint, tmp_path, name)
    assert resumed.sha256 == whole(name).sha256
    assert resumed.metadata == whole(name).metadata
    assert [p.name for p in tmp_path.iterdir()] == [f"{name}.safetensors"]  # the state is gone


def test_a_stop_changes_nothing_where_depth_is_random(random_model: Path, tmp_path: Path, whole: Callable) -> None:
    checkpoint = Checkpoint.from_folder(random_model, "tiny-clap")
    assert checkpoint.model.config.audio_config.drop_path_rate > 0
    unstopped = trained(checkpoint, tmp_path / "unstopped", "full")
    train_until(checkpoint, tmp_path, "full", 3)
    assert trained(checkpoint, tmp_path, "full").sha256 == unstopped.sha256
    assert unstopped.cosine(whole("full")) < 0.999


def test_a_kill_changes_nothing(
    random_model: Path, checkpoint: Checkpoint, tmp_path: Path, whole: Callable, start: Callable
) -> None:
    running, state = start(train_all, random_model, tmp_path, ["long"], 0.0, folder=ROOT), tmp_path / "finetune-long.pt"
    while running.running and epochs_done(state) < 3:
        time.sleep(0.05)
    running.kill()
    assert running.codes(60) == [-signal.SIGKILL], running.output
    assert 3 <= epochs_done(state) < 12
    assert not (tmp_path / "long.safetensors").exists()
    assert trained(checkpoint, tmp_path, "long").sha256 == whole("long").sha256
    assert not state.exists()


def epochs_done(state: Path) -> int:
    return torch.load(state, weights_only=True)["epoch"] if state.is_file() else 0


def test_the_state_of_another_training_is_not_taken(
    checkpoint: Checkpoint, tmp_path: Path, whole: Callable, capsys: pytest.CaptureFixture
) -> None:
    train_until(checkpoint, tmp_path, "full", 3, seed=1)
    state = tmp_path / "finetune-full.pt"
    other = state.read_bytes()
    capsys.readouterr()
    assert trained(checkpoint, tmp_path, "full").sha256 == whole("full").sha256
    assert "the state of another training" in capsys.readouterr().out
    state.write_bytes(other[:1000])
    trained(checkpoint, tmp_path, "full", seed=1)
    assert "cannot be read as a training state" in capsys.readouterr().out
    state.write_bytes(other)
    trained(checkpoint, tmp_path, "full", seed=1)
    assert "resumed after epoch 1, step 1" in capsys.readouterr().out


def test_a_vector_of_two_runs_is_the_mean_of_theirs(checkpoint: Checkpoint, tmp_path: Path, whole: Callable) -> None:
    mean, one, other = whole("mean"), whole("full"), trained(checkpoint, tmp_path, "full", seed=1)
    expected = (one.buffer.float() + other.buffer.float()) / 2
    assert (mean.buffer.float() - expected).norm() < 0.02 * expected.norm()  # vectors are stored in 8 bits
    assert (one.buffer.float() - expected).norm() > 0.1 * expected.norm()
    assert mean.metadata["training"]["runs"] == len(mean.metadata["training"]["kept_epochs"]) == 2
    with pytest.raises(TaskVecError, match="runs is a whole number from 1, not 0"):
        finetune.finetune(checkpoint, clips(), STUDY, replace(SPECS["mean"], runs=0), tmp_path / "none.safetensors")


@pytest.mark.parametrize("steps", [3, 7])
def test_a_stop_in_any_of_its_runs_changes_nothing(
    checkpoint: Checkpoint, tmp_path: Path, whole: Callable, steps: int
) -> None:
    train_until(checkpoint, tmp_path, "mean", steps)
    assert trained(checkpoint, tmp_path, "mean").sha256 == whole("mean").sha256
    assert not list(tmp_path.glob("*.pt"))


# -- memory and processes --------------------------------------------------------------------------------------------


def test_gradients_of_parts_add_up(checkpoint: Checkpoint, tmp_path: Path, whole: Callable) -> None:
    assert same_training(checkpoint, whole("full"), trained(checkpoint, tmp_path, "full", at_once=10))
    assert not same_training(checkpoint, whole("full"), trained(checkpoint, tmp_path, "full", seed=1))


def test_short_memory_halves_what_is_computed_at_once(checkpoint: Checkpoint) -> None:
    task = labelled(checkpoint)
    x, target = task.batch(torch.arange(64), clips())
    run, plain = new_run(checkpoint), new_run(checkpoint, at_once=16)
    forward = run.tower.forward

    def bounded(windows: torch.Tensor) -> torch.Tensor:
        if len(windows) > limit:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
        return forward(windows)

    run.tower.forward = bounded  # type: ignore[method-assign]
    limit = 16
    assert run.update(x, target, task.head) == plain.update(x, target, task.head)
    assert run.at_once == 16
    assert torch.equal(run.weights().buffer, plain.weights().buffer)
    limit = 0
    with pytest.raises(TaskVecError, match=r"^Not even one window at a time"):
        run.update(x, target, task.head)


def test_two_processes_train_as_one(
    random_model: Path, checkpoint: Checkpoint, tmp_path: Path, whole: Callable, start: Callable
) -> None:
    names = ("full", "lora", "briefly-rehearsed")
    alone = {name: whole(name) for name in names}
    train_until(checkpoint, tmp_path, "lora", 3)  # two go on where one stopped
    running = start(train_all, random_model, tmp_path, names, folder=ROOT, n=2)
    assert running.codes(400) == [0, 0], running.output
    shared = {name: TaskVector.load(tmp_path / f"{name}.safetensors") for name in names}
    # each computed one of the two pieces that one process adds up
    assert {n: v.sha256 for n, v in shared.items()} == {n: v.sha256 for n, v in alone.items()}
    assert {v.metadata["training"]["processes"] for v in shared.values()} == {2}
    assert {v.metadata["training"]["processes"] for v in alone.values()} == {1}
    assert len(re.findall("full: epoch 1, validation", running.output)) == 1  # only the main process reports
    assert len(re.findall("lora: resumed after epoch 1, step 1", running.output)) == 1
    assert not list(tmp_path.glob("*.pt"))


# -- from the command line -------------------------------------------------------------------------------------------


def test_what_was_asked_is_trained_or_refused(
    random_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MelStore, "open", classmethod(lambda cls, *a: clips()))
    study = replace(STUDY, read_rows=lambda data: [])
    (tmp_path / "model").symlink_to(random_model)
    paths = (tmp_path / "work", tmp_path / "data", tmp_path)

    def all_vectors(**asked) -> dict[str, TaskVector]:
        return finetune_all(study, *paths, "still", **asked)

    made = all_vectors(trains="lora", peak_rate=1e-3, seed=3, rank=4, at_once=16, patience=1)
    training = made["still"].metadata["training"]
    assert list(made) == ["still"]
    asked = ("trains", "peak_rate", "seed", "rank", "patience")
    assert [training[k] for k in asked] == ["lora", 1e-3, 3, 4, 1]
    assert all_vectors(trains="lora")["still"].sha256 == all_vectors(seed=None)["still"].sha256 == made["still"].sha256
    part = finetune_all(study, *paths, "projection", trains="linear")[
        "projection"
    ]  # the study's steps are for a whole tower
    assert part.metadata["training"]["projection"] == 0
    with pytest.raises(TaskVecError, match=r"was trained with trains = 'lora', not 'full': remove it"):
        all_vectors(trains="full")
    with pytest.raises(TaskVecError, match=r"^There is no vector 'none'; choose one of: full, last-stage"):
        finetune_all(study, *paths, "none")


def test_speech_without_a_gender_is_refused_before_the_first_training(
    random_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_voice = FineTuning("female_happy", ANALOGY, 1, only_class="female_happy")
    study = replace(STUDY, read_rows=lambda data: [], fine_tunings={"still": SPECS["still"], "female_happy": of_voice})
    speech = [
        ClipRow("ravdess", f"{split}-{gender}.wav", "happy", split, "", gender)
        for split, gender in (("train", "female"), ("train", "male"), ("validation", ""))
    ]
    (tmp_path / "model").symlink_to(random_model)
    paths = (tmp_path / "work", tmp_path / "data", tmp_path)
    begun = []
    monkeypatch.setattr(build, "finetune", lambda checkpoint, store, study, spec, *_, **__: begun.append(spec.vector))
    monkeypatch.setattr(build, "_check_training", lambda *_: None)
    monkeypatch.setattr(MelStore, "open", classmethod(lambda cls, *a: MelStore(speech, clips().mel)))
    said = r"^The clip ravdess/validation-\.wav has the gender '', but the vector 'female_happy' .* female, male\.$"
    with pytest.raises(TaskVecError, match=said):
        finetune_all(study, *paths)
    assert not begun
    speech.pop()
    finetune_all(study, *paths)
    assert begun == ["still", "female_happy"]


# -- draws and refusals ----------------------------------------------------------------------------------------------


def test_draws_depend_on_their_place_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    with training_state.drawing(0, "batch", 1, 2):
        first = torch.rand(3)
    assert torch.equal(torch.rand(3), expected)  # draws outside are not disturbed
    with training_state.drawing(0, "batch", 1, 2):
        assert torch.equal(torch.rand(3), first)
    with training_state.drawing(0, "batch", 2, 1):
        assert not torch.equal(torch.rand(3), first)


@pytest.mark.parametrize(
    ("fields", "options", "message"),
    [
        ({"trains": "half"}, {}, r"^The option trains is one of full, last-stage, linear, lora, not 'half'\.$"),
        ({"peak_rate": math.nan}, {}, r"^The option rate is a number from 0 to 1, not nan\.$"),
        ({"trains": "lora", "rank": 0}, {}, r"^The option rank is a whole number from 1, not 0\.$"),
        (
            {"trains": "lora", "projection": 5},
            {},
            r"^The option projection is 0 if only a part is trained \(here 'lora'\)\.$",
        ),
        ({"augmentation": "none"}, {}, r"^The option augmentation is one of full, light, not 'none'\.$"),
        (
            {"augmentation": "light", "timbre": 0.5},
            {},
            r"^The option timbre is 0 if the augmentation is 'light'\.$",
        ),
        ({"rehearsal": -1.0}, {}, r"^The option rehearsal is a number from 0, not -1\.0\.$"),
        ({}, {"at_once": 0}, r"^The option batch is a whole number from 1, not 0\.$"),
        ({}, {"patience": 0}, r"^The option patience is a whole number from 1, not 0\.$"),
    ],
)
def test_options_out_of_range_are_refused(checkpoint: Checkpoint, fields: dict, options: dict, message: str) -> None:
    with pytest.raises(TaskVecError, match=message):
        plain_train(checkpoint, labelled(checkpoint), FineTuning("v", "sounds", 1, **fields), **options)


def test_a_task_without_training_clips_is_refused(checkpoint: Checkpoint) -> None:
    empty = finetune.Labelled([], torch.tensor([]), labelled(checkpoint).head)
    with pytest.raises(TaskVecError, match=r"^There is no training clip for 'test'"):
        plain_train(checkpoint, empty, SPECS["full"])


def test_lora_without_peft_says_what_to_install(checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(TaskVecError, match=r"pip install -r requirements-dev\.txt"):
        plain_train(checkpoint, labelled(checkpoint), SPECS["lora"])
