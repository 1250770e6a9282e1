"""The schedule: which sizes a run works through, coarse to fine, and for how many steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from napari_nst.engine.job.input_image import shape_fitting
from napari_nst.recipe import Recipe


@dataclass(frozen=True)
class Scale:
    """One size that a run works at.

    Attributes
    ----------
    longest : int
        Longest side in pixels of the image that sets the scale: the content, or the exemplar.
    shape : tuple of int
        Height and width of the picture.
    steps : int
        Iterations at this size.
    """

    longest: int
    shape: tuple[int, int]
    steps: int


def plan_scales(recipe: Recipe, shape: tuple[int, ...], least: int) -> list[Scale]:
    """Return the scales of a run that follows a content, coarse to fine.

    Parameters
    ----------
    recipe : Recipe
        Its `size`, `min_size`, `scale_ratio`, `steps` and `first_scale_share`.
    shape : tuple of int
        Of the content; each scale keeps its aspect.
    least : int
        How many pixels both sides must have (`vgg.least_size`). Coarse scales that have less are
        left out; a very long content is worked at a larger size than the recipe says.

    Raises
    ------
    ValueError
        If the finest scale is too small though the content is not long.
    """
    finest = recipe.size or max(shape[:2])
    if min(shape_fitting(shape, finest)) < least:
        enough = math.ceil(least * max(shape[:2]) / min(shape[:2]))
        if finest < least or (recipe.size == 0 and min(shape[:2]) < least):
            raise ValueError(
                f"size {finest} makes the content {min(shape_fitting(shape, finest))} pixels "
                f"narrow, and the recipe's layers need {least}; take a size of at least {enough}."
            )
        finest = enough
    return _plan(recipe, finest, lambda size: shape_fitting(shape, size), least)


def plan_texture_scales(
    recipe: Recipe, exemplar: tuple[int, ...], shape: tuple[int, int] | None, least: int
) -> list[Scale]:
    """Return the scales of a texture, coarse to fine.

    Parameters
    ----------
    recipe : Recipe
        Its `size` is the longest side that the exemplar is fitted to, never enlarged; 0 leaves it
        as it is. Coarse scales shrink exemplar and texture alike.
    exemplar : tuple of int
        Its height and width.
    shape : tuple of int, optional
        Height and width of the texture; those of the fitted exemplar where left out.
    least : int
        How many pixels both sides must have.

    Returns
    -------
    list of Scale
        Their `longest` is the exemplar's, their `shape` the texture's.

    Raises
    ------
    ValueError
        If the texture is too small.
    """
    finest = min(recipe.size or max(exemplar[:2]), max(exemplar[:2]))
    if shape is None and min(shape_fitting(exemplar, finest)) < least:
        finest = math.ceil(least * max(exemplar[:2]) / min(exemplar[:2]))  # a ribbon
    full = shape or shape_fitting(exemplar, finest)
    if min(full) < least:
        raise ValueError(
            f"shape {full[0]} × {full[1]} is too small for the recipe's layers; take at least "
            f"{least} pixels on both sides."
        )

    def shape_at(size: int) -> tuple[int, int]:
        return round(full[0] * size / finest), round(full[1] * size / finest)

    return _plan(recipe, finest, shape_at, least)


def continued(scales: Sequence[Scale], steps: int, shape: tuple[int, int]) -> list[Scale]:
    """Return the scales that go on from a picture that is there already.

    Parameters
    ----------
    scales : sequence of Scale
        Those of a whole run, coarse to fine.
    steps : int
        Iterations to come.
    shape : tuple of int
        The picture's height and width. Scales larger than it share the steps evenly; where there
        are none, the finest gets them all.
    """
    larger = [scale for scale in scales if math.prod(scale.shape) > math.prod(shape)]
    to_come = (larger or [scales[-1]])[-steps:]
    shared = _share_out(steps, [1.0] * len(to_come))
    return [replace(scale, steps=n) for scale, n in zip(to_come, shared, strict=True)]


def _plan(
    recipe: Recipe, finest: int, shape_at: Callable[[int], tuple[int, int]], least: int
) -> list[Scale]:
    sizes = [size for size in _sizes(recipe, finest) if min(shape_at(size)) >= least]
    # A scale needs a step at the least; with few steps it is the coarse ones that can go.
    sizes = sizes[-recipe.steps :]
    steps = _share_out(recipe.steps, [recipe.first_scale_share] + [1.0] * (len(sizes) - 1))
    return [Scale(size, shape_at(size), n) for size, n in zip(sizes, steps, strict=True)]


def _sizes(recipe: Recipe, finest: int) -> list[int]:
    """Return finest/ratioᵏ from the recipe's `min_size` (0: none but the finest) up."""
    sizes, least = [finest], recipe.min_size
    while least and least <= (size := round(finest / recipe.scale_ratio ** len(sizes))) < sizes[-1]:
        sizes.append(size)
    return sizes[::-1]


def _share_out(steps: int, shares: list[float]) -> list[int]:
    """Divide `steps` in proportion to `shares`, at least one each, so that they add up."""
    divided = _divide(steps, shares)
    if 0 in divided:
        divided = [1 + more for more in _divide(steps - len(shares), shares)]
    return divided


def _divide(steps: int, shares: list[float]) -> list[int]:
    bounds = [round(steps * sum(shares[:i]) / max(sum(shares), 1e-9)) for i in range(len(shares))]
    return [stop - start for start, stop in pairwise([*bounds, steps])]
