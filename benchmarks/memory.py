"""Peak memory, each run in a process of its own.

    python -m benchmarks.memory textbook 1024 cpu

prints the peak memory of a few steps in bytes, minus the memory that the process took for its
imports and weights: resident memory on the CPU, the memory that torch allocated on CUDA.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import psutil
import torch

from benchmarks.machine import name_of, precision
from benchmarks.rows import NotMeasured, Row
from benchmarks.setting import Setting, images, our_steps, ours, textbook_steps, weights
from benchmarks.speed import RECIPES

STEPS = 3

ADAM_IMAGES = 4
"""Images that Adam needs: the pixels, their gradient, and two moments."""


def peak(setting: Setting) -> Iterator[Row]:
    """Peak memory ÷ textbook's, at 1024 px."""
    size, device = (256 if setting.quick else 1024), setting.device
    other = _measured("textbook", size, device)
    for name, recipe_text in RECIPES.items():
        yield Row(
            what=f"peak memory ÷ textbook's, {recipe_text}",
            size=size,
            device=str(device),
            precision=name_of(precision(device)),
            unit="MB",
            ours=_measured(name, size, device) / 1e6,
            other=other / 1e6,
            at_most=0.5,
            limit=ADAM_IMAGES * 3 * 4 * size**2 / other,
        )


def _measured(who: str, size: int, device: torch.device) -> int:
    command = [sys.executable, "-m", "benchmarks.memory", who, str(size), str(device)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise NotMeasured(f"{who} failed: {done.stderr.strip().splitlines()[-1]}")
    return int(done.stdout)


def _peak_of(who: str, size: int, device: torch.device) -> int:
    setting = Setting(device, (size,))
    images(size), weights()  # before any run
    before = psutil.Process().memory_info().rss
    steps = (
        textbook_steps(setting, size) if who == "textbook" else our_steps(ours(who, size, device))
    )
    for _ in islice(steps, STEPS):
        pass
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return largest_resident() - before


def largest_resident() -> int:
    """Return the peak of this process's resident memory, in bytes."""
    if sys.platform == "linux":  # whose rusage has the parent's peak, too
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    print(_peak_of(sys.argv[1], int(sys.argv[2]), torch.device(sys.argv[3])))
