"""What a caller asks for, checked before anything slow begins: an `Order`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from numpy.typing import ArrayLike

from napari_nst.engine.device import choose_device
from napari_nst.engine.objective import least_side, shares_of
from napari_nst.engine.pixels import InputImage, read_input
from napari_nst.engine.scales import Scale, plan_scales, plan_texture_scales
from napari_nst.engine.steering import Change
from napari_nst.engine.weights import FLAVOURS
from napari_nst.recipe import DEFAULT_PRESETS, Recipe, preset

Images = ArrayLike | Sequence[ArrayLike]

LEFT_ASIDE: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "stylize": {},
        # There is no other's colour to keep.
        "synthesize": {"content_weight": 0.0, "color": "style"},
        # Shown in the image's own colours, it would seem to know what the layer does not keep.
        "reconstruct": {"style_weight": 0.0, "color": "style"},
    }
)
"""Job → what its recipe's other fields are set to, whatever they were."""


@dataclass(frozen=True, eq=False)
class Order:
    """A checked job, ready to run.

    Attributes
    ----------
    job : str
        Name of the function that was called.
    recipe : Recipe
        What to do.
    scales : sequence of Scale
        Sizes and steps.
    content : InputImage or None
        What gives content and colours; a texture has none.
    styles : sequence of InputImage
        What gives the style; a reconstruction has none.
    start : InputImage or None
        What ``init="image"`` starts from.
    relative_pixels : sequence of float or None
        Each style's pixel size over the content's, where both are known.
    arguments : mapping
        What else the caller said, for the record.
    """

    job: str
    recipe: Recipe
    scales: Sequence[Scale]
    content: InputImage | None
    styles: Sequence[InputImage]
    start: InputImage | None
    relative_pixels: Sequence[float] | None
    arguments: Mapping[str, Any]

    @property
    def pattern(self) -> InputImage:
        """The image whose channels the picture has: the content's, or the exemplar's."""
        return self.content or self.styles[0]

    @property
    def images(self) -> dict[str, InputImage]:
        """Role → image."""
        one = "style" if self.content else "exemplar"
        many = len(self.styles) > 1
        named = {f"{one} {i}" if many else one: s for i, s in enumerate(self.styles, start=1)}
        if self.content:
            named = {"image" if self.job == "reconstruct" else "content": self.content, **named}
        return named | ({"start": self.start} if self.start else {})

    def changed(self, change: Change) -> Order:
        """Return the same order with what a caller wants otherwise.

        Raises
        ------
        TypeError, ValueError
            If that is not possible.
        """
        recipe = self.recipe.replace(**{**change.fields, **LEFT_ASIDE[self.job]})
        styles, ratios = self.styles, self.relative_pixels
        if change.styles is not None:
            styles = _read_styles(list(change.styles()), "style", recipe)
            for one in styles:
                _check_style(one, least_side(recipe), "style")
            ratios = _relative_pixels(change.pixel_sizes, len(styles))
        elif self.styles:
            shares_of(recipe, len(styles))
        return replace(self, recipe=recipe, styles=styles, relative_pixels=ratios)


def order_to_stylize(
    content: ArrayLike,
    style: Images,
    recipe: Recipe | None,
    init_image: ArrayLike | None,
    pixel_sizes: Sequence[float] | None,
) -> Order:
    """Check what `stylize` got."""
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
    return Order("stylize", recipe, scales, subject, styles, start, ratios, arguments)


def order_to_synthesize(
    exemplar: Images,
    recipe: Recipe | None,
    shape: tuple[int, int] | None,
    init_image: ArrayLike | None,
) -> Order:
    """Check what `synthesize` got."""
    recipe = checked_recipe(recipe, "texture")
    if not recipe.has_style:
        raise ValueError("style_weight is 0, or all style_layers are; a texture needs some style.")
    if recipe.init == "content":
        raise ValueError("init is 'content', which a texture does not have; take 'noise'.")
    recipe = recipe.replace(**LEFT_ASIDE["synthesize"])
    exemplars = _read_styles(exemplar, "exemplar", recipe)
    least = least_side(recipe)
    for one in exemplars:
        _check_style(one, least, "exemplar")
    shape = _checked_shape(shape)
    scales = plan_texture_scales(recipe, exemplars[0].shape, shape, least)
    start = _read_start(init_image, recipe)
    arguments = {"shape": None if shape is None else list(shape)}
    return Order("synthesize", recipe, scales, None, exemplars, start, None, arguments)


def order_to_reconstruct(
    image: ArrayLike, recipe: Recipe | None, init_image: ArrayLike | None
) -> Order:
    """Check what `reconstruct` got."""
    recipe = checked_recipe(recipe, "reconstruction")
    if not recipe.has_content:
        raise ValueError(
            "content_weight is 0, or all content_layers are; a reconstruction needs some content."
        )
    if recipe.init in ("content", "style"):
        raise ValueError(
            f"init is {recipe.init!r}, which leaves nothing to reconstruct; take 'noise' or 'mix'."
        )
    recipe = recipe.replace(**LEFT_ASIDE["reconstruct"])
    subject = read_input(image, "image")
    scales = plan_scales(recipe, subject.shape, least_side(recipe))
    start = _read_start(init_image, recipe)
    return Order("reconstruct", recipe, scales, subject, [], start, None, {})


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
