"""The pixels of a live layer, written by the run's thread."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_nst.viewer.layers import pyramid as sizes
from napari_nst.viewer.layers.intensity import Intensity
from napari_nst.viewer.layers.keep_outside import OriginalPixels
from napari_nst.viewer.layers.pyramid import Pyramid, Window
from napari_nst.viewer.run.throttle import Throttle

if TYPE_CHECKING:
    from napari_nst.engine.iteration import Iteration
    from napari_nst.engine.steering import TileDone

_ROWS = 256
"""Rows that are converted at once: a large image never exists in floats as a whole."""


class LivePixels:
    """Pixels that the run's thread writes and the main thread displays.

    A small image without tiles needs only its iteration's `picture`, which is computed here. Any
    other is written into arrays of the layer's dtype, in place, and the main thread refreshes the
    layer. The parameters are those of `LiveLayer`; use it from the run's thread only.
    """

    def __init__(
        self, intensity: Intensity, keep_dtype: bool = False, original: OriginalPixels | None = None
    ) -> None:
        self._intensity = intensity
        self._keep_dtype = keep_dtype
        self._original = original
        # Replaced when the size changes; multiscale as soon as the run's last scale is large.
        self.pyramid: Pyramid | None = None
        self.version = 0  # raised after each drawing
        self._is_large = False
        self._drawn: Iteration | None = None
        self._covered: list[Window] = []  # by tiles of the step that follows `_drawn`
        self._iterations, self._tiles = Throttle(), Throttle()

    def is_due(self) -> bool:
        """Return whether an iteration should be drawn that may also be skipped."""
        return self._iterations.due()

    def draw(self, iteration: Iteration) -> None:
        """Draw an iteration; if it is drawn already, over the tiles of the next step."""
        self._note_size(iteration)
        if iteration.panels or not (self._is_large or self.pyramid):
            _ = iteration.picture  # cached
            return
        with self._iterations.drawing():
            pyramid = self._pyramid_for(iteration, iteration.shape)
            is_drawn = pyramid is self.pyramid and self._drawn is iteration
            for window in self._covered if is_drawn else _row_blocks(iteration.shape):
                self._write(pyramid, part_of(iteration, *window), window)
            self.pyramid, self._drawn, self._covered = pyramid, iteration, []
        self.version += 1

    def draw_tile(self, tile: TileDone, newest: Iteration) -> None:
        """Draw a tile of the step after `newest`, unless another was drawn a moment ago."""
        if tile.window is None or tile.pixels is None or newest.panels:
            return
        if not self._tiles.due():
            return
        self._note_size(newest)
        pyramid = self._pyramid_for(newest, tile.shape)
        if pyramid is not self.pyramid:
            for window in _row_blocks(tile.shape):
                self._write(pyramid, _enlarged(newest, tile.shape, *window), window)
            self._drawn = newest if newest.shape == tile.shape else None
            self.pyramid, self._covered = pyramid, []
        with self._tiles.drawing():
            # A tile has no alpha: that comes from the iteration.
            around = _enlarged(newest, tile.shape, *tile.window)
            self._covered.append(tile.window)
            self._write(pyramid, replace(around, pixels=tile.pixels), tile.window)
        self.version += 1

    def _note_size(self, iteration: Iteration) -> None:
        self._is_large |= not iteration.panels and max(iteration.full_shape) > sizes.LARGE

    def _pyramid_for(self, iteration: Iteration, shape: tuple[int, int]) -> Pyramid:
        """Return the current pyramid if it suits, or an empty one."""
        like = self._restored(part_of(iteration))
        current = self.pyramid
        if current and current.suits(shape, like) and current.multiscale == self._is_large:
            return current
        return Pyramid(shape, like, sizes.COARSEST if self._is_large else 0)

    def _write(self, pyramid: Pyramid, part: Iteration, window: Window) -> None:
        pixels = self._restored(part)
        if self._original is not None:
            pixels = self._original.put_back(pixels, part.free, window, pyramid.shape)
        pyramid.write(window, pixels)

    def _restored(self, part: Iteration) -> np.ndarray[Any, Any]:
        return self._intensity.restore(part.picture, self._keep_dtype)


def _row_blocks(shape: tuple[int, int]) -> Iterator[Window]:
    height, width = shape
    for top in range(0, height, _ROWS):
        yield slice(top, min(top + _ROWS, height)), slice(0, width)


def part_of(iteration: Iteration, rows: Any = slice(1), columns: Any = slice(1)) -> Iteration:
    """Return an iteration with only some rows and columns of its image, by default one pixel."""
    pixels, alpha = (
        None if whole is None else whole[:, :, rows][..., columns]
        for whole in (iteration.pixels, iteration.alpha)
    )
    assert pixels is not None
    return replace(iteration, pixels=pixels, alpha=alpha)


def _enlarged(
    iteration: Iteration, shape: tuple[int, int], rows: slice, columns: slice
) -> Iteration:
    """Return rows and columns of an iteration at another size, by the nearest pixel."""
    at = [
        np.arange(side.start, side.stop) * given // wanted
        for side, given, wanted in zip((rows, columns), iteration.shape, shape, strict=True)
    ]
    return part_of(iteration, *at)
