"""The one schedule of the learning rate: it rises, falls, and is that of torch's one-cycle schedule."""

from __future__ import annotations

import pytest
import torch

from taskvec_demo.lab.finetuning.schedule import START, learning_rate, set_rate


def test_it_rises_to_the_peak_and_falls_to_nothing() -> None:
    rates = [learning_rate(i / 100, 0.5, 0.1) for i in range(101)]
    assert rates[0] == pytest.approx(0.5 * START)
    assert max(rates) == rates[10] == pytest.approx(0.5)
    assert rates[:11] == sorted(rates[:11])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] == learning_rate(1.5, 0.5, 0.1) == pytest.approx(0, abs=1e-12)


def test_a_late_fall_leaves_the_rate_at_its_peak() -> None:
    rates = [learning_rate(i / 100, 0.5, 0.1, fall=0.2) for i in range(101)]
    assert rates[10:81] == pytest.approx([0.5] * 71)
    assert 0.5 > rates[81] > rates[90] > rates[99] > rates[100] == pytest.approx(0, abs=1e-12)
    assert rates[:10] == [learning_rate(i / 100, 0.5, 0.1) for i in range(10)]


def test_without_a_warm_up_it_begins_at_the_peak() -> None:
    assert learning_rate(0.0, 0.5, 0.0) == 0.5


def test_it_is_one_cycle_as_torch_has_it() -> None:
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))])
    reference = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.5, total_steps=1001, pct_start=0.1)
    for step in range(1000):
        # torch peaks one step before the share is reached
        assert learning_rate(step / 1000, 0.5, 0.1) == pytest.approx(reference.get_last_lr()[0], abs=0.01)
        optimizer.step()
        reference.step()


def test_every_group_of_parameters_gets_the_rate() -> None:
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))]} for _ in range(2)]
    optimizer = torch.optim.SGD(groups, 1.0)
    set_rate(optimizer, 0.25)
    assert [group["lr"] for group in optimizer.param_groups] == [0.25, 0.25]
