"""The sentences under a run's buttons."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QLabel, QSizePolicy, QWidget

LINES = 3
"""What a run says at least, so that nothing moves when it begins."""


class StatusText(QWidget):
    """A text that wraps where the dock ends, and changes many times.

    A label in a layout has everything around it laid out anew whenever its text changes, and Qt
    composes the window after each step of that. This one asks for it when its height changes.
    """

    def __init__(self, text: str, tooltip: str) -> None:
        super().__init__()
        self._label = QLabel(text, self)
        self._label.setTextFormat(Qt.TextFormat.PlainText)  # a path may look like markup
        self._label.setWordWrap(True)
        self._label.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.setToolTip(tooltip)
        policy = QSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    @property
    def text(self) -> str:
        """What it says."""
        return self._label.text()

    @text.setter
    def text(self, text: str) -> None:
        before = self.heightForWidth(self.width())
        self._label.setText(text)
        if self.heightForWidth(self.width()) != before:
            self.updateGeometry()

    def hasHeightForWidth(self) -> bool:
        """Wrap."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Return the height of the text, or of the usual number of lines."""
        least = LINES * self._label.fontMetrics().lineSpacing() + 4
        return max(least, self._label.heightForWidth(width))

    def sizeHint(self) -> QSize:
        """Return the height at this width."""
        return QSize(0, self.heightForWidth(self.width()))

    def minimumSizeHint(self) -> QSize:
        """Return the same: no line is cut off."""
        return self.sizeHint()

    def resizeEvent(self, event: Any) -> None:
        """Give the text all of it."""
        super().resizeEvent(event)
        self._label.resize(self.size())
