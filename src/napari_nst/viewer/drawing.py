"""Drawing the window of a run: in two short turns of the event loop, and composing it once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from qtpy.compat import isalive
from qtpy.QtCore import QCoreApplication, QEvent, QTimer
from qtpy.QtWidgets import QListView, QMainWindow, QWidget

from napari_nst.viewer.ration import Ration

PATIENCE = 0.1
"""Seconds that are waited for a run to make way: longer than most layers of the network take."""

LEVELS = 8
"""How deep in a window a widget may be whose size changes: a slider of napari's is five deep."""


class Drawing:
    """Has layers drawn in one turn of the event loop, all else in the next, and then the window.

    Qt composes the whole window after each turn that has changed anything of it, which takes longer
    than to change it; and napari lists a layer anew one turn after that has changed. Whoever
    presses a key meanwhile waits for one turn, and not for all of them; nor for a run that has not
    made way yet, beside which all of it would take longer.

    Parameters
    ----------
    widget : QWidget
        Any of the window.
    """

    def __init__(self, widget: QWidget) -> None:
        self._widget = widget
        self._ration = Ration()
        self._goes_on = False

    def is_due(self, *, at_once: bool = False) -> bool:
        """Return whether nothing is being drawn, and the last drawing had its share of the time.

        Where somebody waits, it may be had `at_once`.
        """
        return not self._goes_on and (at_once or self._ration.is_due())

    def draw(
        self,
        layers: Callable[[], None],
        rest: Callable[[], None],
        way: AbstractContextManager[None],
        is_free: Callable[[], bool] = lambda: True,
        *,
        counts: bool = True,
    ) -> None:
        """Draw as soon as the way is free, and in the turn after that.

        Parameters
        ----------
        layers, rest : callable
            Draw what their names say.
        way : context manager
            Is entered now, and left when all is drawn.
        is_free : callable
            Returns whether whoever makes way has done so.
        counts : bool
            Whether the time that this takes puts off the next drawing.
        """
        self._goes_on = True
        frame = ExitStack()
        frame.callback(when_composed, self._end if counts else self._let_go)
        frame.enter_context(way)
        latest = time.perf_counter() + PATIENCE

        def begin() -> None:
            if not is_free() and time.perf_counter() < latest:
                QTimer.singleShot(2, begin)
                return
            self._ration.begin()
            if isalive(self._widget):
                frame.enter_context(_standing_still(self._widget.window()))
            try:
                layers()
            finally:  # 1 ms: after what came to the window meanwhile, and the layer list's own turn
                QTimer.singleShot(1, lambda: self._finish(frame, rest))

        begin()

    def _finish(self, frame: ExitStack, rest: Callable[[], None]) -> None:
        with frame:
            rest()
            _lay_out()

    def _end(self) -> None:
        self._ration.end()
        self._let_go()

    def _let_go(self) -> None:
        self._goes_on = False


def when_composed(call: Callable[[], None]) -> None:
    """Call something when Qt has composed a window of which anything has changed.

    A timer of 0 ms would not do: it is a message that comes before the window's own.
    """
    QTimer.singleShot(1, call)


def _lay_out() -> None:
    """Have everything lie where it belongs before it is painted.

    A widget that asks for another size has its parent ask, and so on, a turn for each of them.
    """
    for _ in range(LEVELS):
        QCoreApplication.sendPostedEvents(None, QEvent.Type.LayoutRequest.value)


@contextmanager
def _standing_still(window: QWidget | None) -> Iterator[None]:
    """Leave the middle of a window, where the canvas is, and its lists as they are until then."""
    still: list[QWidget] = []
    if isinstance(window, QMainWindow):
        middle = window.centralWidget()
        still = [*([middle] if middle else []), *window.findChildren(QListView)]
    for widget in still:
        widget.setUpdatesEnabled(False)
    try:
        yield
    finally:
        for widget in filter(isalive, still):
            widget.setUpdatesEnabled(True)
