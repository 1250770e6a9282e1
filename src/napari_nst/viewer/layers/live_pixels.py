"""The pixels of a live layer, written by the run's thread: one level, or a pyramid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_nst.viewer.layers.intensity import Intensity, as_type
from napari_nst.viewer.layers.read import OriginalPixels
from napari_nst.viewer.run.throttle import Throttle

if TYPE_CHECKING:
    from napari_nst.engine.iteration import Iteration
    from napari_nst.engine.steering import TileDone

Array = np.ndarray[Any, Any]
Window = tuple[slice, slice]

LARGE = 2048
"""Longest side in pixels beyond which a layer is multiscale. Of a multiscale layer, napari sends
the visible part to the graphics card for every frame, of others all pixels, 12 MB at this size."""

COARSEST = 512  # longest side in pixels of the last level, from which napari makes each thumbnail
_ROWS = 256  # rows that are converted at once: a large image never exists in floats as a whole


class Pyramid:
    """An image and its halves, down to a small one; each pixel is the mean of two by two."""

    def __init__(self, shape: tuple[int, int], like: Array, coarsest: int = COARSEST) -> None:
        self.multiscale = coarsest > 0  # otherwise one level only
        # From fine to coarse; always the same arrays.
        self.levels = [np.zeros((*shape, *like.shape[2:]), like.dtype)]
        while coarsest and max(self.levels[-1].shape[:2]) > coarsest:
            half = [-(-side // 2) for side in self.levels[-1].shape[:2]]
            self.levels.append(np.zeros((*half, *like.shape[2:]), like.dtype))

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        height, width = self.levels[0].shape[:2]
        return height, width

    def suits(self, shape: tuple[int, int], like: Array) -> bool:
        """Return whether images of this size, dtype and these channels fit."""
        finest = self.levels[0]
        return bool(finest.dtype == like.dtype) and finest.shape == (*shape, *like.shape[2:])

    def write(self, window: Window, pixels: Array) -> None:
        """Write pixels (h, w) or (h, w, C) into rows and columns of all levels."""
        self.levels[0][window] = pixels
        for fine, coarse in pairwise(self.levels):
            rows, columns = (slice(side.start // 2, -(-side.stop // 2)) for side in window)
            window = rows, columns
            below = slice(2 * rows.start, 2 * rows.stop), slice(2 * columns.start, 2 * columns.stop)
            coarse[window] = halved(fine[below])


def halved(pixels: Array) -> Array:
    """Return the means of two by two pixels; an odd last row or column counts twice."""
    odd = [(0, side % 2) for side in pixels.shape[:2]]
    if any(after for _, after in odd):
        pixels = np.pad(pixels, [*odd, *[(0, 0)] * (pixels.ndim - 2)], mode="edge")
    number = np.promote_types(pixels.dtype, np.float32)
    pairs = np.add(pixels[::2], pixels[1::2], dtype=number)
    means = (pairs[:, ::2] + pairs[:, 1::2]) * number.type(0.25)
    return as_type(means, pixels.dtype)


class LivePixels:
    """Pixels that the run's thread writes and the main thread displays."""

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
            height, width = iteration.shape
            pyramid = self._pyramid_for(iteration, (height, width))
            is_drawn = pyramid is self.pyramid and self._drawn is iteration
            for window in self._covered if is_drawn else _row_blocks((height, width)):
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
        self._is_large |= not iteration.panels and max(iteration.full_shape) > LARGE

    def _pyramid_for(self, iteration: Iteration, shape: tuple[int, int]) -> Pyramid:
        """Return the current pyramid if it suits, or an empty one."""
        like = self._restored(part_of(iteration))
        current = self.pyramid
        if current and current.suits(shape, like) and current.multiscale == self._is_large:
            return current
        return Pyramid(shape, like, COARSEST if self._is_large else 0)

    def _write(self, pyramid: Pyramid, part: Iteration, window: Window) -> None:
        pixels = self._restored(part)
        if self._original is not None:
            pixels = self._original.put_back(pixels, part.free, window, pyramid.shape)
        pyramid.write(window, pixels)

    def _restored(self, part: Iteration) -> Array:
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
