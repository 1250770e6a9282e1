"""A run in a worker thread: every iteration's losses are kept, the newest picture is there to take.

The viewer polls. Nothing but Qt's own life-cycle signals crosses the threads, so no queue can grow
when the window is busy, and the optimiser waits for no drawing but one that is going on: see
`RunSteering.making_way`.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING

from napari_nst.errors import Cancelled, NstError
from napari_nst.viewer.loss_plot.trace import LossTrace
from napari_nst.viewer.run.loading import load_torch, without_long_collections
from napari_nst.viewer.run.request import Progress
from napari_nst.viewer.run.run_steering import RunSteering

if TYPE_CHECKING:
    from napari_nst.engine.iteration import Iteration
    from napari_nst.engine.steering import Steering, TileDone
    from napari_nst.viewer.layers.live_pixels import LivePixels

Start = Callable[[Progress, "Steering"], Iterator["Iteration"]]


class RunThread:
    """One run, seen from both threads.

    Parameters
    ----------
    start : callable
        Called in the worker thread with a progress callback and the steering; returns the
        iterations. Whatever is slow (importing torch, reading layers, fetching weights) belongs
        into it. A message that is a whole sentence says what the run will take.
    losses : LossTrace, optional
        Of an earlier run that this one goes on from.
    watch : callable, optional
        Called in the worker thread with every iteration.
    drawn : LivePicture, optional
        What iterations, and tiles of those to come, are drawn into.

    Attributes
    ----------
    losses : LossTrace
        Of every iteration so far.
    steering : Steering
        Takes what the user changes to the run.
    newest, picture : Iteration or None
        The last iteration so far, and the last whose image is ready to be drawn.
    tile : TileDone or None
        The last tile of the step under way, without its pixels; None where there is none.
    completed : deque of Iteration
        The last iteration of each of several pictures made in turn, but for the one in the making:
        for whoever draws to take, who may have looked at none of them in time.
    holding : bool
        Whether the worker thread waits, so that nothing changes the picture but the user.
    notices : deque of str
        What became of changes that the user wanted, where that is not what was wanted.
    message : str
        What is happening before the first iteration, with `done` of `total` where known.
    forecast : str
        What the run will take, in a sentence; "" while unknown.
    """

    def __init__(
        self,
        start: Start,
        losses: LossTrace | None = None,
        watch: Callable[[Iteration], None] | None = None,
        drawn: LivePixels | None = None,
    ) -> None:
        self._start = start
        self._watch = watch
        self._drawn = drawn
        self._stop = threading.Event()
        self._go_on = threading.Event()
        self._go_on.set()
        self.losses = LossTrace() if losses is None else losses
        self.steering = RunSteering(self.note, self._on_tile, lambda: self.quit_requested())
        self.notices: deque[str] = deque(maxlen=2)
        self.newest: Iteration | None = None
        self.picture: Iteration | None = None
        self.tile: TileDone | None = None
        self.completed: deque[Iteration] = deque()
        self._picture_wanted = True
        self.message, self.done, self.total = "Loading torch", 0, 0
        self.forecast = ""
        self.paused_seconds = 0.0
        self.holding = False
        self.failed = False
        self._arrived = 0.0
        self._recent: deque[float] = deque(maxlen=20)
        self.quit_requested: Callable[[], bool] = lambda: False

    # ── called by the viewer ─────────────────────────────────────────────────────────────────

    def stop(self) -> None:
        """Ask the run to end, within the iteration it is in."""
        self._stop.set()
        self.steering.stop()
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

    @property
    def way(self) -> tuple[AbstractContextManager[None], Callable[[], bool]]:
        """In what to draw beside this run, and what says that it wants no processor: once."""
        return (
            self.steering.making_way(),
            lambda: self.steering.stands or self.holding or self.stopping,
        )

    def want_picture(self) -> None:
        """Ask for the image of the next iteration."""
        self._picture_wanted = True

    def note(self, sentence: str) -> None:
        """Have a sentence said as long as the run goes on; from both threads."""
        if sentence not in self.notices:
            self.notices.append(sentence)

    @property
    def news(self) -> tuple[object, ...]:
        """What a report would tell, but for the time that passes: another is worth another one."""
        newest = self.newest  # its number will do: who keeps news would keep its pixels, too
        step = 0 if newest is None else newest.step
        state = self.paused, self.holding, self.stopping
        return step, self.tile, self.message, self.done, tuple(self.notices), state

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
        return self.newest.seconds_left * busy - (time.perf_counter() - self._arrived)

    # ── called in the worker thread ──────────────────────────────────────────────────────────

    def work(self) -> Iterator[None]:
        """Run to the end or until asked to stop; yields after each step so that napari can quit.

        A run that stops returns, it is not aborted: an aborted generator would never be closed,
        and keep the network and the optimiser's memory for the life of the window.
        """
        try:
            with without_long_collections() as loaded:
                load_torch()
                loaded()
                yield from self._follow(self._start(self._report, self.steering), loaded)
        except Cancelled:
            return
        except Exception as error:
            self.failed = True
            if not isinstance(error, RuntimeError):
                raise
            # napari's worker swallows RuntimeErrors without a word, and stays busy for ever.
            raise NstError(f"The run failed: {error}") from error

    def _follow(
        self, iterations: Iterator[Iteration], loaded: Callable[[], None]
    ) -> Iterator[None]:
        before = None
        try:
            for newest in iterations:
                if before is None:  # what was imported on the way here is not garbage, either
                    loaded()
                self.losses.mark(before, newest)
                if before is not None and before.panel != newest.panel:
                    _ = before.picture
                    self.picture = before
                    self.completed.append(before)
                self.losses.append(newest.losses)
                self.newest, self.tile = newest, None
                before, self._arrived = newest, time.perf_counter()
                self._recent.append(newest.seconds)
                self._prepare_picture(newest)
                if self._watch is not None:
                    self._watch(newest)
                self._hold(newest)
                if self.stopping:
                    return
                yield
        finally:
            if close := getattr(iterations, "close", None):
                close()
            self._put_back()

    def _prepare_picture(self, newest: Iteration) -> None:
        wanted = self._picture_wanted and (self._drawn is None or self._drawn.is_due())
        if wanted or self.paused or newest.step == newest.steps:
            self._picture_wanted = False
            self._draw(newest)

    def _draw(self, iteration: Iteration) -> None:
        """Let the image of an iteration be ready; fetching it is not the window's work."""
        if self._drawn is None:
            _ = iteration.picture  # computed once, here
        else:
            self._drawn.draw(iteration)
        self.picture = iteration

    def _put_back(self) -> None:
        """Show the last iteration, without the tiles of the one that has not come to its end."""
        self.tile = None
        if self.newest is not None:
            self._draw(self.newest)

    def _on_tile(self, tile: TileDone) -> None:
        self.tile = replace(tile, pixels=None)
        if self._drawn is not None and self.newest is not None:
            self._drawn.draw_tile(tile, self.newest)

    def _hold(self, newest: Iteration) -> None:
        if not self.paused:
            return
        if self.picture is not newest:  # paused since it was asked whether to prepare one
            self._draw(newest)
        began = time.perf_counter()
        self.holding = True
        while not self._go_on.wait(timeout=0.1) and not self.quit_requested():
            pass
        self.holding = False
        self.paused_seconds += time.perf_counter() - began
        self._recent.clear()
        self._arrived = time.perf_counter()

    def _report(self, message: str, done: int = 0, total: int = 0) -> None:
        if self.stopping:
            raise Cancelled("Stopped by the user.")
        self.message, self.done, self.total = message, done, total
        if message.endswith("."):
            self.forecast = message
