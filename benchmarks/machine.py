"""The machine of a benchmark: its description, its devices, and its rate of matrix products."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import psutil
import torch

from benchmarks.rows import NotMeasured
from napari_nst.engine.device import choose_precision, describe_device


def machine() -> dict[str, str]:
    """Return a description of the machine."""
    abilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    known = ("avx2", "avx512_f", "avx512_bf16", "amx_bf16", "amx_fp16")
    described = {
        "CPU": _cpu_name(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity")
                     else os.cpu_count()),
        "threads": str(torch.get_num_threads()),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "abilities": " ".join(name for name in known if abilities.get(name)) or "not known",
        "system": platform.platform(),
    }  # fmt: skip
    if torch.cuda.is_available():
        described["GPU"] = describe_device(torch.device("cuda"))
    return described


def versions() -> dict[str, str]:
    """Return the versions that speed depends on."""
    packages = ("napari-nst", "torch", "torchvision", "napari", "numpy")
    return {
        "python": platform.python_version(),
        **{package: metadata.version(package) for package in packages},
    }


def devices(asked: str) -> list[torch.device]:
    """Return the devices to measure: ``auto`` is the CPU, and a CUDA GPU if there is one."""
    if asked == "auto":
        return [torch.device("cpu"), *([torch.device("cuda")] if torch.cuda.is_available() else [])]
    return [torch.device(asked)]


def precision(device: torch.device) -> torch.dtype:
    """Return the number format that the engine chooses on a device."""
    return choose_precision("auto", device)


def name_of(dtype: torch.dtype) -> str:
    """Return a number format's name, such as bfloat16."""
    return str(dtype).removeprefix("torch.")


def wait_for(device: torch.device) -> None:
    """Wait until a CUDA device has finished its work; the CPU always has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def matrix_products(side: int, dtype: torch.dtype, device: torch.device) -> Iterator[None]:
    """Multiply two square matrices at each `next`: 2·side³ floating-point operations."""
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(side, side, generator=generator).to(device, dtype) for _ in range(2))
    product = torch.empty_like(left)
    while True:
        torch.mm(left, right, out=product)
        yield


def need_display() -> None:
    """Raise `NotMeasured` where no window can open."""
    there = ("DISPLAY", "WAYLAND_DISPLAY")
    if sys.platform == "linux" and not any(os.environ.get(name) for name in there):
        raise NotMeasured("there is no display; xvfb-run gives one")


def _cpu_name() -> str:
    described = Path("/proc/cpuinfo")
    if described.exists():
        for line in described.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
