"""Parts of a form that fold away under their titles."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from napari_nst.viewer.controls.form import form

_HEADING = """
QPushButton { text-align: left; padding: 4px 6px; font-weight: bold; }
QPushButton:focus { padding: 3px 5px; border: 1px solid palette(highlight); }
"""


class Section:
    """A title to press, and below it controls that are there or not; folded at first.

    Parameters
    ----------
    title : str
        What the controls have in common.
    controls : iterable
        As `form` takes them.

    Attributes
    ----------
    button : QPushButton
        The title.
    native : QWidget
        Title and controls together.
    """

    def __init__(self, title: str, controls: Iterable[Any]) -> None:
        self.title = title
        self._touched = False
        self.button = QPushButton()
        # As wide as the form, so that it reads as a heading; the colours stay the theme's.
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
        """Show the controls if they are hidden, and the other way round."""
        self._touched = True
        self._fold(not self.folded)

    def unfold_once(self) -> None:
        """Show the controls, unless the user has shown or hidden them before."""
        if not self._touched:
            self._touched = True
            self._fold(False)

    def _fold(self, folded: bool) -> None:
        self._body.setVisible(not folded)
        self.button.setText(f"{'▸' if folded else '▾'} {self.title}")
