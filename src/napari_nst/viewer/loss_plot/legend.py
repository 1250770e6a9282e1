"""Which losses are drawn: a box to tick for each kind, in its colour, and one for the layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from psygnal import Signal
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_nst.viewer.controls.form import note, say
from napari_nst.viewer.loss_plot.curves import KINDS, kind_of

TITLES = {"total": "Total", "content": "Content", "style": "Style", "tv": "TV"}

TOOLTIPS = {
    "total": "Draw the total loss: the sum of all parts, which a run makes small.",
    "content": "Draw the weighted content loss.",
    "style": "Draw the weighted style loss.",
    "tv": "Draw the weighted total variation.",
}


class LossLegend(QWidget):
    """The boxes above the plot, and the layers' names below them while layers are drawn."""

    changed = Signal(description="Emitted when other losses are to be drawn.")

    def __init__(self) -> None:
        super().__init__()
        self.boxes = {kind: _box(TITLES[kind], TOOLTIPS[kind], True) for kind in KINDS}
        self.each_layer = _box("Each layer", "Draw each layer's part of the losses, too.", False)
        self.names = note()
        self.names.setTextFormat(Qt.TextFormat.RichText)
        self.all = QPushButton("Show all")
        self.all.setToolTip("Show every iteration again, as a double click on the plot does.")
        for box in (*self.boxes.values(), self.each_layer):
            box.toggled.connect(lambda: self.changed.emit())
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(2)
        rows.addLayout(_row(*self.boxes.values()))
        rows.addLayout(_row(self.each_layer, self.all))
        rows.addWidget(self.names)
        self.offer(())
        self.all.hide()

    def offer(self, names: Iterable[str]) -> None:
        """Show the boxes of those losses that there are."""
        names = list(names)
        for kind, box in self.boxes.items():
            box.setVisible(kind in names)
        self.each_layer.setVisible(any("/" in name for name in names))

    def offer_all(self, zoomed: bool) -> None:
        """Show the button that leads back to all iterations while some are out of sight."""
        self.all.setVisible(zoomed)

    def wanted(self, names: Iterable[str]) -> list[str]:
        """Return those losses that are to be drawn."""
        on = {kind for kind, box in self.boxes.items() if box.isChecked()}
        layers = self.each_layer.isChecked()
        return [name for name in names if kind_of(name) in on and (layers or "/" not in name)]

    def wear(self, colours: Mapping[str, str], drawn: Iterable[str]) -> None:
        """Take on the losses' colours, and name those layers that are drawn."""
        for kind, box in self.boxes.items():
            if kind in colours:
                style = f"QCheckBox::indicator:checked {{ background: {colours[kind]}; }}"
                if style != box.styleSheet():  # else Qt lays everything out once more
                    box.setStyleSheet(style)
        layers = (name for name in drawn if "/" in name)
        say(self.names, " &nbsp; ".join(_swatch(name, colours[name]) for name in layers))


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(6)
    for widget in widgets:
        row.addWidget(widget)
        policy = widget.sizePolicy()
        policy.setRetainSizeWhenHidden(isinstance(widget, QPushButton))
        widget.setSizePolicy(policy)
    row.addStretch()
    return row


def _swatch(name: str, colour: str) -> str:
    kind, _, layer = name.partition("/")
    return f'<span style="color: {colour}">■</span>&nbsp;{kind}&nbsp;{layer}'


def _box(title: str, tooltip: str, ticked: bool) -> QCheckBox:
    box = QCheckBox(title)
    box.setToolTip(tooltip)
    box.setChecked(ticked)
    return box
