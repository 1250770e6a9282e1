"""Forms of labelled controls, sections that fold, and boxes for numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from magicgui.backends._qtpy.widgets import QBaseRangedWidget
from magicgui.widgets import LineEdit, Select, TextEdit
from magicgui.widgets.bases import RangedWidget
from qtpy.QtCore import QEvent, QLocale, QObject, Qt
from qtpy.QtGui import QValidator
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

# Widths in pixels: of a dock at least, of a field at least, and of labels in all forms.
NARROWEST = 320
FIELDS_WIDTH = 90
LABELS_WIDTH = 120

_FOLDS = "Show or hide these controls."
_HEADING = """
QPushButton { text-align: left; padding: 4px 6px; font-weight: bold; }
QPushButton:focus { padding: 3px 5px; border: 1px solid palette(highlight); }
"""


class LongText(LineEdit):
    """A line of text that gets a row of its own, below its label."""


class DataText(TextEdit):
    """Several lines of plain text, such as JSON, in a row of its own below the label."""

    def __init__(self, **kwargs: Any) -> None:
        # Qt's signal of a changed text carries no text, and magicgui emits None only if nullable.
        super().__init__(nullable=True, **kwargs)
        self.native.setAcceptRichText(False)
        self.native.setTabChangesFocus(True)
        lines = 4
        self.native.setFixedHeight(lines * self.native.fontMetrics().lineSpacing() + 12)


class Section:
    """A heading that folds the controls below it; folded at first."""

    # superqt's QCollapsible fixes its height when it unfolds, leaves folded controls in the tab
    # order, and draws its arrow in one colour for all themes.

    def __init__(self, title: str, controls: Iterable[Any]) -> None:
        self.title = title
        self.controls = list(controls)
        self._was_toggled = False
        self._mark = ""
        self.button = QPushButton()
        self.button.setStyleSheet(_HEADING)
        self.button.setToolTip(_FOLDS)
        self.button.clicked.connect(self.toggle)
        self._body = form(self.controls)
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
        self._was_toggled = True
        self._fold(not self.folded)

    def unfold_once(self) -> None:
        """Show the controls, unless they have been shown or hidden before."""
        if not self._was_toggled:
            self.toggle()

    def mark(self, why: str) -> None:
        """Mark the heading and say why in its tooltip; remove the mark if there is no reason."""
        self._mark = " •" if why else ""
        self.button.setToolTip("\n".join(filter(None, [why, _FOLDS])))
        self._fold(self.folded)

    def _fold(self, folded: bool) -> None:
        self._body.setVisible(not folded)
        self.button.setText(f"{'▸' if folded else '▾'} {self.title}{self._mark}")


def form(controls: Iterable[Any]) -> QWidget:
    """Return magicgui controls in rows with their labels; plain Qt widgets get no label."""
    body = QWidget()
    # Not magicgui's, which measures labels in another font and loses its scroll bars in a dock.
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
        if isinstance(control, (LongText, DataText, Select)):
            rows.addRow(label)
            rows.addRow(control.native)
        elif isinstance(control, SizeBox):
            pair = QHBoxLayout()
            pair.addWidget(control.native, 1)
            pair.addWidget(control.own)
            rows.addRow(label, pair)
        else:
            rows.addRow(label, control.native)
    return body


def note(text: str = "") -> QLabel:
    """Return a label that wraps its text, and is hidden while it has none."""
    label = QLabel()
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)  # a layer's name may look like markup
    # No width of its own: a layer's name may be one very long word.
    policy = QSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    policy.setHeightForWidth(True)
    label.setSizePolicy(policy)
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

    def eventFilter(self, watched: Any, event: Any) -> bool:
        """Pass wheel events of a box without the focus on to its parent."""
        if event.type() != QEvent.Type.Wheel or watched.hasFocus():
            return False
        event.ignore()
        return True


_DECIMALS = 40  # that Qt rounds to: too many to change a number of a recipe
_UNFINISHED = ("e", "E", "+", "-", ".")  # ends of a number while it is typed


class _FloatSpinBox(QDoubleSpinBox):
    """Shows and accepts 8, 0.001 and 1e9; Qt's own box rounds to a fixed number of decimals."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setLocale(QLocale.c())
        self.setDecimals(_DECIMALS)

    def textFromValue(self, value: float) -> str:
        if value and not 1e-4 <= abs(value) < 1e7:
            mantissa, exponent = f"{value:.6e}".split("e")
            return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
        return f"{value:.7g}"

    def valueFromText(self, text: str | None) -> float:
        # The text is rounded; the value stays exact until the user types another number.
        if text == self.textFromValue(self.value()):
            return self.value()
        return _parsed(text) or 0.0

    def validate(self, text: str | None, position: int) -> tuple[QValidator.State, str, int]:
        # Many countries write 0,5. Without this, the comma would be dropped and 5 remain.
        text = (text or "").replace(",", ".")
        number = _parsed(text)
        if number is not None and self.minimum() <= number <= self.maximum():
            state = QValidator.State.Acceptable
        elif number is not None or not text or text.endswith(_UNFINISHED):
            state = QValidator.State.Intermediate
        else:
            state = QValidator.State.Invalid
        return state, text, position

    def stepBy(self, steps: int) -> None:
        # Rounded, so that three steps of 0.1 give 0.3 and not 0.30000000000000004.
        self.setValue(float(f"{self.value() + steps * self.singleStep():.12g}"))


def _parsed(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None


class _FloatBackend(QBaseRangedWidget):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(_FloatSpinBox, **kwargs)


class NumberBox(RangedWidget[float]):
    """A magicgui widget for a real number."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(widget_type=_FloatBackend, **kwargs)


class _IntBackend(QBaseRangedWidget):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(QSpinBox, **kwargs)


class CountBox(RangedWidget[int]):
    """A magicgui widget for a whole number, with a unit and with words in place of 0."""

    def __init__(self, zero: str = "", unit: str = "", **kwargs: Any) -> None:
        super().__init__(widget_type=_IntBackend, **{"min": 0, **kwargs})
        self.native.setSpecialValueText(zero)
        self.native.setSuffix(unit)


class SizeBox(CountBox):
    """A size in pixels, beside a check box for the layer's own size, which is 0."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(zero="own size", **kwargs)
        self._last = 0  # the size before the own size was chosen
        self.own = QCheckBox("own")
        self.own.setToolTip("Take the layer's own size.")
        self.own.setAccessibleName("Own size")
        self.own.toggled.connect(self._on_own)
        self.changed.connect(self._show_own)

    def _on_own(self, own: bool) -> None:
        if own and self.value:
            self._last, self.value = self.value, 0
        elif not own and not self.value:
            self.value = self._last or 384

    def _show_own(self, size: int) -> None:
        self.own.setChecked(not size)
