"""The Training Data widget: variants of an image layer whose labels stay valid, in a folder."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import napari.viewer
import numpy as np
from magicgui.types import FileDialogMode
from magicgui.widgets import CheckBox, FileEdit, PushButton
from napari.components import Dims
from napari.layers import Labels
from qtpy.QtWidgets import QVBoxLayout

from napari_nst.augmentation import PRESET, VARIANTS, WEIGHTS
from napari_nst.engine.job.input_image import NamedImage
from napari_nst.engine.steering import Steering
from napari_nst.io.image_files.embedded_text import read_text
from napari_nst.io.image_files.read_image import read_image
from napari_nst.io.record import RECORD, record_in
from napari_nst.recipe import preset
from napari_nst.viewer.controls.form import (
    CountBox,
    NumberBox,
    SizeBox,
    form,
    say,
    scrolling_column,
)
from napari_nst.viewer.controls.layer_box import LayerBox, LayerList, chosen_layer
from napari_nst.viewer.layers.position import shown_axes, shown_index
from napari_nst.viewer.layers.read import LayerSlice, shown_slice
from napari_nst.viewer.layers.result_layer import add_below
from napari_nst.viewer.run.dock import ComputingDock
from napari_nst.viewer.run.worker import IsClosing

if TYPE_CHECKING:
    from napari_nst.batch.run import FilesRun

_USUAL = preset(PRESET)


class TrainingData(ComputingDock):
    """Controls, and a layer for each variant that is finished, if so wanted."""

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        first = "Choose an image, its labels and a style, and press Run."
        super().__init__(napari_viewer, first)
        self.layers: list[Any] = []  # of the last run
        self._steering = Steering()
        self._run: FilesRun | None = None
        self._shown: LayerSlice | None = None
        self._opened = 0  # rows of the table that were looked at
        self._make_controls()
        self.reset_choices()
        self.enable()

    def _make_controls(self) -> None:
        viewer = self.viewer
        self.image = LayerBox(viewer, "image", "The image to make variants of.")
        self.labels = LayerBox(
            viewer, "labels", "The labels of its pixels, of the same size; they are copied as they "
            "are.", kinds=(Labels,),
        )  # fmt: skip
        self.styles = LayerList(
            viewer, "styles", "Images whose look the variants get, in turn. Choose one or several."
        )
        self.layer_boxes = (self.image, self.labels, self.styles)
        self.variants = CountBox(
            name="variants", label="Variants", value=VARIANTS, min=1, max=10_000,
            tooltip="Number of variants.",
        )  # fmt: skip
        self.weakest, self.strongest = (
            NumberBox(
                name=name, label=label, value=value, min=0.01, max=1e6, step=0.5, tooltip=tooltip
            )
            for name, label, value, tooltip in (
                ("weakest", "Style weight", WEIGHTS[0],
                 "The smallest weight of the style. More changes the look more, and moves edges."),
                ("strongest", "Up to", WEIGHTS[1], "The largest weight of the style."),
            )
        )  # fmt: skip
        self.longest = SizeBox(
            name="size", label="Size", value=_USUAL.size, max=65536, step=64,
            tooltip="Longest side in pixels at which variants are computed, before they are "
            "resampled to the size of the image. At its own size they are sharpest, and take "
            "longest.",
        )  # fmt: skip
        self.steps = CountBox(
            name="steps", label="Steps", value=_USUAL.steps, min=1, max=100_000,
            tooltip="Number of iterations of each variant.",
        )  # fmt: skip
        self.seed = CountBox(
            name="seed", label="Seed", value=0, max=2**31 - 1,
            tooltip="Of the styles, weights and seeds that are drawn.",
        )  # fmt: skip
        self.out = FileEdit(
            name="out", label="Result folder", mode=FileDialogMode.EXISTING_DIRECTORY,
            tooltip="A folder for images, labels and variants.csv. With the same settings, a run "
            "makes only the variants that are missing.",
        )  # fmt: skip
        self.opens = CheckBox(
            name="opens", text="Open the variants", value=True,
            tooltip="Add a layer for each finished variant.",
        )  # fmt: skip
        self.run_button = PushButton(name="run", text="Run", tooltip="Make the variants.")
        self.stop_button = PushButton(
            name="stop", text="Stop", tooltip="End the run; finished variants remain."
        )
        self.run_button.clicked.connect(self.start)
        self.stop_button.clicked.connect(self.stop)
        chosen = [
            *self.layer_boxes, self.variants, self.weakest, self.strongest, self.longest,
            self.steps, self.seed, self.out, self.opens, self.run_button, self.stop_button,
        ]  # fmt: skip
        layout = QVBoxLayout(self)
        layout.addWidget(scrolling_column(form(chosen), self.status))

    def start(self) -> None:
        """Make the variants in a thread."""
        if self.busy:
            return
        try:
            image = chosen_layer(self.image)
            labels = _labels_like(image, chosen_layer(self.labels), self.viewer.dims)
            if not self.styles.value:
                lost = f"Layer {self.styles.lost} was removed. " if self.styles.lost else ""
                raise ValueError(f"{lost}No style. Choose one or several layers.")
            # The value of an empty line is the current folder.
            folder = str(self.out.line_edit.value).strip()
            if folder in ("", "."):
                raise ValueError("No result folder. Choose a folder for images and labels.")
            shown = shown_slice(image, self.viewer.dims)
            styles = [shown_slice(one, self.viewer.dims) for one in self.styles.value]
        except (TypeError, ValueError) as error:
            self.complain(error)
            return
        options = {
            "variants": self.variants.value,
            "style_weights": (self.weakest.value, self.strongest.value),
            "size": self.longest.value,
            "steps": self.steps.value,
            "seed": self.seed.value,
        }
        self._run, self._shown, self._opened, self.layers = None, shown, 0, []
        self._steering = Steering(tell=self.tell)
        self.compute(
            partial(self._make, shown, labels, styles, Path(folder), options),
            "Loading the network …",
        )

    def stop(self) -> None:
        """End the run during its next step."""
        self._steering.stop()

    def _make(
        self, shown: LayerSlice, labels: Any, styles: list[LayerSlice], folder: Path,
        options: dict[str, Any], is_closing: IsClosing,
    ) -> None:  # fmt: skip
        """Run in the worker's thread."""
        from napari_nst import augment

        name = f"{shown.name} {shown.where}".strip()
        self._run = run = augment(
            NamedImage.of(shown.read_raw(), name), np.asarray(labels),
            [one.read() for one in styles], folder,
            steering=self._steering, progress=self.take_progress, **options,
        )  # fmt: skip
        for step in run:
            one = step.iteration
            self.told = f"{step.label}: step {one.step} of {one.steps}, {_count(run)}"
            if is_closing() or self.closed:
                run.close()
                return
        self.told = f"{_count(run)} are in {folder}. {run.failures()}".strip()

    def follow(self) -> None:
        """Show what is done, and open the variants that are finished."""
        say(self.status, self.told)
        if self._run is None or self.closed:
            return
        rows = self._run.rows[self._opened :]
        self._opened += len(rows)
        for row in rows:
            if self.opens.value and row["status"] in ("written", "there already"):
                self._open(self._run.path / row["image"])

    def enable(self, *_: Any) -> None:
        """Enable one of the buttons."""
        self.run_button.enabled = not self.busy
        self.stop_button.enabled = self.busy

    def _open(self, path: Path) -> None:
        assert self._shown is not None
        pixels = read_image(path)
        position = self._shown.position
        labels = [self.labels.value] if self.labels.value in self.viewer.layers else []
        layer: Any = add_below(  # so that the labels can be seen on it
            self.viewer,
            labels,
            position.data(pixels),
            name=path.stem,
            rgb=pixels.ndim == 3,
            metadata={RECORD: record_in(read_text(path))},
            **position.transform_at((pixels.shape[0], pixels.shape[1])),
        )
        self.layers.append(layer)


def _labels_like(image: Any, labels: Any, dims: Dims) -> Any:
    """Return the slice of labels that is shown, as it is; they must have the axes of the image."""
    shapes = [tuple(one.level_shapes[0])[: one.ndim] for one in (image, labels)]
    axes = [shown_axes(one, dims) for one in (image, labels)]
    sides = [[shape[axis] for axis in of] for shape, of in zip(shapes, axes, strict=True)]
    if sides[0] != sides[1]:
        sizes = [" × ".join(map(str, reversed(one))) for one in sides]
        raise ValueError(
            f"Labels {labels.name!r} are {sizes[1]} pixels, and image {image.name!r} is "
            f"{sizes[0]}. Choose labels of the size of the image."
        )
    rows, columns = axes[1]
    index: list[Any] = list(shown_index(labels, dims))
    index[rows] = index[columns] = slice(None)
    data = labels.data[0] if labels.multiscale else labels.data
    shown = data[tuple(index)]
    return shown.swapaxes(0, 1) if rows > columns else shown


def _count(run: FilesRun) -> str:
    return f"{run.done} of {run.count} variants"
