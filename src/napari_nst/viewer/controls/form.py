"""Controls in labelled rows that scroll down on a small screen.

Qt's own form layout, since magicgui aligns labels by the application's font, which napari's theme
replaces, and loses the scroll bars of a container that is docked.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from magicgui.widgets import LineEdit, Select
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QFormLayout,
    QFrame,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

NARROWEST = 320
"""Least width of a column in pixels: the longest label beside the longest choice."""

FIELDS_WIDTH = 90
"""Least width of a field in pixels; it grows where there is room."""

LABELS_WIDTH = 120
"""Width of a column of labels in pixels, so that the fields of all forms stand below each other."""


class LongText(LineEdit):
    """A line of text too long to stand beside its label; it gets a row of its own."""


def form(controls: Iterable[Any]) -> QWidget:
    """Return magicgui controls in rows, each with its label before it, or above if it is wide.

    A plain Qt widget among them gets a row without a label.
    """
    body = QWidget()
    rows = QFormLayout(body)
    rows.setContentsMargins(0, 0, 0, 0)
    rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    scrolling = _Scrolling(body)
    for control in controls:
        if isinstance(control, QWidget):
            rows.addRow(control)
            continue
        if isinstance(control.native, (QAbstractSpinBox, QComboBox)):
            # Left to itself a box is as wide as its largest number or longest choice.
            control.native.setMinimumWidth(FIELDS_WIDTH)
            scrolling.pass_over(control.native)
        if hasattr(control, "text"):  # a check box says itself what it is
            rows.addRow(control.native)
            continue
        label = QLabel(control.label)
        label.setToolTip(control.tooltip)
        label.setBuddy(control.native)
        label.setMinimumWidth(LABELS_WIDTH)
        control.native.setAccessibleName(control.label)
        if isinstance(control, (LongText, Select)):
            rows.addRow(label)
            rows.addRow(control.native)
        else:
            rows.addRow(label, control.native)
    return body


def note(text: str = "") -> QLabel:
    """Return a label that breaks its lines to fit, and is not there while it has no text."""
    label = QLabel()
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)  # a layer's name may look like markup
    say(label, text)
    return label


def say(label: QLabel, text: str) -> None:
    """Put text into a `note`."""
    label.setText(text)
    label.setVisible(bool(text))


def scrolling_column(*widgets: QWidget) -> QScrollArea:
    """Return widgets below each other, packed at the top, in an area that scrolls down only."""
    body = QWidget()
    column = QVBoxLayout(body)
    column.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        column.addWidget(widget)
    column.addStretch()
    area = QScrollArea()
    # Something between the fields and the bar, where there is one.
    if (bar := area.verticalScrollBar()) is not None:
        bar.rangeChanged.connect(
            lambda _, most: column.setContentsMargins(0, 0, 6 if most else 0, 0)
        )
    area.setWidget(body)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setMinimumWidth(NARROWEST)
    return area


class _Scrolling(QObject):
    """Lets the mouse wheel scroll the column where it would change a number on the way."""

    def pass_over(self, widget: QWidget) -> None:
        """Keep the wheel from a box, unless somebody has clicked into it."""
        widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Hand a wheel's turn on to what is behind."""
        if event is None or event.type() != QEvent.Type.Wheel:
            return False
        if isinstance(watched, QWidget) and watched.hasFocus():
            return False
        event.ignore()
        return True
