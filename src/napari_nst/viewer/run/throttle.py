"""How often a run is drawn: at most a twentieth of the time goes into drawing."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QWidget

PAUSE = 20  # a drawing is followed by a pause of this many times its own duration


class Throttle:
    """Decides when something may be drawn again; for one thread only."""

    def __init__(self, interval: float = 0.0, patience: float = math.inf) -> None:
        # Least seconds between two drawings; seconds until a state is drawn again in any case.
        self._interval, self._patience = interval, patience
        self._state: Any = None
        self._began = self._next = -math.inf

    def due(self, state: Any = None, *, at_once: bool = False) -> bool:
        """Return whether to draw a state now, `at_once` without a pause; None counts as new."""
        now = time.perf_counter()
        if state is not None and state == self._state and now < self._began + self._patience:
            return False
        return now >= self._next or (at_once and self._next < math.inf)

    def begin(self, state: Any = None) -> None:
        """Note that a state is being drawn."""
        self._state, self._began, self._next = state, time.perf_counter(), math.inf

    def end(self, *, counts: bool = True) -> None:
        """Note that it is drawn; if that `counts`, a pause follows."""
        now = time.perf_counter()
        # One slow drawing, such as the window's first, keeps no state longer than the patience.
        pause = min(PAUSE * (now - self._began), self._patience) if counts else 0.0
        self._next = max(now + pause, self._began + self._interval)

    @contextmanager
    def drawing(self, state: Any = None) -> Iterator[None]:
        """Measure a drawing that needs no painting by Qt."""
        self.begin(state)
        try:
            yield
        finally:
            self.end()


class RedrawTimer:
    """Redraws the parts of a window that have changed, one per turn of the event loop."""

    def __init__(self, parent: QWidget, is_urgent: Callable[[], bool]) -> None:
        self._is_urgent = is_urgent
        self._parts: list[tuple[Throttle, Callable[[], Any], Callable[[], bool | None]]] = []
        self._timer = QTimer(parent)  # deleted with its parent
        self._timer.timeout.connect(self._redraw)

    def add(
        self, throttle: Throttle, state: Callable[[], Any], draw: Callable[[], bool | None]
    ) -> None:
        """Add a part. `draw` may return False for a drawing that no pause is to follow."""
        self._parts.append((throttle, state, draw))

    def start(self, rate: float) -> None:
        """Look for changes so many times per second."""
        self._timer.start(round(1000 / rate))

    def stop(self) -> None:
        """Redraw nothing any more."""
        self._timer.stop()

    def _redraw(self) -> None:
        for part in tuple(self._parts):
            throttle, read_state, draw = part
            state, is_urgent = read_state(), self._is_urgent()
            if state is None or not throttle.due(state, at_once=is_urgent):
                continue
            self._parts.remove(part)  # the others come first next time
            self._parts.append(part)
            throttle.begin(state)
            counts = True
            try:
                counts = draw() is not False
            finally:
                # A timer of 1 ms fires after Qt has painted the window, one of 0 ms before.
                QTimer.singleShot(1, partial(throttle.end, counts=counts))
            if not is_urgent:  # Qt paints first, so that a key press waits for one part at most
                return
