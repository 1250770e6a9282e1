"""The row of brush controls below a paused or finished run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSize
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QColorDialog, QHBoxLayout, QPushButton, QSpinBox, QWidget

from napari_nst.viewer.brush.brush import Brush
from napari_nst.viewer.controls.form import FIELDS_WIDTH
from napari_nst.viewer.layers import pyramid

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_nst.viewer.layers.intensity import Intensity

MAX_SIZE = 512  # pixels
PAINT_TOOLTIP = (
    "While paused, draw on the result with the mouse; the strokes become part of the image that is "
    "optimised."
)


class BrushControls:
    """Switches a brush on and off and sets it; hidden while there is no layer to draw on.

    Attributes
    ----------
    brush : Brush
    native : QWidget
        The row.
    paint, colour, level, size, undo : QPushButton or QSpinBox
        `level` replaces `colour` on a grey layer.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self.brush = Brush(viewer)
        self._layer: Any = None
        self._intensity: Intensity | None = None
        self._chosen = QColor()
        self.paint = _button("Paint", PAINT_TOOLTIP)
        self.paint.setCheckable(True)
        self.colour = _button("", "", "Colour")
        self.colour.setIconSize(QSize(28, 14))
        self.level = _number(
            "Level", 0, 100, " %", "Grey level of the brush, from black to white as shown."
        )
        self.size = _number("Size", 1, MAX_SIZE, " px", "Width of the brush in pixels.")
        self.undo = _button("Undo", "Undo the last stroke; Ctrl+Z in the canvas does it too.")
        self.native = QWidget()
        row = QHBoxLayout(self.native)
        row.setContentsMargins(0, 0, 0, 0)
        for control in (self.paint, self.colour, self.level, self.size, self.undo):
            row.addWidget(control, int(isinstance(control, QSpinBox)))
        self.size.setValue(round(self.brush.size))
        self.level.setValue(100)
        self._show_colour(QColor.fromRgbF(*self.brush.colour))
        self.paint.toggled.connect(self._on_paint)
        self.colour.clicked.connect(self._on_colour)
        self.level.valueChanged.connect(self._set_brush_colour)
        self.size.valueChanged.connect(self._on_size)
        self.undo.clicked.connect(self.brush.undo)
        self.brush.changed.connect(self._enable_undo)
        self.withdraw()

    def offer(self, layer: Image, intensity: Intensity) -> None:
        """Show the controls for a layer; they are disabled for a multiscale one."""
        self.withdraw()
        self._layer, self._intensity = layer, intensity
        for control in (self.paint, self.colour, self.level, self.size):
            control.setEnabled(not layer.multiscale)
        self._enable_undo()
        self.paint.setToolTip(
            f"The brush cannot draw on a result of more than {pyramid.LARGE} pixels."
            if layer.multiscale
            else PAINT_TOOLTIP
        )
        self.colour.setVisible(bool(layer.rgb))
        self.level.setVisible(not layer.rgb)
        self._set_brush_colour()
        self.native.setVisible(True)

    def withdraw(self) -> None:
        """Switch the brush off and hide the controls."""
        self.paint.setChecked(False)
        self._layer = self._intensity = None
        self.native.setVisible(False)

    def _on_paint(self, checked: bool) -> None:
        if checked and self._layer is not None and self._intensity is not None:
            self.brush.attach(self._layer, self._intensity)
        else:
            self.brush.detach()
        self._enable_undo()

    def _on_colour(self) -> None:
        chosen = QColorDialog.getColor(self._chosen, self.native, "Colour of the brush")
        if chosen.isValid():
            self._show_colour(chosen)
            self._set_brush_colour()

    def _set_brush_colour(self) -> None:
        if self._layer is None or self._layer.rgb:
            chosen = self._chosen
            self.brush.colour = (chosen.redF(), chosen.greenF(), chosen.blueF())
        else:
            self.brush.colour = (self.level.value() / 100,) * 3

    def _on_size(self, pixels: int) -> None:
        self.brush.size = pixels

    def _enable_undo(self) -> None:
        self.undo.setEnabled(self.brush.can_undo)

    def _show_colour(self, colour: QColor) -> None:
        self._chosen = colour
        swatch = QPixmap(self.colour.iconSize())
        swatch.fill(colour)
        self.colour.setIcon(QIcon(swatch))
        self.colour.setToolTip(f"Colour of the brush: {colour.name()}.")


def _button(text: str, tooltip: str, name: str = "") -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tooltip)
    button.setAccessibleName(name or text)
    return button


def _number(name: str, low: int, high: int, unit: str, tooltip: str) -> QSpinBox:
    box = QSpinBox()
    box.setRange(low, high)
    box.setSuffix(unit)
    box.setToolTip(tooltip)
    box.setAccessibleName(name)
    box.setMinimumWidth(FIELDS_WIDTH)
    return box
