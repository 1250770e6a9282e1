"""The life of a run: a job in a worker thread, drawn into a layer while it goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from psygnal import Signal
from qtpy.QtWidgets import QWidget

from napari_nst.engine.steering import LIVE_FIELDS
from napari_nst.recipe import CONTROLS, Recipe
from napari_nst.viewer.layers.live_layer import LiveLayer
from napari_nst.viewer.loss_plot.trace import LossTrace
from napari_nst.viewer.run.frames import Frames
from napari_nst.viewer.run.request import RunRequest
from napari_nst.viewer.run.triton_workaround import keep_triton_out
from napari_nst.viewer.run.work import start_work
from napari_nst.viewer.run.worker import RunThread
from napari_nst.viewer.settings.control_values import CONTROLS as WIDGETS_CONTROLS
from napari_nst.viewer.settings.preferences import apply_cache_folder, preferred

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_nst.engine.iteration import Iteration

Watch = Callable[["Iteration"], None]

_NOTHING = (None, None, None, LossTrace())


class Runner:
    """Runs one job at a time, and shows in the viewer how it goes.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Gets the result.
    widget : QWidget
        Of the window, with which goes what draws the run.

    Attributes
    ----------
    frames : Frames
        When it is drawn, and what is said of it.
    active : Run or None
        The run that is going on, or held.
    request : RunRequest or None
        What it does, or what the last one did.
    live : LiveLayer or None
        What it draws into.
    last : Iteration or None
        Where the last run of a single picture ended, to go on from.
    losses : LossTrace
        Of this run, or of the last.
    closed : bool
        Whether Qt has taken the widget down, and nothing may be touched.
    """

    began = Signal(description="Emitted when a run starts.")
    shown = Signal(description="Emitted when a picture is drawn, and other layers can be.")
    held = Signal(bool, description="Emitted when a paused run holds, and when it goes on.")
    finished = Signal(
        RunThread, description="Emitted when the last picture is drawn, and others can be."
    )
    ended = Signal(RunThread, description="Emitted when a run is over, however it ended.")
    failed = Signal(Exception, description="Emitted with what went wrong.")

    def __init__(self, viewer: ViewerModel, widget: QWidget) -> None:
        self._viewer = viewer
        self.active: RunThread | None = None
        self.request: RunRequest | None = None
        self.live: Any = None
        self.last: Iteration | None = None
        self.losses = LossTrace()
        self.closed = False
        self._asked = Recipe()
        self._former: Any = _NOTHING
        self._holds = False
        self.frames = Frames(widget, self._seen, self._show, lambda: self.live.layer is not None)
        widget.destroyed.connect(self._on_destroyed)

    def check_goes_on(self, request: RunRequest) -> None:
        """Raise `ValueError` where a job cannot go on from the last result."""
        if self.last is None or self.live is None or self.live.removed or self.request is None:
            raise ValueError("There is no result to go on from; press Run.")
        if not request.is_single or request.position.shape != self.request.position.shape:
            raise ValueError(
                f"The settings are for another picture than {self.live.layer.name!r}; choose its "
                "layers again, or press Run."
            )

    def begin(
        self, request: RunRequest, watch: Watch | None = None, *, go_on: bool = False
    ) -> None:
        """Start a run; nothing if one is going on.

        Parameters
        ----------
        request : RunRequest
            What to do.
        watch : callable, optional
            Called in the worker thread with every iteration.
        go_on : bool
            Whether to go on from `last`, in the same layer, with what was painted there since.
        """
        if self.active is not None:
            return
        apply_cache_folder()
        keep_triton_out()
        after = self.last if go_on else None
        self._former = self.request, self.live, self.last, self.losses
        if not go_on:
            self.live, self.losses = self._make_layer(request), LossTrace()
        self.request, self.last, self._asked = request, None, request.recipe
        run = self.active = RunThread(
            lambda progress, steering: request.start(progress, steering, after),
            self.losses,
            watch,
            self.live.drawn,
        )
        if go_on:
            self._take_strokes(run)
        start_work(run, self._on_error, self._on_finished)
        self.began.emit()
        self.frames.reported.emit(run)
        self.frames.begin(float(preferred("preview_rate", 15)))

    def _make_layer(self, request: RunRequest) -> Any:
        if request.make_layer is not None:
            return request.make_layer(self._viewer, request)
        return LiveLayer(
            self._viewer,
            request.name,
            request.position,
            request.intensity,
            request.keep_dtype,
            original=request.original,
        )

    def pause(self) -> None:
        """Hold the run after this iteration, or let it go on with what was painted meanwhile."""
        run = self.active
        if run is None:
            return
        if self._holds:
            self._take_strokes(run)
            self._holds = False
            self.held.emit(False)
        run.pause(not run.paused)

    def stop(self) -> None:
        """Let the run end, with its last complete iteration."""
        if self.active is not None:
            self.active.stop()

    def steer(self, recipe: Recipe) -> list[str]:
        """Let the run follow another recipe from the next iteration on, as far as it can.

        Returns
        -------
        list of str
            The fields that it cannot follow: they count from the next run on.
        """
        run, request = self.active, self.request
        if run is None or request is None or not request.is_single:
            return []
        other = [name for name in CONTROLS if getattr(recipe, name) != getattr(self._asked, name)]
        live = {name: getattr(recipe, name) for name in other if name in LIVE_FIELDS}
        if live:
            run.steering.change(**live)
            self._asked = self._asked.replace(**live)
        return [name for name in other if name not in live]

    def rename(self, names: tuple[str, ...]) -> None:
        """Note what the images are called that the run goes on with; () leaves it as it was."""
        if names and self.request is not None:
            self.request = replace(self.request, names=names)

    def _seen(self) -> RunThread | None:
        """Return the run that is there to be drawn; whose layer the user has removed, that ends."""
        run = self.active
        if run is None or self.closed:
            return None
        if self.live.removed:
            run.stop()
        return run

    def _show(self, run: RunThread) -> None:
        if run.picture is not None:
            self._draw(run, run.picture)
            run.want_picture()
        self._note_holding(run)
        self.shown.emit()

    def _draw(self, run: RunThread, picture: Iteration) -> None:
        while run.completed:
            self.live.show(run.completed.popleft())
        self.live.show(picture)

    def _note_holding(self, run: RunThread) -> None:
        """Find out whether the picture is the user's to paint on now, or no longer."""
        holds = run.holding and self.live.shown is run.newest
        if holds != self._holds and self.request is not None and self.request.is_single:
            self._holds = holds
            if holds:
                self.live.remember()
            self.held.emit(holds)

    def _take_strokes(self, run: RunThread) -> None:
        try:
            strokes = self.live.strokes()
        except ValueError as error:
            self.failed.emit(error)
        else:
            if strokes is not None:
                run.steering.paint(*strokes)

    def _on_finished(self) -> None:
        if self.closed or self.active is None or self.request is None:
            return
        self.frames.finish(self._show_last, self._finish, self.frames.plotted.emit, self._end)

    def _show_last(self) -> None:
        run, self._holds = self.active, False
        if run is None or run.newest is None:  # the former result is still what there is
            self.request, self.live, self.last, self.losses = self._former
        elif self.request is not None:
            self._draw(run, run.newest)
            record = run.newest.record(self.request.names)
            self.live.describe({**record, WIDGETS_CONTROLS: self.request.controls})
            if self.request.is_single:
                self.last = run.newest
                self.live.remember()
            if self.live.layer is not None and not self.live.removed and self.request.after_run:
                self.request.after_run(self.live.layer)
        self._former = _NOTHING

    def _finish(self) -> None:
        self.finished.emit(self.active)

    def _end(self) -> None:
        run, self.active = self.active, None
        if run is not None:
            self.ended.emit(run)

    def _on_error(self, error: Exception) -> None:
        if not self.closed:
            self.failed.emit(error)

    def _on_destroyed(self) -> None:
        self.closed = True
        self.frames.give_up()
        self.stop()
