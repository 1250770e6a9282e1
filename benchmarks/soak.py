"""Count what grows in a real window during thousands of iterations with history and steering.

    make soak

It prints what grows: memory, Python objects, threads, timers and connections. The window is real;
under Xvfb its OpenGL is software.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.window import Window

SETTLED = 1000
"""Iterations after which a run has filled its history, its caches and L-BFGS's memory."""


@dataclass(frozen=True)
class Sample:
    """What a window and its process hold at one iteration."""

    step: int
    megabytes: float  # resident memory
    threads: int  # of Python and of libraries
    python_threads: int
    timers: int  # of Qt, in the window
    connections: int  # callbacks of the viewer's and its layers' events
    layers: int
    objects: int  # that Python's garbage collector follows
    tensors: int  # among them


def sample(window: Window, step: int) -> Sample:
    """Count what the window and the process hold now."""
    import psutil
    from qtpy.QtCore import QTimer

    gc.collect()
    process, viewer = psutil.Process(), window.viewer
    emitters = [viewer.events, viewer.dims.events, viewer.scene.camera.events, viewer.layers.events]
    emitters += [layer.events for layer in viewer.layers]
    objects, tensors = count_objects()
    return Sample(
        step=step,
        megabytes=process.memory_info().rss / 1e6,
        threads=process.num_threads(),
        python_threads=threading.active_count(),
        timers=len(viewer.window._qt_window.findChildren(QTimer)),
        connections=sum(map(_callbacks, emitters)),
        layers=len(viewer.layers),
        objects=objects,
        tensors=tensors,
    )


def count_objects() -> tuple[int, int]:
    """Return the number of objects that the garbage collector follows, and of tensors among them.

    Other threads wait meanwhile: the list of all objects also holds a tuple that a thread is just
    building, and CPython raises a SystemError in that thread if it goes on.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(5)
    time.sleep(0.01)  # a thread that waits already still has the former interval
    try:
        objects = gc.get_objects()
        tensors = sum(type(one).__name__ == "Tensor" for one in objects)
        return len(objects), tensors
    finally:
        del objects
        sys.setswitchinterval(before)


def _callbacks(group: Any) -> int:
    """Return the number of callbacks of a group of events, of napari's own kind or psygnal's."""
    if hasattr(group, "emitters"):
        return len(group.callbacks) + sum(len(one.callbacks) for one in group.emitters.values())
    return len(group) + sum(len(group[name]) for name in group.signals)


def soak(size: int, steps: int, every: int, megabytes: int = 2) -> list[Sample]:
    """Run `steps` iterations with everything on; return a sample for every `every` iterations.

    Between two samples, the style weight is changed once, and the history is shown at some step.
    The losses are Gram matrices of the lower layers: quick, so that the window has much to draw.
    """
    from qtpy.QtCore import QEventLoop, QTimer

    window = Window(size, steps)
    window.turn_everything_on()
    # Otherwise the run works at the content's own size, whatever `size` is.
    window.widget.guides.keep_unlabelled.value = False
    widget, loop, samples = window.widget, QEventLoop(), list[Sample]()
    widget.history_budget.value = megabytes  # soon full, and thinned out many times
    fields = widget.recipe_controls.fields
    fields["style_loss"].value = "gram"
    fields["style_layers"].value = "relu1_1, relu2_1"
    fields["content_layers"].value = "relu2_1"
    fields["phases"].value = ""  # another phase would have other tensors

    def look() -> None:
        if not widget.running:
            loop.quit()
            return
        newest = widget.panel.active.newest
        if newest is None or newest.step < every * (len(samples) + 1):
            return
        samples.append(sample(window, newest.step))
        print(f"step {newest.step} of {steps}, {newest.seconds:.0f} s", file=sys.stderr)
        widget.style_weight.value = widget.style_weight.value * (1.25 if len(samples) % 2 else 0.8)
        widget.panel.plot.picked.emit(newest.step // 2)

    timer = QTimer()
    timer.timeout.connect(look)
    timer.start(20)
    widget.start()
    loop.exec()
    timer.stop()
    samples.append(sample(window, steps))
    taken, text = len(widget.panel.runner.losses), widget.status_text
    window.viewer.close()
    if taken < steps:
        raise SystemExit(f"The run ended early: {text}")
    return samples


def slope(samples: list[Sample], name: str) -> float:
    """Return the growth of a figure per iteration, by least squares."""
    steps = [one.step for one in samples]
    values = [float(getattr(one, name)) for one in samples]
    middle, mean = sum(steps) / len(steps), sum(values) / len(values)
    spread = sum((step - middle) ** 2 for step in steps)
    if not spread:
        return math.nan
    pairs = zip(steps, values, strict=True)
    return sum((step - middle) * (value - mean) for step, value in pairs) / spread


def main() -> None:
    """Print the figures; with ``--json FILE`` write all samples too."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--size", type=int, default=64, help="longest side in pixels")
    parser.add_argument("--json", type=Path, help="write all samples to this file")
    arguments = parser.parse_args()
    samples = soak(arguments.size, arguments.steps, every=max(20, arguments.steps // 50))
    # Without the last step, after which the run has freed its tensors.
    begin = min(SETTLED, arguments.steps // 2)
    settled = [one for one in samples if begin <= one.step < arguments.steps]
    first, last = settled[0], settled[-1]
    figures: dict[str, Any] = {
        "iterations": arguments.steps,
        "memory, kB per iteration": 1e3 * slope(settled, "megabytes"),
        "Python objects per iteration": slope(settled, "objects"),
    }
    for name in ("tensors", "threads", "python_threads", "timers", "connections", "layers"):
        figures[f"{name} at iteration {first.step}, {last.step}"] = [
            getattr(one, name) for one in (first, last)
        ]
    print(json.dumps(figures, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(one) for one in samples], indent=1) + "\n")


if __name__ == "__main__":
    main()
