"""The life of a run: started in a thread, drawn into a layer, ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from napari.components import ViewerModel
from napari.layers import Layer
from psygnal import Signal
from qtpy.QtWidgets import QWidget

from napari_nst.engine.steering import LIVE_FIELDS
from napari_nst.recipe import CONTROLS, Recipe
from napari_nst.viewer.layers.live_layer import LiveLayer
from napari_nst.viewer.loss_plot.trace import LossTrace
from napari_nst.viewer.run.recovered import about_of
from napari_nst.viewer.run.request import RunRequest
from napari_nst.viewer.run.throttle import RedrawTimer, Throttle
from napari_nst.viewer.run.worker import RunThread, run_in_background
from napari_nst.viewer.settings.menu import CONTROLS as CONTROLS_KEY
from napari_nst.viewer.settings.preferences import preferred

if TYPE_CHECKING:
    from napari_nst.engine.iteration import Iteration

_TEXT_INTERVAL, _TEXT_PATIENCE, _PLOT_INTERVAL = 0.25, 5.0, 1.0
"""Least seconds between two reports, most seconds between two, and between two loss plots."""


class Runner:
    """Runs one request at a time, and draws it in the viewer, while Qt has a widget."""

    began = Signal()
    shown = Signal()  # an iteration has been drawn
    reported = Signal(RunThread)  # progress and losses are to be shown
    plotted = Signal()  # the losses are to be plotted
    held = Signal(bool)  # the user may paint on the result of a paused run, or no longer
    finished = Signal(RunThread)  # the last iteration has been drawn
    ended = Signal(RunThread)  # the run is over, however it ended
    failed = Signal(Exception)

    def __init__(self, viewer: ViewerModel, widget: QWidget) -> None:
        self._viewer = viewer
        self.active: RunThread | None = None  # the run that goes on or is paused
        self.request: RunRequest | None = None  # of this run, or of the last
        self.live: Any = None  # the LiveLayer or SheetLayer that it is drawn into
        self.last: Iteration | None = None  # the last of a finished run that can be continued
        self.losses = LossTrace()  # of this run, or of the last
        self.closed = False  # whether Qt has deleted the widget
        self._asked = Recipe()
        self._former: Any = None
        self._holds = False
        self._redraws = RedrawTimer(widget, self._is_urgent)
        self._redraws.add(Throttle(), self._image_state, self._show)
        self._redraws.add(
            Throttle(_TEXT_INTERVAL, _TEXT_PATIENCE),
            self._text_state,
            lambda: self.reported.emit(self.active),
        )
        self._redraws.add(
            Throttle(_PLOT_INTERVAL), lambda: len(self.losses) or None, self.plotted.emit
        )
        widget.destroyed.connect(self._on_destroyed)

    @property
    def has_result(self) -> bool:
        """Whether the viewer has the layer of the run that goes on, or of the last run."""
        live = self.live
        return live is not None and live.layer is not None and not live.removed

    def check_goes_on(self, request: RunRequest) -> None:
        """Raise `ValueError` if a request cannot continue the last run."""
        if self.last is None or not self.has_result or self.request is None:
            raise ValueError("There is no result to go on from; press Run.")
        if not request.is_single or request.position.shape != self.request.position.shape:
            raise ValueError(
                f"The settings are for another image than {self.live.layer.name!r}; choose its "
                "layers again, or press Run."
            )

    def begin(
        self,
        request: RunRequest,
        watch: Callable[[Iteration], None] | None = None,
        *,
        go_on: bool = False,
    ) -> None:
        """Start a run, or with `go_on` continue the last; does nothing while a run goes on."""
        if self.active is not None:
            return
        after = self.last if go_on else None
        self._former = self.request, self.live, self.last, self.losses
        if not go_on:
            steps = request.saved.step - 1 if request.saved else 0
            self.live, self.losses = self._make_layer(request), LossTrace(steps, request.losses)
        self.request, self.last, self._asked = request, None, request.recipe
        start = partial(request.start, after=after)
        run = self.active = RunThread(start, self.losses, watch, self.live.drawn)
        if request.is_single:
            run.steering.save_every = float(preferred("save_every", 60))
            run.steering.about = partial(about_of, request, self.losses)
        if go_on:
            self._take_strokes(run)
        # Before the thread: napari's progress bar handles all waiting events here, also the end of
        # a run that fails at once.
        self.began.emit()
        self.reported.emit(run)
        if self.closed:
            self._on_finished()
            return
        self._redraws.start(float(preferred("preview_rate", 15)))
        run_in_background(
            run.work, viewer=self._viewer, failed=self._on_error, finished=self._on_finished
        )

    def pause(self) -> None:
        """Pause the run after this iteration, or resume it with what was painted meanwhile."""
        run = self.active
        if run is None:
            return
        if self._holds:
            self._take_strokes(run)
            self._holds = False
            self.held.emit(False)
        run.pause(not run.paused)

    def stop(self) -> None:
        """End the run with its last complete iteration."""
        if self.active is not None:
            self.active.stop()

    def steer(self, recipe: Recipe) -> list[str]:
        """Change the run to another recipe; return the fields that cannot change during a run."""
        run, request = self.active, self.request
        if run is None or request is None or not request.is_single:
            return []
        other = [name for name in CONTROLS if getattr(recipe, name) != getattr(self._asked, name)]
        live = {name: getattr(recipe, name) for name in other if name in LIVE_FIELDS}
        if live:
            run.steering.change(**live)
            self._asked = self._asked.replace(**live)
        return [name for name in other if name not in live]

    def replace_reader(self, read: Callable[[], dict[str, Any]]) -> None:
        """Replace the function that reads the images of the run, after the user changed them."""
        if self.request is not None:
            self.request = replace(self.request, read=read)

    def keep_below(self, guides: tuple[Layer, ...]) -> None:
        """Keep the result below guides that were chosen during the run."""
        if isinstance(self.live, LiveLayer):
            self.live.keep_below(guides)

    def _make_layer(self, request: RunRequest) -> Any:
        if request.make_layer is not None:
            return request.make_layer(self._viewer, request)
        return LiveLayer(
            self._viewer,
            request.name,
            request.position,
            request.intensity,
            keep_dtype=request.keep_dtype,
            original=request.original,
            guides=request.guides,
            fit_view=request.is_beside,
        )

    def _text_state(self) -> tuple[object, ...] | None:
        run = self.active
        if run is None or self.closed:
            return None
        if self.live.removed:
            run.note("The run ended because its layer was removed.")
            run.stop()
        return run.state

    def _image_state(self) -> tuple[object, ...] | None:
        has_image = self.active is not None and self.active.picture is not None
        return self._text_state() if has_image else None

    def _is_urgent(self) -> bool:
        return self.active is not None and (self.active.paused or self.active.stopping)

    def _show(self) -> bool:
        """Draw the newest image; return False if that made the layer, which takes napari long."""
        run = self.active
        assert run is not None
        is_new = self.live.layer is None
        self._draw(run, run.picture)
        run.picture_wanted = True
        # While the run waits and its newest image is shown, the user may paint.
        holds = run.holding and self.live.shown is run.newest
        if holds != self._holds and self.request is not None and self.request.is_single:
            self._holds = holds
            if holds:
                self.live.remember()
            self.held.emit(holds)
        self.shown.emit()
        return not is_new

    def _draw(self, run: RunThread, picture: Iteration | None) -> None:
        while run.completed:
            self.live.show(run.completed.popleft())
        if picture is not None:
            self.live.show(picture)

    def _take_strokes(self, run: RunThread) -> None:
        try:
            strokes = self.live.strokes()
        except ValueError as error:
            self.failed.emit(error)
        else:
            if strokes is not None:
                run.steering.paint(*strokes)

    def _on_finished(self) -> None:
        run = self.active
        if run is None or self.request is None:
            return
        if self.closed:  # nothing can be drawn any more
            self.active = self._former = None
            self.ended.emit(run)
            return
        self._redraws.stop()
        self._holds = False
        try:
            if run.newest is None:  # the former result remains
                self.request, self.live, self.last, self.losses = self._former
            else:
                self._show_last(run, run.newest, self.request)
            self.finished.emit(run)
            self.plotted.emit()
        finally:  # also if the last image cannot be drawn
            self._former = self.active = None
            self.ended.emit(run)

    def _show_last(self, run: RunThread, newest: Iteration, request: RunRequest) -> None:
        self._draw(run, newest)
        self.live.describe({**newest.record(), CONTROLS_KEY: request.controls})
        if request.is_single:
            self.last = newest
            self.live.remember()
        if self.has_result and request.after_run is not None:
            request.after_run(self.live.layer)
            if request.is_beside and self._viewer.dims.ndisplay == 2:
                self._viewer.fit_to_view()

    def _on_error(self, error: Exception) -> None:
        if not self.closed:
            self.failed.emit(error)

    def _on_destroyed(self) -> None:
        self.closed = True
        self.stop()
