"""The same run in a napari window and from the terminal, by turns of a few iterations.

    python -m benchmarks.pace 512 8 12 cpu

prints the seconds of an iteration of both as JSON: at 512 px, 12 turns of 8. One of them stands
still while the other goes on, since a machine may well be twice as fast a minute later.
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
    """A run of a process of its own, which stands still but for its turns."""

    def __init__(self, folder: Path, size: int, steps: int, device: str) -> None:
        from napari_nst.io.write_image import write_image
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
        """Go on for so many iterations, and return the mean seconds of all but the first."""
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
    """A run of a napari window, which is paused but for its turns."""

    def __init__(self, size: int, steps: int, device: str) -> None:
        self._window = Window(size, steps, device)
        self._window.settle()
        self._panel = self._window.widget.panel
        self._window.widget.start()
        self._panel.active.pause(True)

    def take_turn(self, iterations: int) -> float:
        """Go on for so many iterations, and return the mean seconds of all but the first."""
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
    """Let the window live until something is so."""
    from qtpy.QtCore import QEventLoop, QTimer

    loop, timer = QEventLoop(), QTimer()
    timer.timeout.connect(lambda: is_so() and loop.quit())
    timer.start(10)
    loop.exec()
    timer.stop()


def pace(size: int, iterations: int, turns: int, device: str) -> dict[str, float]:
    """Seconds of an iteration from the terminal, and as many times more as it takes in the window.

    Both are medians over the turns: of the former, and of the ratio of two turns in succession.
    """
    found: list[tuple[float, float]] = []
    steps = (iterations + 2) * (turns + 1)  # a pause is heard an iteration later
    with tempfile.TemporaryDirectory() as folder:
        window = InWindow(size, steps, device)
        terminal = InTerminal(Path(folder), size, steps, device)
        for _ in range(turns + 1):
            found.append((window.take_turn(iterations), terminal.take_turn(iterations)))
        window.end()
        terminal.end()
    _, *told = found  # while the first turn goes on, all is loaded
    seconds = statistics.median(there for _, there in told)
    return {"terminal": seconds, "window": seconds * statistics.median(a / b for a, b in told)}


if __name__ == "__main__":
    *numbers, device = sys.argv[1:]
    print(json.dumps(pace(*map(int, numbers), device)))
