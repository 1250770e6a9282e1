"""A drop-down and a list of layers, which keep the layers that were chosen.

magicgui's own controls keep the text of an entry instead: if a layer is renamed or removed, they
change to another layer silently.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from weakref import ref

from magicgui.backends._qtpy.widgets import ComboBox as QtBackend
from magicgui.backends._qtpy.widgets import QBaseValueWidget
from magicgui.widgets import ComboBox, Select
from magicgui.widgets.bases import CategoricalWidget
from napari.components import ViewerModel
from napari.layers import Image, Layer
from psygnal import Signal
from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import QComboBox, QListWidgetItem, QStyle, QStyleOptionComboBox, QStylePainter

from napari_nst.io.record import RECORD
from napari_nst.viewer.layers.result_layer import PASSING

_NONE = "-----"
_LIST_ROWS = 4


class _Kept:
    """The chosen layers, also while the viewer does not have them."""

    def __init__(self) -> None:
        self._layers: list[ref[Any]] = []

    def keep(self, layers: Iterable[Any]) -> None:
        """Keep these layers instead of the former ones."""
        # A plugin may get proxies of layers, which nothing else refers to.
        self._layers = [ref(getattr(layer, "__wrapped__", layer)) for layer in layers]

    def among(self, layers: Iterable[Any]) -> list[Any]:
        """Return those of the given layers that are kept."""
        kept = [layer() for layer in self._layers]
        return [layer for layer in layers if any(layer == one for one in kept)]


class _NameBox(QComboBox):
    """A drop-down that cuts long names in the middle: layers often differ at their ends."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.view().setTextElideMode(Qt.TextElideMode.ElideMiddle)  # type: ignore[union-attr]

    def paintEvent(self, event: Any) -> None:
        """Draw the box, as Qt does, with the shortened name."""
        painter, option, style = QStylePainter(self), QStyleOptionComboBox(), self.style()
        self.initStyleOption(option)
        text = option.currentText if self.currentIndex() >= 0 else self.placeholderText()
        field, box = QStyle.SubControl.SC_ComboBoxEditField, QStyle.ComplexControl.CC_ComboBox
        assert style is not None
        room = style.subControlRect(box, option, field, self).width() - 4
        option.currentText = self.fontMetrics().elidedText(text, Qt.TextElideMode.ElideMiddle, room)
        painter.drawComplexControl(box, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)


class _Backend(QtBackend):
    def __init__(self, **kwargs: Any) -> None:
        # As magicgui's own, with another class of Qt.
        QBaseValueWidget.__init__(self, _NameBox, "isChecked", "setCurrentIndex", "", **kwargs)
        self._qwidget.currentIndexChanged.connect(self._emit_data)


class LayerBox(ComboBox):
    """A drop-down of layers; if its layer is removed, it is empty until somebody chooses."""

    chosen = Signal(object, description="Emitted when anybody but the box itself chooses a layer.")

    def __init__(
        self,
        viewer: ViewerModel,
        name: str,
        tooltip: str,
        *,
        optional: bool = False,  # it may be empty, and never chooses a layer by itself
        kinds: tuple[type[Layer], ...] = (Image,),
        apart_from: LayerBox | None = None,  # whose layer this box does not choose by itself
        has_partner: bool = False,  # another box chooses a second layer by itself
    ) -> None:
        self._viewer, self._kinds, self.optional = viewer, kinds, optional
        self._apart_from, self._has_partner = apart_from, has_partner
        self._kept = _Kept()
        self._chooses = not optional  # until somebody else has chosen
        self.lost = ""  # the name of its layer, if that was removed
        super(ComboBox, self).__init__(
            widget_type=_Backend, name=name, label=_label(name), tooltip=tooltip, nullable=optional
        )
        self.native.setPlaceholderText("choose a layer")
        if apart_from is not None:
            apart_from.changed.connect(self.reset_choices)

    @property
    def value(self) -> Any:
        """The chosen layer, or None."""
        return self.get_value()

    @value.setter
    def value(self, layer: Any) -> None:
        CategoricalWidget.value.fset(self, layer)  # type: ignore[attr-defined]
        self._chooses = False  # also if the box had chosen the same layer

    def reset_choices(self, *_: Any) -> None:
        """Offer the viewer's layers; napari calls this when they change."""
        layers = _usable_layers(self._viewer, self._kinds)
        before = self.value
        now = next(iter(self._kept.among(layers)), None)
        if now is not None:
            self.lost = ""
        elif before is not None:
            self.lost = before.name
        if self._chooses and not self.lost:
            now = self._own_choice(now, layers)
        self._fill(layers, now)
        if now != before:
            self.changed.emit(now)

    def _own_choice(self, now: Any, layers: Iterable[Any]) -> Any:
        """Return the layer that the box chooses by itself: the selected, or the first one.

        It chooses no layer that a run has made.
        """
        taken = self._apart_from.value if self._apart_from is not None else None
        if now is not None and now != taken:
            return now
        free = [one for one in layers if one != taken and RECORD not in one.metadata]
        selected = [one for one in free if one == self._viewer.layers.selection.active]
        if self._has_partner and selected == free[-1:]:
            selected = []  # napari selects the newest layer; of a pair, that is the second
        chosen = [*selected, *free][:1]
        self._kept.keep(chosen)
        return next(iter(chosen), None)

    def _fill(self, layers: Sequence[Any], now: Any) -> None:
        box, blocker = self.native, QSignalBlocker(self.native)
        entries: list[tuple[str, Any]] = [(layer.name, layer) for layer in layers]
        if self.optional:
            entries.insert(0, (_NONE, None))
        if entries != [(box.itemText(i), box.itemData(i)) for i in range(box.count())]:
            box.clear()
            for text, layer in entries:
                box.addItem(text, layer)
        for index, (text, _) in enumerate(entries):
            box.setItemData(index, text, Qt.ItemDataRole.ToolTipRole)
        box.setToolTip(f"{now.name}\n{self.tooltip}" if now is not None else self.tooltip)
        at = [layer for _, layer in entries].index(now) if now is not None else -1
        is_none = now is None and self.optional and not self.lost
        box.setCurrentIndex(0 if is_none else at)
        blocker.unblock()

    def _on_value_change(self, value: Any = None) -> None:
        # Qt's signal, which `_fill` blocks: somebody else has chosen.
        self._kept.keep([] if value is None else [value])
        self._chooses, self.lost = False, ""
        self.changed.emit(value)
        self.chosen.emit(value)


class LayerList(Select):
    """A list of image layers of which any number may be chosen."""

    chosen = Signal(object, description="Emitted when anybody but the list itself chooses layers.")

    def __init__(self, viewer: ViewerModel, name: str, tooltip: str) -> None:
        self._viewer, self._kept = viewer, _Kept()
        self.lost = ""  # the names of chosen layers that were removed
        super().__init__(name=name, label=_label(name), tooltip=tooltip)
        rows = _LIST_ROWS * self.native.fontMetrics().height() + 8
        self.native.setFixedHeight(rows)
        self.native.setTextElideMode(Qt.TextElideMode.ElideMiddle)

    def reset_choices(self, *_: Any) -> None:
        """Offer the viewer's layers; napari calls this when they change."""
        before, layers = self.value, image_layers(self._viewer)
        now = self._kept.among(layers)
        if now != before:
            self.lost = ", ".join(one.name for one in before if one not in now)
        box, blocker = self.native, QSignalBlocker(self.native)
        box.clear()
        for layer in layers:
            item = QListWidgetItem(layer.name)
            item.setData(Qt.ItemDataRole.UserRole, layer)
            item.setToolTip(layer.name)
            box.addItem(item)
            item.setSelected(layer in now)
        blocker.unblock()
        if now != before:
            self.changed.emit(now)

    def _on_value_change(self, value: Any = None) -> None:
        self._kept.keep(value)
        self.lost = ""
        self.changed.emit(value)
        self.chosen.emit(value)


def image_layers(viewer: ViewerModel) -> list[Image]:
    """Return the viewer's image layers."""
    return _usable_layers(viewer, (Image,))


def _usable_layers(viewer: ViewerModel, kinds: tuple[type[Layer], ...]) -> list[Any]:
    """Return the layers of some kinds that a run can use."""
    return [one for one in viewer.layers if isinstance(one, kinds) and PASSING not in one.metadata]


def chosen_layer(box: LayerBox) -> Any:
    """Return the layer of a drop-down, or None if it is optional and empty; else `ValueError`."""
    if box.lost:
        none = " or none" if box.optional else ""
        raise ValueError(f"{box.label}: layer {box.lost!r} was removed. Choose another{none}.")
    if box.value is None and not box.optional:
        cure = "Choose one." if box.native.count() else "Open one, or a sample."
        raise ValueError(f"No {box.label.lower()} image. {cure}")
    return box.value


def _label(name: str) -> str:
    return name.replace("_", " ").capitalize()
