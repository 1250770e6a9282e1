"""The layer that a run draws into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_nst.io.frame_stack import repeated
from napari_nst.io.record import RECORD
from napari_nst.viewer.brush.stroke import painted, upright
from napari_nst.viewer.layers.intensity import Intensity, to_uint8
from napari_nst.viewer.layers.keep_outside import OriginalPixels
from napari_nst.viewer.layers.live_pixels import LivePixels
from napari_nst.viewer.layers.panel_label import PanelText, known_units
from napari_nst.viewer.layers.position import Position, move_slider, shown_index
from napari_nst.viewer.layers.save import LAYOUT
from napari_nst.viewer.layers.succession import succeed

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_nst.engine.iteration import Iteration
    from napari_nst.viewer.layers.pyramid import Pyramid

__all__ = ["LiveLayer", "to_uint8"]


class LiveLayer:
    """An image layer that shows iterations as they come, at the content's place in the world.

    Several pictures that are made in turn share one layer: each iteration is drawn into its own,
    and the viewer's slider follows the one that is being made, unless the user has moved it.

    A picture that will be large has a multiscale layer from the first iteration on, however small
    that is: no layer becomes one later. Its numbers are written in the run's thread.

    Call it from the main thread only.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Gets the layer with the first picture, so that a run that fails early leaves nothing.
    name : str
        Of the layer.
    position : Position
        Where the content lies.
    intensity : Intensity
        How the content's numbers are shown; the layer's are made like them.
    keep_dtype : bool
        Whether the layer's numbers are of the content's type, too.
    names : sequence of str
        What the inputs are called, for the layer's record.
    original : OriginalPixels, optional
        What of the content is shown as it is.

    Attributes
    ----------
    drawn : LivePicture
        What the run's thread draws into.
    layer : napari.layers.Image or None
        What it shows.
    shown : Iteration or None
        The last iteration that was drawn; tiles of the next may be there, too.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        name: str,
        position: Position,
        intensity: Intensity,
        keep_dtype: bool = False,
        names: Sequence[str] = (),
        original: OriginalPixels | None = None,
    ) -> None:
        self._viewer = viewer
        self._name = name
        self._position = position
        self._intensity = intensity
        self._keep_dtype = keep_dtype
        self._names = tuple(names)
        self._original = original
        self._stack: np.ndarray[Any, Any] | None = None
        self._remembered: np.ndarray[Any, Any] | None = None
        self._panel = 0
        self._layout: dict[str, Any] = {}
        self.drawn = LivePixels(intensity, keep_dtype, original)
        self._version = 0
        self.layer: Any = None
        self.shown: Iteration | None = None

    @property
    def removed(self) -> bool:
        """Whether the user deleted the layer."""
        return self.layer is not None and self.layer not in self._viewer.layers

    def show(self, iteration: Iteration) -> None:
        """Draw an iteration, at whatever size it has; nothing if it is shown already.

        Where the run draws into `drawn`, that is shown, with whatever has come since.
        """
        if self.removed:
            return
        if self.drawn.pyramid is not None:
            self._show_drawn(iteration)
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
            self._lay(iteration.shape)

    def remember(self) -> None:
        """Note what a layer shows, if it can be painted on, to find out later what was."""
        self._remembered = None
        if self.layer is not None and not self.layer.multiscale:
            self._remembered = upright(self.layer.data, self._position).copy()

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
        now = upright(self.layer.data, self._position)
        picture, changed = painted(self._remembered, now, self._intensity, self.layer.name)
        return (picture, changed) if changed.any() else None

    def describe(self, facts: Mapping[str, Any] | None = None) -> None:
        """Keep what made the picture with it; without `facts`, the record of what is shown."""
        if self.layer is None:
            return
        if facts is None:
            facts = self.shown.record(self._names) if self.shown else {}
        self.layer.metadata[RECORD] = {**facts, LAYOUT: self._layout}

    def _show_drawn(self, iteration: Iteration) -> None:
        """Show what the run has drawn: arrays that stay the same until the size changes."""
        self.shown = iteration
        version, pyramid = self.drawn.version, self.drawn.pyramid
        assert pyramid is not None
        if self.layer is not None and pyramid.multiscale and not self.layer.multiscale:
            self._replace(pyramid)
        elif self.layer is None or not self._shows(pyramid):
            self._take(pyramid)
        elif version != self._version:
            self.layer.refresh(extent=False)
        self._version = version

    def _shows(self, pyramid: Pyramid) -> bool:
        """Return whether the layer's data is a view of these very arrays."""
        finest = self.layer.data[0] if self.layer.multiscale else self.layer.data
        return getattr(finest, "base", None) is pyramid.levels[0]

    def _take(self, pyramid: Pyramid) -> None:
        levels = [self._position.data(level) for level in pyramid.levels]
        data = levels if pyramid.multiscale else levels[0]
        if self.layer is None:
            self._add(data, pyramid.levels[0], ())
            return
        if self.layer.multiscale:
            # What napari draws first is the coarsest level, as far as it has seen the one before.
            whole = np.zeros((2, self.layer.ndim), int)
            whole[1] = np.subtract(levels[-1].shape[: self.layer.ndim], 1)
            self.layer.corner_pixels = whole
        self.layer.data = data
        self._lay(pyramid.shape)

    def _replace(self, pyramid: Pyramid) -> None:
        """Show a run that goes on at a large size in a multiscale layer, like the one it had."""
        former, at = self.layer, self._viewer.layers.index(self.layer)
        self._viewer.layers.remove(former)
        self.layer = None
        self._take(pyramid)
        succeed(self._viewer, self.layer, former, at)

    def _lay(self, shape: tuple[int, int]) -> None:
        """Let the layer cover the same place with other pixels."""
        transform = self._position.transform_at(shape)
        self.layer.scale, self.layer.translate = transform["scale"], transform["translate"]

    def _show_panel(self, iteration: Iteration, pixels: np.ndarray[Any, Any]) -> None:
        count, first = len(iteration.panels), self._stack is None
        if self._stack is None:
            shape = iteration.full_shape if all(iteration.full_shape) else iteration.shape
            black = self._intensity.restore(
                np.zeros_like(iteration.picture[:1, :1]), self._keep_dtype
            )
            self._stack = np.broadcast_to(black, (count, *shape, *black.shape[2:])).copy()
        size = self._stack.shape[1], self._stack.shape[2]
        self._stack[iteration.panel] = repeated(pixels, size)
        data = self._position.data(self._stack, count)
        axis = self._position.pixel_axes(count)[0]
        if first:
            self._add(data, self._stack[0], iteration.panels)
            PanelText.of(self._viewer).follow(self.layer, axis, iteration.panels)
            move_slider(self.layer, self._viewer.dims, axis, iteration.panel)
        else:
            self.layer.data = data
            if iteration.panel != self._panel and self._slider_at(axis) == self._panel:
                move_slider(self.layer, self._viewer.dims, axis, iteration.panel)
        self._panel = iteration.panel

    def _slider_at(self, axis: int) -> int:
        return shown_index(self.layer, self._viewer.dims)[axis]

    def _add(self, data: Any, picture: np.ndarray[Any, Any], panels: tuple[str, ...]) -> None:
        """Make the layer; `picture` is one of those in its data, upright."""
        count = len(panels)
        transform = self._position.transform_at((picture.shape[0], picture.shape[1]), count)
        transform["units"] = known_units(transform["units"], self._viewer.dims, self._position.ndim)
        axes = self._position.pixel_axes(count)
        self._layout = {"axes": list(axes), "panels": list(panels)}
        self.layer = self._viewer.add_image(
            data,
            name=self._name,
            multiscale=isinstance(data, list),
            interpolation2d="linear",  # coarse scales are drawn as large as fine ones
            metadata={RECORD: {LAYOUT: self._layout}},
            **self._intensity.display(picture, self._keep_dtype),
            **transform,
        )
