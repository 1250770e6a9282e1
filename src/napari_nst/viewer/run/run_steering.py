"""The steering of a run that a window shows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from napari_nst.engine.steering import Steering, TileDone
from napari_nst.viewer.run.drawing import when_composed

LONGEST = 1.0
"""Seconds that a run makes way for."""


class RunSteering(Steering):
    """A steering that ends a run at once, also where the window closes and nobody tells the run.

    Parameters
    ----------
    tell, watch
        As for `Steering`.
    is_closing : callable
        Returns whether the window is; called in the run's thread.
    """

    def __init__(
        self,
        tell: Callable[[str], None],
        watch: Callable[[TileDone], None],
        is_closing: Callable[[], bool],
    ) -> None:
        super().__init__(tell, watch)
        self._is_closing = is_closing
        self._way = threading.Event()
        self._way.set()
        self._stands = False

    @contextmanager
    def making_way(self) -> Iterator[None]:
        """Have the run wait where it is, between two layers of the network, until all is drawn.

        What the window does takes several times as long while the run wants the same processors,
        and the run's own threads would wait for each other meanwhile.
        """
        self._way.clear()
        try:
            yield
        finally:
            when_composed(self._way.set)

    @property
    def stands(self) -> bool:
        """Whether the run has made way, and wants no processor."""
        return self._stands

    @property
    def stopped(self) -> bool:
        """Whether somebody has called `stop`, or the window is closing; waits to make way."""
        if not self._way.is_set():
            self._stands = True
            self._way.wait(LONGEST)
            self._stands = False
        return super().stopped or self._is_closing()
