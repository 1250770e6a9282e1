"""The time and memory that a run estimates, and those that it takes.

    python -m benchmarks.estimates 384 150 cpu

runs the default recipe in a process of its own and prints both as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace

import psutil
import torch

import napari_nst as nst
from benchmarks.machine import name_of, precision
from benchmarks.memory import largest_resident
from benchmarks.rows import NotMeasured, Row
from benchmarks.setting import Setting, images, weights


def compared(setting: Setting) -> Iterator[Row]:
    """Estimated time and memory of the default recipe ÷ measured ones."""
    recipe = nst.preset("default")
    size, steps = (192, 40) if setting.quick else (recipe.size, recipe.steps)
    command = [sys.executable, "-m", "benchmarks.estimates", str(size), str(steps)]
    done = subprocess.run([*command, str(setting.device)], capture_output=True, text=True)
    if done.returncode:
        raise NotMeasured(f"the run failed: {done.stderr.strip().splitlines()[-1]}")
    found = json.loads(done.stdout)
    row = Row(
        what="estimate ÷ measured",
        size=size,
        device=str(setting.device),
        precision=name_of(precision(setting.device)),
        at_least=0.8,
        at_most=1.2,
    )
    for kind, unit in (("time", "s"), ("memory", "MB")):
        estimate, measured = found[kind]
        remark = "a run this short makes no estimate" if estimate is None else ""
        what = f"{kind} estimate ÷ measured"
        yield replace(row, what=what, unit=unit, ours=estimate, other=measured, remark=remark)


def estimated_and_measured(size: int, steps: int, device: str) -> dict[str, list[float | None]]:
    """Run, and return estimated and measured seconds, and millions of bytes."""
    recipe = nst.preset("default", size=size, steps=steps, device=device)
    pictures = images(size)
    weights()
    before = psutil.Process().memory_info().rss
    run = nst.stylize(*pictures, recipe)
    first = next(run)
    began = time.perf_counter()
    for _ in run:
        pass
    seconds = (time.perf_counter() - began) * steps / (steps - 1)
    is_gpu = device.startswith("cuda")
    measured = torch.cuda.max_memory_allocated() if is_gpu else largest_resident() - before
    estimate = first.facts["forecast"]
    return {
        "time": [estimate["seconds"], seconds],
        "memory": [estimate["bytes"] / 1e6, measured / 1e6],
    }


if __name__ == "__main__":
    print(json.dumps(estimated_and_measured(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])))
