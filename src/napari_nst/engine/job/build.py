"""Make a `Job` from the arguments of a public function, checked before anything slow starts."""

from __future__ import annotations

import inspect
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from numpy.typing import ArrayLike

from napari_nst.engine.job.guides import keep_outside, read_guides
from napari_nst.engine.job.inpainting import (
    MARGIN,
    Inpainting,
    read_exemplar_region,
    read_region,
    window_around,
)
from napari_nst.engine.job.input_image import (
    ImageLike,
    Images,
    InputImage,
    read_input,
    read_styles,
    relative_pixels,
)
from napari_nst.engine.job.job import FIXED_FIELDS, Job
from napari_nst.engine.job.layers import check_size, least_side
from napari_nst.engine.job.own_loss import OwnLoss, checked_own
from napari_nst.engine.job.schedule import LARGEST_STYLE, plan_scales, plan_texture_scales
from napari_nst.io.record import load_recipe
from napari_nst.recipe import CONTROLS, DEFAULT_PRESETS, Recipe, preset, preset_names
from napari_nst.recipe.convert_weights import FLAVOURS
from napari_nst.recipe.suggest import nearest, shown

RecipeLike = Recipe | str | os.PathLike[str]
"""A recipe, the name of a preset, or the JSON file of a recipe."""

_OF_RUNS = ("progress", "steering", "after")
"""Arguments of the public functions beside those of their jobs."""


def order_to_stylize(
    content: ImageLike,
    style: Images,
    recipe: RecipeLike | None = None,
    init_image: ImageLike | None = None,
    pixel_sizes: Sequence[float] | None = None,
    guide: ArrayLike | None = None,
    style_guides: ArrayLike | Sequence[ArrayLike | None] | None = None,
    keep_unlabelled: bool = False,
    losses: Sequence[OwnLoss] = (),
    **fields: Any,
) -> Job:
    """Return the job of `stylize` for `loss_maps` and `gram_view`; arguments and errors are its."""
    refuse_unknown(fields, order_to_stylize)
    losses = checked_own(losses, "stylize", (True, True))
    recipe = checked_recipe(recipe, "transfer", fields)
    if keep_unlabelled:
        recipe = recipe.replace(size=0)
    image = read_input(content, "content")
    styles = read_styles(style, "style", recipe)
    guides = None
    if guide is not None:
        shapes = [one.shape for one in styles]
        guides = read_guides(guide, style_guides, image.shape, shapes, keep_unlabelled)
    elif style_guides is not None or keep_unlabelled:
        name = "keep_unlabelled" if style_guides is None else "style_guides"
        raise ValueError(f"`{name}` needs a guide of the content. Give `guide` too.")
    least = least_side(recipe)
    scales = plan_scales(recipe, image.shape, least)
    ratios = relative_pixels(pixel_sizes, len(styles))
    if recipe.style_sizing == "physical":
        for one, ratio in zip(styles, ratios or [1.0] * len(styles), strict=True):
            factor = ratio * recipe.style_scale * scales[-1].longest / max(image.shape)
            if (side := round(min(one.shape) * factor)) < least:
                raise ValueError(
                    f"The style is {side} pixels narrow at the content's pixel size, and the "
                    f"layers need {least}. Choose a larger `size` or `style_scale`, or set "
                    "`style_sizing='fit'`."
                )
    arguments: dict[str, Any] = {} if guides is None else guides.metadata
    if pixel_sizes is not None:
        arguments["pixel_sizes"] = [float(size) for size in pixel_sizes]
    return Job(
        name="stylize",
        recipe=recipe,
        scales=scales,
        content=image,
        styles=styles,
        start=_read_start(init_image, recipe),
        relative_pixels=ratios,
        arguments=arguments,
        own_losses=losses,
        guides=guides,
        keep_outside=None if guides is None else keep_outside(guides, image),
    )


def order_to_synthesize(
    exemplar: Images | None = None,
    recipe: RecipeLike | None = None,
    shape: tuple[int, int] | None = None,
    init_image: ImageLike | None = None,
    into: ImageLike | None = None,
    region: ArrayLike | None = None,
    exemplar_region: ArrayLike | None = None,
    losses: Sequence[OwnLoss] = (),
    **fields: Any,
) -> Job:
    """Return the job of `synthesize`, as `order_to_stylize`."""
    refuse_unknown(fields, order_to_synthesize)
    losses = checked_own(losses, "synthesize", (into is not None, True))
    if into is not None:
        if shape is not None:
            raise ValueError("`shape` is that of the image to fill. Leave out `shape`, or `into`.")
        job = _fill(exemplar, recipe, into, region, exemplar_region, init_image, fields)
        return replace(job, own_losses=losses)
    for name, given in {"region": region, "exemplar_region": exemplar_region}.items():
        if given is not None:
            raise ValueError(f"`{name}` is for filling an image. Give that image as `into`, too.")
    if exemplar is None:
        raise ValueError("`exemplar` is missing. Give one, or `into` and `region` to fill.")
    recipe = texture_recipe(recipe, fields)
    if recipe.init == "content":
        raise ValueError(
            "`init='content'` is set, but a texture has no content. Set `init='noise'`."
        )
    exemplars = read_styles(exemplar, "exemplar", recipe)
    shape = _checked_shape(shape)
    return Job(
        name="synthesize",
        recipe=recipe,
        scales=plan_texture_scales(recipe, exemplars[0].shape, shape, least_side(recipe)),
        styles=exemplars,
        start=_read_start(init_image, recipe),
        arguments={"shape": None if shape is None else list(shape)},
        own_losses=losses,
    )


def order_to_reconstruct(
    image: ImageLike,
    recipe: RecipeLike | None = None,
    init_image: ImageLike | None = None,
    losses: Sequence[OwnLoss] = (),
    **fields: Any,
) -> Job:
    """Return the job of `reconstruct`, as `order_to_stylize`."""
    refuse_unknown(fields, order_to_reconstruct)
    losses = checked_own(losses, "reconstruct", (True, False))
    recipe = checked_recipe(recipe, "reconstruction", fields)
    if not recipe.has_content:
        raise ValueError(
            "`content_weight` is 0, or all weights in `content_layers` are, which leaves nothing "
            "to reconstruct. Give them a value above 0."
        )
    if recipe.init in ("content", "style"):
        raise ValueError(
            f"`init={recipe.init!r}` is set, which leaves nothing to reconstruct. Set "
            "`init='noise'`, or set `init='mix'`."
        )
    recipe = recipe.replace(**FIXED_FIELDS["reconstruct"])
    content = read_input(image, "image")
    return Job(
        name="reconstruct",
        recipe=recipe,
        scales=plan_scales(recipe, content.shape, least_side(recipe)),
        content=content,
        start=_read_start(init_image, recipe),
        own_losses=losses,
    )


def checked_recipe(
    recipe: RecipeLike | None, task: str, fields: Mapping[str, Any] | None = None
) -> Recipe:
    """Return a recipe with other values of some fields, whose weights exist.

    It may be named: None is the default recipe of a task.
    """
    recipe = _named_recipe(DEFAULT_PRESETS[task] if recipe is None else recipe, fields or {})
    if recipe.weights not in FLAVOURS and not os.path.isfile(os.path.expanduser(recipe.weights)):
        known = ", ".join(FLAVOURS)
        raise ValueError(f"`weights` must be {known} or a file; {recipe.weights!r} is neither.")
    return recipe


def _named_recipe(recipe: RecipeLike, fields: Mapping[str, Any]) -> Recipe:
    if isinstance(recipe, Recipe):
        return recipe.replace(**fields)
    if isinstance(recipe, str) and recipe in preset_names():
        return preset(recipe, **fields)
    if isinstance(recipe, (str, os.PathLike)) and os.fspath(recipe).lower().endswith(".json"):
        return load_recipe(recipe).replace(**fields)
    if isinstance(recipe, str):
        hint = nearest(recipe, preset_names()) or f"There are {', '.join(preset_names())}."
        raise ValueError(f"`recipe` {recipe!r} is neither a preset nor a .json file. {hint}")
    cure = (
        " Give single fields as keywords, such as size=256." if isinstance(recipe, Mapping) else ""
    )
    raise TypeError(
        "`recipe` must be a Recipe, the name of a preset, or a .json file; "
        f"not {shown(recipe)}.{cure}"
    )


def refuse_unknown(
    fields: Mapping[str, Any], order: Callable[..., Any], of_runs: Sequence[str] = _OF_RUNS
) -> None:
    """Raise TypeError if keywords are neither arguments of a function nor fields of a recipe."""
    own = [name for name in inspect.signature(order).parameters if name != "fields"]
    function = order.__name__.removeprefix("order_to_")
    for name in fields:
        if name not in CONTROLS:
            listed = ", ".join([*own, *of_runs])
            hint = nearest(name, [*own, *of_runs, *CONTROLS])
            hint = hint or f"There are {listed}, and the fields of nst.Recipe."
            raise TypeError(
                f"{name!r} is neither an argument of {function} nor a field of a recipe. {hint}"
            )


def _fill(
    exemplar: Images | None,
    recipe: RecipeLike | None,
    into: ImageLike,
    region: ArrayLike | None,
    exemplar_region: ArrayLike | None,
    init_image: ImageLike | None,
    fields: Mapping[str, Any],
) -> Job:
    """Return the checked job that fills a region of a picture without a visible border."""
    if recipe is None:  # its terms are of whole images, and nobody has asked for them
        fields = {"terms": (), **fields}
    recipe = texture_recipe(recipe, fields)
    if recipe.padding == "circular":
        raise ValueError(
            "`padding='circular'` is set, but a filled region cannot wrap around. Set "
            "`padding='replicate'`."
        )
    # The picture and the exemplars stay at their own pixel size, or the texture would not match.
    recipe = recipe.replace(size=0, style_sizing="physical")
    least = least_side(recipe)
    picture = read_input(into, "into")
    check_size(picture.shape, "into", recipe)
    mask = read_region(region, picture)
    window = window_around(mask, MARGIN)
    content = picture.cropped(window)
    exemplars = None if exemplar is None else read_styles(exemplar, "exemplar", recipe)
    refuse_targets(exemplars or (), "`exemplar` of a filled region")
    longest = math.ceil(LARGEST_STYLE * max(content.shape) / recipe.style_scale)
    exemplar_mask = read_exemplar_region(exemplar_region, exemplars)
    inpainting = Inpainting(picture, mask, window, exemplars, exemplar_mask, max(longest, least))
    start = _read_start(init_image, recipe)
    if start is not None:
        if start.shape != picture.shape:
            sizes = "{} × {}; it is {} × {}".format(*picture.shape, *start.shape)
            raise ValueError(f"`init_image` must be as large as `into`, {sizes}.")
        start = start.cropped(window)
    # The recipe's `min_size` is that of the smallest image.
    smallest = min(max(one.shape) for one in (content, *inpainting.styles))
    least_content = round(recipe.min_size * max(content.shape) / smallest)
    return Job(
        name="synthesize",
        recipe=recipe,
        scales=plan_scales(recipe.replace(min_size=least_content), content.shape, least),
        content=content,
        styles=inpainting.styles,
        start=start,
        arguments=inpainting.metadata,
        guides=inpainting.guides,
        keep_outside=inpainting.keep_outside,
        inpainting=inpainting,
    )


def texture_recipe(
    recipe: RecipeLike | None, fields: Mapping[str, Any], task: str = "texture"
) -> Recipe:
    """Return the checked recipe of a texture, whose task is ``texture`` or ``solid``."""
    recipe = checked_recipe(recipe, task, fields)
    if not recipe.has_style:
        raise ValueError(
            "`style_weight` is 0, or all weights in `style_layers` are, which leaves no texture. "
            "Give them a value above 0."
        )
    return recipe.replace(**FIXED_FIELDS["synthesize"])


def _read_start(image: ImageLike | None, recipe: Recipe) -> InputImage | None:
    """Read the image that a recipe with ``init="image"`` starts from."""
    if recipe.init != "image":
        return None
    if image is None:
        raise ValueError(
            "`init='image'` is set, but `init_image` is missing. Choose `init_image`, or another "
            "value of `init`."
        )
    return read_input(image, "init_image")


def refuse_targets(styles: Sequence[InputImage], what: str) -> None:
    """Raise ValueError if there is a style target among images that must be whole."""
    if any(style.target is not None for style in styles):
        raise ValueError(f"{what} must be an image, not a style target. Give an image.")


def _checked_shape(shape: tuple[int, int] | None) -> tuple[int, int] | None:
    if shape is None:
        return None
    try:
        height, width = (int(side) for side in shape)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(
            f"`shape` must be height and width in pixels; not {shown(shape)}."
        ) from None
    if min(height, width) < 1:
        raise ValueError(f"`shape` must be at least one pixel on both sides; not {shape!r}.")
    return height, width
