"""Progress in the terminal, on stderr: the network that arrives, then a run's steps and tiles."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TYPE_CHECKING, Any, Self

from tqdm import tqdm

from napari_nst.cli import terminal

if TYPE_CHECKING:
    from napari_nst.engine.iteration import Iteration
    from napari_nst.engine.steering import TileDone


class Bars:
    """One bar at a time, for as long as a ``with`` statement lasts.

    Parameters
    ----------
    foretell : bool
        Whether to say what a run will take. What one of several pictures does would be taken for
        the whole.
    """

    def __init__(self, foretell: bool = True) -> None:
        self._foretell = foretell
        self._bar: tqdm[Any] | None = None
        self._about = ""
        self._postfix: dict[str, str] = {}
        self._drawn = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def before(self, message: str, done: int, total: int) -> None:
        """Show what happens before the first step: a download, or a sentence about the run."""
        if not message.endswith("."):
            self.download(message, done, total)
        elif self._foretell:
            self.say(message)

    def say(self, sentence: str) -> None:
        """Print a line above the bar."""
        with tqdm.external_write_mode(file=sys.stderr):
            terminal.say(sentence)

    def download(self, message: str, done: int, total: int) -> None:
        """Show how many bytes of something are there; `total` is 0 where nobody knows."""
        bar = self._showing(message, total or None, unit="B", unit_scale=True, unit_divisor=1000)
        bar.total = total or None
        bar.update(done - bar.n)
        if 0 < total == done:
            bar.refresh()

    def step(self, iteration: Iteration) -> None:
        """Show a step of a run, its rate, loss and working size."""
        is_first = self._about != "step"
        bar = self._showing("step", iteration.steps, unit=" step")
        if is_first:
            # The bar appears with the first step done, but the rate counts from the run's start.
            bar.start_t -= iteration.seconds
        # tqdm takes every step for as long as the last; those of finer scales are longer.
        left = tqdm.format_interval(iteration.seconds_left)
        counts = "{n_fmt}/{total_fmt} [{elapsed}<" + left + ", {rate_fmt}{postfix}]"
        bar.bar_format = "{l_bar}{bar}| " + counts
        height, width = iteration.shape
        loss = f"{iteration.losses['total']:.4g}"
        if iteration.panels:
            bar.set_description(iteration.panels[iteration.panel], refresh=False)
        self._postfix = {"loss": loss, "size": f"{width}x{height}"}
        bar.set_postfix(self._postfix, refresh=False)
        bar.update(iteration.step - bar.n)

    def tile(self, tile: TileDone) -> None:
        """Show how far the step under way is."""
        if self._bar is None or self._about != "step":  # nobody knows yet how many steps there are
            bar = self._showing(f"step {tile.step}", tile.total, unit=" tile", leave=False)
            bar.update(tile.done - bar.n)
            return
        self._bar.set_postfix(self._postfix | {"tile": f"{tile.done}/{tile.total}"}, refresh=False)
        now = time.monotonic()
        if now - self._drawn >= self._bar.mininterval:
            self._drawn = now
            self._bar.refresh()

    def close(self) -> None:
        """Leave the bar as it is now and go to the next line."""
        if self._bar is not None:
            self._bar.close()
        self._bar, self._about = None, ""

    def _showing(self, about: str, total: int | None, **looks: Any) -> tqdm[Any]:
        if self._bar is None or self._about != about:
            self.close()
            # In a file that collects stderr, each state of the bar takes a line's worth of text.
            pause = 0.1 if sys.stderr.isatty() else 10.0
            self._about = about
            self._bar = tqdm(
                total=total, desc=about, file=sys.stderr, mininterval=pause, maxinterval=pause,
                # Left to itself tqdm shows nothing on terminals that do not know their size.
                ncols=shutil.get_terminal_size((80, 24)).columns, nrows=24, **looks,
            )  # fmt: skip
        return self._bar
