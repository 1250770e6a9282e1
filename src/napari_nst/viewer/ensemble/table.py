"""The dock with the table of several seeds, and with what they are together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magicgui.widgets import PushButton
from napari.components import ViewerModel
from napari.utils.notifications import show_error, show_info
from qtpy.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from napari_nst.viewer.controls.file_dialog import ask_for_path
from napari_nst.viewer.controls.form import note, say
from napari_nst.viewer.layers.position import move_slider
from napari_nst.viewer.run.worker import run_in_background
from napari_nst.viewer.statistics.table import TextTable

if TYPE_CHECKING:
    from napari_nst.viewer.ensemble.layer import SeedLayer

_HELP = {
    "verdict": "A copy has a square of the exemplar that is larger than 16 pixels, and than 1.5 "
    "times the one that two crops of the exemplar share. The same layout: coarse structures are "
    "where the exemplar has them, with a correlation above 0.3.",
}
_RATIO = (
    "The distance to the exemplar over that between crops of the exemplar: about 1 or less where "
    "textures are alike."
)


class SeedTable(QWidget):
    """The table of an ensemble; a click on a line shows its texture."""

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self.viewer = viewer
        self.layer: SeedLayer | None = None
        self.closed = False
        self.destroyed.connect(partial(setattr, self, "closed", True))
        self.summary = note()
        self.table = TextTable("Table of seeds")
        self.table.cellClicked.connect(self._show_seed)
        self.images_button = PushButton(
            name="mean_and_deviation",
            text="Mean and deviation",
            tooltip="Add two layers: the mean and the standard deviation of each pixel over all "
            "seeds.",
        )
        self.save_button = PushButton(
            name="save_table", text="Save CSV…", tooltip="Write the table, a line for each seed."
        )
        self.images_button.clicked.connect(self.add_images)
        self.save_button.clicked.connect(self._ask_and_save)
        buttons = QHBoxLayout()
        for button in (self.images_button, self.save_button):
            buttons.addWidget(button.native)
        buttons.addStretch()
        rows = QVBoxLayout(self)
        rows.addWidget(self.summary)
        rows.addWidget(self.table, 1)
        rows.addLayout(buttons)

    def show_ensemble(self, layer: SeedLayer) -> None:
        """Show the statistics of the seeds in a layer."""
        self.layer, table = layer, layer.run.table
        say(self.summary, _in_words(layer))
        self.table.setVisible(bool(table.seeds))
        self.save_button.enabled = bool(table.seeds)
        self.images_button.enabled = layer.run.done > 1
        if table.seeds:
            heading, lines = table.text_lines
            self.table.fill(heading, lines, _HELP | {
                name: _RATIO for name in heading if name.endswith(" ratio")
            })  # fmt: skip

    def add_images(self) -> None:
        """Compute the mean and the standard deviation in a thread, and add their layers."""
        layer = self.layer
        if layer is None or not self.images_button.enabled:
            return
        self.images_button.enabled = False
        run_in_background(
            lambda _: layer.run.mean_and_deviation(),
            viewer=self.viewer,
            returned=lambda images: layer.add_images(*images),
            failed=self._complain,
            finished=self._can_add,
        )

    def save(self, path: str | Path) -> None:
        """Write the table as CSV; `ValueError` without one."""
        if self.layer is None or not self.layer.run.table.seeds:
            raise ValueError("There is no table to save. Press Run first.")
        self.layer.run.table.to_csv(path)

    def _can_add(self) -> None:
        if not self.closed:
            self.images_button.enabled = True

    def _show_seed(self, row: int, _: int) -> None:
        layer = self.layer
        if layer is None or layer.removed or row >= len(layer.run.table.seeds):
            return
        seed = layer.run.table.seeds[row]
        move_slider(layer.layer, self.viewer.dims, 0, layer.run.seeds.index(seed))

    def _ask_and_save(self) -> None:
        try:
            path = ask_for_path(
                self, "Save the table", "seeds", {"CSV (*.csv)": ".csv"}, (".csv",)
            )  # fmt: skip
            if path is not None:
                self.save(path)
                show_info(f"Wrote {path.name}.")
        except (OSError, ValueError) as error:
            self._complain(error)

    def _complain(self, error: Exception) -> None:
        if not self.closed:
            show_error(str(error))


def shown_table(viewer: Any, former: SeedTable | None, layer: SeedLayer) -> SeedTable:
    """Show the table of an ended run in its dock, below the canvas; make it if there is none."""
    if former is not None and not former.closed:
        former.show_ensemble(layer)
        return former
    table = SeedTable(viewer)
    table.show_ensemble(layer)
    viewer.window.add_dock_widget(table, name="Table of seeds", area="bottom")
    return table


def _in_words(layer: SeedLayer) -> str:
    """Return which seeds are copies, and which have failed."""
    run, table = layer.run, layer.run.table
    sentences = [run.failures()]
    copies = table.copies
    for seed in table.copied:
        sentences.append(f"Seed {seed} is a copy: a square of {copies[seed]} px is the exemplar's.")
    if table.seeds and not table.copied:
        sentences.append("No seed has copied a part of the exemplar.")
    if same := table.same_layout:
        of = f"Seed {same[0]} has" if len(same) == 1 else f"Seeds {_listed(same)} have"
        sentences.append(f"{of} the exemplar's layout: coarse structures are where it has them.")
    if table.seeds:
        sentences.append(f"Two crops of the exemplar share {table.between_crops:.0f} px.")
    if not table.seeds:
        sentences.append(f"{run.done} of {run.places.count} seeds are finished, not measured.")
    return " ".join(filter(None, sentences))


def _listed(seeds: Sequence[int]) -> str:
    *others, last = map(str, seeds)
    return f"{', '.join(others)} and {last}"
