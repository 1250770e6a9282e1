"""The time to import and to open the widget, and the cost of the window during a run."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from benchmarks.machine import name_of, need_display, precision
from benchmarks.rows import NotMeasured, Row
from benchmarks.setting import Setting

IMPORT = "import time; t = time.perf_counter(); import napari_nst; print(time.perf_counter() - t)"
REPEATS = 5


def importing(setting: Setting) -> Iterator[Row]:
    """Yield the seconds of `import napari_nst`."""
    seconds = [float(_output("-c", IMPORT)) for _ in range(REPEATS)]
    yield Row(what="import napari_nst", ours=statistics.median(seconds), at_most=0.1)


def opening(setting: Setting) -> Iterator[Row]:
    """Yield the seconds of opening the widget in an existing window."""
    need_display()
    repeats = 1 if setting.quick else REPEATS
    opened = [json.loads(_output("-m", "benchmarks.window")) for _ in range(repeats)]
    yield Row(
        what="opening the widget",
        ours=statistics.median(one["seconds"] for one in opened),
        at_most=0.5,
        remark="imports torch" if any(one["torch"] for one in opened) else "without torch",
    )


def streaming(setting: Setting) -> Iterator[Row]:
    """Yield seconds per iteration in a napari window ÷ those from the terminal."""
    need_display()
    size, iterations, turns = (128, 4, 2) if setting.quick else (512, 8, 12)
    options = (str(size), str(iterations), str(turns), str(setting.device))
    seconds: dict[str, Any] = json.loads(_output("-m", "benchmarks.window_overhead", *options))
    yield Row(
        what="iteration in a napari window ÷ from the terminal, our default recipe",
        size=size,
        device=str(setting.device),
        precision=name_of(precision(setting.device)),
        ours=seconds["window"],
        other=seconds["terminal"],
        at_most=1.05,
        limit=1.0,
    )


def _output(*arguments: str) -> str:
    """Return the last line that a fresh interpreter prints."""
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True)
    if done.returncode:
        raise NotMeasured(f"a process failed: {done.stderr.strip().splitlines()[-1]}")
    return done.stdout.strip().splitlines()[-1]
