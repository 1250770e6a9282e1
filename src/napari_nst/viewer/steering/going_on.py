"""The row below a finished run: more steps, a larger size."""

from __future__ import annotations

from magicgui.widgets import PushButton
from qtpy.QtWidgets import QHBoxLayout, QWidget

from napari_nst.viewer.controls.form import CountBox


class GoingOn:
    """Controls to go on from a finished run; out of sight while there is none.

    Attributes
    ----------
    steps : CountBox
        How many iterations to add.
    size : CountBox
        Longest side to go on at; 0 for the one it has.
    button : PushButton
        Goes on.
    native : QWidget
        The row.
    """

    def __init__(self) -> None:
        self.steps = CountBox(
            unit=" steps",
            name="more_steps",
            value=50,
            min=1,
            max=1_000_000,
            step=10,
            tooltip="How many iterations to add to the finished run.",
        )
        self.size = CountBox(
            zero="same size",
            unit=" px",
            name="larger_size",
            max=65536,
            step=128,
            tooltip="Longest side to go on at, in pixels; 0 keeps the size.",
        )
        self.button = PushButton(
            text="Go on",
            tooltip="Go on from the result, with the settings above and what you have painted.",
        )
        self.native = QWidget()
        row = QHBoxLayout(self.native)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.button.native)
        for box, name in ((self.steps, "Steps to add"), (self.size, "Size to go on at")):
            box.native.setAccessibleName(name)
            row.addWidget(box.native, 1)
        self.native.hide()
