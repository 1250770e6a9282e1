"""What a run says that it will take, beside what it takes.

    python -m benchmarks.foretold 384 150 cpu

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
from benchmarks.contest import Setting, images, weights
from benchmarks.machine import name_of, precision
from benchmarks.memory import largest_resident
from benchmarks.rows import NotMeasured, Row


def forecasts(setting: Setting) -> Iterator[Row]:
    """Foretold time and memory of the default recipe ÷ what they were."""
    recipe = nst.preset("default")
    size, steps = (192, 40) if setting.quick else (recipe.size, recipe.steps)
    command = [sys.executable, "-m", "benchmarks.foretold", str(size), str(steps)]
    done = subprocess.run([*command, str(setting.device)], capture_output=True, text=True)
    if done.returncode:
        raise NotMeasured(f"the run failed: {done.stderr.strip().splitlines()[-1]}")
    found = json.loads(done.stdout)
    row = Row(
        what="foretold ÷ taken",
        size=size,
        device=str(setting.device),
        precision=name_of(precision(setting.device)),
        at_least=0.8,
        at_most=1.2,
    )
    for kind, unit in (("time", "s"), ("memory", "MB")):
        foretold, taken = found[kind]
        remark = "a run so short says nothing" if foretold is None else ""
        what = f"{kind} foretold ÷ taken"
        yield replace(row, what=what, unit=unit, ours=foretold, other=taken, remark=remark)


def foretold_and_taken(size: int, steps: int, device: str) -> dict[str, list[float | None]]:
    """Run, and return what it foretold and what it took: seconds, and bytes in millions."""
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
    taken = torch.cuda.max_memory_allocated() if is_gpu else largest_resident() - before
    foretold = first.facts["forecast"]
    return {
        "time": [foretold["seconds"], seconds],
        "memory": [foretold["bytes"] / 1e6, taken / 1e6],
    }


if __name__ == "__main__":
    print(json.dumps(foretold_and_taken(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])))
