"""The row of controls for painting on a result while its run is paused."""

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

_LARGEST = 512
"""Of the brush, in pixels of the layer."""

_PAINT = "While paused, paint on the result; it becomes part of the image that is optimised."


class BrushControls:
    """Switches a brush on and off, and says what it paints; hidden until there is a layer to paint.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Whose layers are painted on.

    Attributes
    ----------
    brush : Brush
        What paints.
    native : QWidget
        The row.
    paint, colour, level, size, undo : QWidget
        Whether to paint; what colour, or on a grey layer how light; how wide; and the way back.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self.brush = Brush(viewer)
        self._layer: Any = None
        self._intensity: Intensity | None = None
        self._chosen = QColor()
        self.paint = _button("Paint", _PAINT)
        self.paint.setCheckable(True)
        self.colour = _button("", "", "Colour")
        self.colour.setIconSize(QSize(28, 14))
        self.level = _number(
            "Level", 0, 100, " %", "How light to paint: from black to white, as the layer shows it."
        )
        self.size = _number(
            "Size", 1, _LARGEST, " px", "Width of the brush in the result's pixels."
        )
        self.undo = _button("Undo", "Take the last stroke back; Ctrl+Z in the canvas.")
        self.native = QWidget()
        row = QHBoxLayout(self.native)
        row.setContentsMargins(0, 0, 0, 0)
        for control in (self.paint, self.colour, self.level, self.size, self.undo):
            row.addWidget(control, int(isinstance(control, QSpinBox)))
        self.size.setValue(round(self.brush.size))
        self.level.setValue(100)
        self._show_colour(QColor.fromRgbF(*self.brush.colour))
        self._follow()
        self.withdraw()

    def offer(self, layer: Image, intensity: Intensity) -> None:
        """Show the controls, for a layer that may be painted on; not yet painting.

        Parameters
        ----------
        layer : napari.layers.Image
            As `Brush.attach` takes it; a multiscale one cannot be painted on, and that is said.
        intensity : Intensity
            How its numbers are meant.
        """
        self.withdraw()
        self._layer, self._intensity = layer, intensity
        for control in (self.paint, self.colour, self.level, self.size):
            control.setEnabled(not layer.multiscale)
        self._enable_undo()
        self.paint.setToolTip(
            f"A result of more than {pyramid.LARGE} pixels cannot be painted on."
            if layer.multiscale
            else _PAINT
        )
        self.colour.setVisible(bool(layer.rgb))
        self.level.setVisible(not layer.rgb)
        self._take_paint()
        self.native.setVisible(True)

    def withdraw(self) -> None:
        """Stop painting, and hide the controls."""
        self.paint.setChecked(False)
        self._layer = self._intensity = None
        self.native.setVisible(False)

    def _follow(self) -> None:
        self.paint.toggled.connect(self._on_paint)
        self.colour.clicked.connect(self._on_colour)
        self.level.valueChanged.connect(self._take_paint)
        self.size.valueChanged.connect(self._on_size)
        self.undo.clicked.connect(self.brush.undo)
        self.brush.painted.connect(self._enable_undo)

    def _on_paint(self, painting: bool) -> None:
        if painting and self._layer is not None and self._intensity is not None:
            self.brush.attach(self._layer, self._intensity)
        else:
            self.brush.detach()
        self._enable_undo()

    def _on_colour(self) -> None:
        chosen = QColorDialog.getColor(self._chosen, self.native, "What colour to paint")
        if chosen.isValid():
            self._show_colour(chosen)
            self._take_paint()

    def _take_paint(self) -> None:
        """Let the brush paint what is chosen: a grey layer has no colour but a level."""
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
        self.colour.setToolTip(f"What colour to paint: {colour.name()}.")


def _button(text: str, tooltip: str, name: str = "") -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tooltip)
    button.setAccessibleName(name or text)
    return button


def _number(name: str, least: int, most: int, unit: str, tooltip: str) -> QSpinBox:
    box = QSpinBox()
    box.setRange(least, most)
    box.setSuffix(unit)
    box.setToolTip(tooltip)
    box.setAccessibleName(name)
    box.setMinimumWidth(FIELDS_WIDTH)
    return box
