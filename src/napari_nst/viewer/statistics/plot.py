"""The plot of one curve: the image's, the exemplar's, and what lies between its crops."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QWidget

from napari_nst.texture_statistics.result import Curve
from napari_nst.viewer.controls.themed_plot import ThemedPlot

HEIGHT = 240  # pixels
OPACITY = 70  # of the band, of 255


class CurvePlot(ThemedPlot):
    """Draws a curve of texture statistics; the mouse zooms, a double click shows all again."""

    def __init__(self, parent: QWidget, theme: str) -> None:
        super().__init__(parent)
        self._curve: Curve | None = None
        self._of = "exemplar"
        self.setFixedHeight(HEIGHT)
        self.setAccessibleName("Plot of a statistic")
        for side in ("left", "bottom"):
            self.getAxis(side).enableAutoSIPrefix(False)
        self.scene().sigMouseClicked.connect(self._on_click)
        self.apply_theme(theme)

    def apply_theme(self, theme: str) -> None:
        """Take the colours and the text size of a theme."""
        super().apply_theme(theme)
        if self._curve is not None:
            self.draw(self._curve, self._of)

    def draw(self, curve: Curve, of: str) -> None:
        """Draw a curve, and the band of the crops of the ``exemplar`` or the ``image``."""
        self._curve, self._of = curve, of
        self.clear()
        self.legend.clear()
        self.legend.setColumnCount(3)
        blue, orange = self.colours["content"], self.colours["style"]
        known = np.isfinite(curve.low) & np.isfinite(curve.high)
        if known.any():
            filled = QColor(blue if of == "exemplar" else orange)
            filled.setAlpha(OPACITY)
            edges = [pg.PlotDataItem(curve.x[known], y[known]) for y in (curve.low, curve.high)]
            band = pg.FillBetweenItem(*edges, brush=filled)
            self.addItem(band)
            sample = pg.PlotDataItem(pen=pg.mkPen(filled, width=10))
            self.legend.addItem(sample, "Crops")
        for name, colour in (("exemplar", blue), ("image", orange)):
            if name in curve.lines:
                line = self.plot(
                    curve.x, curve.lines[name], connect="finite", antialias=True,
                    pen=pg.mkPen(colour, width=2),
                )  # fmt: skip
                self.legend.addItem(line, name.capitalize())
        self.setLabel("bottom", curve.x_label)
        self.setLabel("left", curve.y_label)
        self.plotItem.getViewBox().enableAutoRange()

    def _on_click(self, event: pg.GraphicsScene.mouseEvents.MouseClickEvent) -> None:
        if event.double():
            self.plotItem.getViewBox().enableAutoRange()
