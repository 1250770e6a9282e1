"""The curves, legend and marks of the loss plot, drawn by pyqtgraph."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from psygnal import Signal
from qtpy.QtCore import QEvent, QSize, Qt
from qtpy.QtGui import QColor, QFont, QFontMetrics
from qtpy.QtWidgets import QToolTip, QWidget

from napari_nst.viewer.controls.themed_plot import ON_DARK, ON_LIGHT, ThemedPlot
from napari_nst.viewer.loss_plot.trace import LossTrace, in_order

KEYS = (
    "Left and Right choose an iteration, with Shift ten further; Home and End choose the first and "
    "the last. Plus and minus zoom. 1 to 9 hide or show a curve, in the order of the legend."
)
ZOOM_FACTORS = {Qt.Key.Key_Plus: 0.5, Qt.Key.Key_Equal: 0.5, Qt.Key.Key_Minus: 2.0}
HEIGHT, LEAST_HEIGHT = 160, 96  # of the axes, in pixels: in a low window, controls get room
LEGEND_ROW_HEIGHT = 16  # pixels
MIN_ITERATIONS = 4  # that zooming in leaves
MIN_DECADES = 0.2  # of the vertical axis, so that a flat curve looks flat


def colours(names: Sequence[str], text: str, *, dark: bool) -> dict[str, str]:
    """Return a colour for each loss; those of layers are shades of their sum's colour."""
    base = ON_DARK if dark else ON_LIGHT
    chosen = {}
    for name in names:
        kind, _, layer = name.partition("/")
        chosen[name] = base.get(kind, text)
        if layer:
            layers = [other for other in names if other.startswith(f"{kind}/")]
            share = layers.index(name) / (len(layers) - 1) if len(layers) > 1 else 0.5
            hue, saturation, _, _ = QColor(chosen[name]).getHslF()
            hue = (hue + 0.06 * (share - 0.5)) % 1
            lightness = (0.45 + 0.4 * share) if dark else (0.16 + 0.26 * share)
            chosen[name] = QColor.fromHslF(hue, saturation, lightness).name()
    return chosen


class WholeTicks(pg.AxisItem):  # type: ignore[misc]
    """An axis whose ticks are whole: iterations, or powers of ten; its numbers never overlap."""

    _least = 0.0  # distance between two numbers

    def tickSpacing(self, low: float, high: float, size: float) -> list[tuple[float, float]]:
        """Return the least spacing of 1, 2, 5, 10, … at which the numbers do not overlap."""
        font = QFontMetrics(self.style["tickFont"] or QFont())
        is_horizontal = self.orientation in ("top", "bottom")
        number = f" {max(abs(low), abs(high)):.0f} "
        room = font.horizontalAdvance(number) if is_horizontal else 1.2 * font.height()
        self._least = room * (high - low) / max(size, 1.0)  # iterations or decades
        spacings = (step * 10**power for power in range(12) for step in (1, 2, 5))
        return [(float(next(step for step in spacings if step >= self._least)), 0.0)]

    def tickStrings(self, values: list[float], scale: float, spacing: float | None) -> list[Any]:
        """Return the numbers at ticks; between powers of ten, those that have room."""
        strings: list[Any] = super().tickStrings(values, scale, spacing)
        if spacing is not None:
            return strings
        last = -math.inf
        for index, value in enumerate(values):
            if min(value - last, abs(value - round(value))) < self._least:
                strings[index] = None
            else:
                last = value
        return strings


class LossCurves(ThemedPlot):
    """Draws losses over iterations; the user zooms, hides curves and picks an iteration."""

    picked = Signal(int, description="Emitted with the number of the chosen iteration.")

    def __init__(self, parent: QWidget, theme: str) -> None:
        axes = {side: WholeTicks(side) for side in ("left", "bottom")}
        super().__init__(parent, axes)
        self._trace = LossTrace()
        self._cursor = 0  # the iteration from which the keys go on, 0 if none was chosen
        self._names: list[str] = []
        self._curves: dict[str, Any] = {}
        self._pointer: Any = None
        self._marks: list[Any] = []
        self.setAccessibleName("Loss plot")
        self.setAccessibleDescription(KEYS)
        self.setLabel("bottom", "Iteration")
        axes["bottom"].enableAutoSIPrefix(False)
        self.setLogMode(y=True)
        self.setDownsampling(auto=True, mode="peak")
        self.setClipToView(True)
        self.legend.sigSampleClicked.connect(self._fit_height)
        self._view = self.plotItem.getViewBox()
        self._view.setMouseEnabled(x=True, y=False)
        self._view.setAutoVisible(y=True)
        self._view.setDefaultPadding(0.1)  # the marks' texts stand above the curves
        self._view.setLimits(xMin=1, minYRange=MIN_DECADES)
        self._view.sigRangeChangedManually.connect(self._follow_if_all_shown)
        self._view.sigXRangeChanged.connect(self._hide_overlapping_texts)
        self._view.sigResized.connect(self._hide_overlapping_texts)
        self.apply_theme(theme)
        self._pointer = self._add_line("{value:.0f}", y=0.0, style=Qt.PenStyle.SolidLine)
        self._pointer.hide()
        self.scene().sigMouseClicked.connect(self._on_click)

    def minimumSizeHint(self) -> QSize:
        """Return a width that fits a narrow dock."""
        return QSize(200, self.minimumHeight())

    def sizeHint(self) -> QSize:
        """Return a size with room for the axes and the legend."""
        return QSize(300, self.maximumHeight())

    def apply_theme(self, theme: str) -> None:
        """Take the colours and the text size of a theme."""
        super().apply_theme(theme)
        for line in filter(None, (self._pointer, *self._marks)):
            self._color_line(line)
        self._list_curves(self._names)

    def draw(self, trace: LossTrace, *, each_layer: bool) -> None:
        """Draw the losses so far, with each layer's part of them or without."""
        if trace is not self._trace:
            self.point_at(None)
            self._list_curves([])
            for line in self._marks:
                self.removeItem(line)
            self._marks = []
            self._view.enableAutoRange()
        self._trace, last = trace, len(trace)
        columns = {name: np.array(column[:last]) for name, column in list(trace.columns.items())}
        names = in_order(
            name
            for name, losses in columns.items()
            if (each_layer or "/" not in name) and (losses > 0).any()
        )
        if names != self._names:
            self._list_curves(names)
        iterations = np.arange(1, last + 1)
        for name in names:
            losses = columns[name]
            self._curves[name].setData(iterations, np.where(losses > 0, losses, np.nan))
        self._view.setLimits(xMax=max(last, 2), minXRange=min(MIN_ITERATIONS, max(last - 1, 1)))
        for step, text in trace.marks[len(self._marks) :]:
            self._marks.append(self._add_line(text, y=1.0, style=Qt.PenStyle.DashLine))
            self._marks[-1].setValue(step)
        self._view.updateAutoRange()
        self._hide_overlapping_texts()
        self.scene().prepareForPaint()  # otherwise Qt paints everything twice

    def point_at(self, step: int | None) -> None:
        """Mark an iteration with a line, or none."""
        self._cursor = step or 0
        self._pointer.setVisible(step is not None)
        if step is not None:
            self._pointer.setValue(step)

    def _list_curves(self, names: list[str]) -> None:
        """Write the legend anew, and clear the curves that it does not name."""
        self._names = names
        self.legend.clear()
        columns = 2 if any("/" in name for name in names) else 4
        self.legend.setColumnCount(columns)
        legend = LEGEND_ROW_HEIGHT * math.ceil(len(names) / columns)
        self.setMinimumHeight(LEAST_HEIGHT + legend)
        self.setMaximumHeight(HEIGHT + legend)
        chosen = colours(names, self.text, dark=self.is_dark)
        for name in names:
            if name not in self._curves:
                self._curves[name] = self.plot(
                    connect="finite", antialias=True, autoDownsampleFactor=1.0
                )
            width = 1.0 if "/" in name else 2.5 if name == "total" else 1.5
            self._curves[name].setPen(chosen[name], width=width)
            self._curves[name].setZValue(-width)
            title = {"tv": "TV"}.get(name, name.replace("/", " "))
            self.legend.addItem(self._curves[name], title[0].upper() + title[1:])
        for name in self._curves.keys() - set(names):
            self._curves[name].setData([], [])

    def _add_line(self, text: str, *, y: float, style: Qt.PenStyle) -> Any:
        """Add a vertical line with a text at its top (y = 1) or bottom (y = 0)."""
        options = {"position": y, "anchors": [(0, 1 - y), (1, 1 - y)]}
        line = pg.InfiniteLine(angle=90, label=text, labelOpts=options, pen=pg.mkPen(style=style))
        self._color_line(line)
        self.addItem(line, ignoreBounds=True)
        return line

    def _color_line(self, line: Any) -> None:
        line.setPen(self.text, style=line.pen.style())
        line.label.setFont(self.font_of_text)
        line.label.setColor(self.text)
        line.label.fill = pg.mkBrush(self.background)

    def _hide_overlapping_texts(self) -> None:
        """Show the texts of the newest marks, as many as fit beside each other."""
        low, high = self._view.viewRange()[0]
        pixel = (high - low) / max(1.0, self._view.width())
        free = high
        for line in sorted(self._marks, key=lambda line: line.value(), reverse=True):
            step, width = line.value(), line.label.boundingRect().width() * pixel
            # pyqtgraph writes on that side of the line which is nearer to the middle.
            start = step - width if step > (low + high) / 2 else step
            fits = low <= start and start + width <= free
            line.label.setVisible(fits)
            if fits:
                free = start

    def _fit_height(self) -> None:
        self._view.enableAutoRange(y=True)

    def _follow_if_all_shown(self) -> None:
        low, high = self._view.viewRange()[0]
        if low < 1.5 and high > len(self._trace) - 0.5:
            self._view.enableAutoRange(x=True)

    def _zoom(self, factor: float) -> None:
        low, high = self._view.viewRange()[0]
        is_shown = self._pointer.isVisible() and low <= self._cursor <= high
        self._view.scaleBy(x=factor, center=(self._cursor if is_shown else (low + high) / 2, 0))
        self._follow_if_all_shown()

    def _pick(self, step: int) -> None:
        self.point_at(step)
        self.picked.emit(step)
        # The history may show another iteration than this one; the keys go on from this one.
        self._cursor = step

    def _step_at(self, position: Any) -> int | None:
        """Return the iteration at a position in the scene, None outside of the axes."""
        if not len(self._trace) or not self._view.sceneBoundingRect().contains(position):
            return None
        step = round(float(self._view.mapSceneToView(position).x()))
        return min(max(step, 1), len(self._trace))

    def _on_click(self, event: Any) -> None:
        step = self._step_at(event.scenePos())
        if step is None or event.button() != Qt.MouseButton.LeftButton:
            return
        if event.double():
            self._view.enableAutoRange()
        else:
            self._pick(step)

    def keyPressEvent(self, event: Any) -> None:
        """Choose an iteration, zoom, or hide a curve."""
        last, key = len(self._trace), event.key()
        here = self._cursor or last
        far = 10 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
        steps = {
            Qt.Key.Key_Left: here - far,
            Qt.Key.Key_Right: here + far,
            Qt.Key.Key_Home: 1,
            Qt.Key.Key_End: last,
        }
        if last and key in steps:
            self._pick(min(max(steps[key], 1), last))
        elif last and key in ZOOM_FACTORS:
            self._zoom(ZOOM_FACTORS[key])
        elif 0 <= (place := key - Qt.Key.Key_1) < min(9, len(self._names)):
            curve = self._curves[self._names[place]]
            curve.setVisible(not curve.isVisible())
            self.legend.update()
            self._fit_height()
        else:
            event.ignore()

    def wheelEvent(self, event: Any) -> None:
        """Zoom if the plot has the focus; otherwise let the wheel scroll the dock."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def viewportEvent(self, event: Any) -> bool:
        """Show the losses under the mouse as a tool tip, beside the axes the keys."""
        if event.type() != QEvent.Type.ToolTip:
            return bool(super().viewportEvent(event))
        step = self._step_at(self.mapToScene(event.pos()))
        text = KEYS if step is None else self._trace.text(self._names, step)
        QToolTip.showText(event.globalPos(), text, self)
        return True
