"""The row that offers to recover an interrupted run."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

from napari_nst.engine.checkpoint.saved_runs import SavedRun, discard, interrupted_runs
from napari_nst.io.record import PRESET_JOBS
from napari_nst.viewer.controls.form import note
from napari_nst.viewer.run_panel import RunPanel
from napari_nst.viewer.settings.preferences import apply_cache_folder


class RecoveryRow(QWidget):
    """Offers the last interrupted run of a kind; hidden without one, and while a run goes on."""

    def __init__(self, kind: str, panel: RunPanel, recover: Callable[[SavedRun], None]) -> None:
        super().__init__()
        self.found: SavedRun | None = None
        self._kind = kind
        self._panel = panel
        self._recover_run = recover
        self.text = note()
        self.recover = QPushButton("Recover")
        self.recover.setToolTip("Go on with this run after its last saved step, in a new layer.")
        self.discard = QPushButton("Discard")
        self.discard.setToolTip("Delete the saved state of this run.")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.text, 1)
        row.addWidget(self.recover)
        row.addWidget(self.discard)
        self.recover.clicked.connect(self._on_recover)
        self.discard.clicked.connect(self._on_discard)
        panel.runner.began.connect(self._on_began)
        panel.ended.connect(self.look)
        self.look()

    def look(self) -> None:
        """Look for an interrupted run of this kind, reading only the headers of files."""
        if self._panel.closed:
            return
        apply_cache_folder()
        runs = (run for run in interrupted_runs() if PRESET_JOBS.get(run.job) == self._kind)
        self.found = next(runs, None)
        if self.found is not None:
            self.text.setText(f"Recover {self.found.label}?")
            self.text.setToolTip(self.found.title)
            self.text.show()
        self.setVisible(self.found is not None and self._panel.active is None)

    def _on_began(self) -> None:
        self.hide()

    def _on_recover(self) -> None:
        if self.found is not None:
            self._recover_run(self.found)
        if self._panel.active is None:  # another process may have resumed the run
            self.look()

    def _on_discard(self) -> None:
        try:
            if self.found is not None:
                discard(self.found.path)
        except ValueError as error:
            self._panel.complain(error)
        self.look()
