"""A dock of this plugin that computes one thing at a time in a thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari.components import ViewerModel
from napari.utils.notifications import show_error
from qtpy.QtCore import QTimer

from napari_nst.viewer.controls.docks import DockWidget
from napari_nst.viewer.controls.form import note, say
from napari_nst.viewer.run.worker import IsClosing, run_in_background
from napari_nst.viewer.words import in_window


class ComputingDock(DockWidget):
    """Whether something is computed, and a line that tells of it."""

    def __init__(
        self, viewer: ViewerModel, first: str, *, job: str = "", milliseconds: int = 200
    ) -> None:
        super().__init__(viewer)
        self.busy = False
        self.told = ""  # what the thread has to say
        self.status = note(first)
        self._job = job  # whose words the labels of controls have
        self._timer = QTimer(self)
        self._timer.setInterval(milliseconds)
        self._timer.timeout.connect(self.follow)

    def compute(
        self,
        function: Callable[[IsClosing], Any],
        told: str,
        returned: Callable[[Any], object] | None = None,
    ) -> None:
        """Call a function in a thread, and `returned` with its result in the main thread."""
        self.busy, self.told = True, told
        self._timer.start()
        self.enable()
        run_in_background(
            function,
            viewer=self.viewer,
            returned=returned,
            failed=self.complain,
            finished=self._finish,
        )

    def enable(self, *_: Any) -> None:
        """Enable the controls that can be used now."""

    def follow(self) -> None:
        """Show what has happened since the last call; called at intervals and at the end."""
        if self.busy:
            say(self.status, self.told)

    def stop(self) -> None:
        """End what is computed, if it can be stopped."""

    def tell(self, sentence: str) -> None:
        """Keep a sentence to show; called in the thread."""
        self.told = sentence

    def take_progress(self, message: str, done: int, total: int) -> None:
        """Keep what to show of a download; called in the thread."""
        self.told = f"{message} ({done / total:.0%}) …" if total else message

    def complain(self, error: Exception) -> None:
        """Show an error."""
        if not self.closed:
            self.told = in_window(str(error), self._job)
            say(self.status, self.told)
            show_error(self.told)

    def leave_viewer(self) -> None:
        """Disconnect from the viewer, and end what is computed."""
        self.stop()
        super().leave_viewer()

    def _finish(self) -> None:
        self.busy = False
        if self.closed:
            return
        self._timer.stop()
        self.follow()
        self.enable()
