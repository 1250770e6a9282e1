"""Progress in the terminal, on stderr: the network that arrives, then the steps of a run."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Any, Self

from tqdm import tqdm

if TYPE_CHECKING:
    from napari_nst.engine.optimize import Iteration


class Bars:
    """One bar at a time, for as long as a ``with`` statement lasts."""

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None
        self._about = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

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
        bar.set_postfix(loss=loss, size=f"{width}x{height}", refresh=False)
        bar.update(iteration.step - bar.n)

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
