"""The parts of every widget that start a run, and show what it reports."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from magicgui.widgets import Container, ProgressBar, PushButton
from napari.components import ViewerModel
from napari.utils.notifications import show_error, show_info
from psygnal import Signal
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_nst.recipe import Recipe
from napari_nst.viewer.before_after import BeforeAfter
from napari_nst.viewer.brush import BrushControls
from napari_nst.viewer.controls.file_dialog import ask_for_path
from napari_nst.viewer.controls.form import CountBox, Section, note
from napari_nst.viewer.controls.recipe_form import label_of
from napari_nst.viewer.history.controls import HistoryControls
from napari_nst.viewer.layers.save import save_result
from napari_nst.viewer.loss_plot.plot import LossPlot
from napari_nst.viewer.loss_plot.trace import LossTrace
from napari_nst.viewer.run.activity import ActivityBar
from napari_nst.viewer.run.request import RunRequest
from napari_nst.viewer.run.runner import Runner
from napari_nst.viewer.run.status import busy_seconds, finished_text, how_far, progress_text
from napari_nst.viewer.run.worker import RunThread
from napari_nst.viewer.words import in_window

LONG = 10.0  # seconds from which on a notification says that a run has ended
_STATUS_LINES = 4
"""Lines that the text below the buttons has at least, so that nothing moves when a run begins."""

READY = "Ready."

_SUFFIXES = {"PNG (*.png)": ".png", "TIFF (*.tif *.tiff)": ".tif"}
_ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff")

_ITERATIONS = "Iterations so far."


class RunButtons(Container[Any]):
    """The row of buttons above the controls; those that make sense now are enabled."""

    def __init__(self) -> None:
        self.run = PushButton(text="Run", tooltip="Start, with the settings below.")
        self.pause = PushButton(text="Pause", tooltip="Pause after this iteration, or resume.")
        self.stop = PushButton(
            text="Stop", tooltip="End now, and keep the image of the last whole iteration (Esc)."
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
        for button in self:
            # Of one width, whatever their texts are: no button moves when Pause becomes Resume.
            native: Any = button.native
            native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
            native.setMinimumWidth(native.fontMetrics().horizontalAdvance("Resume") + 16)
        self.show_state(can_run=True, running=False, can_save=False)

    def show_state(self, *, can_run: bool, running: bool, can_save: bool) -> None:
        """Enable the buttons that make sense."""
        self.run.enabled = can_run and not running
        self.pause.enabled = self.stop.enabled = running
        self.save_as.enabled = can_save and not running
        self.pause.text = "Pause"


class GoingOn:
    """A row of controls to go on from a finished run; hidden while there is none."""

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


class RunPanel(Container[Any]):
    """Starts, pauses and ends runs, one at a time, and shows their progress.

    Buttons, progress and status are in the panel itself, all that appears and disappears during a
    run is in `below`: the buttons stay where they are.
    """

    ended = Signal(description="Emitted when a run is over, however it ended.")

    def __init__(
        self,
        viewer: ViewerModel,
        read_request: Callable[..., RunRequest],
        kind: str = "",  # of job, whose controls may have labels of their own
    ) -> None:
        self._read_request, self._kind = read_request, kind
        self.buttons = RunButtons()
        self.progress = ProgressBar(value=0, min=0, max=1, tooltip=_ITERATIONS)
        self._problem = self._lacking = ""
        self._can_run = True
        self._shows_result = False  # whether the controls of a result are shown
        self.status = _status_label()
        super().__init__(widgets=[self.buttons, self.progress], labels=False)
        self.margins = (0, 0, 0, 0)
        self.going_on, self.brush = GoingOn(), BrushControls(viewer)
        self.runner = Runner(viewer, self.native)
        self.before_after = BeforeAfter(viewer, self.runner, self.complain)
        self.history = HistoryControls(viewer, self.complain)
        self.plot = LossPlot(viewer)
        self.losses = Section("Loss plot", [self.plot])
        self.native.layout().addWidget(self.status)
        self.below = QWidget()
        column = QVBoxLayout(self.below)
        column.setContentsMargins(0, 0, 0, 0)
        for row in (self.brush, self.going_on, self.before_after, self.losses):
            column.addWidget(row.native)
        self.buttons.run.clicked.connect(self.start)
        self.buttons.pause.clicked.connect(self.toggle_pause)
        self.buttons.stop.clicked.connect(self.stop)
        self.buttons.save_as.clicked.connect(self._on_save)
        self.going_on.button.clicked.connect(
            lambda: self.go_on(self.going_on.steps.value, self.going_on.size.value or None)
        )
        self.plot.picked.connect(self._on_picked)
        self.runner.began.connect(self._show_state)
        self.runner.plotted.connect(self._plot)
        self.runner.shown.connect(self.history.refresh)
        self.runner.reported.connect(self._report)
        self.runner.held.connect(self._offer_brush)
        self.runner.finished.connect(self.history.finish)
        self.runner.ended.connect(self._on_ended)
        self.runner.failed.connect(self.complain)
        self.activity = ActivityBar(self.runner)  # last: napari handles events in between

    @property
    def active(self) -> RunThread | None:
        """The run that goes on or is paused."""
        return self.runner.active

    @property
    def closed(self) -> bool:
        """Whether Qt has deleted the panel."""
        return self.runner.closed

    @property
    def result(self) -> Any:
        """The layer of the run that goes on or of the last, or None without one in the viewer."""
        return self.runner.live.layer if self.runner.has_result else None

    # ── what the buttons do ──────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Start a run; does nothing while a run goes on."""
        self.begin(self._read_request)

    def begin(self, read_request: Callable[[], RunRequest], *, go_on: bool = False) -> None:
        """Start a run, or with `go_on` continue the last; does nothing while a run goes on."""
        if self.active is not None:
            return
        try:
            request = read_request()
            if go_on:
                self.runner.check_goes_on(request)
            history = self.history.new_history(request, go_on=go_on)
        except (ValueError, TypeError) as error:
            self.complain(error)
            return
        self.losses.unfold_once()
        self.runner.begin(request, history.step if history else None, go_on=go_on)

    def go_on(self, steps: int, size: int | None = None) -> None:
        """Continue the last result in its layer: more steps, at another size if given."""
        changes: dict[str, Any] = {"steps": steps} | ({} if size is None else {"size": size})
        self.begin(lambda: self._read_request(**changes), go_on=True)

    def steer(self, recipe: Recipe) -> None:
        """Change the current run to another recipe, and say which fields cannot change."""
        later, run = self.runner.steer(recipe), self.active
        if later and run is not None:
            names = ", ".join(label_of(name, self._kind) for name in later)
            is_one = len(later) == 1 and not names.endswith("s")  # not Steps
            run.note(f"{names} appl{'ies' if is_one else 'y'} from the next run.")

    def save(self, path: str | Path) -> None:
        """Write the last result to a file, and say so or why not."""
        try:
            if self.result is None:
                raise ValueError("There is no result to save; press Run first.")
            save_result(self.result, Path(path))
        except (OSError, ValueError, TypeError) as error:
            self.complain(error)
        else:
            self.say(f"Saved as {Path(path).name}.")

    def toggle_pause(self) -> None:
        """Pause the run, or resume it."""
        self.runner.pause()
        is_paused = self.active is not None and self.active.paused
        self.buttons.pause.text = "Resume" if is_paused else "Pause"

    def stop(self) -> None:
        """Ask the run to end with its last complete iteration."""
        if self.active is not None:
            self.runner.stop()
            self.say("Stopping …")

    def _on_save(self) -> None:
        try:
            path = ask_for_path(
                self.native, "Save the result", self.result.name, _SUFFIXES, _ENDINGS
            )
        except ValueError as error:
            self.complain(error)
        else:
            if path is not None:
                self.save(path)

    # ── what is shown ─────────────────────────────────────────────────────────────────────────

    def _report(self, run: RunThread) -> None:
        self._show_progress(run)
        self.history.show_state()
        if not run.stopping and not run.failed:  # an error remains
            sentences = [progress_text(run), *run.notices, self._problem]
            self.say("\n".join(filter(None, sentences)))

    def _show_progress(self, run: RunThread) -> None:
        length, value = how_far(run)
        # magicgui's setters would repaint the window at once, and twice.
        bar = self.progress.native
        bar.setUpdatesEnabled(False)
        bar.setRange(0, length)
        bar.setValue(value)
        bar.setUpdatesEnabled(True)
        self.progress.tooltip = run.forecast or _ITERATIONS

    def _on_ended(self, run: RunThread) -> None:
        if self.closed:
            self.ended.emit()
            return
        if run.newest is not None:
            self._show_progress(run)
        self._problem = ""
        self._show_state()
        if not run.failed:
            self.say("\n".join([finished_text(run), *run.notices]))
            if busy_seconds(run) > LONG:
                show_info(finished_text(run))
        self.ended.emit()

    def _show_state(self) -> None:
        running, self._shows_result = self.active is not None, self.result is not None
        self.buttons.show_state(can_run=self._can_run, running=running, can_save=self._shows_result)
        can_go_on = not running and self._shows_result and self.runner.last is not None
        self.going_on.native.setVisible(can_go_on)
        self._offer_brush(can_go_on)
        self.history.offer(running or self._shows_result)
        self.before_after.follow()
        self._plot()

    def show_lacking(self, text: str, *, can_run: bool) -> None:
        """Show what a run lacks, nothing if the text is empty, and enable Run if it can start."""
        if self.closed:
            return
        before, self._lacking, self._can_run = self._lacking, text, can_run
        if self.active is None:
            self.buttons.run.enabled = can_run
            if text != before:
                self.say(text or READY)

    def follow_layers(self) -> None:
        """Show the controls of the result while the viewer has it."""
        if self.closed:
            return
        if (self.result is not None) != self._shows_result:
            self._show_state()
        self.before_after.follow()

    def _on_picked(self, step: int) -> None:
        self.plot.point_at(self.history.show_step(step))

    def _plot(self) -> None:
        """Plot the losses of a single image; several images have no common curve."""
        request = self.runner.request
        has_curve = request is not None and request.is_single and (self.active or self.result)
        self.plot.show_losses(self.runner.losses if has_curve else LossTrace())

    def _offer_brush(self, paintable: bool) -> None:
        """Let the user paint on the result while no run changes it."""
        request = self.runner.request
        if paintable and request is not None and self.result is not None:
            self.brush.offer(self.result, request.intensity)
        else:
            self.brush.withdraw()

    def complain(self, error: Exception) -> None:
        """Show an error below the buttons and in a notification."""
        if not self.closed:
            self.say(str(error))
            show_error(in_window(str(error), self._kind))

    def say_problem(self, text: str) -> None:
        """Show below the progress why the run cannot follow the controls; nothing if it can."""
        self._problem = text
        if text:
            self.say(text)

    def say(self, text: str) -> None:
        """Show a sentence below the buttons."""
        self.status.setText(in_window(text, self._kind))


def _status_label() -> QLabel:
    label = note(READY)
    label.setAlignment(Qt.AlignmentFlag.AlignTop)
    label.setToolTip("Progress of the run, and its weighted losses.")
    label.setMinimumHeight(_STATUS_LINES * label.fontMetrics().lineSpacing() + 4)
    policy = QSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    policy.setHeightForWidth(True)
    label.setSizePolicy(policy)
    return label
