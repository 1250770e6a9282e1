"""What every job's widget shares: the controls, the buttons, and the life of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from magicgui.widgets import Container, Label, ProgressBar, PushButton
from napari.qt.threading import create_worker
from napari.utils.notifications import show_error
from qtpy.QtCore import QTimer

from napari_nst.recipe import Recipe
from napari_nst.viewer.form import form, scrolling_column
from napari_nst.viewer.layers import Geometry
from napari_nst.viewer.live_layer import LiveLayer
from napari_nst.viewer.progress_text import finished_text, progress_text
from napari_nst.viewer.recipe_controls import RecipeControls
from napari_nst.viewer.settings import apply_cache_folder, preferred
from napari_nst.viewer.stream import Progress, Run
from napari_nst.viewer.triton_beside_mesa import keep_triton_out

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_nst.engine.optimize import Iteration


@dataclass(frozen=True)
class Job:
    """What a widget asks for when Run is pressed.

    Attributes
    ----------
    name : str
        Of the layer to come.
    geometry : Geometry
        Where it lies.
    recipe : Recipe
        What to do.
    start : callable
        Called in the worker thread; returns the iterations.
    """

    name: str
    geometry: Geometry
    recipe: Recipe
    start: Callable[[Progress], Iterator[Iteration]]


class JobWidget(Container[Any]):
    """Controls, buttons and progress of a job; a subclass says which job.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Whose layers are read, and which gets the result.
    choosers : list of Widget
        What to put above the recipe's controls.
    up_front : tuple of str
        The recipe's fields to show without unfolding Advanced.
    """

    def __init__(self, viewer: ViewerModel, choosers: list[Any], up_front: tuple[str, ...]) -> None:
        self._viewer = viewer
        self._active: Run | None = None
        self._live: LiveLayer | None = None
        self._job: Job | None = None
        self._closed = False
        self._words_turn = False
        self.recipe_controls = RecipeControls()
        self.run = PushButton(text="Run", tooltip="Start, with the settings above.")
        self.pause = PushButton(
            text="Pause", enabled=False, tooltip="Hold after this iteration, or go on."
        )
        self.stop = PushButton(
            text="Stop", enabled=False, tooltip="End after this iteration and keep the picture."
        )
        self.progress = ProgressBar(value=0, min=0, max=1, tooltip="Iterations so far.")
        self.status = Label(value="Ready.", tooltip="What is happening, and the weighted losses.")
        self.status.native.setWordWrap(True)
        self.unfold = PushButton(text="▸ Advanced", tooltip="Show or hide all other controls.")
        super().__init__(
            widgets=[_row(self.run, self.pause, self.stop), self.progress, self.status],
            labels=False,
        )
        self._choosers = choosers
        fields = self.recipe_controls.fields
        self.advanced = form([w for name, w in fields.items() if name not in up_front])
        self.advanced.setVisible(False)
        shown = [*choosers, self.recipe_controls.preset, *(fields[name] for name in up_front)]
        column = scrolling_column(form(shown), self.unfold.native, self.advanced)
        self.native.layout().insertWidget(0, column, 1)
        for control in (self.recipe_controls.preset, *fields.values()):
            setattr(self, control.name, control)
        self.unfold.clicked.connect(self._toggle_advanced)
        self.run.clicked.connect(self.start)
        self.pause.clicked.connect(self._on_pause)
        self.stop.clicked.connect(self._on_stop)
        self.native_parent_changed.connect(self._on_parent_changed)
        self.native.destroyed.connect(self._on_destroyed)
        self._timer = QTimer(self.native)  # goes when the widget goes
        self._timer.timeout.connect(self._poll)

    def job(self) -> Job:
        """Read the controls; raises `ValueError` or `TypeError` where they make no job."""
        raise NotImplementedError

    @property
    def running(self) -> bool:
        """Whether a run is going on, or held."""
        return self._active is not None

    @property
    def result(self) -> Any:
        """The layer of the last run, or None."""
        return self._live.layer if self._live else None

    @property
    def status_text(self) -> str:
        """What the widget says under its buttons."""
        return str(self.status.value)

    def reset_choices(self, *args: Any) -> None:
        """Follow the layer list; napari calls this."""
        for chooser in self._choosers:
            chooser.reset_choices(*args)

    def _toggle_advanced(self) -> None:
        unfolded = self.advanced.isHidden()
        self.advanced.setVisible(unfolded)
        self.unfold.text = "▾ Advanced" if unfolded else "▸ Advanced"

    # ── buttons ──────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Start a run, as the Run button does; nothing if one is going on."""
        if self._active is not None:
            return
        try:
            self._job = self.job()
        except (ValueError, TypeError) as error:
            self._say(str(error))
            show_error(str(error))
            return
        apply_cache_folder()
        keep_triton_out()
        self._live = LiveLayer(self._viewer, self._job.name, self._job.geometry)
        self._active = Run(self._job.start)
        # napari keeps the function for the life of the window: a bound one would keep the run.
        worker = create_worker(
            Run.work,  # type: ignore[arg-type]
            self._active,
            _start_thread=False,
            _ignore_errors=True,
        )
        self._active.quit_requested = lambda: worker.abort_requested
        worker.errored.connect(self._on_error)
        worker.finished.connect(self._on_finished)  # type: ignore[arg-type]
        self._show_running(True)
        self._report(self._active)
        self._timer.start(round(500 / float(preferred("preview_rate", 15))))
        worker.start()

    def _on_pause(self) -> None:
        if self._active is not None:
            self._active.pause(not self._active.paused)
            self.pause.text = "Resume" if self._active.paused else "Pause"

    def _on_stop(self) -> None:
        if self._active is not None:
            self._active.stop()
            self._say("Stopping after this iteration …")

    # ── what happens around a run ────────────────────────────────────────────────────────────

    def _poll(self) -> None:
        """Show what is new; called by the timer, in the main thread.

        The picture and the words about it have turns of their own: each makes Qt compose the
        window anew, and both at once would hold it up twice as long.
        """
        run, live = self._active, self._live
        if run is None or live is None or self._closed:
            return
        if live.removed:
            run.stop()
        self._words_turn = not self._words_turn
        if self._words_turn:
            self._report(run)
        elif run.picture is not None:
            live.show(run.picture)
            run.want_picture()

    def _report(self, run: Run) -> None:
        if run.newest is not None:
            self.progress.max, self.progress.value = run.newest.steps, run.newest.step
        else:
            # An empty range makes the bar say "busy"; a download has a length.
            self.progress.max, self.progress.value = run.total // 1024, run.done // 1024
        if not run.stopping and self._job is not None:
            self._say(progress_text(run, self._job.recipe))

    def _on_error(self, error: Exception) -> None:
        if not self._closed:
            self._say(str(error))
            show_error(str(error))

    def _on_finished(self) -> None:
        run, self._active = self._active, None
        if self._closed or run is None or self._live is None or self._job is None:
            return
        self._timer.stop()
        self._show_running(False)
        if run.newest is not None:
            self._live.show(run.newest)
            self.progress.max, self.progress.value = run.newest.steps, run.newest.step
            self._live.describe(
                {
                    "recipe": self._job.recipe.to_dict(),
                    "step": run.newest.step,
                    "losses": run.newest.losses,
                }
            )
        if not run.failed:
            self._say(finished_text(run))

    def _on_parent_changed(self, parent: Any) -> None:
        # The dock's ✕ takes the widget out of the window; hiding, floating or tabbing do not.
        if parent is None and self._active is not None:
            self._active.stop()

    def _on_destroyed(self) -> None:
        self._closed = True
        if self._active is not None:
            self._active.stop()

    def _show_running(self, running: bool) -> None:
        self.run.enabled = not running
        self.pause.enabled = self.stop.enabled = running
        self.pause.text = "Pause"
        if not running and self.progress.max == 0:
            self.progress.max, self.progress.value = 1, 0

    def _say(self, text: str) -> None:
        self.status.value = text


def _row(*widgets: Any) -> Container[Any]:
    row = Container[Any](widgets=widgets, layout="horizontal", labels=False)
    row.margins = (0, 0, 0, 0)
    return row
