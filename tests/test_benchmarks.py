"""The benchmarks run and judge rightly.

Their figures are not asserted, because a loaded machine must not fail a test.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest
import torch

from benchmarks import crowd, machine, rebuild, report, soak
from benchmarks.__main__ import JSON, NAMES, main
from benchmarks.context import Context, full_layout, new_recipe, random_edits, whole_checkpoint
from benchmarks.drag import LAST_STAGE, _judge, _on_screen
from benchmarks.measurement import Peer, Target, in_turn, measured
from benchmarks.peers import Shell, difference, edit, edit_from_checkpoints, edit_from_disk
from taskvec_demo.core.edit import apply_recipe
from taskvec_demo.core.recipe import Recipe
from taskvec_demo.core.weights import Layout
from taskvec_demo.errors import BadArtifactError

LAYOUT = Layout(("a.bias", "a.weight"), ((3,), (3, 5)))


def section(*measurements, **changes):
    conditions = {"load_average": 0.5, "copy_gb_per_s": 20.0}
    made = report.Section("T", "How.", "2025-01-01", False, 1.0, machine.describe(), conditions, measurements)
    return replace(made, **changes)


# ---- figures and verdicts -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("target", "met", "missed_by"),
    [
        (Target("at most", 4), True, 0),
        (Target("at most", 2), False, 0.5),
        (Target("at least", 3), True, 0),
        (Target("at least", 6), False, 0.5),
        (Target("at least", 4, "ratio"), True, 0),
        (Target("at least", 8, "ratio"), False, 0.5),
        (Target("at most", 2, "ratio"), False, 1.0),
    ],
)
def test_a_target_is_held_against_median_or_ratio(target, met, missed_by):
    m = measured("x", "ms", [1, 3, 100], peer=Peer("slow", 12), target=target)
    assert (m.value, m.low, m.n, m.ratio) == (3, 1, 3, 4)
    assert m.p95 == pytest.approx(90.3)
    assert (m.met, m.missed_by) == (met, pytest.approx(missed_by))
    assert report.verdict(m) == ("met" if met else f"missed by {100 * missed_by:.0f} %")


def test_a_limits_ratio_is_the_other_way_round():
    assert measured("x", "ms", [3], peer=Peer("floor", 2, "times")).ratio == 1.5
    assert measured("x", "ms", [3], peer=Peer("slow", 6)).ratio == 2
    with pytest.raises(ValueError, match="no peer"):
        measured("x", "ms", [3], target=Target("at most", 1, "ratio"))


def test_ways_take_turns_and_warm_up_is_not_counted():
    calls = []
    taken = in_turn({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, repeats=3, warm_up=2)
    assert calls == ["a", "b"] * 5
    assert {name: len(samples) for name, samples in taken.items()} == {"a": 3, "b": 3}


def test_results_come_back_from_json_and_other_benchmarks_are_kept(tmp_path):
    path = tmp_path / "r.json"
    first = section(measured("x", "ms", [1.0, 2.0], peer=Peer("p", 3.0), target=Target("at most", 1)))
    report.save({"one": first}, path)
    assert report.load(path) == {"one": first}
    second = section(measured("y", "s", [1.0]), machine={**machine.describe(), "cores": 64})
    report.save({"two": second}, path)
    assert report.load(path) == {"one": first, "two": second}
    report.save({"one": second}, path)
    assert report.load(path) == {"one": second, "two": second}
    path.write_text(json.dumps({"format": 99}))
    with pytest.raises(ValueError, match="format 99"):
        report.load(path)
    with pytest.raises(BadArtifactError):
        report.load(tmp_path / "nothing.json")


def test_the_document_names_every_figure_and_each_miss():
    good = measured("quick thing", "ms", [1.0, 2.0], peer=Peer("p", 3.0), target=Target("at most", 5))
    bad = measured("slow thing", "ms", [9.0], target=Target("at most", 6))
    text = report.as_markdown({"b": section(good, bad, quick=True)}, "figures.json")
    assert "| quick thing | 1.5 ms (1 – 1.95) | 2 | p: 3 ms | 2 times faster | at most 5 ms | met |" in text
    assert "1 of 2 targets met." in text
    assert "- T, slow thing: at most 6 ms was missed by 50 %." in text
    assert "quick run" in text
    assert "quick run" not in report.as_markdown({"b": section(good)}, "figures.json")


def test_each_benchmark_names_its_machine():
    plain = {**machine.describe(), "cores": 2, "cpu_features": ["avx2"]}
    wide = {**plain, "cpu_features": ["avx2", "avx512_bf16"]}
    many = {**plain, "cores": 64}
    sections = {"a": section(machine=plain), "b": section(machine=many), "c": section(machine=plain)}
    text = report.as_markdown(sections | {"d": section(machine=wide)}, "figures.json")
    assert text.count("- Machine ") == 3
    assert "- Machine C: 64 CPU cores" in text
    assert [text.count(f"on machine {letter} in") for letter in "ABC"] == [1, 2, 1]
    assert "on machine B in" in report.as_markdown({"a": section(machine=plain)}, "alone.json")


def test_the_machine_is_named_by_features_only():
    assert set(machine.describe()) == {"cores", "cpu_features", "memory_gib", "torch_threads", "python", "packages"}


# ---- the peers do the same job --------------------------------------------------------------------------------------
def test_the_peers_edit_is_ours(tmp_path):
    torch.manual_seed(0)
    pretrained, vectors = random_edits(LAYOUT, 3)
    recipe = Recipe("any", {"v1": 0.5, "v3": -0.25})
    ours = apply_recipe(pretrained, vectors, recipe)
    chosen = [vectors[name].tensors() for name in recipe.coefficients]
    coefs = list(recipe.coefficients.values())
    base = pretrained.tensors()
    theirs = edit(base, chosen, coefs)
    assert all(torch.allclose(theirs[name], tensor, atol=1e-7) for name, tensor in ours.tensors().items())
    assert not torch.equal(theirs["a.weight"], base["a.weight"])
    paths = [tmp_path / f"{i}.pt" for i in range(3)]
    finetuned = [{name: base[name] + tensor for name, tensor in vector.items()} for vector in chosen]
    for path, tensors in zip(paths, (base, *finetuned), strict=True):
        torch.save(dict(tensors), path)
    again = edit_from_checkpoints(paths[0], paths[1:], coefs)
    assert all(torch.allclose(again[name], tensor, atol=1e-6) for name, tensor in ours.tensors().items())
    torch.save(difference(base, finetuned[0]), paths[1])
    one = edit_from_disk(base, paths[1:2], [1.0])
    assert all(torch.allclose(one[name], tensor, atol=1e-6) for name, tensor in finetuned[0].items())
    shell = Shell(base)
    shell.load(theirs)
    assert torch.equal(shell.get_parameter("a/weight"), theirs["a.weight"])


def test_no_two_recipes_are_alike():
    recipes = [new_recipe("any", ["a", "b"], i) for i in range(9_000)]
    assert len(set(recipes)) == 9_000
    assert recipes[0].coefficients == {"a": -0.1, "b": 0.1}


def test_the_full_size_layout_is_that_of_the_published_checkpoints():
    assert round(full_layout().size / 1e6, 1) == 28.2  # audio tower 27.5 M, projection 0.7 M
    assert round(sum(t.numel() for t in whole_checkpoint().values()) / 1e6) == 153  # `ClapModel` with its defaults


# ---- drags and visitors ---------------------------------------------------------------------------------------------
def test_a_drag_is_judged_by_the_newest_input_of_each_value_shown():
    inputs = [[0, 0.1], [100, 0.2], [200, 0.1], [1000, 0.3]]
    updates = [[10, 0.1, 20], [120, 0.2, 140], [210, 0.1, 230], [1010, 0.3, 1025], [1020, 0.9, 1030]]
    drag = _judge(inputs, updates, None, True)
    assert drag.page.delays == [20, 40, 30, 25]  # 0.9 was never asked for
    assert drag.drawing == [10, 20, 10, 10]
    assert (drag.page.rate, drag.asked) == (3, 4)
    assert drag.pace == drag.page


def test_a_pointers_steps_are_followed_to_the_screen():
    def step(number, begun, shown, kind="MOUSE_DRAGGED"):
        place = {"id": str(number), "pid": 7}
        yield {**place, "name": "EventLatency", "ph": "b", "ts": begun, "args": {"event_latency": {"event_type": kind}}}
        if shown:
            yield {**place, "name": LAST_STAGE, "ph": "e", "ts": shown}

    events = [
        *step(1, 1_000_000, 1_030_000),
        *step(2, 1_010_000, None),  # merged into the next
        *step(3, 1_012_000, 1_040_000),
        *step(1, 1_500_000, 1_540_000),  # an id comes again
        *step(4, 1_501_000, 1_540_000),  # the same frame
        *step(5, 2_000_000, None),
        *step(6, 2_100_000, 2_200_000, "MOUSE_MOVED_EVENT"),
    ]
    pace = _on_screen(events[::-1])
    assert sorted(pace.delays) == pytest.approx([28, 30, 39, 40])
    assert pace.rate == pytest.approx(3)  # frames in the second between the first step and the last


def test_a_visitors_controls_mean_the_recipe(workbench):
    from taskvec_demo.ui.app import build_app

    served = crowd.ServedPage.read(build_app(workbench).get_config_file())
    recipe = Recipe("tiny-clap", {"urban": 0.25, "emotion": -0.5})
    values = served.controls(recipe)
    assert {name: values[f"lambda-{name}"] for name in ("urban", "emotion")} == {"urban": 0.25, "emotion": -0.5}
    assert [values[f"on-{name}"] for name in ("urban", "emotion", "digits")] == [True, True, False]
    assert {"clip", "labels", "lambda-urban"} <= set(served.classify.inputs) <= set(values)
    assert served.exact is not None
    assert set(served.exact.inputs) <= set(served.classify.inputs)


def test_the_slope_leaves_out_how_caches_fill():
    filling = [(5.0 * i, 100.0 * i) for i in range(10)]
    level = [(50 + 5.0 * i, 1000.0 + i % 2) for i in range(40)]
    rising = [(50 + 5.0 * i, 1000.0 + 2.5 * i) for i in range(40)]
    assert abs(soak.slope(filling + level)) < 2
    assert soak.slope(filling + rising) == pytest.approx(30)


# ---- the command ----------------------------------------------------------------------------------------------------
def test_a_quick_run_writes_its_figures(tmp_path, capsys, monkeypatch, workbench):
    monkeypatch.setattr(rebuild, "full_layout", lambda: LAYOUT)  # the same in form, at once
    monkeypatch.setattr(
        rebuild, "whole_checkpoint", lambda: {"a.weight": torch.ones(3, 5), "text.weight": torch.ones(9)}
    )
    monkeypatch.setattr(Context, "tiny", workbench)
    monkeypatch.setattr(machine, "COPY_BYTES", 2**20)
    path = tmp_path / "last.json"
    assert main(["--quick", "--only", "rebuild", "--json", str(path)]) == 0
    content = json.loads(path.read_text())
    assert (content["format"], list(content["benchmarks"])) == (report.FORMAT, ["rebuild"])
    found = content["benchmarks"]["rebuild"]
    assert found["quick"] is True
    for m in found["measurements"]:
        assert set(m) == set(asdict(measured("x", "ms", [1.0])))
        assert 0 < m["low"] <= m["value"] <= m["p95"]
        assert m["n"] >= 2
    targets = [m["target"] for m in found["measurements"] if m["target"]]
    assert {"at most 5 ms", "at most 1.5 times memory floor"} < set(targets)
    assert "targets met" in capsys.readouterr().out


def test_names_are_checked(capsys):
    with pytest.raises(SystemExit):
        main(["--only", "nothing"])
    assert "rebuild" in capsys.readouterr().err


@pytest.mark.parametrize("results", sorted(JSON.parent.glob("performance*.json")), ids=lambda path: path.stem)
def test_a_shipped_document_is_that_of_its_json(results):
    loaded = report.load(results)
    assert set(loaded) <= set(NAMES)
    assert results.with_suffix(".md").read_text(encoding="utf-8") == report.as_markdown(loaded, results.name)


def test_a_document_is_written_beside_its_json(tmp_path):
    report.save({"rebuild": section()}, tmp_path / "mine.json")
    assert main(["--write-docs", "--json", str(tmp_path / "mine.json")]) == 0
    assert "[mine.json](mine.json)" in (tmp_path / "mine.md").read_text(encoding="utf-8")


def test_the_work_of_a_pass_is_its_matrix_products():
    layer = torch.nn.Linear(8, 16, bias=False)
    assert machine.multiply_adds(lambda: layer(torch.zeros(5, 8))) == 5 * 8 * 16
    assert machine.product_seconds(2e9) > machine.product_seconds(1e6)
