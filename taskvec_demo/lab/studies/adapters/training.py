"""Training of one task's adapters, all prices at once. A killed training goes on where its last state was written."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ....clap.stages import Stages
from ....core.adapters import Adapter, clip_logits, read_adapters, write_adapters
from ...finetuning.training_state import StateFile, drawing, fingerprint
from .gates import DROPOUT, SLOPES, GatedAdapters, Run, slope
from .pruning import pruned
from .stages import Scales, StageStore
from .tasks import Clips

BATCH = 64  # windows
RATE, WEIGHT_DECAY = 2e-3, 2e-2
GATE_RATE = 2e-3
WARM_UP = 20  # steps
GATES_LEARN = 0.6  # of the steps; then gates stay as they are and the rate falls to 0
LOOKS = 5  # at validation, after the gates have settled; the best one is kept
SMOOTHING = 0.05  # of the labels
FORMAT = 1
Say = Callable[[str], None]


@dataclass(frozen=True)
class Setup:
    """What one training is given. `share` is α, the channels of a layer per channel of the tower's stage beside it."""

    task: str
    n_classes: int
    clips: Mapping[str, Clips]
    share: float
    runs: tuple[Run, ...]
    steps: int
    seed: int = 0


def trained(setup: Setup, store: StageStore, scales: Scales, work: Path, key: str, say: Say) -> dict[str, Adapter]:
    """The pruned adapters by run, as they are shipped: in float16. Read from `work` if they are finished.

    `key` names the tower and the windows.
    """
    said = [FORMAT, setup.task, setup.share, [asdict(r) for r in setup.runs], setup.steps, setup.seed]
    recipe = [BATCH, RATE, GATE_RATE, WEIGHT_DECAY, WARM_UP, GATES_LEARN, LOOKS, SMOOTHING, DROPOUT, SLOPES]
    rows = [[(r.dataset, r.file, r.label) for r in clips.rows] for clips in setup.clips.values()]
    digest = fingerprint([key, json.dumps([said, recipe, rows])])
    name = f"{setup.task}-{setup.share:g}-{digest[:12]}"
    file = work / "adapters" / f"{name}.safetensors"
    if not file.is_file():
        state = StateFile(work / "adapters" / f"{name}.state", digest)
        write_adapters(file, _Training(setup, store, scales, state, say).finish(), {})
        (work / "adapters" / f"{name}.state").unlink(missing_ok=True)
    return read_adapters(file, store.shapes)


class _Training:
    """One training that is under way."""

    def __init__(self, setup: Setup, store: StageStore, scales: Scales, state: StateFile, say: Say) -> None:
        self.setup, self.store, self.scales, self.state, self.say = setup, store, scales, state, say
        widths = store.shapes.widths(setup.share)
        self.network = GatedAdapters(store.shapes, widths, setup.n_classes, setup.runs, setup.seed)
        gates = list(self.network.a)
        learned = {id(p) for p in gates}
        weights = [p for p in self.network.parameters() if id(p) not in learned]
        # The rate of the weights falls when the gates have settled; that of the gates is 0 then.
        groups = [{"params": weights, "full": RATE}, {"params": gates, "full": GATE_RATE, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=RATE, weight_decay=WEIGHT_DECAY)
        train, validation = setup.clips["train"], setup.clips["validation"]
        self.flat = store.of(train.windows)  # float16: every window once, in memory
        self.first = torch.tensor([0, *(row.n_windows for row in train.rows)]).cumsum(0)
        self.odds = (1.0 / torch.bincount(train.labels, minlength=setup.n_classes).clamp_min(1))[train.labels]
        self.validation = store.of(validation.windows)
        self.best = torch.full((len(setup.runs),), -1.0)
        self.kept: dict[str, Tensor] = {}

    @property
    def settled(self) -> int:
        """The step at which gates stop learning."""
        return round(GATES_LEARN * self.setup.steps)

    def finish(self) -> dict[str, Adapter]:
        if found := self.state.read():
            self._restore(found)
        steps, every = self.setup.steps, max(1, (self.setup.steps - self.settled) // LOOKS)
        for step in range(found["step"] if found else 0, steps):
            self._step(step)
            if (step + 1 > self.settled and (step + 1 - self.settled) % every == 0) or step + 1 == steps:
                self._look()
            if step % 10 == 0:
                self.say(f"{self.setup.task}, α = {self.setup.share:g}: step {step} of {steps}")
            self.state.write_when_due(functools.partial(self._snapshot, step + 1))
        self.network.load_state_dict(self.kept)
        gates = self._gates(steps)
        return {run.name: pruned(self.network, r, gates, self.scales) for r, run in enumerate(self.setup.runs)}

    def _gates(self, step: int) -> list[Tensor]:
        return self.network.gates(slope(step / self.settled))

    def _step(self, step: int) -> None:
        self.network.train()
        learn = step < self.settled
        warm = min(1.0, (step + 1) / WARM_UP)
        falling = 1.0 if learn else 1 - (step - self.settled) / (self.setup.steps - self.settled)
        for group, share in zip(self.optimizer.param_groups, (falling, float(learn)), strict=True):
            group["lr"] = group["full"] * warm * share
        gates = self._gates(step)
        with drawing(self.setup.task, self.setup.seed, step):
            picked = torch.multinomial(self.odds, BATCH, replacement=True)
            windows = self.first[picked] + (torch.rand(BATCH) * (self.first[picked + 1] - self.first[picked])).long()
            logits = self.network(self._stages(self.flat[windows]), gates)
        labels = self.setup.clips["train"].labels[picked].expand(len(self.setup.runs), -1)
        losses = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), label_smoothing=SMOOTHING, reduction="none")
        loss = losses.view(labels.shape).mean(1)
        if learn:
            prices = torch.tensor([run.price for run in self.setup.runs])
            loss = loss + prices * self.network.cost_shares(gates)
        self.optimizer.zero_grad()
        loss.sum().backward()  # a sum over runs: no run's gradient reaches another
        self.optimizer.step()

    def _stages(self, flat: Tensor) -> Stages:
        return self.scales.apply(self.store.split(flat))

    @torch.inference_mode()
    def _look(self) -> None:
        """Keep the weights of the runs that do better on validation than at any earlier look."""
        self.network.eval()
        gates = self._gates(self.setup.steps)
        clips = self.setup.clips["validation"]
        parts = [self.network(self._stages(part), gates) for part in self.validation.split(4 * BATCH)]
        each = [clip_logits(one, clips.owners, len(clips.rows)) for one in torch.cat(parts, 1)]
        right = torch.stack([(one.argmax(-1) == clips.labels).float().mean() for one in each])
        better = right > self.best
        for name, tensor in self.network.state_dict().items():
            if name not in self.kept:
                self.kept[name] = tensor.clone()
            self.kept[name][better] = tensor[better]
        self.best = torch.maximum(self.best, right)

    def _snapshot(self, step: int) -> dict:
        return {
            "step": step,
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "best": self.best,
            "kept": self.kept,
        }

    def _restore(self, state: Mapping) -> None:
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.best, self.kept = state["best"], dict(state["kept"])


@torch.inference_mode()
def answers(adapter: Adapter, store: StageStore, clips: Clips) -> Tensor:
    """The class that an adapter gives to every clip (n,): the one with the highest mean logit over its windows."""
    windows = clips.windows
    parts = []
    for start in range(0, len(windows), 4 * BATCH):
        stages = store.split(store.of(windows[start : start + 4 * BATCH]))
        parts.append(adapter(stages.maps, stages.embedding))
    return clip_logits(torch.cat(parts), clips.owners, len(clips.rows)).argmax(-1)


def right(given: Tensor, clips: Clips) -> Tensor:
    """(n,) bool: which clips got their own class."""
    return given == clips.labels
