"""Spin boxes for numbers of any size: weights of published recipes go from 1e-4 to 1e9.

Qt's own spin box rounds to a fixed number of decimals, so that 0.001 silently becomes 0.0, or it
shows all of them: 8.000000.
"""

from __future__ import annotations

from typing import Any

from magicgui.backends._qtpy.widgets import QBaseRangedWidget
from magicgui.widgets.bases import RangedWidget
from qtpy.QtCore import QLocale
from qtpy.QtGui import QValidator
from qtpy.QtWidgets import QDoubleSpinBox, QSpinBox, QWidget

_DECIMALS = 40  # that Qt rounds to: too many to change a number of a recipe
_UNFINISHED = ("e", "E", "+", "-", ".")  # ends of a number while it is typed


class _FloatSpinBox(QDoubleSpinBox):
    """Shows 8, 0.001 and 1e9, and accepts numbers typed in any of these ways."""

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
        number = _parsed(text)
        if number is not None and self.minimum() <= number <= self.maximum():
            state = QValidator.State.Acceptable
        elif number is not None or not text or text.endswith(_UNFINISHED):
            state = QValidator.State.Intermediate
        else:
            state = QValidator.State.Invalid
        return state, text or "", position

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
