"""The jobs: what a caller asks for by name. Each checks its input, then returns a generator."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from napari_nst.engine.assembly import Order
from napari_nst.engine.device import choose_device
from napari_nst.engine.objective import least_side, shares_of
from napari_nst.engine.optimize import Iteration
from napari_nst.engine.pixels import InputImage, read_input
from napari_nst.engine.scales import plan_scales, plan_texture_scales
from napari_nst.engine.weights import FLAVOURS, Progress
from napari_nst.recipe import DEFAULT_PRESETS, Recipe, preset

Images = ArrayLike | Sequence[ArrayLike]


def stylize(
    content: ArrayLike,
    style: Images,
    recipe: Recipe | None = None,
    *,
    init_image: ArrayLike | None = None,
    pixel_sizes: Sequence[float] | None = None,
    progress: Progress | None = None,
) -> Iterator[Iteration]:
    """Paint the content in the style of another image (Gatys et al. 2016).

    Parameters
    ----------
    content : array-like
        (H, W, 3) RGB, (H, W, 4) RGBA or (H, W) grey; uint8, uint16 or float in [0, 1]. Transparent
        pixels do not count; of grey content the result is grey, unless the recipe says otherwise.
    style : array-like, or list of them
        The same. Statistics of several styles are blended as the recipe's `style_blend` says.
    recipe : Recipe, optional
        What to do; the ``default`` preset where left out.
    init_image : array-like, optional
        What a recipe with ``init="image"`` starts from.
    pixel_sizes : sequence of float, optional
        Length of a pixel's side in the content, then in each style, all in one unit; for recipes
        with ``style_sizing="physical"``, which takes pixels to be alike where they are left out.
    progress : callable, optional
        Called as ``progress(message, done, total)`` while the pretrained network arrives.

    Returns
    -------
    iterator of Iteration
        One per step. The input is checked before this returns; everything slow, the network's
        download included, happens from the first `next` on.

    Raises
    ------
    TypeError, ValueError
        If an image or a field of the recipe cannot be used.
    NstError
        While iterating, if weights cannot be had or memory runs out.
    """
    recipe = checked_recipe(recipe, "transfer")
    subject = read_input(content, "content")
    styles = _read_styles(style, "style", recipe)
    least = least_side(recipe)
    scales = plan_scales(recipe, subject.shape, least)
    ratios = _relative_pixels(pixel_sizes, len(styles))
    for index, one in enumerate(styles):
        _check_style(one, least, "style")
        if recipe.style_sizing == "physical":
            factor = (ratios[index] if ratios else 1.0) * recipe.style_scale
            _check_physical_size(one, factor * scales[-1].longest / max(subject.shape), least)
    start = _read_start(init_image, recipe)
    arguments = {"pixel_sizes": None if pixel_sizes is None else [float(p) for p in pixel_sizes]}
    return Order("stylize", recipe, scales, subject, styles, start, ratios, arguments).run(progress)


def synthesize(
    exemplar: Images,
    recipe: Recipe | None = None,
    *,
    shape: tuple[int, int] | None = None,
    init_image: ArrayLike | None = None,
    progress: Progress | None = None,
) -> Iterator[Iteration]:
    """Make more of a texture: a new image with an exemplar's statistics (Gatys et al. 2015).

    Parameters
    ----------
    exemplar : array-like, or list of them
        Images as `stylize` takes them; several are blended.
    recipe : Recipe, optional
        What to do; the ``texture`` preset where left out. Its content part is left aside, its
        `size` is that of the exemplar, and ``padding="circular"`` makes the texture tile.
    shape : tuple of int, optional
        Height and width of the texture, of any size; the exemplar's where left out.
    init_image : array-like, optional
        What a recipe with ``init="image"`` starts from.
    progress : callable, optional
        As for `stylize`.

    Returns
    -------
    iterator of Iteration
        One per step, as for `stylize`.

    Raises
    ------
    TypeError, ValueError, NstError
        As `stylize`.
    """
    recipe = checked_recipe(recipe, "texture")
    if not recipe.has_style:
        raise ValueError("style_weight is 0, or all style_layers are; a texture needs some style.")
    if recipe.init == "content":
        raise ValueError("init is 'content', which a texture does not have; take 'noise'.")
    recipe = recipe.replace(content_weight=0.0, color="style")  # there is no other's to keep
    exemplars = _read_styles(exemplar, "exemplar", recipe)
    least = least_side(recipe)
    for one in exemplars:
        _check_style(one, least, "exemplar")
    shape = _checked_shape(shape)
    scales = plan_texture_scales(recipe, exemplars[0].shape, shape, least)
    start = _read_start(init_image, recipe)
    arguments = {"shape": None if shape is None else list(shape)}
    return Order("synthesize", recipe, scales, None, exemplars, start, None, arguments).run(
        progress
    )


def reconstruct(
    image: ArrayLike,
    recipe: Recipe | None = None,
    *,
    init_image: ArrayLike | None = None,
    progress: Progress | None = None,
) -> Iterator[Iteration]:
    """Show what a layer keeps of an image: find another with the same features.

    Feature inversion as in Mahendran & Vedaldi 2015 and Gatys et al. 2016, fig. 1.

    Parameters
    ----------
    image : array-like
        As `stylize` takes it.
    recipe : Recipe, optional
        What to do; the ``reconstruction`` preset where left out. Its style part is left aside.
    init_image : array-like, optional
        What a recipe with ``init="image"`` starts from.
    progress : callable, optional
        As for `stylize`.

    Returns
    -------
    iterator of Iteration
        One per step, as for `stylize`.

    Raises
    ------
    TypeError, ValueError, NstError
        As `stylize`.
    """
    recipe = checked_recipe(recipe, "reconstruction")
    if not recipe.has_content:
        raise ValueError(
            "content_weight is 0, or all content_layers are; a reconstruction needs some content."
        )
    if recipe.init in ("content", "style"):
        raise ValueError(
            f"init is {recipe.init!r}, which leaves nothing to reconstruct; take 'noise' or 'mix'."
        )
    # Shown in the image's own colours, it would seem to know what the layer does not keep.
    recipe = recipe.replace(style_weight=0.0, color="style")
    subject = read_input(image, "image")
    least = least_side(recipe)
    scales = plan_scales(recipe, subject.shape, least)
    start = _read_start(init_image, recipe)
    return Order("reconstruct", recipe, scales, subject, [], start, None, {}).run(progress)


def checked_recipe(recipe: Recipe | None, job: str) -> Recipe:
    """Refuse, before anything slow starts, what no run could be made of."""
    recipe = preset(DEFAULT_PRESETS[job]) if recipe is None else recipe
    if not isinstance(recipe, Recipe):
        raise TypeError(f"recipe must be a Recipe, such as preset('default'); not {recipe!r}.")
    choose_device(recipe.device)
    if recipe.weights not in FLAVOURS and not Path(recipe.weights).expanduser().is_file():
        known = ", ".join(FLAVOURS)
        raise ValueError(f"weights must be {known} or a file; {recipe.weights!r} is neither.")
    return recipe


def _read_styles(images: Images, name: str, recipe: Recipe) -> list[InputImage]:
    several: list[Any] = list(images) if isinstance(images, (list, tuple)) else [images]
    if not several:
        raise ValueError(f"{name} is an empty list; give at least one image.")
    shares_of(recipe, len(several))
    return [read_input(one, name) for one in several]


def _read_start(image: ArrayLike | None, recipe: Recipe) -> InputImage | None:
    if recipe.init != "image":
        return None
    if image is None:
        raise ValueError("init is 'image', but init_image is missing; give one, or another init.")
    return read_input(image, "init_image")


def _check_style(style: InputImage, least: int, name: str) -> None:
    if min(style.shape) < least:
        height, width = style.shape
        raise ValueError(
            f"{name} is {height} × {width} pixels; the recipe's layers need at least {least} "
            "on both sides, take a larger image."
        )


def _check_physical_size(style: InputImage, factor: float, least: int) -> None:
    narrow = round(min(style.shape) * factor)
    if narrow < least:
        raise ValueError(
            f"style is {narrow} pixels narrow at the content's pixel size, and the recipe's layers "
            f"need {least}; take a larger size or style_scale, or style_sizing 'fit'."
        )


def _relative_pixels(pixel_sizes: Sequence[float] | None, styles: int) -> list[float] | None:
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


def _checked_shape(shape: tuple[int, int] | None) -> tuple[int, int] | None:
    if shape is None:
        return None
    try:
        height, width = (int(side) for side in shape)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"shape must be height and width in pixels; not {shape!r}.") from None
    if min(height, width) < 1:
        raise ValueError(f"shape must be at least one pixel on both sides; not {shape!r}.")
    return height, width
