"""Filling a region of a picture with a texture, seamlessly into what is around it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch.nn import functional

from napari_nst.engine.checks import Images, check_style, checked_recipe, read_start, read_styles
from napari_nst.engine.fitting import LARGEST_STYLE
from napari_nst.engine.guides import Guides, Labels, read_labels
from napari_nst.engine.objective import least_side
from napari_nst.engine.order import LEFT_ASIDE, Order
from napari_nst.engine.pixels import InputImage, read_input
from napari_nst.engine.scales import Scale, plan_scales
from napari_nst.engine.surroundings import Kept
from napari_nst.recipe import Recipe

Mask = np.ndarray[Any, np.dtype[np.bool_]]
"""(H, W) bool."""

Window = tuple[slice, slice]

MARGIN = 64
"""How many pixels around the region a run works on, so that a deep feature at its border sees what
is there: half the 92 pixels that one of relu4_1 looks at, and some for where it comes to lie."""

BORDER = 8
"""By how many pixels the region is enlarged where its statistics are taken: features astride its
border then are the texture's too, and nothing shows where it was."""


def order_to_fill(
    exemplar: Images | None,
    recipe: Recipe | None,
    into: ArrayLike,
    region: ArrayLike | None,
    exemplar_region: ArrayLike | None = None,
    init_image: ArrayLike | None = None,
) -> Order:
    """Check what `synthesize` got to fill, which describes the parameters and what is raised."""
    recipe = _recipe(recipe)
    least = least_side(recipe)
    picture = read_input(into, "into")
    check_style(picture, least, "into")
    free = _free(region, picture)
    window = _around(free, MARGIN)
    content = _part(picture, window)
    if exemplar is None:
        exemplars, regions = _surroundings(picture, free, exemplar_region)
    else:
        exemplars = read_styles(exemplar, "exemplar", recipe)
        for one in exemplars:
            check_style(one, least, "exemplar")
        longest = math.ceil(LARGEST_STYLE * max(content.shape) / recipe.style_scale)
        exemplars, regions = _cut(exemplars, exemplar_region, max(longest, least))
    start = read_start(init_image, recipe)
    if start is not None:
        if start.shape != picture.shape:
            raise ValueError(
                f"init_image must be as large as into, {_size(picture.shape)}; it is "
                f"{_size(start.shape)}."
            )
        start = _part(start, window)
    guides = Guides(_enlarged(free[window]), regions)
    arguments = {"filled_pixels": int(free.sum())}
    if exemplar_region is not None:
        arguments["exemplar_pixels"] = sum(int((labels > 0).sum()) for labels in regions)
    return Order(
        job="synthesize",
        recipe=recipe,
        scales=_scales(recipe, content, exemplars, least),
        content=content,
        styles=exemplars,
        start=start,
        relative_pixels=None,
        arguments=arguments,
        guides=guides,
        kept=Kept(picture, free, window, seamless=True),
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


def _free(region: ArrayLike | None, picture: InputImage) -> Mask:
    if region is None:
        raise ValueError("into needs a region to fill; give one, with numbers above 0 there.")
    free: Mask = read_labels(region, "region", "image into which", picture.shape) > 0
    if not free.any():
        raise ValueError("region labels no pixel; give those to fill a number above 0.")
    return free


def _around(marked: Mask, margin: int) -> Window:
    """Return the rows and columns of what is marked, and a margin inside the image."""
    rows, columns = (
        slice(max(0, int(at.min()) - margin), min(side, int(at.max()) + 1 + margin))
        for at, side in zip(marked.nonzero(), marked.shape, strict=True)
    )
    return rows, columns


def _part(picture: InputImage, window: Window) -> InputImage:
    alpha = None if picture.alpha is None else picture.alpha[window]
    return InputImage(picture.rgb[window], alpha, picture.is_grey, picture.facts)


def _surroundings(
    picture: InputImage, free: Mask, exemplar_region: ArrayLike | None
) -> tuple[list[InputImage], tuple[Labels, ...]]:
    """Return what is around a region as an exemplar, and which of its pixels count."""
    if exemplar_region is not None:
        raise ValueError("exemplar_region says where in an exemplar to look; give that too.")
    rows, columns = _around(free, 0)
    size = max(rows.stop - rows.start, columns.stop - columns.start)
    window = _around(free, max(MARGIN, size))
    seen = _part(picture, window)
    hidden = free[window]
    alpha = (~hidden).astype(np.float32) * (1 if seen.alpha is None else seen.alpha)
    # What fills the region now is hidden from the network, and so has an edge that is no texture's.
    labels = 1 - _enlarged(hidden)
    if not (labels * alpha > 0.5).any():
        raise ValueError("region leaves too little of into to take a texture from; give exemplar.")
    # Without facts: it is none of the images that the caller handed in.
    return [InputImage(seen.rgb, alpha, seen.is_grey, {})], (labels,)


def _cut(
    exemplars: Sequence[InputImage], exemplar_region: ArrayLike | None, longest: int
) -> tuple[list[InputImage], tuple[Labels, ...]]:
    """Return the exemplars, that with a region cut to it, and which of their pixels count."""
    if exemplar_region is None:
        return list(exemplars), tuple(np.ones(one.shape, np.int64) for one in exemplars)
    if len(exemplars) != 1:
        raise ValueError("exemplar_region is of one exemplar, and there are several; leave it out.")
    marked = read_labels(exemplar_region, "exemplar_region", "exemplar", exemplars[0].shape) > 0
    if not marked.any():
        raise ValueError("exemplar_region labels no pixel; give those to take a number above 0.")
    window = _densest(marked, longest)
    return [_part(exemplars[0], window)], (marked[window].astype(np.int64),)


def _densest(marked: Mask, longest: int) -> Window:
    """Return the window, no longer than that, which has the most marked pixels."""
    tables = np.pad(marked.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    height, width = (min(side, longest) for side in marked.shape)
    counts = (
        tables[height:, width:] - tables[:-height, width:] - tables[height:, :-width]
        + tables[:-height, :-width]
    )  # fmt: skip
    top, left = np.unravel_index(counts.argmax(), counts.shape)
    return slice(int(top), int(top) + height), slice(int(left), int(left) + width)


def _enlarged(free: Mask) -> Labels:
    marked = torch.from_numpy(free.astype(np.float32))[None, None]
    wide = functional.max_pool2d(marked, 2 * BORDER + 1, stride=1, padding=BORDER)
    labels: Labels = wide[0, 0].numpy().astype(np.int64)
    return labels


def _scales(
    recipe: Recipe, content: InputImage, exemplars: Sequence[InputImage], least: int
) -> list[Scale]:
    """Return the scales of the window; `min_size` is the exemplars' or its own coarsest."""
    smallest = min(max(one.shape) for one in (content, *exemplars))
    least_content = round(recipe.min_size * max(content.shape) / smallest)
    return plan_scales(recipe.replace(min_size=least_content), content.shape, least)


def _size(shape: tuple[int, int]) -> str:
    return f"{shape[0]} × {shape[1]}"
