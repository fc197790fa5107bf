"""How many threads torch computes with."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute in one thread within the block. Other threads of Python keep theirs.

    A training in two threads beside a busy core took 69 s instead of 5 s, because its threads wait for each other at
    every step. `torch.set_num_threads` is no help: it also holds for threads that begin later. Where OpenMP is not
    found, nothing is changed.
    """
    set_threads = getattr(ctypes.CDLL(None), "omp_set_num_threads", None) if sys.platform == "linux" else None
    if set_threads is None:
        yield
        return
    before = torch.get_num_threads()
    set_threads(1)
    try:
        yield
    finally:
        set_threads(before)
