"""Edited weights from a recipe: against the memory's speed, and against dictionaries of tensors."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from taskvec_demo.edit import apply_recipe
from taskvec_demo.task_vector import TaskVector
from taskvec_demo.weights import Weights

from .context import Context, full_layout, new_recipe, random_edits
from .measurement import Measurement, Peer, Target, in_turn, measured, median
from .peers import Shell, edit, edit_from_checkpoints, edit_from_disk

TITLE = "Rebuild: edited weights from a recipe"
METHOD = (
    "`apply_recipe` with 1 to 8 vectors, every time into a new buffer. The floor is the time in which the bytes that "
    "must move (base and vectors read, result written) pass at the bandwidth of `Tensor.copy_` between two buffers of "
    "that size that are there already. The peer adds dictionaries of tensors name by name and ends with "
    "`load_state_dict`: with its vectors read from disk by `torch.load` (warm), with vectors already in memory, and "
    "with each vector made from two checkpoints, as in the original task_vectors code."
)
FULL_COUNTS, TINY_COUNTS = (1, 2, 4, 8), (1, 4, 8)
JUDGED = 4  # vectors in the targets
FLOOR_LIMIT, PEER_LIMIT, TINY_LIMIT_MS = 1.5, 20, 5


def run(context: Context) -> list[Measurement]:
    tiny = context.tiny
    found = _size(context, "tiny-CLAP", tiny.checkpoint.pretrained, tiny.vectors, TINY_COUNTS)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        pretrained, vectors = random_edits(full_layout(), max(FULL_COUNTS))
    return found + _size(context, "full size", pretrained, vectors, FULL_COUNTS)


def _size(
    context: Context, size: str, pretrained: Weights, vectors: dict[str, TaskVector], counts: tuple[int, ...]
) -> list[Measurement]:
    """Everything about one size of tower."""
    full = size == "full size"
    target_buffer = torch.zeros_like(pretrained.buffer)
    copying = {
        "in place": lambda: target_buffer.copy_(pretrained.buffer),
        "new": lambda: pretrained.buffer.clone(),
    }
    what = f"{size}, {pretrained.layout.size / 1e6:.1f} M parameters"
    copied = in_turn(copying, context.repeats(30, 5), warm_up=2)
    found = [
        measured(f"{what}: a copy of the buffer", "ms", copied["in place"]),
        measured(f"{what}: a copy into a new buffer", "ms", copied["new"]),
    ]
    if context.quick:
        counts = tuple(n for n in counts if n <= JUDGED)
    paths = _save(context.folder / f"rebuild-{size}", pretrained, vectors, max(counts))
    shell = Shell(pretrained.tensors())
    for n in counts:
        found += _count(context, what, pretrained, vectors, n, copying["in place"], paths, shell, full)
    return found


def _count(
    context: Context,
    what: str,
    pretrained: Weights,
    vectors: dict[str, TaskVector],
    n: int,
    copy: Callable[[], object],
    paths: list[Path],
    shell: Shell,
    full: bool,
) -> list[Measurement]:
    """`n` vectors of one size: ours, the floor and the peers in turn."""
    names = list(vectors)[:n]
    base, deltas, scaling_coefs = pretrained.tensors(), [vectors[name].tensors() for name in names], [0.3] * n
    numbers = itertools.count()
    ours = {
        "ours": lambda: apply_recipe(pretrained, vectors, new_recipe("any", names, next(numbers))),
        "copy": copy,
    }
    peers: dict[str, Callable[[], object]] = {
        "ours again": ours["ours"],  # the peers' own disturbance of the caches meets it too
        "dictionaries": lambda: shell.load(edit(base, deltas, scaling_coefs)),
        "dictionaries from disk": lambda: shell.load(edit_from_disk(base, paths[1 : n + 1], scaling_coefs)),
    }
    if n == JUDGED:
        peers["two checkpoints a vector"] = partial(_original, shell, paths, n)
    fast = in_turn(ours, context.repeats(30, 5), warm_up=2)
    slow = in_turn(peers, context.repeats(7, 2))
    label, judged = f"{what}, {n} vector{'s' * (n > 1)}", n == JUDGED
    floor = Peer("memory floor", median(fast["copy"]) * (n + 2) / 2, "times")  # a copy moves two buffers, this n + 2
    if full:
        limit = Target("at most", FLOOR_LIMIT, "ratio") if judged else None
        found = [measured(label, "ms", fast["ours"], peer=floor, target=limit)]
    else:
        found = [measured(label, "ms", fast["ours"], peer=floor, target=Target("at most", TINY_LIMIT_MS))]
    for name in list(peers)[1:]:
        wanted = Target("at least", PEER_LIMIT, "ratio") if full and judged and name.endswith("disk") else None
        found.append(measured(label, "ms", slow["ours again"], peer=Peer(name, median(slow[name])), target=wanted))
    return found


def _original(shell: Shell, paths: list[Path], n: int) -> None:
    shell.load(edit_from_checkpoints(paths[0], paths[1 : n + 1], [0.3] * n))


def _save(folder: Path, pretrained: Weights, vectors: dict[str, TaskVector], n: int) -> list[Path]:
    """The weights and the first `n` vectors as files of `torch.save`, in this order."""
    folder.mkdir()
    paths = []
    for i, tensors in enumerate([pretrained.tensors(), *(v.tensors() for v in list(vectors.values())[:n])]):
        paths.append(folder / f"{i}.pt")
        torch.save({name: tensor.clone() for name, tensor in tensors.items()}, paths[-1])
    return paths
