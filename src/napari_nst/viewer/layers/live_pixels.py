"""The numbers that a live layer shows, as a run's thread writes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_nst.viewer.layers import pyramid as sizes
from napari_nst.viewer.layers.intensity import Intensity
from napari_nst.viewer.layers.keep_outside import OriginalPixels
from napari_nst.viewer.layers.pyramid import Pyramid, Window
from napari_nst.viewer.run.ration import Ration

if TYPE_CHECKING:
    from napari_nst.engine.iteration import Iteration
    from napari_nst.engine.steering import TileDone

_BAND = 256
"""Rows that are converted at once: a large picture is never there in floats as a whole."""


class LivePixels:
    """A picture that one thread draws, an iteration or a tile at a time, while another shows it.

    A small one whose iterations come as a whole needs no more than their `picture`, which is
    computed here. Any other is written into arrays of the layer's own numbers, in place, and all
    that is left to do in the main thread is to draw the layer anew. The first tile finds the last
    iteration there, which is that of an earlier step.

    All methods are for the run's thread.

    Parameters
    ----------
    values, keep_dtype, untouched
        As for `LiveLayer`.

    Attributes
    ----------
    pyramid : Pyramid or None
        What was drawn; None while that is nothing but an iteration's `picture`. Another one when
        the picture's size changes, and multiscale for good once the run's last scale is large.
    version : int
        Raised after everything that was drawn.
    """

    def __init__(
        self, intensity: Intensity, keep_dtype: bool = False, original: OriginalPixels | None = None
    ) -> None:
        self._intensity = intensity
        self._keep_dtype = keep_dtype
        self._original = original
        self.pyramid: Pyramid | None = None
        self.version = 0
        self._is_large = False
        self._drawn: Iteration | None = None
        self._covered: list[Window] = []
        self._iterations, self._tiles = Ration(), Ration()

    def is_due(self) -> bool:
        """Return whether an iteration is to be drawn that can as well be left out."""
        return self._iterations.is_due()

    def draw(self, iteration: Iteration) -> None:
        """Draw an iteration; where it is there already, what tiles of a later step have covered."""
        self._note_size(iteration)
        if iteration.panels or not (self._is_large or self.pyramid):
            _ = iteration.picture  # computed once, here
            return
        with self._iterations.spending():
            pyramid = self._room(iteration, iteration.shape)
            there = pyramid is self.pyramid and self._drawn is iteration
            for window in self._covered if there else _bands(iteration.shape):
                self._put(pyramid, part_of(iteration, *window), window)
            self.pyramid, self._drawn, self._covered = pyramid, iteration, []
        self.version += 1

    def draw_tile(self, tile: TileDone, newest: Iteration) -> None:
        """Draw a part of the step that follows an iteration, unless the last was a moment ago."""
        if tile.window is None or tile.pixels is None or newest.panels:
            return
        if not self._tiles.is_due():
            return
        self._note_size(newest)
        pyramid = self._room(newest, tile.shape)
        if pyramid is not self.pyramid:
            for window in _bands(tile.shape):
                self._put(pyramid, _enlarged(newest, tile.shape, *window), window)
            self._drawn = newest if newest.shape == tile.shape else None
            self.pyramid, self._covered = pyramid, []
        with self._tiles.spending():
            # Of what the picture has beside its colours, a tile says nothing.
            around = _enlarged(newest, tile.shape, *tile.window)
            self._covered.append(tile.window)
            self._put(pyramid, replace(around, pixels=tile.pixels), tile.window)
        self.version += 1

    def _note_size(self, iteration: Iteration) -> None:
        self._is_large |= not iteration.panels and max(iteration.full_shape) > sizes.LARGE

    def _room(self, iteration: Iteration, shape: tuple[int, int]) -> Pyramid:
        """Return what there is if it suits, or an empty one, to be shown when it is full."""
        like = self._numbers(part_of(iteration))
        there = self.pyramid
        if there and there.suits(shape, like) and there.multiscale == self._is_large:
            return there
        return Pyramid(shape, like, sizes.COARSEST if self._is_large else 0)

    def _put(self, pyramid: Pyramid, part: Iteration, window: Window) -> None:
        numbers = self._numbers(part)
        if self._original is not None:
            numbers = self._original.put_back(numbers, part.free, window, pyramid.shape)
        pyramid.write(window, numbers)

    def _numbers(self, part: Iteration) -> np.ndarray[Any, Any]:
        return self._intensity.restore(part.picture, self._keep_dtype)


def _bands(shape: tuple[int, int]) -> Iterator[Window]:
    height, width = shape
    for top in range(0, height, _BAND):
        yield slice(top, min(top + _BAND, height)), slice(0, width)


def part_of(iteration: Iteration, rows: Any = slice(1), columns: Any = slice(1)) -> Iteration:
    """Return an iteration of which nothing but some rows and columns is left, or one pixel."""
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
