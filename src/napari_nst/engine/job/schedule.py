"""The sizes that a run works at, coarse to fine, and what it uses of the styles at each."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from napari_nst.engine.job.input_image import Window, shape_fitting
from napari_nst.recipe import Recipe
from napari_nst.recipe.phases import sizes_of

LARGEST_STYLE = 2
"""How many times as long as the result a style in physical units may be. Of a larger style the
middle is used: memory stays bounded, and the middle has enough statistics."""


@dataclass(frozen=True)
class Scale:
    """One size that a run works at."""

    longest: int  # longest side in pixels of the content, or of a texture's exemplar
    shape: tuple[int, int]  # height and width of the result
    steps: int
    phase: int = 0  # of the recipe


@dataclass(frozen=True)
class Fit:
    """A window of an image, and the height and width that the window is resampled to."""

    window: Window
    shape: tuple[int, int]


def plan_scales(recipe: Recipe, shape: tuple[int, ...], least: int) -> list[Scale]:
    """Return the scales of a run on a content of a shape, whose sides need `least` pixels."""
    finest = recipe.size or max(shape[:2])
    if min(shape_fitting(shape, finest)) < least:
        enough = math.ceil(least * max(shape[:2]) / min(shape[:2]))
        if min(shape[:2]) < least < finest and recipe.size:
            raise ValueError(
                f"The image is {shape[0]} × {shape[1]} pixels, and the recipe's layers need "
                f"{least} on both sides. Add pixels to its short sides, or choose a `size` from "
                f"{enough} up."
            )
        if finest < least or (recipe.size == 0 and min(shape[:2]) < least):
            raise ValueError(
                f"A `size` of {finest} makes the image {min(shape_fitting(shape, finest))} pixels "
                f"narrow, and the recipe's layers need {least}. Choose a `size` of at least "
                f"{enough}."
            )
        finest = enough  # a very long content
    return plan_sizes(recipe, finest, lambda size: shape_fitting(shape, size), least)


def plan_texture_scales(
    recipe: Recipe, exemplar: tuple[int, ...], shape: tuple[int, int] | None, least: int
) -> list[Scale]:
    """Return the scales of a texture of a shape; the recipe's size is that of its exemplar."""
    finest = min(recipe.size or max(exemplar[:2]), max(exemplar[:2]))
    if shape is None and min(shape_fitting(exemplar, finest)) < least:
        finest = math.ceil(least * max(exemplar[:2]) / min(exemplar[:2]))  # a very long exemplar
    full = shape or shape_fitting(exemplar, finest)
    if min(full) < least:
        raise ValueError(
            f"A texture of {full[0]} × {full[1]} pixels is too small for the recipe's layers. Give "
            f"`shape` at least {least} pixels on both sides."
        )

    def shape_at(size: int) -> tuple[int, int]:
        return round(full[0] * size / finest), round(full[1] * size / finest)

    return plan_sizes(recipe, finest, shape_at, least)


def continued(scales: Sequence[Scale], steps: int, shape: tuple[int, ...]) -> list[Scale]:
    """Return the scales of `steps` more iterations that start from a result of a shape."""
    larger = [scale for scale in scales if math.prod(scale.shape) > math.prod(shape)]
    remaining = (larger or [scales[-1]])[-steps:]  # the finest alone if none is larger
    shared = _share_out(steps, [1.0] * len(remaining))
    return [replace(scale, steps=n) for scale, n in zip(remaining, shared, strict=True)]


def middle(shape: tuple[int, int], wanted: tuple[int, int]) -> Window:
    """Return the window in the middle of an image of a shape, at most `wanted` large."""
    height, width = (min(a, b) for a, b in zip(shape, wanted, strict=True))
    top, left = (shape[0] - height) // 2, (shape[1] - width) // 2
    return slice(top, top + height), slice(left, left + width)


def style_fit(
    shape: tuple[int, int], scale: Scale, recipe: Recipe, least: int, relative_pixel: float | None
) -> Fit:
    """Return the fit of a style to a scale; None for its pixel size fits it to the scale's size."""
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


def plan_sizes(
    recipe: Recipe, finest: int, shape_at: Callable[[int], tuple[int, int]], least: int
) -> list[Scale]:
    """Return the sizes finest/ratioᵏ from the recipe's `min_size` up, and their steps."""
    sizes, smallest = [finest], recipe.min_size
    while 0 < smallest <= (size := round(finest / recipe.scale_ratio ** len(sizes))) < sizes[0]:
        sizes.insert(0, size)
    sizes = [size for size in sizes if min(shape_at(size)) >= least]  # the others are too small
    later = _later_steps(recipe)
    own_sizes = sizes_of({"sizes": recipe.own_sizes}, sizes) if later else sizes
    phases = [(0, own_sizes, recipe.steps - later, recipe.first_scale_share)]
    if later:  # each phase needs a step; the first phases go first
        kept = list(enumerate(recipe.phases, start=1))[-later:]
        shared = _share_out(later, [phase.get("steps", 1.0) for _, phase in kept])
        phases += [
            (index, sizes_of(phase, sizes), steps, 1.0)
            for (index, phase), steps in zip(kept, shared, strict=True)
        ]
    scales = []
    for index, wanted, steps, first_share in phases:
        if steps:
            wanted = wanted[-steps:]  # each scale needs a step; the coarsest scales go first
            shared = _share_out(steps, [first_share] + [1.0] * (len(wanted) - 1))
            scales += [
                Scale(size, shape_at(size), n, index)
                for size, n in zip(wanted, shared, strict=True)
            ]
    return scales


def _later_steps(recipe: Recipe) -> int:
    """Return the steps of all later phases together."""
    if not recipe.phases or recipe.refine_share in (0, 1):
        return recipe.steps if recipe.phases and recipe.refine_share else 0
    return min(max(1, round(recipe.steps * recipe.refine_share)), recipe.steps - 1)


def _share_out(steps: int, shares: list[float]) -> list[int]:
    """Divide `steps` in proportion to `shares`, at least one each, so that they add up."""
    divided = _divide(steps, shares)
    if 0 in divided:
        divided = [1 + more for more in _divide(steps - len(shares), shares)]
    return divided


def _divide(steps: int, shares: list[float]) -> list[int]:
    bounds = [round(steps * sum(shares[:i]) / max(sum(shares), 1e-9)) for i in range(len(shares))]
    return [stop - start for start, stop in pairwise([*bounds, steps])]
