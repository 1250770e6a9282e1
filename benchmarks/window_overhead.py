"""The same run in a napari window and from the terminal, alternating after a few iterations.

    python -m benchmarks.window_overhead 512 8 12 cpu

prints the seconds per iteration of both as JSON: at 512 px, 12 turns of 8 iterations. One run is
paused while the other continues, because the speed of a machine may double within a minute.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from benchmarks.window import Window


class InTerminal:
    """A run in its own process, suspended between its turns."""

    def __init__(self, folder: Path, size: int, steps: int, device: str) -> None:
        from napari_nst.io.image_files.write_image import write_image
        from napari_nst.viewer.samples import content_and_style

        (content, *_), (style, *_) = content_and_style()
        for name, image in (("content", content), ("style", style)):
            write_image(folder / f"{name}.png", image)
        self._log = folder / "run.jsonl"
        self._process = psutil.Popen(
            [
                *(sys.executable, "-m", "napari_nst", "stylize", "content.png", "style.png"),
                *("-o", "out.png", "--log", self._log.name, "--size", str(size)),
                *("--min-size", "0", "--steps", str(steps), "--device", device),
            ],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def take_turn(self, iterations: int) -> float:
        """Continue for so many iterations, and return the mean seconds of all but the first."""
        before = len(self._seconds())
        self._process.resume()
        while len(self._seconds()) < before + iterations:
            if self._process.poll() is not None:
                raise RuntimeError("The run from the terminal ended before its time.")
            time.sleep(0.02)
        self._process.suspend()
        first, *_, last = self._seconds()[before : before + iterations]
        return (last - first) / (iterations - 1)

    def end(self) -> None:
        """End the run."""
        self._process.kill()
        self._process.wait()

    def _seconds(self) -> list[float]:
        lines = self._log.read_text().splitlines(keepends=True) if self._log.exists() else []
        return [json.loads(line)["seconds"] for line in lines if line.endswith("\n")]


class InWindow:
    """A run in a napari window, paused between its turns."""

    def __init__(self, size: int, steps: int, device: str) -> None:
        self._window = Window(size, steps, device)
        self._window.settle()
        self._panel = self._window.widget.panel
        self._window.widget.start()
        self._panel.active.pause(True)

    def take_turn(self, iterations: int) -> float:
        """Continue for so many iterations, and return the mean seconds of all but the first."""
        at: dict[int, float] = {}
        run = self._panel.active
        before = run.newest.step if run.newest else 0

        def note() -> bool:
            if run.newest and run.newest.step > before:
                at.setdefault(run.newest.step, run.newest.seconds)
            return bool(at) and max(at) >= before + iterations

        self._panel.runner.pause()
        _turn_until(note)
        self._panel.runner.pause()
        _turn_until(lambda: run.holding)
        first, last = min(at), max(at)
        return (at[last] - at[first]) / (last - first)

    def end(self) -> None:
        """End the run."""
        self._panel.runner.stop()
        _turn_until(lambda: not self._window.widget.running)
        self._window.viewer.close()


def _turn_until(is_so: Callable[[], bool]) -> None:
    """Run the event loop until a condition holds."""
    from qtpy.QtCore import QEventLoop, QTimer

    loop, timer = QEventLoop(), QTimer()
    timer.timeout.connect(lambda: is_so() and loop.quit())
    timer.start(10)
    loop.exec()
    timer.stop()


def overhead(size: int, iterations: int, turns: int, device: str) -> dict[str, float]:
    """Return the seconds per iteration from the terminal and in the window.

    The first is the median over the turns, the second that times the median ratio of two
    successive turns.
    """
    found: list[tuple[float, float]] = []
    steps = (iterations + 2) * (turns + 1)  # a pause takes effect one iteration later
    with tempfile.TemporaryDirectory() as folder:
        window = InWindow(size, steps, device)
        terminal = InTerminal(Path(folder), size, steps, device)
        for _ in range(turns + 1):
            found.append((window.take_turn(iterations), terminal.take_turn(iterations)))
        window.end()
        terminal.end()
    _, *measured = found  # libraries are loaded during the first turn
    seconds = statistics.median(there for _, there in measured)
    return {"terminal": seconds, "window": seconds * statistics.median(a / b for a, b in measured)}


if __name__ == "__main__":
    size, iterations, turns = map(int, sys.argv[1:4])
    print(json.dumps(overhead(size, iterations, turns, sys.argv[4])))
