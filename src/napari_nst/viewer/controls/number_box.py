"""A spin box for numbers of any size: weights of published recipes go from 1e-4 to 1e9.

Qt's own rounds to a fixed count of decimals without a word, so that 0.001 becomes 0.0, or shows all
of them, as 8.000000.
"""

from __future__ import annotations

from typing import Any

from magicgui.backends._qtpy.widgets import QBaseRangedWidget
from magicgui.widgets.bases import RangedWidget
from qtpy.QtCore import QLocale
from qtpy.QtGui import QValidator
from qtpy.QtWidgets import QDoubleSpinBox, QSpinBox, QWidget

FINEST = 40
"""Decimals that Qt rounds to: enough for none of a recipe's numbers to change."""

_UNFINISHED = ("e", "E", "+", "-", ".")
"""How a number may end while it is typed."""


class _PlainSpinBox(QDoubleSpinBox):
    """Shows 8, 0.001 and 1e9, and takes them typed in any of these ways."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setLocale(QLocale.c())
        self.setDecimals(FINEST)

    def textFromValue(self, value: float) -> str:
        if value and not 1e-4 <= abs(value) < 1e7:
            mantissa, exponent = f"{value:.6e}".split("e")
            return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
        return f"{value:.7g}"

    def valueFromText(self, text: str | None) -> float:
        # What is shown is rounded; the number stays as it is until somebody types another.
        if text == self.textFromValue(self.value()):
            return self.value()
        return _number(text) or 0.0

    def validate(self, text: str | None, position: int) -> tuple[QValidator.State, str, int]:
        number = _number(text)
        if number is not None and self.minimum() <= number <= self.maximum():
            state = QValidator.State.Acceptable
        elif number is not None or not text or text.endswith(_UNFINISHED):
            state = QValidator.State.Intermediate
        else:
            state = QValidator.State.Invalid
        return state, text or "", position

    def stepBy(self, steps: int) -> None:
        # Three times 0.1 shall be 0.3, in the recipe's JSON too.
        self.setValue(float(f"{self.value() + steps * self.singleStep():.12g}"))


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None


class _Backend(QBaseRangedWidget):
    """Puts that spin box where magicgui would put another."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(_PlainSpinBox, **kwargs)


class NumberBox(RangedWidget[float]):
    """A magicgui widget to edit a number with arrows, or by typing it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(widget_type=_Backend, **kwargs)


class _CountBackend(QBaseRangedWidget):
    """Puts Qt's own, which can show words, where magicgui would put superqt's."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(QSpinBox, **kwargs)


class CountBox(RangedWidget[int]):
    """A magicgui widget to edit a whole number that shows its unit, and its 0 as words."""

    def __init__(self, zero: str = "", unit: str = "", **kwargs: Any) -> None:
        super().__init__(widget_type=_CountBackend, **{"min": 0, **kwargs})
        self.native.setSpecialValueText(zero)
        self.native.setSuffix(unit)
