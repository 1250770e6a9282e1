"""The axes and curves of the loss plot, drawn by pyqtgraph.

Apart from its widget, because importing pyqtgraph takes longer than a window may hold its breath.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyqtgraph as pg
from psygnal import Signal
from qtpy.QtCore import QEvent, QPointF, QSize, Qt
from qtpy.QtGui import QFont
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_nst.viewer.loss_plot.axes import EDGE, IterationAxis, LossAxis
from napari_nst.viewer.loss_plot.colours import Look
from napari_nst.viewer.loss_plot.curves import losses_text, thinned
from napari_nst.viewer.loss_plot.marks import Marks, Pointer

if TYPE_CHECKING:
    from napari_nst.viewer.loss_plot.trace import LossTrace

LEAST_SPAN = 0.2
"""Powers of ten that the vertical axis covers, at least: below, a curve is as good as flat."""

LEAST_ITERATIONS = 4
"""How far the wheel goes in."""


class LossCanvas(pg.GraphicsView):  # type: ignore[misc]
    """Draws losses over iterations; the wheel and dragging choose which of them are seen."""

    clicked = Signal(int, description="Emitted with the number of the iteration under the mouse.")
    zoomed = Signal(bool, description="Emitted with whether there are iterations out of sight.")

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, background=None)
        self._trace: LossTrace | None = None
        self._colours: Mapping[str, str] = {}
        self._curves: dict[str, Any] = {}
        self._whole = True
        self._focus = ""
        self._view = pg.ViewBox(enableMenu=False)
        self._view.setMouseEnabled(x=True, y=False)
        self._view.disableAutoRange()
        self._losses, self._iterations = LossAxis(self._view), IterationAxis(self._view)
        self.centralLayout.setContentsMargins(0, 2, EDGE, 0)
        self.centralLayout.setSpacing(0)
        self.centralLayout.addItem(self._losses, 0, 0)
        self.centralLayout.addItem(self._view, 0, 1)
        self.centralLayout.addItem(self._iterations, 1, 1)
        self._marks = Marks(self._view)
        self._pointer = Pointer(self._view)
        self.setMinimumHeight(120)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.scene().sigMouseClicked.connect(self._on_click)
        self._view.sigRangeChangedManually.connect(self._on_zoom)
        self._view.sigResized.connect(self._redraw)

    def sizeHint(self) -> QSize:
        """Ask for a strip."""
        return QSize(300, 160)

    # ── what is drawn ────────────────────────────────────────────────────────────────────────

    def wear(self, look: Look) -> None:
        """Take on colours and a size of text."""
        font = QFont()
        font.setPointSize(look.points)
        self.setBackground(look.background)
        for axis in (self._losses, self._iterations):
            axis.wear(font, look.text)
        self._marks.wear(font, look.text, look.background)
        self._pointer.wear(font, look.text, look.background)
        self._focus = look.focus
        self._show_focus()
        self._redraw()

    def show_losses(self, trace: LossTrace, colours: Mapping[str, str]) -> None:
        """Draw those losses that have a colour."""
        self._trace, self._colours = trace, colours
        self._redraw()

    def point_at(self, step: int | None) -> None:
        """Mark an iteration, or none."""
        self._pointer.step = step
        self._pointer.draw()

    def show_all(self) -> None:
        """Show every iteration, and go on to while more come."""
        self._whole = True
        self._redraw()

    def zoom(self, factor: float) -> None:
        """Show so many times as many iterations, around the marked one if it is seen."""
        low, high = self._view.viewRange()[0]
        step = self._pointer.step
        centre = step if step is not None and low <= step <= high else (low + high) / 2
        self._view.scaleBy(x=factor, center=QPointF(centre, 0.0))
        self._on_zoom()

    def clear_losses(self) -> None:
        """Leave nothing but empty axes, which follow what comes."""
        self._trace, self._colours, self._whole = None, {}, True
        for curve in self._curves.values():
            curve.hide()
        self._marks.arrange(())
        self._marks.draw()
        self.zoomed.emit(False)

    def _redraw(self) -> None:
        trace = self._trace
        if trace is None:
            return
        columns = dict(trace.columns)
        self._choose_iterations(len(trace))
        low, high = self._view.viewRange()[0]
        ends: list[float] = []
        for name in self._curves.keys() - self._colours.keys():
            self._curves[name].hide()
        for name, colour in self._colours.items():
            x, y = thinned(columns.get(name, array("d")), low, high, int(self._view.width()))
            curve = self._curve(name)
            curve.setData(x, y, pen=pg.mkPen(colour, width=_width(name)))
            curve.show()
            ends += [np.fmin.reduce(y, initial=np.nan), np.fmax.reduce(y, initial=np.nan)]
        self._choose_height(np.array(ends), self._marks.arrange(list(trace.marks)))
        self._marks.draw()
        self._pointer.draw()
        # Left to the painting, it would have the window painted twice.
        self.scene().prepareForPaint()

    def _choose_iterations(self, last: int) -> None:
        last = max(last, 2)
        self._view.setLimits(xMin=1, xMax=last, minXRange=min(LEAST_ITERATIONS, last - 1))
        if self._whole:
            self._view.setXRange(1, last, padding=0)
        self.zoomed.emit(not self._whole)

    def _choose_height(self, ends: np.ndarray[Any, Any], headroom: float) -> None:
        """Fit the vertical axis to the curves, with room for the marks' words above them."""
        bottom, top = np.fmin.reduce(ends, initial=np.nan), np.fmax.reduce(ends, initial=np.nan)
        if np.isnan(bottom):
            bottom = top = 0.0
        spare = max(0.0, LEAST_SPAN - (top - bottom)) / 2
        bottom, top = bottom - spare, top + spare
        margin = 4.0
        pixel = (top - bottom) / max(20.0, self._view.height() - headroom - 2 * margin)
        self._view.setYRange(bottom - margin * pixel, top + (margin + headroom) * pixel, padding=0)

    def _curve(self, name: str) -> Any:
        if name not in self._curves:
            curve = pg.PlotCurveItem(connect="finite", antialias=True)
            curve.setZValue(-_width(name))
            self._view.addItem(curve, ignoreBounds=True)
            self._curves[name] = curve
        return self._curves[name]

    # ── what the user does ───────────────────────────────────────────────────────────────────

    def _on_zoom(self) -> None:
        if self._trace is not None:
            low, high = self._view.viewRange()[0]
            self._whole = low <= 1 and high >= len(self._trace)
            self._redraw()

    def _on_click(self, event: Any) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        step = self._step_at(event.scenePos())
        if event.double():
            self.show_all()
        elif step is not None:
            self.clicked.emit(step)

    def _step_at(self, place: QPointF) -> int | None:
        """Return the iteration nearest to a place in the scene; None far from the curves."""
        near = self._view.sceneBoundingRect().adjusted(-EDGE / 4, 0, EDGE, 0)
        if not self._trace or not near.contains(place):
            return None
        step = round(float(self._view.mapSceneToView(place).x()))
        return min(max(step, 1), len(self._trace))

    def viewportEvent(self, event: QEvent | None) -> bool:
        """Tell the losses of the iteration under the mouse, or what the keys do."""
        if event is None or event.type() != QEvent.Type.ToolTip:
            return bool(super().viewportEvent(event))
        step = self._step_at(self.mapToScene(event.pos()))  # type: ignore[attr-defined]
        text = self.accessibleDescription()
        if self._trace is not None and step is not None:
            text = losses_text(self._trace, self._colours, step) + "\nClick to see it."
        QToolTip.showText(event.globalPos(), text, self)  # type: ignore[attr-defined]
        return True

    def wheelEvent(self, event: Any) -> None:
        """Zoom, unless the wheel only passes by on its way down the column."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def keyPressEvent(self, event: Any) -> None:
        """Leave keys to the widget around."""
        event.ignore()

    def focusInEvent(self, event: Any) -> None:
        """Show where the keys go."""
        super().focusInEvent(event)
        self._show_focus()

    def focusOutEvent(self, event: Any) -> None:
        """Show it no more."""
        super().focusOutEvent(event)
        self._show_focus()

    def _show_focus(self) -> None:
        self._view.setBorder(pg.mkPen(self._focus, width=2) if self.hasFocus() else None)


def _width(name: str) -> float:
    """Return the width of a curve: the total's shows behind another one that is all of it."""
    return 1.0 if "/" in name else 2.5 if name == "total" else 1.5
