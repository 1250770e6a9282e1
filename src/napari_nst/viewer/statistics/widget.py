"""The Texture Statistics widget: how far the texture of a layer is from that of its exemplar."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import napari.viewer
from magicgui.widgets import CheckBox, ComboBox, PushButton
from napari.layers import Labels, Shapes
from napari.utils.notifications import show_info
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_nst.viewer.controls.file_dialog import ask_for_path
from napari_nst.viewer.controls.form import NumberBox, form, note, say, scrolling_column
from napari_nst.viewer.controls.layer_box import LayerBox, chosen_layer
from napari_nst.viewer.run.dock import ComputingDock
from napari_nst.viewer.run.worker import IsClosing
from napari_nst.viewer.statistics.read import is_volume, slice_reader, volume_reader
from napari_nst.viewer.statistics.table import TextTable

if TYPE_CHECKING:
    from napari_nst.texture_statistics.result import TextureStatistics
    from napari_nst.viewer.statistics.plot import CurvePlot

SLICE, VOLUME = "shown slice", "whole volume"
OTSU, HALF, VALUE = "Otsu", "brighter half", "lightness"
_PLOT = "napari_nst.viewer.statistics.plot"
_HELP = {
    "ratio": "The distance over that between crops: about 1 or less where textures are alike.",
    "distance": "The difference of both values; of curves, that of crops of equal size.",
    "between crops": "How far crops of the exemplar are apart; of a value, its standard deviation.",
}
_CURVES = "-curves.csv"
_CSV = {"CSV (*.csv)": ".csv"}


class StatisticsWidget(ComputingDock):
    """Controls, a plot and a table; `result` is the last measurement."""

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__(napari_viewer, "Choose a layer, and press Measure.")
        self.result: TextureStatistics | None = None
        self.plot: CurvePlot | None = None
        self._make_controls()
        self.table = TextTable("Table of statistics")
        self.table.hide()
        self._lay_out()
        self.reset_choices()
        self.enable()

    def _make_controls(self) -> None:
        viewer = self.viewer
        self.image = LayerBox(viewer, "image", "The layer to measure.", has_partner=True)
        self.exemplar = LayerBox(
            viewer,
            "exemplar",
            "The texture that it is compared with. Without one, the image is measured alone.",
            optional=True,
            apart_from=self.image,
        )
        self.image_mask, self.exemplar_mask = (
            LayerBox(
                viewer,
                name,
                f"Labels or shapes: only these pixels of the {of} count.",
                optional=True,
                kinds=(Labels, Shapes),
            )
            for name, of in (("image_mask", "image"), ("exemplar_mask", "exemplar"))
        )
        self.extent = ComboBox(
            name="extent",
            label="Measure",
            choices=(SLICE, VOLUME),
            tooltip="The slice that is shown, or all slices of a volume. Slices of a volume along "
            "each axis are compared with an exemplar of one slice.",
        )
        self.threshold = ComboBox(
            name="threshold",
            label="Threshold",
            choices=(OTSU, HALF, VALUE),
            tooltip="Where the bright phase begins: Otsu finds it in the exemplar; the brighter "
            "half of each image compares structures only; or a lightness.",
        )
        self.lightness = NumberBox(
            name="lightness",
            label="Lightness",
            value=0.5,
            min=0,
            max=1,
            step=0.05,
            tooltip="From 0 (black) to 1 (white), as the contrast limits of the layers show them.",
        )
        self.phase = ComboBox(
            name="phase",
            label="Phase",
            choices=("bright", "dark"),
            tooltip="The phase that S2, lineal path, chords, fraction and boundary are those of.",
        )
        self.gram = CheckBox(
            name="gram",
            text="Features of the network",
            value=True,
            tooltip="Compare Gram matrices at layers that the preset texture does not optimise. "
            "This needs the pretrained network, and takes some seconds.",
        )
        self.copies = CheckBox(
            name="copies",
            text="Copied squares",
            tooltip="Find the largest square that was copied from the exemplar, and whether coarse "
            "structures are at the same places. It takes seconds for 256 pixels, minutes for 512.",
        )
        self.measure_button = PushButton(
            name="measure", text="Measure", tooltip="Measure the image and its exemplar."
        )
        self.save_button = PushButton(
            name="save_csv",
            text="Save CSV…",
            tooltip=f"Write the table, and beside it all curves in a file that ends in {_CURVES}.",
        )
        self.curve = ComboBox(name="curve", label="Curve", choices=(), tooltip="The curve to draw.")
        self.exemplar.changed.connect(self.enable)
        self.threshold.changed.connect(self.enable)
        self.layer_boxes = [self.image, self.exemplar, self.image_mask, self.exemplar_mask]
        self.measure_button.clicked.connect(self.measure)
        self.save_button.clicked.connect(self._ask_and_save)
        self.curve.changed.connect(self._draw)

    def _lay_out(self) -> None:
        self.crops = note()
        chosen = [
            self.image, self.exemplar, self.extent, self.image_mask, self.exemplar_mask,
            self.threshold, self.lightness, self.phase, self.gram, self.copies,
            self.measure_button,
        ]  # fmt: skip
        self._drawing = QWidget()
        rows = QVBoxLayout(self._drawing)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addWidget(form([self.curve]))
        self._drawing.hide()
        self.save_button.native.hide()
        column = scrolling_column(
            form(chosen), self.status, self._drawing, self.table, self.crops,
            self.save_button.native,
        )  # fmt: skip
        layout = QVBoxLayout(self)
        layout.addWidget(column)

    def measure(self) -> None:
        """Measure the chosen layers in a thread; the result appears in plot and table."""
        if self.busy:
            return
        try:
            readers, options = self._request()
        except (TypeError, ValueError) as error:
            self.complain(error)
            return

        def compute(is_closing: IsClosing) -> TextureStatistics:
            from napari_nst import statistics

            import_module(_PLOT)  # here, since the window must not stand still for half a second
            found = [read() for read in readers]
            for name, (_, labels) in zip(("mask", "exemplar_mask"), found, strict=False):
                options[name] = labels
            return statistics(
                *(pixels for pixels, _ in found), progress=self.take_progress, **options
            )

        self.compute(compute, "Measuring …", self._show)

    def save(self, path: str | Path) -> None:
        """Write the last table as CSV, and its curves beside it; `ValueError` without one."""
        if self.result is None:
            raise ValueError("There is nothing to save. Press Measure first.")
        path = Path(path)
        self.result.to_csv(path)
        self.result.curves_to_csv(path.with_name(path.stem + _CURVES))

    def changeEvent(self, event: Any) -> None:
        """Follow the theme: napari changes the style sheet with it."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange and getattr(self, "plot", None) is not None:
            self.plot.apply_theme(self.viewer.theme)  # type: ignore[union-attr]

    def _request(self) -> tuple[list[Any], dict[str, Any]]:
        """Return how to read the layers, and the arguments of `statistics`."""
        dims, is_whole = self.viewer.dims, self.extent.value == VOLUME
        readers = []
        for box, labels in ((self.image, self.image_mask), (self.exemplar, self.exemplar_mask)):
            layer, selected = chosen_layer(box), chosen_layer(labels)
            if layer is None:
                continue
            # A volume may be compared with an image.
            in_3d = is_whole and (box is self.image or is_volume(layer))
            reader = volume_reader if in_3d else slice_reader
            readers.append(reader(layer, dims, selected))
        threshold = {OTSU: "otsu", HALF: "half", VALUE: self.lightness.value}
        return readers, {
            "threshold": threshold[self.threshold.value],
            "phase": self.phase.value,
            "gram": self.gram.value,
            "copies": self.copies.value and len(readers) > 1 and not is_whole,
        }

    def _show(self, result: TextureStatistics) -> None:
        if self.closed:
            return
        self.result = result
        before = self.curve.value
        with self.curve.changed.blocked():
            self.curve.choices = result.curve_names
            if before in result.curve_names:
                self.curve.value = before
        if self.plot is None:
            self.plot = import_module(_PLOT).CurvePlot(self, self.viewer.theme)
            layout: Any = self._drawing.layout()
            layout.addWidget(self.plot)
        self._drawing.show()
        self._draw()
        self._fill_table(result)
        say(self.crops, result.crops_text)
        self.save_button.native.show()
        say(self.status, "")

    def _draw(self, *_: Any) -> None:
        if self.result is not None and self.plot is not None and self.curve.value is not None:
            of = "exemplar" if self.result.has_exemplar else "image"
            self.plot.draw(self.result.curve(self.curve.value), of)

    def _fill_table(self, result: TextureStatistics) -> None:
        heading, *lines = result.table
        # The ratio beside the names, so that a narrow dock shows it.
        order = sorted(range(len(heading)), key=lambda at: (at > 0, heading[at] != "ratio", at))
        self.table.fill(
            [heading[at] for at in order], [[line[at] for at in order] for line in lines], _HELP
        )
        self.table.as_high_as_its_rows()
        self.table.show()

    def enable(self, *_: Any) -> None:
        """Enable the controls that count for the choice."""
        self.lightness.enabled = self.threshold.value == VALUE
        has_exemplar = self.exemplar.value is not None
        for control in (self.exemplar_mask, self.gram, self.copies):
            control.enabled = has_exemplar
        self.measure_button.enabled = not self.busy

    def _ask_and_save(self) -> None:
        try:
            path = ask_for_path(self, "Save statistics", "statistics", _CSV, (".csv",))
            if path is not None:
                self.save(path)
                show_info(f"Wrote {path.name} and {path.stem}{_CURVES}.")
        except (OSError, ValueError) as error:
            self.complain(error)
