"""Gates, costs and pruning of adapters; how a budget is spent; what is claimed."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from taskvec_demo.clap.stages import Stages, tower_stages
from taskvec_demo.core.adapters import Adapter, StageShapes, clip_logits, cost, read_adapters, write_adapters
from taskvec_demo.core.weights import read_safetensors, write_safetensors
from taskvec_demo.core.zero_shot import ZeroShotHead
from taskvec_demo.errors import BadArtifactError
from taskvec_demo.lab.data.datasets import ClipRow, MelStore
from taskvec_demo.lab.studies.adapters.budget import BUDGETED, allocation, frontier
from taskvec_demo.lab.studies.adapters.claims import claims, kept_share
from taskvec_demo.lab.studies.adapters.gates import GatedAdapters, Run, gate, slope
from taskvec_demo.lab.studies.adapters.points import MEASURED, Point, mean_difference, vector_point
from taskvec_demo.lab.studies.adapters.pruning import counted, pruned, reached
from taskvec_demo.lab.studies.adapters.stages import Scales, StageStore
from taskvec_demo.lab.studies.adapters.tasks import Clips

SHAPES = StageShapes(((3, 4, 8), (6, 2, 4), (10, 1, 4), (10, 1, 4)), 5)
WIDTHS = (4, 3, 5, 2)
RUNS = (
    Run("multi-head", opened=False),
    Run("open"),
    Run("parameters 1", "parameters", 1.0),
    Run("flops 1", "flops", 1.0),
)


def gated(seed: int = 0) -> GatedAdapters:
    """Adapters in double precision whose gates, biases and weights all differ."""
    network = GatedAdapters(SHAPES, WIDTHS, 3, RUNS, seed).double().eval()
    draw = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        parameter.data += 0.3 * torch.randn(parameter.shape, generator=draw)
    return network


def stages_of(n: int, seed: int = 1) -> Stages:
    draw = torch.Generator().manual_seed(seed)
    maps = tuple(5 + 3 * torch.randn(n, *shape, generator=draw, dtype=torch.double) for shape in SHAPES.maps)
    return Stages(maps, torch.randn(n, SHAPES.dim, generator=draw, dtype=torch.double))


def scales() -> Scales:
    channels = [*(c for c, _, _ in SHAPES.maps), SHAPES.dim]
    return Scales([torch.full((c,), 5.0) for c in channels], [torch.linspace(1, 3, c) for c in channels])


# ---- gates ----------------------------------------------------------------------------------------------------------
def test_a_gate_is_half_open_at_zero_and_hardens_as_its_slope_grows():
    a = torch.tensor([-0.4, -0.01, 0.0, 0.01, 0.4])
    assert gate(a, 1.0).tolist() == pytest.approx([0.1, 0.49, 0.5, 0.51, 0.9])
    assert gate(a, 60.0).tolist() == pytest.approx([0.0, 0.0, 0.5, 1.0, 1.0], abs=0.11)
    assert slope(0.0) < slope(0.5) < slope(1.0) == slope(1.7)


def test_the_cost_in_the_loss_is_none_for_closed_gates_and_one_for_open_ones():
    network = gated()
    for a in network.a:
        a.data[2:] = 10.0
    assert network.cost_shares(network.gates(1.0)).tolist() == pytest.approx([0.0, 0.0, 1.0, 1.0])
    for a in network.a:
        a.data[2:] = -10.0
    assert network.cost_shares(network.gates(1.0)).tolist() == pytest.approx([0.0] * 4)


def test_runs_are_independent_networks():
    """What one run's loss asks for reaches no weight of another."""
    network = gated()
    network(stages_of(4), network.gates(1.0))[2].sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        others = [r for r in range(len(RUNS)) if r != 2]
        assert not parameter.grad[others].any(), name
        assert parameter.grad[2].any(), name


# ---- pruning and costs ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("run", range(len(RUNS)))
@pytest.mark.parametrize("seed", range(3))
def test_a_pruned_adapter_gives_the_gated_networks_logits(run, seed):
    network, stages = gated(seed), stages_of(7)
    gates = network.gates(3.0)
    whole = network(scales().apply(stages), gates)[run]
    small = pruned(network, run, gates, scales())
    assert torch.allclose(small(stages.maps, stages.embedding), whole, atol=1e-6, rtol=0)
    if RUNS[run].measure:
        assert 0 < sum(small.widths) < sum(WIDTHS)  # some gates are closed and their channels are gone
        assert any(0 < g < 1 for of_layer in gates for g in of_layer[run])  # and others are half open


def test_a_layer_below_a_closed_layer_is_cut_out_too():
    gates = [torch.tensor([1.0, 0.0, 0.2]), torch.zeros(4), torch.tensor([0.0, 1.0])]
    assert [k.tolist() for k in reached(gates)] == [[], [], [1]]
    assert [k.tolist() for k in reached([*gates[:2], torch.zeros(2)])] == [[], [], []]


@pytest.mark.parametrize("widths", [(0, 0, 0, 0), (4, 3, 5, 2), (0, 3, 0, 2), (1, 0, 5, 0), (0, 0, 0, 7)])
def test_costs_counted_on_the_network_are_those_of_the_formula(widths):
    assert counted(Adapter(SHAPES, widths, 3)) == cost(SHAPES, widths, 3)


def test_one_channel_of_an_early_layer_costs_more_operations_and_fewer_parameters_than_of_a_late_one():
    early, late = (cost(SHAPES, widths, 3) for widths in ((1, 0, 0, 0), (0, 0, 1, 0)))
    assert early.parameters < late.parameters
    assert early.flops > late.flops


def test_adapters_of_a_file_are_those_that_were_written(tmp_path):
    adapters = {"a": Adapter(SHAPES, (0, 3, 0, 2), 3), "b": Adapter(SHAPES, (0, 0, 0, 0), 3)}
    write_adapters(tmp_path / "x.safetensors", adapters, {})
    read = read_adapters(tmp_path / "x.safetensors", SHAPES)
    assert {name: adapter.widths for name, adapter in read.items()} == {"a": (0, 3, 0, 2), "b": (0, 0, 0, 0)}
    for name, adapter in adapters.items():
        for key, tensor in adapter.state_dict().items():
            assert torch.equal(read[name].state_dict()[key], tensor.half().float())
    with pytest.raises(BadArtifactError, match="no adapter of this tower"):
        read_adapters(tmp_path / "x.safetensors", StageShapes(((9, 1, 1), (2, 1, 1)), 4))


@pytest.mark.parametrize("header", [{}, {"format": "2"}])
def test_a_file_of_another_format_is_refused(tmp_path, header):
    adapters = {"a": Adapter(SHAPES, (0, 3, 0, 2), 3)}
    write_adapters(tmp_path / "x.safetensors", adapters, {})
    tensors, written = read_safetensors(tmp_path / "x.safetensors")
    assert written == {"format": "1"}
    write_safetensors(tmp_path / "x.safetensors", tensors, header)
    with pytest.raises(BadArtifactError, match=r"has adapter format ('2'|None); this version reads format '1'\.$"):
        read_adapters(tmp_path / "x.safetensors", SHAPES)


def test_a_clips_logits_are_the_mean_of_its_windows():
    logits = torch.tensor([[1.0, 0.0], [3.0, 2.0], [5.0, 5.0]])
    assert clip_logits(logits, torch.tensor([0, 0, 1]), 2).tolist() == [[2.0, 1.0], [5.0, 5.0]]


# ---- the tower's stages ---------------------------------------------------------------------------------------------
@pytest.fixture
def heard() -> MelStore:
    """One clip of a window for each measured split."""
    rows = [ClipRow("set", f"{split}.wav", "dog", split, "", "", i) for i, split in enumerate(MEASURED)]
    return MelStore(rows, np.random.default_rng(0).normal(-40, 10, (2, 256, 64)).astype(np.float16))


def test_stages_of_the_same_files_with_another_sound_are_computed_anew(workbench, heard, tmp_path):
    def opened() -> StageStore:
        return StageStore.open(tmp_path, workbench.checkpoint, heard, heard.rows, lambda _: None)

    first, again = opened(), opened()
    heard.mel = heard.mel[::-1]
    other = opened()
    assert first.key == again.key != other.key
    assert torch.equal(first.of([0]), again.of([0]))
    assert not torch.equal(first.of([0]), other.of([0]))
    assert len(list((tmp_path / "adapters").iterdir())) == 2


def test_a_vectors_answers_are_kept_for_one_head_and_one_sound(workbench, heard, tmp_path):
    head, vector = workbench.artifacts.heads["urban"], workbench.vectors["urban"]
    clips = {r.split: Clips((r,), torch.tensor([0])) for r in heard.rows}

    def files(head: ZeroShotHead) -> int:
        vector_point(vector, head, workbench.checkpoint, heard, clips, tmp_path)
        return len(list((tmp_path / "adapters").iterdir()))

    assert files(head) == files(head) == 1
    assert files(replace(head, matrix=head.matrix.flip(0))) == 2
    heard.mel = heard.mel[::-1]
    assert files(head) == 3


def test_stages_end_in_the_checkpoints_own_embedding_and_keep_time_in_columns(workbench):
    checkpoint = workbench.checkpoint
    frames, mels = checkpoint.features.n_frames, checkpoint.features.n_mels
    mel = torch.full((3, 1, frames, mels), -40.0)
    mel[1, 0, frames // 2 :] += 30.0 * torch.randn(
        frames - frames // 2, mels, generator=torch.Generator().manual_seed(0)
    )
    mel[2, 0, :, : mels // 2] += 25.0
    stages = tower_stages(checkpoint, mel)
    assert torch.allclose(stages.embedding, checkpoint.embed_audio(mel), atol=0.05)  # there in bfloat16, perhaps
    first = (stages.maps[0][1] - stages.maps[0][0]).abs().sum(0)  # (rows, columns): the patches see no neighbours
    columns = first.shape[1]
    assert first[:, : columns // 2 - 1].max() < 1e-4 * first[:, columns // 2 + 1 :].min()
    low = (stages.maps[0][2] - stages.maps[0][0]).abs().sum(0)
    assert low[low.shape[0] // 2 :].max() < 1e-4 * low[: low.shape[0] // 2].min()
    assert [m.shape[1] for m in stages.maps[1:]] == list(stages.shapes.beside()[:-1])


# ---- budgets and claims ---------------------------------------------------------------------------------------------
def point(name: str, parameters: int, correct: np.ndarray, **fields) -> Point:
    kinds = {"zero-shot": "zero-shot", "multi-head": "multi-head", "single-task": "single-task", "vector": "vector"}
    given = {"kind": kinds.get(name, "adapter"), "measure": "", "price": None, "flops": 10 * parameters}
    given |= {"widths": (1, 1), **fields}
    return Point(name, parameters=parameters, right={"validation": correct, "test": correct}, **given)


def made_tasks(n_tasks: int, seed: int = 0) -> dict[str, list[Point]]:
    draw = np.random.default_rng(seed)
    names = ["zero-shot", "multi-head", "parameters 1", "flops 1", "open", "single-task", "vector"]
    tasks = {}
    for t in range(n_tasks):
        n = int(draw.integers(20, 60))
        tasks[f"t{t}"] = [point(name, int(draw.integers(1, 90)), draw.random(n) < 0.5) for name in names]
    return tasks


@pytest.mark.parametrize("seed", range(4))
def test_a_budget_is_spent_in_the_best_of_all_ways(seed):
    """Against every combination of the tasks' points."""
    tasks = [*made_tasks(3, seed).values()]
    offers = [[p for p in own if p.kind in BUDGETED] for own in tasks]
    for budget in (0, 20, 60, 120, 300):
        every = [c for c in itertools.product(*offers) if sum(p.parameters for p in c) <= budget]
        chosen = allocation(tasks, "parameters", budget)
        if every:
            best = max(sum(p.right["validation"].mean() for p in c) for c in every)
            assert sum(p.right["validation"].mean() for p in chosen) == pytest.approx(best)
            assert sum(p.parameters for p in chosen) <= budget
    sums = frontier(tasks, "parameters")
    assert all(a[0] < b[0] and a[1] < b[1] for a, b in itertools.pairwise(sums))


def test_the_kept_share_is_one_for_open_gates_none_for_heads_and_unknown_without_a_gain():
    draw = np.random.default_rng(0)
    heads = [point("multi-head", 1, draw.random(300) < 0.4) for _ in range(3)]
    opened = [point("open", 9, p.right["test"] | (draw.random(300) < 0.3)) for p in heads]
    assert kept_share(opened, opened, heads) == (1.0, 1.0, 1.0)
    assert kept_share(heads, opened, heads) == (0.0, 0.0, 0.0)
    assert np.isnan(kept_share(heads, heads, heads)).all()
    lucky = [point("open", 9, p.right["test"] | (np.arange(300) == np.argmin(p.right["test"]))) for p in heads]
    assert lucky[0].right["test"].sum() == heads[0].right["test"].sum() + 1
    assert np.isnan(kept_share(heads[:1], lucky[:1], heads[:1])).all()  # one clip may be chance


def study_of(gain: float, flops_widths: tuple[int, ...]) -> dict[str, list[Point]]:
    """Seven tasks where open gates turn this share of the wrong answers right, and so does every price."""
    draw = np.random.default_rng(1)
    tasks = {}
    for t in range(7):
        before = draw.random(400) < 0.5
        after = before | (draw.random(400) < gain)
        tasks[f"t{t}"] = [
            point("multi-head", 10, before, kind="multi-head"),
            point("parameters 1", 12, after, measure="parameters", price=1.0, widths=(4, 1)),
            point("flops 1", 14, after, measure="flops", price=1.0, widths=flops_widths),
            point("open", 100, after, widths=(4, 4)),
            point("vector", 3000, after),
        ]
    return tasks


def test_claims_are_reached_where_their_figures_say_so():
    found = {c["name"]: c for c in claims(study_of(0.4, (1, 4)))}
    assert {name: c["reached"] for name, c in found.items()} == dict.fromkeys(found, True)
    assert found["open"]["figures"]["wins"] == 7
    assert found["cheap-open"]["figures"]["share"] == 1.0
    assert found["allocate"]["figures"]["layers"][0]["mean"] == -0.75
    none = {c["name"]: c["reached"] for c in claims(study_of(0.0, (4, 1)))}
    assert none == dict.fromkeys(found, False) | {"monotone-parameters": True, "monotone-flops": True}


def test_a_dearer_point_that_is_worse_beyond_its_interval_is_named():
    tasks = study_of(0.4, (1, 4))
    for own in tasks.values():
        worse = own[1].right["test"] & (np.arange(400) % 2 == 0)
        own[3] = point("open", 100, worse, widths=(4, 4))
    found = {c["name"]: c for c in claims(tasks)}["monotone-parameters"]
    assert not found["reached"]
    assert {(w["dear"], w["cheap"]) for w in found["figures"]["worse"]} >= {("open", "parameters 1")}


def test_a_mean_difference_holds_clips_apart_by_task():
    a = [point("open", 1, np.ones(10, bool)), point("open", 1, np.zeros(1000, bool))]
    b = [point("open", 1, np.zeros(10, bool)), point("open", 1, np.zeros(1000, bool))]
    assert mean_difference(a, b, "test") == {"mean": 0.5, "low": 0.5, "high": 0.5, "n": 1010}
