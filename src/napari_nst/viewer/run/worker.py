"""Background threads: one run, or one function."""

from __future__ import annotations

import importlib.util
import math
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import napari
from napari.qt.threading import FunctionWorker, create_worker

from napari_nst.engine.steering import Steering, TileDone
from napari_nst.errors import Cancelled, NstError
from napari_nst.viewer.loss_plot.trace import LossTrace
from napari_nst.viewer.run.request import Progress
from napari_nst.viewer.settings.preferences import apply_cache_folder

if TYPE_CHECKING:
    from napari_nst.engine.iteration import Iteration
    from napari_nst.viewer.layers.live_pixels import LivePixels

IsClosing = Callable[[], bool]  # says whether the window closes; the function has to end then


def run_in_background(
    function: Callable[[IsClosing], Any],
    *,
    viewer: Any = None,  # the function ends when its window closes; None: the last active one
    failed: Callable[[Exception], object],
    finished: Callable[[], object],  # called in any case, after `returned` or `failed`
    returned: Callable[[Any], object] | None = None,
) -> None:
    """Call a function in a thread; the other functions are called in the main thread."""
    apply_cache_folder()
    keep_triton_out()
    # napari ends the function when the window that was last active closes. A program, or a user of
    # a floating panel, may start a run in another window.
    model = getattr(viewer, "__wrapped__", viewer)
    if napari.current_viewer() is not model and hasattr(model, "window"):
        model.window.activate()
    # napari keeps each worker until its window closes: the list lets go of the function and its
    # tensors. No generator: napari's worker for generators hides RuntimeErrors, such as torch's.
    waiting = [function]
    worker: Any = create_worker(
        lambda: waiting.pop()(lambda: bool(worker.abort_requested)),  # type: ignore[arg-type]
        _start_thread=False,
        _ignore_errors=True,
        _worker_class=_Worker,
    )
    if returned is not None:
        worker.returned.connect(returned)
    worker.errored.connect(failed)
    worker.finished.connect(finished)
    worker.start()


class _Worker(FunctionWorker[Any]):
    """A worker that does not change the warning filters, as napari's does for the whole process."""

    def run(self) -> None:
        """Call the function, in the worker's thread, and emit the signals of napari's worker."""
        # A program that ends without napari's event loop deletes the signals before the function
        # has ended; an error from here would abort the process.
        with suppress(RuntimeError):
            self._call_and_emit()

    def _call_and_emit(self) -> None:
        self.started.emit()
        self._running = True
        try:
            result = self.work()
            if not self.abort_requested:
                self.returned.emit(result)
        except Exception as error:  # noqa: BLE001
            self.errored.emit(error)
        self._running = False
        self.finished.emit()
        self._finished.emit(self)


def keep_triton_out() -> None:
    """Make `import triton` fail where it would crash the process."""
    # Beside Mesa's LLVM, which napari's canvas has loaded, triton's LLVM ends the process with a
    # segmentation fault. Torch imports triton for an optimizer, but works without.
    if "triton" in sys.modules or importlib.util.find_spec("triton") is None:
        return
    maps = Path("/proc/self/maps")
    if maps.exists() and "libLLVM" in maps.read_text(errors="replace"):
        sys.modules["triton"] = None  # type: ignore[assignment]


class _RunSteering(Steering):
    """Also stops a run when its window closes, which may happen within an iteration."""

    def __init__(self, run: RunThread) -> None:
        super().__init__(run.note, run.on_tile)
        self._run = run

    @property
    def stopped(self) -> bool:
        return super().stopped or self._run.is_closing()


class RunThread:
    """One run in a thread, and its state as the main thread sees it."""

    def __init__(
        self,
        start: Callable[[Progress, Steering], Iterator[Iteration]],
        losses: LossTrace | None = None,
        watch: Callable[[Iteration], None] | None = None,
        drawn: LivePixels | None = None,
    ) -> None:
        self._start = start
        self._watch = watch
        self._drawn = drawn
        self._resumed = threading.Event()
        self._resumed.set()
        self.is_closing: IsClosing = lambda: False
        self.steering: Steering = _RunSteering(self)
        self.losses = LossTrace() if losses is None else losses  # of every iteration
        self.newest: Iteration | None = None
        self.picture: Iteration | None = None  # the newest whose image is ready to be displayed
        self.tile: TileDone | None = None  # the last of the current step, without its pixels
        # The last iterations of finished images, if a run makes several: for the main thread.
        self.completed: deque[Iteration] = deque()
        self.notices: deque[str] = deque(maxlen=2)  # changes that were not possible
        self.message, self.done, self.total = "Loading torch", 0, 0  # before the first iteration
        self.forecast = ""  # a sentence that says what the run will take
        self.paused_seconds = 0.0
        self.holding = False  # whether the thread waits, so that the user may paint
        self.failed = False
        self.picture_wanted = True  # whether the next iteration is to be prepared for a drawing
        self._arrived = 0.0
        self._recent: deque[float] = deque(maxlen=20)

    def stop(self) -> None:
        """Ask the run to end within its current iteration."""
        self.steering.stop()
        self._resumed.set()

    def pause(self, paused: bool) -> None:
        """Pause the run after its current iteration, or resume it."""
        if paused:
            self._resumed.clear()
        else:
            self._resumed.set()

    @property
    def paused(self) -> bool:
        """Whether the run is paused, or will be after this iteration."""
        return not self._resumed.is_set()

    @property
    def stopping(self) -> bool:
        """Whether the run was asked to end."""
        return self.steering.stopped

    def note(self, sentence: str) -> None:
        """Add a sentence to those below the buttons; called from both threads."""
        if sentence not in self.notices:
            self.notices.append(sentence)

    @property
    def state(self) -> tuple[object, ...]:
        """What is drawn of the run, without pixels: it is drawn again when this changes."""
        step = 0 if self.newest is None else self.newest.step
        flags = self.paused, self.holding, self.stopping
        return step, self.tile, self.message, self.done, tuple(self.notices), flags

    @property
    def rate(self) -> float:
        """Iterations per second, over the last few."""
        recent = tuple(self._recent)  # the thread may empty it at any moment
        if len(recent) < 2:
            return 0.0
        return (len(recent) - 1) / max(recent[-1] - recent[0], 1e-9)

    @property
    def seconds_left(self) -> float:
        """Estimated time to the end, without pauses."""
        if self.newest is None:
            return math.inf
        busy = 1 - self.paused_seconds / max(self.newest.seconds, 1e-9)
        return self.newest.seconds_left * busy - (time.perf_counter() - self._arrived)

    def work(self, is_closing: IsClosing = lambda: False) -> None:
        """Run to the end, or until asked to stop."""
        self.is_closing = is_closing
        try:
            self._follow(self._start(self._report, self.steering))
        except Cancelled:
            return
        except Exception as error:
            self.failed = True
            if not isinstance(error, RuntimeError):
                raise
            raise NstError(f"The run failed: {error}") from error

    def on_tile(self, tile: TileDone) -> None:
        """Draw a tile of the current step."""
        self.tile = replace(tile, pixels=None)
        if self._drawn is not None and self.newest is not None:
            self._drawn.draw_tile(tile, self.newest)

    def _follow(self, iterations: Iterator[Iteration]) -> None:
        before = None
        try:
            for newest in iterations:
                self.losses.mark(before, newest)
                if before is not None and before.panel != newest.panel:
                    _ = before.picture  # cached
                    self.picture = before
                    self.completed.append(before)
                self.losses.append(newest.losses)
                self.tile = None  # first: a reader would count a tile of the step that is over
                self.newest = before = newest
                self._arrived = time.perf_counter()
                self._recent.append(newest.seconds)
                self._prepare_picture(newest)
                if self._watch is not None:
                    self._watch(newest)
                self._hold(newest)
                if self.stopping:
                    return
        finally:
            if close := getattr(iterations, "close", None):
                close()
            self.tile = None
            if self.newest is not None:  # removes the tiles of an unfinished step
                self._draw(self.newest)

    def _prepare_picture(self, newest: Iteration) -> None:
        wanted = self.picture_wanted and (self._drawn is None or self._drawn.is_due())
        if wanted or self.paused or newest.step == newest.steps:
            self.picture_wanted = False
            self._draw(newest)

    def _draw(self, iteration: Iteration) -> None:
        """Convert the image of an iteration here, so that the main thread need not."""
        if self._drawn is None:
            _ = iteration.picture  # cached
        else:
            self._drawn.draw(iteration)
        self.picture = iteration

    def _hold(self, newest: Iteration) -> None:
        if not self.paused:
            return
        if self.picture is not newest:  # paused after `_prepare_picture` had decided
            self._draw(newest)
        began = time.perf_counter()
        self.holding = True
        while not self._resumed.wait(timeout=0.1) and not self.is_closing():
            pass
        self.holding = False
        self.paused_seconds += time.perf_counter() - began
        self._recent.clear()
        self._arrived = time.perf_counter()

    def _report(self, message: str, done: int = 0, total: int = 0) -> None:
        if self.stopping:
            raise Cancelled("Stopped by the user.")
        self.message, self.done, self.total = message, done, total
        if message.endswith("."):  # a whole sentence is the estimate of what the run will take
            self.forecast = message
