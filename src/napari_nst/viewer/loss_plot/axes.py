"""The two axes of the loss plot: logarithms of losses, and numbers of iterations."""

from __future__ import annotations

from typing import Any

import pyqtgraph as pg
from qtpy.QtCore import QRectF
from qtpy.QtGui import QColor, QFont, QFontMetricsF

EDGE = 16
"""Pixels right of the curves, for half of the last number below them."""


class _Axis(pg.AxisItem):  # type: ignore[misc]
    """An axis with a faint grid."""

    def __init__(self, side: str, view: Any) -> None:
        super().__init__(side, maxTickLength=-4)
        self.setGrid(50)
        self.setZValue(-1)
        self.linkToView(view)

    def wear(self, font: QFont, text: str) -> None:
        """Take on a font and a colour."""
        faint = QColor(text)
        faint.setAlphaF(0.4)
        self.setTickFont(font)
        self.setTextPen(text)
        self.setPen(faint)


class LossAxis(_Axis):
    """The vertical axis; what it is given are decimal logarithms."""

    def __init__(self, view: Any) -> None:
        super().__init__("left", view)
        self.setLogMode(y=True)


class IterationAxis(_Axis):
    """The horizontal axis; there is no half an iteration."""

    def __init__(self, view: Any) -> None:
        super().__init__("bottom", view)
        self.setStyle(maxTickLevel=0)
        self.setLabel("Iteration")
        self.enableAutoSIPrefix(False)

    def wear(self, font: QFont, text: str) -> None:
        """Take on a font and a colour."""
        super().wear(font, text)
        self.label.setFont(font)
        # Left to itself pyqtgraph leaves a blank line above an axis' name.
        self.setHeight(2.2 * QFontMetricsF(font).height())

    def tickSpacing(self, low: float, high: float, size: float) -> list[tuple[float, float]]:
        """Return those of pyqtgraph's spacings that are whole numbers."""
        spacings = super().tickSpacing(low, high, size)
        return [pair for pair in spacings if float(pair[0]).is_integer()] or [(1.0, 0.0)]

    def boundingRect(self) -> QRectF:
        """Return where it draws: the last number goes on past the curves."""
        return QRectF(super().boundingRect()).adjusted(0, 0, EDGE, 0)
