"""A table of texts and numbers, which cannot be edited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

_HEADING = 46  # height in pixels of the heading and of the scroll bar
_TEXTS = ("statistic", "unit", "seed", "verdict")
"""Columns of texts; those of numbers end at the right."""


class TextTable(QTableWidget):
    """Lines of texts below a heading; it scrolls sideways."""

    def __init__(self, name: str) -> None:
        super().__init__(0, 0)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setAccessibleName(name)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        for header in (self.verticalHeader(), self.horizontalHeader()):
            assert header is not None
            header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        vertical = self.verticalHeader()
        assert vertical is not None
        vertical.hide()

    def fill(
        self,
        heading: Sequence[str],
        lines: Sequence[Sequence[str]],
        tooltips: Mapping[str, str] = MappingProxyType({}),  # column → what it says
    ) -> None:
        """Show lines below a heading."""
        self.setRowCount(len(lines))
        self.setColumnCount(len(heading))
        for column, name in enumerate(heading):
            title = QTableWidgetItem(name[:1].upper() + name[1:])
            title.setToolTip(tooltips.get(name, ""))
            self.setHorizontalHeaderItem(column, title)
            for row, line in enumerate(lines):
                item = QTableWidgetItem(line[column])
                if name not in _TEXTS:
                    right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
                    item.setTextAlignment(right)
                self.setItem(row, column, item)

    def as_high_as_its_rows(self) -> None:
        """Show all rows, in a dock that scrolls."""
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFixedHeight(self.sizeHintForRow(0) * self.rowCount() + _HEADING)
