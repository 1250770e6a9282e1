"""The widget of the loss plot, empty until pyqtgraph is imported and there are losses."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING, Any

from napari.components import ViewerModel
from psygnal import Signal
from qtpy.QtCore import QEvent, Qt, QTimer
from qtpy.QtWidgets import QCheckBox, QSizePolicy, QVBoxLayout, QWidget

from napari_nst.viewer.controls.form import note
from napari_nst.viewer.loss_plot.trace import LossTrace

if TYPE_CHECKING:
    from napari_nst.viewer.loss_plot.curves import LossCurves

_CURVES = "napari_nst.viewer.loss_plot.curves"


class LossPlot(QWidget):
    """Curves of the losses over the iterations, in the colours of the viewer's theme."""

    picked = Signal(int, description="Emitted with the number of the chosen iteration.")

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = viewer
        self.trace = LossTrace()  # what is drawn
        self.curves: LossCurves | None = None
        self.each_layer = QCheckBox("Each layer")
        self.each_layer.setToolTip("Draw each layer's part of the losses too.")
        self.each_layer.toggled.connect(self._draw)
        self._empty = note("The losses are drawn here during a run.")
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setMinimumHeight(120)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(2)
        rows.addWidget(self.each_layer)
        rows.addWidget(self._empty)
        self._wait_for_import = QTimer(self)
        self._wait_for_import.setInterval(50)
        self._wait_for_import.timeout.connect(self._draw)

    def show_losses(self, trace: LossTrace) -> None:
        """Draw a trace, to which another thread may be adding; call again when it has grown."""
        self.trace = trace
        self._draw()

    def point_at(self, step: int | None) -> None:
        """Mark the iteration that the viewer shows, or none."""
        if self.curves is not None:
            self.curves.point_at(step)

    def showEvent(self, event: Any) -> None:
        """Draw what has come while the plot was hidden."""
        super().showEvent(event)
        self._draw()

    def changeEvent(self, event: Any) -> None:
        """Follow the theme: napari changes the style sheet with it."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange and self.curves is not None:
            self.curves.apply_theme(self._viewer.theme)

    def _draw(self) -> None:
        has_losses = len(self.trace) > 0
        if self.curves is not None:
            self.curves.setVisible(has_losses)
            self._empty.setVisible(not has_losses)
        if not has_losses or not self.isVisible():
            return
        if _import_of_curves().is_alive():
            self._wait_for_import.start()
            return
        self._wait_for_import.stop()
        if self.curves is None:
            self.curves = import_module(_CURVES).LossCurves(self, self._viewer.theme)
            # psygnal calls a connected `emit` once to count its parameters: hence the lambda.
            self.curves.picked.connect(lambda step: self.picked.emit(step))
            self.setFocusProxy(self.curves)
            layout: Any = self.layout()
            layout.addWidget(self.curves)
            self._empty.hide()
        self.curves.draw(self.trace, each_layer=self.each_layer.isChecked())


@cache
def _import_of_curves() -> Thread:
    """Import pyqtgraph in a thread, since the window must not stand still for half a second."""
    thread = Thread(target=import_module, args=(_CURVES,), daemon=True)
    thread.start()
    return thread
