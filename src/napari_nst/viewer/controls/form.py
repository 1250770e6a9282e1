"""Forms of labelled controls, and sections that fold.

The rows are in Qt's QFormLayout, because magicgui measures labels in the application's font, which
napari's theme replaces, and a docked magicgui container loses its scroll bars.
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
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

# Widths in pixels: of a dock at least, of a field at least, and of labels in all forms.
NARROWEST = 320
FIELDS_WIDTH = 90
LABELS_WIDTH = 120

_HEADING = """
QPushButton { text-align: left; padding: 4px 6px; font-weight: bold; }
QPushButton:focus { padding: 3px 5px; border: 1px solid palette(highlight); }
"""


class LongText(LineEdit):
    """A line of text that gets a row of its own, below its label."""


class Section:
    """A heading that folds the controls below it; folded at first.

    superqt's QCollapsible fixes the height when it unfolds, which cuts a note that appears later;
    it leaves folded controls in the tab order, and draws its arrow in one colour for all themes.
    """

    def __init__(self, title: str, controls: Iterable[Any]) -> None:
        self.title = title
        self._toggled_by_user = False
        self.button = QPushButton()
        self.button.setStyleSheet(_HEADING)
        self.button.setToolTip("Show or hide these controls.")
        self.button.clicked.connect(self.toggle)
        self._body = form(controls)
        self.native = QWidget()
        column = QVBoxLayout(self.native)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.button)
        column.addWidget(self._body)
        self._fold(True)

    @property
    def folded(self) -> bool:
        """Whether the controls are hidden."""
        return self._body.isHidden()

    def toggle(self) -> None:
        """Show the controls if they are hidden, otherwise hide them."""
        self._toggled_by_user = True
        self._fold(not self.folded)

    def unfold_once(self) -> None:
        """Show the controls, unless the user has already folded or unfolded them."""
        if not self._toggled_by_user:
            self._toggled_by_user = True
            self._fold(False)

    def _fold(self, folded: bool) -> None:
        self._body.setVisible(not folded)
        self.button.setText(f"{'▸' if folded else '▾'} {self.title}")


def form(controls: Iterable[Any]) -> QWidget:
    """Return magicgui controls in rows with their labels; plain Qt widgets get no label."""
    body = QWidget()
    rows = QFormLayout(body)
    rows.setContentsMargins(0, 0, 0, 0)
    rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    wheel_filter = _WheelFilter(body)
    for control in controls:
        if isinstance(control, QWidget):
            rows.addRow(control)
            continue
        if isinstance(control.native, (QAbstractSpinBox, QComboBox)):
            # Qt's own minimum is the width of the largest number or the longest choice.
            control.native.setMinimumWidth(FIELDS_WIDTH)
            control.native.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            control.native.installEventFilter(wheel_filter)
        if hasattr(control, "text"):  # a check box or button has its label on itself
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
    """Return a label that wraps its text, and is hidden while it has none."""
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
    """Return widgets below each other in an area that scrolls vertically."""
    body = QWidget()
    column = QVBoxLayout(body)
    column.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        column.addWidget(widget)
    column.addStretch()
    area = QScrollArea()
    bar: Any = area.verticalScrollBar()
    # Keep a distance between the fields and the scroll bar while there is one.
    bar.rangeChanged.connect(lambda _, most: column.setContentsMargins(0, 0, 6 if most else 0, 0))
    area.setWidget(body)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setMinimumWidth(NARROWEST)
    return area


class _WheelFilter(QObject):
    """Lets the mouse wheel scroll the column, unless the box under the mouse has the focus."""

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Pass wheel events of a box without the focus on to its parent."""
        if event is None or event.type() != QEvent.Type.Wheel:
            return False
        if isinstance(watched, QWidget) and watched.hasFocus():
            return False
        event.ignore()
        return True
