"""Drawing the window of a run: in two short turns of the event loop, and composing it once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from qtpy.compat import isalive
from qtpy.QtCore import QCoreApplication, QEvent, QObject, QTimer
from qtpy.QtWidgets import QListView, QMainWindow, QWidget

from napari_nst.viewer.run.ration import Ration

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
        self._ration = Ration()
        self._goes_on = False
        self._first: tuple[Callable[[], object], Callable[[], bool], float] | None = None
        self._then: tuple[ExitStack, Callable[[], object]] | None = None
        # Goes with the widget: what waits for a turn is to keep neither a run nor a window.
        self._timer = QTimer(widget)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._go_on)

    def is_due(self, *, at_once: bool = False) -> bool:
        """Return whether nothing is being drawn, and the last drawing had its share of the time.

        Where somebody waits, it may be had `at_once`.
        """
        return not self._goes_on and (at_once or self._ration.is_due())

    def draw(
        self,
        layers: Callable[[], object],
        rest: Callable[[], object],
        way: AbstractContextManager[None],
        is_free: Callable[[], bool] = lambda: True,
        *,
        counts: bool = True,
    ) -> None:
        """Draw as soon as the way is free, and in the turn after that; give up what else waits.

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
        self.give_up()
        self._goes_on = True
        frame = ExitStack()
        frame.callback(when_composed, self._end if counts else self._let_go)
        frame.enter_context(way)
        self._first = layers, is_free, time.perf_counter() + PATIENCE
        self._then = frame, rest
        self._go_on()

    def give_up(self) -> None:
        """Draw nothing more of what has not been drawn yet."""
        if isalive(self._timer):
            self._timer.stop()
        self._first, then, self._then = None, self._then, None
        if then is not None:
            then[0].close()

    def _go_on(self) -> None:
        if self._then is None:
            return
        frame, rest = self._then
        if self._first is None:
            self._then = None
            with frame:
                rest()
                _lay_out()
            return
        layers, is_free, latest = self._first
        if not is_free() and time.perf_counter() < latest:
            self._timer.start(2)
            return
        self._first = None
        self._ration.begin()
        frame.enter_context(_standing_still(self._timer.parent()))
        try:
            layers()
        finally:  # 1 ms: after what came to the window meanwhile, and the layer list's own turn
            self._timer.start(1)

    def _end(self) -> None:
        self._ration.end()
        self._let_go()

    def _let_go(self) -> None:
        self._goes_on = False


def when_composed(call: Callable[[], object]) -> None:
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
def _standing_still(widget: QObject | None) -> Iterator[None]:
    """Leave the middle of a window, where the canvas is, and its lists as they are until then."""
    window = widget.window() if isinstance(widget, QWidget) else None
    still: list[QWidget] = []
    if isinstance(window, QMainWindow):
        middle = window.centralWidget()
        still = [*([middle] if middle else []), *window.findChildren(QListView)]
    for one in still:
        one.setUpdatesEnabled(False)
    try:
        yield
    finally:
        for one in filter(isalive, still):
            one.setUpdatesEnabled(True)
