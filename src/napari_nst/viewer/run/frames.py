"""When a run is drawn: a timer looks for news, which comes in turns of the event loop."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

from psygnal import Signal
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QWidget

from napari_nst.viewer.run.drawing import Drawing
from napari_nst.viewer.run.pace import CURVES, PATIENCE, WORDS, Pace
from napari_nst.viewer.run.worker import RunThread

_TURN = 10
"""Milliseconds between the turns in which the end is drawn: each is composed by itself."""


class Frames:
    """Draws the run of a window whenever there is news, and the window has time.

    Parameters
    ----------
    widget : QWidget
        With it goes the timer that looks for news.
    current : callable
        Returns the run to look at, or None.
    show : callable
        Draws the picture of a run. Takes it, and returns nothing.
    is_quick : callable
        Returns whether that changes a layer that is there, with no controls to make.
    """

    reported = Signal(RunThread, description="Emitted when it is time to say how the run goes.")
    plotted = Signal(description="Emitted when it is time to draw the losses.")

    def __init__(
        self,
        widget: QWidget,
        current: Callable[[], RunThread | None],
        show: Callable[[RunThread], object],
        is_quick: Callable[[], bool],
    ) -> None:
        self._current = current
        self._show = show
        self._is_quick = is_quick
        self._news: tuple[object, ...] = ()
        self._curves, self._words = Pace(CURVES), Pace(WORDS, PATIENCE)
        self._drawing, self._asked_for = Drawing(widget), Drawing(widget)
        self._left: list[Callable[[], object]] = []
        self._timer = QTimer(widget)
        self._timer.timeout.connect(self._poll)

    def begin(self, rate: float) -> None:
        """Look for news so many times a second."""
        self._timer.start(round(1000 / rate))

    def finish(self, *turns: Callable[[], object]) -> None:
        """Draw nothing more but these, one after the other, and stop looking."""
        self._drawing.give_up()
        self._left = list(turns)
        self._timer.start(_TURN)

    def give_up(self) -> None:
        """Draw nothing more of what has not been drawn yet."""
        self._drawing.give_up()
        self._asked_for.give_up()
        self._left = []

    def draw(self, layers: Callable[[], object], rest: Callable[[], object]) -> None:
        """Draw what the user asked for, in two turns, beside a run that makes way if one goes on.

        Parameters
        ----------
        layers, rest : callable
            As for `Drawing.draw`.
        """
        run = self._current()
        way = (nullcontext(),) if run is None else run.way
        self._asked_for.draw(layers, rest, *way, counts=False)

    def _poll(self) -> None:
        """Draw what is new; called by the timer, in the main thread."""
        if self._left:
            turn, *self._left = self._left
            if not self._left:  # before it, which may begin another run
                self._timer.stop()
            turn()
            return
        run = self._current()
        if run is None:
            return
        asked = run.paused or run.stopping
        if not (self._drawing.is_due(at_once=asked) and self._asked_for.is_due(at_once=True)):
            return
        is_new, self._news = run.news != self._news, run.news
        if not is_new:
            self._tell(run)
            return
        self._drawing.draw(
            lambda: self._show(run) if run is self._current() else None,
            lambda: self._tell(run),
            *run.way,
            counts=self._is_quick(),
        )

    def _tell(self, run: RunThread) -> None:
        """Say how the run goes, unless it has ended meanwhile."""
        if run is not self._current():
            return
        if self._words.is_due(run.news):
            self.reported.emit(run)
        if run.losses and self._curves.is_due(len(run.losses)):
            self.plotted.emit()
