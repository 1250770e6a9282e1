"""The schedule: which sizes a run works through, coarse to fine, and for how many steps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from napari_nst.engine.pixels import shape_fitting
from napari_nst.recipe import Recipe

RATIO = math.sqrt(2)
"""Each scale doubles the area of the one before, as in crowsonkb/style-transfer-pytorch."""


@dataclass(frozen=True)
class Scale:
    """One size that a run works at.

    Attributes
    ----------
    longest : int
        Longest side in pixels.
    shape : tuple of int
        Height and width.
    steps : int
        Iterations at this size.
    """

    longest: int
    shape: tuple[int, int]
    steps: int


def plan_scales(recipe: Recipe, shape: tuple[int, ...], least: int) -> list[Scale]:
    """Return the scales of a run, coarse to fine.

    Parameters
    ----------
    recipe : Recipe
        Its `size`, `min_size`, `steps` and `first_scale_share`.
    shape : tuple of int
        Of the content; each scale keeps its aspect.
    least : int
        How many pixels both sides must have (`vgg.least_size`). Coarse scales that have less are
        left out.

    Raises
    ------
    ValueError
        If even the finest scale is too small.
    """
    finest = recipe.size or max(shape[:2])
    narrow = min(shape_fitting(shape, finest))
    if narrow < least:
        enough = math.ceil(least * max(shape[:2]) / min(shape[:2]))
        raise ValueError(
            f"size {finest} makes the content {narrow} pixels narrow, and the recipe's layers need "
            f"{least}; take a size of at least {enough}."
        )
    sizes = [s for s in _sizes(finest, recipe.min_size) if min(shape_fitting(shape, s)) >= least]
    # A scale needs a step at the least; with few steps it is the coarse ones that can go.
    sizes = sizes[-recipe.steps :]
    steps = _share_out(recipe.steps, [recipe.first_scale_share] + [1.0] * (len(sizes) - 1))
    return [
        Scale(size, shape_fitting(shape, size), n) for size, n in zip(sizes, steps, strict=True)
    ]


def _sizes(finest: int, coarsest: int) -> list[int]:
    """Return finest/√2ᵏ from `coarsest` (0: none but the finest) up."""
    sizes = [finest]
    while coarsest and coarsest <= (size := round(finest / RATIO ** len(sizes))) < sizes[-1]:
        sizes.append(size)
    return sizes[::-1]


def _share_out(steps: int, shares: list[float]) -> list[int]:
    """Divide `steps` in proportion to `shares`, at least one each, so that they add up."""
    spare = steps - len(shares)
    bounds = [round(spare * sum(shares[:i]) / max(sum(shares), 1e-9)) for i in range(len(shares))]
    bounds.append(spare)
    return [1 + stop - start for start, stop in pairwise(bounds)]
