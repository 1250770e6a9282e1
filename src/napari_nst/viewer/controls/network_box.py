"""The drop-down of the pretrained networks, which can also open a file."""

from __future__ import annotations

from typing import Any

from magicgui.backends._qtpy.widgets import QBaseValueWidget
from magicgui.widgets.bases import ValueWidget
from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QComboBox, QFileDialog

from napari_nst.engine.vgg.weights.download import SOURCES

FILE = "file…"
_FILTER = "Weights (*.safetensors *.pth *.pt *.h5 *.npz *.pkl);;All files (*)"


class _Box(QComboBox):
    """Names of networks, files that were chosen, and an entry that asks for a file."""

    chosen = Signal(str)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.addItems([*SOURCES, FILE])
        self.activated.connect(self._on_activated)
        self._text = self.itemText(0)

    def text(self) -> str:
        return self._text

    def setText(self, text: str) -> None:
        if self.findText(text) < 0:
            self.insertItem(self.count() - 1, text)
            self.setItemData(self.count() - 2, text, Qt.ItemDataRole.ToolTipRole)
        self.setCurrentIndex(self.findText(text))
        if text != self._text:
            self._text = text
            self.chosen.emit(text)

    def _on_activated(self, index: int) -> None:
        text = self.itemText(index)
        if index == self.count() - 1:
            text = QFileDialog.getOpenFileName(self, "Weights of VGG-19", "", _FILTER)[0]
        self.setText(text or self._text)


class _Backend(QBaseValueWidget):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(_Box, "text", "setText", "chosen", **kwargs)


class NetworkBox(ValueWidget[str]):
    """A magicgui widget for the name of a network or the path of a file."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(widget_type=_Backend, **kwargs)
