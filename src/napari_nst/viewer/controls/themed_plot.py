"""A plot of pyqtgraph in the colours and the text size of napari's theme."""

from __future__ import annotations

from typing import Any

import pyqtgraph as pg
from napari.utils.theme import get_theme
from qtpy.QtGui import QColor, QFont, QFontMetrics
from qtpy.QtWidgets import QWidget

# Okabe and Ito's colours (Color Universal Design, 2008); two are darkened for a light background.
ON_DARK = {"content": "#56b4e9", "style": "#e69f00", "tv": "#009e73"}
ON_LIGHT = {"content": "#0072b2", "style": "#c85400", "tv": "#00805c"}

_FRAME = """{0} {{ border: 2px solid transparent; }}
{0}:focus {{ border-color: {1}; }}"""


class ThemedPlot(pg.PlotWidget):  # type: ignore[misc]
    """Axes with a grid, and a legend in the place of a title, so that it covers no curve."""

    def __init__(self, parent: QWidget, axes: dict[str, Any] | None = None) -> None:
        super().__init__(parent, enableMenu=False, axisItems=axes or {})
        # For half of the last number on the right; below, the axis' label is off by 5 pixels.
        self.plotItem.layout.setContentsMargins(0, 0, 12, 5)
        self.showGrid(x=True, y=True, alpha=0.2)
        self.legend = pg.LegendItem(frame=False, verSpacing=-5)
        self.legend.layout.setContentsMargins(0, 0, 0, 0)
        self.plotItem.layout.removeItem(self.plotItem.titleLabel)
        self.plotItem.layout.addItem(self.legend, 0, 0, 1, 3)

    @property
    def colours(self) -> dict[str, str]:
        """The colours that suit the theme's background."""
        return ON_DARK if self.is_dark else ON_LIGHT

    @property
    def is_dark(self) -> bool:
        """Whether the theme's background is dark."""
        return QColor(self.background).lightnessF() < 0.5

    def apply_theme(self, theme: str) -> None:
        """Take the colours and the text size of a theme."""
        known, self.font_of_text = get_theme(theme), QFont()
        self.background, self.text, focus = (
            getattr(known, name).as_hex(format="long") for name in ("background", "text", "current")
        )
        points = max(6, int(known.font_size[:-2]) - 1)
        self.font_of_text.setPointSize(points)
        self.setBackground(self.background)
        self.setStyleSheet(_FRAME.format(type(self).__name__, focus))
        for side in ("left", "bottom"):
            axis = self.getAxis(side)
            axis.setTickFont(self.font_of_text)
            axis.setPen(self.text)
            axis.setTextPen(self.text)
            axis.label.setFont(self.font_of_text)
        # pyqtgraph leaves a blank line
        self.getAxis("bottom").setHeight(2.2 * QFontMetrics(self.font_of_text).height())
        self.legend.setLabelTextSize(f"{points}pt")
        self.legend.setLabelTextColor(self.text)
