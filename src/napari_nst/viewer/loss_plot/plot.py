"""The losses of a run, drawn while it runs; a click asks for the picture of an iteration."""

from __future__ import annotations

import weakref
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from psygnal import Signal
from qtpy.compat import isalive
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_nst.viewer.controls.form import note, say
from napari_nst.viewer.loss_plot.colours import Look, colours
from napari_nst.viewer.loss_plot.curves import has_values, in_order
from napari_nst.viewer.loss_plot.legend import LossLegend

if TYPE_CHECKING:
    from types import ModuleType

    from napari.components import ViewerModel

    from napari_nst.viewer.loss_plot.canvas import LossCanvas
    from napari_nst.viewer.loss_plot.trace import LossTrace

KEYS = (
    "Left and Right choose an iteration, with Shift ten further, Home and End the first and the "
    "last; plus and minus zoom."
)
"""What the keyboard does where the plot has the focus."""

ZOOMS = {Qt.Key.Key_Plus: 0.5, Qt.Key.Key_Equal: 0.5, Qt.Key.Key_Minus: 2.0}
"""How many times as many iterations a key shows."""


class LossPlot(QWidget):
    """Curves of the losses over the iterations, on a logarithmic axis.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Whose theme it follows.
    parent : QWidget, optional
        What it is a part of.
    """

    picked = Signal(int, description="Emitted with the number of the iteration that is chosen.")

    def __init__(self, viewer: ViewerModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        # A plugin's viewer is a proxy, which hands out another emitter each time.
        self._viewer: Any = getattr(viewer, "__wrapped__", viewer)
        self._trace: LossTrace | None = None
        self._names: list[str] = []
        self._step: int | None = None
        self._cursor: int | None = None
        self._picking = False
        self._canvas: LossCanvas | None = None
        self.legend = LossLegend()
        self.legend.changed.connect(self._redraw)
        self._empty = note()
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setMinimumHeight(120)
        self._rows = QVBoxLayout(self)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setSpacing(2)
        self._rows.addWidget(self.legend)
        self._rows.addWidget(self._empty)
        say(self._empty, "The losses are drawn here while a run goes on.")
        self.setMinimumWidth(280)
        self._until_loaded = QTimer(self)
        self._until_loaded.setInterval(50)
        self._until_loaded.timeout.connect(self._redraw)
        self._listen_to_theme()

    def show_losses(self, trace: LossTrace) -> None:
        """Draw what a trace has now; call it again when it has grown.

        Parameters
        ----------
        trace : LossTrace
            The losses of every iteration so far. Another thread may be adding to it.
        """
        if trace is not self._trace:
            self.clear()
        self._trace = trace
        self._redraw()

    def clear(self) -> None:
        """Forget the losses, and whatever the user has zoomed into."""
        self._trace, self._names = None, []
        self.point_at(None)
        self.legend.offer(())
        if self._canvas is not None:
            self._canvas.clear_losses()

    def point_at(self, step: int | None) -> None:
        """Mark an iteration, such as the one whose picture is shown, or none."""
        if not self._picking:
            self._cursor = step
        self._step = step
        if self._canvas is not None:
            self._canvas.point_at(step)

    # ── how it is drawn ──────────────────────────────────────────────────────────────────────

    def showEvent(self, event: Any) -> None:
        """Draw what has come while nobody looked."""
        super().showEvent(event)
        self._redraw()

    def _redraw(self) -> None:
        trace = self._trace
        if trace is None or not len(trace) or not self.isVisible():
            return
        if not _canvas_module().done():
            self._until_loaded.start()
            return
        self._until_loaded.stop()
        canvas = self._canvas or self._make_canvas()
        for name, column in list(trace.columns.items()):
            if name not in self._names and has_values(column):
                self._names = in_order([*self._names, name])
        self.legend.offer(self._names)
        wanted, of = self.legend.wanted(self._names), colours(self._names, self._look)
        self.legend.wear(of, wanted)
        canvas.show_losses(trace, {name: of[name] for name in wanted})

    def _make_canvas(self) -> LossCanvas:
        canvas: LossCanvas = _canvas_module().result().LossCanvas(self)
        canvas.setAccessibleName("Loss plot")
        canvas.setAccessibleDescription(KEYS)
        canvas.wear(self._look)
        canvas.point_at(self._step)
        canvas.clicked.connect(self._pick)
        canvas.zoomed.connect(self.legend.offer_all)
        self.legend.all.clicked.connect(canvas.show_all)
        self._rows.replaceWidget(self._empty, canvas)
        self._empty.deleteLater()
        self.setFocusProxy(canvas)
        self._canvas = canvas
        return canvas

    def _listen_to_theme(self) -> None:
        emitter, plot = self._viewer.events.theme, weakref.ref(self)

        def follow(event: object = None) -> None:
            # napari would call a widget that Qt has deleted. Leaving is for here to do: Python may
            # free what is connected to `destroyed` before Qt calls it, which ends the process.
            mine = plot()
            if mine is None or not isalive(mine):
                emitter.disconnect(follow)
            else:
                mine._wear_theme()

        emitter.connect(follow)
        self._wear_theme()

    def _wear_theme(self) -> None:
        self._look = Look.of(self._viewer.theme)
        if self._canvas is not None:
            self._canvas.wear(self._look)
        self._redraw()

    # ── what the user does ───────────────────────────────────────────────────────────────────

    def keyPressEvent(self, event: Any) -> None:
        """Choose another iteration, or see more or fewer of them."""
        if self._trace is None or self._canvas is None or not len(self._trace):
            event.ignore()
            return
        last = len(self._trace)
        here = last if self._cursor is None else self._cursor
        far = 10 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
        steps = {
            Qt.Key.Key_Left: here - far,
            Qt.Key.Key_Right: here + far,
            Qt.Key.Key_Home: 1,
            Qt.Key.Key_End: last,
        }
        if (key := event.key()) in steps:
            self._pick(min(max(steps[key], 1), last))
        elif key in ZOOMS:
            self._canvas.zoom(ZOOMS[key])
        else:
            event.ignore()

    def _pick(self, step: int) -> None:
        """Say that the user wants to see an iteration.

        Where not every iteration is kept, another one may be shown: the keys go on from the wish.
        """
        self._cursor, self._picking = step, True
        try:
            self.point_at(step)
            self.picked.emit(step)
        finally:
            self._picking = False


@cache
def _canvas_module() -> Future[ModuleType]:
    """Import pyqtgraph in a thread: it takes half a second, and the window must not wait."""
    threads = ThreadPoolExecutor(max_workers=1)
    loading = threads.submit(import_module, "napari_nst.viewer.loss_plot.canvas")
    threads.shutdown(wait=False)
    return loading
