"""Time of an edit from a recipe, against the speed of the memory and against dictionaries of tensors."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from taskvec_demo.core.edit import apply_recipe
from taskvec_demo.core.task_vector import TaskVector
from taskvec_demo.core.weights import Weights

from .context import Context, full_layout, new_recipe, random_edits, whole_checkpoint
from .measurement import Measurement, Peer, Target, in_turn, measured, median
from .peers import Shell, edit, edit_from_checkpoints, edit_from_disk

TITLE = "Rebuild: edited weights from a recipe"
METHOD = (
    "`apply_recipe` with 1 to 8 vectors, every time into a new buffer. The floor is the time in which the bytes that "
    "must move pass: the base read and the result written as by a copy into a new buffer, the vectors read at the "
    "bandwidth of `Tensor.copy_` between two buffers that are there already. The peer adds dictionaries of tensors "
    "name by name and ends with `load_state_dict`: with vectors already in memory; with vectors read by `torch.load` "
    "from a warm disk; and with each vector made from two checkpoints so read, which is how the original task_vectors "
    "code gets one. These hold the audio tower only. *Whole* checkpoints are such as LAION publishes and that code "
    "would be handed, text tower and all, as it knows no part that stays as it is."
)
COUNTS = (1, 2, 4, 8)
JUDGED = 4  # vectors in the targets
ORIGINAL = "two checkpoints a vector from disk"
FLOOR_LIMIT, PEER_LIMIT, TINY_LIMIT_MS = 1.5, 20, 5


@dataclass(frozen=True)
class Tower:
    """Weights and vectors of one size, in memory and as files of `torch.save`: the weights first, then the vectors."""

    name: str
    pretrained: Weights
    vectors: dict[str, TaskVector]
    paths: list[Path]

    @classmethod
    def of(cls, name: str, pretrained: Weights, vectors: dict[str, TaskVector], folder: Path) -> Tower:
        folder.mkdir()
        paths = [folder / f"{i}.pt" for i in range(len(vectors) + 1)]
        everything = [pretrained.tensors(), *(vector.tensors() for vector in vectors.values())]
        for path, tensors in zip(paths, everything, strict=True):
            torch.save({key: tensor.clone() for key, tensor in tensors.items()}, path)
        return cls(f"{name}, {pretrained.layout.size / 1e6:.1f} M parameters", pretrained, vectors, paths)


def run(context: Context) -> list[Measurement]:
    counts = tuple(n for n in COUNTS if n <= JUDGED or not context.quick)
    workbench = context.tiny
    vectors = dict(list(workbench.vectors.items())[: max(counts)])
    tiny = Tower.of("tiny-CLAP", workbench.checkpoint.pretrained, vectors, context.folder / "tiny")
    found = _copies(context, tiny)
    for n in counts:
        found += _count(context, tiny, n, Target("at most", TINY_LIMIT_MS), None)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        pretrained, vectors = random_edits(full_layout(), max(counts))
    full = Tower.of("full size", pretrained, vectors, context.folder / "full")
    found += _copies(context, full)
    for n in counts:
        floor, faster = Target("at most", FLOOR_LIMIT, "ratio"), Target("at least", PEER_LIMIT, "ratio")
        found += _count(context, full, n, *((floor, faster) if n == JUDGED else (None, None)))
    return [*found, _against_whole_checkpoints(context, full, JUDGED)]


def _against_whole_checkpoints(context: Context, tower: Tower, n: int) -> Measurement:
    """Full size and `n` vectors: ours against the original's way with whole checkpoints."""
    state = whole_checkpoint()
    files = [context.folder / "pretrained.pt", context.folder / "finetuned.pt"]
    for path in files:  # one fine-tuned checkpoint stands in for all, which helps the peer with the disk's cache
        torch.save(state, path)
    shell, numbers = Shell(state), itertools.count()
    names = list(tower.vectors)[:n]
    ways: dict[str, Callable[[], object]] = {
        "ours": lambda: apply_recipe(tower.pretrained, tower.vectors, new_recipe("any", names, next(numbers))),
        "peer": lambda: shell.load(edit_from_checkpoints(files[0], files[1:] * n, [0.3] * n)),
    }
    taken = in_turn(ways, context.repeats(5))
    millions = sum(tensor.numel() for tensor in state.values()) / 1e6
    peer = Peer(f"two whole checkpoints ({millions:.0f} M) a vector from disk", median(taken["peer"]))
    target = Target("at least", PEER_LIMIT, "ratio")
    return measured(f"{tower.name}, {n} vectors", "ms", taken["ours"], peer=peer, target=target)


def _copies(context: Context, tower: Tower) -> list[Measurement]:
    """Times to copy one buffer, into a buffer that is there and into a new one."""
    source = tower.pretrained.buffer
    there = torch.zeros_like(source)
    ways = {"a copy of the buffer": lambda: there.copy_(source), "a copy into a new buffer": lambda: source.clone()}
    taken = in_turn(ways, context.repeats(30, 5), warm_up=2)
    return [measured(f"{tower.name}: {name}", "ms", samples) for name, samples in taken.items()]


def _count(context: Context, tower: Tower, n: int, target: Target | None, faster: Target | None) -> list[Measurement]:
    """The times with `n` vectors: ours against the floor, judged by `target`, and against the peers; the original's is
    judged by `faster`.
    """
    names, scaling_coefs, numbers = list(tower.vectors)[:n], [0.3] * n, itertools.count()
    base, deltas = tower.pretrained.tensors(), [tower.vectors[name].tensors() for name in names]
    there, shell = torch.zeros_like(tower.pretrained.buffer), Shell(base)
    pretrained_file, *vector_files = tower.paths[: n + 1]

    def ours() -> Weights:
        return apply_recipe(tower.pretrained, tower.vectors, new_recipe("any", names, next(numbers)))

    source = tower.pretrained.buffer
    ways: dict[str, Callable[[], object]] = {
        "ours": ours,
        "copy": lambda: there.copy_(source),
        "new": lambda: source.clone(),
    }
    fast = in_turn(ways, context.repeats(30, 5), 2)
    peers: dict[str, Callable[[], object]] = {
        "ours": ours,  # measured again, because the peers disturb the caches of the CPU for it too
        "dictionaries": lambda: shell.load(edit(base, deltas, scaling_coefs)),
        "dictionaries from disk": lambda: shell.load(edit_from_disk(base, vector_files, scaling_coefs)),
        # A vector's file has the size of a fine-tuned checkpoint's and stands in for it
        ORIGINAL: lambda: shell.load(edit_from_checkpoints(pretrained_file, vector_files, scaling_coefs)),
    }
    slow = in_turn(peers, context.repeats(7, 2))
    label = f"{tower.name}, {n} vector{'s' * (n > 1)}"
    floor = Peer(
        "memory floor", median(fast["new"]) + median(fast["copy"]) * n / 2, "times"
    )  # a copy moves two buffers
    found = [measured(label, "ms", fast["ours"], peer=floor, target=target)]
    for name in list(peers)[1:]:
        peer = Peer(name, median(slow[name]))
        found.append(measured(label, "ms", slow["ours"], peer=peer, target=faster if name == ORIGINAL else None))
    return found
