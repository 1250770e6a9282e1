"""The layer that a sweep draws into: a sheet of labelled pictures beside the content."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_nst.io.contact_sheet import DARK, Grid, Sheet
from napari_nst.io.record import RECORD
from napari_nst.viewer.layers.intensity import to_uint8
from napari_nst.viewer.layers.position import Place
from napari_nst.viewer.layers.save import LAYOUT
from napari_nst.viewer.sweep.sheet_layer import add_sheet

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_nst.engine.iteration import Iteration
    from napari_nst.viewer.run.request import RunRequest

LONGEST_SHEET, LONGEST_CELL = 2048, 512
"""Pixels along the longest side of all pictures together, and of one: what is soon drawn."""

LETTERS = 32
"""Height of letters in pixels: they can be read where a whole sheet is shown in half its pixels."""

_STILL = 4
"""How many pixels of the canvas a click may move."""


class GridLayer:
    """An RGB layer with a picture for each cell of a grid, which fills as iterations come.

    It lies to the right of all that is visible, upright, in the content's slice; each picture is
    as large as the content. The camera goes back to show everything, unless the view is in 3D.

    Call it from the main thread only. It is never large, so that a run's thread draws nothing.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Gets the layer with the first picture.
    name : str
        Of the layer.
    place : Place
        Where the content lies.
    names : sequence of str
        What the inputs are called, for the layer's record.
    clicked : callable, optional
        Called with the settings of each picture that is clicked, as by `on_click`.
    """

    drawn = None

    def __init__(
        self,
        viewer: ViewerModel,
        name: str,
        place: Place,
        names: Sequence[str] = (),
        clicked: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        self._viewer = viewer
        self._name = name
        self._place = place
        self._names = tuple(names)
        self._clicked = clicked
        self._sheet: Sheet | None = None
        self._layout: dict[str, Any] = {}
        self.layer: Any = None
        self.shown: Iteration | None = None

    @classmethod
    def of_job(cls, viewer: ViewerModel, job: RunRequest) -> GridLayer:
        """Return the layer that a job's pictures are drawn into."""
        return cls(viewer, job.name, job.place, job.names)

    @property
    def removed(self) -> bool:
        """Whether the user deleted the layer."""
        return self.layer is not None and self.layer not in self._viewer.layers

    def show(self, iteration: Iteration) -> None:
        """Draw an iteration of `sweep` or `explore_layers`; nothing if it is shown already."""
        if iteration is self.shown or self.removed:
            return
        self.shown = iteration
        picture = to_uint8(iteration.picture)
        if self._sheet is None:
            grid = Grid.from_dict(iteration.facts["grid"])
            shape = iteration.full_shape if all(iteration.full_shape) else iteration.shape
            self._sheet = Sheet(grid, _cell_shape(grid, shape), DARK, letters=LETTERS)
            self._sheet.put(iteration.panel, picture)
            self._add(grid, self._sheet)
            return
        self._sheet.put(iteration.panel, picture)
        self.layer.data = self._place.data(self._sheet.pixels)

    def describe(self, facts: Mapping[str, Any] | None = None) -> None:
        """Keep what made the pictures with them; without `facts`, the record of the last."""
        if self.layer is None:
            return
        if facts is None:
            facts = self.shown.record(self._names) if self.shown else {}
        self.layer.metadata[RECORD] = {**facts, LAYOUT: self._layout}

    def _add(self, grid: Grid, sheet: Sheet) -> None:
        cells = [
            {"rectangle": list(rectangle), "settings": dict(cell.settings)}
            for rectangle, cell in zip(sheet.rectangles, grid.cells, strict=True)
        ]
        self._layout = {"axes": list(self._place.axes), "panels": [], "cells": cells}
        metadata = {RECORD: {LAYOUT: self._layout}}
        self.layer = add_sheet(self._viewer, self._place, sheet, name=self._name, metadata=metadata)
        if self._clicked is not None:
            on_click(self.layer, self._clicked)


def settings_at(layer: Image, position: Sequence[float]) -> dict[str, Any] | None:
    """Return the settings that made the picture at a place of a grid layer.

    Parameters
    ----------
    layer : napari.layers.Image
        What a `GridLayer` has drawn into.
    position : sequence of float
        In the viewer's world, such as a mouse event's.

    Returns
    -------
    dict or None
        Fields of a recipe and their values; None between the pictures.
    """
    layout = layer.metadata[RECORD][LAYOUT]
    pixel = np.asarray(layer.world_to_data(position))[layout["axes"]] + 0.5
    for cell in layout["cells"]:
        top, left, bottom, right = cell["rectangle"]
        if top <= pixel[0] < bottom and left <= pixel[1] < right:
            return dict(cell["settings"])
    return None


def on_click(layer: Image, callback: Callable[[dict[str, Any]], None]) -> None:
    """Call `callback` with the settings of each picture that is clicked, while the layer is active.

    A press that becomes a drag moves the camera, as everywhere, and is no click.
    """

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
        if settings is not None and moved <= _STILL:
            callback(settings)

    layer.mouse_drag_callbacks.append(clicked)


def _cell_shape(grid: Grid, shape: tuple[int, int]) -> tuple[int, int]:
    """Return how large a picture's cell is, however large the picture is."""
    longest = min(LONGEST_CELL, LONGEST_SHEET // max(len(grid.rows), len(grid.columns)))
    height, width = (max(1, round(side * longest / max(shape))) for side in shape)
    return height, width
