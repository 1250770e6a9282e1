"""The row that shows, undoes and resets changes of a widget's settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

from napari_nst.viewer.controls.form import Section
from napari_nst.viewer.controls.recipe_form import WITHOUT_CONTROL
from napari_nst.viewer.settings.menu import ControlValues, SettingsMenu
from napari_nst.viewer.steering import SETTLED

MOST = 100  # changes that can be undone


class ChangesRow(QWidget):
    """Settings, Undo and Defaults; marks each section whose controls differ from the defaults.

    What changes within a moment is one change: a preset, or the click on an image of a sweep.
    """

    def __init__(
        self,
        menu: SettingsMenu,
        values: ControlValues,
        sections: Mapping[str, Section],
        is_closed: Callable[[], bool],  # whether Qt has deleted the widget
    ) -> None:
        super().__init__()
        self._is_closed = is_closed
        self._values = values
        self._sections = sections
        self._now = values.snapshot()
        self._before: list[dict[str, Any]] = []
        self.undo = QPushButton("Undo")
        self.undo.setToolTip("Undo the last change of settings: also of a preset, or of a sweep's.")
        self.defaults = QPushButton("Defaults")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(menu, 1)
        row.addWidget(self.undo)
        row.addWidget(self.defaults)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(SETTLED)
        self._timer.timeout.connect(self.settle)
        self.undo.clicked.connect(self.undo_last)
        self.defaults.clicked.connect(menu.reset_all)
        values.watch(self._settle_soon)
        self._show()

    @property
    def is_settling(self) -> bool:
        """Whether a change is not noted yet."""
        return self._timer.isActive()

    def settle(self) -> None:
        """Note what has changed since the last change, and show it."""
        now = self._values.snapshot()
        if now != self._now:
            self._before = [*self._before, self._now][-MOST:]
            self._now = now
        self._show()

    def undo_last(self) -> None:
        """Set the controls as before the last change."""
        self.settle()
        if self._before:
            self._now = self._before.pop()
            self._values.restore(self._now)
            # What follows from the values that were set is no further change.
            self._now = self._values.snapshot()
        self._show()

    def _settle_soon(self) -> None:
        if not self._is_closed():
            self._timer.start()

    def _show(self) -> None:
        changed = self._values.changed()
        for title, section in self._sections.items():
            names = [getattr(one, "name", "") for one in section.controls]
            if title == "Expert":  # also fields that only a recipe file sets
                names += [name for name in changed if name in WITHOUT_CONTROL]
            section.mark(_changed_text([changed[name] for name in names if name in changed]))
        everywhere = _changed_text(list(changed.values()))
        self.undo.setEnabled(bool(self._before))
        self.defaults.setToolTip(
            "\n".join(filter(None, ["Set all controls as in a new widget.", everywhere]))
        )


def _changed_text(labels: list[str]) -> str:
    return f"Differs from the defaults: {', '.join(labels)}." if labels else ""
