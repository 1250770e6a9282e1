"""Strokes of a brush in a layer's pixels, and what a user has painted over a picture."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_nst.viewer.brush.raster import Mask, covered
from napari_nst.viewer.layers.intensity import Intensity, to_unit
from napari_nst.viewer.layers.position import Position

Array = np.ndarray[Any, Any]


class Stroke:
    """One stroke, from the mouse's press to its release, of one paint.

    Where it crosses itself it covers as much as the brush does once, so that its edge stays smooth.

    Parameters
    ----------
    pixels : ndarray
        (H, W) or (H, W, C), of any type of number; painted in place.
    ink : ndarray
        () or (C,), the paint in numbers like theirs.
    radius : float
        Of the brush, in pixels.
    """

    def __init__(self, pixels: Array, ink: Array, radius: float) -> None:
        self._pixels = pixels
        self._ink = ink.astype(np.float64)
        self._radius = radius
        self._before = pixels.copy()
        self._coverage = np.zeros(pixels.shape[:2], np.float32)

    def draw(self, start: Array, end: Array) -> None:
        """Paint along a line, between two positions (vertical, horizontal) in pixels."""
        shape = self._coverage.shape
        box, coverage = covered(start, end, self._radius, (shape[0], shape[1]))
        np.maximum(self._coverage[box], coverage, out=self._coverage[box])
        before, dtype = self._before[box], self._pixels.dtype
        share = self._coverage[box].reshape(*coverage.shape, *(1,) * (before.ndim - 2))
        mixed = before + share * (self._ink - before.astype(np.float64))
        self._pixels[box] = (mixed if dtype.kind == "f" else np.rint(mixed)).astype(dtype)

    def finish(self) -> None:
        """Keep of what was there before no more than `undo` needs."""
        rows, columns = (np.flatnonzero(self._coverage.any(axis)) for axis in (1, 0))
        box = tuple(slice(i[0], i[-1] + 1) if len(i) else slice(0) for i in (rows, columns))
        self._pixels, self._before = self._pixels[box], self._before[box].copy()

    def undo(self) -> None:
        """Put back what was there before."""
        self._pixels[...] = self._before


def painted(drawn: Array, now: Array, intensity: Intensity, name: str) -> tuple[Array, Mask]:
    """Return what a user has made of a picture that was drawn into a layer.

    It does not matter by what means: a brush, the console, another plugin.

    Parameters
    ----------
    drawn, now : ndarray
        (H, W), (H, W, 3) or (H, W, 4), in the layer's numbers: what was put there, from
        `Intensity.restore`, and what is there.
    intensity : Intensity
        Of the layer.
    name : str
        Of the layer, for an error.

    Returns
    -------
    picture : ndarray
        What is there, float32 in [0, 1], of the same shape.
    changed : ndarray
        Bool (H, W), where a colour is another than was put there; alpha does not count.

    Raises
    ------
    ValueError
        If the layer's data was replaced by some of another shape.
    """
    if drawn.shape != now.shape:
        raise ValueError(
            f"Layer {name!r} has the shape {now.shape}, not the {drawn.shape} of the picture that "
            "was drawn there; undo that, or stop the run."
        )
    return unit_picture(now, intensity, name), changed_pixels(drawn, now)


def changed_pixels(before: Array, after: Array) -> Mask:
    """Return, as bool (H, W), where two pictures of one shape have other colours."""
    differ = np.asarray(before != after)
    return differ if differ.ndim == 2 else np.asarray(differ[..., :3].any(axis=-1))


def unit_picture(numbers: Array, intensity: Intensity, name: str) -> Array:
    """Return the picture, float32 in [0, 1], that `Intensity.restore` made these numbers of."""
    limits = intensity.limits_in(numbers.dtype) if numbers.ndim == 2 else None
    return to_unit(numbers, limits, f"Layer {name!r}")


def upright(data: Array, position: Position, panels: int = 0) -> Array:
    """Return the picture in a layer's data, or all `panels` of them, as `Position.data` got it.

    Returns
    -------
    ndarray
        A view (H, W) or (H, W, C); with `panels`, (panels, H, W) or (panels, H, W, C).
    """
    axes = position.pixel_axes(panels)
    ndim = position.ndim + bool(panels and position.panel_axis is None)
    turned = np.moveaxis(data, axes, range(len(axes)))
    return turned.squeeze(tuple(range(len(axes), ndim)))
