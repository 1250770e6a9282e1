"""The part of a style that is used at each scale, and the size that it is resampled to."""

from __future__ import annotations

import math
from dataclasses import dataclass

from napari_nst.engine.job.input_image import Window, shape_fitting
from napari_nst.engine.job.schedule import Scale
from napari_nst.recipe import Recipe

LARGEST_STYLE = 2
"""How many times as long as the result a style in physical units may be. Of a larger style the
middle is used: memory stays bounded, and the middle has enough statistics."""


@dataclass(frozen=True)
class Fit:
    """A window of an image, and the height and width that the window is resampled to."""

    window: Window
    shape: tuple[int, int]


def middle(shape: tuple[int, int], wanted: tuple[int, int]) -> Window:
    """Return the window in the middle of an image of a shape, at most `wanted` large."""
    height, width = (min(a, b) for a, b in zip(shape, wanted, strict=True))
    top, left = (shape[0] - height) // 2, (shape[1] - width) // 2
    return slice(top, top + height), slice(left, left + width)


def style_fit(
    shape: tuple[int, int], scale: Scale, recipe: Recipe, least: int, relative_pixel: float | None
) -> Fit:
    """Return the fit of a style to a scale; both sides get at least `least` pixels.

    A style is never enlarged beyond its own pixels times the recipe's `style_scale`.
    `relative_pixel` is, for a style in physical units, its pixel's size over that of the content at
    this scale; None fits the style to the scale's size instead.
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
    enough = max(shape) / min(shape) * least
    height, width = shape_fitting(shape, round(max(longest, enough)))
    return Fit(window, (max(height, least), max(width, least)))
