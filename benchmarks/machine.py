"""The machine of the figures: features of the CPU, memory, threads and package versions."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from .measurement import in_turn, median

FEATURES = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_bf16", "asimd", "bf16")
PACKAGES = ("torch", "transformers", "gradio", "numpy")
COPY_BYTES = 256 * 2**20  # far beyond the caches


def describe() -> dict[str, Any]:
    """JSON of this machine; no name of host, vendor or model."""
    return {
        "cores": os.cpu_count(),
        "cpu_features": cpu_features(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "torch_threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def cpu_features() -> list[str]:
    """Those of `FEATURES` that the kernel lists for this CPU; empty if it lists nothing."""
    info = Path("/proc/cpuinfo")
    words = set(re.findall(r"\w+", info.read_text())) if info.is_file() else set()
    return [name for name in FEATURES if name in words]


def product_seconds(products: float) -> float:
    """Seconds in which all cores do this number of float32 multiply-adds, at the speed of a large matrix product."""
    side = 1024
    matrix = torch.rand(side, side)
    taken = in_turn({"product": lambda: matrix @ matrix}, repeats=20)["product"]
    return products * median(taken) / 1e3 / side**3


def multiply_adds(forward: Callable[[], object]) -> float:
    """The multiply-adds of the matrix products in a forward pass."""
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        forward()
    return counter.get_total_flops() / 2


def conditions() -> dict[str, float]:
    """How quiet the machine is: load average of the last minute, and GB/s read plus written by `Tensor.copy_`."""
    source, target = torch.ones(COPY_BYTES // 4), torch.zeros(COPY_BYTES // 4)
    taken = in_turn({"copy": lambda: target.copy_(source)}, repeats=5)["copy"]
    bandwidth = 2 * COPY_BYTES / median(taken) / 1e6  # bytes a ms -> GB/s
    return {"load_average": round(os.getloadavg()[0], 2), "copy_gb_per_s": round(bandwidth, 1)}
