"""The progress of a run in napari's activity dock."""

from __future__ import annotations

from typing import Any

from napari.utils import cancelable_progress

from napari_nst.viewer.run.runner import Runner
from napari_nst.viewer.run.status import how_far
from napari_nst.viewer.run.throttle import Throttle
from napari_nst.viewer.run.worker import RunThread

_INTERVAL = 0.5  # least seconds between two changes of the bar


class _Bar(cancelable_progress):
    """A bar whose button Cancel stops the run; napari's own only ends a loop over the bar."""

    def __init__(self, runner: Runner, **options: Any) -> None:
        self._runner = runner
        super().__init__(**options)

    def cancel(self) -> None:
        super().cancel()
        self._runner.stop()


class ActivityBar:
    """One bar for the run that goes on; made, changed and closed in the main thread only."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._bar: Any = None
        self._throttle = Throttle(_INTERVAL)
        runner.began.connect(self._begin)
        runner.reported.connect(self._show)
        runner.ended.connect(self._end)

    def _begin(self) -> None:
        request = self._runner.request
        if request is not None:
            self._bar = _Bar(self._runner, total=1, desc=request.name)

    def _show(self, run: RunThread) -> None:
        if self._bar is None or not self._throttle.due():
            return
        total, done = how_far(run)
        with self._throttle.drawing():
            if self._bar.total != total:
                self._bar.total = total
            # Last: napari handles all waiting events here, which may end the run.
            self._bar.update(done - self._bar.n)

    def _end(self, _: RunThread) -> None:
        bar, self._bar = self._bar, None
        if bar is not None:
            bar.close()
