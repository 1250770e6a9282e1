"""Contact sheets as layers: labelled images on one sheet, to the right of all visible layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image

from napari_nst.io.contact_sheet import DARK, Sheet
from napari_nst.io.record import RECORD
from napari_nst.recipe.grid import Grid
from napari_nst.viewer.layers.intensity import to_uint8
from napari_nst.viewer.layers.position import GAP, Position, whole_affine, world_units
from napari_nst.viewer.layers.save import LAYOUT
from napari_nst.viewer.words import label

if TYPE_CHECKING:
    from napari_nst.engine.iteration import Iteration

LONGEST_SHEET, LONGEST_CELL = 2048, 512  # sides in pixels, without labels: both redraw fast
LETTERS = 32  # height in pixels: legible where a whole sheet is displayed at half its size
_CLICK_TOLERANCE = 4  # pixels of the canvas that the mouse may move during a click


class SheetLayer:
    """An RGB layer with one cell per image of a sweep; a click passes settings to `clicked`."""

    drawn = None  # the sheet is small: the run's thread has nothing to draw in advance

    def __init__(
        self,
        viewer: ViewerModel,
        name: str,
        position: Position,
        clicked: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        self._viewer = viewer
        self._name = name
        self._position = position
        self._clicked = clicked
        self._sheet: Sheet | None = None
        self._layout: dict[str, Any] = {}
        self.layer: Any = None
        self.shown: Iteration | None = None

    @property
    def removed(self) -> bool:
        """Whether the user deleted the layer."""
        return self.layer is not None and self.layer not in self._viewer.layers

    def show(self, iteration: Iteration) -> None:
        """Draw an iteration into its cell; the first iteration makes the layer."""
        if iteration is self.shown or self.removed:
            return
        self.shown = iteration
        image = to_uint8(iteration.picture)
        if self._sheet is None or self.layer is None:
            self._add(iteration, image)
        else:
            self._sheet.put(iteration.panel, image)
            self.layer.data = self._position.data(self._sheet.pixels)

    def describe(self, facts: Mapping[str, Any] | None = None) -> None:
        """Store metadata in the layer: `facts`, or else the record of the newest iteration."""
        if self.layer is None:
            return
        if facts is None:
            facts = self.shown.record() if self.shown else {}
        self.layer.metadata[RECORD] = {**facts, LAYOUT: self._layout}

    def _add(self, iteration: Iteration, image: np.ndarray[Any, Any]) -> None:
        grid = Grid.from_dict(iteration.facts["grid"]).in_words(label)
        shape = iteration.full_shape if all(iteration.full_shape) else iteration.shape
        longest = min(LONGEST_CELL, LONGEST_SHEET // max(len(grid.rows), len(grid.columns)))
        height, width = (max(1, round(side * longest / max(shape))) for side in shape)
        sheet = self._sheet = Sheet(grid, (height, width), DARK, font_size=LETTERS)
        sheet.put(iteration.panel, image)
        cells = [
            {"rectangle": list(rectangle), "settings": dict(cell.settings)}
            for rectangle, cell in zip(sheet.rectangles, grid.cells, strict=True)
        ]
        self._layout = {"axes": list(self._position.axes), "panels": [], "cells": cells}
        self.layer = add_sheet(
            self._viewer, self._position, sheet, name=self._name, layout=self._layout
        )
        if self._clicked is not None:
            on_click(self.layer, self._clicked)


def settings_at(layer: Image, at: Sequence[float]) -> dict[str, Any] | None:
    """Return the recipe fields of the image at a world position, or None between the images."""
    layout = layer.metadata[RECORD][LAYOUT]
    pixel = np.asarray(layer.world_to_data(at))[layout["axes"]] + 0.5
    for cell in layout["cells"]:
        top, left, bottom, right = cell["rectangle"]
        if top <= pixel[0] < bottom and left <= pixel[1] < right:
            return dict(cell["settings"])
    return None


def on_click(layer: Image, callback: Callable[[dict[str, Any]], None]) -> None:
    """Call `callback` with the settings of each image that is clicked, not dragged."""

    def clicked(layer: Image, event: Any) -> Iterator[None]:
        if event.button != 1:
            return
        pressed = np.array(event.pos)
        yield
        moved = 0.0
        while event.type == "mouse_move":
            moved = max(moved, float(np.abs(np.array(event.pos) - pressed).max()))
            yield
        settings = settings_at(layer, event.position)
        if settings is not None and moved <= _CLICK_TOLERANCE:
            callback(settings)

    layer.mouse_drag_callbacks.append(clicked)


def add_sheet(
    viewer: ViewerModel,
    position: Position,
    sheet: Sheet,
    *,
    name: str,
    layout: Mapping[str, Any] | None = None,
) -> Any:
    """Add a sheet to the right of all visible layers; a cell is as large as the content there."""
    own, shown = position.transform, list(position.axes)
    to_world = whole_affine(own)
    top, left, bottom, right = sheet.rectangles[0]
    # Lengths of the content's edges in the world, whichever way the content is rotated.
    edges = np.linalg.norm(to_world.linear_matrix[:, shown], axis=0) * position.shape
    scale = np.array(own["scale"])
    scale[shown] = edges / (bottom - top, right - left)
    translate = np.min(position.world_corners, axis=0)
    hidden = [axis for axis in range(position.ndim) if axis not in shown]
    translate[hidden] = to_world(np.array(position.index, float))[hidden]
    visible = [layer for layer in viewer.layers if layer.visible]
    last = np.array(viewer.layers.get_extent(visible).world)[1]
    horizontal = shown[1]
    from_end = horizontal - position.ndim
    if visible and -from_end <= len(last):  # the content's other axes may be gone with its layer
        unit = world_units(own["units"], viewer.dims)[horizontal]
        translate[horizontal] = last[from_end] * unit + GAP * edges[1]
    # Integer coordinates are pixel centres, not pixel corners.
    translate[shown] += scale[shown] / 2
    layer: Any = viewer.add_image(
        position.data(sheet.pixels),
        name=name,
        metadata={RECORD: {} if layout is None else {LAYOUT: layout}},
        rgb=True,
        interpolation2d="linear",
        scale=scale,
        translate=translate,
        units=own["units"],
        axis_labels=own["axis_labels"],
    )
    if viewer.dims.ndisplay == 2:
        viewer.fit_to_view()
    return layer
