"""How large a style is at each scale, in numbers alone: pixels and labels go the same way."""

from __future__ import annotations

import math
from dataclasses import dataclass

from napari_nst.engine.job.input_image import shape_fitting
from napari_nst.engine.job.schedule import Scale
from napari_nst.recipe import Recipe

LARGEST_STYLE = 2
"""How many times as long as the picture a style in physical units may be: of a larger one the
middle is taken, which bounds memory and has statistics enough."""


@dataclass(frozen=True)
class Fit:
    """What of an image is taken, and the size that it is resampled to.

    Attributes
    ----------
    window : tuple of slice
        The rows and columns that are taken.
    shape : tuple of int
        Height and width that they get.
    """

    window: tuple[slice, slice]
    shape: tuple[int, int]


def middle(own: tuple[int, int], wanted: tuple[int, int]) -> tuple[slice, slice]:
    """Return the rows and columns of the middle of an image, at most `wanted` large."""
    height, width = (min(a, b) for a, b in zip(own, wanted, strict=True))
    top, left = (own[0] - height) // 2, (own[1] - width) // 2
    return slice(top, top + height), slice(left, left + width)


def style_fit(
    shape: tuple[int, int], scale: Scale, recipe: Recipe, least: int, relative_pixel: float | None
) -> Fit:
    """Return how a style is fitted to a scale.

    Parameters
    ----------
    shape : tuple of int
        The style's own height and width.
    scale : Scale
        Where the run is.
    recipe : Recipe
        Its `style_scale`: a style is never enlarged beyond its own pixels times that.
    least : int
        How many pixels the network needs on both sides.
    relative_pixel : float or None
        For a style in physical units: its pixel's size over that of the picture at this scale.
    """
    own = max(shape)
    window = middle(shape, shape)
    if relative_pixel is None:
        longest = min(scale.longest, own) * recipe.style_scale
    else:
        longest = own * relative_pixel * recipe.style_scale
        largest = LARGEST_STYLE * max(scale.shape)
        if longest > largest:
            side = max(math.ceil(own * largest / longest), least)
            window = middle(shape, (side, side))
            shape = (min(shape[0], side), min(shape[1], side))
            longest *= max(shape) / own
    narrow = max(shape) / min(shape) * least
    height, width = shape_fitting(shape, round(max(longest, narrow)))
    return Fit(window, (max(height, least), max(width, least)))
