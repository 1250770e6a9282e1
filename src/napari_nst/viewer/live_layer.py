"""The layer that a run draws into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_nst.recorded import RECORD
from napari_nst.viewer.guides.untouched import Untouched
from napari_nst.viewer.painting.strokes import painted, upright
from napari_nst.viewer.panels import PanelText, known_units
from napari_nst.viewer.placing import Place, move_slider, shown_index
from napari_nst.viewer.results import LAYOUT
from napari_nst.viewer.values import Values, to_uint8

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_nst.engine.optimize import Iteration
    from napari_nst.viewer.job import Job

__all__ = ["LiveLayer", "to_uint8"]


class LiveLayer:
    """An image layer that shows iterations as they come, at the content's place in the world.

    Several pictures that are made in turn share one layer: each iteration is drawn into its own,
    and the viewer's slider follows the one that is being made, unless the user has moved it.

    Call it from the main thread only.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Gets the layer with the first picture, so that a run that fails early leaves nothing.
    name : str
        Of the layer.
    place : Place
        Where the content lies.
    values : Values
        How the content's numbers are shown; the layer's are made like them.
    keep_dtype : bool
        Whether the layer's numbers are of the content's type, too.
    names : sequence of str
        What the inputs are called, for the layer's record.
    untouched : Untouched, optional
        What of the content is shown as it is.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        name: str,
        place: Place,
        values: Values,
        keep_dtype: bool = False,
        names: Sequence[str] = (),
        untouched: Untouched | None = None,
    ) -> None:
        self._viewer = viewer
        self._name = name
        self._place = place
        self._values = values
        self._keep_dtype = keep_dtype
        self._names = tuple(names)
        self._untouched = untouched
        self._stack: np.ndarray[Any, Any] | None = None
        self._remembered: np.ndarray[Any, Any] | None = None
        self._panel = 0
        self._layout: dict[str, Any] = {}
        self.layer: Any = None
        self.shown: Iteration | None = None

    @classmethod
    def of_job(cls, viewer: ViewerModel, job: Job) -> LiveLayer:
        """Return the layer that a job's single picture, or its pictures in turn, are drawn into."""
        return cls(viewer, job.name, job.place, job.values, job.keep_dtype, untouched=job.untouched)

    @property
    def removed(self) -> bool:
        """Whether the user deleted the layer."""
        return self.layer is not None and self.layer not in self._viewer.layers

    def show(self, iteration: Iteration) -> None:
        """Draw an iteration, at whatever size it has; nothing if it is shown already."""
        if iteration is self.shown or self.removed:
            return
        self.shown = iteration
        pixels = self._values.restore(iteration.picture, self._keep_dtype)
        if self._untouched is not None:
            pixels = self._untouched.around(pixels)
        if iteration.panels:
            self._show_panel(iteration, pixels)
            return
        data = self._place.data(pixels)
        if self.layer is None:
            self._add(data, iteration)
            return
        resized = self.layer.data.shape != data.shape
        self.layer.data = data
        if resized:
            transform = self._place.transform_at(iteration.shape)
            self.layer.scale, self.layer.translate = transform["scale"], transform["translate"]

    def remember(self) -> None:
        """Note what the layer shows, to find out later what the user has painted into it."""
        if self.layer is not None:
            self._remembered = upright(self.layer.data, self._place).copy()

    def strokes(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]] | None:
        """Return what was painted since `remember`, None where nothing was.

        Returns
        -------
        tuple of ndarray
            The picture, float32 in [0, 1], (H, W) or (H, W, C); and which of its pixels changed,
            bool (H, W).

        Raises
        ------
        ValueError
            If the layer got data of another shape.
        """
        if self._remembered is None or self.removed:
            return None
        now = upright(self.layer.data, self._place)
        picture, changed = painted(self._remembered, now, self._values, self.layer.name)
        return (picture, changed) if changed.any() else None

    def describe(self, facts: Mapping[str, Any] | None = None) -> None:
        """Keep what made the picture with it; without `facts`, the record of what is shown."""
        if self.layer is None:
            return
        if facts is None:
            facts = self.shown.record(self._names) if self.shown else {}
        self.layer.metadata[RECORD] = {**facts, LAYOUT: self._layout}

    def _show_panel(self, iteration: Iteration, pixels: np.ndarray[Any, Any]) -> None:
        count, first = len(iteration.panels), self._stack is None
        if self._stack is None:
            shape = iteration.full_shape if all(iteration.full_shape) else iteration.shape
            black = self._values.restore(np.zeros_like(iteration.picture[:1, :1]), self._keep_dtype)
            self._stack = np.broadcast_to(black, (count, *shape, *black.shape[2:])).copy()
        self._stack[iteration.panel] = _enlarged(pixels, self._stack.shape[1:3])
        data = self._place.data(self._stack, count)
        axis = self._place.pixel_axes(count)[0]
        if first:
            self._add(data, iteration)
            PanelText.of(self._viewer).follow(self.layer, axis, iteration.panels)
            move_slider(self.layer, self._viewer.dims, axis, iteration.panel)
        else:
            self.layer.data = data
            if iteration.panel != self._panel and self._slider_at(axis) == self._panel:
                move_slider(self.layer, self._viewer.dims, axis, iteration.panel)
        self._panel = iteration.panel

    def _slider_at(self, axis: int) -> int:
        return shown_index(self.layer, self._viewer.dims)[axis]

    def _add(self, data: np.ndarray[Any, Any], iteration: Iteration) -> None:
        count = len(iteration.panels)
        shape = iteration.shape if self._stack is None else self._stack.shape[1:3]
        transform = self._place.transform_at((shape[0], shape[1]), count)
        transform["units"] = known_units(transform["units"], self._viewer.dims, self._place.ndim)
        axes = self._place.pixel_axes(count)
        self._layout = {"axes": list(axes), "panels": list(iteration.panels)}
        self.layer = self._viewer.add_image(
            data,
            name=self._name,
            interpolation2d="linear",  # coarse scales are drawn as large as fine ones
            metadata={RECORD: {LAYOUT: self._layout}},
            **self._values.display(iteration.picture, self._keep_dtype),
            **transform,
        )


def _enlarged(pixels: np.ndarray[Any, Any], shape: Sequence[int]) -> np.ndarray[Any, Any]:
    """Return a picture at another size, by the nearest pixel: cheap enough for every frame."""
    rows, columns = (
        np.arange(wanted) * given // wanted
        for wanted, given in zip(shape, pixels.shape[:2], strict=True)
    )
    larger: np.ndarray[Any, Any] = pixels[rows[:, None], columns]
    return larger
