"""The lower part of every job's widget: the buttons, the progress, and the life of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magicgui.widgets import Container, Label, ProgressBar, PushButton
from napari.qt.threading import create_worker
from napari.utils.notifications import show_error
from psygnal import Signal
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QFileDialog, QLabel, QSizePolicy

from napari_nst.viewer.job import Job
from napari_nst.viewer.live_layer import LiveLayer
from napari_nst.viewer.progress_text import finished_text, progress_text
from napari_nst.viewer.results import save_result
from napari_nst.viewer.settings import apply_cache_folder, preferred
from napari_nst.viewer.stream import Run
from napari_nst.viewer.triton_beside_mesa import keep_triton_out

if TYPE_CHECKING:
    from napari.components import ViewerModel


class RunPanel(Container[Any]):
    """Runs one job at a time, in a thread, and says how it goes.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Gets the result.
    read_job : callable
        Returns what to do; raises `ValueError` or `TypeError` where the controls make no job.
    """

    ended = Signal(description="Emitted when a run is over, however it ended.")

    def __init__(self, viewer: ViewerModel, read_job: Callable[[], Job]) -> None:
        self._viewer = viewer
        self._read_job = read_job
        self._active: Run | None = None
        self._live: LiveLayer | None = None
        self._job: Job | None = None
        self._closed = False
        self._words_turn = False
        self.run = PushButton(text="Run", tooltip="Start, with the settings above.")
        self.pause = PushButton(
            text="Pause", enabled=False, tooltip="Hold after this iteration, or go on."
        )
        self.stop = PushButton(
            text="Stop", enabled=False, tooltip="End after this iteration and keep the picture."
        )
        self.save_as = PushButton(
            text="Save…", enabled=False, tooltip="Write the result to a PNG or TIFF file, with the "
            "recipe and all that made it.",
        )  # fmt: skip
        self.progress = ProgressBar(value=0, min=0, max=1, tooltip="Iterations so far.")
        self.status = Label(value="Ready.", tooltip="What is happening, and the weighted losses.")
        _let_wrap(self.status.native)
        buttons = Container[Any](
            widgets=[self.run, self.pause, self.stop, self.save_as],
            layout="horizontal",
            labels=False,
        )
        super().__init__(widgets=[buttons, self.progress, self.status], labels=False)
        buttons.margins = self.margins = (0, 0, 0, 0)
        self.run.clicked.connect(self.start)
        self.pause.clicked.connect(self._on_pause)
        self.stop.clicked.connect(self._on_stop)
        self.save_as.clicked.connect(self._on_save)
        self.native.destroyed.connect(self._on_destroyed)
        self._timer = QTimer(self.native)  # goes when the widget goes
        self._timer.timeout.connect(self._poll)

    @property
    def active(self) -> Run | None:
        """The run that is going on, or held."""
        return self._active

    @property
    def closed(self) -> bool:
        """Whether Qt has taken it down, and nothing of it may be touched."""
        return self._closed

    @property
    def result(self) -> Any:
        """The layer of the last run, or None."""
        return self._live.layer if self._live else None

    # ── what the buttons do ──────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Start a run; nothing if one is going on."""
        if self._active is not None:
            return
        try:
            job = self._job = self._read_job()
        except (ValueError, TypeError) as error:
            self._complain(error)
            return
        apply_cache_folder()
        keep_triton_out()
        self._live = LiveLayer(self._viewer, job.name, job.place, job.values, job.keep_dtype)
        self._active = Run(job.start)
        # napari keeps the function for the life of the window: a bound one would keep the run.
        worker = create_worker(
            Run.work,  # type: ignore[arg-type]
            self._active,
            _start_thread=False,
            _ignore_errors=True,
        )
        self._active.quit_requested = lambda: worker.abort_requested
        worker.errored.connect(self._complain)
        worker.finished.connect(self._on_finished)  # type: ignore[arg-type]
        self._show_running(True)
        self._report(self._active)
        self._timer.start(round(500 / float(preferred("preview_rate", 15))))
        worker.start()

    def give_up(self) -> None:
        """Stop whatever runs, because nobody can see it any more."""
        if self._active is not None:
            self._active.stop()

    def save(self, path: str | Path) -> None:
        """Write the last result to a file, and say so, or why not."""
        try:
            save_result(self.result, Path(path))
        except (OSError, ValueError, TypeError) as error:
            self._complain(error)
        else:
            self._say(f"Saved as {Path(path).name}.")

    def _on_pause(self) -> None:
        if self._active is not None:
            self._active.pause(not self._active.paused)
            self.pause.text = "Resume" if self._active.paused else "Pause"

    def _on_stop(self) -> None:
        if self._active is not None:
            self._active.stop()
            self._say("Stopping after this iteration …")

    def _on_save(self) -> None:
        suggested = f"{self.result.name.replace('/', '-')}.png"
        path, _ = QFileDialog.getSaveFileName(
            self.native, "Save the result", suggested, "PNG (*.png);;TIFF (*.tif *.tiff)"
        )
        if path:
            self.save(path)

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

    def _on_finished(self) -> None:
        run, self._active = self._active, None
        if self._closed or run is None or self._live is None or self._job is None:
            return
        self._timer.stop()
        if run.newest is not None:
            self._live.show(run.newest)
            self.progress.max, self.progress.value = run.newest.steps, run.newest.step
            self._live.describe(run.newest.record(self._job.names))
        self._show_running(False)
        if not run.failed:
            self._say(finished_text(run))
        if self._job.afterwards is not None and self.result is not None and not self._live.removed:
            self._job.afterwards(self.result)
        self.ended.emit()

    def _on_destroyed(self) -> None:
        self._closed = True
        self.give_up()

    def _show_running(self, running: bool) -> None:
        self.run.enabled = not running
        self.pause.enabled = self.stop.enabled = running
        self.save_as.enabled = not running and self.result is not None
        self.pause.text = "Pause"
        if not running and self.progress.max == 0:
            self.progress.max, self.progress.value = 1, 0

    def _complain(self, error: Exception) -> None:
        if not self._closed:
            self._say(str(error))
            show_error(str(error))

    def _say(self, text: str) -> None:
        self.status.value = text


def _let_wrap(label: QLabel) -> None:
    """Break a label's lines where the dock ends; magicgui would widen the dock for a long one."""
    label.setWordWrap(True)
    label.setAlignment(Qt.AlignmentFlag.AlignTop)
    policy = QSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    policy.setHeightForWidth(True)
    label.setSizePolicy(policy)
    # Room for what a run says, so that the buttons stay where they are when it begins.
    label.setMinimumHeight(3 * label.fontMetrics().lineSpacing() + 4)
