"""Filling a region of a picture with a texture, seamlessly into what is around it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from napari_nst.engine.job.checks import (
    Images,
    check_style,
    checked_recipe,
    read_start,
    read_styles,
)
from napari_nst.engine.job.inpainting import MARGIN, Inpainting, around, part, read_region
from napari_nst.engine.job.input_image import InputImage, read_input
from napari_nst.engine.job.job import LEFT_ASIDE, Job
from napari_nst.engine.job.layers import least_side
from napari_nst.engine.job.schedule import Scale, plan_scales
from napari_nst.engine.job.style_size import LARGEST_STYLE
from napari_nst.recipe import Recipe


def order_to_fill(
    exemplar: Images | None,
    recipe: Recipe | None,
    into: ArrayLike,
    region: ArrayLike | None,
    exemplar_region: ArrayLike | None = None,
    init_image: ArrayLike | None = None,
) -> Job:
    """Check what `synthesize` got to fill, which describes the parameters and what is raised."""
    recipe = _recipe(recipe)
    least = least_side(recipe)
    picture = read_input(into, "into")
    check_style(picture, least, "into")
    free = read_region(region, picture)
    window = around(free, MARGIN)
    exemplars = None if exemplar is None else read_styles(exemplar, "exemplar", recipe)
    for one in exemplars or ():
        check_style(one, least, "exemplar")
    content = part(picture, window)
    longest = math.ceil(LARGEST_STYLE * max(content.shape) / recipe.style_scale)
    marked = None if exemplar_region is None else np.array(exemplar_region)
    hole = Inpainting(picture, free, window, exemplars, marked, max(longest, least))
    start = read_start(init_image, recipe)
    if start is not None:
        if start.shape != picture.shape:
            raise ValueError(
                f"init_image must be as large as into, {_size(picture.shape)}; it is "
                f"{_size(start.shape)}."
            )
        start = part(start, window)
    return Job(
        name="synthesize",
        recipe=recipe,
        scales=_scales(recipe, content, hole.styles, least),
        content=content,
        styles=hole.styles,
        start=start,
        relative_pixels=None,
        arguments=hole.metadata,
        guides=hole.guides,
        keep_outside=hole.keep_outside,
        inpainting=hole,
    )


def _recipe(recipe: Recipe | None) -> Recipe:
    recipe = checked_recipe(recipe, "texture")
    if not recipe.has_style:
        raise ValueError("style_weight is 0, or all style_layers are; a texture needs some style.")
    if recipe.padding == "circular":
        raise ValueError(
            "padding is 'circular', but what is filled has borders; take 'replicate' or leave "
            "out into."
        )
    # Picture and exemplars are at their own pixels' size, or the texture would not match.
    return recipe.replace(**LEFT_ASIDE["synthesize"], size=0, style_sizing="physical")


def _scales(
    recipe: Recipe, content: InputImage, exemplars: Sequence[InputImage], least: int
) -> list[Scale]:
    """Return the scales of the window; `min_size` is the exemplars' or its own coarsest."""
    smallest = min(max(one.shape) for one in (content, *exemplars))
    least_content = round(recipe.min_size * max(content.shape) / smallest)
    return plan_scales(recipe.replace(min_size=least_content), content.shape, least)


def _size(shape: tuple[int, int]) -> str:
    return f"{shape[0]} × {shape[1]}"
