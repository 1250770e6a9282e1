"""Checks of arguments; each raises an error of one sentence that says the cure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from napari_nst.engine.job.input_image import ImageLike, InputImage, read_input
from napari_nst.engine.job.layers import least_side, shares_of
from napari_nst.recipe import DEFAULT_PRESETS, Recipe, preset
from napari_nst.recipe.convert_weights import FLAVOURS

Images = ImageLike | Sequence[ImageLike]
"""One image, or a list of images."""


def checked_recipe(recipe: Recipe | None, task: str) -> Recipe:
    """Return a recipe whose weights exist; None is the default recipe of a task."""
    recipe = preset(DEFAULT_PRESETS[task]) if recipe is None else recipe
    if not isinstance(recipe, Recipe):
        raise TypeError(f"recipe must be a Recipe, such as preset('default'); not {recipe!r}.")
    if recipe.weights not in FLAVOURS and not Path(recipe.weights).expanduser().is_file():
        known = ", ".join(FLAVOURS)
        raise ValueError(f"weights must be {known} or a file; {recipe.weights!r} is neither.")
    return recipe


def read_styles(images: Images, name: str, recipe: Recipe) -> list[InputImage]:
    """Read one style or several: as many as the recipe blends, large enough for its layers."""
    several: list[Any] = list(images) if isinstance(images, (list, tuple)) else [images]
    if not several:
        raise ValueError(f"{name} is an empty list; give at least one image.")
    shares_of(recipe, len(several))
    styles = [read_input(one, name) for one in several]
    for style in styles:
        check_size(style, name, recipe)
    return styles


def read_start(image: ArrayLike | None, recipe: Recipe) -> InputImage | None:
    """Read the image that a recipe with ``init="image"`` starts from."""
    if recipe.init != "image":
        return None
    if image is None:
        raise ValueError("init is 'image', but init_image is missing; give one, or another init.")
    return read_input(image, "init_image")


def check_size(image: InputImage, name: str, recipe: Recipe) -> None:
    """Refuse an image that is too small for the recipe's layers."""
    least = least_side(recipe)
    if min(image.shape) < least:
        height, width = image.shape
        raise ValueError(
            f"{name} is {height} × {width} pixels; the recipe's layers need at least {least} "
            "on both sides, take a larger image."
        )


def check_physical_size(style: InputImage, factor: float, least: int) -> None:
    """Refuse a style that is too small for the recipe's layers once it is scaled by a factor."""
    side = round(min(style.shape) * factor)
    if side < least:
        raise ValueError(
            f"style is {side} pixels narrow at the content's pixel size, and the recipe's layers "
            f"need {least}; take a larger size or style_scale, or style_sizing 'fit'."
        )


def relative_pixels(pixel_sizes: Sequence[float] | None, styles: int) -> list[float] | None:
    """Return each style's pixel size over the content's."""
    if pixel_sizes is None:
        return None
    try:
        sizes = [float(size) for size in pixel_sizes]
    except (TypeError, ValueError):
        sizes = []
    if len(sizes) != styles + 1 or not all(math.isfinite(s) and s > 0 for s in sizes):
        raise ValueError(
            "pixel_sizes must be the content's and each style's, all above 0; "
            f"not {sizes or pixel_sizes!r} for {styles} style{'s' if styles != 1 else ''}."
        )
    return [size / sizes[0] for size in sizes[1:]]


def checked_shape(shape: tuple[int, int] | None) -> tuple[int, int] | None:
    """Return a shape as two integers above 0."""
    if shape is None:
        return None
    try:
        height, width = (int(side) for side in shape)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"shape must be height and width in pixels; not {shape!r}.") from None
    if min(height, width) < 1:
        raise ValueError(f"shape must be at least one pixel on both sides; not {shape!r}.")
    return height, width
