"""Traced towers give the bits of the module that they were made from, run several at once, and serve patient callers
last.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch.func import functional_call

from taskvec_demo.clap.model import Checkpoint
from taskvec_demo.clap.tower import TowerPool, TracedTower
from taskvec_demo.core.weights import Weights


class Toy(torch.nn.Module):
    """A small tower: a linear layer, and a norm with statistics, which are no weights."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(6, 3)
        self.norm = torch.nn.BatchNorm1d(3, affine=False)
        self.norm.running_mean.fill_(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.linear(x.flatten(1)))


@pytest.fixture
def toy() -> Toy:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Toy().eval().requires_grad_(False)


def weights_of(toy: Toy, shift: float = 0.0) -> Weights:
    return Weights.from_tensors({name: p.detach() + shift for name, p in toy.named_parameters()})


def pool(toy: Toy, size: int = 2) -> TowerPool:
    return TowerPool(toy, weights_of(toy).layout, torch.zeros(2, 1, 2, 3), size, "cpu")


def test_a_traced_tower_gives_the_bits_of_its_module_for_any_batch(toy: Toy) -> None:
    tower = next(pool(toy).all())
    before = {name: p.clone() for name, p in toy.state_dict().items()}
    for shift, n in ((0.0, 1), (0.1, 5), (0.0, 2)):
        x, weights = torch.randn(n, 1, 2, 3), weights_of(toy, shift)
        tower.load(weights)
        assert torch.equal(tower.embed(x), functional_call(toy, weights.tensors(), (x,)))
    assert not torch.equal(tower.embed(x), functional_call(toy, weights_of(toy, 0.1).tensors(), (x,)))
    assert all(torch.equal(p, before[name]) for name, p in toy.state_dict().items())  # the module was not touched


def test_the_real_tower_is_traced_to_the_bit(artifacts_folder) -> None:
    checkpoint = Checkpoint.from_folder(artifacts_folder / "model", "tiny-clap")
    mel = torch.randn(3, 1, checkpoint.features.n_frames, checkpoint.features.n_mels) * 10 - 40
    with torch.inference_mode():
        plainly = checkpoint.trainable_tower().eval()(mel)
        with torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
            rounded = checkpoint.trainable_tower().eval()(mel)
    assert torch.equal(checkpoint.embed_audio(mel), plainly)
    checkpoint.precision = "bfloat16"
    assert torch.equal(checkpoint.embed_audio(mel), rounded)
    assert torch.equal(checkpoint.embed_audio(mel, precision="float32"), plainly)
    assert not torch.equal(rounded, plainly)


def test_a_sum_is_the_weights_plus_the_difference_and_later_weights_are_loaded_again(toy: Toy) -> None:
    tower, weights, x = next(pool(toy).all()), weights_of(toy), torch.randn(2, 1, 2, 3)
    delta = weights_of(toy, 0.5).buffer - weights.buffer
    tower.load(weights)
    tower.load_sum(weights, delta, -2.0)
    assert torch.allclose(tower.embed(x), functional_call(toy, weights_of(toy, -1.0).tensors(), (x,)), atol=1e-5)
    tower.load(weights)  # the same as before the sum, but the buffer holds something else
    assert torch.equal(tower.embed(x), functional_call(toy, weights.tensors(), (x,)))


def test_threads_do_not_mix(toy: Toy) -> None:
    towers, edits, x = pool(toy), [weights_of(toy, 0.1 * i) for i in range(6)], torch.randn(4, 1, 2, 3)

    def embed(i: int) -> torch.Tensor:
        with towers.borrow() as tower:
            tower.load(edits[i])
            return tower.embed(x)

    alone = [embed(i) for i in range(6)]
    with ThreadPoolExecutor(6) as threads:
        together = list(threads.map(embed, list(range(6)) * 20))
    assert all(torch.equal(together[i], alone[i % 6]) for i in range(120))


def test_the_patient_wait_for_everybody_else(toy: Toy) -> None:
    towers, order = pool(toy, 1), []

    def ask(name: str, patient: bool) -> None:
        with towers.borrow(patient):
            order.append(name)

    def waiting(name: str, patient: bool) -> threading.Thread:
        thread = threading.Thread(target=ask, args=(name, patient))
        thread.start()
        time.sleep(0.05)  # it has come to the queue
        return thread

    with towers.borrow():
        threads = [
            waiting("batch", True),
            waiting("clip", False),
            waiting("other batch", True),
            waiting("late clip", False),
        ]
        assert order == []
    for thread in threads:
        thread.join(5)
    assert sorted(order[:2]) == ["clip", "late clip"]
    assert sorted(order[2:]) == ["batch", "other batch"]


def test_a_tower_that_failed_is_free_again(toy: Toy) -> None:
    towers = pool(toy, 1)
    with pytest.raises(RuntimeError), towers.borrow() as tower:
        tower.embed(torch.zeros(1, 1, 5, 5))
    with towers.borrow() as again:
        assert isinstance(again, TracedTower)
