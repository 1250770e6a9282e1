"""A run in a worker thread: every iteration's losses are kept, the newest picture is there to take.

The viewer polls. Nothing but Qt's own life-cycle signals crosses the threads, so no queue can grow
when the window is busy, and the optimiser never waits for the screen.
"""

from __future__ import annotations

import gc
import math
import threading
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from napari_nst.errors import Cancelled, NstError

if TYPE_CHECKING:
    from napari_nst.engine.optimize import Iteration

Progress = Callable[[str, int, int], None]


class LossTrace:
    """The losses of every iteration, by name; eight bytes per number, not a dict per step."""

    def __init__(self) -> None:
        self.columns: dict[str, array[float]] = {}

    def append(self, losses: dict[str, float]) -> None:
        """Keep the losses of one iteration; the first says which parts there are."""
        for name, value in losses.items():
            self.columns.setdefault(name, array("d")).append(value)

    def __len__(self) -> int:
        return len(self.columns.get("total", ()))


class Run:
    """One run, seen from both threads.

    Parameters
    ----------
    start : callable
        Called in the worker thread with a progress callback; returns the iterations. Whatever is
        slow (importing torch, reading layers, fetching weights) belongs into it.

    Attributes
    ----------
    losses : LossTrace
        Of every iteration so far.
    newest, picture : Iteration or None
        The last iteration so far, and the last whose image is ready to be drawn.
    message : str
        What is happening before the first iteration, with `done` of `total` where known.
    """

    def __init__(self, start: Callable[[Progress], Iterator[Iteration]]) -> None:
        self._start = start
        self._stop = threading.Event()
        self._go_on = threading.Event()
        self._go_on.set()
        self.losses = LossTrace()
        self.newest: Iteration | None = None
        self.picture: Iteration | None = None
        self._picture_wanted = True
        self.message, self.done, self.total = "Loading torch", 0, 0
        self.paused_seconds = 0.0
        self.failed = False
        self._recent: deque[float] = deque(maxlen=20)
        self.quit_requested: Callable[[], bool] = lambda: False

    # ── called by the viewer ─────────────────────────────────────────────────────────────────

    def stop(self) -> None:
        """Ask the run to end after the iteration it is in."""
        self._stop.set()
        self._go_on.set()

    def pause(self, paused: bool) -> None:
        """Hold the run after the iteration it is in, or let it go on."""
        if paused:
            self._go_on.clear()
        else:
            self._go_on.set()

    @property
    def paused(self) -> bool:
        """Whether the run holds, or will after this iteration."""
        return not self._go_on.is_set()

    @property
    def stopping(self) -> bool:
        """Whether the run was asked to end."""
        return self._stop.is_set() or self.quit_requested()

    def want_picture(self) -> None:
        """Ask for the image of the next iteration; fetching it is not the window's work."""
        self._picture_wanted = True

    @property
    def rate(self) -> float:
        """Iterations per second, over the last few."""
        recent = tuple(self._recent)  # the worker thread may empty it at any moment
        if len(recent) < 2:
            return 0.0
        return (len(recent) - 1) / max(recent[-1] - recent[0], 1e-9)

    @property
    def seconds_left(self) -> float:
        """Estimated time to the end, pauses left out."""
        if self.newest is None:
            return math.inf
        busy = 1 - self.paused_seconds / max(self.newest.seconds, 1e-9)
        return self.newest.seconds_left * busy

    # ── called in the worker thread ──────────────────────────────────────────────────────────

    def work(self) -> Iterator[None]:
        """Run to the end or until asked to stop; yields after each step so that napari can quit.

        A run that stops returns, it is not aborted: an aborted generator would never be closed,
        and keep the network and the optimiser's memory for the life of the window.
        """
        try:
            iterations = self._start(self._report)
            try:
                for self.newest in iterations:
                    if len(self.losses) == 0:
                        # Python would go through all that torch has loaded at some moment of the
                        # run, for half a second; now is when nobody minds.
                        gc.collect()
                    self.losses.append(self.newest.losses)
                    self._recent.append(self.newest.seconds)
                    self._prepare_picture(self.newest)
                    self._hold()
                    if self.stopping:
                        return
                    yield
            finally:
                if close := getattr(iterations, "close", None):
                    close()
        except Cancelled:
            return
        except Exception as error:
            self.failed = True
            if not isinstance(error, RuntimeError):
                raise
            # napari's worker swallows RuntimeErrors without a word, and stays busy for ever.
            raise NstError(f"The run failed: {error}") from error

    def _prepare_picture(self, newest: Iteration) -> None:
        if self._picture_wanted or self.paused or newest.step == newest.steps:
            self._picture_wanted = False
            _ = newest.picture  # computed once, here
            self.picture = newest

    def _hold(self) -> None:
        if not self.paused:
            return
        began = time.perf_counter()
        while not self._go_on.wait(timeout=0.1) and not self.quit_requested():
            pass
        self.paused_seconds += time.perf_counter() - began
        self._recent.clear()

    def _report(self, message: str, done: int = 0, total: int = 0) -> None:
        if self.stopping:
            raise Cancelled("Stopped by the user.")
        self.message, self.done, self.total = message, done, total
