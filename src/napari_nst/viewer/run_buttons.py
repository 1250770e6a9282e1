"""The buttons that start, hold and end a run, and save what came of it."""

from __future__ import annotations

from typing import Any

from magicgui.widgets import Container, PushButton


class RunButtons(Container[Any]):
    """A row of buttons, of which those that make sense now can be pressed.

    Attributes
    ----------
    run, pause, stop, save_as : PushButton
        In this order.
    """

    def __init__(self) -> None:
        self.run = PushButton(text="Run", tooltip="Start, with the settings above.")
        self.pause = PushButton(text="Pause", tooltip="Hold after this iteration, or go on.")
        self.stop = PushButton(
            text="Stop", tooltip="End now, and keep the picture of the last whole iteration."
        )
        self.save_as = PushButton(
            text="Save…",
            tooltip="Write the result to a PNG or TIFF file, with the recipe and all that made it.",
        )
        super().__init__(
            widgets=[self.run, self.pause, self.stop, self.save_as],
            layout="horizontal",
            labels=False,
        )
        self.margins = (0, 0, 0, 0)
        self.show_state(running=False, can_save=False)

    def show_state(self, *, running: bool, can_save: bool) -> None:
        """Enable what makes sense."""
        self.run.enabled = not running
        self.pause.enabled = self.stop.enabled = running
        self.save_as.enabled = can_save and not running
        self.show_paused(False)

    def show_paused(self, paused: bool) -> None:
        """Let the second button say what it does now."""
        self.pause.text = "Resume" if paused else "Pause"
