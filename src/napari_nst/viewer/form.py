"""Controls in labelled rows that scroll down on a small screen.

Qt's own form layout, since magicgui aligns labels by the application's font, which napari's theme
replaces, and loses the scroll bars of a container that is docked.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFormLayout, QFrame, QLabel, QScrollArea, QVBoxLayout, QWidget

NARROWEST = 320
"""Least width of a column in pixels: the longest label beside the longest choice."""


def form(controls: Iterable[Any]) -> QWidget:
    """Return magicgui controls in rows, each with its label before it."""
    body = QWidget()
    rows = QFormLayout(body)
    rows.setContentsMargins(0, 0, 0, 0)
    rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    for control in controls:
        if hasattr(control, "text"):  # a check box says itself what it is
            rows.addRow(control.native)
            continue
        label = QLabel(control.label)
        label.setToolTip(control.tooltip)
        label.setBuddy(control.native)
        control.native.setAccessibleName(control.label)
        rows.addRow(label, control.native)
    return body


def scrolling_column(*widgets: QWidget) -> QScrollArea:
    """Return widgets below each other, packed at the top, in an area that scrolls down only."""
    body = QWidget()
    column = QVBoxLayout(body)
    for widget in widgets:
        column.addWidget(widget)
    column.addStretch()
    area = QScrollArea()
    area.setWidget(body)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setMinimumWidth(NARROWEST)
    return area
