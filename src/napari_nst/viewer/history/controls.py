"""The controls of a run's history: what to keep of it, how to look at it, where to write it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer

from napari_nst.errors import NstError
from napari_nst.io.animation import check_format
from napari_nst.viewer.history.export import Exporter, ask_for_path
from napari_nst.viewer.history.form import EVEN, OFF, HistoryForm
from napari_nst.viewer.history.layers import IterationLayers
from napari_nst.viewer.history.run_history import RunHistory
from napari_nst.viewer.run.pace import STACK, Pace

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_nst.viewer.run.request import RunRequest
    from napari_nst.viewer.run.worker import RunThread

Draw = Callable[[Callable[[], object], Callable[[], object]], None]


def _at_once(layers: Callable[[], object], rest: Callable[[], object]) -> None:
    layers()
    rest()


def _nothing() -> None:
    """Do what there is to do where the layers are all that is to be drawn."""


class HistoryControls(HistoryForm):
    """What a widget has to do with the histories of its runs.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Gets the layers.
    complain : callable
        Called with what went wrong.
    draw : callable, optional
        Has a layer made, and then all else that belongs to it: `Runner.draw`.

    Attributes
    ----------
    current : RunHistory or None
        That of the newest run, if it has one.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        complain: Callable[[Exception], None],
        draw: Draw = _at_once,
    ) -> None:
        self._viewer = viewer
        self._complain = complain
        self._draw = draw
        self._exporter = Exporter(complain)
        self._running = self._closed = False
        self._shown = Pace(STACK)
        self.current: RunHistory | None = None
        self._former: RunHistory | None = None
        super().__init__()
        self.keep.changed.connect(self._enable_what_matters)
        self.each_as_layer.changed.connect(self._enable_what_matters)
        self.show_stack.clicked.connect(self.show)
        self.export_as.clicked.connect(self._on_export)
        self._timer = QTimer(self.kept.native)  # goes when the widget goes
        self._timer.setInterval(250)
        self._timer.timeout.connect(self._follow)
        self.kept.native.destroyed.connect(self._on_destroyed)
        self._enable_what_matters()
        self.show_state()

    # ── around a run ─────────────────────────────────────────────────────────────────────────

    def new_history(self, request: RunRequest, *, go_on: bool = False) -> RunHistory | None:
        """Return what keeps the pictures of a run that begins; its `step` watches the run.

        Parameters
        ----------
        request : RunRequest
            What the run does.
        go_on : bool
            Whether it goes on from the last one, whose history, if it has one, goes on too.

        Returns
        -------
        RunHistory or None
            None if nothing is to be kept, or the job makes several pictures.

        Raises
        ------
        ValueError
            If there would be too many layers.
        """
        each = bool(self.each_as_layer.value)
        steps = request.recipe.steps
        if each and steps > IterationLayers.MOST:
            raise ValueError(
                f"A run of {steps} steps has too many iterations for a layer of each; "
                f"take at most {IterationLayers.MOST}, or untick that under History."
            )
        self._former = self.current
        if not (go_on and self.current is not None):
            self.current = self._for(request, each)
        self._running = self.current is not None
        self.show_state()
        if self.current is None:
            return None
        self._timer.start()
        return self.current

    def refresh(self) -> None:
        """Bring the layer up to date, unless that was a moment ago."""
        current = self.current if self._running else None
        if current is not None and self._shown.is_due(tuple(current.history.steps)):
            current.refresh()

    def finish(self, run: RunThread) -> None:
        """Keep the last picture of a run that is over, and describe the layers.

        One that ended before its first iteration leaves the history of the run before.
        """
        if run.newest is None:
            self.current = self._former
        elif self._running and self.current is not None and not self._closed:
            self.current.finish(run)
        self._running, self._former = False, None
        if not self._closed:
            self.show_state()

    def _for(self, request: RunRequest, each: bool) -> RunHistory | None:
        if not request.is_single or (self.keep.value == OFF and not each):
            return None
        return RunHistory(
            self._viewer,
            request,
            "even" if each or self.keep.value == EVEN else "log",
            every=1 if each else self.every.value,
            megabytes=self.budget.value,
            each_as_layer=each,
        )

    def _follow(self) -> None:
        """Show what comes by itself; called by the timer for as long as there may be something."""
        if self._closed:
            return
        added = self.current is not None and self.current.add_iteration()
        if self._exporter.busy or not self._running:
            self.show_state()
        if not (self._running or added or self._exporter.busy):
            self._timer.stop()

    # ── what the buttons do ──────────────────────────────────────────────────────────────────

    def show(self) -> None:
        """Show the pictures that are kept as one layer, or bring that layer up to date."""
        try:
            current = self._there()
            newest = current.nearest(sys.maxsize)
        except ValueError as error:
            self._complain(error)
            return
        if current.layer.is_there:
            self._draw(current.show, _nothing)
        else:
            self._draw(current.appear, lambda: current.layer.point(newest))

    def show_step(self, step: int) -> int | None:
        """Move the slider to the picture whose step is nearest, in a layer that appears if needed.

        Returns that step; None, with a complaint, where nothing was kept.
        """
        try:
            current = self._there()
            nearest = current.nearest(step)
        except ValueError as error:
            self._complain(error)
            return None
        self._draw(current.appear, lambda: current.layer.show_step(nearest))
        return nearest

    def export(self, path: str | Path) -> None:
        """Write the pictures that are kept now, in a thread; a notification says when it is done.

        Parameters
        ----------
        path : path-like
            As for `write_animation`.
        """
        try:
            self._exporter.check_idle()
            check_format(Path(path))
            export = self._there().export(Path(path))
        except (NstError, ValueError) as error:
            self._complain(error)
            return
        self._exporter.start(export)
        self._timer.start()
        self.show_state()

    def _there(self) -> RunHistory:
        if self.current is None:
            raise ValueError("No history was kept; choose what to keep, and start a run.")
        return self.current

    def _on_export(self) -> None:
        try:
            path = ask_for_path(self.export_as.native, self._there().name)
        except ValueError as error:
            self._complain(error)
        else:
            if path is not None:
                self.export(path)

    # ── what is shown ────────────────────────────────────────────────────────────────────────

    def show_state(self) -> None:
        """Say how much is kept, or how far a file is."""
        has_pictures = self.current is not None and bool(self.current.history.steps)
        text = self._exporter.message or (self.current.kept if self.current else "Nothing yet.")
        if self.kept.value != text:
            self.kept.value = text
        self.show_stack.enabled = has_pictures
        self.export_as.enabled = has_pictures and not self._exporter.busy

    def _enable_what_matters(self) -> None:
        each = bool(self.each_as_layer.value)
        self.keep.enabled = not each
        self.every.enabled = self.keep.value == EVEN and not each
        self.budget.enabled = each or self.keep.value != OFF

    def _on_destroyed(self) -> None:
        self._closed = True
