"""The layer that a run draws into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer

from napari_nst.io.record import RECORD
from napari_nst.viewer.layers.intensity import Intensity, to_unit
from napari_nst.viewer.layers.live_pixels import LivePixels, Pyramid
from napari_nst.viewer.layers.own_axis import cover, on_own_axis
from napari_nst.viewer.layers.panels import PanelText
from napari_nst.viewer.layers.position import Position, move_slider, shown_index
from napari_nst.viewer.layers.read import OriginalPixels
from napari_nst.viewer.layers.repeated_preview import move_tiles
from napari_nst.viewer.layers.result_layer import Placement, add_below, put_below, replace_layer
from napari_nst.viewer.layers.save import LAYOUT

if TYPE_CHECKING:
    from napari_nst.engine.iteration import Iteration

Array = np.ndarray[Any, Any]


class LiveLayer:
    """An image layer that shows the iterations of a run at the content's position."""

    def __init__(
        self,
        viewer: ViewerModel,
        name: str,
        position: Position,
        intensity: Intensity,
        keep_dtype: bool = False,
        original: OriginalPixels | None = None,
        guides: Sequence[Layer] = (),  # that are drawn on during the run: the layer is below them
        fit_view: bool = False,  # whether the view is fitted to show the new layer
    ) -> None:
        self._viewer = viewer
        self._name = name
        self._position = position
        self._intensity = intensity
        self._keep_dtype = keep_dtype
        self._original = original
        self._guides = guides
        self._fit_view = fit_view
        self._placement = Placement(position)
        self._stack: Array | None = None  # of several images
        self._remembered: Array | None = None  # what the layer showed before the user painted
        self._panel = 0
        self._layout: dict[str, Any] = {}
        self._version = 0
        self.drawn = LivePixels(intensity, keep_dtype, original)  # the run's thread draws into it
        self.layer: Any = None  # made by the first image: a run that fails early leaves none
        self.shown: Iteration | None = None  # tiles of the next one may be shown, too

    @property
    def removed(self) -> bool:
        """Whether the user deleted the layer."""
        return self.layer is not None and self.layer not in self._viewer.layers

    def show(self, iteration: Iteration) -> None:
        """Show an iteration of any size, or what the run's thread has drawn since."""
        if self.removed:
            return
        if self.drawn.pyramid is not None:
            self._show_drawn(iteration, self.drawn.pyramid)
            return
        if iteration is self.shown:
            return
        self.shown = iteration
        pixels = self._intensity.restore(iteration.picture, self._keep_dtype)
        if self._original is not None:
            pixels = self._original.put_back(pixels, iteration.free)
        if iteration.panels:
            self._show_panel(iteration, pixels)
            return
        data = self._position.data(pixels)
        if self.layer is None:
            self._add(data, pixels, iteration.panels)
            return
        resized = self.layer.data.shape != data.shape
        self.layer.data = data
        if resized:
            height, width = iteration.shape
            self._placement.resize(self.layer, (height, width))

    def remember(self) -> None:
        """Keep what the layer shows, so that `strokes` can find what the user painted."""
        self._remembered = None
        if self.layer is not None and not self.layer.multiscale:
            self._remembered = self._position.image(self.layer.data).copy()

    def strokes(self) -> tuple[Array, Array] | None:
        """Return the image in [0, 1] and which pixels were painted since `remember`, or None."""
        if self._remembered is None or self.removed:
            return None
        before, now = self._remembered, self._position.image(self.layer.data)
        name = f"Layer {self.layer.name!r}"
        if before.shape != now.shape:
            raise ValueError(
                f"{name} has the shape {now.shape}, not the shape {before.shape} of the image that "
                "was drawn there; undo that, or press Stop."
            )
        changed = before != now
        if changed.ndim == 3:
            changed = changed[..., :3].any(axis=-1)
        if not changed.any():
            return None
        limits = self._intensity.limits_in(now.dtype, now.ndim)
        return to_unit(now, limits, name), changed

    def keep_below(self, guides: Sequence[Layer]) -> None:
        """Stay below guides that were chosen during the run."""
        if set(guides) - set(self._guides) and self.layer is not None and not self.removed:
            put_below(self._viewer, self.layer, guides)
        self._guides = guides

    def describe(self, record: Mapping[str, Any]) -> None:
        """Store the record of a run in the layer's metadata."""
        if self.layer is not None:
            self.layer.metadata[RECORD] = {**record, LAYOUT: self._layout}

    def _show_drawn(self, iteration: Iteration, pyramid: Pyramid) -> None:
        """Show the arrays that the run's thread writes into, the same until the size changes."""
        self.shown = iteration
        version, layer = self.drawn.version, self.layer
        finest = None if layer is None else layer.data[0] if layer.multiscale else layer.data
        if layer is not None and pyramid.multiscale and not layer.multiscale:
            self._replace(pyramid)
        elif getattr(finest, "base", None) is not pyramid.levels[0]:  # another array, or no layer
            self._set_data(pyramid)
        elif version != self._version:
            layer.refresh(extent=False)
        self._version = version

    def _set_data(self, pyramid: Pyramid) -> None:
        levels = [self._position.data(level) for level in pyramid.levels]
        data = levels if pyramid.multiscale else levels[0]
        if self.layer is None:
            self._add(data, pyramid.levels[0], ())
            return
        if self.layer.multiscale:
            # napari first draws the coarsest level, and of it the corners of the data before.
            whole = np.zeros((2, self.layer.ndim), int)
            whole[1] = np.subtract(levels[-1].shape[: self.layer.ndim], 1)
            self.layer.corner_pixels = whole
        self.layer.data = data
        self._placement.resize(self.layer, pyramid.shape)

    def _replace(self, pyramid: Pyramid) -> None:
        """Put a multiscale layer in place of the layer, which cannot become one."""
        former, self.layer = self.layer, None
        self._placement.follow(former)
        levels = [self._position.data(level) for level in pyramid.levels]
        options = self._intensity.display(pyramid.levels[0], self._keep_dtype)
        options |= self._placement.transform_at(pyramid.shape)
        self.layer = replace_layer(self._viewer, former, levels, {**options, "multiscale": True})
        move_tiles(self._viewer, former, self.layer)
        self._placement.placed(self.layer, pyramid.shape)

    def _show_panel(self, iteration: Iteration, pixels: Array) -> None:
        count, first = len(iteration.panels), self._stack is None
        if self._stack is None:
            shape = iteration.full_shape if all(iteration.full_shape) else iteration.shape
            one_pixel = np.zeros_like(iteration.picture[:1, :1])
            black = self._intensity.restore(one_pixel, self._keep_dtype)
            self._stack = np.broadcast_to(black, (count, *shape, *black.shape[2:])).copy()
        # By nearest neighbour, which is fast.
        rows, columns = (
            np.arange(new) * old // new
            for new, old in zip(self._stack.shape[1:3], pixels.shape[:2], strict=True)
        )
        self._stack[iteration.panel] = pixels[rows[:, None], columns]
        if first and self._position.panel_axis is None:
            self._position = on_own_axis(self._viewer, self._position, "picture")
            self._placement = Placement(self._position)
        data = self._position.data(self._stack, count)
        axis = self._position.pixel_axes(count)[0]
        dims = self._viewer.dims
        if first:
            self._add(data, self._stack[0], iteration.panels)
            cover(self._viewer, self.layer, self._position, count)
            PanelText.of(self._viewer).follow(self.layer, axis, iteration.panels)
            move_slider(self.layer, dims, axis, iteration.panel)
        else:
            self.layer.data = data
            is_followed = shown_index(self.layer, dims)[axis] == self._panel
            if iteration.panel != self._panel and is_followed:
                move_slider(self.layer, dims, axis, iteration.panel)
        self._panel = iteration.panel

    def _add(self, data: Any, picture: Array, panels: tuple[str, ...]) -> None:
        """Make the layer; `picture` is one image of its data, upright."""
        count = len(panels)
        shape, dims = (picture.shape[0], picture.shape[1]), self._viewer.dims
        transform = self._position.transform_at(shape, count)
        self._layout = {"axes": list(self._position.pixel_axes(count)), "panels": list(panels)}
        self.layer = add_below(
            self._viewer,
            self._guides,
            data,
            name=self._name,
            multiscale=isinstance(data, list),
            interpolation2d="linear",  # coarse scales are displayed as large as fine ones
            metadata={RECORD: {LAYOUT: self._layout}},
            **self._intensity.display(picture, self._keep_dtype),
            **transform,
        )
        self._placement.placed(self.layer, shape)
        if self._fit_view and dims.ndisplay == 2:
            self._viewer.fit_to_view()
