"""The Solid Texture widget: a volume whose slices look like image layers, shown while it grows."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import napari.viewer
import numpy as np
from magicgui.widgets import CheckBox, PushButton
from napari.layers import Image
from napari.utils.notifications import show_info
from qtpy.QtWidgets import QVBoxLayout

from napari_nst.engine.steering import Steering
from napari_nst.io.record import RECORD
from napari_nst.io.save_result import save
from napari_nst.recipe import Recipe, preset
from napari_nst.viewer.controls.file_dialog import ask_for_path
from napari_nst.viewer.controls.form import CountBox, form, say, scrolling_column
from napari_nst.viewer.controls.layer_box import LayerBox, chosen_layer
from napari_nst.viewer.layers.position import layer_transform
from napari_nst.viewer.layers.read import LayerSlice, shown_slice
from napari_nst.viewer.layers.save import calibration_of
from napari_nst.viewer.run.dock import ComputingDock
from napari_nst.viewer.run.worker import IsClosing

if TYPE_CHECKING:
    from napari_nst.engine.iteration import Iteration

INTERVAL = 0.5  # seconds between two looks for a newer iteration
IDLE = 20.0  # the layers wait so many times as long as it took to change them
LEAST = 8  # voxels along an axis, which the layers of the preset need
_TIFF = {"TIFF (*.tif)": ".tif"}
_COLOURS = ("red", "green", "blue")


class SolidTexture(ComputingDock):
    """Controls, and the layers of the volume: one for grey, three added ones for colours.

    napari shows no volume of RGB in three dimensions.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        first = "Choose an exemplar, and press Run."
        super().__init__(napari_viewer, first, job="solid", milliseconds=round(1000 * INTERVAL))
        self.layers: list[Any] = []  # of the last run
        self._newest: Iteration | None = None
        self._shown: Iteration | None = None
        self._not_before = 0.0
        self._place: Mapping[str, Any] = {}
        self._steering = Steering()
        self._make_controls()
        self.reset_choices()
        self.enable()

    def _make_controls(self) -> None:
        self.exemplar = LayerBox(
            self.viewer, "exemplar", "The layer whose texture all slices of the volume get."
        )
        self.second = LayerBox(
            self.viewer,
            "second_exemplar",
            "The texture of slices perpendicular to the height and the width; the first exemplar "
            "is then that of slices perpendicular to the depth.",
            optional=True,
        )
        self.third = LayerBox(
            self.viewer,
            "third_exemplar",
            "The texture of slices perpendicular to the width.",
            optional=True,
        )
        self.sides = [
            CountBox(
                name=f"solid_{name}", label=name.capitalize(), value=64, min=LEAST, max=1024,
                tooltip=f"{name.capitalize()} of the volume in voxels, which are as large as "
                "pixels of the exemplar.",
            )
            for name in ("depth", "height", "width")
        ]  # fmt: skip
        usual = preset("solid")
        self.steps = CountBox(
            name="steps", label="Steps", value=usual.steps, min=1, max=100_000,
            tooltip="Number of iterations, over all sizes together.",
        )  # fmt: skip
        self.seamless = CheckBox(
            name="seamless",
            text="Seamless",
            tooltip="Make a volume whose opposite faces match, so that it tiles.",
        )
        self.run_button = PushButton(name="run", text="Run", tooltip="Make the volume.")
        self.stop_button = PushButton(
            name="stop", text="Stop", tooltip="End the run; the volume so far remains."
        )
        self.save_button = PushButton(
            name="save", text="Save…",
            tooltip="Write the volume as a TIFF, with the size of its voxels and its record.",
        )  # fmt: skip
        self.save_button.clicked.connect(self._ask_and_save)
        self.run_button.clicked.connect(self.start)
        self.stop_button.clicked.connect(self.stop)
        self.layer_boxes = [self.exemplar, self.second, self.third]
        chosen = [*self.layer_boxes, *self.sides, self.steps, self.seamless]
        buttons = [self.run_button, self.stop_button, self.save_button]
        layout = QVBoxLayout(self)
        layout.addWidget(scrolling_column(form([*chosen, *buttons]), self.status))

    def start(self) -> None:
        """Make the volume in a thread; its layers grow."""
        if self.busy:
            return
        try:
            slices = self._slices()
        except (TypeError, ValueError) as error:
            self.complain(error)
            return
        shape = tuple(box.value for box in self.sides)
        recipe = preset("solid", steps=self.steps.value)
        if self.seamless.value:
            recipe = recipe.replace(padding="circular")
        self._place = _place_beside(chosen_layer(self.exemplar), slices[0], shape[0] // 2)
        self.layers, self._newest, self._shown = [], None, None
        self._steering = Steering(tell=self.tell)
        self.compute(partial(self._compute, slices, shape, recipe), "Loading the network …")

    def stop(self) -> None:
        """End the run during its next step."""
        self._steering.stop()

    def save(self, path: str | Path) -> None:
        """Write the volume as a TIFF; raise `ValueError` if there is none."""
        iteration = self._newest
        if iteration is None or not self.layers:
            raise ValueError("There is no volume to save. Press Run first.")
        shape = (iteration.shape[1], iteration.shape[2])
        known = calibration_of(layer_transform(self.layers[0]), (1, 2), shape, None)
        facts = {**iteration.facts, "calibration": asdict(known)}
        save(path, replace(iteration, facts=facts))

    def _ask_and_save(self) -> None:
        try:
            name = self.layers[0].name if self.layers else "solid"
            path = ask_for_path(self, "Save the volume", name, _TIFF, _TIFF.values())
            if path is not None:
                self.save(path)
                show_info(f"Wrote {path.name}.")
        except (OSError, ValueError) as error:
            self.complain(error)

    def _compute(
        self, slices: list[LayerSlice], shape: tuple[int, ...], recipe: Recipe,
        is_closing: IsClosing,
    ) -> None:  # fmt: skip
        """Run in the worker's thread, and keep the newest iteration."""
        from napari_nst import synthesize_solid

        steering = self._steering
        run = synthesize_solid(
            [one.read() for one in slices], shape, recipe,
            steering=steering, progress=self.take_progress,
        )  # fmt: skip
        for iteration in run:
            self._newest = iteration
            if is_closing() or self.closed:
                run.close()

    def _slices(self) -> list[LayerSlice]:
        """Return what the chosen layers show."""
        chosen = [chosen_layer(box) for box in (self.exemplar, self.second, self.third)]
        if chosen[2] is not None and chosen[1] is None:
            raise ValueError("The third exemplar needs a second one. Choose it, too.")
        return [shown_slice(layer, self.viewer.dims) for layer in chosen if layer is not None]

    def follow(self) -> None:
        """Show the newest iteration, unless that would take much of the time."""
        newest = self._newest
        if newest is None:
            super().follow()
            return
        left = f", {newest.seconds_left:.0f} s left" if self.busy else ""
        say(self.status, f"Step {newest.step} of {newest.steps}{left}")
        began = time.monotonic()
        if newest is self._shown or (self.busy and began < self._not_before):
            return
        self._show(newest)
        ended = time.monotonic()
        self._not_before = ended + IDLE * (ended - began)

    def _show(self, iteration: Iteration) -> None:
        self._shown = iteration
        volume = iteration.picture
        parts = [volume] if volume.ndim == 3 else list(np.moveaxis(volume, -1, 0))
        transform = self._transform(iteration)
        record = iteration.record()
        if not self.layers:
            self._add_layers(len(parts), parts, transform)
        for layer, part in zip(self.layers, parts, strict=True):
            if layer not in self.viewer.layers:
                self.stop()  # the user has removed it
                return
            layer.data = part
            layer.scale, layer.translate = transform["scale"], transform["translate"]
            layer.metadata = {**layer.metadata, RECORD: record}

    def _add_layers(self, count: int, parts: list[Any], transform: Mapping[str, Any]) -> None:
        name = f"{self._place['name']} · solid"
        names = [name] if count == 1 else [f"{name} {colour}" for colour in _COLOURS]
        colours = ["gray"] if count == 1 else _COLOURS
        for one, part, colour in zip(names, parts, colours, strict=True):
            layer = self.viewer.add_image(
                part, name=one, colormap=colour, contrast_limits=(0, 1), rendering="translucent",
                blending="translucent" if count == 1 else "additive",
                scale=transform["scale"], translate=transform["translate"],
                units=self._place["units"],
            )  # fmt: skip
            self.layers.append(layer)
        self.viewer.dims.ndisplay = 3
        camera = self.viewer.scene.camera
        camera.set_view_direction((-1, 0.3, -0.4), (0, -1, 0))  # from above, with the rows upright
        self.viewer.reset_view(reset_camera_angle=False)
        camera.zoom *= 0.8

    def _transform(self, iteration: Iteration) -> dict[str, Any]:
        """Return scale and translation of the volume at its present size, beside the exemplar."""
        ratio = np.divide(iteration.full_shape, iteration.shape)
        voxel, corner = self._place["scale"], self._place["corner"]
        scale = voxel * ratio
        return {"scale": scale, "translate": corner + (scale - voxel) / 2}

    def enable(self, *_: Any) -> None:
        """Enable one of the buttons."""
        self.run_button.enabled = not self.busy
        self.stop_button.enabled = self.busy
        self.save_button.enabled = not self.busy and self._newest is not None


def _place_beside(layer: Image, shown: LayerSlice, gap: int) -> dict[str, Any]:
    """Return name, voxel size, units and first corner of a volume beside its exemplar."""
    rows, columns = shown.position.axes
    scale = np.abs(np.array(layer.scale))[[rows, rows, columns]]  # as deep as high
    units = [layer.units[axis] for axis in (rows, rows, columns)]
    first, last = np.asarray(layer.extent.world)
    corner = np.array([0.0, first[rows], last[columns] + gap * scale[2]])
    return {"name": shown.name, "scale": scale, "units": units, "corner": corner}
