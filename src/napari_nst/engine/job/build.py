"""What a caller asks for, checked before anything slow begins, as an `Order`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import ArrayLike

from napari_nst.engine.job.checks import (
    Images,
    check_physical_size,
    check_style,
    checked_recipe,
    checked_shape,
    read_start,
    read_styles,
    relative_pixels,
)
from napari_nst.engine.job.fill import order_to_fill
from napari_nst.engine.job.guides import Guides, kept_by, read_guides
from napari_nst.engine.job.input_image import InputImage, read_input
from napari_nst.engine.job.job import LEFT_ASIDE, Job
from napari_nst.engine.job.layers import least_side
from napari_nst.engine.job.schedule import plan_scales, plan_texture_scales
from napari_nst.recipe import Recipe


def order_to_stylize(
    content: ArrayLike,
    style: Images,
    recipe: Recipe | None = None,
    init_image: ArrayLike | None = None,
    pixel_sizes: Sequence[float] | None = None,
    guide: ArrayLike | None = None,
    style_guides: ArrayLike | Sequence[ArrayLike | None] | None = None,
    keep_unlabelled: bool = False,
) -> Job:
    """Check what `stylize` got, which describes the parameters and what is raised."""
    recipe = checked_recipe(recipe, "transfer")
    if keep_unlabelled:
        recipe = recipe.replace(size=0)
    subject = read_input(content, "content")
    styles = read_styles(style, "style", recipe)
    guides = _read_guides(guide, style_guides, keep_unlabelled, subject, styles)
    least = least_side(recipe)
    scales = plan_scales(recipe, subject.shape, least)
    ratios = relative_pixels(pixel_sizes, len(styles))
    for index, one in enumerate(styles):
        check_style(one, least, "style")
        if recipe.style_sizing == "physical":
            factor = (ratios[index] if ratios else 1.0) * recipe.style_scale
            check_physical_size(one, factor * scales[-1].longest / max(subject.shape), least)
    start = read_start(init_image, recipe)
    arguments: dict[str, Any] = {} if guides is None else guides.metadata
    if pixel_sizes is not None:
        arguments["pixel_sizes"] = [float(size) for size in pixel_sizes]
    kept = None if guides is None else kept_by(guides, subject)
    return Job("stylize", recipe, scales, subject, styles, start, ratios, arguments, guides, kept)


def order_to_synthesize(
    exemplar: Images | None = None,
    recipe: Recipe | None = None,
    shape: tuple[int, int] | None = None,
    init_image: ArrayLike | None = None,
    into: ArrayLike | None = None,
    region: ArrayLike | None = None,
    exemplar_region: ArrayLike | None = None,
) -> Job:
    """Check what `synthesize` got, which describes the parameters and what is raised."""
    if into is not None:
        if shape is not None:
            raise ValueError("shape is that of into, where there is one; leave it out.")
        return order_to_fill(exemplar, recipe, into, region, exemplar_region, init_image)
    for name, given in {"region": region, "exemplar_region": exemplar_region}.items():
        if given is not None:
            raise ValueError(f"{name} is for filling an image; give that as into, too.")
    if exemplar is None:
        raise ValueError("exemplar is missing; give one, or into and a region to fill.")
    recipe = checked_recipe(recipe, "texture")
    if not recipe.has_style:
        raise ValueError("style_weight is 0, or all style_layers are; a texture needs some style.")
    if recipe.init == "content":
        raise ValueError("init is 'content', which a texture does not have; take 'noise'.")
    recipe = recipe.replace(**LEFT_ASIDE["synthesize"])
    exemplars = read_styles(exemplar, "exemplar", recipe)
    least = least_side(recipe)
    for one in exemplars:
        check_style(one, least, "exemplar")
    shape = checked_shape(shape)
    scales = plan_texture_scales(recipe, exemplars[0].shape, shape, least)
    start = read_start(init_image, recipe)
    arguments = {"shape": None if shape is None else list(shape)}
    return Job("synthesize", recipe, scales, None, exemplars, start, None, arguments)


def order_to_reconstruct(
    image: ArrayLike, recipe: Recipe | None = None, init_image: ArrayLike | None = None
) -> Job:
    """Check what `reconstruct` got, which describes the parameters and what is raised."""
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
    start = read_start(init_image, recipe)
    return Job("reconstruct", recipe, scales, subject, [], start, None, {})


def _read_guides(
    guide: ArrayLike | None,
    style_guides: ArrayLike | Sequence[ArrayLike | None] | None,
    keep_unlabelled: bool,
    content: InputImage,
    styles: Sequence[InputImage],
) -> Guides | None:
    if guide is not None:
        shapes = [style.shape for style in styles]
        return read_guides(guide, style_guides, content.shape, shapes, keep_unlabelled)
    for name, given in {
        "style_guides": style_guides is not None,
        "keep_unlabelled": keep_unlabelled,
    }.items():
        if given:
            raise ValueError(f"{name} needs labels of the content; give a guide too.")
    return None
